// Decides which answers of a DNS list are listings (RFC 5782 s.2.1), and which listings the administrator wants. Pure.
//
// Only addresses in 127.0.0.0/8 are listings. With an address in 127.255.255.0/24 a list says that it does not answer
// us, and why. Three more addresses are listings only if ADDRESSES names them:
// - 127.0.0.1: URIBL refuses to answer with it. Resolvers that block advertisements also answer with it.
// - 127.0.1.255: the DBL says with it that it is not for addresses.
// - 127.0.0.255: other lists say with it that we ask too often.
// An address or a range names the addresses that it covers. Bits name none of these three.

type Range = readonly [first: number, last: number];

/** Addresses, as ranges for each of their four octets. With `bits`, the last octet has at least one of these bits. */
interface AddressPattern {
  readonly octets: readonly (readonly Range[])[];
  readonly bits?: number;
}

/** The listings that count. */
export type Addresses = readonly AddressPattern[];

/** Error texts show this after a text that `parseAddresses` does not accept. */
export const ADDRESSES_HINT =
  "give answers of a list, such as 127.0.0.2, 127.0.0.2-11, 127.0.0.[2;4..11] or 127.0.0.0&4";

const RANGE = "[0-9]{1,3}(?:(?:-|\\.\\.)[0-9]{1,3})?";
const RANGES = new RegExp(`^(?:${RANGE}|\\[${RANGE}(?:;${RANGE})*\\])$`);

const RESERVED = ["127.0.0.1", "127.0.1.255", "127.0.0.255"];

/**
 * Reads a list of addresses with commas between them. Returns undefined if one of them has another form, or is an
 * address that means no listing. The forms are:
 * - `127.0.0.2`
 * - `127.0.0.2-11`
 * - `127.0.[0..3].[2;4;10..11]`, as Postfix has it
 * - `127.0.0.0&4`: all addresses of 127.0.0.0/24 with one of these bits in the last octet
 */
export function parseAddresses(text: string): Addresses | undefined {
  const patterns = text.split(",").map(parsePattern);
  return patterns.every((pattern) => pattern !== undefined) ? patterns : undefined;
}

/** A text that `parseAddresses` reads as these. */
export function formatAddresses(addresses: Addresses): string {
  return addresses.map(({ octets, bits }) => {
    const [first, second, third, last] = octets.map(formatRanges);
    return `${first}.${second}.${third}.${bits === undefined ? last : `0&${bits}`}`;
  }).join(",");
}

function formatRanges(ranges: readonly Range[]): string {
  const texts = ranges.map(([first, last]) => first === last ? `${first}` : `${first}-${last}`);
  return texts.length === 1 ? texts[0]! : `[${texts.join(";")}]`;
}

/**
 * Whether `answer`, an IPv4 address, is a listing that counts, another listing, or no listing. Without `addresses` all
 * listings count.
 */
export function weigh(answer: string, addresses: Addresses | undefined): "counts" | "other" | "no listing" {
  const octets = answer.split(".").map(Number);
  if (!isListing(octets)) return "no listing";
  const isNamed = addresses?.some(({ octets: ranges, bits }) => bits === undefined && covers(ranges, octets));
  if (RESERVED.includes(answer)) return isNamed ? "counts" : "no listing";
  const counts = !addresses || isNamed ||
    addresses.some(({ octets: ranges, bits = 0xff }) => covers(ranges, octets) && (octets[3]! & bits) !== 0);
  return counts ? "counts" : "other";
}

function isListing([first, second, third]: readonly number[]): boolean {
  return first === 127 && !(second === 255 && third === 255);
}

function covers(ranges: AddressPattern["octets"], octets: readonly number[]): boolean {
  return octets.every((octet, at) => ranges[at]!.some(([first, last]) => first <= octet && octet <= last));
}

function parsePattern(text: string): AddressPattern | undefined {
  const [, address = "", bits] = /^(.*?)(?:&([0-9]{1,3}))?$/.exec(text) ?? [];
  // A single dot separates two octets.
  const octets = address.split(/(?<!\.)\.(?!\.)/).map((octet) => RANGES.test(octet) ? parseRanges(octet) : []);
  const [first = [], second = [], third = [], last = []] = octets;
  const areRanges = octets.length === 4 &&
    octets.every((ranges) => ranges.length > 0 && ranges.every(([from, to]) => from <= to && to <= 255));
  const is255 = (ranges: readonly Range[]) => ranges.every(([from]) => from === 255);
  if (!areRanges || !covers([first], [127]) || (is255(second) && is255(third))) return undefined;
  if (bits === undefined) return { octets };
  const areBits = Number(bits) >= 1 && Number(bits) <= 255 && covers([last], [0]);
  return areBits ? { octets: [first, second, third, [[0, 255]]], bits: Number(bits) } : undefined;
}

function parseRanges(octet: string): readonly Range[] {
  return octet.replace(/[[\]]/g, "").split(";").map((range) => {
    const [first = 0, last = first] = range.split(/-|\.\./).map(Number);
    return [first, last];
  });
}
