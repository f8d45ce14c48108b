// A connection that is read by lines, with deadlines.
//
// Every wait ends when it is `due`, a time on the clock that nothing recharges, and throws an `IoError`, as its owner
// translates it: kind `timeout` when that time has come, what the connection said when it breaks. A wait also ends when
// `interrupt` is called, with the error given there. The end of input is null, not an error. Only one wait at a time,
// for reading or for writing. What lines end with, `LineBuffer` says.
//
// `watch` reads ahead while nobody waits, so that a peer's leaving and what it says unasked are noticed; `ended` tells of the
// one, `hasInput` of the other. Reading ahead stops when the buffer is full, so a peer that talks on and on costs no memory.

import { IoError } from "../ports/io_error.ts";
import type { Clock, Conn } from "../ports/runtime.ts";
import { type Line, LineBuffer } from "../smtp/line_buffer.ts";
import { Deadline } from "./deadline.ts";

// Content comes in larger pieces than commands. The room for one read starts small and grows where it was filled.
const SMALL_CONTENT_READ = 8192;
const LARGE_CONTENT_READ = 262_144;

// A line without an end is dropped in large pieces: each read leaves something to the garbage collector.
const DROP_READ = 65536;

// How much a peer may send ahead of our reading while we watch it.
const AHEAD_LIMIT = 16384;

// A person who ends lines with a bare LF waits longer than this for the reply; a program that has more to say does not.
const BARE_LF_PATIENCE = 100;

export interface LineConnOptions {
  /** What its peer says. */
  readonly holds?: "commands" | "replies";
  /** Makes an `IoError` into the error that the caller of a wait shall see. */
  readonly translate?: (error: unknown) => unknown;
}

/** How the input of a connection ended: the peer closed it, or it broke. An error that is no `IoError` is a bug. */
export type End = "closed" | Error;

interface Waiter {
  resolve: (came: "something" | "late") => void;
  reject: (error: unknown) => void;
}

export class LineConn {
  readonly #conn: Conn;
  readonly #clock: Clock;
  readonly #deadline: Deadline;
  readonly #buffer: LineBuffer;
  readonly #translate: (error: unknown) => unknown;
  #closed = false;
  #reading = false;
  #watching = false;
  #ended: End | undefined;
  #interrupted: Error | undefined;
  #waiter: Waiter | undefined;
  #onArrival: (() => void) | undefined;
  #contentRoom = SMALL_CONTENT_READ;

  constructor(conn: Conn, clock: Clock, { holds, translate = (error) => error }: LineConnOptions = {}) {
    this.#conn = conn;
    this.#buffer = new LineBuffer(holds);
    this.#translate = translate;
    this.#clock = clock;
    this.#deadline = new Deadline(clock);
  }

  /** The address of the peer, where it has one. */
  get peer(): string | undefined {
    return this.#conn.peer;
  }

  /** Whether octets wait that nobody has read yet. */
  get hasInput(): boolean {
    return this.#buffer.length > 0;
  }

  /** How the input has ended, as far as that was read; what came before it may still wait to be taken. */
  get ended(): End | undefined {
    return this.#ended;
  }

  /** Whether a whole line waits that CR LF ends. */
  get hasLine(): boolean {
    return this.#buffer.hasLine;
  }

  /** The octets that wait, as a view; nothing is taken. */
  peek(): Uint8Array {
    return this.#buffer.peek();
  }

  /** The next line where a whole one has come already. */
  takeLine(limit: number): Line | undefined {
    // A line is a view into the buffer, which must not move under it.
    this.unwatch();
    this.#throwIfInterrupted();
    return this.#buffer.takeLine(limit);
  }

