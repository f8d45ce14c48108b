// Waits for events elsewhere: in another process, a log, a directory.
//
// Every wait has a deadline, and nothing sleeps for a guessed time. A deadline is far above the needs of a busy
// machine. It only turns a hang into a failure that names the awaited event. On Deno and on Bun.

import process from "node:process";

/** Milliseconds after which a wait has failed. POSTPROX_TEST_DEADLINE changes it. */
export const DEADLINE = Number(process.env["POSTPROX_TEST_DEADLINE"] ?? 60_000);

/** Milliseconds between two looks. */
const PAUSE = 10;

/** The thing that is awaited, for people. A function if it must be looked up. */
export type Name = string | (() => string);

/** The promise, or an error that says what was waited for. */
export async function within<T>(promise: Promise<T>, what: Name, deadline: number = DEADLINE): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(inVain(what, deadline)), deadline);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The first answer of `ask` that is neither undefined nor false. It asks again and again: for what has no event. */
export async function until<T>(
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  what: Name,
  deadline: number = DEADLINE,
): Promise<T> {
  const end = performance.now() + deadline;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw inVain(what, deadline);
    await new Promise((again) => setTimeout(again, PAUSE));
  }
}

function inVain(what: Name, deadline: number): Error {
  return new Error(`Waited ${deadline} ms without success for ${typeof what === "string" ? what : what()}`);
}
