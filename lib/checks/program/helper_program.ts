// One program that stays. It is asked one question at a time, until it is of no use any more.
//
// It is of no use when it ends, speaks unasked, is late, or says something that does not answer its question. Then its
// whole process group gets SIGTERM, and SIGKILL a moment later. `failed` tells why. Each line of its standard error
// goes to `onLine`. So the program never waits because of a full pipe.

import { IoError } from "../../ports/io_error.ts";
import type { Clock, ProcessEnd, Processes, TalkingChild } from "../../ports/runtime.ts";
import { type Answer, formatQuestion, LineCutter, parseAnswer, type Question } from "./helper_lines.ts";

// In octets. An answer has the text of an SMTP reply, which is much shorter.
const ANSWER_LIMIT = 65_536;
const STDERR_LINE_LIMIT = 1000;

// From SIGTERM to SIGKILL, in milliseconds.
const KILL_DELAY = 1000;

// The time between the end of a program and the end of its output, in either order. One more answer may come, and the
// exit status.
const END_DELAY = 200;

/** A program that is of no use any more. The message is for the log. */
export class HelperFailure extends Error {
  readonly isLate: boolean;

  constructor(why: string, { isLate = false } = {}) {
    super(why);
    this.isLate = isLate;
  }
}

export interface HelperProgramParts {
  readonly clock: Clock;
  readonly processes: Processes;
  /** Called with each line of its standard error. */
  readonly onLine: (line: string) => void;
}

export class HelperProgram {
  /** Why it is of no use any more. */
  readonly failed: Promise<HelperFailure>;
  readonly #parts: HelperProgramParts;
  readonly #child: TalkingChild;
  /** How it ended; undefined if the system cannot tell. */
  readonly #ended: Promise<ProcessEnd | undefined>;
  readonly #settle: (failure: HelperFailure) => void;
  #failure: HelperFailure | undefined;
  #id = 0;
  #answer: ((answer: Answer) => void) | undefined;
  #lastLine = "";
  #cancelTimeout = () => {};
  #cancelKill = () => {};

  /** Starts a command with the shell. Throws an `IoError` if it cannot be started. */
  static async start(parts: HelperProgramParts, command: string): Promise<HelperProgram> {
    return new HelperProgram(parts, await parts.processes.startTalking(["/bin/sh", "-c", command]));
  }

