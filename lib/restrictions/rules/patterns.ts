// The patterns of a rules file: clients in SOURCES, addresses in FROMS and TOS. Pure.
//
// A pattern that can match nothing is an error, and the error says what would be right. Otherwise the rule would admit
// the very mail that it should refuse, or refuse mail that it should admit, and nobody would notice. smtpd compared
// such patterns with names anyway.

import { ADDRESSES_HINT, parseAddresses } from "../../dns/answers.ts";
import { asciiName, NAME_LIMIT } from "../../text/domain.ts";
import { isWithin, type Network } from "../../text/ip.ts";
import { type DnsList, parseZone } from "../../dns/list.ts";
import { quote } from "../../text/quoting.ts";
import { compilePattern, type Pattern, PatternError } from "../../pattern/pattern.ts";
import { isAddressLiteral } from "../../smtp/mailbox.ts";
import { parseNetwork } from "../../text/network.ts";
import { RulesError } from "../../text/line_error.ts";

export type TextPattern =
  | { readonly kind: "all" }
  /** `*` stands for any text. Lower case. */
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

export type SourcePattern = HostPattern | ServersPattern;

export type DomainPattern = TextPattern | ServersPattern | ListedPattern;

/** A whole address, or its two sides. An address without an `@` has no right side. */
export type AddressPattern =
  | { readonly whole: TextPattern }
  | { readonly left: TextPattern; readonly right: DomainPattern }
  | { readonly domain: Exclude<DomainPattern, TextPattern> };

/** A word of SOURCES. Throws `RulesError`. */
export function parseSource(word: string): SourcePattern {
  if (isRegex(word)) return parseHost(word);
  const at = word.lastIndexOf("@");
  const [user, host] = [word.slice(0, Math.max(0, at)), word.slice(at + 1)];
  if (at !== -1) refuseUser(word, user, host);
  return parseServers(host) ?? parseHost(host);
}

// smtpd asked ident (RFC 1413) who the user is. Nobody does today.
function refuseUser(word: string, user: string, host: string): void {
  if (host === "") throw new RulesError(`${quote(word)} names no host: give one after the @, or ALL`);
  if (user === "ALL") return;
  const instead = user === "" ? `${host} or *.${host}` : host;
  throw new RulesError(
    `${quote(word)} matches no client, for nobody asks ident who the user is: give ${instead}; senders stand in FROMS`,
  );
}

/** A word of FROMS, or of TOS. Throws `RulesError`. */
export function parseAddress(word: string, field: "FROMS" | "TOS"): AddressPattern {
  if (isRegex(word)) return { whole: parseText(word) };
  if (/^<.+>$/.test(word)) throw new RulesError(`${quote(word)} matches no address: give it without the brackets`);
  const at = word.lastIndexOf("@");
  const right = word.slice(at + 1);
  const domain = parseServers(right) ?? parseListed(right, "RHS.");
  if (!domain) refuseKeyWord(right, "FROMS and TOS");
  if (at !== -1) return { left: parseLeft(word.slice(0, at), word), right: domain ?? parseDomain(right) };
  return domain ? { domain } : { whole: parseWhole(word, field) };
}

function parseLeft(left: string, word: string): TextPattern {
  if (left === "") throw new RulesError(`${quote(word)} matches no address: give *${word}`);
  if (/^".*"$/.test(left)) throw new RulesError(`${quote(word)} matches no address: give it without the quotes`);
  if (left === "USER") {
    throw new RulesError(
      `${quote(word)} matches no address, for nobody asks ident who the user is: give *${word.slice(4)}`,
    );
  }
  return parseText(left);
}

function parseDomain(word: string): TextPattern {
  if (!word.startsWith("[")) return parseName(word);
  if (isAddressLiteral(word) || /^\[[0-9a-fipv:.]*\*[0-9a-fipv:.*]*\]$/i.test(word)) return parseText(word);
  throw new RulesError(`${quote(word)} is no address literal: give such as [192.0.2.1] or [IPv6:2001:db8::1]`);
}

// Only the null sender and the recipient postmaster have no domain.
function parseWhole(word: string, field: "FROMS" | "TOS"): TextPattern {
  if (word === "<>") {
    if (field === "FROMS") return { kind: "glob", text: "" };
    throw new RulesError(`${quote(word)} matches no recipient: it is the null sender, which stands in FROMS`);
  }
  const whole = parseText(word);
  if (whole.kind !== "glob") return whole;
  if (whole.text === "postmaster" && field === "FROMS") {
    throw new RulesError(`${quote(word)} matches no sender, because all have a domain: give postmaster@*`);
  }
  if (whole.text !== "postmaster" && !whole.text.includes("*")) {
    const domain = word.startsWith(".") ? `*${word}` : word;
    throw new RulesError(`${quote(word)} is no address: give such as *@${domain} or user@${domain}`);
  }
  if (whole.text.endsWith(".")) throw new RulesError(`${quote(word)} matches no address: give it without the last dot`);
  return whole;
}

