// The clock that all processes of the machine share, on Deno, whose own clocks begin with the process.

import { microsecondsOf } from "../shared/timespec.ts";

// From the headers of Linux.
const CLOCK_MONOTONIC = 1;

// The names of glibc and of musl.
const NAMES = ["libc.so.6", `libc.musl-${Deno.build.arch}.so.1`];

/** The time of CLOCK_MONOTONIC in microseconds; undefined if libc cannot be called. */
export function machineTime(): number | undefined {
  const time = new BigInt64Array(2);
  for (const name of NAMES) {
    try {
      const libc = Deno.dlopen(name, { clock_gettime: { parameters: ["i32", "buffer"], result: "i32" } });
      const status = libc.symbols.clock_gettime(CLOCK_MONOTONIC, time);
      libc.close();
      return status === 0 ? microsecondsOf(time) : undefined;
    } catch {
      // The next name may be right.
    }
  }
  return undefined;
}
