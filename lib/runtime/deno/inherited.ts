// Listens on a socket that the process was started with. Deno's own `listen` cannot do that, and node's can.
//
// Only a process that got a socket loads this file. A connection here costs more than one of Deno's own: to read 20 MB takes
// 50 ms instead of 8.

import type { Socket } from "node:net";
import { IoError } from "../../ports/io_error.ts";
import type { Address, Conn, HeldSocket, Listener } from "../../ports/runtime.ts";
import { Arrivals } from "../shared/arrivals.ts";
import { listeningAddress } from "../shared/socket_address.ts";
import { ioError } from "./api.ts";

export async function inherit(fd: number): Promise<Address> {
  const address = listeningAddress(fd, { link: Deno.readLinkSync, text: Deno.readTextFileSync });
  if (!address) throw new IoError("other", `descriptor ${fd} is no stream socket that listens`);
  keepFromChildren(fd);
  return address;
}

/** Throws an `IoError` if descriptor `fd` is no socket that listens. */
export async function listenInherited(fd: number): Promise<Listener> {
  keepFromChildren(fd);
  const arrivals = new Arrivals();
  // A static import would be one of the whole bundle, and load node:net at each start.
  const { createServer } = await import("node:net");
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => arrivals.add(new NodeConn(socket)));
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  server.on("error", (error) => {
    reject(ioError(error, `cannot listen on descriptor ${fd}`));
    arrivals.fail(ioError(error, "cannot accept a connection"));
  });
  try {
    server.listen({ fd }, resolve);
  } catch (error) {
    throw ioError(error, `cannot listen on descriptor ${fd}`);
  }
  await listening;
  return {
    accept: () => arrivals.next(),
    close: () => {
      server.close();
      arrivals.close();
    },
  };
}

/** Throws an `IoError` if libc cannot be called. */
export function holdInherited(fd: number): HeldSocket {
  const libc = openLibc();
  if (!libc) throw new IoError("other", "cannot load libc");
  // Deno passes on its descriptors only under the same numbers.
  libc.symbols.fcntl(fd, F_SETFD, 0);
  const alive = setInterval(() => {}, 1 << 30);
  let isClosed = false;
  return {
    descriptor: fd,
    close: () => {
      if (isClosed) return;
      isClosed = true;
      clearInterval(alive);
      libc.symbols.close(fd);
      libc.close();
    },
  };
}

const F_SETFD = 2;
const FD_CLOEXEC = 1;

// If libc cannot be called, the programs that we start get the descriptor, and nothing else happens.
function keepFromChildren(fd: number): void {
  const libc = openLibc();
  libc?.symbols.fcntl(fd, F_SETFD, FD_CLOEXEC);
  libc?.close();
}

function openLibc() {
  for (const name of ["libc.so.6", `libc.musl-${Deno.build.arch}.so.1`]) {
    try {
      return Deno.dlopen(name, {
        fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
        close: { parameters: ["i32"], result: "i32" },
      });
    } catch {
      // The next name may be right.
    }
  }
  return undefined;
}

/** A connection over a socket of node's. It reads at most one buffer of node's ahead of `read`. */
class NodeConn implements Conn {
  readonly peer?: string;
  readonly #socket: Socket;
  // Octets that nobody has read yet.
  #rest: Uint8Array | undefined;
  #end: "no" | "end" | IoError = "no";
  #reader: { into: Uint8Array; resolve: (count: number | null) => void; reject: (error: unknown) => void } | undefined;
  readonly #writers = new Set<(error: unknown) => void>();

  constructor(socket: Socket) {
    this.#socket = socket;
    if (socket.remoteAddress !== undefined) this.peer = socket.remoteAddress;
    socket.on("readable", () => this.#serve());
    socket.on("end", () => this.#finish("end"));
    socket.on("error", (error) => this.#finish(ioError(error, "connection is lost")));
    socket.on("close", () => this.#finish(new IoError("reset", "connection is closed")));
  }

  read(into: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.#reader = { into, resolve, reject };
      this.#serve();
    });
  }

  write(octets: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#end instanceof IoError) return reject(this.#end);
      this.#writers.add(reject);
      this.#socket.write(octets, (error) => {
        this.#writers.delete(reject);
        if (!error) resolve();
        else reject(this.#end instanceof IoError ? this.#end : ioError(error, "cannot write"));
      });
    });
  }

  close(): void {
    this.#rest = undefined;
    this.#end = new IoError("closed", "connection is closed");
    this.#socket.destroy();
    this.#serve();
    for (const reject of this.#writers) reject(this.#end);
  }

  #finish(end: "end" | IoError): void {
    if (this.#end === "no" || (this.#end === "end" && end !== "end")) this.#end = end;
    this.#serve();
  }

  #serve(): void {
    const reader = this.#reader;
    if (!reader) return;
    const isClosed = this.#end instanceof IoError && this.#end.kind === "closed";
    // After an error, this still gives what came before it.
    if (!isClosed) this.#rest ??= (this.#socket.read() as Uint8Array | null) ?? undefined;
    if (!this.#rest && this.#end === "no") return;
    this.#reader = undefined;
    if (this.#rest) reader.resolve(this.#take(reader.into, this.#rest));
    else if (this.#end === "end") reader.resolve(null);
    else reader.reject(this.#end);
  }

  #take(into: Uint8Array, octets: Uint8Array): number {
    const count = Math.min(into.length, octets.length);
    into.set(octets.subarray(0, count));
    this.#rest = count < octets.length ? octets.subarray(count) : undefined;
    return count;
  }
}
