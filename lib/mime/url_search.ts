// Finds the hosts of all URLs in a message. Pure: it gets the message piece by piece.
//
// Its bounds are 100 distinct hosts, 2 MiB of decoded text, 50 parts, depth 20. At the first two bounds it ends. Beyond
// the other two it reads on, and takes the content as it stands.

import type { OctetSink } from "./transfer_codings.ts";
import { PartsReader } from "./parts.ts";
import { TextReader, type TextSink } from "./text_reader.ts";
import { UrlFinder } from "./url_finder.ts";
import { isOdd, parseOddHost, parsePlainHost, type UrlHost } from "./url_host.ts";

export const HOSTS_LIMIT = 100;
export const TEXT_LIMIT = 2 * 1024 * 1024;

/** The kinds of bounds. */
export type Bound = "hosts" | "text" | "parts" | "depth";

// The most hosts that are not in the form of DNS. To read one takes some time, so this is part of the bound on hosts.
const SPELLINGS_LIMIT = 1_000;

export class UrlSearch {
  readonly #parts: PartsReader;
  readonly #reached = new Set<Bound>();
  readonly #hosts = new Map<string, UrlHost>();
  readonly #spellings = new Set<string>();
  #room = TEXT_LIMIT;
  #isOver = false;

  constructor() {
    const reached = (bound: Bound) => this.#reached.add(bound);
    this.#parts = new PartsReader({ text: this.#newText(), stray: this.#newText(), reached });
  }

  /** The hosts that lists can be asked about, in the order of the message. */
  get hosts(): readonly UrlHost[] {
    return [...this.#hosts.values()];
  }

  /** The bounds that were reached. */
  get reached(): readonly Bound[] {
    return [...this.#reached];
  }

  /** Whether a bound has ended the search. Then it ignores further octets. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Takes the next octets of the message. Lines end with LF. 10 kB take about a millisecond or less. */
  push(octets: Uint8Array): void {
    if (!this.#isOver) this.#parts.push(octets);
  }

  /** Ends the message. */
  end(): void {
    if (!this.#isOver) this.#parts.end();
  }

  #newText(): TextSink {
    let charset = "";
    const finder = new UrlFinder((host) => this.#found(host, charset));
    const reader = new TextReader(this.#bounded(finder));
    return {
      begin: (kind) => {
        charset = kind.charset;
        reader.begin(kind);
      },
      push: (octets, start, end) => reader.push(octets, start, end),
      end: () => {
        reader.end();
        finder.end();
      },
      get isNone() {
        return reader.isNone;
      },
    };
  }

  #bounded(finder: UrlFinder): OctetSink {
    return {
      push: (octets, start, end) => {
        if (this.#isOver) return;
        const last = Math.min(end, start + this.#room);
        this.#room -= last - start;
        finder.push(octets, start, last);
        if (last < end) this.#end("text");
      },
    };
  }

  #found(octets: Uint8Array, charset: string): void {
    if (this.#isOver) return;
    if (isOdd(octets)) return this.#foundOdd(octets, charset);
    const host = parsePlainHost(octets);
    if (host) this.#add(host);
  }

  #foundOdd(octets: Uint8Array, charset: string): void {
    const spelling = String.fromCharCode.apply(null, octets as unknown as number[]);
    if (this.#spellings.has(spelling)) return;
    if (this.#spellings.size === SPELLINGS_LIMIT) return this.#end("hosts");
    this.#spellings.add(spelling);
    for (const host of parseOddHost(octets, (text) => decode(text, charset))) this.#add(host);
  }

  #add(host: UrlHost): void {
    const key = host.kind === "name" ? host.name : host.ip.join(".");
    if (this.#hosts.has(key)) return;
    if (this.#hosts.size === HOSTS_LIMIT) this.#end("hosts");
    else this.#hosts.set(key, host);
  }

  #end(bound: Bound): void {
    this.#reached.add(bound);
    this.#isOver = true;
  }
}

function decode(octets: Uint8Array, charset: string): string {
  try {
    return new TextDecoder(charset).decode(octets);
  } catch {
    // There is no such charset.
    return new TextDecoder("windows-1252").decode(octets);
  }
}
