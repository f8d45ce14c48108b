// A name server on loopback, over UDP and TCP. A test decides its answers: right, wrong, or none.
//
// It runs on both runtimes, so it uses only node modules. Names in its answers are never compressed.

import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { parseIp } from "../../lib/text/ip.ts";
import { concat } from "../../lib/text/octets.ts";

export interface Question {
  /** As it was asked, without the final dot; the root is the empty string. */
  readonly name: string;
  /** "A", or the number of a type that is not in `TYPES`. */
  readonly type: string;
  readonly over: "udp" | "tcp";
  readonly id: number;
  /** Where it came from. */
  readonly port: number;
}

/** The octets of a name, or of each string of a text, are those of latin1. */
export interface DnsRecord {
  readonly name?: string;
  readonly type?: string;
  /** An address, a name, `10 name` for an MX, the strings of a text. */
  readonly data?: string | readonly string[];
  /** In place of `data`: the labels of a name that has a dot inside one. */
  readonly labels?: readonly string[];
}

export interface DnsAnswer {
  /** 0 no error, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED. */
  readonly code?: number;
  readonly records?: readonly DnsRecord[];
  readonly truncated?: boolean;
  /** In place of those of a server that knows and recurses. */
  readonly flags?: number;
  /** Added to the id of the question. */
  readonly idOffset?: number;
  /** Records that it promises, and does not hold. */
  readonly missing?: number;
  /** How many answers with another id go before it. */
  readonly forgeries?: number;
  /** In place of the name that was asked for. */
  readonly name?: string;
  /** Milliseconds before it is sent. */
  readonly delay?: number;
}

/** An answer, octets in place of one, or silence. */
export type DnsHandler = (question: Question) => DnsAnswer | Uint8Array | "silent";

const TYPES: Readonly<Record<string, number>> = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28 };

const HEADER_SIZE = 12;
const CLASS_IN = 1;
const TIME_TO_LIVE = 60;
const RESPONSE = 0x8100;
const TRUNCATED = 0x0200;
const KNOWS_AND_RECURSES = 0x0480;

// A port that is free for UDP may be taken for TCP.
const BIND_TRIES = 10;

export class DnsServer {
  readonly port: number;
  /** The questions, in order. */
  readonly questions: Question[] = [];
  handler: DnsHandler;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #conns = new Set<Socket>();
  /** Answers that are delayed. */
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  private constructor(udp: UdpSocket, tcp: Server, handler: DnsHandler) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.port = udp.address().port;
    this.handler = handler;
    udp.on("message", (query, from) => {
      const send = (answer: Uint8Array) => udp.send(answer, from.port, from.address, () => {});
      this.#answer(query, { over: "udp", port: from.port }, send);
    });
    tcp.on("connection", (socket) => this.#serve(socket));
  }

  /** Starts one, by default at 127.0.0.1, with a port that is free for UDP and TCP. */
  static async start(handler: DnsHandler, { address = "127.0.0.1" }: { address?: string } = {}): Promise<DnsServer> {
    for (let tries = 1;; tries++) {
      const udp = createSocket(address.includes(":") ? "udp6" : "udp4");
      udp.bind(0, address);
      await once(udp, "listening");
      try {
        const tcp = createServer().listen(udp.address().port, address);
        await once(tcp, "listening");
        return new DnsServer(udp, tcp, handler);
      } catch (error) {
        udp.close();
        if (tries === BIND_TRIES) throw error;
      }
    }
  }

