// The fake SMTP server of the tests: over TCP on 127.0.0.1, over a unix socket, or in memory (`new
// Server().serve(wire)`).
//
// It has a map from a verb to its behaviour: a reply, a delay, silence, FIN or RST. There are more keys than verbs:
// CONNECT (the greeting), CONTENT (during the message, after some octets), "." (the final dot), "AUTH+" (a line of an
// AUTH exchange) and "*" (any other verb). A list is used up one by one, and its last entry stays. Anything that is not
// in the map is answered like a plain Postfix. It records every octet, the command lines, and each message as it was on
// the wire and decoded. `violations` has everything that a correct client never does (server_session.ts).

import { type AddressInfo, createServer, type Server as Listener, type Socket } from "node:net";
import { octets, show } from "./octets.ts";
import { decodeMessage, type Request, ServerSession, verbOf } from "./server_session.ts";
import { DEADLINE, within } from "./wait.ts";
import { type Address, socketWire, type Wire } from "./wire.ts";

/** The server's behaviour at one point. Without it, the server gives the plain reply. */
export interface Step {
  /** Lines joined by CRLF; the last CRLF is added. */
  readonly reply?: string;
  /** Exact octets in place of a reply. */
  readonly raw?: string;
  /** The reply goes out in pieces of so many octets. */
  readonly pieces?: number;
  /** Waits for this before the reply. */
  readonly after?: Promise<unknown> | undefined;
  /** "silence": no reply at all, but the connection stays. */
  readonly then?: "close" | "reset" | "silence";
  /** CONTENT only: after so many octets of the message. */
  readonly at?: number;
}

export type Answer = string | Step | ((line: string, session: Session) => string | Step);
export type Script = Record<string, Answer | readonly Answer[]>;

/** A message as it came. */
export interface Message {
  /** All octets from after the 354 to the final CRLF . CRLF. */
  readonly wire: string;
  /** The content: the wire without dot-stuffing and without the final dot line. */
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
export class Session extends ServerSession {
  /** Every octet that came. */
  received = "";
  /** True once the other side has closed, or we have. */
  over = false;
  /** True once the other side has closed. */
  gone = false;
  #wire: Wire;
  #changed: () => void;
  #wake: () => void = () => {};
  #answered = 0;
  #code = 0;

  constructor(wire: Wire, changed: () => void) {
    super();
    this.#wire = wire;
    this.#changed = changed;
    this.begin("greeting", "", true);
    wire.attend({ heard: (text) => this.#heard(text), ended: () => this.#ended() });
  }

  /** Command lines as they came, without their ends. */
  get lines(): string[] {
    return this.requests.filter(({ kind }) => kind === "command" || kind === "line").map(lineOf);
  }

  /** The verbs that came, in capitals. */
  get verbs(): string[] {
    return this.lines.map(verbOf);
  }

  get messages(): Message[] {
    return this.requests.filter(({ kind, whole }) => kind === "content" && whole)
      .map(({ text: wire }) => ({
        wire,
        get text() {
          return decodeMessage(wire);
        },
      }));
  }

  /** Octets of a message that was not finished. */
  get partial(): string {
    const last = this.requests.at(-1);
    return last?.whole === false ? last.text : "";
  }

  /** Forgets what was recorded so far; all of it has been answered. */
  forget(): void {
    this.requests.length = 0;
    this.violations.length = 0;
    this.received = "";
    this.#answered = 0;
    this.#code = 0;
  }

  /** Sends octets that nobody asked for. */
  async send(raw: string): Promise<void> {
    await this.#wire.say(octets(raw));
  }

  close(): void {
    this.#wire.end();
    this.#leave();
  }

  reset(): void {
    this.#wire.reset();
    this.#leave();
  }

  destroy(): void {
    this.#wire.close();
  }

  /** Plays the server's part until the connection ends. */
  async converse(answerTo: (verb: string, line: string) => Step): Promise<void> {
    for (;;) {
      const request = this.requests[this.#answered];
      if (!request) {
        if (this.over) return;
        await this.#more();
        continue;
      }
      if (request.kind === "content" && !await this.#hearMessage(request, answerTo("CONTENT", ""))) return;
      await this.#answer(answerTo(keyOf(request), lineOf(request)));
    }
  }

  protected override code(): number {
    return this.#answered === this.requests.length ? this.#code : 0;
  }

  protected override objection(): string | undefined {
    const open = this.requests[this.#answered];
    return open && `came before the reply to ${show(open.text, 60)}`;
  }

  /** Waits for the end of data, and does `interruption` before it; whether the end came. */
  async #hearMessage(request: Request, interruption: Step): Promise<boolean> {
    const { at = Infinity } = interruption;
    while (!request.whole && !this.over && request.text.length <= at) await this.#more();
    if (request.text.length > at) await this.#perform(interruption, () => {});
    while (!request.whole && !this.over) await this.#more();
    return request.whole;
  }

  async #answer(step: Step): Promise<void> {
    await this.#perform(step, (raw) => {
      // From here on the client may go on.
      this.#answered++;
      this.#code = Number(/(?:^|\n)([0-9]{3})(?: [^\n]*)?\r?\n$/.exec(raw)?.[1] ?? 0);
    });
  }

  /** Does one step; `last` is called right before the last of its octets go out. */
  async #perform(step: Step, last: (raw: string) => void): Promise<void> {
    await step.after;
    const raw = step.raw ?? (step.reply === undefined ? "" : `${step.reply}\r\n`);
    const size = step.pieces ?? (raw.length || 1);
    let at = 0;
    for (; at + size < raw.length && !this.over; at += size) {
      await this.send(raw.slice(at, at + size));
      await new Promise((next) => setTimeout(next, 1));
    }
    last(raw);
    if (raw !== "" && !this.over) await this.send(raw.slice(at));
    if (step.then === "close") this.close();
    if (step.then === "reset") this.reset();
  }

