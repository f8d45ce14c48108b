// Files that an option names, and that a check needs.
//
// A file with a mistake throws a `UsageError` with its name and line. A file that is missing or cannot be used throws a
// `TempfailError`.

import type { Files } from "../ports/runtime.ts";
import { readSmallFile, readTextFile } from "../ports/small_file.ts";
import { orTempfail, TempfailError, UsageError } from "../ports/start_error.ts";
import { RulesError } from "../text/line_error.ts";
import { quote } from "../text/quoting.ts";

interface Parts {
  readonly files: Pick<Files, "open" | "stat">;
}

/** Reads the file at `path` with `parse`. `option` is the option that names the file. */
export async function readRules<Rules>(
  { files }: Parts,
  option: string,
  path: string,
  parse: (content: Uint8Array) => Rules,
): Promise<Rules> {
  const content = await orTempfail(option, readSmallFile(files, path), () => "give a file that can be read");
  try {
    return parse(content);
  } catch (error) {
    if (!(error instanceof RulesError)) throw error;
    throw new UsageError(`option ${option}: ${path}:${error.line}: ${error.message}`);
  }
}

// No password is longer, and rspamd takes no header line that is much longer.
const PASSWORD_LIMIT = 1000;

/**
 * The password on the first line of the file at `path`. `option` is the option that names the file. Blanks around the
 * password do not count. No error says anything of the content.
 */
export async function readPassword({ files }: Parts, option: string, path: string): Promise<string> {
  const text = await orTempfail(option, readTextFile(files, path), () => "give a file that can be read");
  const [line = ""] = text.split("\n", 1);
  const password = line.trim();
  const hint = "give a file with the password on its first line";
  if (password === "") throw new UsageError(`option ${option}: ${quote(path)} has no password: ${hint}`);
  if (password.length > PASSWORD_LIMIT || /[\p{Cc}\ufffd]/u.test(password)) {
    throw new UsageError(
      `option ${option}: ${quote(path)} has a password with control characters or of more than ${PASSWORD_LIMIT} ` +
        `characters: ${hint}`,
    );
  }
  return password;
}

/** The path that starts the program at `path`. `option` is the option that names the program. */
export async function findProgram({ files }: Parts, option: string, path: string): Promise<string> {
  const { kind, executable } = await orTempfail(option, files.stat(path), () => "give a file that can be executed");
  if (kind !== "file" || !executable) {
    throw new TempfailError(
      `option ${option}: ${quote(path)} cannot be executed: give a program, such as a script with x set`,
    );
  }
  // Without a slash the system would look for it in PATH.
  return path.includes("/") ? path : `./${path}`;
}
