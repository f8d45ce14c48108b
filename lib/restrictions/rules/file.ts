// The rules file of --check-rules, in the syntax of Obtuse smtpd's smtpd_check_rules. Pure.
//
//     ACTION[|ACTION]:SOURCES:FROMS:TOS[:XXX message]
//
// A rule is one line. Blanks or commas separate the patterns of a list. Exceptions follow EXCEPT, and may have
// exceptions of their own. Key words are in capitals, actions in lower case. Everything else is compared without case.
// Three things are more than smtpd had: a pattern in slashes may hold colons, blanks and commas; an IPv6 address in
// brackets may hold colons; `RBL.zone=ADDRESSES` names the answers that count.
//
// `parseRules` throws a `RulesError` with the line, the mistake and what would be right. It refuses a pattern that can
// match nothing, such as a network of 33 bits. smtpd silently ignored those.

import type { ContentCheck } from "../restriction.ts";
import { quote } from "../../text/quoting.ts";
import { RulesError } from "../../text/line_error.ts";
import { type AddressPattern, isCovered, parseAddress, parseSource, type SourcePattern } from "./patterns.ts";

export interface Rule {
  readonly line: number;
  readonly action: Action;
  readonly sources: PatternList<SourcePattern>;
  readonly froms: PatternList<AddressPattern>;
  readonly tos: PatternList<AddressPattern>;
}

/**
 * `message` is the reply with its code, before its escapes are replaced. `ends` ends the session. `slowly` delays the
 * reply.
 */
export type Action =
  | { readonly kind: "allow"; readonly contentChecks: readonly ContentCheck[] }
  | { readonly kind: "refuse"; readonly ends: boolean; readonly slowly: boolean; readonly message: string }
  | { readonly kind: "debug" };

/** Matches everything in the list, except for matches of the list after EXCEPT. */
export interface PatternList<P> {
  readonly patterns: readonly P[];
  readonly except?: PatternList<P>;
}

const SYNTAX = "ACTION:SOURCES:FROMS:TOS[:XXX message]";

// A regular expression from one separator to the next. A slash after a backslash does not end it.
const REGEX = String.raw`(?<=^|[\s:,@]|NS=)/(?:\\.|[^\\/]|/(?![\s:,@]|$))+/(?=[\s:,@]|$)`;
const BRACKETS = String.raw`\[[^\]\s,]*\]`;
const FIELD = new RegExp(`(?:${REGEX}|${BRACKETS}|[^:])*`, "y");
const WORD = new RegExp(`(?:${REGEX}|[^\\s,])+`, "g");

/** Reads the rules in `text`, in order. Throws `RulesError`. */
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
    froms: parseList(froms.match(WORD) ?? [], "FROMS", (word) => parseAddress(word, "FROMS")),
    tos: parseList(tos.match(WORD) ?? [], "TOS", (word) => parseAddress(word, "TOS")),
  };
}

// --- Action and message

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

// A comment may stand in place of the message, or after it.
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

// --- Lists

function parseList<P>(words: readonly string[], name: string, parse: (word: string) => P): PatternList<P> {
  const end = words.findIndex((word) => word.toUpperCase() === "EXCEPT");
  const first = end === -1 ? words : words.slice(0, end);
  const patterns = first.map(parse);
  if (patterns.length === 0) {
    const where = words.length === 0 ? `field ${name} is empty` : `no pattern in ${name} before EXCEPT`;
    throw new RulesError(`${where}: give patterns, or ALL`);
  }
  if (end === -1) return { patterns };
  const rest = words.slice(end + 1);
  if (rest.length === 0) throw new RulesError(`no pattern in ${name} after EXCEPT: give what is excepted`);
  const except = parseList(rest, name, parse);
  if (!except.except && first.every((word) => rest.some((other) => isCovered(word, other)))) {
    throw new RulesError(`EXCEPT leaves nothing of ${name}: except less, or take the rule out`);
  }
  return { patterns, except };
}

// The options write several answers with commas: `RBL.list.example.org=127.0.0.2,127.0.0.9`. Here a comma separates
// patterns.
function refuseSplitAddresses(field: string): void {
  const [list] =
    /(?<![^\s,=@])R(?:BL|HS)\.[^\s,]*=[^\s,]*,(?:127\.[^\s,]*|[0-9]+(?:-[0-9]+)?(?=[\s,]|$))/.exec(field) ?? [];
  if (list === undefined) return;
  throw new RulesError(
    `${quote(list)}: a comma separates patterns here: give answers as one word, such as 127.0.0.[2;4..11]`,
  );
}
