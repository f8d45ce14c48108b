// A fake downstream SMTP server for tests, over real TCP on 127.0.0.1 (port 0) or a unix socket.
//
// It is a map from a verb to what happens then: a reply, a delay, silence, FIN or RST. Beside the verbs there are the keys
// CONNECT (the greeting), CONTENT (in mid-message, after so many bytes), "." (the final dot), "AUTH+" (a line of an AUTH
// exchange) and "*" (any other verb). A list is used up one by one, and its last entry stays. What is not in the map is
// answered like a plain Postfix. It records every byte: the command lines, each message as it was on the wire and decoded
// (CRLF . CRLF alone ends it), and as `violations` all that a correct client never does: bytes sent before the reply that
// they should have waited for, line ends other than CRLF, NULs in commands. Text is binary: one character is one byte.

import { type AddressInfo, createServer, type Server as Listener, type Socket } from "node:net";
import { type Address } from "./client.ts";
import { octets, show, spelled } from "./octets.ts";
import { DEADLINE, within } from "./wait.ts";

/** What the server does at one point; nothing given means the plain reply. */
export interface Step {
  /** Lines joined by CRLF; the last CRLF is added. */
  readonly reply?: string;
  /** Exact bytes in place of a reply. */
  readonly raw?: string;
  /** The reply goes out in pieces of so many bytes. */
  readonly pieces?: number;
  /** Waits for this before the reply. */
  readonly after?: Promise<unknown> | undefined;
  /** "silence": no reply at all, but the connection stays. */
  readonly then?: "close" | "reset" | "silence";
  /** CONTENT only: after so many bytes of the message. */
  readonly at?: number;
}

export type Answer = string | Step | ((line: string, session: Session) => string | Step);
export type Script = Record<string, Answer | readonly Answer[]>;

/** A message as it came. */
export interface Message {
  /** All bytes from after the 354 to the final CRLF . CRLF. */
  readonly wire: string;
  /** What it says: the wire without dot-stuffing and without the final dot line. */
  readonly text: string;
}

const PLAIN: Script = {
  CONNECT: "220 fake.example ESMTP ready",
  HELO: "250 fake.example",
  EHLO: "250-fake.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-XFORWARD NAME ADDR PROTO HELO\r\n250 SMTPUTF8",
  XFORWARD: "250 2.0.0 forwarded",
  MAIL: "250 2.1.0 sender ok",
  RCPT: "250 2.1.5 recipient ok",
  DATA: "354 end with a dot",
  ".": "250 2.0.0 queued as 4711",
  RSET: "250 2.0.0 reset",
  NOOP: "250 2.0.0 nothing done",
  QUIT: { reply: "221 2.0.0 bye", then: "close" },
  AUTH: "334 VXNlcm5hbWU6",
  "AUTH+": "235 2.7.0 welcome",
  "*": "500 5.5.2 unknown to the fake",
};

/** Keys of the map that no command line may reach. */
const RESERVED: readonly string[] = ["CONNECT", "CONTENT", ".", "AUTH+"];

/** One connection to the server. */
export class Session {
  /** Command lines as they came, without CRLF. */
  readonly lines: string[] = [];
  readonly messages: Message[] = [];
  readonly violations: string[] = [];
  /** Every byte that came. */
  received = "";
  /** Bytes of a message that was not finished. */
  partial = "";
  /** True once the other side has closed, or we have. */
  over = false;
  /** True once the other side has closed. */
  gone = false;
  #socket: Socket;
  #input = "";
  #wake: () => void = () => {};
  #changed: () => void;

