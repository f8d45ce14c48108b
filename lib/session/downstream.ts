// The server that we call: one command out, one whole reply back.
//
// Every failure is a `DownstreamLost`: the connection is closed then, and each later call throws the same. While nobody
// asks anything, a NOOP goes out now and then, so that downstream does not take us for dead; its reply, like that to
// our own RSET, is heard before the next command is said, never together with it. A reply that nobody asked for ends the
// connection too: it would be taken for the reply to the next command, be that the final dot.

import { IoError } from "../runtime/io_error.ts";
import type { Clock } from "../runtime/ports.ts";
import { bytesOf, concat, textOf } from "../smtp/bytes.ts";
import { DotEncoder, encodedRoom } from "../smtp/dot_codec.ts";
import { MalformedReply, type Reply, REPLY_LINE_LIMIT, replyClass, ReplyReader, replyText } from "../smtp/reply.ts";
import type { MessageSource } from "../verdict.ts";
import { Deadline } from "../wire/deadline.ts";
import type { LineConn } from "../wire/line_conn.ts";
import { DownstreamLost } from "./smtp_error.ts";

export interface DownstreamOptions {
  /** Milliseconds to wait for a reply. */
  readonly replyTimeout: number;
  /** Milliseconds of silence after which a NOOP is sent. */
  readonly keepalive: number;
}

const NOOP = bytesOf("NOOP\r\n");
const RSET = bytesOf("RSET\r\n");
const QUIT = bytesOf("QUIT\r\n");

// Not worth waiting for: the connection is closed in any case.
const QUIT_PATIENCE = 1000;

export class Downstream {
  readonly #conn: LineConn;
  readonly #clock: Clock;
  readonly #options: DownstreamOptions;
  readonly #idle: Deadline;
  /** The end of our own NOOP or RSET, as long as its reply has not been heard. */
  #own: Promise<void> | undefined;
  /** Whether a QUIT of ours would be heard as one: not behind a 3xx reply, and not twice. */
  #mayQuit = true;
  #lost: DownstreamLost | undefined;

  constructor(conn: LineConn, clock: Clock, options: DownstreamOptions) {
    this.#conn = conn;
    this.#clock = clock;
    this.#options = options;
    this.#idle = new Deadline(clock);
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** The greeting. */
  async greeting(): Promise<Reply> {
    const reply = await this.#hear(this.#replyDue());
    this.#rest();
    return reply;
  }

  /** Says one command, its CRLF included, and hears its reply by `due`. A 3xx reply leaves the next word to the client. */
  async ask(command: Uint8Array, due: number = this.#replyDue()): Promise<Reply> {
    return this.#goOn(await this.#exchange(command, due));
  }

  /** Says the client's QUIT and hears the reply. Unless that refuses it, the connection is of no use after that. */
  async quit(command: Uint8Array): Promise<Reply> {
    this.#mayQuit = false;
    const reply = await this.#exchange(command, this.#replyDue());
    return replyClass(reply) === 2 ? reply : this.#goOn(reply);
  }

  #goOn(reply: Reply): Reply {
    this.#mayQuit = replyClass(reply) !== 3;
    if (this.#mayQuit) this.#rest();
    else this.#conn.watch();
    return reply;
  }

  /** Drops the transaction without waiting for the reply. A downstream that refuses that is of no further use. */
  reset(): void {
    if (!this.isLost) this.#askInOwnName(RSET);
  }

  /**
   * Sends the content of a message whose DATA got a 354, all but its last octets. `mayGoOn` is asked before each write and
   * throws to stop. The result holds the last octets, the final dot among them: with those the message is downstream's.
   * Once this has thrown, downstream waits in the middle of a message; `abandon` it.
   */
  async sendContent(source: MessageSource, due: number, mayGoOn: () => void): Promise<Uint8Array> {
    const encoder = new DotEncoder(source.lineEnds);
    let out = new Uint8Array(0);
    let filled = 0;
    for await (const chunk of source.chunks()) {
      mayGoOn();
      if (filled > 0) await this.#say(out.subarray(0, filled), due);
      const room = encodedRoom(chunk.length);
      if (out.length < room) out = new Uint8Array(room);
      filled = encoder.encode(chunk, out);
    }
    mayGoOn();
    this.#refuseUnasked();
    return concat([out.subarray(0, filled), encoder.end()]);
  }

  /** Says the last octets of a message and hears what became of it. */
  async sendFinalDot(last: Uint8Array, due: number): Promise<Reply> {
    await this.#say(last, due);
    const reply = await this.#hear(due);
    this.#mayQuit = true;
    this.#rest();
    return reply;
  }

  /** Takes leave, where downstream is not in the middle of something, and closes. */
  async leave(): Promise<void> {
    this.#idle.close();
    try {
      if (this.isLost || this.#own || !this.#mayQuit) return;
      await this.#conn.write(QUIT, this.#clock.now() + QUIT_PATIENCE);
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
    } finally {
      this.#conn.close();
    }
  }

  /** Closes without a word, which tells downstream to drop what it has of a message; later calls throw. */
  abandon(why: string): void {
    this.#lose(new DownstreamLost(why));
  }

  /** Makes the current wait, and every later one, throw `reason`. */
  interrupt(reason: Error): void {
    this.#conn.interrupt(reason);
  }

  async #exchange(command: Uint8Array, due: number): Promise<Reply> {
    if (this.#own) await this.#ownEnded(due);
    // Not before: the end of our own command sets the timer.
    this.#idle.stop();
    await this.#say(command, due);
    return await this.#hear(due);
  }

  async #ownEnded(due: number): Promise<void> {
    const late = () => this.abandon("downstream did not answer our own command in time");
    const cancel = this.#clock.after(Math.max(0, due - this.#clock.now()), late);
    await this.#own;
    cancel();
  }

  #rest(): void {
    this.#conn.watch();
    this.#idle.start(this.#clock.now() + this.#options.keepalive, () => this.#askInOwnName(NOOP));
  }

