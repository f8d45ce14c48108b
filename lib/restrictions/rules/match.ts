// Finds out whether a rule of the rules file matches a recipient. Pure, except that it asks DNS.
//
// There are three answers: yes, no, and `undefined` for "not known". That is the answer if DNS fails, or if the sender
// or client is not known. They combine as in Kleene's logic. A list with one certain match matches, even if other
// answers are not known. If an exception is not known, its match is not known either. The caller decides what "not
// known" means.
//
// It looks at recipient and sender before the client. If these do not match, no lookup is needed.

import { asciiName, dnsName } from "../../text/domain.ts";
import { type Ip, isWithin, parseIp, reversedName, reverseZone } from "../../text/ip.ts";
import type { DnsList } from "../../dns/list.ts";
import { isListed, type Listable } from "../../dns/listing.ts";
import type { Dns } from "../../dns/lookups.ts";
import { IoError } from "../../ports/io_error.ts";
import type { RecordType } from "../../ports/runtime.ts";
import { bytesOf } from "../../text/octets.ts";
import { nameOf, NO_NAME } from "../client_name.ts";
import type { Caller } from "../restriction.ts";
import type { PatternList, Rule } from "./file.ts";
import type {
  AddressPattern,
  DomainPattern,
  HostPattern,
  ServersPattern,
  SourcePattern,
  TextPattern,
} from "./patterns.ts";

export type Match = boolean | undefined;

export interface MatchedMail {
  readonly client: Caller;
  /** The empty string is the null sender. Undefined means not known. */
  readonly sender: string | undefined;
  readonly recipient: string;
}

export interface MatchParts {
  readonly dns: Dns;
  /** Gets the reason why an answer is not known. */
  readonly doubt: (why: string) => void;
}

// A stranger's domain may name any number of servers.
const SERVERS_LIMIT = 10;

// A stranger's address may have any number of labels. The /64 of an IPv6 address has 16, plus those of ip6.arpa.
const LABELS_LIMIT = 18;

const ADDRESSES = ["A", "AAAA"] as const;

export async function matchesRule(rule: Rule, mail: MatchedMail, parts: MatchParts): Promise<Match> {
  return all([
    () => matchesList(rule.tos, (pattern) => matchesAddress(pattern, mail.recipient, parts)),
    () => matchesList(rule.froms, (pattern) => matchesAddress(pattern, mail.sender, parts)),
    () => matchesList(rule.sources, (pattern) => matchesSource(pattern, mail.client, parts)),
  ]);
}

// --- Three answers

type Question = () => Promise<Match> | Match;

async function all(questions: readonly Question[]): Promise<Match> {
  let answer: Match = true;
  for (const question of questions) {
    const match = await question();
    if (match === false) return false;
    if (match === undefined) answer = undefined;
  }
  return answer;
}

async function any(questions: readonly Question[]): Promise<Match> {
  return not(await all(questions.map((question) => async () => not(await question()))));
}

/** Like `any`, for questions that wait for DNS. It asks all at once, so ten dead servers take no more time than one. */
async function anyAtOnce(questions: readonly Question[]): Promise<Match> {
  const answers = await Promise.all(questions.map((question) => question()));
  return any(answers.map((answer) => () => answer));
}

function not(match: Match): Match {
  return match === undefined ? undefined : !match;
}

async function matchesList<P>(list: PatternList<P>, matches: (pattern: P) => Promise<Match>): Promise<Match> {
  const { patterns, except } = list;
  return all([
    () => any(patterns.map((pattern) => () => matches(pattern))),
    async () => !except || not(await matchesList(except, matches)),
  ]);
}

// --- Patterns

/** The answer of DNS. If it fails, the result is undefined, and `doubt` gets the reason. */
async function ifKnown<Answer>(answer: Promise<Answer>, { doubt }: MatchParts): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    doubt(error.message);
    return undefined;
  }
}

function lookUp(name: string, type: RecordType, parts: MatchParts): Promise<readonly string[] | undefined> {
  return ifKnown(parts.dns.records(name, type), parts);
}

async function hasAddress(name: string, parts: MatchParts): Promise<Match> {
  return anyAtOnce(ADDRESSES.map((type) => async () => {
    const records = await lookUp(name, type, parts);
    return records && records.length > 0;
  }));
}

function matchesText(pattern: TextPattern, text: string, { doubt }: MatchParts): Match {
  switch (pattern.kind) {
    case "all":
      return true;
    case "glob":
      return matchesGlob(pattern.text, text.toLowerCase());
    case "regex": {
      const match = pattern.pattern.matches(bytesOf(text));
      if (match === undefined) doubt("a regular expression takes too long");
      return match;
    }
  }
}

