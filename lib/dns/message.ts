// Questions to a name server and its answers, as octets (RFC 1035 s.4). Pure.
//
// A question asks for recursion and has no EDNS. So an answer of more than 512 octets comes by TCP. An answer may hold
// anything. `parseAnswer` gives undefined if it does not belong to the question, and throws a `MalformedAnswer` if it
// does but cannot be read. If there are very many records, only the first ones are read, because their text can be much
// longer than the answer. Names have no final dot. Octets that cannot be part of a host name are escaped as in RFC 1035
// s.5.1. So one label cannot look like two.

import type { RecordType } from "../ports/runtime.ts";
import { bytesOf, concat, textOf } from "../text/octets.ts";
import { NAME_LIMIT } from "../text/domain.ts";

export interface Question {
  /** 16 bits. */
  readonly id: number;
  /** In the form of `dnsName`. */
  readonly name: string;
  readonly type: RecordType;
}

export interface Answer {
  /** RCODE: 0 is no error, 3 means that the name does not exist. */
  readonly code: number;
  /** The answer did not fit into a datagram, so it was not read. */
  readonly truncated: boolean;
  /** In the form of `Resolver.resolve`. */
  readonly records: readonly string[];
  /** Whether `records` has all that exist: the server knows them itself, or has asked the servers that do. */
  readonly isWhole: boolean;
}

export class MalformedAnswer extends Error {
  override readonly name = "MalformedAnswer";
}

const TYPES: Readonly<Record<RecordType | "CNAME", number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
};
const CLASS_IN = 1;

// Flags of the header.
const RESPONSE = 0x8000;
const AUTHORITATIVE = 0x0400;
const TRUNCATED = 0x0200;
const RECURSION_DESIRED = 0x0100;
const RECURSION_AVAILABLE = 0x0080;
const CODE = 0x000f;

const HEADER_SIZE = 12;

// Nobody needs more. Each record may point to a name of 253 octets that stands in the answer once.
const RECORDS_LIMIT = 100;

export function formatQuestion({ id, name, type }: Question): Uint8Array {
  const labels = name.split(".").map(bytesOf);
  return concat([
    ...[id, RECURSION_DESIRED, 1, 0, 0, 0].map(uint16),
    ...labels.flatMap((label) => [Uint8Array.of(label.length), label]),
    Uint8Array.of(0),
    ...[TYPES[type], CLASS_IN].map(uint16),
  ]);
}

/** The answer in `octets` to `question`; undefined if they are no answer to it. Throws a `MalformedAnswer`. */
export function parseAnswer(octets: Uint8Array, { id, name, type }: Question): Answer | undefined {
  if (octets.length < HEADER_SIZE) return undefined;
  const reader = new Reader(octets);
  const [itsId, flags, questions, count] = [reader.uint16(), reader.uint16(), reader.uint16(), reader.uint16()];
  if (itsId !== id || (flags & RESPONSE) === 0 || questions !== 1) return undefined;
  reader.at = HEADER_SIZE;
  const asked = { name: reader.name(), type: reader.uint16(), class: reader.uint16() };
  if (!isSameName(asked.name, name) || asked.type !== TYPES[type] || asked.class !== CLASS_IN) return undefined;
  const code = flags & CODE;
  const truncated = (flags & TRUNCATED) !== 0;
  if (code !== 0 || truncated) return { code, truncated, records: [], isWhole: false };
  const all = Array.from({ length: Math.min(count, RECORDS_LIMIT) }, () => reader.record());
  const owner = followAliases(name, all);
  const records = all.filter((record) => isSameName(record.owner, owner) && record.type === TYPES[type])
    .map(({ data }) => dataText(type, data));
  // If an alias leads out of its zone, a server that does not recurse knows nothing about the target.
  const knows = isSameName(owner, name) ? AUTHORITATIVE | RECURSION_AVAILABLE : RECURSION_AVAILABLE;
  return { code, truncated, records, isWhole: (flags & knows) !== 0 && count <= RECORDS_LIMIT };
}

