// Passes mail on between its clients and a server. A clamd looks at each message first. A new connection is made for each, as
// clamd's protocol wants it.
//
//     scan.ts PORT DOWNSTREAM_PORT SOCKET_OF_CLAMD
//
// A client whose message has a virus hears 550, and is left.

import process from "node:process";
import { bun, type BunApi, type BunSocket, hostname } from "./api.ts";
import { concat, textOf } from "../../../lib/text/octets.ts";
import { Held } from "./held.ts";

const [port = "", downstream = "", clamd = ""] = process.argv.slice(2);

const VIRUS = new TextEncoder().encode("550 virus\r\n");
const COMMAND = new TextEncoder().encode("zINSTREAM\0");

if (bun) scanOnBun(bun);
else void scanOnDeno();

/** What clamd must hear: one chunk with its length before it, and the end. */
function questionOf(message: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, message.length);
  return concat([COMMAND, length, message, new Uint8Array(4)]);
}

function isClean(answer: Uint8Array): boolean {
  return textOf(answer).endsWith(" OK\0");
}

// --- On Deno

type Conn = Deno.TcpConn | Deno.UnixConn;

async function scanOnDeno(): Promise<void> {
  for await (const client of Deno.listen({ hostname, port: Number(port) })) void serveOnDeno(client).catch(() => {});
}

async function serveOnDeno(client: Deno.TcpConn): Promise<void> {
  const server = await Deno.connect({ hostname, port: Number(downstream) });
  for (const conn of [client, server]) conn.setNoDelay(true);
  const held = new Held();
  await Promise.all([
    passOn(server, client, (octets) => held.fromServer(octets)),
    passOn(client, server, async (octets) => {
      const said = held.fromClient(octets);
      if (!said || "command" in said) return said?.command;
      if (await askOnDeno(said.message)) return said.message;
      await write(client, VIRUS);
      client.close();
      return undefined;
    }),
  ]);
}

async function passOn(
  from: Conn,
  to: Conn,
  said: (octets: Uint8Array) => Uint8Array | undefined | Promise<Uint8Array | undefined>,
): Promise<void> {
  const room = new Uint8Array(65_536);
  try {
    for (let count = await from.read(room); count !== null; count = await from.read(room)) {
      const octets = await said(room.subarray(0, count));
      if (octets) await write(to, octets);
    }
  } finally {
    to.close();
  }
}

async function askOnDeno(message: Uint8Array): Promise<boolean> {
  const conn = await Deno.connect({ transport: "unix", path: clamd });
  await write(conn, questionOf(message));
  const room = new Uint8Array(1024);
  const count = await conn.read(room);
  conn.close();
  return isClean(room.subarray(0, count ?? 0));
}

async function write(to: Conn, octets: Uint8Array): Promise<void> {
  for (let at = 0; at < octets.length;) at += await to.write(octets.subarray(at));
}

// --- On Bun

/** A client, or the server of a client. The other one is at its other side. */
interface Side {
  readonly held: Held;
  other?: BunSocket<Side>;
}

function scanOnBun(api: BunApi): void {
  const error = () => {};
  const toClient = {
    data: ({ data: { held, other } }: BunSocket<Side>, octets: Uint8Array) =>
      void other!.write(held.fromServer(octets)),
    close: ({ data }: BunSocket<Side>) => data.other?.end(),
    error,
  };
  const connect = async (client: BunSocket<Side>) => {
    const held = new Held();
    const data: Side = { held, other: client };
    const server = await api.connect<Side>({ hostname, port: Number(downstream), data, socket: toClient });
    client.data = { held, other: server };
  };
  const say = async (client: BunSocket<Side>, octets: Uint8Array) => {
    const { held, other: server } = client.data;
    const said = held.fromClient(octets);
    if (!said) return;
    if ("command" in said) server!.write(said.command);
    else if (await askOnBun(api, said.message)) server!.write(said.message);
    else {
      client.write(VIRUS);
      client.end();
    }
  };
  // The client speaks only after the greeting, which comes from the server.
  api.listen<Side>({
    hostname,
    port: Number(port),
    socket: {
      open: (client) => void connect(client).catch(() => client.end()),
      data: (client, octets) => void say(client, octets).catch(() => client.end()),
      close: ({ data }) => data?.other?.end(),
      error,
    },
  });
}

function askOnBun(api: BunApi, message: Uint8Array): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const data = (socket: BunSocket<undefined>, octets: Uint8Array) => {
      resolve(isClean(octets));
      socket.end();
    };
    const asking = api.connect<undefined>({ unix: clamd, data: undefined, socket: { data, error: () => {} } });
    asking.then((socket) => socket.write(questionOf(message)), reject);
  });
}
