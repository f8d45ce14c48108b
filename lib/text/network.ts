// Ranges of IP addresses, as a rules file writes them. Pure.

import { isWithin, type Network, parseIp } from "./ip.ts";

/**
 * Reads `a.b.c.d`, `a.b.c.d/BITS`, `[IPV6]`, `[IPV6]/BITS`, or smtpd's `0/BITS`; undefined for any other text. The bits
 * of the address after the first BITS do not count.
 */
export function parseNetwork(text: string): Network | undefined {
  const [, v6, v4, bits] = /^(?:\[([^\]]*)\]|([0-9.]+))(?:\/([0-9]{1,3}))?$/.exec(text) ?? [];
  const address = parseIp(v6 ?? (v4 === "0" ? "0.0.0.0" : v4 ?? ""));
  if (!address) return undefined;
  const most = address.length * 8;
  const network = { address, bits: Number(bits ?? most) };
  return network.bits <= most ? network : undefined;
}

/** Whether the IP address in `text` is in one of `networks`. No address is in none. */
export function isInAny(networks: readonly Network[], text: string | undefined): boolean {
  const ip = parseIp(text ?? "");
  return ip !== undefined && networks.some((network) => isWithin(ip, network));
}
