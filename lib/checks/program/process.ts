// Runs a program that judges a message, and stops it.
//
// The program is the leader of a process group. When its time is over or nobody waits for it any more, the whole group
// gets SIGTERM, and SIGKILL a moment later. When it ends by itself, what it left running has a moment to end, too, or to
// leave the group as a daemon does; then what is still in the group is killed, for the files of the message are gone. What
// has left it is not touched. The program's standard error is read to the end, of which the last line is kept.

import { IoError } from "../../ports/io_error.ts";
import type { Child, Clock, ProcessEnd, Processes } from "../../ports/runtime.ts";
import { limitText, type TimedOut } from "../time_limit.ts";
import { concat, isSpace, LF, textOf } from "../../text/octets.ts";

// A reply is made of the last line of standard error and has 512 octets at most.
const LINE_KEPT = 1024;

// From SIGTERM to SIGKILL, and from that until what has not ended is waited for no longer: another user's, or one that
// hangs in the kernel.
const KILL_DELAY = 1000;

// What a program starts in the background has not called setsid(2) yet when the program ends right after: without this it
// would be chance who is killed. Where nobody is left nobody waits.
const LEAVE_DELAY = 500;
const LOOK_EVERY = 10;

// A child that outlives the program may hold its standard error open: what was written before the end has come by then.
const STDERR_DELAY = 200;

/** How a program ended, or why it was not started. */
export type ProgramEnd = ProcessEnd | TimedOut | { readonly notStarted: string };

export interface RunOptions {
  /** Added to our own environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Milliseconds that it may take, and that the message has left. */
  readonly timeout: number;
  readonly limit: number;
  readonly signal: AbortSignal;
}

/**
 * Runs a program to its end; `lastLine` is the last line of its standard error that is not blank. Throws nothing but an
 * `IoError` of kind `exhausted`: that we have no means to start one now is not the program's failure.
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
  // It may have been aborted while the command was being started.
  if (signal.aborted) stop();
  try {
    const end = await Promise.race([child.ended, givenUp.promise]);
    if (!end) return { end: { ...cut, runsOn: true }, lastLine: stderr.text() };
    cancelTimeout();
    for (let time = 0; time < LEAVE_DELAY && !timedOut && !signal.aborted && child.hasGroup(); time += LOOK_EVERY) {
      await new Promise<void>((resolve) => clock.after(LOOK_EVERY, resolve));
    }
    child.signalGroup("SIGKILL");
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

/** What went wrong with `who`, a program that ended with `end` and `line` as its last word; for the log. */
export function failureOf(who: string, end: ProgramEnd, line: string): string {
  if ("notStarted" in end) return `${who} could not be started: ${end.notStarted}`;
  if ("timedOut" in end) {
    const fate = end.runsOn ? "runs on, for it cannot be killed" : "was killed";
    return `${who} ran longer than ${limitText(end)} and ${fate}`;
  }
  const said = line === "" ? "" : `: ${line}`;
  return "signal" in end ? `${who} died of ${end.signal}${said}` : `${who} failed with exit status ${end.exit}${said}`;
}

// A child that floods its standard error is read to the end, so that it can end. What cannot be read is not there: its
// exit status counts.
async function readAll(child: Child, lastLine: LastLine): Promise<void> {
  try {
    for (let chunk = await child.readStderr(); chunk !== null; chunk = await child.readStderr()) lastLine.push(chunk);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
  }
}

/** The last line of a stream that is not blank; of each line, its beginning. Keeps nothing of a piece but copies. */
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

  // Of whole lines, from the back, so that a flood of lines costs no more than a flood of octets; then the line before them.
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