/** Two octets, the more significant one first. */
export function uint16(number: number): Uint8Array {
  return Uint8Array.of(number >> 8, number & 0xff);
}

interface ResourceRecord {
  readonly owner: string;
  readonly type: number;
  readonly data: Reader;
}

function isSameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

// The records may stand in any order (RFC 1034 s.4.3.1 promises none).
function followAliases(name: string, records: readonly ResourceRecord[]): string {
  const aliases = new Map<string, string>();
  for (const { owner, type, data } of records) {
    if (type === TYPES.CNAME) aliases.set(owner.toLowerCase(), data.name());
  }
  let owner = name;
  for (let steps = 0; steps <= aliases.size; steps++) {
    const alias = aliases.get(owner.toLowerCase());
    if (alias === undefined) return owner;
    owner = alias;
  }
  throw new MalformedAnswer(`the aliases of ${name} lead round in a circle`);
}

function dataText(type: RecordType, data: Reader): string {
  switch (type) {
    case "A":
      return Array.from(data.take(4)).join(".");
    case "AAAA":
      return Array.from({ length: 8 }, () => data.uint16().toString(16)).join(":");
    case "MX":
      // Its preference.
      data.uint16();
      return data.name();
    case "NS":
    case "PTR":
      return data.name();
    case "TXT":
      return textOf(concat(data.strings()));
  }
}

/** Reads an answer from `at` to `end`. Throws a `MalformedAnswer` beyond the end. */
class Reader {
  at: number;
  readonly #octets: Uint8Array;
  readonly #end: number;

  constructor(octets: Uint8Array, at = 0, end = octets.length) {
    this.#octets = octets;
    this.at = at;
    this.#end = end;
  }

  take(count: number): Uint8Array {
    const from = this.#pass(count);
    return this.#octets.subarray(from, this.at);
  }

  uint8(): number {
    return this.#octets[this.#pass(1)]!;
  }

  uint16(): number {
    return this.uint8() << 8 | this.uint8();
  }

  /** The strings of a text, up to the end (RFC 1035 s.3.3.14). */
  strings(): Uint8Array[] {
    const strings = [];
    while (this.at < this.#end) strings.push(this.take(this.uint8()));
    return strings;
  }

  record(): ResourceRecord {
    const owner = this.name();
    const type = this.uint16();
    // Its class and time to live.
    this.take(6);
    const size = this.uint16();
    const start = this.at;
    this.take(size);
    return { owner, type, data: new Reader(this.#octets, start, this.at) };
  }

  #pass(count: number): number {
    const from = this.at;
    this.at += count;
    if (this.at > this.#end) throw new MalformedAnswer("answer that ends too early");
    return from;
  }

  /** A name. It may end with a pointer to an earlier one (RFC 1035 s.4.1.4). */
  name(): string {
    const labels: string[] = [];
    this.#readLabels(labels, NAME_LIMIT + 1);
    return labels.join(".");
  }

  // Each label and each pointer uses up some of the `room` for the name. So a circle of pointers ends.
  #readLabels(labels: string[], room: number): void {
    const length = this.uint8();
    if (length === 0) return;
    if (length < 0x40 && length < room) {
      labels.push(labelText(this.take(length)));
      return this.#readLabels(labels, room - length - 1);
    }
    if (length < 0xc0 || room === 0) throw new MalformedAnswer("name that is malformed or too long");
    const to = (length & 0x3f) << 8 | this.uint8();
    new Reader(this.#octets, to).#readLabels(labels, room - 1);
  }
}

function labelText(label: Uint8Array): string {
  return String.fromCharCode(...label)
    .replace(/[^!-~]|[.\\]/g, (character) => `\\${String(character.charCodeAt(0)).padStart(3, "0")}`);
}
