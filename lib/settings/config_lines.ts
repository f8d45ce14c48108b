// Prints settings as the lines of a configuration file. Pure.

import { formatConfigLines } from "../options/config_file.ts";
import { SETTINGS, type Settings } from "./settings.ts";

/** The lines of `settings`, in the order of their names. */
export function configLines(
  settings: Settings,
  { onlyChanged, nextHop }: { onlyChanged: boolean; nextHop?: string | undefined },
): string[] {
  // The file cannot name itself.
  const { config: _, ...table } = SETTINGS;
  const printed = Object.entries(table).flatMap(([part, rows]) => {
    const values = settings[part as keyof Settings] as Readonly<Record<string, unknown>>;
    return Object.entries(rows).flatMap(([field, row]) => {
      const lines = formatConfigLines(row, values[field]);
      return onlyChanged && lines.join("\n") === formatConfigLines(row, row.default).join("\n") ? [] : [{ row, lines }];
    });
  });
  const sorted = printed.toSorted((one, other) => one.row.long < other.row.long ? -1 : 1);
  const hop = nextHop === undefined ? [] : [`next-hop = ${nextHop}`];
  return [...hop, ...sorted.flatMap(({ lines }) => lines)];
}
