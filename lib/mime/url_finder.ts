// Finds the hosts of the URLs in a text, in HTML and in plain text. Pure.
//
// It reads each text as both: a URL may end as in plain text, or go on as in an attribute. The declaration of the text
// does not matter. The text comes in pieces of any size. Each octet costs about the same in every text, because nothing
// is read again.
//
// A URL begins with `http:`, `https:`, `ftp:` or `www.`, or with `//` at the beginning of an attribute's value. Each
// character may be a character reference. Outside a host it may also be percent-encoded, because a URL may contain
// another one. Like browsers, it takes `\` for `/`, and any number of both, or none. It leaves out CR, LF and HT in a
// quoted value.

import { CR, HT, LF, NUL, SP } from "../text/octets.ts";
import { EntityDecoder } from "./entities.ts";
import {
  AMPERSAND,
  APOSTROPHE,
  AT,
  BACKSLASH,
  classOf,
  COLON,
  END,
  EQUALS,
  GREATER,
  hexDigit,
  HOST,
  isBoring,
  isInWord,
  LESS,
  OPENING_BRACKET,
  PERCENT,
  PLAIN_END,
  QUOTE,
  SLASH,
  SOFT,
} from "./url_characters.ts";

/**
 * In octets. A name has at most 253 characters. Each may be written as three octets, and each of these with three
 * characters.
 */
const HOST_LIMIT = 2_277;

// An IPv6 address with its zone.
const BRACKETED_LIMIT = 64;

// The place in a URL.
const OUTSIDE = 0;
const IN_SLASHES = 1;
const IN_HOST = 2;

// The part of a scheme or of `www` that has come. The next letter follows each of these letters, if it fits.
const LETTERS = " https ftp www";
const NO_SCHEME = 0;
const H = 1;
const HTTP = 4;
const HTTPS = 5;
const F = 7;
const FTP = 9;
const W = 11;
const WWW = 13;
const NEXT = Uint8Array.from(LETTERS, (_, at) => LETTERS.charCodeAt(at + 1));

/** `host` is as it stands in the URL, without the user. The octets are valid during the call. */
export type Found = (host: Uint8Array) => void;

export class UrlFinder {
  readonly #found: Found;
  readonly #entities: EntityDecoder;
  readonly #host = new Uint8Array(HOST_LIMIT);
  #length = 0;
  #isTooLong = false;
  #place = OUTSIDE;
  /** The host has ended, unless an `@` follows. Then it was a user. */
  #isUser = false;
  /** The character that ended it, if `#isUser`. */
  #endedBy = 0;
  /** Whether it was given in the form of plain text. */
  #isGiven = false;
  /** The character that closes the value that began with the URL, or 0. */
  #closing = 0;
  #scheme = NO_SCHEME;
  /** The `#closing` of this scheme, if it is one. */
  #schemeClosing = 0;
  /** The character that opened a value, if only blanks followed it; otherwise 0. */
  #opening = 0;
  /** The slashes after it. */
  #slashes = 0;
  /** Whether a `www` here is part of a word. */
  #isInWord = false;
  /** The `%` of a percent-encoded character, then its first digit; otherwise 0. */
  #percent = 0;

  constructor(found: Found) {
    this.#found = found;
    this.#entities = new EntityDecoder((octet) => this.#take(octet));
  }

  /** Takes the next octets of the text, in UTF-8 or in another charset that has ASCII in it. */
  push(octets: Uint8Array, start = 0, end = octets.length): void {
    const entities = this.#entities;
    for (let at = start; at < end; at++) {
      if (entities.isIdle) {
        if (this.#isIdle) {
          const from = at;
          while (at < end && isBoring(octets[at]!)) at++;
          if (at > from) this.#isInWord = isInWord(octets[at - 1]!);
          if (at === end) return;
        }
        const octet = octets[at]!;
        if (octet === AMPERSAND) entities.take(octet);
        // A browser leaves out NUL. It is half of each letter of UTF-16 that nobody has declared.
        else if (octet !== NUL) this.#take(octet);
      } else if (octets[at] !== NUL) entities.take(octets[at]!);
    }
  }

