// Downstream in the fuzz: a strict server that knows what it has heard, and answers as the input says.
//
// It listens strictly: one command at a time, and none before the whole reply to the last one; CRLF and legal lines;
// content only after its own 354, up to CR LF . CR LF alone. Any violation is a complaint, without excuse. The input
// decides what it says. A `request` is anything that wants a reply. The greeting is the reply to the connection.

import type { Peer } from "../rig/peer.ts";
import { octets, randomCut, seeded } from "../rig/octets.ts";
import type { Answer } from "./input.ts";
import { ReplyScan } from "../rig/replies.ts";
import { type Request, ServerSession, verbOfRequest } from "../rig/server_session.ts";

/** A request, and when it was said: on the clock, and in the order of events. */
export interface TimedRequest extends Request {
  readonly time: number;
  readonly stamp: number;
  /** On the clock: when its reply was whole. */
  replied?: number;
}

interface Packet {
  readonly start: number;
  readonly end: number;
  readonly stamp: number;
}

const RIGHT: Readonly<Record<string, number>> = {
  greeting: 220,
  HELO: 250,
  EHLO: 250,
  MAIL: 250,
  RCPT: 250,
  RSET: 250,
  NOOP: 250,
  QUIT: 221,
  AUTH: 334,
  XFORWARD: 250,
  VRFY: 252,
  HELP: 214,
  ETRN: 250,
  dot: 250,
};

const KEYWORDS =
  "PIPELINING,SIZE 50000,STARTTLS,AUTH PLAIN LOGIN,CHUNKING,8BITMIME,DSN,XCLIENT NAME ADDR,XFORWARD NAME ADDR HELO,BINARYMIME,SMTPUTF8";

export class Mx extends ServerSession {
  readonly peer: Peer;
  readonly scan = new ReplyScan(true);
  declare readonly requests: TimedRequest[];
  /** It left, fell silent, spoke out of turn or not in SMTP. Then any reaction of its client is excused. */
  misbehaved = false;
  calm = false;
  #answers: Answer[];
  readonly #now: () => number;
  readonly #stamp: () => number;
  /** Its text since the start of the last reply that was heard. */
  #packets: Packet[] = [];
  #answered = 0;
  #replied = 0;
  #due: { at: number; answer: Answer; verb: string } | undefined;
  #serial = 0;
  #hasMail = false;
  #hasRcpt = false;
  #left = false;
  #octetByOctet: boolean;

  constructor(peer: Peer, answers: readonly Answer[], { now, stamp }: { now: () => number; stamp: () => number }) {
    super();
    this.peer = peer;
    this.#answers = [...answers];
    this.#now = now;
    this.#stamp = stamp;
    this.#octetByOctet = peer.octetByOctet;
    this.begin("greeting", "", true);
  }

  /** When it will say something, on the clock. */
  get due(): number | undefined {
    return this.#due?.at;
  }

  /** A request waits for its reply, and none will come by itself. */
  get owes(): boolean {
    return !this.#left && !this.#due && this.scan.replies.length < this.requests.length;
  }

