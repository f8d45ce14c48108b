// Reads the host of a URL, which stands after its slashes, as a DNS name or as an IP address. Pure.
//
// It reads a host as browsers do (URL Standard, "host parsing"): percent-encoding, letters other than ASCII (IDNA),
// addresses in every form of inet_aton(3), and a dot at the end. It is more generous in one point. If it cannot read a
// whole host, the part before the first odd character counts. Programs that make links of plain text end them there.

import { NAME_LIMIT } from "../text/domain.ts";
import { type Ip, parseIp } from "../text/ip.ts";
import { DOT } from "../text/octets.ts";
import { asciiLabel } from "../text/punycode.ts";
import { hexDigit, OPENING_BRACKET, PERCENT } from "./url_characters.ts";

export type UrlHost = NamedHost | NumericHost;

interface Shown {
  /** As in the URL, if that has only letters, digits, dots and hyphens. Otherwise in the form of DNS. */
  readonly shown: string;
}

export interface NamedHost extends Shown {
  readonly kind: "name";
  /** In the form of DNS: ASCII, lower case, with at least one dot. */
  readonly name: string;
}

export interface NumericHost extends Shown {
  readonly kind: "ip";
  readonly ip: Ip;
}

/** Reads octets that are not UTF-8, in the charset of their part. */
export type Decode = (octets: Uint8Array) => string;

/** Whether `host` has characters that names do not have. `parseOddHost` reads such a host. */
export function isOdd(host: Uint8Array): boolean {
  if (host[0] === OPENING_BRACKET) return true;
  for (let at = 0; at < host.length; at++) if (host[at] === PERCENT || host[at]! >= 0x80) return true;
  return false;
}

/**
 * Reads a host that is not odd: letters, digits, dots, hyphens and underscores. Undefined if it is no host, which costs
 * little. Dots, hyphens and underscores at its ends do not belong to the host: they mark words in plain text.
 */
export function parsePlainHost(host: Uint8Array): UrlHost | undefined {
  let [start, end] = [0, host.length];
  while (end > start && (host[end - 1] === DOT || host[end - 1] === HYPHEN || host[end - 1] === UNDERSCORE)) end--;
  while (start < end && (host[start] === DOT || host[start] === HYPHEN)) start++;
  const last = host.subarray(0, end).lastIndexOf(DOT) + 1;
  // The last label decides, as in browsers.
  if (isNumeric(host, Math.max(last, start), end)) return numericHost(host.subarray(start, end));
  if (last <= start || !isName(host, start, end) || !hasLetter(host, last, end)) return undefined;
  const shown = asciiText(host.subarray(start, end));
  return { kind: "name", name: shown.toLowerCase(), shown };
}

/** The hosts that an odd `host` may mean. Mostly it is one, or none. */
export function parseOddHost(host: Uint8Array, decode: Decode): UrlHost[] {
  if (host[0] === OPENING_BRACKET) return bracketed(asciiText(host));
  const decoded = percentDecoded(host);
  if (decoded.length > ODD_LIMIT) return [];
  const whole = parseText(authorityHost(unicodeText(decoded, decode)));
  // If an ASCII name goes on in other letters, a program may have ended the link before them.
  const first = host.findIndex((octet) => octet === PERCENT || octet >= 0x80);
  const part = whole && host[first] === PERCENT ? undefined : parsePlainHost(host.subarray(0, first));
  return [...part && mayEndThere(part) ? [part] : [], ...whole ? [whole] : []];
}

const HYPHEN = 0x2d;
const UNDERSCORE = 0x5f;

const LABEL_LIMIT = 63;

// A name with four octets for each character.
const ODD_LIMIT = 4 * NAME_LIMIT;

// Top-level domains have at least two letters. This keeps out most beginnings of names in other letters.
function mayEndThere(host: UrlHost): boolean {
  return host.kind === "ip" ? host.shown.split(".").length === 4 : /\.[a-z][a-z0-9-]+$/.test(host.name);
}

function parseText(text: string): UrlHost | undefined {
  const name = mappedName(text);
  // deno-lint-ignore no-control-regex
  if (name === undefined || !/^[\x00-\x7f]*$/.test(name)) return undefined;
  return parsePlainHost(Uint8Array.from(name, (character) => character.charCodeAt(0)));
}

// --- Names

function isName(host: Uint8Array, start: number, end: number): boolean {
  if (end - start > NAME_LIMIT) return false;
  let label = start;
  for (let at = start; at <= end; at++) {
    const octet = at === end ? DOT : host[at]!;
    if (octet !== DOT) {
      if (!isNameOctet(octet)) return false;
      continue;
    }
    if (at === label || at - label > LABEL_LIMIT || host[label] === HYPHEN || host[at - 1] === HYPHEN) return false;
    label = at + 1;
  }
  return true;
}

