// The rules file of --check-rules, in the syntax of Obtuse smtpd's smtpd_check_rules; pure.
//
//   ACTION[|ACTION]:SOURCES:FROMS:TOS[:XXX message]
//
// A rule is one line. Lists are parted by blanks or commas, and have exceptions after EXCEPT, which may have exceptions
// of their own. Key words are in capitals, actions in small letters; all else is compared in any case. A pattern in
// slashes may hold colons, blanks and commas, and an IPv6 address in brackets its colons; `RBL.zone=ADDRESSES` names the
// answers that count. These are more than smtpd took.
//
// `parseRules` throws a `RulesError` with the line, what is wrong in it and what would be right. It refuses what smtpd
// passed over in silence where that can only be a mistake, such as a network of 33 bits.

import type { ContentCheck } from "../envelope.ts";
import { ADDRESSES_HINT, parseAddresses } from "../dns/answers.ts";
import { asciiName } from "../dns/domain.ts";
import type { Network } from "../dns/ip.ts";
import { type DnsList, parseZone } from "../dns/list.ts";
import { quote } from "../log/logger.ts";
import { compilePattern, type Pattern, PatternError } from "../pattern/pattern.ts";
import { parseNetwork } from "./network.ts";
import { RulesError } from "./rules_error.ts";

export interface Rule {
  readonly line: number;
  readonly action: Action;
  readonly sources: PatternList<SourcePattern>;
  readonly froms: PatternList<AddressPattern>;
  readonly tos: PatternList<AddressPattern>;
}

/** `message` is the reply with its code, and with escapes; `ends` the session; `slowly`: after a delay. */
export type Action =
  | { readonly kind: "allow"; readonly contentChecks: readonly ContentCheck[] }
  | { readonly kind: "refuse"; readonly ends: boolean; readonly slowly: boolean; readonly message: string }
  | { readonly kind: "debug" };

/** What is in the list matches, except for what is in the list behind EXCEPT. */
export interface PatternList<P> {
  readonly patterns: readonly P[];
  readonly except?: PatternList<P>;
}

export type TextPattern =
  | { readonly kind: "all" }
  /** With `*` for any text, in small letters. */
  | { readonly kind: "glob"; readonly text: string }
  | { readonly kind: "regex"; readonly pattern: Pattern };

/** A host, by its name or its address. */
export type HostPattern =
  | TextPattern
  | { readonly kind: "known"; readonly wanted: boolean }
  | { readonly kind: "network"; readonly network: Network }
  | ListedPattern;

export type ListedPattern = DnsList & { readonly kind: "listed" };

/** The name servers and mail exchangers of a domain. */
export interface ServersPattern {
  readonly kind: "servers";
  readonly host: HostPattern;
}

/** `user` is who ident (RFC 1413) says, which is nobody. */
export interface SourcePattern {
  readonly user?: TextPattern;
  readonly host: HostPattern | ServersPattern;
}

export type DomainPattern = TextPattern | ServersPattern | ListedPattern;

/** A whole address, or its two sides; one without a `@` has no side to the right. `USER` is the user that ident names. */
export type AddressPattern =
  | { readonly whole: TextPattern }
  | { readonly left: TextPattern | "USER"; readonly right: DomainPattern }
  | { readonly domain: Exclude<DomainPattern, TextPattern> };

const SYNTAX = "ACTION:SOURCES:FROMS:TOS[:XXX message]";

// A regular expression from one separator to the next, of which a slash behind a backslash is no end.
const REGEX = String.raw`(?<=^|[\s:,@]|NS=)/(?:\\.|[^\\/]|/(?![\s:,@]|$))+/(?=[\s:,@]|$)`;
const BRACKETS = String.raw`\[[^\]\s,]*\]`;
const FIELD = new RegExp(`(?:${REGEX}|${BRACKETS}|[^:])*`, "y");
const WORD = new RegExp(`(?:${REGEX}|[^\\s,])+`, "g");

/** The rules in `text`, in order. Throws `RulesError`. */
export function parseRules(text: string): Rule[] {
  const rules: Rule[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    try {
      rules.push(parseRule(line, at + 1));
    } catch (error) {
      if (error instanceof RulesError) error.line = at + 1;
      throw error;
    }
  }
  return rules;
}

function parseRule(text: string, line: number): Rule {
  if (text.includes("\0")) throw new RulesError("a NUL octet in the line: take it out");
  const fields: string[] = [];
  FIELD.lastIndex = 0;
  while (fields.length < 4 && FIELD.lastIndex <= text.length) {
    fields.push(FIELD.exec(text)![0]);
    FIELD.lastIndex++;
  }
  if (fields.length < 4) {
    throw new RulesError(`${fields.length} of the 4 fields of a rule: a rule is one line, ${SYNTAX}`);
  }
  const [action, sources, froms, tos] = fields as [string, string, string, string];
  for (const field of [sources, froms, tos]) refuseSplitAddresses(field);
  return {
    line,
    action: parseAction(action, text.slice(FIELD.lastIndex)),
    sources: parseList(sources.match(WORD) ?? [], "SOURCES", parseSource),
    froms: parseList(froms.match(WORD) ?? [], "FROMS", parseAddress),
    tos: parseList(tos.match(WORD) ?? [], "TOS", parseAddress),
  };
}

