// The table of commands. It says which command a command line asks for. Each is loaded only when it is asked for.
//
// The first word or an option names a command. The command without a name serves mail.

import { choice } from "../options/kinds.ts";
import { type CommandLine, readCommandLine } from "../options/command_line.ts";
import { type OptionRow, rowsOf, type SettingsTable } from "../options/table.ts";
import { SETTINGS, type Settings } from "../settings/settings.ts";
import type { CommandRow } from "./command.ts";

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
    word: "quarantine",
    own: async () => (await import("../settings/command_options.ts")).QUARANTINE,
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
export async function allOptions(): Promise<readonly OptionRow[]> {
  const owns = await Promise.all(COMMANDS.map(({ own }) => own?.()));
  const rows = owns.flatMap((own) => own ? rowsOf(own.settings) : []);
  return [...rowsOf(SETTINGS), ...new Set(rows), ...optionsOf(COMMANDS)];
}

/** The options that only the command has that the first word of `args` names. */
export async function ownSettings(args: readonly string[]): Promise<SettingsTable> {
  return (await named(args, COMMANDS)?.own?.())?.settings ?? {};
}

/** The command that `args` asks for, and the settings in `args`. */
export function readWords(
  args: readonly string[],
  { commands = COMMANDS, own = {} }: { commands?: readonly CommandRow[]; own?: SettingsTable } = {},
): { command: CommandRow; line: CommandLine<Settings> } {
  const first = named(args, commands);
  const line = readCommandLine(first ? args.slice(1) : args, { ...SETTINGS, ...own }, optionsOf(commands));
  const asked = commands.find(({ option }) => option !== undefined && option === line.command?.option);
  return { command: asked ?? first ?? SERVE, line };
}

function named([first]: readonly string[], commands: readonly CommandRow[]): CommandRow | undefined {
  return commands.find(({ word }) => word !== undefined && word === first);
}

function optionsOf(commands: readonly CommandRow[]): OptionRow[] {
  return commands.flatMap(({ option }) => option ?? []);
}
