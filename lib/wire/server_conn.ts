// A connection to a server, such as a scanner, that answers one bounded question at a time.
//
// It reads ahead all the time. So it gets an answer that comes before the whole question was sent. Such a server may
// stop reading, or reset the connection. So `send` does not throw when the connection breaks: it returns false, because
// sending more is no use. The `read…` after it returns the octets that came, or throws.
//
// Each fault of the server is a `ServerFailure`. A connection has no time limits. Its owner calls `fail` when time is
// over or nobody waits any more. That closes it at once and ends every wait with that failure. The reader of an answer
// limits its length.

import { IoError } from "../ports/io_error.ts";
import type { Conn } from "../ports/runtime.ts";

/**
 * A fault of a server. `message` continues a sentence that begins with the server's name, such as "closed the
 * connection".
 */
export class ServerFailure extends Error {
  override readonly name = "ServerFailure";
  readonly isLate: boolean;
  /**
   * The message is the reason, and not the state of the server. The server may be asked about the next message as
   * before.
   */
  readonly isOfMessage: boolean;

  constructor(message: string, { isLate = false, isOfMessage = false } = {}) {
    super(message);
    this.isLate = isLate;
    this.isOfMessage = isOfMessage;
  }
}

// Most answers are shorter.
const FIRST_ROOM = 4096;

// A server may say at most this much before somebody reads it.
const AHEAD_LIMIT = 16_384;

export class ServerConn {
  readonly #conn: Conn;
  // The octets from `#from` to `#to` have come and wait.
  #buffer = new Uint8Array(FIRST_ROOM);
  #from = 0;
  #to = 0;
  #isReading = false;
  #isWriting = false;
  #isKept = false;
  #hasSpoken = false;
  #ended: "closed" | Error | undefined;
  #failed: Error | undefined;
  #wake = () => {};

  constructor(conn: Conn) {
    this.#conn = conn;
    this.#readAhead();
  }

  /** Sends `octets`. False if the server has answered already or the connection is broken. `read…` then tells which. */
  async send(octets: Uint8Array): Promise<boolean> {
    this.#throwIfFailed();
    if (!this.#isOpen) return false;
    this.#isWriting = true;
    const written = Promise.resolve(this.#conn.write(octets)).then(() => {
      this.#isWriting = false;
    }, (error) => {
      // The octets that the server sent before that can still be read.
      if (!(error instanceof IoError)) this.fail(error);
    });
    await Promise.race([written, this.#change()]);
    this.#throwIfFailed();
    return this.#isOpen && !this.#isWriting;
  }

  /** The octets up to the next `end`, without it. At most `limit`. */
  async readUntil(end: number, limit: number): Promise<Uint8Array> {
    for (let seen = 0;;) {
      this.#throwIfFailed();
      const at = this.#waiting.indexOf(end, seen);
      if (at > limit || (at === -1 && this.#waiting.length > limit)) throw tooLong(limit);
      if (at !== -1) return this.#take(at + 1).subarray(0, at);
      seen = this.#waiting.length;
      if (!await this.#more()) throw this.#closedEarly();
    }
  }

  /** Exactly `count` octets. */
  async readCount(count: number): Promise<Uint8Array> {
    this.#throwIfFailed();
    while (this.#waiting.length < count) if (!await this.#more()) throw this.#closedEarly();
    return this.#take(count);
  }

  /** Whatever comes next, as soon as it is there. Undefined: the server has closed the connection. */
  async readSome(): Promise<Uint8Array | undefined> {
    this.#throwIfFailed();
    while (this.#waiting.length === 0) if (!await this.#more()) return undefined;
    return this.#take(this.#waiting.length);
  }

  /** All octets until the server closes the connection. At most `limit`. */
  async readToEnd(limit: number): Promise<Uint8Array> {
    this.#throwIfFailed();
    do {
      if (this.#waiting.length > limit) throw tooLong(limit);
    } while (await this.#more());
    return this.#take(this.#waiting.length);
  }

  /** Says that the answer is complete, and that the protocol allows another question on this connection. */
  keep(): void {
    this.#isKept = true;
  }

  // --- For its owner

  /** Whether another question may be asked on it now. */
  get isReusable(): boolean {
    return this.#isKept && this.#isOpen && !this.#isWriting && this.#failed === undefined;
  }

  /** Whether it broke before the server said anything to the last question. */
  get hasDied(): boolean {
    return this.#ended !== undefined && !this.#hasSpoken;
  }

  /** Begins the next question. */
  renew(): void {
    this.#isKept = false;
    this.#hasSpoken = false;
  }

  /** Calls `onChange` when octets come or the connection ends. Nobody else may wait meanwhile. */
  watch(onChange: () => void): void {
    this.#wake = onChange;
  }

  /** Closes it. All waits, and all later calls, throw `reason`. */
  fail(reason: Error): void {
    this.#failed ??= reason;
    this.#conn.close();
    this.#wake();
  }

  close(): void {
    this.fail(new ServerFailure("was left"));
  }

  // ---

  get #isOpen(): boolean {
    return this.#ended === undefined && this.#waiting.length === 0;
  }

  get #waiting(): Uint8Array {
    return this.#buffer.subarray(this.#from, this.#to);
  }

  #throwIfFailed(): void {
    if (this.#failed) throw this.#failed;
  }

  #closedEarly(): ServerFailure {
    return new ServerFailure(`closed the connection${this.#waiting.length > 0 ? " in the middle of its answer" : ""}`);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  // Waits until more octets have come. False if the server has closed the connection.
  async #more(): Promise<boolean> {
    const had = this.#waiting.length;
    if (this.#ended === undefined) {
      const change = this.#change();
      if (!this.#isReading) this.#read();
      await change;
      this.#throwIfFailed();
    }
    if (this.#waiting.length > had) return true;
    if (this.#ended instanceof Error) throw this.#ended;
    return this.#ended === undefined;
  }

  #take(count: number): Uint8Array {
    const taken = this.#buffer.slice(this.#from, this.#from + count);
    this.#from += count;
    this.#readAhead();
    return taken;
  }

  #readAhead(): void {
    if (!this.#isReading && !this.#ended && this.#waiting.length < AHEAD_LIMIT) this.#read();
  }

  #read(): void {
    this.#isReading = true;
    this.#makeRoom();
    this.#conn.read(this.#buffer.subarray(this.#to)).then((count) => {
      this.#isReading = false;
      if (count === null) this.#ended = "closed";
      else {
        this.#to += count;
        this.#hasSpoken = true;
      }
      this.#arrived();
    }, (error) => {
      this.#isReading = false;
      this.#ended = error instanceof IoError
        ? new ServerFailure(`broke the connection: ${error.message}`)
        : error instanceof Error
        ? error
        : new Error(String(error));
      this.#arrived();
    });
  }

  #arrived(): void {
    this.#wake();
    this.#readAhead();
  }

  // Moves nothing while a read is under way, because the read has a place in the buffer.
  #makeRoom(): void {
    if (this.#from === this.#to) {
      this.#from = this.#to = 0;
      if (this.#buffer.length > AHEAD_LIMIT) this.#buffer = new Uint8Array(FIRST_ROOM);
    }
    if (this.#to < this.#buffer.length) return;
    const waiting = this.#waiting;
    const larger = new Uint8Array(Math.max(FIRST_ROOM, 2 * waiting.length));
    larger.set(waiting);
    this.#buffer = larger;
    this.#from = 0;
    this.#to = waiting.length;
  }
}

function tooLong(limit: number): ServerFailure {
  return new ServerFailure(`sent more than the ${limit} octets that an answer may have`);
}
