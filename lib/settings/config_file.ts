// Reads the configuration file that --config names.
//
// A file with mistakes throws one `UsageError`, which has a line for each. A file that cannot be read throws a
// `TempfailError`. If a file may be missing, it is then like an empty one.

import { type Entry, type FileSetting, parseConfigFile } from "../options/config_file.ts";
import type { Kind } from "../options/kinds.ts";
import { formatAddress, parseDownstream } from "../ports/address.ts";
import { IoError } from "../ports/io_error.ts";
import type { Address, Files } from "../ports/runtime.ts";
import { readTextFile } from "../ports/small_file.ts";
import { orTempfail, type StartError, TempfailError, UsageError } from "../ports/start_error.ts";
import { SETTINGS } from "./settings.ts";

const NEXT_HOP: Kind<Address> = { shown: "HOST:PORT", parse: parseDownstream, print: formatAddress };

// A file cannot name another one.
const { config: _, ...TABLE } = SETTINGS;

export interface Config {
  readonly settings: readonly FileSetting[];
  /** HOST:PORT as the file has it. */
  readonly nextHop: string | undefined;
  readonly entries: readonly Entry[];
}

export async function readConfig(
  files: Pick<Files, "open">,
  path: string,
  { mayBeMissing = false }: { mayBeMissing?: boolean | undefined } = {},
): Promise<Config> {
  const reading = readTextFile(files, path).catch((error) => {
    if (mayBeMissing && error instanceof IoError && error.kind === "missing") return "";
    throw error;
  });
  const text = await orTempfail("--config", reading, () => "give a file that can be read");
  const { settings, others, mistakes, entries } = parseConfigFile(text, path, {
    table: TABLE,
    others: { "next-hop": NEXT_HOP },
  });
  if (mistakes.length > 0) throw new UsageError(mistakes.join("\n"));
  return { settings, nextHop: others.get("next-hop") || undefined, entries };
}

/**
 * The error, but a line about an option in the file at `path` begins with the place of that option in the file, as a mistake
 * of one value does. `overruled` are the options whose value is not from the file.
 */
export function placed(
  error: StartError,
  path: string,
  { entries, overruled }: Pick<Config, "entries"> & { readonly overruled: readonly string[] },
): StartError {
  const place = (text: string) => {
    const [, name = "", colon, rest = ""] = /^option (?:-[A-Za-z], )?--([a-z-]+)(:?) (.*)$/s.exec(text) ?? [];
    const found = overruled.includes(name) ? [] : entries.filter((entry) => entry.name === name);
    // One of several lines is meant by its first word.
    const entry = found.find(({ value }) => rest.includes(value.split(/[= ]/, 1)[0]!)) ?? found.at(-1);
    return entry ? `${path}:${entry.line}: ${name} = ${entry.value}: ${colon ? "" : "it "}${rest}` : text;
  };
  const message = error.message.split("\n").map(place).join("\n");
  return error instanceof UsageError ? new UsageError(message) : new TempfailError(message);
}
