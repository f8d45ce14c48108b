// The form of a command: a thing that the program can do.

import type { CommandLine } from "../options/command_line.ts";
import type { OptionRow, SettingsTable } from "../options/table.ts";
import type { WorkerSide } from "../modes/worker.ts";
import type { Files, Runtime } from "../ports/runtime.ts";
import type { StartError } from "../ports/start_error.ts";
import type { Settings } from "../settings/settings.ts";

/** A row of the table of commands. */
export interface CommandRow {
  /** The first word of a command line that asks for it. */
  readonly word?: string;
  /** Absent if the command has no options and words of its own. */
  readonly own?: () => Promise<CommandOwn>;
  /** The option that asks for it. It may stand anywhere. */
  readonly option?: OptionRow;
  /** The file of --config need not be there yet. */
  readonly writesConfig?: true;
  readonly load: () => Promise<Command>;
}

/** The options and words that only one command has. */
export interface CommandOwn {
  /** Its own options, besides the common ones. */
  readonly settings: SettingsTable;
  /** The words that may come next. */
  readonly verbs?: readonly string[];
  /** Whether all of its words are names of files. */
  readonly takesFiles?: true;
}

/** Runs the command. Returns the exit status. Throws a `StartError`. */
export type Command = (call: Call) => Promise<number>;

/** The call of a command. */
export interface Call {
  readonly runtime: Runtime;
  /** The whole command line, as it was written. */
  readonly args: readonly string[];
  /** The command line after reading, without the word that names the command. */
  readonly line: CommandLine<Settings>;
  /** HOST:PORT in the file that --config names. The line has one of its own, or uses this one. */
  readonly nextHop?: string | undefined;
  /** Reads the file that --config names again, from `files` if they are given. Throws a `StartError`. */
  readonly reread: (files?: Files) => Promise<Pick<Call, "line" | "nextHop" | "placed">>;
  /** The error, with the file and line of the option that it is about, if that is in the file of --config. */
  readonly placed: (error: StartError) => StartError;
  /** What this process has if it is a worker of a supervisor. */
  readonly worker?: WorkerSide | undefined;
  /** All options of the program. */
  readonly options: () => Promise<readonly OptionRow[]>;
}