// --- action and message

const ALLOWS: Readonly<Record<string, readonly ContentCheck[]>> = {
  "allow": [],
  "allow-filter": ["filter"],
  "allow-extchk": ["extchk"],
};

const REFUSES: Readonly<Record<string, { readonly ends: boolean; readonly slowly: boolean }>> = {
  "deny": { ends: true, slowly: false },
  "deny_delay": { ends: true, slowly: true },
  "noto": { ends: false, slowly: false },
  "noto_delay": { ends: false, slowly: true },
};

const ACTIONS = [...Object.keys(ALLOWS), ...Object.keys(REFUSES), "debug"];

function parseAction(field: string, message: string): Action {
  const words = field.split("|").map((word) => word.trim());
  const unknown = words.find((word) => !ACTIONS.includes(word));
  if (unknown !== undefined) {
    throw new RulesError(`action ${quote(unknown)} is not known: give ${ACTIONS.slice(0, -1).join(", ")} or debug`);
  }
  const allows = words.flatMap((word) => ALLOWS[word] ?? []);
  if (words.every((word) => word in ALLOWS)) return { kind: "allow", contentChecks: [...new Set(allows)] };
  const [word, second] = words as [string, string?];
  if (second !== undefined) {
    throw new RulesError(
      `action ${
        quote(field.trim())
      } joins what excludes one another: only allow, allow-filter and allow-extchk go together`,
    );
  }
  return word === "debug" ? { kind: "debug" } : { kind: "refuse", ...REFUSES[word]!, message: parseMessage(message) };
}

const NO_MESSAGE = "550 5.7.1 Mail from %F to %T is not accepted from %H[%I]";

