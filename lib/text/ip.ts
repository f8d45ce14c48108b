// IP addresses as octets: 4 of an IPv4 address, 16 of an IPv6 address. Pure.
//
// An IPv4 address that is mapped into IPv6 (RFC 4291 s.2.5.5.2) counts as the IPv4 address. A zone (`fe80::1%eth0`) is
// left out.

export type Ip = Uint8Array;

/** All addresses whose first `bits` bits are those of `address`. */
export interface Network {
  readonly address: Ip;
  readonly bits: number;
}

/** The address in `text`; undefined if there is none. */
export function parseIp(text: string): Ip | undefined {
  const [address = ""] = text.split("%", 1);
  if (!address.includes(":")) return parseIpv4(address);
  const ip = parseIpv6(address);
  if (!ip) return undefined;
  const mapped = ip.subarray(0, 12).every((octet, at) => octet === (at < 10 ? 0 : 0xff));
  return mapped ? ip.slice(12) : ip;
}

/**
 * The name of `ip` in a zone of reversed addresses: `4.3.2.1`, or the 32 nibbles of an IPv6 address (RFC 5782 s.2.4).
 */
export function reversedName(ip: Ip): string {
  if (ip.length === 4) return [...ip].reverse().join(".");
  return [...ip].reverse().map((octet) => `${(octet & 15).toString(16)}.${(octet >> 4).toString(16)}`).join(".");
}

export function isWithin(ip: Ip, { address, bits }: Network): boolean {
  if (ip.length !== address.length) return false;
  const whole = bits >> 3;
  const mask = 0xff00 >> (bits & 7) & 0xff;
  return ip.subarray(0, whole).every((octet, at) => octet === address[at]) &&
    (mask === 0 || ((ip[whole]! ^ address[whole]!) & mask) === 0);
}

/** The zone that holds the name of `ip` (RFC 1035 s.3.5, RFC 3596 s.2.5). */
export function reverseZone(ip: Ip): "in-addr.arpa" | "ip6.arpa" {
  return ip.length === 4 ? "in-addr.arpa" : "ip6.arpa";
}

// RFC 1122 s.3.2.1.3 (this network, loopback), RFC 1918, RFC 3927, RFC 4291 s.2.5 (including site-local), RFC 4193.
const PRIVATE: readonly Network[] = ([
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["::", 127],
  ["fc00::", 7],
  ["fe80::", 9],
] as const).map(([network, bits]) => ({ address: parseIp(network)!, bits }));

/**
 * Whether `ip` is a loopback, link-local or private address. RFC 6598's addresses, which providers share, are not
 * private.
 */
export function isPrivate(ip: Ip): boolean {
  return PRIVATE.some((network) => isWithin(ip, network));
}

function parseIpv4(text: string): Ip | undefined {
  if (!/^[0-9]{1,3}(?:\.[0-9]{1,3}){3}$/.test(text)) return undefined;
  const octets = text.split(".").map(Number);
  return octets.every((octet) => octet <= 255) ? Uint8Array.from(octets) : undefined;
}

function parseIpv6(text: string): Ip | undefined {
  // The last 32 bits may be written as an IPv4 address.
  const tail = /[^:]*\.[^:]*$/.exec(text)?.[0];
  const embedded = tail === undefined ? undefined : parseIpv4(tail);
  if (tail !== undefined && !embedded) return undefined;
  const words = embedded ? text.slice(0, -tail!.length) + hexWords(embedded) : text;
  const halves = words.split("::");
  const [head = [], rest = []] = halves.map((half) => half === "" ? [] : half.split(":"));
  const missing = 8 - head.length - rest.length;
  if (halves.length > 2 || (halves.length === 2 ? missing < 1 : missing !== 0)) return undefined;
  const groups = [...head, ...Array(missing).fill("0"), ...rest];
  if (!groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return undefined;
  return Uint8Array.from(groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]));
}

function hexWords([a, b, c, d]: Ip): string {
  return `${(a! << 8 | b!).toString(16)}:${(c! << 8 | d!).toString(16)}`;
}
