// TCP, unix and UDP sockets on Bun.
//
// A connection reads at most one buffer of the kernel's ahead of `read`. Then its socket is paused.

import { after, bun, type BunSocket, giveBack, ioError, type SocketHandlers, type SocketUser } from "./api.ts";
import { Attempts, connectError } from "../shared/attempts.ts";
import type { Target } from "./connect.ts";
import { IoError } from "../../ports/io_error.ts";
import type { Address, Conn, NameServer, UdpSocket } from "../../ports/runtime.ts";

export async function connect(to: Address, limit: number): Promise<Conn> {
  const attempts = new Attempts(to.transport === "unix" ? to.path : to.host);
  const late = Promise.withResolvers<never>();
  const cancel = after(limit, () => late.reject(attempts.giveUp(limit)));
  try {
    return await Promise.race([connectInTurn(to, attempts), late.promise]);
  } catch (error) {
    throw connectError(to, ioError(error));
  } finally {
    cancel();
  }
}

// Bun would try all addresses of a host side by side, and so open several connections to a server.
async function connectInTurn(to: Address, attempts: Attempts): Promise<Conn> {
  if (to.transport === "unix") return await connectTo({ unix: to.path }, attempts);
  const addresses = isAddress(to.host) ? [to.host] : await addressesOf(to.host);
  return await attempts.first(addresses, (hostname) => connectTo({ hostname, port: to.port }, attempts));
}

async function connectTo(target: Target, attempts: Attempts): Promise<Conn> {
  let conn: SocketConn;
  try {
    conn = await openConn(target);
  } catch (error) {
    const { connectByLibc } = await import("./connect.ts");
    const fd = await connectByLibc(target, () => attempts.isOver);
    if (fd === undefined) throw ioError(error);
    conn = await openConn({ fd });
  }
  if (attempts.isOver) conn.close();
  return conn;
}

async function openConn(target: Target | { readonly fd: number }): Promise<SocketConn> {
  const conn = new SocketConn();
  conn.attach(await bun.connect({ ...target, allowHalfOpen: true, data: conn, socket: HANDLERS }));
  return conn;
}

function isAddress(host: string): boolean {
  return /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$|:/.test(host);
}

export async function addressesOf(host: string): Promise<string[]> {
  if (isAddress(host)) return [host];
  try {
    // The backend libc knows /etc/hosts and nsswitch.conf.
    const found = await bun.dns.lookup(host, { backend: "libc", socketType: "tcp" });
    return Array.from(found, ({ address }) => address);
  } catch (error) {
    throw ioError(error, `cannot look up ${host}`);
  }
}

export const HANDLERS: SocketHandlers = {
  open: () => {},
  data: (socket, octets) => socket.data.arrived(octets),
  drain: (socket) => socket.data.drained(),
  end: (socket) => socket.data.ended(),
  close: (socket, error) => socket.data.closed(error),
  // This gets only errors that a handler has thrown. They must reach `onBug`.
  error: (_socket, error) =>
    queueMicrotask(() => {
      throw error;
    }),
  // The promise of `connect` reports the same.
  connectError: () => {},
};

/** Who waits for octets. */
interface Reader {
  readonly into: Uint8Array;
  readonly resolve: (count: number | null) => void;
  readonly reject: (error: unknown) => void;
}

/** Makes the error of a connection that has failed. Most connections end without a need for it, and its stack costs time. */
type Failure = () => IoError;

const closedByUs: Failure = () => new IoError("closed", "connection is closed");
const closedByPeer: Failure = () => new IoError("reset", "connection is closed");

