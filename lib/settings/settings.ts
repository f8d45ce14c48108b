// All settings: the table of their rows. The types follow from it.

import { CHECKS, RESTRICTIONS } from "./catalogue.ts";
import { GENERAL } from "./general.ts";
import type { Rows, SettingsOf } from "../options/table.ts";

/** The rows, by part. The help lists them in this order under each heading. */
export const SETTINGS = { ...optionsOf(RESTRICTIONS), ...optionsOf(CHECKS), ...GENERAL };

export type Settings = SettingsOf<typeof SETTINGS>;

type OptionsOf<Catalogue extends Readonly<Record<string, { options: Rows }>>> = {
  readonly [Name in keyof Catalogue]: Catalogue[Name]["options"];
};

function optionsOf<Catalogue extends Readonly<Record<string, { options: Rows }>>>(
  catalogue: Catalogue,
): OptionsOf<Catalogue> {
  const parts = Object.entries(catalogue).map(([name, { options }]) => [name, options]);
  return Object.fromEntries(parts) as OptionsOf<Catalogue>;
}