  /** Ends the text. The next push begins another text. */
  end(): void {
    this.#entities.end();
    // A space ends everything that is under way, and is part of none of it.
    if (this.#percent !== 0) this.#take(SP);
    if (this.#place === IN_HOST) this.#give();
    this.#place = OUTSIDE;
    this.#scheme = NO_SCHEME;
    this.#opening = this.#slashes = 0;
    this.#isInWord = false;
  }

  get #isIdle(): boolean {
    return this.#place === OUTSIDE && this.#scheme === NO_SCHEME && this.#opening === 0 && this.#percent === 0;
  }

  // Takes the next octet, after character references are decoded.
  #take(octet: number): void {
    if (this.#place === IN_HOST) return this.#takeInHost(octet);
    const percent = this.#percent;
    if (percent === 0) {
      if (octet === PERCENT) this.#percent = PERCENT;
      else this.#takeOutside(octet);
    } else if (percent === PERCENT && hexDigit(octet) >= 0) this.#percent = octet;
    else {
      this.#percent = 0;
      // An encoded `%` begins another encoded character.
      if (percent !== PERCENT && hexDigit(octet) >= 0) return this.#take(hexDigit(percent) << 4 | hexDigit(octet));
      this.#takeOutside(PERCENT);
      if (percent !== PERCENT) this.#take(percent);
      this.#take(octet);
    }
  }

  #takeOutside(octet: number): void {
    if (this.#place === IN_SLASHES) {
      if (octet === SLASH || octet === BACKSLASH || (this.#closing !== 0 && isStripped(octet))) return;
      const meaning = classOf(octet);
      if (meaning !== PLAIN_END && meaning !== END) {
        this.#place = IN_HOST;
        return this.#takeInHost(octet);
      }
      this.#place = OUTSIDE;
    }
    this.#lookForScheme(octet);
    this.#lookForValue(octet);
  }

  #takeInHost(octet: number): void {
    const meaning = classOf(octet);
    if (meaning === HOST || (meaning === SOFT && this.#isOfIpv6(octet))) {
      if (!this.#isUser) this.#addToHost(octet);
    } else if (octet === this.#closing || meaning === END || (meaning === PLAIN_END && this.#closing === 0)) {
      this.#give();
      this.#place = OUTSIDE;
      this.#lookForScheme(octet);
      return this.#lookForValue(octet);
    } else if (meaning === AT) {
      // In plain text the URL may have ended before. But a colon separates a user and a password.
      if (this.#isUser && this.#endedBy !== COLON && this.#closing === 0) this.#give();
      this.#beginHost();
    } else if (meaning === PLAIN_END) {
      if (!this.#isGiven) this.#give();
      this.#isGiven = true;
      if (!isStripped(octet)) this.#endBy(octet);
    } else this.#endBy(octet);
    this.#lookForScheme(octet);
    this.#lookForValue(octet);
  }

  #endBy(octet: number): void {
    if (!this.#isUser) this.#endedBy = octet;
    this.#isUser = true;
  }

  #addToHost(octet: number): void {
    if (this.#length < HOST_LIMIT) this.#host[this.#length++] = octet;
    else this.#isTooLong = true;
  }

  // Whether it belongs to an IPv6 address: it has colons, in brackets.
  #isOfIpv6(octet: number): boolean {
    if (this.#isUser || this.#length >= BRACKETED_LIMIT) return false;
    return this.#length === 0 ? octet === OPENING_BRACKET : this.#host[0] === OPENING_BRACKET;
  }

  #lookForScheme(octet: number): void {
    const scheme = this.#scheme;
    const wasInWord = this.#isInWord;
    this.#isInWord = isInWord(octet);
    const small = octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
    if (scheme !== NO_SCHEME) {
      if (small === NEXT[scheme] && small !== SP) {
        this.#scheme = scheme + 1;
        return;
      }
      if (octet === COLON && (scheme === HTTP || scheme === HTTPS || scheme === FTP)) return this.#beginUrl();
      if (scheme === WWW && isDot(octet) && (this.#place === OUTSIDE || this.#isUser)) return this.#beginAtWww(octet);
      if (this.#schemeClosing !== 0 && isStripped(octet) && scheme < W) return;
      this.#scheme = NO_SCHEME;
    }
    if (small === 0x68) this.#beginScheme(H);
    else if (small === 0x66) this.#beginScheme(F);
    else if (small === 0x77 && !wasInWord) this.#beginScheme(W);
  }

  #beginScheme(scheme: number): void {
    this.#scheme = scheme;
    this.#schemeClosing = this.#slashes === 0 ? closingOf(this.#opening) : 0;
  }

  #beginUrl(): void {
    if (this.#place === IN_HOST) this.#give();
    this.#place = IN_SLASHES;
    this.#scheme = NO_SCHEME;
    this.#closing = this.#schemeClosing;
    this.#isGiven = false;
    this.#beginHost();
  }

  #beginAtWww(dot: number): void {
    this.#beginUrl();
    this.#place = IN_HOST;
    for (let count = 0; count < 3; count++) this.#addToHost(0x77);
    this.#addToHost(dot);
  }

  #lookForValue(octet: number): void {
    const opening = this.#opening;
    if (octet === QUOTE || octet === APOSTROPHE || octet === LESS || octet === EQUALS) {
      this.#opening = octet;
      this.#slashes = 0;
    } else if ((octet === SLASH || octet === BACKSLASH) && opening !== 0 && opening !== LESS) {
      if (++this.#slashes < 2) return;
      this.#schemeClosing = closingOf(opening);
      this.#beginUrl();
      this.#opening = this.#slashes = 0;
    } else if (octet > SP || (this.#slashes === 1 && (opening === EQUALS || !isStripped(octet)))) {
      this.#opening = this.#slashes = 0;
    }
  }

  #beginHost(): void {
    this.#length = 0;
    this.#isTooLong = this.#isUser = false;
  }

  #give(): void {
    if (this.#length > 0 && !this.#isTooLong) this.#found(this.#host.subarray(0, this.#length));
  }
}

function closingOf(opening: number): number {
  return opening === LESS ? GREATER : opening === EQUALS ? 0 : opening;
}

/** CR, LF and HT are left out of URLs (URL Standard, "basic URL parser"). */
function isStripped(octet: number): boolean {
  return octet === LF || octet === CR || octet === HT;
}

// Dots other than ASCII's are recognized here by their first octet in UTF-8, and completely when the host is read.
function isDot(octet: number): boolean {
  return octet === 0x2e || octet === 0xe3 || octet === 0xef;
}