  constructor(socket: Socket, changed: () => void) {
    this.#socket = socket;
    this.#changed = changed;
    socket.on("data", (chunk: Uint8Array) => {
      const text = spelled(chunk);
      this.received += text;
      this.#input += text;
      this.#notify();
    });
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.over = true;
        this.gone = true;
        this.#notify();
      });
    }
    socket.on("error", () => {});
  }

  /** The verbs that came, in capitals. */
  get verbs(): string[] {
    return this.lines.map(verbOf);
  }

  /** Forgets what was recorded so far. */
  forget(): void {
    this.lines.length = 0;
    this.messages.length = 0;
    this.violations.length = 0;
    this.received = "";
  }

  /** Sends bytes that nobody asked for. */
  send(raw: string): Promise<void> {
    return new Promise((sent) => this.#socket.write(octets(raw), () => sent()));
  }

  close(): void {
    this.#socket.end();
    this.over = true;
    this.#notify();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
    this.over = true;
    this.#notify();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Plays the server's part until the connection ends. */
  async converse(answerTo: (verb: string, line: string) => Step): Promise<void> {
    let code = await this.#perform(answerTo("CONNECT", ""), "the greeting");
    let inAuth = false;
    for (;;) {
      const line = await this.#nextLine();
      if (line === undefined) return;
      this.lines.push(line);
      const verb: string = inAuth ? "AUTH+" : RESERVED.includes(verbOf(line)) ? "*" : verbOf(line);
      this.#changed();
      code = await this.#perform(answerTo(verb, line), line);
      inAuth = (verb === "AUTH" || verb === "AUTH+") && code === 334;
      if (verb === "DATA" && code === 354) await this.#message(answerTo);
    }
  }

  async #message(answerTo: (verb: string, line: string) => Step): Promise<void> {
    const interruption = answerTo("CONTENT", "");
    let content = "\r\n"; // so that a dot at the very start is on a line of its own
    for (let from = 0;;) {
      const end = content.indexOf("\r\n.\r\n", from);
      if (interruption.at !== undefined && content.length > interruption.at) {
        await this.#perform(interruption, "content");
        if (this.over) return;
      }
      if (end >= 0) {
        const wire = content.slice(2, end + 5);
        this.#input = content.slice(end + 5);
        this.partial = "";
        this.messages.push({ wire, text: decodeMessage(wire) });
        this.#changed();
        await this.#perform(answerTo(".", "."), "the final dot");
        return;
      }
      from = Math.max(0, content.length - 4);
      if (this.#input === "") {
        if (this.over) return;
        await this.#more();
      }
      content += this.#input;
      this.#input = "";
      this.partial = content.slice(2);
    }
  }

  /** Does one step and returns the code of its reply, or 0. */
  async #perform(step: Step, cause: string): Promise<number> {
    await step.after;
    if (this.#input !== "") {
      this.violations.push(`${show(this.#input, 60)} came before the reply to ${show(cause, 60)}`);
    }
    const raw = step.raw ?? (step.reply === undefined ? "" : `${step.reply}\r\n`);
    for (let at = 0; raw !== "" && at < raw.length && !this.over; at += step.pieces ?? raw.length) {
      await this.send(raw.slice(at, at + (step.pieces ?? raw.length)));
      if (step.pieces) await new Promise((next) => setTimeout(next, 1));
    }
    if (step.then === "close") this.close();
    if (step.then === "reset") this.reset();
    const last = /(?:^|\n)([0-9]{3})(?: [^\n]*)?\r?\n$/.exec(raw);
    return last ? Number(last[1]) : 0;
  }

  async #nextLine(): Promise<string | undefined> {
    for (;;) {
      const end = this.#input.indexOf("\n");
      if (end >= 0) {
        const line = this.#input.slice(0, end + 1);
        this.#input = this.#input.slice(end + 1);
        if (!/^[^\r\n\0]*\r\n$/.test(line)) this.violations.push(`bad command line ${show(line, 60)}`);
        return line.endsWith("\r\n") ? line.slice(0, -2) : line.slice(0, -1);
      }
      if (this.over) {
        if (this.#input !== "") this.violations.push(`unfinished command line ${show(this.#input, 60)}`);
        return undefined;
      }
      await this.#more();
    }
  }

  #more(): Promise<void> {
    return new Promise((wake) => {
      this.#wake = wake;
    });
  }

  #notify(): void {
    this.#wake();
    this.#changed();
  }
}

export class Server {
  /** What happens in the sessions to come, and in those that run. */
  script: Script = {};
  sessions: Session[] = [];
  readonly address: Address;
  #listener: Listener;
  #used = new Map<string, number>();
  #waiting = new Set<() => void>();

