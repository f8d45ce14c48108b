// The paths that the options of a postprox name, and what it does with each. Pure.

import type { GivenSetting } from "../../options/command_line.ts";
import type { Settings } from "../../settings/settings.ts";
import type { PathUse, Stand } from "./facts.ts";

export interface NamedPath {
  readonly use: PathUse;
  readonly option: string;
  /** A path, or the name of a program that is looked for in PATH. */
  readonly path: string;
}

/** `queue` is Postfix's queue directory, where spawn(8) starts programs. */
export function pathsOf({ settings, program, mode }: Stand, queue: string | undefined): NamedPath[] {
  if (!settings) return program?.[0] === undefined ? [] : [{ use: "program", option: "argv", path: program[0] }];
  const place = (path: string) =>
    mode === "spawn" && queue !== undefined && path.includes("/") && !path.startsWith("/") ? `${queue}/${path}` : path;
  const { quarantine, log, spool, config } = settings;
  const paths: NamedPath[] = [];
  const add = (use: PathUse, option: string, path: string | undefined) => {
    if (path !== undefined) paths.push({ use, option, path: place(path) });
  };
  add("program", "argv", program?.[0]);
  for (const { option, command } of commandsOf(settings)) add("filter", option, programOf(command));
  add("filter", "--extchk", settings.extchk.program);
  add("spool", "-d", spool.directory);
  add("quarantine", "--quarantine", quarantine.directory);
  if (log.target.kind === "file") {
    add("log", "--log", log.target.path);
    add("log directory", "--log", log.target.path.replace(/[^/]*$/, "") || ".");
  }
  add("file", "--config", config.file);
  add("file", "--check-rules", settings.rules.file);
  add("file", "--filter-rules", settings.filterRules.file);
  add("file", "--url-allow", settings.urls.allow);
  add("file", "--rspamd-password-file", settings.rspamd.passwordFile);
  return paths;
}

export interface NamedCommand {
  readonly option: string;
  readonly command: string;
}

/** The commands of filters. */
export function commandsOf({ command: { command, then }, helper }: Settings): NamedCommand[] {
  return [
    { option: "-c", command },
    ...then.map((command) => ({ option: "--then", command })),
    { option: "--helper", command: helper.command },
  ].filter(({ command }) => command.trim() !== "");
}

/** Whether a message needs a file on disk for a program. */
export function startsPrograms(settings: Settings): boolean {
  return commandsOf(settings).length > 0 || settings.extchk.program !== undefined;
}

/** The program that a command begins with; undefined if only the shell can tell. */
export function programOf(command: string): string | undefined {
  const word = /^\s*([A-Za-z0-9_.\/+-]+)(?=\s|$)/.exec(command)?.[1];
  return word === undefined || SHELL_WORDS.has(word) ? undefined : word;
}

const SHELL_WORDS = new Set(
  "case if for while until exec exit test true false echo printf cd set trap read eval export . : command umask".split(
    " ",
  ),
);

/** Whether one of `given` says anything about a postprox. */
export function saysAnything(given: readonly GivenSetting[]): boolean {
  return given.some(({ row: { long } }) => long !== "send");
}
