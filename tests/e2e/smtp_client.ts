// The stranger on the network: a small SMTP client for the end-to-end tests.
//
// It speaks from 127.0.0.2, so that a log which names the original client cannot do so by accident; Deno.connect cannot
// choose its own address, hence node:net. Text is held in binary strings (one character, one octet), so that
// 8-bit content is compared as octets. It never corrects what it is told to say: sendMessage() alone stuffs dots.
// A reply that does not come within a minute is an error, and so is a connection that ends in the middle of one.

import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { strict as assert } from "node:assert";
import { within } from "../rig/wait.ts";

const WHOLE_REPLY = /^(?:\d{3}-[^\r\n]*\r\n)*\d{3}(?: [^\r\n]*)?\r\n/;

/** The address that the client speaks from. */
export const CLIENT_ADDRESS = "127.0.0.2";

/** The name that the client gives in its EHLO. */
export const CLIENT_NAME = "stranger.example";

export class SmtpClient {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  #heard = "";
  #over = false;
  #wake = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#over = true;
        this.#wake();
        resolve();
      });
    });
    socket.on("data", (octets: Uint8Array) => {
      this.#heard += Buffer.from(octets).toString("latin1");
      this.#wake();
    });
    // A reset shows as the end of the conversation: "close" always follows.
    socket.on("error", () => {});
  }

  /** A connection to 127.0.0.1:port whose greeting was not read yet. */
  static async connect(port: number): Promise<SmtpClient> {
    const socket = connect({ host: "127.0.0.1", port, localAddress: CLIENT_ADDRESS, noDelay: true });
    const client = new SmtpClient(socket);
    await within(
      new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject)),
      `a connection to port ${port}`,
    );
    return client;
  }

  /** A connection that was greeted and has said EHLO. */
  static async greet(port: number): Promise<SmtpClient> {
    const client = await SmtpClient.connect(port);
    try {
      expectCode(await client.hear(), 220);
      await client.expect(250, `EHLO ${CLIENT_NAME}`);
      return client;
    } catch (error) {
      await client.vanish();
      throw error;
    }
  }

  /** Sends octets as they are. */
  send(octets: string): void {
    this.#socket.write(Buffer.from(octets, "latin1"));
  }

  /** The next whole reply; its lines stay joined by CRLF, the last one is taken off. */
  async hear(): Promise<string> {
    const reply = await this.#hearUnlessOver();
    if (reply === undefined) throw new Error(`the connection ended; heard before: ${JSON.stringify(this.#heard)}`);
    return reply;
  }

  /** Whatever is still said until the other end closes. */
  async hearToTheEnd(): Promise<string> {
    await within(this.#closed, "the end of the connection");
    return this.#heard;
  }

  /** One command and its one whole reply. */
  async ask(command: string): Promise<string> {
    this.send(`${command}\r\n`);
    return await this.hear();
  }

  /** One command whose reply has to begin with `code`. */
  async expect(code: number, command: string): Promise<string> {
    const reply = await this.ask(command);
    expectCode(reply, code, command);
    return reply;
  }

  /** A whole message on this connection: the replies to its recipients, and the one to its final dot. */
  async sendMessage(message: Message): Promise<Replies> {
    await this.expect(250, `MAIL FROM:<${message.from}>${message.text.match(/[\x80-\xff]/) ? " BODY=8BITMIME" : ""}`);
    const recipients: string[] = [];
    for (const to of message.to) recipients.push(await this.ask(`RCPT TO:<${to}>`));
    await this.expect(354, "DATA");
    this.send(stuffDots(message.text) + ".\r\n");
    return { recipients, end: await this.hear() };
  }

  /** A polite end. */
  async quit(): Promise<void> {
    try {
      await this.expect(221, "QUIT");
    } finally {
      await this.vanish();
    }
  }

  /** Gone without a word; what was sent before still travels. */
  async vanish(): Promise<void> {
    this.#socket.end();
    this.#socket.destroySoon();
    await within(this.#closed, "the connection's end on our side");
  }

  /** Gone at once, by a reset. */
  async reset(): Promise<void> {
    this.#socket.resetAndDestroy();
    await within(this.#closed, "the connection's end on our side");
  }

  async #hearUnlessOver(): Promise<string | undefined> {
    while (true) {
      const found = this.#heard.match(WHOLE_REPLY)?.[0];
      if (found !== undefined) {
        this.#heard = this.#heard.slice(found.length);
        return found.slice(0, -2);
      }
      if (this.#over) return undefined;
      const more = new Promise<void>((resolve) => this.#wake = resolve);
      await within(more, `a reply; heard so far: ${JSON.stringify(this.#heard)}`);
    }
  }
}

export interface Message {
  from: string;
  to: readonly string[];
  /** CRLF lines, dots not stuffed, ends in CRLF. */
  text: string;
}

export interface Replies {
  recipients: string[];
  end: string;
}

/** One message on a connection of its own. */
export async function sendMail(port: number, message: Message): Promise<Replies> {
  const client = await SmtpClient.greet(port);
  try {
    const replies = await client.sendMessage(message);
    await client.quit();
    return replies;
  } finally {
    await client.vanish();
  }
}

export function expectCode(reply: string, code: number, context = "greeting"): void {
  assert.equal(reply.slice(0, 3), String(code), `${context}: ${reply}`);
}

function stuffDots(text: string): string {
  return ("\r\n" + text).replaceAll("\r\n.", "\r\n..").slice(2);
}