  #askInOwnName(command: Uint8Array): void {
    this.#idle.stop();
    const before = this.#own;
    const exchange = async () => {
      await before;
      const due = this.#replyDue();
      await this.#say(command, due);
      const reply = await this.#hear(due);
      // A NOOP may be unknown, but neither is answered with a 3xx: what we say next would not be heard as a command.
      const refused = replyClass(reply) === 3 || reply.code === 421 || (command === RSET && replyClass(reply) !== 2);
      if (refused) this.abandon(`${textOf(command).trim()} refused: ${replyText(reply)}`);
    };
    // A failure shows at the next command, which finds the connection lost.
    const own = exchange().catch(() => {}).finally(() => {
      if (this.#own !== own) return;
      this.#own = undefined;
      if (!this.isLost) this.#rest();
    });
    this.#own = own;
  }

  #replyDue(): number {
    return this.#clock.now() + this.#options.replyTimeout;
  }

  async #say(octets: Uint8Array, due: number): Promise<void> {
    if (this.#lost) throw this.#lost;
    try {
      this.#refuseUnasked();
      await this.#conn.write(octets, due);
    } catch (error) {
      throw this.#lose(error);
    }
  }

  // What downstream says out of turn must not be taken for the reply to what we say next.
  #refuseUnasked(): void {
    if (this.#conn.gone) throw new DownstreamLost("downstream closed the connection");
    const line = this.#conn.takeLine(REPLY_LINE_LIMIT);
    if (line) throw new DownstreamLost(`downstream spoke out of turn: ${textOf(line.bytes)}`);
    if (this.#conn.hasInput) throw new DownstreamLost("downstream spoke out of turn");
  }

  async #hear(due: number): Promise<Reply> {
    if (this.#lost) throw this.#lost;
    const reader = new ReplyReader();
    try {
      for (;;) {
        const line = this.#conn.takeLine(REPLY_LINE_LIMIT) ?? await this.#conn.readLine(REPLY_LINE_LIMIT, due);
        if (line === null) throw new DownstreamLost("downstream closed the connection");
        const reply = reader.push(line);
        if (reply) return reply;
      }
    } catch (error) {
      throw this.#lose(error);
    }
  }

  // Closes, and gives what the caller shall throw: that downstream is lost, or an error that has another meaning.
  #lose(error: unknown): unknown {
    const foreseen = error instanceof IoError || error instanceof MalformedReply || error instanceof DownstreamLost;
    const said = error instanceof Error ? error.message : String(error);
    const why = error instanceof IoError && error.kind === "timeout" ? `downstream was ${said}` : said;
    this.#lost ??= error instanceof DownstreamLost ? error : new DownstreamLost(why, { cause: error });
    this.#idle.close();
    this.#conn.interrupt(this.#lost);
    this.#conn.close();
    return foreseen ? this.#lost : error;
  }
}
