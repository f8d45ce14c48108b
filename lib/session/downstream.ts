// The next server: one command goes out, one whole reply comes back.
//
// Every failure closes the connection. Each later call throws the same error: `DownstreamLost`, the reason that was given to
// `interrupt`, or a bug. While the client is silent, a NOOP goes out from time to time, so that downstream does not give us
// up. The next command waits for the reply to that NOOP, or to our own RSET. A reply without a command ends the connection
// too. Otherwise it would pass for the reply to the next command, even to the final dot. Downstream may leave by itself,
// with a 421 or by closing: `heed` tells this at once.

import { IoError } from "../ports/io_error.ts";
import type { Clock } from "../ports/runtime.ts";
import { bytesOf, textOf } from "../text/octets.ts";
import { DotEncoder, encodedRoom } from "../smtp/dot_codec.ts";
import { MalformedReply, type Reply, REPLY_LINE_LIMIT, replyClass, ReplyReader, replyText } from "../smtp/reply.ts";
import type { Content } from "../mail/message.ts";
import { giveRoom, takeRoom } from "../text/rooms.ts";
import type { End, LineConn } from "../wire/line_conn.ts";
import { DownstreamLeft, DownstreamLost, isForeseen } from "./smtp_error.ts";

export interface DownstreamOptions {
  /** Milliseconds to wait for a reply. */
  readonly replyTimeout: number;
  /** Milliseconds of silence after which a NOOP is sent. */
  readonly keepalive: number;
}

const NOOP = bytesOf("NOOP\r\n");
const RSET = bytesOf("RSET\r\n");
const QUIT = bytesOf("QUIT\r\n");

// The connection is closed in any case. In milliseconds.
const QUIT_PATIENCE = 1000;

// One for all sessions, because its stack tells nothing and costs time.
const HAS_QUIT = new DownstreamLost("downstream has accepted a QUIT");

const UNASKED = "downstream replied without a command";

export class Downstream {
  readonly #conn: LineConn;
  readonly #clock: Clock;
  readonly #options: DownstreamOptions;
  /** A caller waits for downstream. Otherwise downstream rests, or answers our own NOOP or RSET. */
  #asked = true;
  /** The end of our own NOOP or RSET, until its reply has come. */
  #own: Promise<void> | undefined;
  /** Reads replies without a command; and the first one that is not a 421. */
  readonly #unasked = new ReplyReader();
  readonly #reader = new ReplyReader();
  #outOfTurn: string | undefined;
  /** The room of the last octets of a message. */
  #content: Uint8Array<ArrayBuffer> | undefined;
  #onLeft: ((why: DownstreamLeft) => void) | undefined;
  #lost: Error | undefined;
  /** Called with a bug that nobody waits for. */
  onBug: ((error: unknown) => void) | undefined;
  // These are called for each command, so they are made once.
  readonly #looks = () => this.#look();
  readonly #staysHere = () => this.#askInOwnName(NOOP);

  constructor(conn: LineConn, clock: Clock, options: DownstreamOptions) {
    this.#conn = conn;
    this.#clock = clock;
    this.#options = options;
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Hears the greeting, by `due`. */
  async greeting(due: number): Promise<Reply> {
    const reply = await this.#hear(due);
    this.#rest();
    return reply;
  }

  /**
   * Says one command, its CRLF included, and hears its reply by `due`. After a 3xx reply the next word is the client's: a
   * caller that does not say it has to `abandon` downstream.
   */
  async ask(command: Uint8Array, due: number = this.#replyDue()): Promise<Reply> {
    const saying = this.#begin(command, due);
    if (saying) await saying;
    return this.#goOn(await this.#hear(due));
  }

  /** Says the client's QUIT and hears the reply. The connection is closed then, unless downstream refused the QUIT. */
  async quit(command: Uint8Array): Promise<Reply> {
    const due = this.#replyDue();
    await this.#begin(command, due);
    const reply = await this.#hear(due);
    if (replyClass(reply) !== 2) return this.#goOn(reply);
    this.#lose(HAS_QUIT);
    return reply;
  }

  #goOn(reply: Reply): Reply {
    if (replyClass(reply) === 3) this.#listen();
    else this.#rest();
    return reply;
  }

