// Accepts connections on Bun, at an address or on a socket that the process was started with.
//
// Known gap: when the system has no descriptors left, Bun's accept says nothing and tries again and again. That takes
// all the time of a processor. New connections wait in the queue until a descriptor is free.

import { closeSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import { formatAddress } from "../../ports/address.ts";
import { IoError } from "../../ports/io_error.ts";
import type { Address, HeldSocket, Listener } from "../../ports/runtime.ts";
import { Arrivals } from "../shared/arrivals.ts";
import { EVERYBODY, withMode } from "../shared/socket_mode.ts";
import { listeningAddress } from "../shared/socket_address.ts";
import { bun, type BunSocket, codeOf, ioError } from "./api.ts";
import type { Target } from "./connect.ts";
import { libc } from "./libc.ts";
import { HANDLERS, SocketConn } from "./sockets.ts";

const CONNECTIONS_OF_A_SERVER = 2;

export async function listen(at: Address, mode?: number): Promise<Listener> {
  const where = at.transport === "unix" ? { unix: at.path } : { hostname: at.host, port: at.port };
  try {
    if (at.transport !== "unix") return listenOn(where);
    return withMode(mode ?? EVERYBODY, () => listenOn(where), (mask) => process.umask(mask));
  } catch (error) {
    const what = `cannot listen at ${formatAddress(at)}`;
    const failure = ioError(error, what);
    if (failure.kind === "exhausted") throw failure;
    // Bun's own words are "Failed to listen at …", which name no reason.
    const { reasonOfCode, whyNoSocket } = await import("./connect.ts");
    const reason = await reasonOfCode(codeOf(error)) ??
      (failure.kind === "other" ? await whyNoSocket(where) : undefined);
    throw reason ? new IoError(reason.kind, `${what}: ${reason.message}`, { cause: error }) : failure;
  }
}

export async function inherit(fd: number): Promise<Address> {
  const address = listeningAddress(fd, { link: readlinkSync, text: (path) => readFileSync(path, "latin1") });
  if (!address) throw new IoError("other", `descriptor ${fd} is no stream socket that listens`);
  await keepFromChildren(fd);
  return address;
}

/** Never throws. */
export function holdInherited(fd: number): HeldSocket {
  const alive = setInterval(() => {}, 1 << 30);
  let isClosed = false;
  return {
    descriptor: fd,
    close: () => {
      if (isClosed) return;
      isClosed = true;
      clearInterval(alive);
      closeSync(fd);
    },
  };
}

// From the headers of Linux.
const F_SETFD = 2;
const FD_CLOEXEC = 1;

// If libc cannot be called, the programs that we start get the descriptor, and nothing else happens.
async function keepFromChildren(fd: number): Promise<void> {
  try {
    const { fcntl } = await libc({ fcntl: { args: ["i32", "i32", "i32"], returns: "i32" } });
    fcntl(fd, F_SETFD, FD_CLOEXEC);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
  }
}

/** Throws an `IoError` if descriptor `fd` is no socket that listens. */
export async function listenInherited(fd: number): Promise<Listener> {
  try {
    return listenOn({ fd });
  } catch (error) {
    throw ioError(error, `cannot listen on descriptor ${fd}`);
  }
}

function listenOn(where: Target | { readonly fd: number }): Listener {
  const arrivals = new Arrivals();
  let accepted = 0;
  const open = (socket: BunSocket) => {
    // The executable starts with a setting that puts off machine code, for a process that carries one message. A server
    // needs machine code, but only once it is in use: to make it takes 5 MB.
    if (++accepted === CONNECTIONS_OF_A_SERVER) bun.unsafe.setJITPolicy(1);
    const conn = new SocketConn();
    conn.attach(socket);
    socket.data = conn;
    arrivals.add(conn);
  };
  // Without `exclusive` it would use SO_REUSEPORT. Then a second program could take the same port.
  const listener = bun.listen({ ...where, allowHalfOpen: true, exclusive: true, socket: { ...HANDLERS, open } });
  return {
    accept: () => arrivals.next(),
    close: () => {
      listener.stop(false);
      arrivals.close();
    },
  };
}