  /** Answers what it has to answer by now; false when there was nothing to do. */
  react(): boolean {
    let acted = false;
    for (;;) {
      if (!this.#due) {
        const request = this.requests[this.#answered];
        if (!request?.whole || this.#left) return acted;
        this.#answered++;
        const verb = verbOfRequest(request);
        const answer = this.calm ? {} as Answer : this.#takeAnswer(verb, this.#answered - 1);
        this.#due = { at: this.#now() + (answer.delay ?? 0), answer, verb };
      }
      if (this.#due.at > this.#now() && !this.calm) return acted;
      const { answer, verb } = this.#due;
      this.#due = undefined;
      this.#answer(answer, verb);
      acted = true;
    }
  }

  /** Says `text`, in its turn or not. */
  say(text: string): void {
    if (this.#left || text === "") return;
    this.peer.say(octets(text));
    const start = this.scan.length;
    this.scan.push(text);
    this.#packets.push({ start, end: this.scan.length, stamp: this.#stamp() });
    const heard = Math.min(this.scan.replies.length, this.requests.length);
    for (; this.#replied < heard; this.#replied++) this.requests[this.#replied]!.replied = this.#now();
    if (this.scan.bad !== undefined || this.scan.replies.length > this.requests.length) this.misbehaved = true;
    // Also the beginning of a reply that nobody asked for.
    if (this.scan.replies.length === this.requests.length && this.scan.unfinished > 0) this.misbehaved = true;
  }

  leave(how: "ends" | "closes" | "resets"): void {
    if (this.#left) return;
    this.#left = true;
    this.misbehaved = true;
    this.#due = undefined;
    if (how === "ends") this.peer.end();
    else if (how === "closes") this.peer.close();
    else this.peer.reset();
  }

  /** Whether the proxy has heard the reply to what it said last, and nothing besides. */
  protected override objection(text: string): string | undefined {
    const { replies, bad } = this.scan;
    const count = this.requests.length;
    if (replies.length < count) return bad === undefined ? "before the reply was whole" : "after what is no reply";
    // The next reply has begun already, and the proxy could know it.
    const end = replies[count - 1]!.end;
    this.#packets = this.#packets.filter((packet) => packet.end > end);
    const stale = this.#packets.find(({ stamp, start }) =>
      stamp < this.#stamp() || (!this.#octetByOctet && start < end)
    );
    // A farewell does no harm: nobody listens to the reply.
    return stale && text !== "QUIT\r\n" ? "although a reply had come that nobody asked for" : undefined;
  }

  protected override code(): number {
    return this.scan.replies[this.requests.length - 1]?.code ?? 0;
  }

  protected override begin(kind: Request["kind"], text: string, whole: boolean): void {
    this.requests.push({ kind, text, whole, time: this.#now(), stamp: this.#stamp() });
  }

  #takeAnswer(verb: string, number: number): Answer {
    const at = this.#answers.findIndex(({ to }) => to === verb || to === number);
    return at === -1 ? { to: verb } : this.#answers.splice(at, 1)[0]!;
  }

  #answer(answer: Answer, verb: string): void {
    const right = this.#rightCode(verb);
    const text = answer.raw !== undefined
      ? answer.raw.replaceAll("{}", String(right))
      : this.#reply(answer.code ?? right, verb, answer.lines ?? 1);
    const replies = this.scan.replies.length;
    if (answer.cut) {
      for (const packet of randomCut(text, answer.cut.length, seeded(answer.cut.seed))) this.say(packet);
    } else this.say(text);
    const said = this.scan.replies[replies];
    if (said) this.#learn(verb, Math.floor(said.code / 100), said.code);
    else this.misbehaved = true;
    if (answer.then === "stalls") this.stall();
    else if (answer.then) this.leave(answer.then);
    else if (verb === "QUIT" && said && said.code < 300) {
      this.#left = true;
      this.peer.close();
    }
  }

  stall(): void {
    this.misbehaved = true;
    this.peer.stallWrites();
  }

  /** Takes data again. Its earlier text counts from now, because the proxy read nothing while its write hung. */
  take(): void {
    if (this.peer.isStalled) this.#packets = this.#packets.map((packet) => ({ ...packet, stamp: this.#stamp() }));
    this.peer.takeWrites();
  }

  #reply(code: number, verb: string, lines: number): string {
    const words = [`r${this.#serial++}`];
    if (verb === "EHLO" && code === 250) words.push(...KEYWORDS.split(","));
    else for (let line = 1; line < lines; line++) words.push(`r${this.#serial++} more`);
    return words.map((word, at) => `${code}${at < words.length - 1 ? "-" : " "}${word}\r\n`).join("");
  }

  #rightCode(verb: string): number {
    if (verb === "MAIL" && this.#hasMail) return 503;
    if (verb === "RCPT" && !this.#hasMail) return 503;
    if (verb === "DATA") return this.#hasRcpt ? 354 : 503;
    if (verb === "line") {
      return this.requests[this.#answered - 1]!.text === "*\r\n" ? 501 : this.#serial % 2 ? 334 : 235;
    }
    return RIGHT[verb] ?? 500;
  }

  // Its client must endure this. So it is not right behaviour of the server.
  #learn(verb: string, kind: number, code: number): void {
    const mail = verb === "MAIL";
    if (kind === 2 && mail) this.#hasMail = true;
    if (kind === 2 && verb === "RCPT") this.#hasRcpt = true;
    if (verb === "dot" || (kind === 2 && /^(?:RSET|EHLO|HELO|MAIL)$/.test(verb))) {
      this.#hasMail = mail;
      this.#hasRcpt = false;
    }
    const asked = ((verb === "AUTH" || verb === "line") && code === 334) || (verb === "DATA" && code === 354);
    if ((kind === 3 && !asked) || (kind === 2 && verb === "DATA") || code === 421) this.misbehaved = true;
    if (verb === "line" && kind === 3 && this.requests[this.#answered - 1]!.text === "*\r\n") this.misbehaved = true;
    if (verb === "RSET" && kind !== 2) this.misbehaved = true;
    if (verb === "greeting" && kind !== 2) this.misbehaved = true;
  }
}
