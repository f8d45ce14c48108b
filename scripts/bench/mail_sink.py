# A mail server that keeps nothing, for the group `scanned`. It writes its port to standard output, and serves until it is ended.
#
# Each connection has a thread of its own, so a large message on one of them lets nobody wait.

import socket
import threading


def serve(conn):
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = conn.makefile("rb")
    conn.sendall(b"220 sink\r\n")
    for line in lines:
        verb = line[:4].upper()
        if verb == b"DATA":
            conn.sendall(b"354 go on\r\n")
            last = b""
            while last != b"\r\n.\r\n":
                some = lines.read1(262144)
                if not some:
                    return
                last = (last + some[-5:])[-5:]
        conn.sendall(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
