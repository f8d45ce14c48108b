// The table of commands. It says which command a command line asks for. Each is loaded only when it is asked for.
//
// The first word or an option names a command. The command without a name serves mail.

import { choice } from "../options/kinds.ts";
import { type CommandLine, readCommandLine } from "../options/command_line.ts";
import { type OptionRow, rowsOf } from "../options/table.ts";
import { COMMAND_OPTIONS, QUARANTINE_VERBS, SETTINGS, type Settings } from "../settings/settings.ts";
import type { CommandRow } from "./command.ts";

/** The command without a name. */
export const SERVE: CommandRow = { load: async () => (await import("./serve.ts")).serve };

export const COMMANDS: readonly CommandRow[] = [
  SERVE,
  {
    word: "quarantine",
    verbs: QUARANTINE_VERBS,
    settings: COMMAND_OPTIONS,
    load: async () => (await import("./quarantine.ts")).quarantine,
  },
  {
    option: {
      long: "postfix-config",
      kind: choice("spawn", "listen"),
      valueIsOptional: true,
      group: "information",
      help: "show the lines for main.cf and master.cf that put postprox with these options before Postfix's queue",
    },
    load: async () => (await import("./postfix_config.ts")).postfixConfig,
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
export function allOptions(): readonly OptionRow[] {
  const own = COMMANDS.flatMap(({ settings }) => settings ? rowsOf(settings) : []);
  return [...rowsOf(SETTINGS), ...new Set(own), ...optionsOf(COMMANDS)];
}

/** The command that `args` asks for, and the settings in `args`. */
export function readWords(
  args: readonly string[],
  commands: readonly CommandRow[] = COMMANDS,
): { command: CommandRow; line: CommandLine<Settings> } {
  const named = commands.find(({ word }) => word !== undefined && word === args[0]);
  const table = { ...SETTINGS, ...named?.settings };
  const line = readCommandLine(named ? args.slice(1) : args, table, optionsOf(commands));
  const asked = commands.find(({ option }) => option !== undefined && option === line.command?.option);
  return { command: asked ?? named ?? SERVE, line };
}

function optionsOf(commands: readonly CommandRow[]): OptionRow[] {
  return commands.flatMap(({ option }) => option ?? []);
}
