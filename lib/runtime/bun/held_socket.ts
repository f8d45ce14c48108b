// Listening sockets for workers, on Bun. This process never accepts on them.

import * as fs from "node:fs";
import { formatAddress } from "../../ports/address.ts";
import type { Address, HeldSocket } from "../../ports/runtime.ts";
import { indexFile, makeListeningSocket } from "../shared/listening_socket.ts";
import { EVERYBODY } from "../shared/socket_mode.ts";
import { errnoReader, libc, systemError } from "./libc.ts";

/** Throws `IoError`. */
export async function hold(at: Address, mode = EVERYBODY): Promise<HeldSocket> {
  const calls = {
    ...await libc({
      socket: { args: ["i32", "i32", "i32"], returns: "i32" },
      setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
      bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
      listen: { args: ["i32", "i32"], returns: "i32" },
      close: { args: ["i32"], returns: "i32" },
      umask: { args: ["u32"], returns: "i32" },
    }),
    errno: await errnoReader(),
  };
  // Bun gives a child its descriptors anew.
  const made = makeListeningSocket(calls, at, { isInherited: false, mode, indexOf });
  if ("errno" in made) throw await systemError(made.errno, `cannot listen at ${formatAddress(at)}`);
  const { descriptor } = made;
  const alive = setInterval(() => {}, 1 << 30);
  let isClosed = false;
  return {
    descriptor,
    close: () => {
      if (isClosed) return;
      isClosed = true;
      clearInterval(alive);
      fs.closeSync(descriptor);
      if (at.transport === "unix") removeName(at.path);
    },
  };
}

function removeName(path: string): void {
  try {
    fs.rmSync(path);
  } catch {
    // Somebody has removed it already, or we may not.
  }
}

function indexOf(networkInterface: string): number | undefined {
  try {
    return Number(fs.readFileSync(indexFile(networkInterface), "utf8"));
  } catch {
    return undefined;
  }
}
