// The rules for the checks that look at a message before the filter does: content rules, scanners, URL lists.
//
// It knows what each scanner said, and the text of the message. From that it tells what may follow, in its own way
// (CONTRACT section 5). Sometimes nobody outside can know what the program saw. Then there are several outcomes.

import { CAUGHT_BY_RULES, SCAN_LIMIT } from "./checks.ts";
import type { ScannerName } from "./input.ts";
import type { ScanRun } from "./scanners.ts";
import type { Played } from "./world.ts";

/** What follows: the message is refused with one of these codes, or goes on in this form. */
export type Looked =
  | { readonly kind: "refused"; readonly codes: readonly number[] }
  | { readonly kind: "wrong"; readonly why: string }
  | { readonly kind: "seen"; readonly email: string; readonly isDoubtful: boolean; readonly tags: number };

type Seen = Extract<Looked, { kind: "seen" }>;

/** What a check thinks. `code`: its own reply; `text`: its words. `header`: the header that spamd made. */
type Opinion =
  | { readonly kind: "pass"; readonly header?: string; readonly field?: string }
  | { readonly kind: "unsure" }
  /** It has not been heard: a refusal stopped it, or nobody waits. */
  | { readonly kind: "stopped" }
  | { readonly kind: "wrong"; readonly why: string }
  | { readonly kind: "refuse"; readonly code: number; readonly text: string; readonly time?: number; isKept?: true };

export interface LookParts {
  readonly played: Played;
  /** Which of the judged messages it is; 1 is the first. */
  readonly message: number;
  /** The rules file asks for the checks that it may ask for, or there is none. */
  readonly isAsked: boolean;
  /** The message may have been left by everybody. */
  readonly isExcused: boolean;
}

const SCANNERS: readonly ScannerName[] = ["clamd", "rspamd", "spamd"];

/** All outcomes that may be right. */
export function looksAt(email: string, parts: LookParts): Looked[] {
  const { contentRules, scanners = [] } = parts.played.input.settings;
  let open: Looked[] = [{ kind: "seen", email, isDoubtful: false, tags: 0 }];
  if (contentRules && parts.isAsked) {
    open = open.flatMap((looked) => looked.kind === "seen" ? afterRules(looked, parts) : looked);
  }
  if (scanners.length === 0) return open;
  return open.flatMap((looked) => looked.kind === "seen" ? afterScanners(looked, parts) : looked);
}

function afterRules(seen: Seen, parts: LookParts): Looked[] {
  const opinion: Opinion = seen.email.includes(CAUGHT_BY_RULES)
    ? { kind: "refuse", code: 550, text: "Content rejected" }
    : { kind: "pass" };
  return [opinion, ...parts.played.fault === "other" ? [{ kind: "unsure" } as const] : []].map((opinion) =>
    settle(seen, [["filter-rules", opinion]], parts)
  );
}

function afterScanners(seen: Seen, parts: LookParts): Looked[] {
  const { scanners = [] } = parts.played.input.settings;
  let rows: [string, Opinion][][] = [[]];
  for (const name of [...SCANNERS, "urls"] as const) {
    if (!scanners.includes(name)) continue;
    const opinions = name === "urls" ? opinionsOfUrls(seen.email) : opinionsOfScanner(name, seen.email, parts);
    if (parts.played.fault === "other") {
      opinions.push({ kind: "unsure" }, ...name === "urls" ? [{ kind: "pass" } as const] : []);
    }
    rows = rows.flatMap((row) => opinions.map((opinion): [string, Opinion][] => [...row, [name, opinion]]));
  }
  // Many of them come to the same.
  const outcomes = new Map(rows.map((row) => {
    const looked = settle(seen, row, parts);
    const words = looked.kind === "seen" ? [looked.isDoubtful, looked.email] : Object.values(looked).flat();
    return [[looked.kind, ...words].join(" "), looked];
  }));
  return [...outcomes.values()];
}

function settle(seen: Seen, opinions: readonly (readonly [string, Opinion])[], parts: LookParts): Looked {
  const { settings } = parts.played.input;
  const { action, rejectUnsure, onError, dryRun, quarantine } = settings;
  const wrong = opinions.map(([, opinion]) => opinion).find(({ kind }) => kind === "wrong");
  if (wrong?.kind === "wrong") return wrong;
  const caught = opinions.flatMap(([check, opinion]) => opinion.kind === "refuse" ? [{ check, ...opinion }] : []);
  const passes = (code: number) =>
    dryRun || action === "log" || (action === "tag" && code >= 500 || code < 300 && action === "tag");
  const refusing = caught.filter(({ code }) => !passes(code));
  if (refusing.length > 0) {
    // The first one stops the others. At the same moment it may be any.
    const first = Math.min(...refusing.map(({ time }) => time ?? -Infinity));
    const codes = refusing.filter(({ time }) => time === undefined || first === -Infinity || time === first).map(
      (one) => {
        if (Math.floor(one.code / 100) === 4) return one.code;
        if (action === "tempfail") return 451;
        if (action === "discard" || action === "quarantine") return 250;
        return one.isKept && quarantine ? 250 : one.code;
      },
    );
    return { kind: "refused", codes };
  }
  if (opinions.some(([, { kind }]) => kind === "stopped") && !parts.isExcused) {
    const names = opinions.filter(([, { kind }]) => kind === "stopped").map(([name]) => name);
    return { kind: "wrong", why: `${names.join(", ")} did not look at the message` };
  }
  const isUnsure = opinions.some(([, { kind }]) => kind === "unsure");
  const fails = (onError ?? (rejectUnsure ? "tempfail" : "pass")) === "tempfail" && !dryRun;
  let { email, tags } = seen;
  for (const [, opinion] of opinions) {
    if (opinion.kind === "pass" && opinion.header) email = withHeader(email, opinion.header);
  }
  for (const [, opinion] of opinions) {
    if (opinion.kind === "pass" && opinion.field) email = withField(email, opinion.field);
  }
  if (action === "tag" && !dryRun) {
    for (const { check, text } of caught) {
      email = onTop(email, `X-Postprox: ${check}; ${text}`);
      tags++;
    }
  }
  return { kind: "seen", email, isDoubtful: seen.isDoubtful || (isUnsure && fails), tags };
}

