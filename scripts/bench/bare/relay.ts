// Passes octets on between its clients and a server, and knows no SMTP. A slow reader makes it keep what it has, and it never
// ends by itself.
//
//     relay.ts PORT DOWNSTREAM_PORT [OCTETS]
//
// On Deno, it reads at most so many octets at a time.

import process from "node:process";
import { bun, type BunApi, type BunSocket, hostname } from "./api.ts";

const [port = 0, downstream = 0, size = 65_536] = process.argv.slice(2).map(Number);

if (bun) relayOnBun(bun);
else void relayOnDeno();

async function relayOnDeno(): Promise<void> {
  for await (const client of Deno.listen({ hostname, port })) void serveOnDeno(client).catch(() => {});
}

async function serveOnDeno(client: Deno.TcpConn): Promise<void> {
  const server = await Deno.connect({ hostname, port: downstream }).catch(() => client.close());
  if (!server) return;
  for (const conn of [client, server]) conn.setNoDelay(true);
  await Promise.all([copy(client, server), copy(server, client)]);
}

async function copy(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const room = new Uint8Array(size);
  try {
    for (let count = await from.read(room); count !== null; count = await from.read(room)) {
      for (let at = 0; at < count;) at += await to.write(room.subarray(at, count));
    }
  } finally {
    to.close();
  }
}

/** The data of a socket is the socket on the other side. */
interface Socket extends BunSocket<Socket | undefined> {}

function relayOnBun({ listen, connect }: BunApi): void {
  const socket = {
    data: ({ data }: Socket, octets: Uint8Array) => void data?.write(octets),
    close: ({ data }: Socket) => data?.end(),
    error: () => {},
  };
  // The client speaks only after the greeting, which comes from the server.
  const open = async (client: Socket) => {
    client.data = await connect<Socket | undefined>({ hostname, port: downstream, data: client, socket });
  };
  listen<Socket | undefined>({
    hostname,
    port,
    socket: { ...socket, open: (client) => void open(client).catch(() => client.end()) },
  });
}
