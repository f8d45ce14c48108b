// Reads the options of a postprox that something else starts: an entry of master.cf, or a process that runs.
//
// A mistake is no exception, because the doctor has more to look at.

import { readCommandLine } from "../../options/command_line.ts";
import { parseDownstream } from "../../ports/address.ts";
import type { Address, Files } from "../../ports/runtime.ts";
import { StartError } from "../../ports/start_error.ts";
import { SETTINGS, type Settings } from "../../settings/settings.ts";

export interface StartOptions {
  readonly settings: Settings | undefined;
  readonly downstream: Address | undefined;
  readonly wrong?: string | undefined;
}

/** Reads the words after the program's name. */
export async function readStartOptions(files: Pick<Files, "open">, args: readonly string[]): Promise<StartOptions> {
  const read = (base?: Parameters<typeof readCommandLine>[1]["base"]) =>
    readCommandLine(args, { table: SETTINGS, commandOptions: [], ...base ? { base } : {} });
  try {
    const plain = read();
    if (plain.wrong) throw plain.wrong;
    const { file } = plain.settings.config;
    if (file === undefined) return withOperand(plain.settings, plain.operands);
    const { readConfig } = await import("../../settings/config_file.ts");
    const config = await readConfig(files, file);
    const { settings, operands } = read(config.settings);
    return withOperand(settings, operands, config.nextHop);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return { settings: undefined, downstream: undefined, wrong: error.message.replaceAll("\n", "; ") };
  }
}

function withOperand(settings: Settings, operands: readonly string[], nextHop?: string): StartOptions {
  const named = operands[0] ?? nextHop;
  if (named === undefined) return { settings, downstream: undefined, wrong: "no server is named: give HOST:PORT" };
  return { settings, downstream: parseDownstream(named) };
}

/**
 * The words of a command line that starts postprox, and the words of its options. `self` are the words that start this
 * program. Undefined: another program.
 */
export function splitStart(
  words: readonly string[],
  self: readonly string[],
): { program: readonly string[]; options: readonly string[] } | undefined {
  const at = endOfSelf(words, self) ?? endOfName(words);
  return at === undefined ? undefined : { program: words.slice(0, at), options: words.slice(at) };
}

/** How many words start this same program. */
function endOfSelf(words: readonly string[], self: readonly string[]): number | undefined {
  // env(1) has become the program when it runs.
  const own = self[0] === "/usr/bin/env" ? self.slice(1).filter((word) => !/^\w+=/.test(word)) : self;
  const started = [self, own].find((all) => all.length > 0 && all.every((word, at) => words[at] === word));
  if (started) return started.length;
  // From source, somebody may give the runtime other options.
  const main = own.at(-1) ?? "";
  const at = main.endsWith(".ts") ? words.indexOf(main) : -1;
  return at === -1 ? undefined : at + 1;
}

/** How many words there are up to the program's name. An option's value may have that name too. */
function endOfName(words: readonly string[]): number | undefined {
  const named = words.findIndex((word) => /(?:^|\/)postprox$/.test(word));
  const firstOption = words.findIndex((word, at) => at > 0 && word.startsWith("-"));
  return named === -1 || (firstOption !== -1 && named > firstOption) ? undefined : named + 1;
}
