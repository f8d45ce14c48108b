// How an address stands in messages and on a command line.

import type { Address } from "./runtime.ts";

/** `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`. */
export function formatAddress(address: Address): string {
  if (address.transport === "unix") return `unix:${address.path}`;
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
