// Functions of libc on Bun, for what neither Bun nor node has, or only at a cost: datagrams to a unix socket, pipes,
// process groups, locks.
//
// Each function costs a new process 0.1 or 0.2 milliseconds to make callable. So only those asked for become callable.
//
// Known gap: a call of libc needs machine code that is made while the program runs. If the system forbids that
// (MemoryDenyWriteExecute= of systemd, execmem of SELinux), `libc` throws.

import process from "node:process";
import { ioError } from "./api.ts";
import { IoError, kindOfCode } from "../../ports/io_error.ts";

/** A function's parameters and result, in the terms of bun:ffi. */
export interface Signature {
  readonly args: readonly ("i32" | "u32" | "u64" | "ptr")[];
  readonly returns: "i32" | "ptr";
}

type Callables<Names extends string> = Readonly<
  Record<Names, (...args: readonly (number | Uint8Array | Int32Array)[]) => number>
>;

// The names of glibc and of musl.
const NAMES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

/** Makes functions of libc callable with numbers and buffers. Throws `IoError`. */
export async function libc<Names extends string>(signatures: Record<Names, Signature>): Promise<Callables<Names>> {
  const { dlopen } = await ffi();
  let failure: unknown;
  for (const name of NAMES) {
    try {
      return dlopen(name, signatures).symbols as Callables<Names>;
    } catch (error) {
      failure = error;
    }
  }
  throw ioError(failure, "cannot load libc");
}

/** Returns a function that gives the error number of this thread's last call of libc. */
export async function errnoReader(): Promise<() => number> {
  const { __errno_location: location } = await libc({ __errno_location: { args: [], returns: "ptr" } });
  const { read } = await ffi();
  return () => read.i32(location());
}

/** The error for an error number of Linux. Its message has `what` was tried, if given, and the reason. */
export async function systemError(number: number, what = ""): Promise<IoError> {
  const { getSystemErrorMap } = await import("node:util");
  const [code, words] = getSystemErrorMap().get(-number) ?? [`errno ${number}`, "failed"];
  return new IoError(kindOfCode(code), `${what === "" ? "" : `${what}: `}${words} (${code})`);
}

// From the headers of Linux, the same on all its architectures that Bun runs on.
const AF_UNIX = 1;
const PATH_LIMIT = 107;

/**
 * The address of a unix socket as the system has it in memory (unix(7)). A path that begins with `@` is a name that is no
 * file. Throws an `IoError` if the path is too long.
 */
export function unixAddress(path: string): Uint8Array {
  const encoded = new TextEncoder().encode(path);
  if (encoded.length > PATH_LIMIT) throw new IoError("other", `${path} is too long`);
  // A path ends with NUL. A name has its length, and NUL in place of the first octet.
  const isName = path.startsWith("@");
  const address = new Uint8Array(2 + encoded.length + (isName ? 0 : 1));
  address[0] = AF_UNIX;
  address.set(encoded, 2);
  if (isName) address[2] = 0;
  return address;
}

function ffi(): Promise<{
  dlopen(name: string, signatures: Record<string, Signature>): { symbols: object };
  read: { i32(address: number): number };
}> {
  // The module's name is not a literal. Only Bun knows it, and other tools would look for it.
  const name = "bun:ffi";
  return import(name);
}

/** Calls for the children that we start. */
export interface ChildCalls {
  /** A child inherits none of its ends unless it is given one. Throws an `IoError` of kind `exhausted`. */
  makePipe(): Pipe;
  /** Whether the group `id` has a process. Mostly it has none. For that node's kill makes an error, which takes longer. */
  hasGroup(id: number): boolean;
}

export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
  /** What a read would give now. `nothing`: it would wait. */
  look(): "octets" | "end" | "nothing";
}

let loadingChildCalls: Promise<ChildCalls | undefined> | undefined;

/** Undefined if libc cannot be called. */
export function childCalls(): Promise<ChildCalls | undefined> {
  return loadingChildCalls ??= loadChildCalls().catch(() => undefined);
}

// From the headers of Linux.
const O_CLOEXEC = 0o2000000;
const POLLIN = 1;
const EPERM = 1;

async function loadChildCalls(): Promise<ChildCalls> {
  const { pipe2, poll, kill } = await libc({
    pipe2: { args: ["ptr", "i32"], returns: "i32" },
    poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
    kill: { args: ["i32", "i32"], returns: "i32" },
  });
  const errno = await errnoReader();
  return {
    makePipe: () => {
      const ends = new Int32Array(2);
      // It fails for no other reason.
      if (pipe2(ends, O_CLOEXEC) !== 0) throw new IoError("exhausted", "cannot make a pipe: too many open files");
      const [readEnd = -1, writeEnd = -1] = ends;
      const look = () => {
        // struct pollfd: the descriptor, and 16 bits each for what is asked and what is so.
        const asked = Int32Array.of(readEnd, POLLIN);
        if (poll(asked, 1, 0) < 1) return "nothing";
        // Without octets, only the end is so (POLLHUP).
        return ((asked[1]! >> 16) & POLLIN) === 0 ? "end" : "octets";
      };
      return { readEnd, writeEnd, look };
    },
    // Signal 0 only asks (kill(2)). We may not signal a process of another user, but it is there.
    hasGroup: (id) => kill(-id, 0) === 0 || errno() === EPERM,
  };
}

const LOCK_NOW = { shared: 1 | 4, exclusive: 2 | 4 } as const;

/** Locks an open file; false if another process has locked it, or there are no locks. */
export type Locker = (descriptor: number, kind: keyof typeof LOCK_NOW) => boolean;

let loadingLocker: Promise<Locker | undefined> | undefined;

/** The function that locks files (flock(2)); undefined if libc cannot be called. */
export function locker(): Promise<Locker | undefined> {
  return loadingLocker ??= libc({ flock: { args: ["i32", "i32"], returns: "i32" } }).then(
    ({ flock }): Locker => (descriptor, kind) => flock(descriptor, LOCK_NOW[kind]) === 0,
    () => undefined,
  );
}

// From the headers of Linux.
const CLOCK_MONOTONIC = 1;

/** The time of CLOCK_MONOTONIC in microseconds; undefined if libc cannot be called. Bun's own clocks begin with the process. */
export async function machineTime(): Promise<number | undefined> {
  const time = new Int32Array(4);
  try {
    const calls = await libc({ clock_gettime: { args: ["i32", "ptr"], returns: "i32" } });
    if (calls.clock_gettime(CLOCK_MONOTONIC, time) !== 0) return undefined;
  } catch (error) {
    if (error instanceof IoError) return undefined;
    throw error;
  }
  const { microsecondsOf } = await import("../shared/timespec.ts");
  return microsecondsOf(new BigInt64Array(time.buffer));
}
