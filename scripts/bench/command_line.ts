// The command line of `deno task bench`: a pure function.

import { BuildError } from "../build.ts";

export interface CommandLine {
  readonly isShort: boolean;
  readonly makesPage: boolean;
  /** Measures nothing, and makes the page of what was found before. */
  readonly isRewrite: boolean;
  /** The names of the groups to run. */
  readonly groups: readonly string[];
  readonly listening: readonly { readonly name: string; readonly port: number }[];
  readonly spawned: readonly { readonly name: string; readonly argv: readonly string[] }[];
}

const OPTIONS = ["--short", "--page", "--rewrite"];

/** Throws a `BuildError` for anything that it does not know. */
export function parseCommandLine(args: readonly string[], groups: readonly string[]): CommandLine {
  const listening: CommandLine["listening"][number][] = [];
  const spawned: CommandLine["spawned"][number][] = [];
  let only = groups;
  for (const arg of args) {
    const [, wanted] = /^--only=(.*)$/s.exec(arg) ?? [];
    const [, name = "", kind, what = ""] = /^([^-=][^=]*)=(listen|spawn):(.+)$/s.exec(arg) ?? [];
    if (OPTIONS.includes(arg)) continue;
    if (wanted !== undefined) {
      only = wanted.split(",");
      const unknown = only.find((group) => !groups.includes(group));
      if (unknown !== undefined) throw new BuildError(`there is no group "${unknown}": there are ${groups.join(", ")}`);
    } else if (kind === "listen") {
      const port = Number(what);
      if (!/^\d+$/.test(what) || port < 1 || port > 65_535) throw new BuildError(`${arg}: "${what}" is no port`);
      listening.push({ name, port });
    } else if (kind === "spawn") {
      // No shell: it would be a part of what is measured.
      spawned.push({ name, argv: what.trim().split(/\s+/) });
    } else {
      throw new BuildError(
        `unknown argument ${arg}: there are ${
          OPTIONS.join(", ")
        }, --only=GROUP,…, NAME=listen:PORT and NAME=spawn:COMMAND`,
      );
    }
  }
  const [isShort = false, makesPage = false, isRewrite = false] = OPTIONS.map((option) => args.includes(option));
  if (isRewrite && args.length > 1) throw new BuildError("--rewrite measures nothing: leave out the other arguments");
  if (isShort && makesPage) throw new BuildError("--page needs a whole run: leave out --short");
  if (makesPage && listening.length + spawned.length > 0) {
    throw new BuildError("the page has only what everybody can repeat: leave out --page, or NAME=…");
  }
  return { isShort, makesPage, isRewrite, groups: only, listening, spawned };
}
