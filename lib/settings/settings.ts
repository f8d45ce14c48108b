// All settings: the table of their rows. The types follow from it.

import { CHECKS, RESTRICTIONS } from "./catalogue.ts";
import { GENERAL } from "./general.ts";
import { flag, type Rows, type SettingsOf } from "../options/table.ts";

/** The rows, by part. The help lists them in this order under each heading. */
export const SETTINGS = { ...optionsOf(RESTRICTIONS), ...optionsOf(CHECKS), ...GENERAL };

export type Settings = SettingsOf<typeof SETTINGS>;

/** Options that only commands with a name have. */
export const COMMAND_OPTIONS = {
  output: {
    json: flag({
      long: "json",
      group: "commands",
      help: "print JSON: for each message an object, on a line of its own",
    }),
  },
};

export type CommandSettings = Settings & SettingsOf<typeof COMMAND_OPTIONS>;

/** The actions of `postprox quarantine`. */
export const QUARANTINE_VERBS = ["list", "show", "release", "delete", "expire"] as const;

type OptionsOf<Catalogue extends Readonly<Record<string, { options: Rows }>>> = {
  readonly [Name in keyof Catalogue]: Catalogue[Name]["options"];
};

function optionsOf<Catalogue extends Readonly<Record<string, { options: Rows }>>>(
  catalogue: Catalogue,
): OptionsOf<Catalogue> {
  const parts = Object.entries(catalogue).map(([name, { options }]) => [name, options]);
  return Object.fromEntries(parts) as OptionsOf<Catalogue>;
}
