// The message in the form of the wire: with CR LF at the end of each line, and dots as the author wrote them. Pure.
//
// So rspamd sees the octets that a milter would get. Signatures are made of these octets.

import { CR, LF } from "../../text/octets.ts";
import type { LineEnds } from "../../smtp/dot_codec.ts";

export class WireForm {
  readonly #lineEnds: LineEnds;
  #last = 0;

  constructor(lineEnds: LineEnds) {
    this.#lineEnds = lineEnds;
  }

  /** How many octets the next octets become. */
  count(octets: Uint8Array): number {
    const count = octets.length + this.#bareIn(octets);
    this.#last = octets.at(-1) ?? this.#last;
    return count;
  }

  /** Encodes the next octets of the message. */
  encode(octets: Uint8Array): Uint8Array {
    const out = new Uint8Array(octets.length + this.#bareIn(octets));
    let from = 0;
    let to = 0;
    for (let at = octets.indexOf(LF); at !== -1; at = octets.indexOf(LF, at + 1)) {
      if (!this.#isBare(octets, at)) continue;
      out.set(octets.subarray(from, at), to);
      to += at - from;
      out[to++] = CR;
      from = at;
    }
    out.set(octets.subarray(from), to);
    this.#last = octets.at(-1) ?? this.#last;
    return out;
  }

  #bareIn(octets: Uint8Array): number {
    let count = 0;
    for (let at = octets.indexOf(LF); at !== -1; at = octets.indexOf(LF, at + 1)) if (this.#isBare(octets, at)) count++;
    return count;
  }

  // In a message of our own, a CR before LF belongs to the line. In another program's file it may belong to the line
  // end.
  #isBare(octets: Uint8Array, at: number): boolean {
    return this.#lineEnds === "lf" || (at === 0 ? this.#last : octets[at - 1]) !== CR;
  }
}
