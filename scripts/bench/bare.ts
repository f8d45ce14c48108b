// The least that a runtime can do of postprox's work. What these programs cost is a bound for postprox. On Deno and on Bun.
//
//     bare.ts start                        starts /bin/true: as often as each line on standard input says, ten at a time
//     bare.ts relay PORT DOWNSTREAM_PORT   passes octets on, and knows neither SMTP nor errors
//     bare.ts once DOWNSTREAM_PORT         starts /bin/true, reads a greeting, and ends
//
// They are not for mail: a slow reader makes the relay keep what it has, and it never ends by itself.

import process from "node:process";

interface BunSocket {
  /** The socket on the other side. */
  data: BunSocket | undefined;
  write(octets: Uint8Array): number;
  end(): void;
}

interface BunApi {
  spawn(words: readonly string[], options: Record<string, unknown>): { exited: Promise<number> };
  listen(options: Record<string, unknown>): unknown;
  connect(options: Record<string, unknown>): Promise<BunSocket>;
}

const bun = (globalThis as { Bun?: BunApi }).Bun;
const TOGETHER = 10;
const [role = "", ...ports] = process.argv.slice(2);
const [port = 0, downstream = 0] = ports.map(Number);
const hostname = "127.0.0.1";

if (role === "start") startWhenAsked();
else if (role === "relay") bun ? relayOnBun(bun) : void relayOnDeno();
else void Promise.all([start(), readGreeting(port)]).then(() => process.exit(0));

async function start(): Promise<number> {
  if (bun) return await bun.spawn(["/bin/true"], { stdio: ["ignore", "ignore", "ignore"] }).exited;
  const command = new Deno.Command("/bin/true", { stdin: "null", stdout: "null", stderr: "null" });
  return (await command.spawn().status).code;
}

function startWhenAsked(): void {
  process.stdin.on("data", async (octets: Uint8Array) => {
    let left = Number(new TextDecoder().decode(octets));
    await Promise.all(Array.from({ length: TOGETHER }, async () => {
      while (left-- > 0) await start();
    }));
    process.stdout.write("done\n");
  });
  process.stdin.on("end", () => process.exit(0));
}

async function readGreeting(port: number): Promise<void> {
  if (bun) {
    const { promise, resolve } = Promise.withResolvers<void>();
    await bun.connect({ hostname, port, socket: { data: () => resolve() } });
    return await promise;
  }
  await (await Deno.connect({ hostname, port })).read(new Uint8Array(1024));
}

async function relayOnDeno(): Promise<void> {
  for await (const client of Deno.listen({ hostname, port })) void serveOnDeno(client).catch(() => {});
}

async function serveOnDeno(client: Deno.TcpConn): Promise<void> {
  const server = await Deno.connect({ hostname, port: downstream });
  for (const conn of [client, server]) conn.setNoDelay(true);
  await Promise.all([copy(client, server), copy(server, client)]);
}

async function copy(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const room = new Uint8Array(65_536);
  try {
    for (let count = await from.read(room); count !== null; count = await from.read(room)) {
      for (let at = 0; at < count;) at += await to.write(room.subarray(at, count));
    }
  } finally {
    to.close();
  }
}

function relayOnBun({ listen, connect }: BunApi): void {
  const socket = {
    open: () => {},
    data: ({ data }: BunSocket, octets: Uint8Array) => void data?.write(octets),
    close: ({ data }: BunSocket) => data?.end(),
    error: () => {},
  };
  // The client speaks only after the greeting, which comes from the server.
  const open = async (client: BunSocket) => {
    client.data = await connect({ hostname, port: downstream, data: client, socket });
  };
  listen({ hostname, port, socket: { ...socket, open: (client: BunSocket) => void open(client) } });
}