  private constructor(parts: HelperProgramParts, child: TalkingChild) {
    this.#parts = parts;
    this.#child = child;
    this.#ended = child.ended.catch((error) => {
      if (!(error instanceof IoError)) throw error;
      return undefined;
    });
    const { promise, resolve } = Promise.withResolvers<HelperFailure>();
    this.failed = promise;
    this.#settle = resolve;
    void this.#watch(this.#hearAnswers());
    void this.#hearErrors();
  }

  /** Asks a question. No other question may be under way. Throws a `HelperFailure`. `timeout` is in milliseconds. */
  async ask(question: Question, timeout: number): Promise<Answer> {
    const answered = new Promise<Answer>((resolve) => this.#answer = resolve);
    this.#limit(timeout, `helper gave no answer within ${timeout / 1000} s and was killed`);
    try {
      void this.#write(formatQuestion(++this.#id, question));
      const came = await Promise.race([answered, this.failed]);
      if (came instanceof HelperFailure) throw came;
      return came;
    } finally {
      this.#answer = undefined;
      this.#cancelTimeout();
    }
  }

  // A program that reads no questions is of no use, even if it runs on. But its end tells more than a write that failed.
  async #write(question: Uint8Array): Promise<void> {
    try {
      await this.#child.write(question);
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      const [late, cancel] = after(this.#parts.clock, 2 * END_DELAY);
      await Promise.race([this.failed, late]);
      cancel();
      this.#fail(new HelperFailure(`helper read no question and was killed: ${error.message}`));
    }
  }

  /**
   * Nobody waits for its answer any more. It gets a moment to finish, because the files of the message are removed
   * then.
   */
  hurry(): void {
    this.#limit(KILL_DELAY, "helper was killed, because nobody waits for its answer");
  }

  #limit(time: number, why: string): void {
    this.#cancelTimeout();
    this.#cancelTimeout = this.#parts.clock.after(time, () => this.#fail(new HelperFailure(why, { isLate: true })));
  }

  /** Lets the program end by itself, and kills it if it does not. */
  async end(): Promise<void> {
    this.#endsFor(new HelperFailure("helper is not wanted any more"));
    this.#child.hangUp();
    const { clock } = this.#parts;
    const cancel = clock.after(KILL_DELAY, () => this.#kill());
    const [givenUp, cancelGivenUp] = after(clock, 3 * KILL_DELAY);
    await Promise.race([this.#ended, givenUp]);
    cancel();
    cancelGivenUp();
    this.#cancelKill();
    this.#child.signalGroup("SIGKILL");
    this.#child.closeStderr();
  }

  // Ends for this reason, unless it has ended already. Returns whether this is news.
  #endsFor(failure: HelperFailure): boolean {
    if (this.#failure) return false;
    this.#failure = failure;
    this.#settle(failure);
    return true;
  }

  #fail(failure: HelperFailure): void {
    if (this.#endsFor(failure)) this.#kill();
  }

  #kill(): void {
    this.#child.signalGroup("SIGTERM");
    this.#child.hangUp();
    this.#cancelKill = this.#parts.clock.after(KILL_DELAY, () => {
      this.#child.signalGroup("SIGKILL");
      this.#child.closeStderr();
    });
  }

  async #hearAnswers(): Promise<void> {
    const lines = new LineCutter(ANSWER_LIMIT);
    for await (const piece of pieces(() => this.#child.readStdout())) {
      for (const line of lines.push(piece)) if (line.trim() !== "") this.#hear(line);
    }
  }

  // Its end shows in two places, because its children may hold its output open, and it may close its output and run on.
  async #watch(output: Promise<void>): Promise<void> {
    await Promise.race([this.#ended, output]);
    const [late, cancel] = after(this.#parts.clock, END_DELAY);
    await Promise.race([Promise.all([this.#ended, output]), late]);
    cancel();
    this.#fail(new HelperFailure(await this.#fate()));
  }

  #hear(line: string): void {
    if (!this.#answer) return this.#fail(new HelperFailure(`helper said something unasked and was killed: ${line}`));
    const answer = parseAnswer(line, this.#id);
    if ("wrong" in answer) this.#fail(new HelperFailure(`helper gave a wrong answer and was killed: ${answer.wrong}`));
    else this.#answer(answer);
    this.#answer = undefined;
  }

  async #hearErrors(): Promise<void> {
    const lines = new LineCutter(STDERR_LINE_LIMIT);
    const tell = (line: string) => {
      if (line.trim() === "") return;
      this.#lastLine = line;
      this.#parts.onLine(line);
    };
    for await (const piece of pieces(() => this.#child.readStderr())) lines.push(piece).forEach(tell);
    tell(lines.end());
  }

  async #fate(): Promise<string> {
    const said = this.#lastLine === "" ? "" : `: ${this.#lastLine}`;
    const end = await Promise.race([this.#ended, "runs on" as const]);
    if (!end) return `helper ended, but nobody knows how${said}`;
    if (end === "runs on") return `helper closed its output and was killed${said}`;
    return "exit" in end ? `helper ended with exit status ${end.exit}${said}` : `helper died of ${end.signal}${said}`;
  }
}

function after(clock: Clock, delay: number): [over: Promise<void>, cancel: () => void] {
  const { promise, resolve } = Promise.withResolvers<void>();
  return [promise, clock.after(delay, resolve)];
}

// Output that cannot be read has ended.
async function* pieces(read: () => Promise<Uint8Array | null>): AsyncGenerator<Uint8Array> {
  try {
    for (let piece = await read(); piece !== null; piece = await read()) yield piece;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
  }
}
