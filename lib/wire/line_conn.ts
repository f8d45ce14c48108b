// A connection that is read by lines, with deadlines.
//
// Each wait ends at the latest when it is `due`, a time on the clock that nothing extends. Then it throws an `IoError`
// of kind `timeout`. If the connection breaks, it throws that error. `interrupt` also ends it, with an error of the
// caller. The owner can translate these errors. The end of input is null, not an error. Only one wait at a time may
// read or write. `LineBuffer` says how lines end.
//
// `watch` reads ahead while nobody waits. So the owner notices that a peer leaves (`ended`) and what it says unasked
// (`hasInput`). Reading ahead stops when the buffer is full. So a peer that talks without end costs no memory.

import { IoError } from "../ports/io_error.ts";
import type { Clock, Conn } from "../ports/runtime.ts";
import { type Line, LineBuffer } from "../smtp/line_buffer.ts";
import { Deadline } from "./deadline.ts";

// Content comes in larger pieces than commands. The room for one read starts small, and grows when a read fills it.
const SMALL_CONTENT_READ = 8192;
const LARGE_CONTENT_READ = 262_144;

// The octets of a line without an end are dropped in large pieces, because each read leaves something to collect.
const DROP_READ = 65536;

// A peer that we watch may send at most this much before we read it.
const AHEAD_LIMIT = 16384;

// A person who ends lines with a bare LF waits longer than this for the reply. A program that has more to say does not.
const BARE_LF_PATIENCE = 100;

export interface LineConnOptions {
  /** Whether the peer sends commands or replies. */
  readonly holds?: "commands" | "replies";
  /** Makes an `IoError` into the error that the caller of a wait gets. */
  readonly translate?: (error: unknown) => unknown;
}

/** How the input of a connection ended: the peer closed it, or it broke. An error that is no `IoError` is a bug. */
export type End = "closed" | Error;

type Came = "more" | "end" | "late";

type Waiter = Pick<PromiseWithResolvers<Came>, "resolve" | "reject">;

const asItIs = (error: unknown) => error;

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
  /** The peer took no data for so long that we have closed. */
  #isStuck = false;
  // These are called for each read and write, so they are made once.
  readonly #onRead = (count: number | null) => this.#arrived(count ?? "closed");
  readonly #onReadFailed = (error: unknown) => this.#arrived(error instanceof Error ? error : new Error(String(error)));
  readonly #onSilence = () => this.#settle((waiter) => waiter.resolve("late"));
  readonly #onStuck = () => {
    this.#isStuck = true;
    this.close();
  };
  readonly #onWritten = () => this.#deadline.stop();
  readonly #onWriteFailed = (error: unknown) => {
    this.#deadline.stop();
    throw this.#translate(this.#isStuck ? new IoError("timeout", "taking no data for too long") : error);
  };

  constructor(conn: Conn, clock: Clock, { holds, translate = asItIs }: LineConnOptions = {}) {
    this.#conn = conn;
    this.#buffer = new LineBuffer(holds);
    this.#translate = translate;
    this.#clock = clock;
    this.#deadline = new Deadline(clock);
  }

  /** The address of the peer, if it has one. */
  get peer(): string | undefined {
    return this.#conn.peer;
  }

  /** Whether octets wait that nobody has read yet. */
  get hasInput(): boolean {
    return this.#buffer.length > 0;
  }

  /** How the input has ended, if the end was read already. Octets from before the end may still wait. */
  get ended(): End | undefined {
    return this.#ended;
  }

  /** Whether a whole line that ends with CR LF waits. */
  get hasLine(): boolean {
    return this.#buffer.hasLine;
  }

  /** The octets that wait, as a view. They stay in the buffer. */
  peek(): Uint8Array {
    return this.#buffer.peek();
  }

  /** The next line, if a whole one has come already. */
  takeLine(limit: number): Line | undefined {
    // Who takes a line says again whether the connection reads ahead.
    this.unwatch();
    this.#throwIfInterrupted();
    return this.#buffer.takeLine(limit);
  }

  /** The next line of at most `limit` octets, or null at the end of input. An unfinished line at the end is dropped. */
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

  /**
   * The octets that have come, as a view; null at the end of input. Use them, and `consume` them before the next read.
   */
  async readChunk(due: number): Promise<Uint8Array | null> {
    this.unwatch();
    this.#throwIfInterrupted();
    while (this.#buffer.length === 0) {
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

  /** Writes all of `octets`. Undefined if that is done already. If it is not done by `due`, it closes the connection. */
  write(octets: Uint8Array, due: number): Promise<void> | undefined {
    if (this.#closed) throw this.#translate(new IoError("closed", "connection is closed"));
    this.#deadline.stop();
    const writing = this.#conn.write(octets);
    if (!writing) return undefined;
    this.#deadline.start(due, this.#onStuck);
    return writing.then(this.#onWritten, this.#onWriteFailed);
  }

  /** Calls `callback` once, when the clock shows `due`. A wait or a write that begins before prevents that. */
  callAt(due: number, callback: () => void): void {
    this.#deadline.start(due, callback);
  }

  /** Reads ahead until the next wait. Calls `onArrival` when octets have come or the input has ended. */
  watch(onArrival?: () => void): void {
    this.#onArrival = onArrival;
    this.#watching = true;
    this.#readAhead();
  }

  unwatch(): void {
    this.#onArrival = undefined;
    this.#watching = false;
  }

  /** Makes the current wait and all later ones throw `reason`. Writing still works. */
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

  #wait(due: number, room: number): Promise<Came> {
    if (this.#waiter) throw new Error("two waits on one connection");
    const waiter = Promise.withResolvers<Came>();
    if (this.#ended) {
      this.#tellEnd(waiter, this.#ended);
    } else {
      this.#waiter = waiter;
      this.#deadline.start(due, this.#onSilence);
      if (!this.#reading) this.#read(room);
    }
    return waiter.promise;
  }

  #tellEnd({ resolve, reject }: Waiter, ended: End): void {
    if (ended === "closed") resolve("end");
    else reject(this.#translate(ended));
  }

  #readAhead(): void {
    if (!this.#watching || this.#reading || this.#ended) return;
    // This read may last as long as the peer is idle.
    this.#buffer.shrinkIfIdle();
    if (this.#buffer.length < AHEAD_LIMIT) this.#read(1);
  }

  #read(room: number): void {
    this.#reading = true;
    const space = this.#buffer.space(room);
    if (this.#conn.receive) this.#conn.receive(space, this.#onRead, this.#onReadFailed);
    else this.#conn.read(space).then(this.#onRead, this.#onReadFailed);
  }

  // Gets the count of octets that came, or how the input ended.
  #arrived(what: number | End): void {
    this.#reading = false;
    if (typeof what === "number") {
      this.#buffer.filled(what);
      this.#settle((waiter) => waiter.resolve("more"));
    } else {
      this.#ended = what;
      this.#settle((waiter) => this.#tellEnd(waiter, what));
    }
    this.#readAhead();
    this.#onArrival?.();
  }

  #settle(how: (waiter: Waiter) => void): void {
    const waiter = this.#waiter;
    // Without a waiter the deadline belongs to a write.
    if (!waiter) return;
    this.#waiter = undefined;
    this.#deadline.stop();
    how(waiter);
  }
}
