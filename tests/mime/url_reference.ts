// deno-lint-ignore-file no-control-regex

// An independent reference for the search for URLs: slow, on whole texts, with regular expressions. Fuzz compares it with
// lib/mime/url_finder.ts. It knows no percent-encoding outside of hosts, no IPv6 address, and no bound.

import type { UrlHost } from "../../lib/mime/url_host.ts";

/** A host for the tables of tests: its name, or its address. */
export function formatHost(host: UrlHost): string {
  if (host.kind === "name") return host.name;
  if (host.ip.length === 4) return host.ip.join(".");
  return Array.from({ length: 8 }, (_, at) => (host.ip[2 * at]! << 8 | host.ip[2 * at + 1]!).toString(16)).join(":");
}

const NAMED: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  copy: "\u00c2\u00a9",
  apos: "'",
  Tab: "\t",
  NewLine: "\n",
  colon: ":",
  sol: "/",
  period: ".",
  commat: "@",
};

/** Character references decoded; one character for each octet. */
export function decodeReferences(text: string): string {
  const utf8 = (point: number) =>
    Array.from(new TextEncoder().encode(String.fromCodePoint(point)), (octet) => String.fromCharCode(octet)).join("");
  return text
    .replace(
      /&#x([0-9a-f]+);?|&#([0-9]+);?|&(amp|lt|gt|quot|copy);?|&(apos|Tab|NewLine|colon|sol|period|commat);/gi,
      (whole, hex, decimal, old, other) => {
        if (hex !== undefined) return utf8(parseInt(hex, 16));
        if (decimal !== undefined) return utf8(parseInt(decimal, 10));
        return NAMED[old ?? other] ?? whole;
      },
    );
}

interface Start {
  /** Where its letters, or its slashes, begin. */
  readonly from: number;
  /** Where it is known to be one: after the colon, at the dot, after the second slash. */
  readonly known: number;
  readonly closing: string;
  readonly isWww: boolean;
}

const SOFT = /[^A-Za-z0-9._%\x80-\xff\-/\\?#@<>"\x00-\x20\x7f]/;
const PLAIN_END = /[<>"\x00-\x20\x7f]/;

/** The texts in place of a host in each URL of `text`, as a set. The text has one character for each octet. */
export function referenceHosts(text: string): Set<string> {
  const decoded = decodeReferences(text.replaceAll("\0", ""));
  const given: string[] = [];
  let next = 0;
  const starts = startsIn(decoded);
  // A URL: `authority` is read from its start, and goes at most up to an end.
  for (const [at, start] of starts.entries()) {
    if (start.known < next) continue;
    const rest = decoded.slice(start.isWww ? start.from : start.known);
    const slashes = start.isWww ? 0 : rest.match(start.closing ? /^[/\\\t\r\n]*/ : /^[/\\]*/)![0].length;
    const from = (start.isWww ? start.from : start.known) + slashes;
    if (!start.isWww && /^(?:$|[?#]|[<>"\x00-\x20\x7f])/.test(decoded.slice(from))) continue;
    let end = endOf(decoded, from, start.closing);
    next = start.known;
    for (const other of starts.slice(at + 1)) {
      if (other.known > end || (other.known === end && other.isWww)) break;
      if (other.known <= start.known) continue;
      if (!other.isWww) {
        end = other.known - 1;
        break;
      }
      const before = decoded.slice(from, other.from).split("@").at(-1)!;
      if (isUser(before)) {
        end = other.from;
        break;
      }
      next = other.known + 1;
    }
    given.push(...hostsOf(decoded.slice(from, end), start.closing));
  }
  return new Set(given.filter((host) => host !== ""));
}

function isUser(part: string): boolean {
  return /[^A-Za-z0-9._%\x80-\xff\-\t\r\n]/.test(part);
}

function endOf(text: string, from: number, closing: string): number {
  const rest = text.slice(from);
  const end = rest.search(closing === "" ? /[/\\?#<>"\x00-\x20\x7f]/ : new RegExp(`[/\\\\?#${closing}]`));
  return end === -1 ? text.length : from + end;
}

function hostsOf(authority: string, closing: string): string[] {
  const parts = authority.split("@");
  const last = parts.pop()!;
  if (closing === "") {
    const ended = parts.flatMap((part) => {
      const soft = SOFT.exec(part);
      return soft && soft[0] !== ":" ? [part.slice(0, soft.index)] : [];
    });
    return [...ended, last.split(SOFT, 1)[0]!];
  }
  const plain = authority.search(PLAIN_END);
  const hostIn = (part: string) => part.replace(/[\t\r\n]/g, "").split(/[^A-Za-z0-9._%\x80-\xff\-]/, 1)[0]!;
  return [...plain === -1 ? [] : [hostIn(authority.slice(0, plain).split("@").at(-1)!)], hostIn(last)];
}

function startsIn(text: string): Start[] {
  const starts: Start[] = [];
  const gap = "[\\t\\r\\n]*";
  const open = /^(?:h[\s\S]*|f[\s\S]*)$/i;
  for (let at = 0; at < text.length; at++) {
    const rest = text.slice(at, at + 40);
    const opening = /([\s\S])[\x00-\x20]*$/.exec(text.slice(0, at).replace(/[\x00-\x20]+$/, ""))?.[1] ?? "";
    const closing = ({ '"': '"', "'": "'", "<": ">" } as Record<string, string>)[opening] ?? "";
    if (open.test(rest)) {
      const letters = closing ? ["http", "https", "ftp"].map((word) => [...word].join(gap) + gap) : ["https?", "ftp"];
      const match = new RegExp(`^(?:${letters.join("|")}):`, "i").exec(rest);
      if (match) starts.push({ from: at, known: at + match[0].length, closing, isWww: false });
    } else if (/^[wW]{3}[.\xe3\xef]/.test(rest) && !/[A-Za-z0-9@.-]$/.test(text.slice(0, at))) {
      starts.push({ from: at, known: at + 3, closing, isWww: true });
    } else if (/["'=]/.test(opening)) {
      const match = (closing ? /^[/\\][\t\r\n]*[/\\]/ : /^[/\\]{2}/).exec(rest);
      if (match) starts.push({ from: at, known: at + match[0].length, closing, isWww: false });
    }
  }
  return starts.sort((one, other) => one.known - other.known);
}
