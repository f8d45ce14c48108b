// The file of --filter-rules: a POSIX basic regular expression in each line, which refuses a message with a line that it
// matches.
//
// A line that begins with `#` is a comment, and one of white space alone is nothing. All else is the expression, blanks
// at its ends too; octets are octets, in whatever character set they were written. A line may end with CR LF.

import { PatternError, PatternSet } from "../pattern/pattern.ts";
import { CR, isSpace, LF } from "../smtp/bytes.ts";
import { RulesError } from "./rules_error.ts";

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
  let number = 0;
  for (let at = 0; at < content.length;) {
    const found = content.indexOf(LF, at);
    const end = found === -1 ? content.length : found;
    const line = content.subarray(at, content[end - 1] === CR ? Math.max(at, end - 1) : end);
    at = end + 1;
    number++;
    if (line[0] === HASH || line.every(isSpace)) continue;
    try {
      patterns.add(line);
      lines.push(number);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      throw new RulesError(error.message, number);
    }
  }
  return { patterns, lines };
}
