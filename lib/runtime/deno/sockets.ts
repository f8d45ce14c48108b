// Sockets on Deno: TCP, unix sockets, and datagrams.

import { formatAddress } from "../../ports/address.ts";
import { parseIp } from "../../text/ip.ts";
import { Attempts, connectError } from "../shared/attempts.ts";
import { after, ioError } from "./api.ts";
import { IoError } from "../../ports/io_error.ts";
import type { Address, Conn, DatagramSender, Listener, NameServer, UdpSocket } from "../../ports/runtime.ts";

export async function connect(to: Address, limit: number): Promise<Conn> {
  const attempts = new Attempts(to.transport === "unix" ? to.path : to.host);
  const late = Promise.withResolvers<never>();
  const cancel = after(limit, () => late.reject(attempts.giveUp(limit)));
  try {
    return await Promise.race([connectTo(to, attempts), late.promise]);
  } catch (error) {
    const cause = ioError(error);
    throw connectError(to, attempts.isOver && to.transport === "tcp" ? await withAddresses(cause, to.host) : cause);
  } finally {
    cancel();
  }
}

// Nobody waits longer than this for a lookup. In milliseconds.
const LOOKUP_PATIENCE = 1000;

// Deno does not say which addresses of a name it tried without success.
async function withAddresses(error: IoError, host: string): Promise<IoError> {
  if (parseIp(host)) return error;
  const late = new Promise<string[]>((resolve) => after(LOOKUP_PATIENCE, () => resolve([])));
  const addresses = await Promise.race([addressesOf(host).catch(() => []), late]);
  return addresses.length === 0 ? error : new IoError(error.kind, `${error.message} (${addresses.join(", ")})`);
}

async function connectTo(to: Address, attempts: Attempts): Promise<Conn> {
  if (to.transport === "unix") return await openUnixConn(to.path, attempts);
  const { host, port } = to;
  try {
    return await openConn({ hostname: host, port }, attempts);
  } catch (error) {
    const { kind } = ioError(error);
    if (kind === "unknown-host" || kind === "exhausted" || parseIp(host) || attempts.isOver) throw error;
    // Deno has tried all addresses of the name, but reports only the last one, and not which one it is.
    return await attempts.first(await addressesOf(host), (hostname) => openConn({ hostname, port }, attempts));
  }
}

// How long we wait before we try again at first and later, in milliseconds.
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 50;

// The server's queue of connections may be full. connect(2) waits then on a socket that blocks. On Deno's it fails, with the
// same error as if we had no means ourselves.
async function openUnixConn(path: string, attempts: Attempts): Promise<Conn> {
  for (let pause = FIRST_PAUSE;; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      return await openConn({ transport: "unix", path }, attempts);
    } catch (error) {
      if (!isQueueFull(error)) throw error;
      await new Promise<void>((resolve) => after(pause, resolve));
      // Nobody waits any more, so we take no place in the queue.
      if (attempts.isOver) throw error;
    }
  }
}

function isQueueFull(error: unknown): boolean {
  return error instanceof IoError && (error.cause as { code?: string } | undefined)?.code === "EAGAIN";
}

async function openConn(options: Deno.ConnectOptions | Deno.UnixConnectOptions, attempts: Attempts): Promise<Conn> {
  try {
    const conn = await Deno.connect(options as Deno.ConnectOptions);
    if (attempts.isOver) conn.close();
    return tuned(conn);
  } catch (error) {
    throw ioError(error);
  }
}

