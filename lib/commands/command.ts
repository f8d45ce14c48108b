// What a command is: something that the program can be asked to do.

import type { CommandLine } from "../options/command_line.ts";
import type { OptionRow } from "../options/table.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Settings } from "../settings/settings.ts";

/** A row of the table of commands. */
export interface CommandRow {
  /** The first word of a command line that names it. */
  readonly word?: string;
  /** The option that asks for it, wherever that stands. */
  readonly option?: OptionRow;
  readonly load: () => Promise<Command>;
}

/** Gives the exit status. Throws a `StartError`. */
export type Command = (call: Call) => Promise<number>;

/** How a command was called. */
export interface Call {
  readonly runtime: Runtime;
  /** The whole command line, as it came. */
  readonly args: readonly string[];
  /** What was read of it, without the word that names the command. */
  readonly line: CommandLine<Settings>;
  /** All options that there are. */
  readonly options: () => readonly OptionRow[];
}
