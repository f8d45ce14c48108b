// Finds the hosts of the URLs in a text, HTML and plain alike. Pure.
//
// Whatever a text says that it is, it is read as both: a URL may end as in plain text, or go on as in an attribute. The text
// comes in pieces of any size. Each octet costs about the same, whatever stands there: nothing is read again.
//
// A URL begins with `http:`, `https:`, `ftp:` or `www.`, or with `//` at the beginning of an attribute's value. Each character
// may be a character reference. Outside of a host it may be percent-encoded too, since a URL may hold another one. As browsers
// do, it takes `\` for `/`, and any number of both, or none; it leaves out CR, LF and HT in a quoted value.

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

/** Octets. A name has 253 characters at most, and each of them may be written as three octets with three characters each. */
const HOST_LIMIT = 2_277;

// An IPv6 address with its zone.
const BRACKETED_LIMIT = 64;

// Where in a URL we are.
const OUTSIDE = 0;
const IN_SLASHES = 1;
const IN_HOST = 2;

// How much there is of a scheme, or of `www`: each of these letters is followed by the next one, as long as that comes.
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

/** `host` is as it stands in the URL, without the user; the octets are valid during the call. */
export type Found = (host: Uint8Array) => void;

export class UrlFinder {
  readonly #found: Found;
  readonly #entities: EntityDecoder;
  readonly #host = new Uint8Array(HOST_LIMIT);
  #length = 0;
  #isTooLong = false;
  #place = OUTSIDE;
  /** The host has ended, unless an `@` follows: then it was a user. */
  #isUser = false;
  /** By this character, if `#isUser`. */
  #endedBy = 0;
  /** It has been given as it would be in plain text. */
  #isGiven = false;
  /** The character that closes the value that the URL began, or 0. */
  #closing = 0;
  #scheme = NO_SCHEME;
  /** `#closing`, if this scheme is one. */
  #schemeClosing = 0;
  /** What opened a value, where nothing but blanks followed it; or 0. */
  #opening = 0;
  /** The slashes that followed it. */
  #slashes = 0;
  /** Whether a `www` here is a part of a word. */
  #isInWord = false;
  /** Of a percent-encoded character: its `%`, and then its first digit; or 0. */
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
        // A browser leaves it out. It is half of each letter where nobody has declared UTF-16.
        else if (octet !== NUL) this.#take(octet);
      } else if (octets[at] !== NUL) entities.take(octets[at]!);
    }
  }

  /** Ends the text. What is pushed then is another one. */
  end(): void {
    this.#entities.end();
    // It ends whatever is under way, and can be a part of none of it.
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

  // The next octet, with character references decoded.
  #take(octet: number): void {
    if (this.#place === IN_HOST) return this.#takeInHost(octet);
    const percent = this.#percent;
    if (percent === 0) {
      if (octet === PERCENT) this.#percent = PERCENT;
      else this.#takeOutside(octet);
    } else if (percent === PERCENT && hexDigit(octet) >= 0) this.#percent = octet;
    else {
      this.#percent = 0;
      // A `%` that is encoded itself begins again.
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
      // In plain text the URL may have ended before. A colon is between a user and a password.
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

  // It has colons, in brackets.
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

// Other dots than ASCII's are known here by their first octet in UTF-8, and as a whole when the host is read.
function isDot(octet: number): boolean {
  return octet === 0x2e || octet === 0xe3 || octet === 0xef;
}