// Each part between two asterisks is looked for after the part before it. One pass is enough.
function matchesGlob(glob: string, text: string): boolean {
  const [first = "", ...rest] = glob.split("*");
  const last = rest.pop();
  if (last === undefined) return text === glob;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

async function matchesSource(pattern: SourcePattern, client: Caller, parts: MatchParts): Promise<Match> {
  if (pattern.kind === "all") return true;
  const ip = parseIp(client.address ?? "");
  const name = () => nameOf(client, parts.doubt);
  if (!ip) {
    const named = await name();
    // A client that is not known has no address and no name to match.
    if (named === NO_NAME) return pattern.kind === "known" && !pattern.wanted;
  }
  const anyAddress: Host["anyAddress"] = async (test) => ip ? test(ip) : false;
  if (pattern.kind !== "servers") return matchesHost(pattern, { anyAddress, name }, parts);
  const named = await name();
  if (named === undefined) return undefined;
  return matchesServers(pattern, ip && named === NO_NAME ? `${reversedName(ip)}.${reverseZone(ip)}` : named, parts);
}

interface Host {
  /** Whether at least one of its addresses passes `test`. */
  anyAddress(test: (ip: Ip) => Promise<Match> | Match): Promise<Match>;
  /** `NO_NAME` if it has none; undefined if that is not known. */
  name(): Promise<string | undefined>;
}

async function matchesHost(pattern: HostPattern, host: Host, parts: MatchParts): Promise<Match> {
  switch (pattern.kind) {
    case "network":
      return host.anyAddress((ip) => isWithin(ip, pattern.network));
    case "listed":
      return host.anyAddress((ip) => matchesListed(pattern, ip, parts));
    case "known": {
      const name = await host.name();
      return name === undefined ? undefined : (name !== NO_NAME) === pattern.wanted;
    }
    default: {
      // This pattern never matches a name: strangers may name their host 192.0.2.1.example.org.
      if (pattern.kind === "glob" && /^[0-9.*]+$/.test(pattern.text)) {
        return host.anyAddress((ip) =>
          ip.length === 4 ? matchesText(pattern, ip.join("."), parts) : pattern.text === "*"
        );
      }
      const name = await host.name();
      return name === undefined ? undefined : matchesText(pattern, name, parts);
    }
  }
}

async function matchesServers({ host: pattern }: ServersPattern, name: string, parts: MatchParts): Promise<Match> {
  const domain = dnsName(name);
  const servers = domain === undefined ? NO_SERVERS : await serversOf(domain, parts);
  if (pattern.kind === "known") {
    const exists = any([
      () => servers.exact && servers.names.length > 0,
      () => domain === undefined ? false : hasAddress(domain, parts),
      () => servers.complete ? false : undefined,
    ]);
    return pattern.wanted ? exists : not(await exists);
  }
  return anyAtOnce([
    ...servers.names.map((server) => () => matchesHost(pattern, serverHost(server, parts), parts)),
    () => servers.complete ? false : undefined,
  ]);
}

interface Servers {
  /** The names of name servers and mail exchangers. */
  readonly names: readonly string[];
  /** They are the servers of this very name, not of a domain above it. */
  readonly exact: boolean;
  readonly complete: boolean;
}

const NO_SERVERS: Servers = { names: [], exact: false, complete: true };

// The servers of the name, or of the closest domain above it that has any. A top-level domain is not asked.
async function serversOf(domain: string, parts: MatchParts): Promise<Servers> {
  const labels = domain.split(".");
  const first = Math.max(0, labels.length - LABELS_LIMIT);
  for (let at = first; at === first || at < labels.length - 1; at++) {
    const name = labels.slice(at).join(".");
    const answers = await Promise.all([lookUp(name, "NS", parts), lookUp(name, "MX", parts)]);
    // RFC 7505: an empty name means that there is no mail exchanger.
    const names = answers.flatMap((answer) => answer ?? []).filter((server) => server !== "");
    const complete = answers.every((answer) => answer !== undefined);
    if (names.length > 0 || !complete) return { names: names.slice(0, SERVERS_LIMIT), exact: at === 0, complete };
  }
  return NO_SERVERS;
}

function serverHost(name: string, parts: MatchParts): Host {
  return {
    name: async () => name,
    anyAddress: async (test) =>
      anyAtOnce(ADDRESSES.map((type) => async () => {
        const addresses = await lookUp(name, type, parts);
        const ips = addresses?.slice(0, SERVERS_LIMIT).map(parseIp).filter((ip) => ip !== undefined);
        return ips && any(ips.map((ip) => () => test(ip)));
      })),
  };
}

async function matchesAddress(pattern: AddressPattern, path: string | undefined, parts: MatchParts): Promise<Match> {
  if ("whole" in pattern && pattern.whole.kind === "all") return true;
  if (path === undefined) {
    parts.doubt("sender's address is not known");
    return undefined;
  }
  const address = plainAddress(path);
  if ("whole" in pattern) return matchesText(pattern.whole, address, parts);
  const at = address.lastIndexOf("@");
  const domain = address.slice(at + 1);
  // The null sender has no domain. That is not the same as an unknown domain.
  if ("domain" in pattern) return address !== "" && matchesDomain(pattern.domain, domain, parts);
  const { left, right } = pattern;
  if (at === -1) return false;
  return all([() => matchesText(left, address.slice(0, at), parts), () => matchesDomain(right, domain, parts)]);
}

// `"a"@b.` is the mailbox a@b, and must not pass a rule about that (RFC 5321 s.4.1.2; Postfix drops the dot).
function plainAddress(path: string): string {
  const unquoted = path.replace(/^"((?:\\.|[^"\\])*)"(?=@|$)/, (_, local: string) => local.replace(/\\(.)/g, "$1"));
  return unquoted.replace(/\.$/, "");
}

async function matchesDomain(pattern: DomainPattern, domain: string, parts: MatchParts): Promise<Match> {
  switch (pattern.kind) {
    case "servers":
      return matchesServers(pattern, domain, parts);
    case "listed":
      return matchesListed(pattern, domain, parts);
    default:
      return matchesText(pattern, pattern.kind === "glob" ? asciiName(domain) || domain : domain, parts);
  }
}

async function matchesListed(list: DnsList, what: Listable, parts: MatchParts): Promise<Match> {
  return ifKnown(
    isListed(list, what, parts.dns).then((isIt) => {
      if (isIt === undefined) parts.doubt(`DNS list ${list.zone} is of no use`);
      return isIt;
    }),
    parts,
  );
}