  /** The next line of at most `limit` octets, or null at the end of input; an unfinished line there is dropped. */
  async readLine(limit: number, due: number): Promise<Line | null> {
    this.unwatch();
    if (!this.#reading) this.#buffer.shrinkIfIdle();
    this.#contentRoom = SMALL_CONTENT_READ;
    for (;;) {
      this.#throwIfInterrupted();
      const line = this.#buffer.takeLine(limit);
      if (line) return line;
      const bare = this.#buffer.endsWithBareLf;
      const came = await this.#wait(
        bare ? Math.min(due, this.#clock.now() + BARE_LF_PATIENCE) : due,
        this.#buffer.isDropping ? DROP_READ : 1,
      );
      if (bare && came !== "more") return this.#buffer.takeBareLine(limit);
      if (came === "end") return null;
      if (came === "late") throw this.#translate(new IoError("timeout", "silent for too long"));
    }
  }

  /** What has come, as a view to be used and then `consume`d before the next read; null at the end of input. */
  async readChunk(due: number): Promise<Uint8Array | null> {
    this.unwatch();
    this.#throwIfInterrupted();
    if (this.#buffer.length === 0) {
      const came = await this.#wait(due, this.#contentRoom);
      if (came === "end") return null;
      if (came === "late") throw this.#translate(new IoError("timeout", "silent for too long"));
    }
    if (this.#buffer.length >= this.#contentRoom) {
      this.#contentRoom = Math.min(8 * this.#contentRoom, LARGE_CONTENT_READ);
    }
    return this.#buffer.peek();
  }

  consume(count: number): void {
    this.#buffer.consume(count);
  }

  /** Writes all of `octets`; the connection is closed when that is not done by `due`. */
  async write(octets: Uint8Array, due: number): Promise<void> {
    if (this.#closed) throw this.#translate(new IoError("closed", "connection is closed"));
    let late = false;
    this.#deadline.start(due, () => {
      late = true;
      this.close();
    });
    try {
      await this.#conn.write(octets);
    } catch (error) {
      throw this.#translate(late ? new IoError("timeout", "taking no data for too long") : error);
    } finally {
      this.#deadline.stop();
    }
  }

  /** Reads ahead from now until the next wait; `onArrival` is called when octets have come or the input has ended. */
  watch(onArrival?: () => void): void {
    this.#onArrival = onArrival;
    this.#watching = true;
    this.#readAhead();
  }

  unwatch(): void {
    this.#onArrival = undefined;
    this.#watching = false;
  }

  /** Makes the current wait, and every later one, throw `reason`. Writing still works. */
  interrupt(reason: Error): void {
    this.#interrupted ??= reason;
    this.#settle((waiter) => waiter.reject(reason));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.unwatch();
    this.#deadline.close();
    this.#conn.close();
  }

  #throwIfInterrupted(): void {
    if (this.#interrupted) throw this.#interrupted;
    if (this.#closed) throw this.#translate(new IoError("closed", "connection is closed"));
  }

  async #wait(due: number, room: number): Promise<"more" | "end" | "late"> {
    if (this.#waiter) throw new Error("two waits on one connection");
    const had = this.#buffer.length;
    while (!this.#ended && this.#buffer.length === had) {
      const came = await new Promise<"something" | "late">((resolve, reject) => {
        this.#waiter = { resolve, reject };
        this.#deadline.start(due, () => this.#settle((waiter) => waiter.resolve("late")));
        if (!this.#reading) this.#read(room);
      });
      if (came === "late") return "late";
    }
    if (this.#buffer.length > had) return "more";
    if (this.#ended !== "closed") throw this.#translate(this.#ended);
    return "end";
  }

  #readAhead(): void {
    if (!this.#watching || this.#reading || this.#ended) return;
    // This read may be under way for as long as the peer is idle.
    this.#buffer.shrinkIfIdle();
    if (this.#buffer.length < AHEAD_LIMIT) this.#read(1);
  }

  #read(room: number): void {
    this.#reading = true;
    this.#conn.read(this.#buffer.space(room)).then(
      (count) => {
        this.#reading = false;
        if (count === null) this.#ended = "closed";
        else this.#buffer.filled(count);
        this.#arrived();
      },
      (error) => {
        this.#reading = false;
        this.#ended = error instanceof Error ? error : new Error(String(error));
        this.#arrived();
      },
    );
  }

  #arrived(): void {
    this.#settle((waiter) => waiter.resolve("something"));
    this.#readAhead();
    this.#onArrival?.();
  }

  #settle(how: (waiter: Waiter) => void): void {
    const waiter = this.#waiter;
    // Without one the deadline is a write's.
    if (!waiter) return;
    this.#waiter = undefined;
    this.#deadline.stop();
    how(waiter);
  }
}