/** Whether `other` matches all that `word` matches, and more. It sees only plain cases. */
export function isCovered(word: string, other: string): boolean {
  if (/^(?:ALL|\*)$/.test(other) || word.toLowerCase() === other.toLowerCase()) return true;
  const [inner, outer] = [parseNetwork(word), parseNetwork(other)];
  return inner !== undefined && outer !== undefined && outer.bits <= inner.bits && isWithin(inner.address, outer);
}

function parseServers(word: string): ServersPattern | undefined {
  if (!word.startsWith("NS=")) return undefined;
  const host = word.slice("NS=".length);
  if (host === "") throw new RulesError(`${quote(word)} names no name server: give a pattern after NS=`);
  return { kind: "servers", host: parseHost(host) };
}

// Such a word looks like a key word, but has no meaning here. It would be compared with names and match no name.
function refuseKeyWord(word: string, where: string): void {
  if (/^(?:(?:KNOWN|UNKNOWN|USER)$|RBL\.|RHS\.|NS=)/.test(word)) {
    throw new RulesError(`${quote(word)} means nothing in ${where}: see RULES in postprox(8)`);
  }
  if (/^(?:un)?trusted$/i.test(word)) {
    throw new RulesError(
      `${quote(word)} means a side of a firewall that is not here: give your own networks, such as 192.0.2.0/24, ` +
        "or ALL EXCEPT these",
    );
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
  if (/^(?:[0-9.*]+\/|\[)/.test(word)) {
    throw new RulesError(`${quote(word)} is no network: give ADDRESS/BITS, such as 192.0.2.0/24 or [2001:db8::]/32`);
  }
  // Some write `x` in place of an octet.
  if (/^[0-9.-]+$|^(?:[0-9]+\.)+[x.]+$/i.test(word) || (/^[0-9.*]+$/.test(word) && !mayBeIpv4(word))) {
    throw new RulesError(
      `${quote(word)} is no address: give such as 192.0.2.1, 192.0.2.*, 192.0.2.0/24 or [2001:db8::1]`,
    );
  }
  refuseKeyWord(word, "SOURCES");
  return parseName(word);
}

// An asterisk may stand for anything, dots too.
function mayBeIpv4(glob: string): boolean {
  const octets = glob.split(".");
  const isPart = (digits: string, at: number) =>
    digits.length <= 3 && Number(digits) <= 255 && !(at === 0 && /^0./.test(digits));
  return octets.length <= 4 && octets.every((octet) => octet !== "" && octet.split("*").every(isPart));
}

// The name of a client, or the domain of an address, in the form of DNS. The comparison has no final dot.
function parseName(word: string): TextPattern {
  const name = parseText(word);
  if (name.kind !== "glob") return name;
  const wrong = (why: string, instead: string) => new RulesError(`${quote(word)} ${why}: give ${instead}`);
  if (/^ALL\./.test(word)) throw wrong("has ALL in a name", `*${word.slice("ALL".length)}`);
  if (name.text.startsWith(".")) throw wrong("matches no name", `*${word}`);
  if (name.text.endsWith(".")) throw wrong("matches no name", "it without the last dot");
  const text = asciiName(name.text);
  if (!/^[\w.*-]+$/.test(text)) throw wrong("is no name", "a host or a domain, with * for any text");
  const isTooLong = text.replaceAll("*", "").length > NAME_LIMIT || /[^.*]{64}/.test(text);
  if (isTooLong || text.includes("..")) {
    throw wrong("matches no name", "labels of 1 to 63 letters with a point between");
  }
  return { kind: "glob", text };
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
  if (!addresses) throw new RulesError(`${quote(word)} has no addresses after "=": ${ADDRESSES_HINT}`);
  return { kind: "listed", zone, addresses };
}

function parseText(word: string): TextPattern {
  if (word === "ALL") return { kind: "all" };
  if (isRegex(word)) return { kind: "regex", pattern: parseRegex(word.slice(1, -1)) };
  if (word.startsWith("/")) {
    throw new RulesError(`${quote(word)} is half a regular expression: give /EXPRESSION/`);
  }
  return { kind: "glob", text: word.toLowerCase() };
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
