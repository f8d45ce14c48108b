// The scanners of a fuzz input, in memory: clamd, rspamd and spamd at their usual ports, and a second one of each.
//
// A scanner takes a whole question, and answers it by the message (tests/fakes/), or as an input says. It records each
// connection, so that the judge knows what the program was told.

import { IoError } from "../../lib/ports/io_error.ts";
import type { Address, Clock, Conn } from "../../lib/ports/runtime.ts";
import { bytesOf, concat } from "../../lib/text/octets.ts";
import { CLAMD, contentOf } from "../fakes/clamd.ts";
import { httpAnswer, messageIn, RSPAMD } from "../fakes/rspamd.ts";
import type { Protocol } from "../fakes/scanner.ts";
import { scannedIn, SPAMD, spamdAnswer } from "../fakes/spamd.ts";
import { spelled } from "../rig/octets.ts";
import { Peer } from "../rig/peer.ts";
import type { ScanAnswer, ScannerName } from "./input.ts";

export const SCANNER_PORTS: Readonly<Record<ScannerName, readonly [first: number, second: number]>> = {
  clamd: [3310, 3311],
  rspamd: [11333, 11343],
  spamd: [783, 784],
};

interface Scanner {
  readonly protocol: Protocol;
  readonly messageIn: (question: Uint8Array) => Uint8Array;
  /** What it says for each thing that it may give. */
  readonly answers: Readonly<Partial<Record<ScanAnswer["gives"], string>>>;
}

const rspamd = (json: string) => httpAnswer(json);

const SCANNERS: Readonly<Record<ScannerName, Scanner>> = {
  clamd: {
    protocol: CLAMD,
    messageIn: contentOf,
    answers: {
      clean: "stream: OK\0",
      caught: "stream: Fuzz.Test FOUND\0",
      error: "INSTREAM size limit exceeded. ERROR\0",
    },
  },
  rspamd: {
    protocol: RSPAMD,
    messageIn,
    answers: {
      clean: rspamd('{"action":"no action","score":0.5,"required_score":15}'),
      caught: rspamd('{"action":"reject"}'),
      later: rspamd('{"action":"soft reject"}'),
      discard: rspamd('{"action":"discard"}'),
      quarantine: rspamd('{"action":"quarantine"}'),
      marked: rspamd('{"action":"add header"}'),
      error: httpAnswer("{}", "500 No"),
    },
  },
  spamd: {
    protocol: SPAMD,
    messageIn: scannedIn,
    answers: {
      clean: spamdAnswer(0.1, "X-Spam-Status: No\n\n"),
      caught: spamdAnswer(99, "X-Spam-Flag: YES\n\n"),
      marked: spamdAnswer(6, "X-Spam-Flag: YES\n\n"),
      error: "SPAMD/1.1 76 EX_PROTOCOL\r\n\r\n",
    },
  },
};

const NONSENSE = "\x01\xff nonsense \n\r\n\0\r\n\r\n";

/** One connection to a scanner. */
export interface ScanRun {
  readonly of: ScannerName;
  readonly port: number;
  /** Which of the messages that were judged. */
  readonly message: number;
  readonly instruction: ScanAnswer | undefined;
  /** What it answers. A message may say that, in its field `X-Clamd`, `X-Rspamd` or `X-Spamd`. */
  gives?: ScanAnswer["gives"];
  /** The message that it was asked about, once the question was whole. */
  content?: string;
  /** When it was asked, and when the last octet of its answer was there, on the clock. */
  readonly startTime: number;
  endTime?: number;
}

interface Talk {
  readonly run: ScanRun;
  readonly peer: Peer;
  answer?: Uint8Array;
  due?: number;
}

export class Scanners {
  readonly runs: ScanRun[] = [];
  /** From now on they answer well. */
  calm = false;
  readonly #clock: Clock;
  readonly #instructions: ScanAnswer[];
  #talks: Talk[] = [];

  constructor(clock: Clock, instructions: readonly ScanAnswer[] = []) {
    this.#clock = clock;
    this.#instructions = [...instructions];
  }

  /** A connection to a scanner; undefined if none is there. Throws an `IoError` if it refuses. */
  connect(to: Address, message: number): Conn | undefined {
    const of = scannerAt(to);
    if (!of || to.transport !== "tcp") return undefined;
    const at = this.calm ? -1 : this.#instructions.findIndex((one) => one.of === of);
    const instruction = at === -1 ? undefined : this.#instructions.splice(at, 1)[0];
    const run: ScanRun = { of, port: to.port, message, instruction, startTime: this.#clock.now() };
    this.runs.push(run);
    if (instruction) run.gives = instruction.gives;
    if (instruction?.gives === "refusal") throw new IoError("refused", `cannot connect to ${of}`);
    const peer = new Peer();
    this.#talks.push({ run, peer });
    if (instruction?.isEarly) this.#say(this.#talks.at(-1)!);
    return peer.conn;
  }

  /** Whether one has a connection open. */
  get isBusy(): boolean {
    return this.#talks.some(({ peer }) => !peer.closed);
  }

  /** When the next answers are due. */
  get dues(): number[] {
    return this.#talks.flatMap(({ due }) => due ?? []);
  }

  /** Answers whole questions; whether there was something to do. */
  react(): boolean {
    let moved = false;
    this.#talks = this.#talks.filter(({ peer }) => !peer.closed);
    for (const talk of this.#talks) {
      const { run, peer } = talk;
      if (talk.due !== undefined && talk.due <= this.#clock.now()) {
        delete talk.due;
        this.#say(talk);
        moved = true;
      }
      if (run.content !== undefined) continue;
      const { protocol, messageIn } = SCANNERS[run.of];
      const heard = concat(peer.writes);
      const length = heard.length === 0 ? undefined : protocol.lengthOf(heard);
      if (length === undefined) continue;
      const question = heard.subarray(0, length);
      run.content = spelled(messageIn(question));
      const wish = new RegExp(`^X-${run.of}: (\\w+)`, "mi").exec(run.content)?.[1] as ScanAnswer["gives"] | undefined;
      run.gives ??= wish ?? "clean";
      talk.answer = answerOf(run);
      if (!run.instruction?.isEarly) talk.due = this.#clock.now() + (run.instruction?.delay ?? 0);
      moved = true;
    }
    return moved;
  }

  #say({ run, peer, answer = bytesOf(NONSENSE) }: Talk): void {
    const { cut, then = "ends" } = run.instruction ?? {};
    const { gives } = run;
    const whole = gives === "silence" ? new Uint8Array(0) : answer;
    const part = cut === undefined ? whole : whole.subarray(0, Math.min(cut, whole.length - 1));
    if (part.length > 0) peer.say(part);
    if (part === answer) run.endTime = this.#clock.now();
    if (then === "ends") peer.end();
    else if (then === "resets" && (cut !== undefined || gives === "silence")) peer.reset();
  }
}

function answerOf({ of, gives }: ScanRun): Uint8Array {
  return bytesOf(gives && SCANNERS[of].answers[gives] || NONSENSE);
}

/** The scanner at an address; undefined if downstream is there. */
export function scannerAt(to: Address): ScannerName | undefined {
  if (to.transport !== "tcp") return undefined;
  return (Object.keys(SCANNER_PORTS) as ScannerName[]).find((name) => SCANNER_PORTS[name].includes(to.port));
}
