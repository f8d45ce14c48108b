// Child processes that do what a test says: end with a status, die of a signal, hang, ignore SIGTERM, write to stderr.

import { IoError, type IoErrorKind } from "../../lib/ports/io_error.ts";
import type {
  BackgroundSelf,
  Child,
  ProcessEnd,
  Processes,
  TalkingChild,
  WorkerProcess,
} from "../../lib/ports/runtime.ts";
import { bytesOf, textOf } from "../../lib/text/octets.ts";

export class FakeProcesses implements Processes {
  /** All that were started, in order. */
  readonly children: FakeChild[] = [];
  /** Called with each child when it starts. */
  onStart: (child: FakeChild) => void = () => {};
  /** The error of `start`. */
  refusal: IoErrorKind | undefined;
  /** The arguments of `startSelf`, and the program that it starts. */
  readonly selfStarts: { args: readonly string[]; stderr: string }[] = [];
  self: { stdout?: readonly string[]; end?: ProcessEnd } = {};
  released = 0;

  async start(words: readonly string[], environment: Readonly<Record<string, string>>): Promise<Child> {
    if (this.refusal) throw new IoError(this.refusal, `cannot run ${words[0]}: ${this.refusal}`);
    const child = new FakeChild(words, environment);
    this.children.push(child);
    this.onStart(child);
    return child;
  }

  async startTalking(words: readonly string[]): Promise<TalkingChild> {
    if (this.refusal) throw new IoError(this.refusal, `cannot run ${words[0]}: ${this.refusal}`);
    const child = new FakeTalkingChild(words, {});
    this.children.push(child);
    this.onStart(child);
    return child;
  }

  async startSelf(args: readonly string[], stderr: "stdout" | "inherit"): Promise<BackgroundSelf> {
    this.selfStarts.push({ args, stderr });
    return {
      pid: 4712,
      stdout: ReadableStream.from((this.self.stdout ?? []).map(bytesOf)),
      ended: this.self.end ? Promise.resolve(this.self.end) : new Promise(() => {}),
      release: () => void this.released++,
    };
  }

  async startWorker(): Promise<WorkerProcess> {
    throw new IoError("denied", "cannot start a worker");
  }

  selfWords(): readonly string[] {
    return ["/usr/sbin/postprox"];
  }
}

export class FakeChild implements Child {
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  ignoresTerm = false;
  /** It belongs to another user, say. */
  ignoresKill = false;
  /** Others are in its group, until they are killed. */
  leavesGroup = false;
  /** Others hold its standard error, so that this does not end with it. */
  leavesStderrOpen = false;
  /** The signals that its group got. */
  readonly signals: string[] = [];
  isEnded = false;
  stderrClosed = false;
  readonly #end = Promise.withResolvers<ProcessEnd>();
  readonly #said: (Uint8Array | null)[] = [];
  #given = new Uint8Array(0);
  #wake: (() => void) | undefined;

  constructor(words: readonly string[], environment: Readonly<Record<string, string>>) {
    this.words = words;
    this.environment = environment;
  }

  get ended(): Promise<ProcessEnd> {
    return this.#end.promise;
  }

  say(stderr: string | Uint8Array): void {
    this.#push(typeof stderr === "string" ? bytesOf(stderr) : stderr);
  }

  /** Ends with `status`, after a last word on standard error. */
  exit(status: number, stderr?: string): void {
    if (stderr !== undefined) this.say(stderr);
    this.#finish({ exit: status });
  }

  die(signal: string): void {
    this.#finish({ signal });
  }

  async readStderr(): Promise<Uint8Array | null> {
    while (this.#said.length === 0 && !this.stderrClosed) await new Promise<void>((resolve) => this.#wake = resolve);
    // The memory of what was given before is taken back.
    this.#given.fill(0);
    const said = this.stderrClosed ? null : this.#said.shift()!;
    this.#given = said?.slice() ?? new Uint8Array(0);
    return said && this.#given;
  }

  closeStderr(): void {
    this.stderrClosed = true;
    this.#wake?.();
  }

  hasGroup(): boolean {
    return !this.isEnded || this.leavesGroup;
  }

  signalGroup(signal: "SIGTERM" | "SIGKILL"): void {
    this.signals.push(signal);
    if (signal === "SIGKILL" && this.ignoresKill) return;
    if (signal === "SIGKILL") {
      this.leavesGroup = false;
      this.leavesStderrOpen = false;
      if (this.isEnded) this.#push(null);
    }
    if (signal === "SIGKILL" || !this.ignoresTerm) this.#finish({ signal });
  }

  #finish(end: ProcessEnd): void {
    if (this.isEnded) return;
    this.isEnded = true;
    if (!this.leavesStderrOpen) this.#push(null);
    this.#end.resolve(end);
  }

  #push(said: Uint8Array | null): void {
    this.#said.push(said);
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** One that is asked, and answers as a test says. */
export class FakeTalkingChild extends FakeChild implements TalkingChild {
  /** The octets that were written to it. */
  heard = "";
  /** Called with each thing that was written to it. */
  onHear: (said: string) => void = () => {};
  isHungUp = false;
  readonly #answers: (Uint8Array | null)[] = [];
  #wakeReader: (() => void) | undefined;

  async write(octets: Uint8Array): Promise<void> {
    const said = textOf(octets);
    this.heard += said;
    this.onHear(said);
  }

  answer(stdout: string): void {
    this.#answers.push(bytesOf(stdout));
    this.#wakeReader?.();
  }

  /** It can be read no more, although the process may still be there. */
  closeStdout(): void {
    this.#answers.push(null);
    this.#wakeReader?.();
  }

  async readStdout(): Promise<Uint8Array | null> {
    while (this.#answers.length === 0 && !this.isHungUp) {
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
    return this.#answers.shift() ?? null;
  }

  hangUp(): void {
    this.isHungUp = true;
    this.#wakeReader?.();
  }
}
