// Runs a program that judges a message, and stops it.
//
// The program is the leader of a process group. When its time is over or nobody waits for it any more, the whole group
// gets SIGTERM, and SIGKILL a moment later. When the program ends by itself, its children get a moment to end, too, or
// to leave the group as a daemon does. Then the rest of the group is killed, because the files of the message are gone.
// Processes that left the group are not touched. The program's standard error is read to the end, and its last line is
// kept.

import { IoError } from "../../ports/io_error.ts";
import type { Child, Clock, ProcessEnd, Processes } from "../../ports/runtime.ts";
import { limitText, type TimedOut } from "../time_limit.ts";
import { concat, isSpace, LF, textOf } from "../../text/octets.ts";

// The reply has at most 512 octets. It is made of the last line of standard error.
const LINE_KEPT = 1024;

// The time from SIGTERM to SIGKILL, and from there until we stop waiting. A process may not end at all: it belongs to
// another user, or hangs in the kernel.
const KILL_DELAY = 1000;

// A program may end right after it starts another one in the background. That one has not yet called setsid(2). Without
// this time it would depend on luck whether it is killed. If the group is empty, there is no wait.
const LEAVE_DELAY = 500;
const LOOK_EVERY = 10;

// A child that outlives the program may hold its standard error open. After this time, all output from before the end
// has come.
const STDERR_DELAY = 200;

/** How a program ended, or why it was not started. */
export type ProgramEnd = ProcessEnd | TimedOut | { readonly notStarted: string };

export interface RunOptions {
  /** These variables are added to our own environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** The time that the program may take, and the time that the message has left. In milliseconds. */
  readonly timeout: number;
  readonly limit: number;
  readonly signal: AbortSignal;
}

/**
 * Runs a program to its end. `lastLine` is the last line of its standard error that is not blank. Throws only an
 * `IoError` of kind `exhausted`: we have no means to start a program now, which is not the program's failure.
 */
export async function runProgram(
  { clock, processes }: { clock: Clock; processes: Processes },
  words: readonly string[],
  { environment, timeout, limit, signal }: RunOptions,
): Promise<{ end: ProgramEnd; lastLine: string }> {
  if (signal.aborted) return { end: { notStarted: "nobody waits for it any more" }, lastLine: "" };
  let child: Child;
  try {
    child = await processes.start(words, environment);
  } catch (error) {
    if (!(error instanceof IoError) || error.kind === "exhausted") throw error;
    return { end: { notStarted: error.message }, lastLine: "" };
  }
  const stderr = new LastLine();
  const read = readAll(child, stderr);
  const cut: TimedOut = limit < timeout ? { timedOut: limit, cutShort: true } : { timedOut: timeout };
  let timedOut = false;
  let cancelKill = () => {};
  const givenUp = Promise.withResolvers<undefined>();
  const stop = () => {
    cancelKill();
    child.signalGroup("SIGTERM");
    cancelKill = clock.after(KILL_DELAY, () => {
      child.signalGroup("SIGKILL");
      cancelKill = clock.after(KILL_DELAY, () => givenUp.resolve(undefined));
    });
  };
  const cancelTimeout = clock.after(cut.timedOut, () => {
    timedOut = true;
    stop();
  });
  signal.addEventListener("abort", stop);
  // The signal may have come while the command was started.
  if (signal.aborted) stop();
  try {
    const end = await Promise.race([child.ended, givenUp.promise]);
    if (!end) return { end: { ...cut, runsOn: true }, lastLine: stderr.text() };
    cancelTimeout();
    let isLeft = child.hasGroup();
    for (let time = 0; time < LEAVE_DELAY && !timedOut && !signal.aborted && isLeft; time += LOOK_EVERY) {
      await new Promise<void>((resolve) => clock.after(LOOK_EVERY, resolve));
      isLeft = child.hasGroup();
    }
    if (isLeft) child.signalGroup("SIGKILL");
    await Promise.race([
      read,
      new Promise<void>((resolve) => (cancelKill(), cancelKill = clock.after(STDERR_DELAY, resolve))),
    ]);
    return { end: timedOut ? cut : end, lastLine: stderr.text() };
  } finally {
    signal.removeEventListener("abort", stop);
    cancelTimeout();
    cancelKill();
    child.closeStderr();
  }
}

/** The failure of `who` in words for the log. The program ended with `end`, and `line` was its last line. */
export function failureOf(who: string, end: ProgramEnd, line: string): string {
  if ("notStarted" in end) return `${who} could not be started: ${end.notStarted}`;
  if ("timedOut" in end) {
    const fate = end.runsOn ? "runs on, because it cannot be killed" : "was killed";
    return `${who} ran longer than ${limitText(end)} and ${fate}`;
  }
  const said = line === "" ? "" : `: ${line}`;
  return "signal" in end ? `${who} died of ${end.signal}${said}` : `${who} failed with exit status ${end.exit}${said}`;
}

// Reads even a flood to its end, so that the child can end. Output that cannot be read is ignored. The exit status
// counts.
async function readAll(child: Child, lastLine: LastLine): Promise<void> {
  try {
    for (let chunk = await child.readStderr(); chunk !== null; chunk = await child.readStderr()) lastLine.push(chunk);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
  }
}

/**
 * The last line of a stream that is not blank, or the beginning of that line. It keeps copies and no part of the
 * pieces.
 */
class LastLine {
  #whole: Uint8Array = new Uint8Array(0);
  #unfinished: Uint8Array = new Uint8Array(0);

  push(piece: Uint8Array): void {
    const first = piece.indexOf(LF);
    if (first < 0) return this.#goOn(piece);
    this.#goOn(piece.subarray(0, first));
    const last = piece.lastIndexOf(LF);
    this.#whole = this.#lastWhole(piece.subarray(first + 1, last + 1)) ?? this.#whole;
    this.#unfinished = piece.slice(last + 1, last + 1 + LINE_KEPT);
  }

  text(): string {
    return textOf(isBlank(this.#unfinished) ? this.#whole : this.#unfinished).replace(/\r+$/, "");
  }

  #goOn(octets: Uint8Array): void {
    const room = LINE_KEPT - this.#unfinished.length;
    if (room > 0) this.#unfinished = concat([this.#unfinished, octets.subarray(0, room)]);
  }

  // Searches whole lines from the back, so a flood of lines costs no more than a flood of octets. If all are blank, it
  // takes the line before them.
  #lastWhole(lines: Uint8Array): Uint8Array | undefined {
    for (let end = lines.length - 1; end >= 0;) {
      const before = end === 0 ? -1 : lines.lastIndexOf(LF, end - 1);
      const line = lines.subarray(before + 1, end);
      if (!isBlank(line)) return line.slice(0, LINE_KEPT);
      end = before;
    }
    return isBlank(this.#unfinished) ? undefined : this.#unfinished;
  }
}

function isBlank(line: Uint8Array): boolean {
  return line.every(isSpace);
}
