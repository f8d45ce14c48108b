// Datagrams to a unix socket on Bun, by libc's sendto(2), for neither Bun nor node has them.

import process from "node:process";
import { ioError } from "./bun_api.ts";
import { IoError, kindOfCode } from "./io_error.ts";
import type { DatagramSender } from "./ports.ts";

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  sendto(
    ...args: [socket: number, data: Uint8Array, size: number, flags: number, to: Uint8Array, toSize: number]
  ): number | bigint;
  /** Where this thread's errno lies. */
  __errno_location(): number;
}

// glibc's, and musl's.
const LIBC_NAMES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

// From the headers of Linux, the same on all its architectures that Bun runs on.
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
const PATH_LIMIT = 107;
const ERRNO_NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  11: "EAGAIN",
  13: "EACCES",
  20: "ENOTDIR",
  24: "EMFILE",
  90: "EMSGSIZE",
  91: "EPROTOTYPE",
  104: "ECONNRESET",
  105: "ENOBUFS",
  107: "ENOTCONN",
  111: "ECONNREFUSED",
};

// Until a slow receiver is asked again.
const AGAIN_DELAY = 5;

export async function datagrams(path: string): Promise<DatagramSender> {
  // The module's name is no literal, for only Bun knows it and others would look for it.
  const name = "bun:ffi";
  const { dlopen, read } = await import(name);
  const libc = openLibc(dlopen);
  const errno = (): string => {
    const number: number = read.i32(libc.__errno_location());
    return ERRNO_NAMES[number] ?? `errno ${number}`;
  };
  const encoded = new TextEncoder().encode(path);
  if (encoded.length > PATH_LIMIT) throw new IoError("other", `cannot make a datagram socket: ${path} is too long`);
  const address = new Uint8Array(2 + encoded.length + 1);
  address[0] = AF_UNIX;
  address.set(encoded, 2);
  const socket = libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (socket < 0) throw systemError(errno(), "cannot make a datagram socket");
  return {
    // In the kernel's hands when it resolves, so nothing is lost when the process ends.
    send: async (octets) => {
      for (;;) {
        const sent = libc.sendto(socket, octets, octets.length, MSG_DONTWAIT_NOSIGNAL, address, address.length);
        if (Number(sent) >= 0) return;
        const code = errno();
        // The receiver is slow. A socket that may be written says nothing of the receiver's, so time has to.
        if (code !== "EAGAIN") throw systemError(code, `cannot send to ${path}`);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_DELAY));
      }
    },
  };
}

let loadedLibc: Libc | undefined;

function openLibc(dlopen: (name: string, symbols: unknown) => { symbols: Libc }): Libc {
  if (loadedLibc) return loadedLibc;
  const symbols = {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
    __errno_location: { args: [], returns: "ptr" },
  };
  let failure: unknown;
  for (const name of LIBC_NAMES) {
    try {
      return loadedLibc = dlopen(name, symbols).symbols;
    } catch (error) {
      failure = error;
    }
  }
  throw ioError(failure, "cannot load libc");
}

function systemError(code: string, what: string): IoError {
  return new IoError(kindOfCode(code), `${what}: ${code}`);
}
