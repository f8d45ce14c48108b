// Programs that stay, so that each message does not pay for the start of an interpreter.
//
// Each program gets one question at a time. A question waits for the first free program. A program that fails is
// started again. The first time that happens at once. If it fails again without an answer in between, there is a pause,
// which doubles each time. While all of them pause for long, questions fail at once, because waiting would only delay
// the mail.

import { IoError } from "../../ports/io_error.ts";
import type { Clock } from "../../ports/runtime.ts";
import type { Answer, Question } from "./helper_lines.ts";
import { HelperFailure, HelperProgram, type HelperProgramParts } from "./helper_program.ts";

// Milliseconds.
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;

// A program that worked this long before it failed starts with a clean record.
const GOOD_TIME = 60_000;

// The most lines of standard error that go to the log in a minute, for all programs together.
const LINES_LIMIT = 100;
const LINES_TIME = 60_000;

export interface HelperPoolParts extends HelperProgramParts {
  /** Called when a program has failed. `pause`: milliseconds until it is started again. */
  readonly onFailure: (why: string, pause: number) => void;
}

export interface HelperPoolOptions {
  readonly command: string;
  /** How many programs. */
  readonly count: number;
  /** Milliseconds that a program may take for an answer. */
  readonly timeout: number;
}

/** There is no answer. `isLate`: the time is over; otherwise a program failed. `why` is for the log. */
export interface NoAnswer {
  readonly why: string;
  readonly isLate: boolean;
}

interface Job {
  readonly question: Question;
  readonly settle: (outcome: Answer | NoAnswer) => void;
  /** The program that is asked. */
  program?: HelperProgram;
  /** Why nobody waits for an answer any more. Then the program is not to blame. */
  cut?: NoAnswer;
}

export class HelperPool {
  readonly #parts: HelperPoolParts;
  readonly #options: HelperPoolOptions;
  readonly #waiting: Job[] = [];
  readonly #running: Promise<void>[] = [];
  /** The programs that wait for a question. */
  readonly #free: ((job: Job | undefined) => void)[] = [];
  /** Programs that run, or will run in a moment. */
  #up = 0;
  #lastFailure = "";
  #isRetired = false;
  readonly #retired = Promise.withResolvers<void>();

  constructor(parts: HelperPoolParts, options: HelperPoolOptions) {
    this.#parts = { ...parts, onLine: boundedLines(parts.clock, parts.onLine) };
    this.#options = options;
  }

