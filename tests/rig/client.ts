// The SMTP client of the tests, on any wire: TCP, a unix socket, a program's pipes, memory.
//
// Text is "binary": one character is one octet (latin1), so that a table can spell any octet. `say` sends exactly its
// text, `hear` waits for one whole reply, `ask` does both. Each reply must be legal on the wire: three digits, one code
// in all its lines, CRLF at the end of each. Every wait has a deadline, which only matters when a test fails. The error
// then shows the dialogue so far. Writing to a peer that has gone is no error. Only the replies count.

import assert from "node:assert/strict";
import { createConnection } from "node:net";
import { octets, show } from "./octets.ts";
import { DEADLINE, within } from "./wait.ts";
import { type Address, socketWire, type Wire } from "./wire.ts";

/** One whole reply. */
export interface Reply {
  readonly code: number;
  /** The texts after the code, line by line. */
  readonly lines: readonly string[];
  /** Its octets. */
  readonly raw: string;
  /** The same without the last CRLF. */
  readonly text: string;
}

/** A message as its sender has it. */
export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  /** CRLF lines, dots not stuffed, ends in CRLF. */
  readonly text: string;
}

/** The replies to a message: to each recipient, and to the final dot. */
export interface Replies {
  readonly recipients: readonly Reply[];
  readonly end: Reply;
}

export class Client {
  #wire: Wire;
  #input = "";
  #over = false;
  #wake: () => void = () => {};
  #dialogue: string[] = [];

  constructor(wire: Wire) {
    this.#wire = wire;
    wire.attend({
      heard: (text) => {
        this.#input += text;
        this.#wake();
      },
      ended: () => {
        this.#over = true;
        this.#wake();
      },
    });
  }

  /** The octets that have come and were not yet heard. */
  get unheard(): string {
    return this.#input;
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Sends exactly these octets. */
  async say(text: string): Promise<void> {
    this.#dialogue.push(`C: ${show(text)}`);
    await this.#taken([octets(text)]);
  }

  /** Sends these octets, each in a write of its own. */
  async sayOctetByOctet(text: string): Promise<void> {
    this.#dialogue.push(`C: ${show(text)} octet by octet`);
    const all = octets(text);
    for (let at = 0; at < all.length; at += 16) {
      await this.#taken(Array.from(all.subarray(at, at + 16), (octet) => Uint8Array.of(octet)));
    }
  }

  /** Sends these pieces, each in a write of its own, with a turn of the event loop between them. */
  async sayInPieces(pieces: readonly string[]): Promise<void> {
    for (const piece of pieces) {
      await this.say(piece);
      await new Promise((next) => setTimeout(next, 1));
    }
  }

  /** One whole reply. */
  async hear(deadline: number = DEADLINE): Promise<Reply> {
    return await within(this.#nextReply(), () => `a reply; had ${show(this.#input)}\n${this.#told()}`, deadline);
  }

  /** Sends a command line and returns its reply. */
  async ask(line: string): Promise<Reply> {
    await this.say(`${line}\r\n`);
    return await this.hear();
  }

  /** The next reply, or the reply to a command line, must have this code. */
  async expect(code: number, line?: string): Promise<Reply> {
    const reply = line === undefined ? await this.hear() : await this.ask(line);
    assert.equal(reply.code, code, `expected ${code}, heard ${show(reply.raw)}\n${this.#told()}`);
    return reply;
  }

  /** Sends a whole message, with its dots stuffed. Sender, DATA and each command before them must be right. */
  async send({ from, to, text }: Mail): Promise<Replies> {
    await this.expect(250, `MAIL FROM:<${from}>${/[\x80-\xff]/.test(text) ? " BODY=8BITMIME" : ""}`);
    const recipients: Reply[] = [];
    for (const recipient of to) recipients.push(await this.ask(`RCPT TO:<${recipient}>`));
    await this.expect(354, "DATA");
    await this.say(`${text.replace(/^\./gm, "..")}.\r\n`);
    return { recipients, end: await this.hear() };
  }

  /** A polite end. */
  async quit(): Promise<void> {
    await this.expect(221, "QUIT");
    this.close();
  }

  /** Waits until the peer closes; what came before that and was not yet heard. */
  async end(): Promise<string> {
    const closing = async () => {
      while (!this.#over) await this.#more();
    };
    await within(closing(), () => `the peer to close; had ${show(this.#input)}\n${this.#told()}`);
    const rest = this.#input;
    this.#input = "";
    return rest;
  }

  /** The peer must close now, with not another byte. */
  async expectEnd(): Promise<void> {
    assert.equal(await this.end(), "", `octets after the last reply\n${this.#told()}`);
  }

  finish(): void {
    this.#dialogue.push("C: (closes its writing side)");
    this.#wire.end();
  }

  close(): void {
    this.#dialogue.push("C: (closes)");
    this.#wire.close();
  }

  reset(): void {
    this.#dialogue.push("C: (resets)");
    this.#wire.reset();
  }

  async #taken(writes: readonly Uint8Array[]): Promise<void> {
    const all = Promise.all(writes.map((octets) => this.#wire.say(octets)));
    await within(all, () => `the peer to take what was said\n${this.#told()}`);
  }

  async #nextReply(): Promise<Reply> {
    for (;;) {
      const reply = parseReply(this.#input);
      if (reply) {
        this.#input = this.#input.slice(reply.raw.length);
        this.#dialogue.push(`S: ${show(reply.raw)}`);
        return reply;
      }
      if (this.#over) throw new Error(`The peer closed in place of a reply; had ${show(this.#input)}\n${this.#told()}`);
      await this.#more();
    }
  }

  #more(): Promise<void> {
    return new Promise((wake) => {
      this.#wake = wake;
    });
  }

  #told(): string {
    return this.#dialogue.slice(-30).join("\n");
  }
}

/** The first reply of the text, or undefined while it is not whole. Throws where no reply can come of it. */
export function parseReply(text: string): Reply | undefined {
  const lines: string[] = [];
  let code = "";
  for (let at = 0;;) {
    const end = text.indexOf("\n", at);
    if (end < 0) return undefined;
    const line = text.slice(at, end + 1);
    const parts = /^([0-9]{3})(?:([ -])([^\r\n]*))?\r\n$/.exec(line);
    assert.ok(parts, `not a reply line: ${show(line)}`);
    code ||= parts[1]!;
    assert.equal(parts[1], code, `two codes in one reply: ${show(text.slice(0, end + 1))}`);
    lines.push(parts[3] ?? "");
    at = end + 1;
    if (parts[2] !== "-") return { code: Number(code), lines, raw: text.slice(0, at), text: text.slice(0, at - 2) };
  }
}

/** A client over TCP to 127.0.0.1, or over a unix socket. */
export async function connectTo(address: Address): Promise<Client> {
  const where = "path" in address
    ? { path: address.path }
    : { host: "127.0.0.1", port: address.port, localAddress: address.localAddress };
  const socket = createConnection({ ...where, allowHalfOpen: true });
  const client = new Client(socketWire(socket));
  const connected = new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  await within(connected, "a connection");
  return client;
}
