// Passes one message on between standard input, which is a socket, and a server. A filter (filter.ts) sees it first.
//
//     message.ts DOWNSTREAM_PORT DIRECTORY
//
// It ends when the server hangs up.

import process from "node:process";
import { bun, type BunApi, type BunSocket, hostname } from "./api.ts";
import { filter } from "./filter.ts";
import { Held } from "./held.ts";

const [downstream = "", directory = ""] = process.argv.slice(2);
const port = Number(downstream);
const held = new Held();

void (bun ? passOnBun(bun) : passOnDeno());

/** What the server must hear now, if anything. */
async function fromClient(octets: Uint8Array): Promise<Uint8Array | undefined> {
  const said = held.fromClient(octets);
  if (!said || "command" in said) return said?.command;
  await filter(directory, said.message);
  return said.message;
}

// The client speaks only after the greeting, which comes from the server.
async function passOnBun({ connect }: BunApi): Promise<void> {
  const opened: { server?: BunSocket<undefined> } = {};
  const fromClientOnBun = async (_: unknown, octets: Uint8Array) => {
    const said = await fromClient(octets);
    if (said) opened.server!.write(said);
  };
  const client = await connect<undefined>({ fd: 0, data: undefined, socket: { data: fromClientOnBun } });
  opened.server = await connect<undefined>({
    hostname,
    port,
    data: undefined,
    socket: { data: (_, octets) => void client.write(held.fromServer(octets)), close: () => process.exit(0) },
  });
}

async function passOnDeno(): Promise<void> {
  const server = await Deno.connect({ hostname, port });
  void passOn(Deno.stdin, async (octets) => {
    const said = await fromClient(octets);
    if (said) await server.write(said);
  });
  await passOn(server, async (octets) => void await Deno.stdout.write(held.fromServer(octets)));
  Deno.exit(0);
}

async function passOn(
  from: { read(into: Uint8Array): Promise<number | null> },
  to: (octets: Uint8Array) => Promise<void>,
): Promise<void> {
  const room = new Uint8Array(65_536);
  for (let count = await from.read(room); count !== null; count = await from.read(room)) {
    await to(room.subarray(0, count));
  }
}