export async function addressesOf(host: string): Promise<string[]> {
  try {
    // Deno itself has no getaddrinfo(3). No message needs this, so it may take its time to load.
    const { lookup } = await import("node:dns/promises");
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (error) {
    throw ioError(error, `cannot look up ${host}`);
  }
}

async function listenUnix(path: string, mode: number | undefined): Promise<Deno.UnixListener> {
  const { EVERYBODY, withMode } = await import("../shared/socket_mode.ts");
  return withMode(mode ?? EVERYBODY, () => Deno.listen({ transport: "unix", path }), Deno.umask);
}

export async function listen(at: Address, mode?: number): Promise<Listener> {
  try {
    const listener = at.transport === "unix"
      ? await listenUnix(at.path, mode)
      : Deno.listen({ hostname: at.host, port: at.port });
    // Keeps the program alive while it waits only for time, as it does after a failed accept.
    const alive = setInterval(() => {}, 1 << 30);
    return {
      accept: async () => {
        try {
          return tuned(await listener.accept());
        } catch (error) {
          throw ioError(error, "cannot accept a connection");
        }
      },
      close: () => {
        clearInterval(alive);
        closeOnce(listener);
      },
    };
  } catch (error) {
    throw ioError(error, `cannot listen at ${formatAddress(at)}`);
  }
}

// Replies are small, and someone waits for each. So they leave at once.
function tuned(conn: Deno.Conn): Conn {
  try {
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay(true);
    return new TcpOrUnixConn(conn);
  } catch (error) {
    conn.close();
    throw error;
  }
}

class TcpOrUnixConn implements Conn {
  readonly peer?: string;
  readonly #conn: Deno.Conn;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
    const from = conn.remoteAddr;
    if ("hostname" in from) this.peer = from.hostname;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#conn.read(into).catch(failRead);
  }

  receive(into: Uint8Array, onRead: (count: number | null) => void, onFailed: (error: unknown) => void): void {
    this.#conn.read(into).then(onRead, (error) => onFailed(ioError(error, "cannot read")));
  }

  write(octets: Uint8Array): Promise<void> {
    return writeAll(this.#conn, octets);
  }

  close(): void {
    closeOnce(this.#conn);
  }
}

/** Throws `IoError`. Mostly the kernel takes all octets at once, and then this makes one promise. */
export function writeAll(to: { write(octets: Uint8Array): Promise<number> }, octets: Uint8Array): Promise<void> {
  return to.write(octets).then((written) => {
    if (written < octets.length) return writeAll(to, octets.subarray(written));
  }, failWrite);
}

export function failRead(error: unknown): never {
  throw ioError(error, "cannot read");
}

export function failWrite(error: unknown): never {
  throw ioError(error, "cannot write");
}

export async function datagrams(path: string): Promise<DatagramSender> {
  const to = { transport: "unixpacket", path: path.replace(/^@/, "\0") } as const;
  try {
    // The socket has a name that is no file (unix(7), abstract). The kernel would choose one for an empty path, but
    // Deno forbids an empty path.
    const socket = Deno.listenDatagram({ transport: "unixpacket", path: `\0postprox-${crypto.randomUUID()}` });
    return {
      send: async (octets) => {
        try {
          await socket.send(octets, to);
        } catch (error) {
          throw ioError(error, `cannot send to ${path}`);
        }
      },
    };
  } catch (error) {
    throw ioError(error, "cannot make a datagram socket");
  }
}

// A datagram that answers a question without EDNS has at most 512 octets.
const DATAGRAM_LIMIT = 4096;

export async function udp({ address, port }: NameServer): Promise<UdpSocket> {
  const to = { transport: "udp", hostname: address, port } as const;
  try {
    const hostname = address.includes(":") ? "::" : "0.0.0.0";
    const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    return {
      send: async (octets) => {
        try {
          await socket.send(octets, to);
        } catch (error) {
          throw ioError(error, `cannot send to ${address}`);
        }
      },
      receive: async () => {
        try {
          // Deno cannot connect a UDP socket, so the kernel drops no foreign datagrams for us.
          for (;;) {
            const [octets, from] = await socket.receive(new Uint8Array(DATAGRAM_LIMIT));
            if ("hostname" in from && from.port === port && isSameIp(from.hostname, address)) return octets;
          }
        } catch (error) {
          throw ioError(error, `cannot receive from ${address}`);
        }
      },
      close: () => closeOnce(socket),
    };
  } catch (error) {
    throw ioError(error, "cannot make a UDP socket");
  }
}

function isSameIp(one: string, other: string): boolean {
  return parseIp(one)?.join() === parseIp(other)?.join();
}

function closeOnce(resource: { close(): void }): void {
  try {
    resource.close();
  } catch (error) {
    // It is already closed, as asked.
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