// --- the opinion of each

function opinionsOfScanner(of: ScannerName, email: string, { played, message }: LookParts): Opinion[] {
  const runs = played.scans.filter((run) => run.of === of && run.message === message);
  const [run, other] = runs;
  if (!run) return [{ kind: "stopped" }];
  const { twoServers } = played.input.settings;
  if (runs.length > (twoServers ? 2 : 1)) return [{ kind: "wrong", why: `${of} is asked ${runs.length} times` }];
  for (const { content } of runs) {
    if (content === undefined || content === askedAbout(of, email)) continue;
    return [{ kind: "wrong", why: `${of} is asked about ${JSON.stringify(content.slice(0, 200))}` }];
  }
  if (!twoServers) return opinionsOf(run, SCAN_LIMIT);
  // The first one has half of the time, and the other one what is left.
  const opinions = opinionsOf(run, SCAN_LIMIT / 2);
  const answers = opinions.filter(({ kind }) => kind !== "unsure");
  if (!other) return answers.length < opinions.length ? [...answers, { kind: "stopped" }] : answers;
  const others = opinionsOf(other, SCAN_LIMIT - (other.startTime - run.startTime));
  if (played.fault === "other") return [...opinions, ...others];
  if (other.port === run.port) return [{ kind: "wrong", why: `the same ${of} is asked twice` }];
  if (answers.length < opinions.length) return others;
  return [{ kind: "wrong", why: `another ${of} is asked although one has answered` }];
}

// As it comes to the scanner.
function askedAbout(of: ScannerName, email: string): string {
  if (of === "rspamd") return email.replaceAll("\n", "\r\n");
  if (of === "spamd" && !email.endsWith("\n")) return `${email}\n`;
  return email;
}

function opinionsOf({ of, instruction, gives, content, startTime, endTime }: ScanRun, limit: number): Opinion[] {
  const isCut = instruction?.cut !== undefined;
  const isLate = endTime === undefined || endTime - startTime > limit;
  if (instruction?.isEarly || gives === "refusal") return [{ kind: "unsure" }];
  // The session ended, or a refusal came, before the question was whole. Or its answer has not come.
  if (content === undefined || gives === undefined) return [{ kind: "stopped" }];
  const time = endTime === undefined ? {} : { time: endTime };
  const whole = ((): Opinion => {
    switch (gives) {
      case "clean":
        return { kind: "pass", ...of === "spamd" ? { header: "X-Spam-Status: No\n" } : {} };
      case "marked":
        return { kind: "pass", ...of === "spamd" ? { header: "X-Spam-Flag: YES\n" } : { field: "X-Spam: Yes\n" } };
      case "caught":
        return {
          kind: "refuse",
          code: 550,
          text: of === "clamd" ? "virus found: Fuzz.Test" : "Spam message rejected",
          ...time,
        };
      case "quarantine":
        return { kind: "refuse", code: 550, text: "Spam message rejected", isKept: true, ...time };
      case "later":
        return { kind: "refuse", code: 451, text: "", ...time };
      case "discard":
        return { kind: "refuse", code: 250, text: "Content rejected", ...time };
      default:
        return { kind: "unsure" };
    }
  })();
  // It is not whole, or comes too late. The score alone refuses a message, whatever follows it.
  if (isCut || isLate) {
    const scored: Opinion[] = of === "spamd" && whole.kind === "refuse" ? [{ ...whole, time: undefined! }] : [];
    return [{ kind: "unsure" }, ...scored];
  }
  return [whole];
}

function opinionsOfUrls(email: string): Opinion[] {
  const opinions: Opinion[] = [];
  const body = email.slice(headerOf(email).length);
  const isSure = (host: string) => new RegExp(`(?:^|[\\n ])http://${RegExp.escape(host)}/`).test(body);
  // A reader may take no notice of control characters in a URL, as browsers do.
  const read = email.toLowerCase().replace(/[^!-~]/g, "");
  const isPossible = (host: string) => read.includes(host);
  const listed = ([["listed.example", "names.list"], ["address.example", "addresses.list"]] as const)
    .filter(([host]) => isPossible(host));
  for (const [host, list] of listed) opinions.push({ kind: "refuse", code: 550, text: `${host} is listed by ${list}` });
  if (listed.some(([host]) => isSure(host))) return opinions;
  if (isPossible("silent.example")) opinions.push({ kind: "unsure" });
  if (!isSure("silent.example")) opinions.push({ kind: "pass" });
  return opinions;
}

// --- headers

const HEADER = /^(?:[!-9;-~]+[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*(?:\n|$))*/;

function headerOf(message: string): string {
  return HEADER.exec(message)?.[0] ?? "";
}

function withHeader(message: string, header: string): string {
  return joined(header, message.slice(headerOf(message).length));
}

function withField(message: string, field: string): string {
  const header = headerOf(message);
  return joined(`${header}${header === "" || header.endsWith("\n") ? "" : "\n"}${field}`, message.slice(header.length));
}

/** A message with one more field on top. */
export function onTop(message: string, field: string): string {
  const header = headerOf(message);
  return joined(`${field}\n${header}`, message.slice(header.length));
}

function joined(header: string, body: string): string {
  return `${header}${header === "" || body === "" || /^\r*\n/.test(body) ? "" : "\n"}${body}`;
}
