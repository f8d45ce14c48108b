// The client: its commands, its message, and our replies to it.
//
// While another command waits, replies are held back. Then they leave in one packet (RFC 2920 s.3.2), so a client that
// pipelines gets as few packets as it sent. Waits throw `SmtpError` 421 after `timeout`, and `ClientLost` if the connection
// breaks. The end of input is null between two commands, and `ClientLost` in AUTH and in a message.
//
// `watch` notices that the client leaves while it waits for us. `presence` says whether it is still there.

import { IoError } from "../ports/io_error.ts";
import type { Clock } from "../ports/runtime.ts";
import { concat, textOf } from "../text/octets.ts";
import { type Command, parseCommand } from "../smtp/command.ts";
import type { Line } from "../smtp/line_buffer.ts";
import type { Reply } from "../smtp/reply.ts";
import { Deadline } from "../wire/deadline.ts";
import type { LineConn } from "../wire/line_conn.ts";
import { OWN_REPLIES } from "./own_replies.ts";
import { ClientLost, SmtpError } from "./smtp_error.ts";

/** RFC 4954 s.4: an AUTH command and its continuation have at most 12288 octets. */
const AUTH_LINE_LIMIT = 12288;

/** Postfix's line_length_limit. RFC 5321 s.4.5.3.1.4 asks for 512 octets, and extensions for more. */
const COMMAND_LINE_LIMIT = 2048;

// More octets of replies than this are never held back, however many commands a client sends at once.
const HELD_LIMIT = 16384;

/** A line that is not a command. Its octets are forgotten. */
export type BadLine = { readonly verb: "SPOILT" | "TOO-LONG" };

/**
 * Whether the client is still there, as far as its input was read. A client that has closed its sending side counts as
 * gone, because a client that has ended looks the same. It counts as quitting if a QUIT waits in its input: it has said all
 * that it wanted, and now it listens.
 */
export type Presence = "here" | "quitting" | "gone" | "broken";

// A line whose verb is QUIT, as `parseCommand` knows it.
const QUIT_LINE = /(?:^|\n)[\t\v\f\r ]*QUIT(?:[\t\v\f\r ][^\n]*)?\r\n/i;

/** `watchSoon` waits so many milliseconds first. Most replies come sooner, and reading ahead costs time. */
export const WATCH_DELAY = 100;

const SPOILT: BadLine = { verb: "SPOILT" };
const TOO_LONG: BadLine = { verb: "TOO-LONG" };

