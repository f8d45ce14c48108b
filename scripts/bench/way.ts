// What the benchmarks measure beside each other.

/** One thing that is measured beside others. */
export interface Way {
  readonly name: string;
  /** Where the load is sent to: a port of 127.0.0.1. */
  readonly port: number;
  /**
   * Milliseconds of processor time so far, of its processes and all their descendants. Undefined if they are not ours,
   * as for NAME=listen:PORT.
   */
  readonly processorTime?: () => number;
  readonly stop: () => Promise<void>;
}

/** A program that people would use instead. Each file in peers/ exports one. */
export interface Peer {
  readonly name: string;
  /** The Debian package that brings it. */
  readonly package: string;
  /**
   * Starts it with files of its own in `directory`, relaying to `downstream`, a port of 127.0.0.1. It takes mail when this
   * returns. Undefined if the program is not installed.
   */
  start(directory: string, downstream: number): Promise<Way | undefined>;
}