  /** Drops the transaction without waiting for the reply. If downstream refuses that, it is lost. */
  reset(): void {
    if (!this.isLost) this.#askInOwnName(RSET);
  }

  /**
   * Sends the content of a message after downstream's 354, except for the last octets. `mayGoOn` is called before each
   * write and throws to stop. The result is the last octets, with the final dot: with them downstream has the message. If
   * this throws, downstream waits in the middle of a message: `abandon` it.
   */
  async sendContent(
    source: Pick<Content, "lineEnds" | "chunks">,
    due: number,
    mayGoOn: () => void,
  ): Promise<Uint8Array> {
    this.#asked = true;
    const encoder = new DotEncoder(source.lineEnds);
    let out: Uint8Array<ArrayBuffer> | undefined;
    let filled = 0;
    for await (const chunk of source.chunks()) {
      mayGoOn();
      if (out && filled > 0) await this.#say(out.subarray(0, filled), due);
      const room = encodedRoom(chunk.length);
      if (!out || out.length < room) out = takeRoom(room);
      filled = encoder.encode(chunk, out);
    }
    mayGoOn();
    const wrong = this.#saidUnasked();
    if (wrong) throw wrong;
    const end = encoder.end();
    out ??= takeRoom(end.length);
    out.set(end, filled);
    this.#content = out;
    return out.subarray(0, filled + end.length);
  }

  /** Says the last octets of a message and hears what became of it. */
  async sendFinalDot(last: Uint8Array, due: number): Promise<Reply> {
    await this.#say(last, due);
    // All of it is written now. After an error somebody may still read it.
    if (this.#content) giveRoom(this.#content);
    this.#content = undefined;
    const reply = await this.#hear(due);
    this.#rest();
    return reply;
  }

  /** Calls `onLeft` if downstream leaves by itself. Calls it at once if downstream has left since its last reply. */
  heed(onLeft: ((why: DownstreamLeft) => void) | undefined): void {
    this.#onLeft = onLeft;
    if (!onLeft || this.#asked) return;
    if (this.#lost instanceof DownstreamLeft) onLeft(this.#lost);
    else this.#look();
  }

  /** Says QUIT, unless downstream is lost or owes a reply, and closes. */
  async leave(): Promise<void> {
    try {
      if (this.isLost || this.#own) return;
      await this.#conn.write(QUIT, this.#clock.now() + QUIT_PATIENCE);
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
    } finally {
      this.#conn.close();
    }
  }

  /** Closes without a QUIT. So downstream drops an unfinished message. Later calls throw. */
  abandon(why: string): void {
    this.#lose(new DownstreamLost(why));
  }

  /** Makes the current wait, and every later one, throw `reason`. Closes at once if downstream owes a reply. */
  interrupt(reason: Error): void {
    this.#onLeft = undefined;
    if (this.#asked || this.#own) this.#lose(reason);
    else this.#conn.interrupt(reason);
  }

  // Says a command. Undefined if that is done already.
  #begin(command: Uint8Array, due: number): Promise<void> | undefined {
    this.#asked = true;
    const say = () => this.#say(command, due);
    return this.#own ? this.#ownEnded(due).then(say) : say();
  }

  async #ownEnded(due: number): Promise<void> {
    const late = () => this.abandon("downstream did not answer our own command in time");
    const cancel = this.#clock.after(Math.max(0, due - this.#clock.now()), late);
    await this.#own;
    cancel();
  }

  #rest(): void {
    this.#conn.callAt(this.#clock.now() + this.#options.keepalive, this.#staysHere);
    this.#listen();
  }

  #listen(): void {
    this.#asked = false;
    this.#conn.watch(this.#looks);
    this.#look();
  }

  // Half a reply may become a 421. Any other reply without a command is an error when the next command is said.
  #look(): void {
    if (!this.#onLeft || this.#asked || this.#own || this.isLost) return;
    const wrong = this.#saidUnasked();
    if (wrong instanceof DownstreamLeft || (wrong && !isForeseen(wrong))) this.#failUnasked(wrong);
    else this.#conn.watch(this.#looks);
  }

  #askInOwnName(command: Uint8Array): void {
    const before = this.#own;
    const exchange = async () => {
      await before;
      const due = this.#replyDue();
      await this.#say(command, due);
      const reply = await this.#hear(due);
      if (reply.code === 421) throw leftWith(reply);
      // Downstream may refuse a NOOP. But after a 3xx it would not read our next line as a command.
      const refused = replyClass(reply) === 3 || (command === RSET && replyClass(reply) !== 2);
      if (refused) throw new DownstreamLost(`${textOf(command).trim()} refused: ${replyText(reply)}`);
    };
    const own = exchange().catch((error) => this.#failUnasked(error)).finally(() => {
      if (this.#own !== own) return;
      this.#own = undefined;
      if (!this.isLost && !this.#asked) this.#rest();
    });
    this.#own = own;
  }

  // The next command throws the same error. A bug, and that downstream has left, are told now.
  #failUnasked(error: unknown): void {
    const lost = this.#lose(error);
    if (!isForeseen(lost)) this.onBug?.(lost);
    else if (lost instanceof DownstreamLeft && !this.#asked) this.#onLeft?.(lost);
  }

  #replyDue(): number {
    return this.#clock.now() + this.#options.replyTimeout;
  }

