// Ranges of IP addresses, as a rules file writes them; pure.

import { type Ip, parseIp } from "../dns/ip.ts";

/** All addresses whose first `bits` bits are those of `address`. */
export interface Network {
  readonly address: Ip;
  readonly bits: number;
}

/**
 * `a.b.c.d`, `a.b.c.d/BITS`, `[IPV6]` or `[IPV6]/BITS`, and smtpd's `0/BITS`; undefined for what is none. What the address
 * has behind its first BITS does not count.
 */
export function parseNetwork(text: string): Network | undefined {
  const [, v6, v4, bits] = /^(?:\[([^\]]*)\]|([0-9.]+))(?:\/([0-9]{1,3}))?$/.exec(text) ?? [];
  const address = parseIp(v6 ?? (v4 === "0" ? "0.0.0.0" : v4 ?? ""));
  if (!address) return undefined;
  const most = address.length * 8;
  const network = { address, bits: Number(bits ?? most) };
  return network.bits <= most ? network : undefined;
}

export function isWithin(ip: Ip, { address, bits }: Network): boolean {
  if (ip.length !== address.length) return false;
  const whole = bits >> 3;
  const mask = 0xff00 >> (bits & 7) & 0xff;
  return ip.subarray(0, whole).every((octet, at) => octet === address[at]) &&
    (mask === 0 || ((ip[whole]! ^ address[whole]!) & mask) === 0);
}
