// Turns the text of a part into UTF-8 or another charset that contains ASCII, for the search for URLs. Pure.
//
// UTF-16 is recognized by its mark. It is also recognized by the part's declaration if the text fits. Everything else
// stays as it is. If a part is not declared to be a text, its beginning decides whether it is one.

import { NUL } from "../text/octets.ts";
import type { OctetSink } from "./transfer_codings.ts";

// This much of a part decides how it is read.
const BEGINNING = 512;

const ROOM = 8_192;
// A character of UTF-8 has up to four octets.
const CHARACTER = 4;

export interface TextKind {
  /** In lower case. */
  readonly charset: string;
  /** Whether the part is declared to be a text. */
  readonly isText: boolean;
}

/** Takes the text of parts. */
export interface TextSink extends OctetSink {
  begin(kind: TextKind): void;
  end(): void;
  /** Whether it wants no more of this part. */
  readonly isNone: boolean;
}

type Form = "unknown" | "plain" | "little endian" | "big endian" | "none";

export class TextReader implements OctetSink {
  readonly #sink: OctetSink;
  readonly #beginning = new Uint8Array(BEGINNING);
  readonly #room = new Uint8Array(ROOM);
  #length = 0;
  #kind: TextKind = { charset: "", isText: true };
  #form: Form = "unknown";
  /** The first octet of a UTF-16 unit, or -1. */
  #half = -1;
  /** The first unit of a surrogate pair, or 0. */
  #high = 0;

  constructor(sink: OctetSink) {
    this.#sink = sink;
  }

  /** Begins another part. */
  begin(kind: TextKind): void {
    this.#kind = kind;
    this.#form = "unknown";
    this.#length = this.#high = 0;
    this.#half = -1;
  }

  /** Whether the part is no text, so that nothing of it is read. */
  get isNone(): boolean {
    return this.#form === "none";
  }

  push(octets: Uint8Array, start: number, end: number): void {
    if (this.#form !== "unknown") return this.#read(octets, start, end);
    let at = start;
    while (at < end && this.#length < BEGINNING) this.#beginning[this.#length++] = octets[at++]!;
    if (this.#length < BEGINNING) return;
    this.#decide();
    this.#read(octets, at, end);
  }

  /** Ends the part. */
  end(): void {
    if (this.#form === "unknown" && this.#length > 0) this.#decide();
  }

  #decide(): void {
    const beginning = this.#beginning.subarray(0, this.#length);
    this.#form = formOf(beginning, this.#kind);
    this.#read(beginning, 0, beginning.length);
  }

  #read(octets: Uint8Array, start: number, end: number): void {
    if (this.#form === "plain") this.#sink.push(octets, start, end);
    else if (this.#form !== "none") this.#readUtf16(octets, start, end);
  }

  #readUtf16(octets: Uint8Array, start: number, end: number): void {
    const isLittle = this.#form === "little endian";
    let length = 0;
    for (let at = start; at < end; at++) {
      const octet = octets[at]!;
      if (this.#half < 0) {
        this.#half = octet;
        continue;
      }
      const unit = isLittle ? octet << 8 | this.#half : this.#half << 8 | octet;
      this.#half = -1;
      if (unit < 0x80) this.#room[length++] = unit;
      else length = this.#addWide(unit, length);
      if (length > ROOM - CHARACTER) {
        this.#sink.push(this.#room, 0, length);
        length = 0;
      }
    }
    if (length > 0) this.#sink.push(this.#room, 0, length);
  }

  // RFC 2781 s.2.2 and RFC 3629 s.3.
  #addWide(unit: number, length: number): number {
    const room = this.#room;
    let at = length;
    if (unit >= 0xd800 && unit < 0xdc00) {
      this.#high = unit;
      return at;
    }
    if (unit < 0x800) room[at++] = 0xc0 | unit >> 6;
    else if (unit >= 0xdc00 && unit < 0xe000) {
      const point = 0x10000 + ((this.#high & 0x3ff) << 10) + (unit & 0x3ff);
      room[at++] = 0xf0 | point >> 18;
      room[at++] = 0x80 | point >> 12 & 0x3f;
      room[at++] = 0x80 | point >> 6 & 0x3f;
    } else {
      room[at++] = 0xe0 | unit >> 12;
      room[at++] = 0x80 | unit >> 6 & 0x3f;
    }
    room[at++] = 0x80 | unit & 0x3f;
    return at;
  }
}

function formOf(beginning: Uint8Array, { charset, isText }: TextKind): Form {
  const [first, second] = beginning;
  if (first === 0xff && second === 0xfe) return "little endian";
  if (first === 0xfe && second === 0xff) return "big endian";
  if (/utf-?16|ucs-?2|iso-10646-ucs/.test(charset)) {
    // The places of the zeros of ASCII letters say more than the declaration.
    const zeros = [0, 0];
    for (const [at, octet] of beginning.entries()) if (octet === NUL) zeros[at & 1]!++;
    if (zeros[0] !== zeros[1]) return zeros[0]! < zeros[1]! ? "little endian" : "big endian";
    return zeros[0] === 0 ? "plain" : charset.endsWith("be") ? "big endian" : "little endian";
  }
  return isText || seemsText(beginning) ? "plain" : "none";
}

// Pictures, archives and programs have other control characters, and most of them have some in their first octets.
function seemsText(beginning: Uint8Array): boolean {
  const isPdf = [0x25, 0x50, 0x44, 0x46].every((octet, at) => beginning[at] === octet);
  return !isPdf && beginning.every((octet) => octet >= 0x20 || (octet >= 0x08 && octet <= 0x0d) || octet === 0x1b);
}