  // Undefined if all is written already.
  #say(octets: Uint8Array, due: number): Promise<void> | undefined {
    if (this.#lost) throw this.#lost;
    const lose = (error: unknown) => {
      throw this.#lose(error);
    };
    try {
      // A reply that has come before the command is not the reply to it.
      const wrong = this.#saidUnasked();
      if (wrong) throw wrong;
      return this.#conn.write(octets, due)?.catch(lose);
    } catch (error) {
      return lose(error);
    }
  }

  // After its last reply downstream must be silent. Gives the error if it was not, or if it has closed.
  #saidUnasked(): Error | undefined {
    for (let line; !this.#outOfTurn && (line = this.#conn.takeLine(REPLY_LINE_LIMIT));) {
      try {
        const reply = this.#unasked.push(line);
        if (reply?.code === 421) return leftWith(reply);
        if (reply) this.#outOfTurn = replyText(reply);
      } catch (error) {
        if (!(error instanceof MalformedReply)) throw error;
        this.#outOfTurn = error.message;
      }
    }
    const { ended } = this.#conn;
    if (ended) return leftBy(ended);
    if (this.#outOfTurn) return new DownstreamLost(`${UNASKED}: ${this.#outOfTurn}`);
    if (this.#conn.hasInput || this.#unasked.isInReply) return new DownstreamLost(UNASKED);
    return undefined;
  }

  async #hear(due: number): Promise<Reply> {
    if (this.#lost) throw this.#lost;
    try {
      for (;;) {
        const line = this.#conn.takeLine(REPLY_LINE_LIMIT) ?? await this.#conn.readLine(REPLY_LINE_LIMIT, due);
        if (line === null) throw leftBy("closed");
        const reply = this.#reader.push(line);
        if (reply) return reply;
      }
    } catch (error) {
      throw this.#lose(error);
    }
  }

  // Closes, and gives the error that the caller throws: the first one, or a bug.
  #lose(error: unknown): Error {
    const lost = meaningOf(error);
    this.#lost ??= lost;
    this.#conn.interrupt(this.#lost);
    this.#conn.close();
    return isForeseen(lost) ? this.#lost : lost;
  }
}

function leftWith(farewell: Reply): DownstreamLeft {
  return new DownstreamLeft(`downstream said ${replyText(farewell)}`, { farewell });
}

// The error is a bug if reading failed in an unknown way.
function leftBy(ended: End): Error {
  if (ended === "closed") return new DownstreamLeft("downstream closed the connection");
  return ended instanceof IoError ? new DownstreamLeft(ended.message, { cause: ended }) : ended;
}

// The error that the session gets if the connection fails. An unknown error stays as it is.
function meaningOf(error: unknown): Error {
  if (error instanceof MalformedReply) return new DownstreamLost(error.message, { cause: error });
  if (!(error instanceof IoError)) return error instanceof Error ? error : new Error(String(error));
  if (error.kind === "timeout") return new DownstreamLost(`downstream was ${error.message}`, { cause: error });
  return leftBy(error);
}