function isNameOctet(octet: number): boolean {
  return isDigit(octet) || isLetter(octet) || octet === HYPHEN || octet === UNDERSCORE;
}

function isLetter(octet: number): boolean {
  const small = octet | 0x20;
  return small >= 0x61 && small <= 0x7a;
}

function isDigit(octet: number): boolean {
  return octet >= 0x30 && octet <= 0x39;
}

function hasLetter(host: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (isLetter(host[at]!)) return true;
  return false;
}

function asciiText(octets: Uint8Array): string {
  return String.fromCharCode.apply(null, octets as unknown as number[]);
}

// --- Addresses

function isNumeric(host: Uint8Array, start: number, end: number): boolean {
  if (start === end || !isDigit(host[start]!)) return false;
  const isHex = isHexPrefix(host, start, end);
  for (let at = isHex ? start + 2 : start; at < end; at++) {
    if (isHex ? hexDigit(host[at]!) < 0 : !isDigit(host[at]!)) return false;
  }
  return true;
}

function isHexPrefix(host: Uint8Array, start: number, end: number): boolean {
  return end - start >= 2 && host[start] === 0x30 && (host[start + 1]! | 0x20) === 0x78;
}

/** An IPv4 address as inet_aton(3) reads it: up to four numbers, decimal, octal (`0`) or hexadecimal (`0x`). */
function numericHost(host: Uint8Array): NumericHost | undefined {
  let [value, parts, start] = [0, 0, 0];
  for (let at = 0; at <= host.length; at++) {
    if (at < host.length && host[at] !== DOT) continue;
    const number = parseNumber(host, start, at);
    const isLast = at === host.length;
    if (!(number < (isLast ? 256 ** (4 - parts) : 256)) || ++parts > 4) return undefined;
    value += isLast ? number : number * 256 ** (4 - parts);
    start = at + 1;
  }
  const ip = Uint8Array.of(value / 2 ** 24, (value / 2 ** 16) & 255, (value / 256) & 255, value & 255);
  return { kind: "ip", ip, shown: asciiText(host) };
}

function parseNumber(host: Uint8Array, start: number, end: number): number {
  if (!isNumeric(host, start, end)) return NaN;
  const isHex = isHexPrefix(host, start, end);
  const base = isHex ? 16 : host[start] === 0x30 ? 8 : 10;
  let number = 0;
  for (let at = isHex ? start + 2 : start; at < end; at++) {
    const digit = hexDigit(host[at]!);
    if (digit >= base) return NaN;
    number = number * base + digit;
  }
  return number;
}

function bracketed(text: string): UrlHost[] {
  const [, inside = ""] = /^\[([^\]]*)/.exec(text)!;
  const ip = inside.includes(":") ? parseIp(inside) : undefined;
  return ip ? [{ kind: "ip", ip, shown: `[${inside.split("%", 1)[0]!}]` }] : [];
}

// --- Encodings

/** Decodes `%XX`, also if its `%` is written so itself, as in a URL within a URL. */
function percentDecoded(host: Uint8Array): Uint8Array {
  const decoded = new Uint8Array(host.length);
  let length = 0;
  for (const octet of host) {
    decoded[length++] = octet;
    while (length >= 3 && decoded[length - 3] === PERCENT) {
      const [high, low] = [hexDigit(decoded[length - 2]!), hexDigit(decoded[length - 1]!)];
      if (high < 0 || low < 0) break;
      length -= 2;
      decoded[length - 1] = high << 4 | low;
    }
  }
  return decoded.subarray(0, length);
}

function unicodeText(octets: Uint8Array, decode: Decode): string {
  const utf8 = new TextDecoder().decode(octets);
  return utf8.includes("\ufffd") ? decode(octets) : utf8;
}

// Percent-encoding may hold a whole authority and a path, in a URL within a URL.
function authorityHost(text: string): string {
  const [authority = ""] = text.split(/[/?#\\\s"<>]/, 1);
  const [host = ""] = authority.slice(authority.lastIndexOf("@") + 1).split(/[:&,;]/, 1);
  return host;
}

// UTS 46 or browsers ignore these.
const IGNORED = /[\u00ad\u034f\u180b-\u180d\u200b-\u200d\u2060\u2064\ufe00-\ufe0f\ufeff]/g;

/**
 * Maps a name by IDNA (UTS 46: compatible and small letters, dots of every kind) to A-labels. Undefined if it can be no
 * name.
 */
function mappedName(text: string): string | undefined {
  const mapped = text.replace(IGNORED, "").normalize("NFKC").toLowerCase().normalize("NFC");
  const labels = mapped.split(/[.\u3002]/).map(asciiLabel);
  return labels.every((label) => label !== undefined) ? labels.join(".") : undefined;
}
