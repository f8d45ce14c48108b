// Listening sockets for workers, on Deno. This process never accepts on them.

import { formatAddress } from "../../ports/address.ts";
import { IoError, kindOfCode } from "../../ports/io_error.ts";
import type { Address, HeldSocket } from "../../ports/runtime.ts";
import { indexFile, makeListeningSocket, type SocketCalls } from "../shared/listening_socket.ts";
import { EVERYBODY } from "../shared/socket_mode.ts";

/** Throws `IoError`. */
export async function hold(at: Address, mode = EVERYBODY): Promise<HeldSocket> {
  const calls = socketCalls();
  // Deno passes on its descriptors only under the same numbers.
  const made = makeListeningSocket(calls, at, { isInherited: true, mode, indexOf });
  if ("errno" in made) throw await systemError(made.errno, `cannot listen at ${formatAddress(at)}`);
  const alive = setInterval(() => {}, 1 << 30);
  let isClosed = false;
  return {
    descriptor: made.descriptor,
    close: () => {
      if (isClosed) return;
      isClosed = true;
      clearInterval(alive);
      calls.close(made.descriptor);
      if (at.transport === "unix") removeName(at.path);
    },
  };
}

// The names of glibc and of musl.
const NAMES = ["libc.so.6", `libc.musl-${Deno.build.arch}.so.1`];

function socketCalls(): SocketCalls {
  let failure: unknown;
  for (const name of NAMES) {
    try {
      const { symbols } = Deno.dlopen(name, {
        socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
        setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
        bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
        listen: { parameters: ["i32", "i32"], result: "i32" },
        close: { parameters: ["i32"], result: "i32" },
        umask: { parameters: ["u32"], result: "i32" },
        __errno_location: { parameters: [], result: "pointer" },
      });
      return { ...symbols, errno: () => new Deno.UnsafePointerView(symbols.__errno_location()!).getInt32() };
    } catch (error) {
      failure = error;
    }
  }
  throw new IoError("other", "cannot load libc", { cause: failure });
}

async function systemError(number: number, what: string): Promise<IoError> {
  const { getSystemErrorMap } = await import("node:util");
  const [code, words] = getSystemErrorMap().get(-number) ?? [`errno ${number}`, "failed"];
  return new IoError(kindOfCode(code), `${what}: ${words} (${code})`);
}

function removeName(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Somebody has removed it already, or we may not.
  }
}

function indexOf(networkInterface: string): number | undefined {
  try {
    return Number(Deno.readTextFileSync(indexFile(networkInterface)));
  } catch {
    return undefined;
  }
}
