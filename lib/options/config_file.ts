// Reads and prints a configuration file: lines `name = value` with the long names of options. Pure.
//
// A `-` in a name may be written `_`. A line that begins with a blank continues the line before it. A line that begins with
// `#` is a comment, also between the lines of a value. A flag is `yes` or `no`. An empty value is the default. A name that is
// given twice is a mistake, unless its option may be repeated. All mistakes are found at once.

import { UsageError } from "../ports/start_error.ts";
import { quote } from "../text/quoting.ts";
import type { Kind } from "./kinds.ts";
import { rowsOf, type Setting, type SettingsTable } from "./table.ts";

/** A setting in a file. */
export interface FileSetting {
  readonly row: Setting<unknown>;
  /** The texts for `Setting.take`; none for the default. */
  readonly texts: readonly string[];
}

export interface ConfigFile {
  readonly settings: readonly FileSetting[];
  /** The values of the names that are no options, as they were written. */
  readonly others: ReadonlyMap<string, string>;
  /** The mistakes, each with the file, the line and the value. */
  readonly mistakes: readonly string[];
  /** All lines that give a value to a name. */
  readonly entries: readonly Entry[];
}

export interface ConfigRules {
  /** The options that may stand in the file. */
  readonly table: SettingsTable;
  /** Names that are no options, and their kinds. */
  readonly others: Readonly<Record<string, Kind<unknown>>>;
}

export interface Entry {
  readonly line: number;
  /** With `-` and not `_`. */
  readonly name: string;
  readonly value: string;
}

/** Reads `text`, which has LF line ends. `path` is the name of the file in mistakes. */
export function parseConfigFile(text: string, path: string, { table, others }: ConfigRules): ConfigFile {
  const wrongs: { line: number; text: string }[] = [];
  const found = new Map<Setting<unknown>, FileSetting>();
  const otherValues = new Map<string, string>();
  const wrong = (line: number, why: string) => void wrongs.push({ line, text: `${path}:${line}: ${why}` });
  const rows = new Map(rowsOf(table).map((row) => [row.long, row]));
  const entries = [...entriesOf(text, wrong)];
  for (const { line, name, value } of entries) {
    const row = rows.get(name);
    const other = others[name];
    try {
      if (row) found.set(row, { row, texts: [...textsBefore(found.get(row)), ...textsOf(row, value)] });
      else if (other) takeOther(otherValues, other, { name, value });
      else throw new UsageError("no option has this name: see postprox --help");
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      wrong(line, `${name} = ${value}: ${error.message}`);
    }
  }
  const mistakes = wrongs.toSorted((one, other) => one.line - other.line).map(({ text }) => text);
  return { settings: [...found.values()], others: otherValues, mistakes, entries };
}

function* entriesOf(text: string, wrong: (line: number, why: string) => void): Generator<Entry> {
  let begun: { line: number; text: string } | undefined;
  const lines = text.split("\n");
  for (const [at, line] of [...lines, ""].entries()) {
    if (line.startsWith("#")) continue;
    if (/^[ \t]+[^ \t]/.test(line)) {
      if (begun) begun.text += ` ${line.trim()}`;
      else wrong(at + 1, `${quote(line.trim())} continues no line: begin a line with its name`);
      continue;
    }
    // An empty line ends nothing but the file.
    if (line.trim() === "" && at < lines.length) continue;
    if (begun) yield* entryOf(begun, wrong);
    begun = line.trim() === "" ? undefined : { line: at + 1, text: line.trim() };
  }
}

function* entryOf({ line, text }: { line: number; text: string }, wrong: (line: number, why: string) => void) {
  const [, name, value = ""] = /^([^= \t]+)[ \t]*=[ \t]*(.*)$/s.exec(text) ?? [];
  if (name === undefined) return wrong(line, `${quote(text)} is no setting: write name = value`);
  // No path and no command can have it.
  if (value.includes("\0")) return wrong(line, `${quote(name)} has a NUL in its value: take it out`);
  yield { line, name: name.replaceAll("_", "-"), value };
}

function textsBefore(before: FileSetting | undefined): readonly string[] {
  if (!before) return [];
  if (before.row.isRepeatable && before.row.kind) return before.texts;
  throw new UsageError("it is given twice: give it once");
}

// The texts that the row would get on a command line.
function textsOf(row: Setting<unknown>, value: string): string[] {
  if (value === "") return [];
  if (!row.kind) return flagTexts(row, value);
  row.take(value, row.default);
  return [value];
}

function flagTexts(row: Setting<unknown>, value: string): string[] {
  if (value === "yes") return [""];
  if (value === "no") return [];
  if (row.isRepeatable && /^[0-9]$/.test(value)) return Array(Number(value)).fill("");
  throw new UsageError(
    `${quote(value)} is no value of a flag: give yes or no${row.isRepeatable ? ", or a number" : ""}`,
  );
}

function takeOther(values: Map<string, string>, kind: Kind<unknown>, { name, value }: Omit<Entry, "line">): void {
  if (values.has(name)) throw new UsageError("it is given twice: give it once");
  kind.parse(value);
  values.set(name, value);
}

/** The lines that give `value` to the option of `row`. */
export function formatConfigLines(row: Setting<unknown>, value: unknown): string[] {
  const texts = row.print(value);
  if (!row.kind) return [`${row.long} = ${row.isRepeatable ? texts.length : texts.length > 0 ? "yes" : "no"}`];
  return texts.length === 0 ? [`${row.long} =`] : texts.map((text) => `${row.long} = ${text}`.trimEnd());
}