  async close(): Promise<void> {
    for (const conn of this.#conns) conn.destroy();
    for (const timer of this.#timers) clearTimeout(timer);
    const closed = [once(this.#udp, "close"), once(this.#tcp, "close")];
    this.#udp.close();
    this.#tcp.close();
    await Promise.all(closed);
  }

  // RFC 1035 section 4.2.2: each message has its length in two octets before it.
  #serve(socket: Socket): void {
    this.#conns.add(socket);
    socket.on("close", () => this.#conns.delete(socket));
    socket.on("error", () => {});
    let received: Uint8Array = new Uint8Array(0);
    socket.on("data", (chunk: Uint8Array) => {
      received = concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + uint16(received, 0)) {
        const end = 2 + uint16(received, 0);
        this.#answer(received.slice(2, end), { over: "tcp", port: socket.remotePort ?? 0 }, (answer) => {
          socket.write(concat([octets16(answer.length), answer]));
        });
        received = received.slice(end);
      }
    });
  }

  #answer(query: Uint8Array, from: Pick<Question, "over" | "port">, send: (answer: Uint8Array) => void): void {
    const { end, ...asked } = parseQuestion(query);
    const question = { ...asked, ...from };
    this.questions.push(question);
    const answer = this.handler(question);
    if (answer === "silent") return;
    if (answer instanceof Uint8Array) return send(answer);
    for (let count = 1; count <= (answer.forgeries ?? 0); count++) {
      send(formatAnswer(query.slice(0, end), question, { ...answer, idOffset: count }));
    }
    const octets = formatAnswer(query.slice(0, end), question, answer);
    if (answer.delay === undefined) return send(octets);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      send(octets);
    }, answer.delay);
    this.#timers.add(timer);
  }
}

function parseQuestion(query: Uint8Array): Pick<Question, "id" | "name" | "type"> & { end: number } {
  const labels: string[] = [];
  let at = HEADER_SIZE;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(String.fromCharCode(...query.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  const number = uint16(query, at + 1);
  const type = Object.keys(TYPES).find((key) => TYPES[key] === number) ?? String(number);
  return { id: uint16(query, 0), name: labels.join("."), type, end: at + 5 };
}

// `query` ends with its question.
function formatAnswer(query: Uint8Array, question: Question, answer: DnsAnswer): Uint8Array {
  const { code = 0, records = [], truncated = false, flags = KNOWS_AND_RECURSES, idOffset = 0, missing = 0 } = answer;
  const asked = query.slice(HEADER_SIZE);
  return concat([
    ...[(question.id + idOffset) & 0xffff, RESPONSE | flags | (truncated ? TRUNCATED : 0) | code].map(octets16),
    ...[1, records.length + missing, 0, 0].map(octets16),
    answer.name === undefined ? asked : concat([nameOctets(answer.name.split(".")), asked.slice(-4)]),
    ...records.map((record) => recordOctets(record, question)),
  ]);
}

function recordOctets({ name, type, data = "", labels }: DnsRecord, question: Question): Uint8Array {
  const value = labels ? nameOctets(labels) : dataOctets(type ?? question.type, data);
  return concat([
    nameOctets((name ?? question.name).split(".")),
    ...[TYPES[type ?? question.type]!, CLASS_IN, 0, TIME_TO_LIVE, value.length].map(octets16),
    value,
  ]);
}

function dataOctets(type: string, data: string | readonly string[]): Uint8Array {
  if (typeof data !== "string") return concat(data.map((text) => concat([Uint8Array.of(text.length), latin1(text)])));
  if (type === "A" || type === "AAAA") return parseIp(data)!;
  if (type !== "MX") return nameOctets(data.split("."));
  const [preference = "", host = ""] = data.split(" ");
  return concat([octets16(Number(preference)), nameOctets(host.split("."))]);
}

function nameOctets(labels: readonly string[]): Uint8Array {
  const octets = labels.filter((label) => label !== "").map((label) => [Uint8Array.of(label.length), latin1(label)]);
  return concat([...octets.flat(), Uint8Array.of(0)]);
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function octets16(number: number): Uint8Array {
  return Uint8Array.of(number >> 8, number & 0xff);
}

function uint16(octets: Uint8Array, at: number): number {
  return octets[at]! << 8 | octets[at + 1]!;
}
