// Gives up root on Deno, with functions of libc. This is loaded only if it is asked for.
//
// glibc and musl change all threads of the process. Deno cannot read the error number of a call of libc. So an error says
// which call was refused, and not why.

import { ioError } from "./api.ts";
import { IoError } from "../../ports/io_error.ts";
import type { Account } from "../../ports/runtime.ts";
import { rootLeft } from "../shared/root_left.ts";

const ID = { parameters: ["u32"], result: "i32" } as const;

const CALLS = {
  initgroups: { parameters: ["buffer", "u32"], result: "i32" },
  setgid: ID,
  setuid: ID,
  seteuid: ID,
  lchown: { parameters: ["buffer", "u32", "u32"], result: "i32" },
} as const;

// The names of glibc and of musl.
const NAMES = ["libc.so.6", `libc.musl-${Deno.build.arch}.so.1`];

/** See `Privileges`. */
export function become(account: Account): void {
  const { name, uid, gid } = account;
  withLibc(({ initgroups, setgid, setuid, seteuid }) => {
    const refused = (call: string) => new IoError("denied", `cannot become ${name}: ${call} is not permitted`);
    // The user goes last, because only root may change the groups.
    if (initgroups(cString(name), gid) !== 0) throw refused("initgroups");
    if (setgid(gid) !== 0) throw refused("setgid");
    if (setuid(uid) !== 0) throw refused("setuid");
    if (uid === 0) return;
    const left = setuid(0) === 0 ? "setuid" : seteuid(0) === 0 ? "seteuid" : whatIsLeft(account);
    if (left !== undefined) throw new IoError("denied", `cannot become ${name}: something of root is left: ${left}`);
  });
}

function whatIsLeft(account: Account): string | undefined {
  for (const status of statuses()) {
    const left = rootLeft(status, account);
    if (left !== undefined) return left;
  }
  return undefined;
}

// Without /proc there is nothing to look at.
function statuses(): string[] {
  try {
    return Array.from(Deno.readDirSync("/proc/self/task"), ({ name }) => {
      try {
        return Deno.readTextFileSync(`/proc/self/task/${name}/status`);
      } catch {
        // The thread has ended.
        return "";
      }
    });
  } catch {
    return [];
  }
}

export function give(path: string, { uid, gid }: Account): void {
  withLibc(({ lchown }) => {
    if (lchown(cString(path), uid, gid) !== 0) throw new IoError("denied", `cannot change the owner of ${path}`);
  });
}

function withLibc(use: (calls: Deno.DynamicLibrary<typeof CALLS>["symbols"]) => void): void {
  const libc = openLibc();
  try {
    use(libc.symbols);
  } finally {
    libc.close();
  }
}

function openLibc(): Deno.DynamicLibrary<typeof CALLS> {
  let failure: unknown;
  for (const name of NAMES) {
    try {
      return Deno.dlopen(name, CALLS);
    } catch (error) {
      failure = error;
    }
  }
  throw ioError(failure, "cannot load libc");
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}