/** A connection over a socket of Bun's. The socket pushes the octets that it reads. */
export class SocketConn implements Conn, SocketUser {
  peer?: string;
  #socket: BunSocket | undefined;
  // Octets that nobody has read yet, from `#taken` on.
  readonly #ahead: Uint8Array[] = [];
  #taken = 0;
  #paused = false;
  #end: "no" | "end" | Failure = "no";
  // Why no more can be written.
  #broken: Failure | undefined;
  #reader: Reader | undefined;
  #writer: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  attach(socket: BunSocket): void {
    this.#socket = socket;
    if (this.#paused) socket.pause();
    if (socket.remoteAddress !== undefined) this.peer = socket.remoteAddress;
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#ahead.length > 0) return Promise.resolve(this.#take(into));
    if (this.#end === "end") return Promise.resolve(null);
    if (this.#end !== "no") return Promise.reject(this.#end());
    return new Promise((resolve, reject) => this.#await({ into, resolve, reject }));
  }

  receive(into: Uint8Array, onRead: (count: number | null) => void, onFailed: (error: unknown) => void): void {
    if (this.#ahead.length > 0 || this.#end !== "no") this.read(into).then(onRead, onFailed);
    else this.#await({ into, resolve: onRead, reject: onFailed });
  }

  #await(reader: Reader): void {
    this.#reader = reader;
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket?.resume();
  }

  // The kernel nearly always takes all octets at once.
  write(octets: Uint8Array): Promise<void> | undefined {
    const written = this.#broken || octets.length === 0 ? 0 : this.#socket!.write(octets);
    return written === octets.length ? undefined : this.#writeRest(octets, written);
  }

  async #writeRest(octets: Uint8Array, written: number): Promise<void> {
    for (let done = written, last = written;;) {
      if (this.#broken) throw this.#broken();
      if (last < 0) throw new IoError("reset", "cannot write: connection is closed");
      if (done === octets.length) return;
      await new Promise<void>((resolve, reject) => this.#writer = { resolve, reject });
      last = this.#socket!.write(octets.subarray(done));
      done += last;
    }
  }

  close(): void {
    this.#fail(closedByUs);
    this.#ahead.length = 0;
    this.#socket?.close();
  }

  // --- Calls by the socket

  arrived(octets: Uint8Array): void {
    // `close` has ended reading, maybe in this very turn.
    if (this.#end !== "no") return;
    const reader = this.#reader;
    const { length } = octets;
    if (reader && this.#ahead.length === 0 && length <= reader.into.length) {
      this.#reader = undefined;
      reader.into.set(octets);
      giveBack(octets);
      reader.resolve(length);
      return;
    }
    this.#ahead.push(octets);
    if (reader) {
      this.#reader = undefined;
      reader.resolve(this.#take(reader.into));
    } else if (!this.#paused) {
      this.#paused = true;
      this.#socket?.pause();
    }
  }

  drained(): void {
    const writer = this.#writer;
    this.#writer = undefined;
    writer?.resolve();
  }

  ended(): void {
    if (this.#end !== "no") return;
    this.#end = "end";
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.resolve(null);
  }

  closed(error: unknown): void {
    if (error) {
      const failure = ioError(error, "connection is lost");
      this.#fail(() => failure);
    }
    this.ended();
    this.#fail(closedByPeer);
  }

  #take(into: Uint8Array): number {
    const first = this.#ahead[0]!;
    const count = Math.min(into.length, first.length - this.#taken);
    into.set(first.subarray(this.#taken, this.#taken + count));
    this.#taken += count;
    if (this.#taken === first.length) {
      this.#ahead.shift();
      giveBack(first);
      this.#taken = 0;
    }
    return count;
  }

  #fail(failure: Failure): void {
    if (this.#end === "no") this.#end = failure;
    this.#broken ??= failure;
    const reader = this.#reader;
    const writer = this.#writer;
    this.#reader = this.#writer = undefined;
    reader?.reject(failure());
    writer?.reject(failure());
  }
}

export async function udp({ address, port }: NameServer): Promise<UdpSocket> {
  const received = new Received(`cannot receive from ${address}`);
  try {
    const socket = await bun.udpSocket({
      hostname: address.includes(":") ? "::" : "0.0.0.0",
      connect: { hostname: address, port },
      socket: { data: (_socket, octets) => received.push(octets), error: (error) => received.fail(error) },
    });
    return {
      // If there is no room for a datagram, it is lost. It may get lost anywhere on its way.
      send: async (octets) => {
        try {
          socket.send(octets);
        } catch (error) {
          throw ioError(error, `cannot send to ${address}`);
        }
      },
      receive: () => received.next(),
      close: () => {
        received.fail(new IoError("closed", "UDP socket is closed"));
        socket.close();
      },
    };
  } catch (error) {
    throw ioError(error, "cannot make a UDP socket");
  }
}

/** Datagrams that came and that nobody has received. */
class Received {
  readonly #what: string;
  readonly #datagrams: Uint8Array[] = [];
  #failure: IoError | undefined;
  #waiter: { resolve: (octets: Uint8Array) => void; reject: (error: unknown) => void } | undefined;

  constructor(what: string) {
    this.#what = what;
  }

  next(): Promise<Uint8Array> {
    const octets = this.#datagrams.shift();
    if (octets) return Promise.resolve(octets);
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => this.#waiter = { resolve, reject });
  }

  push(octets: Uint8Array): void {
    if (this.#waiter) this.#waiter.resolve(octets);
    else this.#datagrams.push(octets);
    this.#waiter = undefined;
  }

  fail(error: unknown): void {
    this.#failure ??= ioError(error, this.#what);
    this.#waiter?.reject(this.#failure);
    this.#waiter = undefined;
  }
}
