#!/usr/bin/env python3
# aiosmtpd on a free port of 127.0.0.1 that tells what it takes: one line "port N", then a line of JSON per message, with
# sender and content (latin-1). With --lf it reads content as it did before CVE-2024-27305: up to any LF, a line that is
# dot CR LF being the end. Ends with its standard input.
import asyncio
import json
import sys

try:
    from aiosmtpd.smtp import SMTP
except ImportError:
    sys.exit("There is no aiosmtpd here: apt-get install python3-aiosmtpd")


class Counter:
    async def handle_DATA(self, server, session, envelope):
        told = {"sender": envelope.mail_from, "content": envelope.original_content.decode("latin-1")}
        print(json.dumps(told), flush=True)
        return "250 2.0.0 counted"


class OldLine(bytes):
    """A line as the old code took it, for which any LF was a line end."""

    def endswith(self, end):
        return super().endswith(b"\n" if end == b"\r\n" else end)


class Server(SMTP):
    line_length_limit = 10_000_000

    def _client_connected_cb(self, reader, writer):
        if "--lf" in sys.argv:
            until = reader.readuntil

            async def read_line(separator=b"\n"):
                return OldLine(await until(b"\n"))

            reader.readuntil = read_line
        super()._client_connected_cb(reader, writer)


async def main():
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(
        lambda: Server(Counter(), hostname="counter.example", data_size_limit=None, loop=loop), "127.0.0.1", 0)
    print("port", listener.sockets[0].getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()

asyncio.run(main())
