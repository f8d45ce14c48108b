// A fake scanner for tests, over real TCP on 127.0.0.1 or a unix socket.
//
// A `Protocol` says what a whole question is, and gives the answer. Any number of questions may come on a connection,
// one after another. With a `fault` the server does something else at one point. `isHealthy` ends that. It records the
// questions, and how many connections came.

import { createServer, type Server, type Socket } from "node:net";
import { bytesOf } from "../../lib/text/octets.ts";
import { freePort } from "../rig/ports.ts";

export interface Protocol {
  /** How many octets at the beginning of `received` are a whole question; undefined where more has to come. */
  lengthOf(received: Uint8Array): number | undefined;
  answer(question: Uint8Array): string | Uint8Array;
  /** The server closes the connection after an answer; or only where this says so of the question. */
  readonly closes?: boolean | ((question: Uint8Array) => boolean);
}

/**
 * When something goes wrong: as soon as there is a connection, with the first octets, after `half` octets, in place of the
 * answer, and after half of that.
 */
export const POINTS = ["connect", "request", "half request", "reply", "half reply"] as const;
export type Point = typeof POINTS[number];

/**
 * The fault. "slow": from there on the server takes one octet of the question at a time, and before it answers that is
 * all that is wrong; or it gives one octet of the answer at a time.
 */
export const FAULTS = ["close", "reset", "silent", "nonsense", "endless", "slow"] as const;
export type Fault = typeof FAULTS[number];

export interface FaultAt {
  readonly at: Point;
  readonly does: Fault;
  /** For "half request". */
  readonly half?: number;
  /** The server says this first. Without it, "nonsense" is octets that are nonsense in any protocol. */
  readonly says?: string | Uint8Array;
  /** For "slow": milliseconds between two octets. By default no time limit of a test is so long as all of them take. */
  readonly every?: number;
}

export const FAULTS_AT: readonly FaultAt[] = POINTS.flatMap((at) => FAULTS.map((does) => ({ at, does })));

const NONSENSE = "\u0001\u00ff nonsense \u2028 \n\r\n\0";
const ENDLESS = new Uint8Array(65_536).fill(0x41);
const SLOW = 1000;
const HALF = 64;

/** The part of an answer that is left, and whether the connection ends after it. */
interface Rest {
  readonly answer: Uint8Array;
  readonly isLast: boolean;
}

/** After how many octets of the question the server becomes slow; undefined if never. */
function slowAfter(fault: FaultAt | undefined): number | undefined {
  if (fault?.does !== "slow") return undefined;
  const counts: Partial<Record<Point, number>> = { "connect": 0, "request": 1, "half request": fault.half ?? HALF };
  return counts[fault.at];
}

export class FakeScanner implements AsyncDisposable {
  fault: FaultAt | undefined;
  /** Each answer waits for this. */
  patience: (() => Promise<unknown>) | undefined;
  /** The whole questions, in order. */
  readonly questions: Uint8Array[] = [];
  /** How many connections came. */
  connections = 0;
  readonly #protocol: Protocol;
  readonly #path: string | undefined;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  /** With a `path` it is a unix socket. */
  static async start(
    protocol: Protocol,
    { path, fault }: { path?: string; fault?: FaultAt } = {},
  ): Promise<FakeScanner> {
    const scanner = new FakeScanner(protocol, path);
    scanner.fault = fault;
    if (path === undefined) scanner.#port = await freePort();
    await scanner.restart();
    return scanner;
  }

  private constructor(protocol: Protocol, path: string | undefined) {
    this.#protocol = protocol;
    this.#path = path;
  }

  /** As an option has it. */
  get address(): string {
    return this.#path === undefined ? `127.0.0.1:${this.#port}` : `unix:${this.#path}`;
  }

  /** How many connections are open. */
  get open(): number {
    return this.#sockets.size;
  }

  isHealthy(): void {
    this.fault = undefined;
  }

  /** Listens again at the same address. */
  async restart(): Promise<void> {
    const server = this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      if (this.#path === undefined) server.listen(this.#port, "127.0.0.1", resolve);
      else server.listen(this.#path, resolve);
    });
  }

