// Base64 and quoted-printable (RFC 2045 s.6), decoded piece by piece. Pure.
//
// Both accept anything. In base64, foreign octets are left out. In quoted-printable, they stay as they are.

import { CR, HT, LF, SP } from "../text/octets.ts";
import { hexDigit } from "./url_characters.ts";

/** Takes octets. They are valid during the call. */
export interface OctetSink {
  push(octets: Uint8Array, start: number, end: number): void;
}

/** Takes lines of a part, or pieces of lines, and passes on the decoded octets. */
export interface Decoder extends OctetSink {
  /** Ends the content. */
  end(): void;
}

const ROOM = 8_192;

const EQUALS = 0x3d;

// The value of an octet in base64, or one of these.
const BLANK = 64;
const PADDING = 65;
const FOREIGN = 66;

const VALUES = Uint8Array.from({ length: 256 }, (_, octet) => {
  const at = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".indexOf(String.fromCharCode(octet));
  if (at >= 0) return at;
  return octet === EQUALS ? PADDING : octet <= SP ? BLANK : FOREIGN;
});

export class Base64Decoder implements Decoder {
  readonly #sink: OctetSink;
  readonly #room = new Uint8Array(ROOM);
  #length = 0;
  #bits = 0;
  #count = 0;
  #hasForeign = false;

  constructor(sink: OctetSink) {
    this.#sink = sink;
  }

  /** Whether the last push had octets that are not base64. The content may be something else. */
  get hasForeign(): boolean {
    return this.#hasForeign;
  }

  push(octets: Uint8Array, start: number, end: number): void {
    let [bits, count, length, hasForeign] = [this.#bits, this.#count, this.#length, false];
    for (let at = start; at < end; at++) {
      const value = VALUES[octets[at]!]!;
      if (value < BLANK) {
        bits = (bits << 6 | value) & 0xffffff;
        count += 6;
        if (count >= 8) {
          count -= 8;
          this.#room[length++] = bits >> count & 0xff;
          if (length === ROOM) {
            this.#sink.push(this.#room, 0, length);
            length = 0;
          }
        }
      } else if (value === PADDING) {
        // Another base64 text may follow. It begins with a whole octet.
        bits = count = 0;
      } else if (value === FOREIGN) hasForeign = true;
    }
    this.#bits = bits;
    this.#count = count;
    this.#length = length;
    this.#hasForeign = hasForeign;
  }

  end(): void {
    if (this.#length > 0) this.#sink.push(this.#room, 0, this.#length);
    this.#length = this.#bits = this.#count = 0;
  }
}

export class QuotedPrintableDecoder implements Decoder {
  readonly #sink: OctetSink;
  readonly #room = new Uint8Array(ROOM);
  #length = 0;
  /** The state after a `=`: "=", "=4", or "=" with blanks up to the end of the line. */
  #state: "text" | "equals" | "digit" | "soft" = "text";
  #digit = 0;

  constructor(sink: OctetSink) {
    this.#sink = sink;
  }

  push(octets: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at++) {
      if (this.#state === "text") {
        const from = at;
        while (at < end && octets[at] !== EQUALS) at++;
        this.#giveAll(octets, from, at);
        if (at < end) this.#state = "equals";
      } else this.#takeEncoded(octets[at]!);
    }
  }

  end(): void {
    if (this.#state === "digit") this.#giveBack();
    this.#state = "text";
    if (this.#length > 0) this.#sink.push(this.#room, 0, this.#length);
    this.#length = 0;
  }

  #takeEncoded(octet: number): void {
    if (this.#state === "digit" && hexDigit(octet) >= 0) {
      this.#state = "text";
      this.#give(hexDigit(this.#digit) << 4 | hexDigit(octet));
    } else if (this.#state === "equals" && hexDigit(octet) >= 0) {
      this.#state = "digit";
      this.#digit = octet;
    } else if (octet === LF && this.#state !== "digit") this.#state = "text";
    else if ((octet === SP || octet === HT || octet === CR) && this.#state !== "digit") this.#state = "soft";
    else this.#takeAfterNothing(octet);
  }

  // The `=` encoded nothing and ended no line.
  #takeAfterNothing(octet: number): void {
    this.#giveBack();
    if (octet === EQUALS) this.#state = "equals";
    else {
      this.#state = "text";
      this.#give(octet);
    }
  }

  #giveBack(): void {
    this.#give(EQUALS);
    if (this.#state === "digit") this.#give(this.#digit);
    if (this.#state === "soft") this.#give(SP);
  }

  #give(octet: number): void {
    this.#room[this.#length++] = octet;
    if (this.#length === ROOM) this.#flush();
  }

  #giveAll(octets: Uint8Array, start: number, end: number): void {
    // A long piece needs no copy.
    if (end - start > ROOM - this.#length) {
      this.#flush();
      if (end - start > ROOM) return this.#sink.push(octets, start, end);
    }
    for (let at = start; at < end; at++) this.#room[this.#length++] = octets[at]!;
    if (this.#length === ROOM) this.#flush();
  }

  #flush(): void {
    if (this.#length > 0) this.#sink.push(this.#room, 0, this.#length);
    this.#length = 0;
  }
}