  private constructor(listener: Listener, address: Address) {
    this.#listener = listener;
    this.address = address;
    listener.on("connection", (socket: Socket) => this.#accept(socket));
  }

  /** Starts a server on a port of 127.0.0.1, a free one if it is 0, or on a unix socket. */
  static async start(at: Address = { port: 0 }): Promise<Server> {
    const listener = createServer({ allowHalfOpen: true });
    await new Promise<void>((ready, failed) => {
      listener.once("error", failed);
      listener.listen("path" in at ? at : { ...at, host: "127.0.0.1" }, ready);
    });
    return new Server(listener, "path" in at ? at : { port: (listener.address() as AddressInfo).port });
  }

  /** As the program's operand. */
  get operand(): string {
    return "path" in this.address ? `unix:${this.address.path}` : `127.0.0.1:${this.address.port}`;
  }

  /** A new case: nothing is remembered, and this script holds. */
  reset(script: Script = {}): void {
    for (const session of this.sessions) session.destroy();
    this.sessions = [];
    this.script = script;
    this.#used.clear();
  }

  /** A new case in sessions that go on: what they recorded is forgotten, and this script holds. */
  renew(script: Script = {}): void {
    for (const session of this.sessions) {
      if (session.gone) session.destroy();
      else session.forget();
    }
    this.sessions = this.sessions.filter((session) => !session.gone);
    this.script = script;
    this.#used.clear();
  }

  /** Changes what one verb leads to from now on. */
  set(verb: string, answer: Answer | readonly Answer[]): void {
    this.script = { ...this.script, [verb]: answer };
    this.#used.delete(verb);
  }

  /** The newest session. */
  get last(): Session {
    const session = this.sessions.at(-1);
    if (!session) throw new Error("No session reached the fake downstream server");
    return session;
  }

  /** Command lines of all sessions. */
  get lines(): string[] {
    return this.sessions.flatMap((session) => session.lines);
  }

  get verbs(): string[] {
    return this.sessions.flatMap((session) => session.verbs);
  }

  get messages(): Message[] {
    return this.sessions.flatMap((session) => session.messages);
  }

  get violations(): string[] {
    return this.sessions.flatMap((session) => session.violations);
  }

  /** Every byte of all sessions. */
  get received(): string {
    return this.sessions.map((session) => session.received).join("");
  }

  /** Waits until the condition holds; it is looked at whenever something has come. */
  async until(holds: (self: Server) => boolean, what: string, deadline: number = DEADLINE): Promise<void> {
    if (holds(this)) return;
    let look = () => {};
    const seen = new Promise<void>((resolve) => {
      look = () => holds(this) ? resolve() : undefined;
    });
    this.#waiting.add(look);
    try {
      await within(seen, () => `${what} at the fake downstream, which saw ${show(this.received)}`, deadline);
    } finally {
      this.#waiting.delete(look);
    }
  }

  async stop(): Promise<void> {
    this.reset();
    await new Promise<void>((closed) => this.#listener.close(() => closed()));
  }

  #accept(socket: Socket): void {
    socket.setNoDelay(true);
    const changed = () => {
      for (const look of [...this.#waiting]) look();
    };
    const session = new Session(socket, changed);
    this.sessions.push(session);
    changed();
    void session.converse((verb, line) => this.#stepFor(verb, line, session));
  }

  #stepFor(verb: string, line: string, session: Session): Step {
    const key = verb in this.script || verb in PLAIN ? verb : "*";
    if (key === "CONTENT" && !(key in this.script)) return {};
    let answer = this.script[key] ?? PLAIN[key] ?? {};
    if (Array.isArray(answer)) {
      const used = this.#used.get(key) ?? 0;
      this.#used.set(key, used + 1);
      answer = answer[Math.min(used, answer.length - 1)] as Answer;
    }
    const step = typeof answer === "function" ? answer(line, session) : answer as string | Step;
    return typeof step === "string" ? { reply: step } : step;
  }
}

/** The verb as the server understands it, in capitals. */
export function verbOf(line: string): string {
  return line.trim().split(/[ \t\v\f]/, 1)[0]!.toUpperCase();
}

/** A message without dot-stuffing: only CRLF begins a line, and the last line is the dot. */
export function decodeMessage(wire: string): string {
  return wire.slice(0, -3).replace(/(^|\r\n)\./g, "$1");
}
