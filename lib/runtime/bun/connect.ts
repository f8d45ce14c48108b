// Connects with libc's connect(2), which says why it fails. Bun's own connect reports most failures as "refused". For
// some failures to listen it gives no reason.
//
// The adapter loads this file when Bun has failed. If libc succeeds here, the connection is as good as Bun's.

import { closeSync } from "node:fs";
import { parseIp } from "../../text/ip.ts";
import { errnoReader, libc, systemError, unixAddress } from "./libc.ts";
import { IoError } from "../../ports/io_error.ts";

export type Target = { readonly hostname: string; readonly port: number } | { readonly unix: string };

// From the headers of Linux, the same on all its architectures that Bun runs on.
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const EINTR = 4;
const EAGAIN = 11;
const EISCONN = 106;
const EALREADY = 114;
const EINPROGRESS = 115;

// Milliseconds between two questions to the kernel: the first pause, and the longest one.
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 50;

/**
 * The descriptor of a connected socket; undefined if we cannot try. Throws an `IoError` with only the reason as its
 * message. Its kind is `timeout` when `isOver` says that nobody waits any more.
 */
export async function connectByLibc(to: Target, isOver: () => boolean): Promise<number | undefined> {
  const address = socketAddress(to);
  const calls = await connectCalls().catch(() => undefined);
  if (!address || !calls) return undefined;
  const { makeSocket, connect, errno } = calls;
  const socket = makeSocket(address[0]!, SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
  if (socket < 0) throw await systemError(errno());
  // Another call says how the first one goes on (connect(2)).
  for (
    let pause = FIRST_PAUSE;
    connect(socket, address, address.length) !== 0;
    pause = Math.min(2 * pause, LONGEST_PAUSE)
  ) {
    const number = errno();
    if (number === EISCONN) break;
    const goesOn = [EINPROGRESS, EALREADY, EINTR, EAGAIN].includes(number);
    if (goesOn) await new Promise((resolve) => setTimeout(resolve, pause));
    // If nobody waits any more, we take no place in the server's queue.
    if (!goesOn || isOver()) {
      closeSync(socket);
      throw goesOn ? new IoError("timeout", "no answer") : await systemError(number);
    }
  }
  return socket;
}

/**
 * Why the system makes no socket of that family, as the reason alone; undefined if it makes one, or if we cannot tell.
 */
export async function whyNoSocket(to: Target): Promise<IoError | undefined> {
  const address = socketAddress(to);
  const calls = await connectCalls().catch(() => undefined);
  if (!address || !calls) return undefined;
  const socket = calls.makeSocket(address[0]!, SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
  if (socket < 0) return await systemError(calls.errno());
  closeSync(socket);
  return undefined;
}

/** The system's words for an error code such as `EADDRINUSE`; undefined if it is not the code of a system error. */
export async function reasonOfCode(code = ""): Promise<IoError | undefined> {
  const { constants: { errno } } = await import("node:os");
  const number = (errno as Readonly<Record<string, number>>)[code];
  return number === undefined ? undefined : await systemError(number);
}

async function connectCalls() {
  const { socket, connect } = await libc({
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  });
  return { makeSocket: socket, connect, errno: await errnoReader() };
}

// The address as the system has it in memory (ip(7), ipv6(7)). Only the family is in this machine's order, and here it
// fits into the first octet.
function socketAddress(to: Target): Uint8Array | undefined {
  if ("unix" in to) return unixAddress(to.unix);
  const ip = parseIp(to.hostname);
  // A zone, such as eth0 in fe80::1%eth0, is a number that only the system knows.
  if (!ip || to.hostname.includes("%")) return undefined;
  const address = new Uint8Array(ip.length === 4 ? 16 : 28);
  address[0] = ip.length === 4 ? AF_INET : AF_INET6;
  address[2] = to.port >> 8;
  address[3] = to.port & 255;
  address.set(ip, ip.length === 4 ? 4 : 8);
  return address;
}