  #heard(text: string): void {
    this.received += text;
    // A server that has left takes part no more.
    if (!this.over) this.hear(text);
    this.#notify();
  }

  #ended(): void {
    if (!this.over && this.unfinished !== "") {
      this.violations.push(`an unfinished command line: ${show(this.unfinished, 60)}`);
    }
    this.gone = true;
    this.#leave();
  }

  #leave(): void {
    this.over = true;
    this.#notify();
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

/** Where the script has the answer to a request. */
function keyOf({ kind, text }: Request): string {
  if (kind === "greeting") return "CONNECT";
  if (kind === "line") return "AUTH+";
  if (kind === "content") return ".";
  return RESERVED.includes(verbOf(text)) ? "*" : verbOf(text);
}

function lineOf({ kind, text }: Request): string {
  return kind === "content" ? "." : text.replace(/\r?\n$/, "");
}

export class Server {
  /** The behaviour in the next sessions, and in those that run. */
  script: Script = {};
  sessions: Session[] = [];
  #listener: Listener | undefined;
  #used = new Map<string, number>();
  #waiting = new Set<() => void>();

  /** Starts a server on a port of 127.0.0.1, a free one if it is 0, or on a unix socket. */
  static async start(at: Address = { port: 0 }): Promise<Server> {
    const server = new Server();
    const listener = createServer({ allowHalfOpen: true }, (socket: Socket) => server.serve(socketWire(socket)));
    server.#listener = listener;
    await new Promise<void>((ready, failed) => {
      listener.once("error", failed);
      listener.listen("path" in at ? at : { ...at, host: "127.0.0.1" }, ready);
    });
    return server;
  }

  get address(): Address {
    const bound = this.#listener!.address() as string | AddressInfo;
    return typeof bound === "string" ? { path: bound } : { port: bound.port };
  }

  /** As the program's operand. */
  get operand(): string {
    const { address } = this;
    return "path" in address ? `unix:${address.path}` : `127.0.0.1:${address.port}`;
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
    await new Promise<void>((closed) => this.#listener ? this.#listener.close(() => closed()) : closed());
  }

  /** Serves a connection of any kind. */
  serve(wire: Wire): void {
    const changed = () => {
      for (const look of [...this.#waiting]) look();
    };
    const session = new Session(wire, changed);
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
