// The message in the form of the wire: with CR LF at the end of each line, and dots as the author wrote them. Pure.
//
// So rspamd sees the octets that a milter would get. Signatures are made of these octets.

import { CR, LF } from "../../text/octets.ts";
import type { LineEnds } from "../../smtp/dot_codec.ts";

export class WireForm {
  readonly #lineEnds: LineEnds;
  #last = 0;
  #room = new Uint8Array(0);

  constructor(lineEnds: LineEnds) {
    this.#lineEnds = lineEnds;
  }

  /** How many octets the next octets of the message become. */
  count(octets: Uint8Array): number {
    let count = octets.length;
    // With many LFs, a search for the next one would take much longer.
    for (let at = 0; at < octets.length; at++) if (octets[at] === LF && this.#isBare(octets, at)) count++;
    this.#last = octets.at(-1) ?? this.#last;
    return count;
  }

  /** Encodes the next octets of the message. The result is valid until the next call. */
  encode(octets: Uint8Array): Uint8Array {
    if (this.#room.length < 2 * octets.length) this.#room = new Uint8Array(2 * octets.length);
    const out = this.#room;
    let to = 0;
    for (let at = 0; at < octets.length; at++) {
      const octet = octets[at]!;
      if (octet === LF && this.#isBare(octets, at)) out[to++] = CR;
      out[to++] = octet;
    }
    this.#last = octets.at(-1) ?? this.#last;
    return out.subarray(0, to);
  }

  // In a message of our own, a CR before LF belongs to the line. In another program's file it may belong to the line
  // end.
  #isBare(octets: Uint8Array, at: number): boolean {
    return this.#lineEnds === "lf" || (at === 0 ? this.#last : octets[at - 1]) !== CR;
  }
}
