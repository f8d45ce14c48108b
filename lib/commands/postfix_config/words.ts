// The words of a command line as the files hold them that start it: master.cf, a line for sh(1), a systemd unit. Pure.
//
// Each function quotes a word so that its reader gets it back as it was. A word that cannot be written there, one with a
// line end say, throws a `UsageError`.

import { quote } from "../../text/quoting.ts";
import { UsageError } from "../../ports/start_error.ts";

/**
 * A word of a program's arguments as master.cf has to have it (master(5), Postfix 3.0). There is no quoting but `{ }`
 * around a word, which keeps blanks inside and strips those at its ends; braces count wherever they stand. Throws a
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
    // Outside of braces a closing one is a character like any other.
    if (depth < 0 && wrapped) throw cannot("has a } without its {, which master.cf cannot hold");
    depth = Math.max(depth, 0);
  }
  if (depth > 0) throw cannot("has a { without its }, which master.cf cannot hold");
  return wrapped ? `{ ${word} }` : word;
}

const SCRIPT = "put it into a script and name that";

function checkCharacters(word: string): void {
  // deno-lint-ignore no-control-regex
  if (!/[\x00-\x08\x0a-\x1f\x7f]/.test(word)) return;
  throw new UsageError(`option --postfix-config: ${quote(word)} has a line end or control character: ${SCRIPT}`);
}

/** A word as sh(1) reads it back. */
export function shellWord(word: string): string {
  checkCharacters(word);
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A word as systemd.service(5) reads it back in ExecStart: its quotes, and `$` and `%` doubled. */
export function unitWord(word: string): string {
  checkCharacters(word);
  const plain = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  if (/^[A-Za-z0-9_@%+=:,./$-]+$/.test(plain)) return plain;
  return `"${plain.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\t", "\\t")}"`;
}

/** A path as systemd.syntax(7) reads it back in a list of paths: in quotes, a backslash is a character like any other. */
export function settingPath(path: string): string {
  checkCharacters(path);
  const plain = path.replaceAll("%", "%%");
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(plain)) return plain;
  return plain.includes('"') ? `'${plain}'` : `"${plain}"`;
}