  /** Starts the programs. */
  start(): void {
    for (let number = 0; number < this.#options.count; number++) this.#running.push(this.#keepOne());
  }

  /**
   * Asks one of the programs. `limit`: milliseconds until the answer is of no use. After that, or when `signal` is
   * aborted, it ends as soon as no program works on it any more.
   */
  async ask(
    question: Question,
    { limit, signal }: { limit: number; signal: AbortSignal },
  ): Promise<Answer | NoAnswer> {
    const { promise, resolve } = Promise.withResolvers<Answer | NoAnswer>();
    const job: Job = { question, settle: (outcome) => resolve(job.cut ?? outcome) };
    const left = `within the ${Math.round(limit) / 1000} s left of --message-timeout`;
    const onAbort = () => this.#cut(job, { why: "nobody waits for the helper any more", isLate: false });
    const cancel = this.#parts.clock.after(limit, () => {
      this.#cut(job, {
        why: job.program ? `helper gave no answer ${left}` : `no helper was free ${left}`,
        isLate: true,
      });
    });
    signal.addEventListener("abort", onAbort);
    try {
      this.#give(job);
      if (signal.aborted) onAbort();
      return await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
      cancel();
    }
  }

  #give(job: Job): void {
    const free = this.#free.shift();
    if (free) free(job);
    else if (this.#up === 0 || this.#isRetired) job.settle(this.#noHelper());
    else this.#waiting.push(job);
  }

  #cut(job: Job, why: NoAnswer): void {
    job.cut ??= why;
    if (job.program) return job.program.hurry();
    const at = this.#waiting.indexOf(job);
    if (at !== -1) this.#waiting.splice(at, 1);
    job.settle(why);
  }

  /** Ends all programs, and waits for their end. Questions after it fail. */
  async retire(): Promise<void> {
    this.#isRetired = true;
    this.#retired.resolve();
    for (const free of this.#free.splice(0)) free(undefined);
    this.#failWaiting();
    await Promise.all(this.#running);
  }

  // Runs one program after another, one at a time.
  async #keepOne(): Promise<void> {
    const { clock } = this.#parts;
    this.#up++;
    for (let failures = 0; !this.#isRetired;) {
      const start = clock.now();
      const { failure, answers } = await this.#runOne();
      if (this.#isRetired) break;
      if (answers > 0 || clock.now() - start >= GOOD_TIME) failures = 0;
      if (failure === undefined) continue;
      failures++;
      this.#lastFailure = failure.message;
      const pause = failures === 1 ? 0 : Math.min(FIRST_PAUSE * 2 ** (failures - 2), LONGEST_PAUSE);
      this.#parts.onFailure(failure.message, pause);
      if (pause > 0) await this.#pause(pause);
    }
    this.#up--;
  }

  async #pause(time: number): Promise<void> {
    // During a short pause questions wait, because otherwise nobody would check their messages.
    const isDown = time > FIRST_PAUSE;
    if (isDown && --this.#up === 0) this.#failWaiting();
    let cancel = () => {};
    await Promise.race([
      this.#retired.promise,
      new Promise<void>((resolve) => cancel = this.#parts.clock.after(time, resolve)),
    ]);
    cancel();
    if (isDown) this.#up++;
  }

  // Runs a program until it fails. `failure` is undefined if a message that nobody waits for is to blame.
  async #runOne(): Promise<{ failure: HelperFailure | undefined; answers: number }> {
    let answers = 0;
    let program: HelperProgram;
    try {
      program = await HelperProgram.start(this.#parts, this.#options.command);
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      return { failure: new HelperFailure(`helper could not be started: ${error.message}`), answers };
    }
    for (;;) {
      const job = await this.#nextJob(program);
      if (job instanceof HelperFailure) return { failure: job, answers };
      if (!job) {
        await program.end();
        return { failure: undefined, answers };
      }
      if (job.cut) continue;
      job.program = program;
      try {
        const answer = await Promise.race([program.ask(job.question, this.#options.timeout), this.#retired.promise]);
        job.settle(answer ?? this.#noHelper());
        answers++;
      } catch (error) {
        if (!(error instanceof HelperFailure)) throw error;
        job.settle({ why: error.message, isLate: error.isLate });
        return { failure: job.cut ? undefined : error, answers };
      }
    }
  }

  // Undefined when no more jobs come.
  async #nextJob(program: HelperProgram): Promise<Job | HelperFailure | undefined> {
    const waiting = this.#waiting.shift();
    if (waiting || this.#isRetired) return waiting;
    const { promise, resolve } = Promise.withResolvers<Job | undefined>();
    this.#free.push(resolve);
    const came = await Promise.race([promise, program.failed]);
    if (!(came instanceof HelperFailure)) return came;
    const at = this.#free.indexOf(resolve);
    if (at !== -1) this.#free.splice(at, 1);
    // The program has got a job at the same moment, and was not asked.
    else void promise.then((job) => job && this.#give(job));
    return came;
  }

  #failWaiting(): void {
    for (const job of this.#waiting.splice(0)) job.settle(this.#noHelper());
  }

  #noHelper(): NoAnswer {
    return { why: `no helper runs: ${this.#lastFailure || "they are being ended"}`, isLate: false };
  }
}

// Passes on a limited number of lines per minute.
function boundedLines(clock: Clock, write: (line: string) => void): (line: string) => void {
  let since = -Infinity;
  let count = 0;
  return (line) => {
    if (clock.now() - since >= LINES_TIME) [since, count] = [clock.now(), 0];
    if (++count < LINES_LIMIT) write(line);
    else if (count === LINES_LIMIT) write("(further lines of helpers are left out for a minute)");
  };
}
