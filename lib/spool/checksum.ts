// A checksum of content that comes in pieces: it tells whether the same content comes a second time.
//
// Pure. It has 64 bits and is for accidents: who wants to can make other content with the same one. It costs about half a
// millisecond for each MB.

const WORD = 4; // octets

export class Checksum {
  #one = 1;
  #two = 2;
  #length = 0;
  // The last octets, where they make no whole word.
  #rest = 0;

  /** Takes the next octets; it makes no difference where the content is cut. */
  push(octets: Uint8Array): void {
    const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
    let at = 0;
    while (at < octets.length && this.#length % WORD !== 0) this.#pushOctet(octets[at++]!);
    let one = this.#one;
    let two = this.#two;
    for (; at <= octets.length - WORD; at += WORD) {
      const word = view.getInt32(at, true);
      one = mixOne(one, word);
      two = mixTwo(two, word);
      this.#length += WORD;
    }
    this.#one = one;
    this.#two = two;
    while (at < octets.length) this.#pushOctet(octets[at++]!);
  }

  equals(other: Checksum): boolean {
    return this.#one === other.#one && this.#two === other.#two && this.#length === other.#length &&
      this.#rest === other.#rest;
  }

  #pushOctet(octet: number): void {
    this.#rest |= octet << (8 * (this.#length++ % WORD));
    if (this.#length % WORD !== 0) return;
    this.#one = mixOne(this.#one, this.#rest);
    this.#two = mixTwo(this.#two, this.#rest);
    this.#rest = 0;
  }
}

// Each word leads from one state to one other, and back, so that a single word that differs is always seen. The factors are
// odd for that, and have their bits anywhere.

function mixOne(state: number, word: number): number {
  const product = Math.imul(state ^ word, 0x9e3779b1);
  return product ^ (product >>> 15);
}

function mixTwo(state: number, word: number): number {
  const product = Math.imul(state ^ word, 0x85ebca6b);
  return product ^ (product >>> 13);
}
