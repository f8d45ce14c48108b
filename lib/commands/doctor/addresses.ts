// Which addresses are the same, and which ones strangers reach. Pure: names are not looked up.

import { isOwnServerAsWritten } from "../../modes/own_server.ts";
import { formatAddress } from "../../ports/address.ts";
import type { Address } from "../../ports/runtime.ts";
import { parseIp } from "../../text/ip.ts";

/** Whether a connection to `to` reaches a program that listens `at`, as far as the words tell. */
export function leadsTo(to: Address, at: Address): boolean {
  if (to.transport === "unix" && at.transport === "unix") return plainPath(to.path) === plainPath(at.path);
  return isOwnServerAsWritten(at, to);
}

/** Whether only this host reaches `at`. Of a name other than localhost nobody knows it. */
export function isOnlyLocal(at: Address): boolean {
  if (at.transport === "unix" || /^localhost\.?$/i.test(at.host)) return true;
  const ip = parseIp(at.host);
  if (!ip) return false;
  return ip.length === 4 ? ip[0] === 127 : ip.every((octet, at) => octet === (at === 15 ? 1 : 0));
}

/** An address to connect to for a program that listens `at`. */
export function connectable(at: Address): Address {
  if (at.transport === "unix") return at;
  const ip = parseIp(at.host);
  if (!ip || ip.some((octet) => octet !== 0)) return at;
  return { ...at, host: ip.length === 4 ? "127.0.0.1" : "::1" };
}

/** The same key for the same address, as it is written. */
export function keyOf(address: Address): string {
  return formatAddress(address);
}

function plainPath(path: string): string {
  return path.replace(/\/{2,}/g, "/").replace(/^\/var\/run\//, "/run/");
}
