// Finds some members of a large JSON object (RFC 8259) while it comes piece by piece. Pure.
//
// An answer of rspamd names each URL of the message, so a stranger decides how long it is. The sieve keeps only the
// text of wanted members, each up to its own limit. So memory grows only with the limits. The sieve looks only at
// brackets and strings. `JSON.parse` then says whether the members are JSON. A text that is no object makes it
// `isBroken`.

import { bytesOf, concat, textOf } from "../../text/octets.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

// No wanted name is longer.
const NAME_LIMIT = 64;

type State = "before" | "name or end" | "name" | "colon" | "value" | "behind" | "broken";

export class JsonSieve {
  /** How many octets the text of each wanted member may have. */
  readonly #limits: ReadonlyMap<string, number>;
  readonly #members = new Map<string, Uint8Array>();
  readonly #tooLong = new Set<string>();
  #state: State = "before";
  #name: number[] = [];
  #value = new Uint8Array(256);
  #valueSize = 0;
  /** The limit of the present value; 0 if it is not wanted. */
  #limit = 0;
  /** Brackets that are open inside a value. */
  #depth = 0;
  #isInString = false;
  #isEscaped = false;

  constructor(limits: Readonly<Record<string, number>>) {
    this.#limits = new Map(Object.entries(limits));
  }

  /** Whether the text so far can be no JSON object. */
  get isBroken(): boolean {
    return this.#state === "broken";
  }

  /** The wanted members that are longer than their limits. They are not kept. */
  get tooLong(): ReadonlySet<string> {
    return this.#tooLong;
  }

  /** Takes the next octets. */
  push(octets: Uint8Array): void {
    for (let at = 0; at < octets.length;) {
      if (this.#state === "broken") return;
      at += this.#state === "value" ? this.#pushValue(octets, at) : this.#pushOctet(octets[at]!);
    }
  }

  /** An object of the kept members; undefined if the text is no whole JSON object. */
  end(): Uint8Array | undefined {
    if (this.#state !== "behind") return undefined;
    const parts = [...this.#members].flatMap(([name, value], at) => [
      bytesOf(`${at === 0 ? "" : ","}${JSON.stringify(name)}:`),
      value,
    ]);
    return concat([bytesOf("{"), ...parts, bytesOf("}")]);
  }

  // Takes an octet outside all values.
  #pushOctet(octet: number): 1 {
    switch (this.#state) {
      case "name":
        if (octet === QUOTE) this.#state = "colon";
        else if (octet === BACKSLASH) this.#state = "broken";
        else if (this.#name.length < NAME_LIMIT) this.#name.push(octet);
        break;
      case "before":
        if (!isBlank(octet)) this.#state = octet === OPEN_OBJECT ? "name or end" : "broken";
        break;
      case "name or end":
        if (octet === QUOTE) {
          this.#state = "name";
          this.#name = [];
        } else if (octet === CLOSE_OBJECT) this.#state = "behind";
        else if (octet !== COMMA && !isBlank(octet)) this.#state = "broken";
        break;
      case "colon":
        if (octet === COLON) this.#beginValue();
        else if (!isBlank(octet)) this.#state = "broken";
        break;
      default:
        if (!isBlank(octet)) this.#state = "broken";
    }
    return 1;
  }

  #beginValue(): void {
    this.#state = "value";
    this.#valueSize = 0;
    this.#limit = this.#limits.get(textOf(Uint8Array.from(this.#name))) ?? 0;
    this.#depth = 0;
  }

  // Takes the octets from `start` on that belong to the value. Returns how many.
  #pushValue(octets: Uint8Array, start: number): number {
    for (let at = start; at < octets.length; at++) {
      const octet = octets[at]!;
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (octet === BACKSLASH) this.#isEscaped = true;
        else if (octet === QUOTE) this.#isInString = false;
      } else if (octet === QUOTE) {
        this.#isInString = true;
      } else if (octet === OPEN_OBJECT || octet === OPEN_ARRAY) {
        this.#depth++;
      } else if (this.#depth === 0 && (octet === COMMA || octet === CLOSE_OBJECT)) {
        this.#keep(octets.subarray(start, at));
        this.#endValue();
        return at - start;
      } else if (octet === CLOSE_OBJECT || octet === CLOSE_ARRAY) {
        if (this.#depth-- === 0) this.#state = "broken";
      }
    }
    this.#keep(octets.subarray(start));
    return octets.length - start;
  }

  #keep(octets: Uint8Array): void {
    const size = this.#valueSize + octets.length;
    // One octet more than the limit shows that the value is too long.
    const kept = octets.subarray(0, Math.max(0, this.#limit + 1 - this.#valueSize));
    if (this.#value.length < Math.min(size, this.#limit + 1)) {
      const larger = new Uint8Array(Math.min(2 * size, this.#limit + 1));
      larger.set(this.#value.subarray(0, this.#valueSize));
      this.#value = larger;
    }
    this.#value.set(kept, this.#valueSize);
    this.#valueSize += kept.length;
  }

  #endValue(): void {
    this.#state = "name or end";
    if (this.#limit === 0) return;
    const name = textOf(Uint8Array.from(this.#name));
    this.#members.delete(name);
    if (this.#valueSize > this.#limit) this.#tooLong.add(name);
    else this.#members.set(name, this.#value.slice(0, this.#valueSize));
  }
}

function isBlank(octet: number): boolean {
  return octet === 0x20 || (octet >= 0x09 && octet <= 0x0d);
}
