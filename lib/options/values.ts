// From an option's text to its value. Each function throws a `UsageError` that names the text and shows a right one.

import type { ExitMeaning } from "../checks/program/command_result.ts";
import { ADDRESSES_HINT, parseAddresses } from "../dns/answers.ts";
import { parseIp } from "../text/ip.ts";
import { type DnsList, parseZone } from "../dns/list.ts";
import { quote } from "../text/quoting.ts";
import type { LogTarget } from "../log/sinks.ts";
import type { Address, NameServer } from "../ports/runtime.ts";
import { bytesOf } from "../text/octets.ts";
import { SYSLOG_SOCKET, UsageError } from "./options.ts";

/** What --exit-status may make of a status. */
const EXIT_MEANINGS: readonly ExitMeaning[] = ["reject", "tempfail", "discard", "pass", "fail"];

/** The default port of SMTP (RFC 5321 s.4.5.4.2). */
const SMTP_PORT = 25;
const DNS_PORT = 53;

/** What a socket's address has room for, beside the NUL at its end (unix(7)). */
const UNIX_PATH_LIMIT = 107;

// A week: far beyond any use, and within what a timer can hold.
const SECONDS_LIMIT = 604_800;

/** `HOST`, `HOST:PORT`, `[v6addr]:PORT`, `inet:HOST:PORT` or `unix:PATH`. */
export function parseDownstream(text: string): Address {
  const hint = "give HOST:PORT, [IPV6]:PORT or unix:PATH, such as 127.0.0.1:10026";
  const unix = parseUnix(text, hint);
  if (unix) return unix;
  const parts = /^(?:inet:)?(\[[^\]]*\]|[^:]*)(?::([^:]*))?$/i.exec(text);
  if (!parts) throw new UsageError(`${quote(text)} is no server address: ${hint}`);
  const [, host = "", port] = parts;
  return {
    transport: "tcp",
    host: parseHost(host, text, hint),
    port: port === undefined ? SMTP_PORT : parsePort(port, text),
  };
}

/** `PORT`, `IP:PORT`, `[v6addr]:PORT` or `unix:PATH`. */
export function parseListen(text: string): Address {
  const hint = "give [IP:]PORT, such as 10025 or 127.0.0.1:10025";
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

/** A time in seconds above 0, fractions allowed; as milliseconds. */
export function parseSeconds(text: string): number {
  const seconds = /^[0-9]+(?:\.[0-9]+)?$/.test(text) ? Number(text) : NaN;
  const milliseconds = Math.round(seconds * 1000);
  if (milliseconds > 0 && seconds <= SECONDS_LIMIT) return milliseconds;
  throw new UsageError(`${quote(text)} is no time limit: give a number of seconds above 0, such as 30`);
}

/** A size in octets above 0, with K, M or G for 1024 and its powers. */
export function parseSize(text: string): number {
  const parts = /^([0-9]{1,12})([KMG]?)$/i.exec(text);
  const size = parts ? Number(parts[1]) * 1024 ** " KMG".indexOf(parts[2]!.toUpperCase() || " ") : 0;
  if (size > 0) return size;
  throw new UsageError(`${quote(text)} is no size: give a number of octets above 0, such as 10240000 or 10M`);
}

export function parseCount(text: string): number {
  const count = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  if (count > 0) return count;
  throw new UsageError(`${quote(text)} is no number: give one above 0, such as 100`);
}

/** A number of at least 1, fractions allowed. */
export function parseFactor(text: string): number {
  const factor = /^[0-9]{1,4}(?:\.[0-9]+)?$/.test(text) ? Number(text) : 0;
  if (factor >= 1) return factor;
  throw new UsageError(`${quote(text)} is no factor: give a number of at least 1, such as 1.5`);
}

export function parseFile(text: string): string {
  if (text !== "") return text;
  throw new UsageError('"" names no file: give the path of one');
}

export function parseDirectory(text: string): string {
  if (text !== "") return text;
  throw new UsageError('"" names no directory: give the path of one');
}

/** `syslog`, `syslog:SOCKET`, `stderr` or the path of a file. */
export function parseLog(text: string): LogTarget {
  if (text === "stderr") return { kind: "stderr" };
  if (text === "syslog") return { kind: "syslog", path: SYSLOG_SOCKET };
  if (text.startsWith("syslog:/")) return { kind: "syslog", path: text.slice("syslog:".length) };
  if (text.includes("/")) return { kind: "file", path: text };
  throw new UsageError(
    `${quote(text)} is no place for a log: give syslog, stderr or the path of a file, such as ${quote(`./${text}`)}`,
  );
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

/** `ZONE`, or `ZONE=ADDRESSES` with the answers that count, as `parseAddresses` reads them. */
export function parseDnsList(text: string): DnsList {
  const [name = "", ...rest] = text.split("=");
  const zone = parseZone(name);
  if (zone === undefined) {
    throw new UsageError(`${quote(text)} is no DNS list: give ZONE[=ADDRESSES], such as bl.example.org=127.0.0.2-11`);
  }
  if (rest.length === 0) return { zone, addresses: undefined };
  const addresses = parseAddresses(rest.join("="));
  if (!addresses) throw new UsageError(`${quote(text)} has no addresses behind "=": ${ADDRESSES_HINT}`);
  return { zone, addresses };
}

/** `CODES=WHAT`: statuses from 1 to 255 and ranges of them, joined by commas, and what these mean. */
export function parseExitStatus(text: string): { statuses: number[]; meaning: ExitMeaning } {
  const hint = "give CODES=WHAT, such as 69,100-110=tempfail, with CODES from 1 to 255 and WHAT one of " +
    EXIT_MEANINGS.join(", ");
  const equals = text.indexOf("=");
  const meaning = EXIT_MEANINGS.find((one) => one === text.slice(equals + 1));
  if (equals === -1 || !meaning) throw new UsageError(`${quote(text)} does not say what a status means: ${hint}`);
  const statuses = text.slice(0, equals).split(",").flatMap((range) => {
    const [, from, to = from] = /^([0-9]{1,3})(?:-([0-9]{1,3}))?$/.exec(range) ?? [];
    const [first, last] = [Number(from), Number(to)];
    if (first === 0 && last === 0) throw new UsageError(`${quote(text)} has status 0, which always passes: ${hint}`);
    if (!(first >= 1 && first <= last && last <= 255)) {
      throw new UsageError(`${quote(text)} has a wrong status: ${hint}`);
    }
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
  return { statuses, meaning };
}

/** `ZONE=TEXT`: the zone of a DNS list, and what strangers hear in its place. */
export function parseListName(text: string): [zone: string, name: string] {
  const [, zoneText = "", name = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const zone = parseZone(zoneText);
  if (zone === undefined) {
    throw new UsageError(`${quote(text)} names no DNS list: give ZONE=TEXT, such as key.bl.example.org=bl.example.org`);
  }
  if (/^[ -~]*[!-~][ -~]*$/.test(name)) return [zone, name];
  throw new UsageError(`${quote(text)} has no text for a reply behind "=": give printable ASCII`);
}

export function parseChoice<Choice extends string>(text: string, choices: readonly Choice[]): Choice {
  const choice = choices.find((one) => one === text);
  if (choice) return choice;
  throw new UsageError(`${quote(text)} is not known: give ${choices.join(" or ")}`);
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
  // Labels with a point between them, which have hyphens inside only.
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
