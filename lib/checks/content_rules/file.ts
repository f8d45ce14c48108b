// The file of --filter-rules: each line is a POSIX basic regular expression. If it matches a line of a message, the
// message is refused.
//
// A line that begins with `#` is a comment, and a line of white space is ignored. Any other line is an expression, with
// the blanks at its ends. It is octets in any character set. A line may end with CR LF.
//
// Two kinds of lines are errors. An expression that matches the empty line, or any other line, would refuse all mail:
// each message has an empty line after its header. A line of Postfix's header_checks would refuse no mail.

import { compilePattern, PatternError, PatternSet } from "../../pattern/pattern.ts";
import { bytesOf, CR, isSpace, LF, textOf } from "../../text/octets.ts";
import { RulesError } from "../../text/line_error.ts";

const HASH = 0x23;

export interface ContentRules {
  readonly patterns: PatternSet;
  /** For each expression, the number of its line in the file. */
  readonly lines: readonly number[];
}

/** Reads the rules in the `content` of a file. Throws `RulesError`. */
export function parseContentRules(content: Uint8Array): ContentRules {
  const patterns = new PatternSet("basic");
  const lines: number[] = [];
  const sources: Uint8Array[] = [];
  let number = 0;
  for (let at = 0; at < content.length;) {
    const found = content.indexOf(LF, at);
    const end = found === -1 ? content.length : found;
    const line = content.subarray(at, content[end - 1] === CR ? Math.max(at, end - 1) : end);
    at = end + 1;
    number++;
    if (line[0] === HASH || line.every(isSpace)) continue;
    refuseHeaderCheck(textOf(line), number);
    try {
      patterns.add(line);
      lines.push(number);
      sources.push(line);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      throw new RulesError(error.message, number);
    }
  }
  refuseEverything(patterns, { lines, sources });
  return { patterns, lines };
}

// header_checks(5), with common delimiters. A plain expression may also begin and end with a slash.
const ACTION = "(?:BCC|DISCARD|DUNNO|FILTER|HOLD|IGNORE|INFO|PASS|PREPEND|REDIRECT|REJECT|REPLACE|STRIP|WARN)(?:\\s|$)";
const FLAGS = "[imsxADEGMOUX]{0,6}";
const HEADER_CHECKS = [
  new RegExp(`^\\s*!?([/|~!%,;:=@])(?:\\\\.|(?!\\1).)+\\1${FLAGS}\\s+${ACTION}`, "i"),
  new RegExp(`^\\s*!?/(?:\\^.*|.*\\$)/${FLAGS}\\s*$`),
  new RegExp(`^\\s*!/.+/${FLAGS}\\s*$`),
  new RegExp(`^\\s*(?:if\\s+!?/.*/${FLAGS}|endif)\\s*$`, "i"),
  // The second line of a long rule.
  new RegExp(`^\\s+${ACTION}`),
];

function refuseHeaderCheck(text: string, line: number): void {
  if (!HEADER_CHECKS.some((check) => check.test(text))) return;
  const instead = "give a basic regular expression alone, without slashes and action, such as ^Subject: .*viagra";
  throw new RulesError(`a line of Postfix's header_checks matches nothing here: ${instead}`, line);
}

interface Expressions {
  readonly lines: readonly number[];
  readonly sources: readonly Uint8Array[];
}

function refuseEverything(patterns: PatternSet, { lines, sources }: Expressions): void {
  const refuse = (expression: number | undefined, what: string) => {
    if (expression === undefined) return;
    const why = `it matches ${what}, so it would refuse every message`;
    throw new RulesError(`${why}: give an expression for unwanted text`, lines[expression]);
  };
  refuse(patterns.find(new Uint8Array()), "the empty line after each header");
  // Hardly any line has this octet. Few expressions match it: those about such octets, and those that match everything.
  const odd = patterns.find(Uint8Array.of(1));
  if (odd === undefined) return;
  const pattern = compilePattern(sources[odd]!, { syntax: "basic" });
  if (["a", "0", "-"].every((text) => pattern.matches(bytesOf(text)))) refuse(odd, "any line that is not empty");
}
