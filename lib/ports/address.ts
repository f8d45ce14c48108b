// Addresses, as they stand on a command line, in rules and in messages. Pure.
//
// A text that is no address throws a `UsageError`, which quotes the text and shows a right one.

import { parseIp } from "../text/ip.ts";
import { bytesOf } from "../text/octets.ts";
import { quote } from "../text/quoting.ts";
import type { Address, NameServer } from "./runtime.ts";
import { UsageError } from "./start_error.ts";

/** The default port of SMTP (RFC 5321 s.4.5.4.2). */
const SMTP_PORT = 25;
const DNS_PORT = 53;

/** The octets that a socket's address has room for, without the NUL at its end (unix(7)). */
const UNIX_PATH_LIMIT = 107;

/** `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`. */
export function formatAddress(address: Address): string {
  if (address.transport === "unix") return `unix:${address.path}`;
  return formatPort(address.host, address.port);
}

/** `IP:PORT` or `[IPV6]:PORT`. */
export function formatNameServer({ address, port }: NameServer): string {
  return formatPort(address, port);
}

function formatPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `HOST`, `HOST:PORT`, `[v6addr]:PORT`, `inet:HOST:PORT` or `unix:PATH`. */
export function parseDownstream(text: string): Address {
  return parseServer(text, "127.0.0.1:10026", SMTP_PORT);
}

/** `HOST:PORT`, `[v6addr]:PORT`, `inet:HOST:PORT` or `unix:PATH`; `example` shows a right one. */
export function parseScanner(text: string, example: string): Address {
  return parseServer(text, example);
}

// Without a `defaultPort` the port has to be there.
function parseServer(text: string, example: string, defaultPort?: number): Address {
  const hint = `give HOST:PORT, [IPV6]:PORT or unix:PATH, such as ${example}`;
  const unix = parseUnix(text, hint);
  if (unix) return unix;
  const parts = /^(?:inet:)?(\[[^\]]*\]|[^:]*)(?::([^:]*))?$/i.exec(text);
  if (!parts) throw new UsageError(`${quote(text)} is no server address: ${hint}`);
  const [, host = "", port] = parts;
  const number = port === undefined ? defaultPort : parsePort(port, text);
  const server = parseHost(host, text, hint);
  if (number === undefined) throw new UsageError(`${quote(text)} has no port: ${hint}`);
  return { transport: "tcp", host: server, port: number };
}

/** `PORT`, `IP:PORT`, `[v6addr]:PORT` or `unix:PATH`; `example` is a port. */
export function parseListen(text: string, example = "10025"): Address {
  const hint = `give [IP:]PORT, such as ${example} or 127.0.0.1:${example}`;
  const unix = parseUnix(text, hint);
  if (unix) return unix;
  const parts = /^(?:inet:)?(?:(\[[^\]]*\]|[^:]*):)?([^:]*)$/i.exec(text);
  if (!parts) throw new UsageError(`${quote(text)} is no address to listen at: ${hint}`);
  const [, host, port = ""] = parts;
  return {
    transport: "tcp",
    host: host === undefined ? "127.0.0.1" : parseHost(host, text, hint),
    port: parsePort(port, text),
  };
}

/** `IP`, `IP:PORT` or `[v6addr]:PORT`. */
export function parseNameServer(text: string): NameServer {
  const [, bracketed, plain = "", port] = /^(?:\[([^\]]*)\]|([^:]*))(?::([^:]*))?$/.exec(text) ?? [, text];
  const address = bracketed ?? plain;
  if (!parseIp(address) || address.includes("%") || (bracketed !== undefined && !address.includes(":"))) {
    throw new UsageError(`${quote(text)} is no name server: give IP[:PORT] or [IPV6]:PORT, such as 127.0.0.1:5353`);
  }
  return { address, port: port === undefined ? DNS_PORT : parsePort(port, text) };
}

function parseUnix(text: string, hint: string): Address | undefined {
  if (!/^unix:/i.test(text)) return undefined;
  const path = text.slice("unix:".length);
  if (path === "" || path.includes("\0")) throw new UsageError(`${quote(text)} has no path: ${hint}`);
  if (bytesOf(path).length > UNIX_PATH_LIMIT) {
    throw new UsageError(`${quote(text)} has a path that is too long: give one of ${UNIX_PATH_LIMIT} octets or less`);
  }
  return { transport: "unix", path };
}

function parseHost(host: string, text: string, hint: string): string {
  if (host.startsWith("[")) {
    const address = host.slice(1, -1).replace(/^ipv6:/i, "");
    if (parseIp(address)) return address;
    throw new UsageError(`${quote(text)} has no IP address in its brackets: ${hint}`);
  }
  if (host === "") throw new UsageError(`${quote(text)} names no host: ${hint}`);
  // Labels with a dot between them. A label has hyphens only inside.
  if (!/^\w+(?:(?:-+|\.)\w+)*\.?$/.test(host)) {
    throw new UsageError(`${quote(host)} is no host name: ${hint}`);
  }
  if (/^[0-9]+$/.test(host)) throw new UsageError(`${quote(host)} is a port without a host: ${hint}`);
  return host;
}

function parsePort(port: string, text: string): number {
  const number = /^[0-9]{1,5}$/.test(port) ? Number(port) : 0;
  if (number >= 1 && number <= 65535) return number;
  throw new UsageError(`${quote(text)} has no valid port: give a number from 1 to 65535`);
}
