// Quotes the words of a command line for the files that start it: master.cf, a line for sh(1), a systemd unit. Pure.
//
// The reader of the file gets each word back as it was. A word that the file cannot hold throws a `UsageError`: for
// example, a word with a line end.

import { quote } from "../../text/quoting.ts";
import { UsageError } from "../../ports/start_error.ts";

/**
 * A word of a program's arguments, written for master.cf (master(5), Postfix 3.0). The only quoting there is `{ }`
 * around a word. It keeps blanks inside and strips them at the ends. Braces inside must come in pairs. Throws a
 * `UsageError`.
 */
export function formatMasterWord(word: string): string {
  const cannot = (why: string) => new UsageError(`option --postfix-config: ${quote(word)} ${why}: ${SCRIPT}`);
  checkCharacters(word);
  if (/^[ \t]|[ \t]$/.test(word)) throw cannot("begins or ends with a blank, which master.cf would lose");
  const wrapped = word === "" || word.startsWith("{") || /[ \t]/.test(word);
  let depth = 0;
  for (const character of word) {
    if (character === "{") depth++;
    if (character === "}") depth--;
    // Without braces around the word, a closing brace is an ordinary character.
    if (depth < 0 && wrapped) throw cannot("has a } without its {, which master.cf cannot hold");
    depth = Math.max(depth, 0);
  }
  if (depth > 0) throw cannot("has a { without its }, which master.cf cannot hold");
  return wrapped ? `{ ${word} }` : word;
}

const SCRIPT = "put it into a script and name that";

/** Throws a `UsageError` for a word that would break a line. */
export function checkCharacters(word: string): void {
  // deno-lint-ignore no-control-regex
  if (!/[\x00-\x08\x0a-\x1f\x7f]/.test(word)) return;
  throw new UsageError(`option --postfix-config: ${quote(word)} has a line end or control character: ${SCRIPT}`);
}

/** A word, written for sh(1). */
export function shellWord(word: string): string {
  checkCharacters(word);
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A word, written for ExecStart= of systemd.service(5): quoted like there, with `$` and `%` doubled. */
export function unitWord(word: string): string {
  checkCharacters(word);
  const plain = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  if (/^[A-Za-z0-9_@%+=:,./$-]+$/.test(plain)) return plain;
  return `"${plain.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\t", "\\t")}"`;
}

/** A path, written for a list of paths in systemd.syntax(7). In quotes, a backslash is an ordinary character. */
export function settingPath(path: string): string {
  checkCharacters(path);
  const plain = path.replaceAll("%", "%%");
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(plain)) return plain;
  return plain.includes('"') ? `'${plain}'` : `"${plain}"`;
}
