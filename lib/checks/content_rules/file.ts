// The file of --filter-rules: a POSIX basic regular expression in each line, which refuses a message with a line that it
// matches.
//
// A line that begins with `#` is a comment, and one of white space alone is nothing. All else is the expression, blanks
// at its ends too; octets are octets, in whatever character set they were written. A line may end with CR LF.
//
// An expression that matches the empty line, or every other one, would refuse all mail: each message has an empty line,
// behind its header. A line of Postfix's header_checks would refuse none. Both are errors.

import { compilePattern, PatternError, PatternSet } from "../../pattern/pattern.ts";
import { bytesOf, CR, isSpace, LF, textOf } from "../../text/octets.ts";
import { RulesError } from "../../text/line_error.ts";

const HASH = 0x23;

export interface ContentRules {
  readonly patterns: PatternSet;
  /** The line in the file of each expression. */
  readonly lines: readonly number[];
}

/** The rules in the `content` of a file. Throws `RulesError`. */
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

// header_checks(5), with the delimiters that people use. An expression alone may begin and end with slashes.
const ACTION = "(?:BCC|DISCARD|DUNNO|FILTER|HOLD|IGNORE|INFO|PASS|PREPEND|REDIRECT|REJECT|REPLACE|STRIP|WARN)(?:\\s|$)";
const FLAGS = "[imsxADEGMOUX]{0,6}";
const HEADER_CHECKS = [
  new RegExp(`^\\s*!?([/|~!%,;:=@])(?:\\\\.|(?!\\1).)+\\1${FLAGS}\\s+${ACTION}`, "i"),
  new RegExp(`^\\s*!?/(?:\\^.*|.*\\$)/${FLAGS}\\s*$`),
  new RegExp(`^\\s*!/.+/${FLAGS}\\s*$`),
  new RegExp(`^\\s*(?:if\\s+!?/.*/${FLAGS}|endif)\\s*$`, "i"),
  // The second line of a long one.
  new RegExp(`^\\s+${ACTION}`),
];

function refuseHeaderCheck(text: string, line: number): void {
  if (!HEADER_CHECKS.some((check) => check.test(text))) return;
  const instead = "give a basic regular expression alone, without slashes and action, such as ^Subject: .*viagra";
  throw new RulesError(`a line of Postfix's header_checks, which would match nothing here: ${instead}`, line);
}

interface Expressions {
  readonly lines: readonly number[];
  readonly sources: readonly Uint8Array[];
}

function refuseEverything(patterns: PatternSet, { lines, sources }: Expressions): void {
  const refuse = (expression: number | undefined, what: string) => {
    if (expression === undefined) return;
    const why = `it matches ${what}, and so would refuse every message`;
    throw new RulesError(`${why}: give an expression of what is unwanted`, lines[expression]);
  };
  refuse(patterns.find(new Uint8Array()), "the empty line, which stands behind each header");
  // Few expressions match an octet that hardly any line has: those about such octets, and those that match any.
  const odd = patterns.find(Uint8Array.of(1));
  if (odd === undefined) return;
  const pattern = compilePattern(sources[odd]!, { syntax: "basic" });
  if (["a", "0", "-"].every((text) => pattern.matches(bytesOf(text)))) refuse(odd, "any line that is not empty");
}
