// The server that we call: one command out, one whole reply back.
//
// Every failure is a `DownstreamLost`: the connection is closed then, and each later call throws the same. While nobody
// asks anything, a NOOP goes out now and then, so that downstream does not take us for dead; its reply, like that to
// our own RSET, is heard before the next command is said, never together with it. A reply that nobody asked for ends the
// connection too: it would be taken for the reply to the next command, be that the final dot.

import { IoError } from "../runtime/io_error.ts";
import type { Clock } from "../runtime/ports.ts";
import { bytesOf, textOf } from "../smtp/bytes.ts";
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
  /** Called with what is said and heard, for a log of the dialogue. */
  readonly onDialogue?: (said: Uint8Array) => void;
}

const NOOP = bytesOf("NOOP\r\n");
const RSET = bytesOf("RSET\r\n");
const QUIT = bytesOf("QUIT\r\n");

// Not worth waiting for: the connection is closed in any case.
const QUIT_PATIENCE = 1000;

export class Downstream {
  readonly #conn: LineConn;
  readonly #options: DownstreamOptions;
  readonly #idle: Deadline;
  #own: Promise<void> | undefined;
  #lost: DownstreamLost | undefined;

  constructor(conn: LineConn, clock: Clock, options: DownstreamOptions) {
    this.#conn = conn;
    this.#options = options;
    this.#idle = new Deadline(clock);
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** The greeting. */
  async greeting(): Promise<Reply> {
    const reply = await this.#hear(this.#options.replyTimeout);
    this.#rest();
    return reply;
  }

  /** Says one command, its CRLF included, and hears its reply. A 3xx reply leaves the next word to the client. */
  async ask(command: Uint8Array, patience = this.#options.replyTimeout): Promise<Reply> {
    this.#idle.stop();
    if (this.#own) await this.#own;
    await this.#say(command, patience);
    const reply = await this.#hear(patience);
    if (replyClass(reply) === 3) this.#conn.watch();
    else this.#rest();
    return reply;
  }

  /** Says the client's QUIT and hears the last reply. The connection is of no use after that. */
  async quit(command: Uint8Array): Promise<Reply> {
    this.#idle.stop();
    if (this.#own) await this.#own;
    await this.#say(command, this.#options.replyTimeout);
    const reply = await this.#hear(this.#options.replyTimeout);
    this.abandon("said QUIT");
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
  async sendContent(source: MessageSource, patience: number, mayGoOn: () => void): Promise<Uint8Array> {
    const encoder = new DotEncoder(source.lineEnds);
    let out = new Uint8Array(0);
    let filled = 0;
    for await (const chunk of source.chunks()) {
      mayGoOn();
      if (filled > 0) await this.#say(out.subarray(0, filled), patience);
      const room = encodedRoom(chunk.length) + END_ROOM;
      if (out.length < room) out = new Uint8Array(room);
      filled = encoder.encode(chunk, out);
    }
    mayGoOn();
    this.#refuseUnasked();
    const end = encoder.end();
    if (out.length < filled + end.length) return end;
    out.set(end, filled);
    return out.subarray(0, filled + end.length);
  }

  /** Says the last octets of a message and hears what became of it. */
  async sendFinalDot(last: Uint8Array, patience: number): Promise<Reply> {
    await this.#say(last, patience);
    const reply = await this.#hear(patience);
    this.#rest();
    return reply;
  }

  /** Takes leave, where downstream is not in the middle of something, and closes. */
  async leave(): Promise<void> {
    this.#idle.close();
    try {
      if (!this.isLost && !this.#own) await this.#conn.write(QUIT, QUIT_PATIENCE);
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

  #rest(): void {
    this.#conn.watch();
    this.#idle.start(this.#options.keepalive, () => this.#askInOwnName(NOOP));
  }

  #askInOwnName(command: Uint8Array): void {
    this.#idle.stop();
    const before = this.#own ?? Promise.resolve();
    const exchange = before.then(async () => {
      await this.#say(command, this.#options.replyTimeout);
      const reply = await this.#hear(this.#options.replyTimeout);
      if (replyClass(reply) !== 2 && command !== NOOP) this.abandon(`RSET refused: ${replyText(reply)}`);
      else if (reply.code === 421) this.abandon(`NOOP refused: ${replyText(reply)}`);
    });
    // A failure shows at the next command, which finds the connection lost.
    const own = exchange.catch(() => {}).finally(() => {
      if (this.#own !== own) return;
      this.#own = undefined;
      if (!this.isLost) this.#rest();
    });
    this.#own = own;
  }

  async #say(octets: Uint8Array, patience: number): Promise<void> {
    if (this.#lost) throw this.#lost;
    this.#options.onDialogue?.(octets);
    try {
      this.#refuseUnasked();
      await this.#conn.write(octets, patience);
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

  async #hear(patience: number): Promise<Reply> {
    if (this.#lost) throw this.#lost;
    const reader = new ReplyReader();
    try {
      for (;;) {
        const line = this.#conn.takeLine(REPLY_LINE_LIMIT) ?? await this.#conn.readLine(REPLY_LINE_LIMIT, patience);
        if (line === null) throw new DownstreamLost("downstream closed the connection");
        const reply = reader.push(line);
        if (!reply) continue;
        this.#options.onDialogue?.(reply.bytes);
        return reply;
      }
    } catch (error) {
      throw this.#lose(error);
    }
  }

  #lose(error: unknown): unknown {
    const foreseen = error instanceof IoError || error instanceof MalformedReply || error instanceof DownstreamLost;
    this.#lost ??= error instanceof DownstreamLost
      ? error
      : new DownstreamLost(error instanceof Error ? error.message : String(error), { cause: error });
    this.#idle.close();
    this.#conn.close();
    return foreseen ? this.#lost : error;
  }
}

// Room for what `DotEncoder.end` gives: a dot, a CR, a line end and the lone dot.
const END_ROOM = 8;