  /** Refuses connections from now on, and breaks those that there are. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server ? server.close(() => resolve()) : resolve());
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Breaks all connections, and waits until they are gone. New ones are welcome. */
  async dropAll(): Promise<void> {
    const closed = [...this.#sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve)));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  #serve(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("end", () => socket.end());
    const received = new Received();
    let isFaulty = false;
    let isSlow = false;
    const goesWrong = (at: Point, rest?: Rest) => {
      if (isFaulty || isSlow || this.fault?.at !== at) return isFaulty;
      isFaulty = true;
      this.#goWrong(socket, this.fault, rest);
      return true;
    };
    if (slowAfter(this.fault) === undefined && goesWrong("connect")) return void socket.resume();
    socket.on("data", (data: Uint8Array) => {
      const count = (slowAfter(this.fault) ?? Infinity) - received.length;
      if (!isSlow && !isFaulty && data.length >= count) {
        isSlow = true;
        this.#sip(socket, this.fault!);
        if (data.length > count) socket.unshift(data.subarray(count));
        data = data.subarray(0, count);
      }
      received.push(data);
      if (goesWrong("request")) return;
      if (received.length >= (this.fault?.half ?? HALF) && goesWrong("half request")) return;
      const lengthOf = () => received.length === 0 ? undefined : this.#protocol.lengthOf(received.octets);
      const reply = (question: Uint8Array) => {
        const said = this.#protocol.answer(question);
        const answer = typeof said === "string" ? bytesOf(said) : said;
        const { closes = false } = this.#protocol;
        const isLast = typeof closes === "function" ? closes(question) : closes;
        if (goesWrong("reply", { answer, isLast })) return;
        const half = Math.ceil(answer.length / 2);
        if (this.fault?.at === "half reply") socket.write(answer.subarray(0, half));
        if (goesWrong("half reply", { answer: answer.subarray(half), isLast })) return;
        socket.write(answer);
        if (isLast) socket.end();
      };
      for (let length = lengthOf(); length !== undefined && !isFaulty; length = lengthOf()) {
        const question = received.take(length);
        this.questions.push(question);
        if (this.patience) this.patience().then(() => reply(question), () => socket.destroy());
        else reply(question);
      }
    });
  }

  #goWrong(socket: Socket, fault: FaultAt, rest: Rest | undefined): void {
    const said = fault.says ?? (fault.does === "nonsense" ? NONSENSE : undefined);
    if (said !== undefined) return void socket.write(said, () => this.#do(socket, fault, rest));
    this.#do(socket, fault, rest);
  }

  #do(socket: Socket, fault: FaultAt, rest: Rest | undefined): void {
    switch (fault.does) {
      case "close":
        return void socket.end();
      case "reset":
        return void socket.resetAndDestroy();
      case "silent":
      case "nonsense":
        return;
      case "endless":
        return this.#flood(socket);
      case "slow":
        return this.#drip(socket, fault, rest!);
    }
  }

  #flood(socket: Socket): void {
    if (socket.destroyed) return;
    socket.write(ENDLESS, () => after(socket, 1, () => this.#flood(socket)));
  }

  /** Gives one octet at a time. */
  #drip(socket: Socket, fault: FaultAt, { answer, isLast }: Rest): void {
    if (socket.destroyed) return;
    if (answer.length === 0) return void (isLast && socket.end());
    socket.write(answer.subarray(0, 1));
    after(socket, fault.every ?? SLOW, () => this.#drip(socket, fault, { answer: answer.subarray(1), isLast }));
  }

  /** Takes one octet at a time. What the system takes meanwhile has its bounds, so a long question comes to a stop. */
  #sip(socket: Socket, fault: FaultAt): void {
    socket.pause();
    after(socket, fault.every ?? SLOW, () => {
      // It comes as "data".
      socket.read(1);
      this.#sip(socket, fault);
    });
  }
}

/** Calls `callback` after a delay, unless the socket is closed before that. */
function after(socket: Socket, delay: number, callback: () => void): void {
  if (socket.destroyed) return;
  const stop = () => clearTimeout(timer);
  const timer = setTimeout(() => {
    socket.off("close", stop);
    callback();
  }, delay);
  socket.once("close", stop);
}

/** The octets that came and are no whole question yet. It grows by doubling, because a question may have 50 MB. */
class Received {
  #buffer = new Uint8Array(65_536);
  length = 0;

  get octets(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }

  push(data: Uint8Array): void {
    if (this.length + data.length > this.#buffer.length) {
      const larger = new Uint8Array(2 * (this.length + data.length));
      larger.set(this.octets);
      this.#buffer = larger;
    }
    this.#buffer.set(data, this.length);
    this.length += data.length;
  }

  take(count: number): Uint8Array {
    const taken = this.#buffer.slice(0, count);
    this.#buffer.copyWithin(0, count, this.length);
    this.length -= count;
    return taken;
  }
}
