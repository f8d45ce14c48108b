// Runs a program to its end, and keeps what it prints.
//
// It has a time limit. After it, the program's group is killed. Output beyond a bound is dropped. It throws nothing that
// it can foresee.

import { IoError } from "../../../ports/io_error.ts";
import type { Clock, Processes } from "../../../ports/runtime.ts";
import { concat, textOf } from "../../../text/octets.ts";

/** postconf prints all settings in about 50,000 octets. */
const OUTPUT_LIMIT = 4_194_304;

const TIME_LIMIT = 10_000;

export interface Ran {
  /** The exit status; undefined if there is none. */
  readonly status: number | undefined;
  readonly stdout: string;
  /** Standard error, or why it did not run to its end. */
  readonly stderr: string;
}

export async function runWords(
  { clock, processes }: { readonly clock: Clock; readonly processes: Pick<Processes, "startTalking"> },
  words: readonly string[],
  limit = TIME_LIMIT,
): Promise<Ran> {
  let child;
  try {
    child = await processes.startTalking(words);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return { status: undefined, stdout: "", stderr: error.message };
  }
  const late = Promise.withResolvers<undefined>();
  const cancel = clock.after(limit, () => late.resolve(undefined));
  const read = Promise.all([readAll(() => child.readStdout()), readAll(() => child.readStderr())]);
  try {
    const done = await Promise.race([Promise.all([child.ended, read]), late.promise]);
    if (!done) return { status: undefined, stdout: "", stderr: `${words[0]} took longer than ${limit / 1000} s` };
    const [end, [stdout, stderr]] = done;
    return { status: "exit" in end ? end.exit : undefined, stdout, stderr };
  } finally {
    cancel();
    child.signalGroup("SIGKILL");
    child.hangUp();
    child.closeStderr();
  }
}

async function readAll(read: () => Promise<Uint8Array | null>): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for (let part = await read(); part !== null; part = await read()) {
      size += part.length;
      if (size <= OUTPUT_LIMIT) parts.push(part.slice());
    }
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
  }
  return textOf(concat(parts));
}