// A comment may stand in the place of the message, or behind it.
function parseMessage(field: string): string {
  const message = field.replace(/^[\s:]+/, "").replace(/(?:^|:\s*)#.*/, "").trim();
  if (message === "") return NO_MESSAGE;
  const escape = message.match(/%.?/g)?.find((escape) => !/^%[HIFTUC%]$/.test(escape));
  if (escape !== undefined) {
    throw new RulesError(
      `${quote(escape)} in the message: give %H, %I, %F, %T, %U, %C for a colon or %% for a percent sign`,
    );
  }
  const code = /^[0-9]{3}(?=[ -]|$)/.exec(message)?.[0];
  if (code === undefined) return `550 ${message}`;
  if (!/^[45]/.test(code)) {
    throw new RulesError(`code ${code} of the message refuses nothing: give one that begins with 4 or 5, such as 550`);
  }
  return `${code} ${message.slice(4).trimStart()}`;
}

// --- lists

function parseList<P>(words: readonly string[], name: string, parse: (word: string) => P): PatternList<P> {
  const end = words.findIndex((word) => word.toUpperCase() === "EXCEPT");
  const patterns = (end === -1 ? words : words.slice(0, end)).map(parse);
  if (patterns.length === 0) {
    const where = words.length === 0 ? `field ${name} is empty` : `no pattern in ${name} before EXCEPT`;
    throw new RulesError(`${where}: give patterns, or ALL`);
  }
  if (end === -1) return { patterns };
  const rest = words.slice(end + 1);
  if (rest.length === 0) throw new RulesError(`no pattern in ${name} after EXCEPT: give what is excepted`);
  return { patterns, except: parseList(rest, name, parse) };
}

// As the options have them: `RBL.list.example.org=127.0.0.2,127.0.0.9`.
function refuseSplitAddresses(field: string): void {
  const [list] =
    /(?<![^\s,=@])R(?:BL|HS)\.[^\s,]*=[^\s,]*,(?:127\.[^\s,]*|[0-9]+(?:-[0-9]+)?(?=[\s,]|$))/.exec(field) ?? [];
  if (list === undefined) return;
  throw new RulesError(`${quote(list)}: a comma parts patterns here: give answers as one, such as 127.0.0.[2;4..11]`);
}

// --- patterns

function parseSource(word: string): SourcePattern {
  const at = isRegex(word) ? -1 : word.lastIndexOf("@");
  const host = word.slice(at + 1);
  if (host === "") throw new RulesError(`${quote(word)} names no host: give one after the @, or ALL`);
  const pattern = parseServers(host) ?? parseHost(host);
  return at === -1 ? { host: pattern } : { user: parseText(word.slice(0, at)), host: pattern };
}

function parseServers(word: string): ServersPattern | undefined {
  if (!word.startsWith("NS=")) return undefined;
  const host = word.slice("NS=".length);
  if (host === "") throw new RulesError(`${quote(word)} names no name server: give a pattern after NS=`);
  return { kind: "servers", host: parseHost(host) };
}

// What is written like a key word and is none here would be compared with names, of which none is like it.
function refuseKeyWord(word: string, where: string): void {
  if (/^(?:(?:KNOWN|UNKNOWN|USER)$|RBL\.|RHS\.|NS=)/.test(word)) {
    throw new RulesError(`${quote(word)} means nothing in ${where}: see RULES in postprox(8) for what does`);
  }
  const [written] = /^(?:all|known)$|^ns=/i.exec(word) ?? [];
  if (written !== undefined && written !== "ALL") {
    throw new RulesError(`${quote(written)} is no key word: give ${written.toUpperCase()}`);
  }
}

function parseHost(word: string): HostPattern {
  if (word === "KNOWN" || word === "UNKNOWN") return { kind: "known", wanted: word === "KNOWN" };
  const listed = parseListed(word, "RBL.");
  if (listed) return listed;
  const network = parseNetwork(word);
  if (network) return { kind: "network", network };
  // What is written like an address or a network and is none: smtpd compared it with host names, of which none is like it.
  if (/^(?:[0-9.*]+\/|\[)/.test(word)) {
    throw new RulesError(`${quote(word)} is no network: give ADDRESS/BITS, such as 192.0.2.0/24 or [2001:db8::]/32`);
  }
  if (/^[0-9.-]+$/.test(word) || (/^[0-9.*]+$/.test(word) && !mayBeIpv4(word))) {
    throw new RulesError(`${quote(word)} is no address: give such as 192.0.2.1, 192.0.2.* or 192.0.2.0/24`);
  }
  refuseKeyWord(word, "SOURCES");
  return parseName(word);
}

// The name of a client, or the domain of an address. Neither is compared with a dot at its end.
function parseName(word: string): TextPattern {
  const name = parseText(word);
  if (name.kind !== "glob") return name;
  if (name.text.endsWith(".")) throw new RulesError(`${quote(word)} matches no name: give it without the last dot`);
  const text = asciiName(name.text);
  if (text === "") throw new RulesError(`${quote(word)} is no name: give a host or a domain`);
  return { kind: "glob", text };
}

function mayBeIpv4(glob: string): boolean {
  const octets = glob.split(".");
  return octets.length <= 4 && !octets.some((octet) => Number(octet) > 255);
}

function parseAddress(word: string): AddressPattern {
  if (isRegex(word)) return { whole: parseText(word) };
  const at = word.lastIndexOf("@");
  const right = word.slice(at + 1);
  const domain = parseServers(right) ?? parseListed(right, "RHS.");
  if (!domain) refuseKeyWord(right, "FROMS and TOS");
  if (at !== -1) {
    const left = word.slice(0, at);
    if (/^".*"$/.test(left)) throw new RulesError(`${quote(word)} matches no address: give it without the quotes`);
    return { left: left === "USER" ? left : parseText(left), right: domain ?? parseName(right) };
  }
  if (domain) return { domain };
  const whole = parseText(word);
  // No other address is without a domain.
  if (whole.kind === "glob" && !/^(?:|postmaster|.*\*.*)$/.test(whole.text)) {
    throw new RulesError(`${quote(word)} is no address: give such as *@example.org or user@example.org`);
  }
  return { whole };
}

function parseListed(word: string, prefix: "RBL." | "RHS."): ListedPattern | undefined {
  if (!word.startsWith(prefix)) return undefined;
  const [name = "", ...rest] = word.slice(prefix.length).split("=");
  const zone = parseZone(name);
  if (zone === undefined) {
    throw new RulesError(
      `${quote(word)} names no zone: give a domain after ${prefix}, such as ${prefix}list.example.org`,
    );
  }
  if (rest.length === 0) return { kind: "listed", zone, addresses: undefined };
  const addresses = parseAddresses(rest.join("="));
  if (!addresses) throw new RulesError(`${quote(word)} has no addresses behind "=": ${ADDRESSES_HINT}`);
  return { kind: "listed", zone, addresses };
}

function parseText(word: string): TextPattern {
  if (word === "ALL") return { kind: "all" };
  if (isRegex(word)) return { kind: "regex", pattern: parseRegex(word.slice(1, -1)) };
  if (word.startsWith("/")) {
    throw new RulesError(`${quote(word)} is half a regular expression: give /EXPRESSION/`);
  }
  // The null sender, whose brackets are not looked at either.
  return { kind: "glob", text: word === "<>" ? "" : word.toLowerCase() };
}

function isRegex(word: string): boolean {
  return word.length > 2 && word.startsWith("/") && word.endsWith("/");
}

function parseRegex(source: string): Pattern {
  try {
    return compilePattern(source, { syntax: "extended" });
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new RulesError(`regular expression ${quote(source)}: ${error.message}`);
  }
}
