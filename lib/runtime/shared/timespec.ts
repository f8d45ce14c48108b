// Shared by both adapters: the time as libc gives it.

/** The microseconds in a `struct timespec` of a machine with 64 bits: seconds, then nanoseconds. */
export function microsecondsOf([seconds = 0n, nanoseconds = 0n]: BigInt64Array): number {
  return Number(seconds * 1_000_000n + nanoseconds / 1000n);
}
