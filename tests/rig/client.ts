// A raw SMTP client for tests, over a TCP socket or a pair of pipes.
//
// Text is "binary": one character is one byte (latin1), so that a table can spell any byte. `say` sends exactly what it is
// given, `hear` waits for one whole reply, `ask` does both. Each reply must be legal on the wire: three digits, one code in
// all its lines, CRLF at the end of each. Nothing waits for ever: every wait has a deadline, which only matters when a test
// fails, and the error then shows the dialogue so far. Writing to a peer that has gone is no error; what is heard counts.

import assert from "node:assert/strict";
import { createConnection, type Socket } from "node:net";
import { octets, show, spelled } from "./octets.ts";
import { DEADLINE, within } from "./wait.ts";

/** One whole reply: its code, the texts of its lines, and its bytes. */
export interface Reply {
  readonly code: number;
  readonly lines: readonly string[];
  readonly raw: string;
}

/** What a client needs of its connection. */
export interface Wire {
  write(bytes: Uint8Array): Promise<void>;
  /** Says that nothing more will be written (FIN, or end of file on a pipe). */
  finish(): void;
  close(): void;
  /** Closes with RST, where there is such a thing. */
  reset(): void;
}

export class Client {
  #wire: Wire;
  #input = "";
  #over = false;
  #wake: () => void = () => {};
  #dialogue: string[] = [];

  constructor(open: (client: Client) => Wire) {
    this.#wire = open(this);
  }

  /** For the wire: bytes have come. */
  arrived(text: string): void {
    this.#input += text;
    this.#wake();
  }

  /** For the wire: nothing more will come. */
  ended(): void {
    this.#over = true;
    this.#wake();
  }

  /** What has come and was not yet heard. */
  get unheard(): string {
    return this.#input;
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Sends exactly these bytes. */
  async say(text: string): Promise<void> {
    this.#dialogue.push(`C: ${show(text)}`);
    await within(
      this.#wire.write(octets(text)).catch(() => {}),
      () => `the peer to take what was said\n${this.#told()}`,
    );
  }

  /** Sends these bytes, each in a write of its own. */
  async sayByteByByte(text: string): Promise<void> {
    this.#dialogue.push(`C: ${show(text)} byte by byte`);
    const all = octets(text);
    const writes = [];
    for (let i = 0; i < all.length; i++) {
      writes.push(this.#wire.write(all.subarray(i, i + 1)).catch(() => {}));
      if (i % 16 === 15) await within(Promise.all(writes), () => `the peer to take what was said\n${this.#told()}`);
    }
    await within(Promise.all(writes), () => `the peer to take what was said\n${this.#told()}`);
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
    assert.equal(await this.end(), "", `bytes after the last reply\n${this.#told()}`);
  }

  finish(): void {
    this.#dialogue.push("C: (closes its writing side)");
    this.#wire.finish();
  }

  close(): void {
    this.#dialogue.push("C: (closes)");
    this.#wire.close();
  }

  reset(): void {
    this.#dialogue.push("C: (resets)");
    this.#wire.reset();
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
    if (parts[2] !== "-") return { code: Number(code), lines, raw: text.slice(0, at) };
  }
}

/** Where a server listens. */
export type Address = { readonly port: number } | { readonly path: string };

/** A client over TCP on 127.0.0.1, or over a unix socket. */
export async function connectTo(address: Address): Promise<Client> {
  const socket = createConnection(
    "path" in address
      ? { path: address.path, allowHalfOpen: true }
      : { host: "127.0.0.1", port: address.port, allowHalfOpen: true },
  );
  const client = new Client((self) => socketWire(socket, self));
  const connected = new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  await within(connected, () => "a connection");
  socket.setNoDelay(true);
  return client;
}

/** A client on a program's standard input and output. */
export function clientOfPipes(child: Deno.ChildProcess): Client {
  const writer = child.stdin.getWriter();
  const finish = () => void writer.close().catch(() => {});
  return new Client((self) => {
    void readPipe(child.stdout, self);
    return { write: (data) => writer.write(data), finish, close: finish, reset: finish };
  });
}

async function readPipe(pipe: ReadableStream<Uint8Array>, client: Client): Promise<void> {
  try {
    for await (const chunk of pipe) client.arrived(spelled(chunk));
  } catch {
    // A pipe that breaks has ended.
  }
  client.ended();
}

function socketWire(socket: Socket, client: Client): Wire {
  socket.on("data", (chunk: Uint8Array) => client.arrived(spelled(chunk)));
  socket.on("end", () => client.ended());
  socket.on("close", () => client.ended());
  socket.on("error", () => {});
  return {
    write: (data) =>
      new Promise((resolve, reject) => socket.write(data, (error) => error ? reject(error) : resolve(undefined))),
    finish: () => void socket.end(),
    close: () => void socket.destroy(),
    reset: () => void socket.resetAndDestroy(),
  };
}