export class Client {
  readonly #conn: LineConn;
  readonly #clock: Clock;
  readonly #timeout: number;
  #held: Uint8Array[] = [];
  #heldOctets = 0;
  #flushing: Promise<void> | undefined;
  readonly #soon: Deadline;
  readonly #watches = () => this.watch();
  readonly #looks = () => {
    if (this.#conn.ended) this.onEnded();
  };
  readonly #flushed = () => {
    this.#flushing = undefined;
  };
  readonly #notFlushed = (error: unknown) => {
    this.#flushing = undefined;
    throw error;
  };
  /** Called if the client leaves, or closes its sending side, while it is watched. */
  onEnded: () => void = () => {};

  /** The client may be silent, or take no reply, for `timeout` milliseconds. */
  constructor(conn: LineConn, clock: Clock, timeout: number) {
    this.#conn = conn;
    this.#clock = clock;
    this.#timeout = timeout;
    this.#soon = new Deadline(clock);
  }

  get peer(): string | undefined {
    return this.#conn.peer;
  }

  /** The next command, or null if the client has ended the session. */
  nextCommand(): Command | BadLine | null | Promise<Command | BadLine | null> {
    const line = this.#nextLine();
    return line instanceof Promise ? line.then(commandOf) : commandOf(line);
  }

  /** The client's next line in an AUTH exchange, with its CRLF. A bad line cannot be passed on. */
  async nextAuthLine(): Promise<Uint8Array | BadLine> {
    const line = await this.#nextLine();
    if (line === null) throw new ClientLost("client ended the session during AUTH");
    return line.tooLong ? TOO_LONG : line.spoilt ? SPOILT : line.raw;
  }

  /** The part of the message that has come. Use it and `consume` it before the next call. */
  async nextContent(): Promise<Uint8Array> {
    this.#soon.stop();
    if (!this.#conn.hasInput) await this.flush();
    const chunk = await this.#conn.readChunk(this.#due());
    if (chunk === null) throw new ClientLost("client ended the session");
    return chunk;
  }

  consume(count: number): void {
    this.#conn.consume(count);
  }

  /** Says a reply, or holds it back. */
  say(reply: Reply): Promise<void> | undefined {
    this.#held.push(reply.bytes);
    this.#heldOctets += reply.bytes.length;
    return this.#conn.hasInput && this.#heldOctets <= HELD_LIMIT ? undefined : this.flush();
  }

  /** Sends the replies that were held back, after those that are being sent. Undefined if there is nothing to wait for. */
  flush(): Promise<void> | undefined {
    if (this.#flushing) return this.#flushing.then(() => this.flush());
    if (this.#held.length === 0) return undefined;
    const octets = concat(this.#held);
    this.#held = [];
    this.#heldOctets = 0;
    return this.#flushing = this.#conn.write(octets, this.#due())?.then(this.#flushed, this.#notFlushed);
  }

  get presence(): Presence {
    const { ended } = this.#conn;
    if (!ended) return "here";
    if (ended !== "closed") return "broken";
    return QUIT_LINE.test(textOf(this.#conn.peek())) ? "quitting" : "gone";
  }

  /** Why the client is gone: `ClientLost`, or the bug that broke the reading. */
  get lost(): Error {
    const { ended } = this.#conn;
    if (ended instanceof Error && !(ended instanceof IoError)) return ended;
    return new ClientLost("client left while it had to wait", { cause: ended });
  }

  /** Whether one more whole line has come. */
  get hasLine(): boolean {
    return this.#conn.hasLine;
  }

  /** Reads ahead until the next read from the client. Calls `onEnded` if the client has left, or leaves. */
  watch(): void {
    this.#conn.watch(this.#looks);
    this.#looks();
  }

  /** Does the same a moment later, unless a read from the client comes first. */
  watchSoon(): void {
    this.#soon.start(this.#clock.now() + WATCH_DELAY, this.#watches);
  }

  /** Makes the current wait, and every later one, throw `reason`. `say` and `flush` still work. */
  interrupt(reason: Error): void {
    this.#conn.interrupt(reason);
  }

  close(): void {
    this.#soon.close();
    this.#conn.close();
  }

  #due(): number {
    return this.#clock.now() + this.#timeout;
  }

  #nextLine(): Line | Promise<Line | null> {
    this.#soon.stop();
    const line = this.#conn.takeLine(AUTH_LINE_LIMIT);
    if (line) return line;
    const read = () => this.#conn.readLine(AUTH_LINE_LIMIT, this.#due());
    return this.flush()?.then(read) ?? read();
  }
}

function commandOf(line: Line | null): Command | BadLine | null {
  if (line === null) return line;
  if (line.tooLong) return TOO_LONG;
  if (line.spoilt) return SPOILT;
  const command = parseCommand(line.raw, line.bytes);
  return command.verb !== "AUTH" && line.raw.length > COMMAND_LINE_LIMIT ? TOO_LONG : command;
}

/** The error that the session gets if the client's connection fails. */
export function translateClientError(error: unknown): unknown {
  if (!(error instanceof IoError)) return error;
  if (error.kind === "timeout") {
    return new SmtpError(OWN_REPLIES.clientSilent, `client was ${error.message}`, { cause: error });
  }
  return new ClientLost(error.message, { cause: error });
}
