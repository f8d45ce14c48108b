// Starts a worker for the supervisor, and carries the words of both.

import type { Clock, Processes } from "../ports/runtime.ts";
import type { WorkerHandle } from "./generation.ts";
import type { WorkerEvents } from "./supervisor.ts";
import { readWords, WordWriter } from "./word_line.ts";
import { parseToSupervisor } from "./worker_link.ts";

// After the end of the process, its last words come within this time. In milliseconds.
const LAST_WORDS = 200;

export interface WorkerStart {
  readonly clock: Clock;
  readonly processes: Pick<Processes, "startWorker">;
  /** The words that start this program, with its arguments. */
  readonly words: readonly string[];
  /** The descriptors of the listening sockets. */
  readonly sockets: readonly number[];
}

/** Throws `IoError`. */
export async function startWorker(
  { clock, processes, words, sockets }: WorkerStart,
  events: WorkerEvents,
): Promise<WorkerHandle> {
  const process = await processes.startWorker(words, sockets);
  const writer = new WordWriter((octets) => process.write(octets));
  let isOver = false;
  const reading = readWords(() => process.read(), parseToSupervisor, (word) => {
    if (!isOver) events.said(word);
  });
  void process.ended.then(async (end) => {
    await Promise.race([reading, new Promise<void>((resolve) => clock.after(LAST_WORDS, resolve))]);
    isOver = true;
    events.ended(end);
  });
  return {
    pid: process.pid,
    say: (word) => {
      if (!isOver) writer.say(word);
    },
    kill: () => process.kill(),
  };
}
