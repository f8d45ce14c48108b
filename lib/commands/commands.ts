// The table of commands. It says which command a command line asks for. Each is loaded only when it is asked for.
//
// The first word or an option names a command. The command without a name serves mail.

import { choice } from "../options/kinds.ts";
import { type BaseSetting, type CommandLine, readCommandLine } from "../options/command_line.ts";
import { type OptionRow, rowsOf, type SettingsTable } from "../options/table.ts";
import { SETTINGS, type Settings } from "../settings/settings.ts";
import type { Files } from "../ports/runtime.ts";
import type { Call, CommandRow } from "./command.ts";

/** The command without a name. */
export const SERVE: CommandRow = { load: async () => (await import("./serve.ts")).serve };

export const COMMANDS: readonly CommandRow[] = [
  SERVE,
  {
    word: "check",
    own: async () => (await import("../settings/command_options.ts")).CHECK,
    load: async () => (await import("./check.ts")).check,
  },
  {
    word: "doctor",
    own: async () => (await import("../settings/command_options.ts")).DOCTOR,
    load: async () => (await import("./doctor.ts")).doctor,
  },
  {
    word: "quarantine",
    own: async () => (await import("../settings/command_options.ts")).QUARANTINE,
    load: async () => (await import("./quarantine.ts")).quarantine,
  },
  {
    word: "reload",
    load: async () => (await import("./reload.ts")).reload,
  },
  {
    option: {
      long: "postfix-config",
      kind: choice("spawn", "listen"),
      valueIsOptional: true,
      group: "information",
      help:
        "show the lines for main.cf and master.cf that put postprox with these options before Postfix's queue; with " +
        "--config also the lines of that file",
    },
    writesConfig: true,
    load: async () => (await import("./postfix_config.ts")).postfixConfig,
  },
  {
    option: {
      long: "check-config",
      group: "information",
      help: "say whether all options, and the files that they name, are right; start nothing",
    },
    load: async () => (await import("./check_config.ts")).checkConfig,
  },
  {
    option: {
      long: "print-config",
      kind: choice("all", "changed"),
      valueIsOptional: true,
      group: "information",
      help: "show the settings as lines of a configuration file; changed: only those that are not the default",
    },
    load: async () => (await import("./print_config.ts")).printConfig,
  },
  {
    option: { short: "h", long: "help", endsReading: true, group: "information", help: "show this help" },
    load: async () => (await import("./help.ts")).help,
  },
  {
    option: { short: "L", long: "license", endsReading: true, group: "information", help: "show the license" },
    load: async () => (await import("./version.ts")).license,
  },
  {
    option: { short: "V", long: "version", endsReading: true, group: "information", help: "show the version" },
    load: async () => (await import("./version.ts")).version,
  },
];

/** All options of the program. */
export async function allOptions(): Promise<readonly OptionRow[]> {
  const owns = await Promise.all(COMMANDS.map(({ own }) => own?.()));
  const rows = owns.flatMap((own) => own ? rowsOf(own.settings) : []);
  return [...rowsOf(SETTINGS), ...new Set(rows), ...optionsOf(COMMANDS)];
}

/** The options that only the command has that the first word of `args` names. */
export async function ownSettings(args: readonly string[]): Promise<SettingsTable> {
  return (await named(args, COMMANDS)?.own?.())?.settings ?? {};
}

/** The command that `args` asks for, and the settings in `args`. `base` are the settings of a file. */
export function readWords(
  args: readonly string[],
  { commands = COMMANDS, own = {}, base = [] }: {
    commands?: readonly CommandRow[];
    own?: SettingsTable;
    base?: readonly BaseSetting[];
  } = {},
): { command: CommandRow; line: CommandLine<Settings> } {
  const first = named(args, commands);
  const table = { ...SETTINGS, ...own };
  const line = readCommandLine(first ? args.slice(1) : args, { table, commandOptions: optionsOf(commands), base });
  const asked = commands.find(({ option }) => option !== undefined && option === line.command?.option);
  return { command: asked ?? first ?? SERVE, line };
}

/**
 * The `words` of `args`, over the settings of the file that --config names. Throws a `StartError`.
 */
export async function withConfig(
  files: Pick<Files, "open">,
  args: readonly string[],
  words: ReturnType<typeof readWords>,
): Promise<ReturnType<typeof readWords> & Pick<Call, "nextHop" | "placed">> {
  const { file } = words.line.settings.config;
  // A mistake on the command line comes first, and nothing else is needed for the help.
  if (file === undefined || words.line.wrong || words.command.option?.endsReading) {
    return { ...words, placed: (error) => error };
  }
  const { readConfig, placed } = await import("../settings/config_file.ts");
  const { settings, nextHop, entries } = await readConfig(files, file, { mayBeMissing: words.command.writesConfig });
  const read = readWords(args, { own: await ownSettings(args), base: settings });
  const overruled = read.line.given.map(({ row }) => row.long);
  return { ...read, nextHop, placed: (error) => placed(error, file, { entries, overruled }) };
}

function named([first]: readonly string[], commands: readonly CommandRow[]): CommandRow | undefined {
  return commands.find(({ word }) => word !== undefined && word === first);
}

function optionsOf(commands: readonly CommandRow[]): OptionRow[] {
  return commands.flatMap(({ option }) => option ?? []);
}
