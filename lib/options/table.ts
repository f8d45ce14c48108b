// What a table of options is. It is an argument of whatever reads it: the command line, the help, the manual page, the
// completions. Nothing here knows an option by its name.
//
// A table has parts, and a part has a row for each of its settings; the settings have the same two levels. An option that
// asks for a command, as --help does, is no setting and stands beside the table. A default is written once, in its row: a
// text about an option has `{default}` where it is to be read.

import type { Kind } from "./kinds.ts";

/** What an option is to its readers. */
export interface OptionRow {
  readonly short?: string;
  readonly long: string;
  /** Absent: the option takes no value. */
  readonly kind?: Kind<unknown>;
  /** The value may be left out: it follows a "=", or is the next word where that is one of the words that `kind` offers. */
  readonly valueIsOptional?: true;
  /** What stands behind it on the command line is not read. */
  readonly endsReading?: true;
  /** Each of several counts, not the last alone. */
  readonly isRepeatable?: true;
  readonly help: string;
  /** Under which heading the help lists it. */
  readonly group: string;
}

/** An option that sets a value. */
export interface Setting<Value> extends OptionRow {
  readonly default: Value;
  /** The value that was `before`, and after the option with `text`. Throws a `UsageError`. */
  take(text: string, before: Value): Value;
  /** What the option is given, once for each text, to have this value. */
  print(value: Value): readonly string[];
}

export type Rows = Readonly<Record<string, Setting<unknown>>>;
export type SettingsTable = Readonly<Record<string, Rows>>;

/** The settings of a part. */
export type ValuesOf<Part extends Rows> = { readonly [Field in keyof Part]: Part[Field]["default"] };
export type SettingsOf<Table extends SettingsTable> = { readonly [Part in keyof Table]: ValuesOf<Table[Part]> };

/** A row as it is written: what follows from its kind is left out. */
type Written = Pick<OptionRow, "short" | "long" | "help" | "group">;

/** A setting that is the last value that was given. */
export function option<Value>(
  row: Written & { readonly kind: Kind<Value>; readonly default: NoInfer<Value> },
): Setting<Value> {
  return { ...row, take: (text) => row.kind.parse(text), print: (value) => [row.kind.print(value)] };
}

/** A setting that is the last value that was given, or none. */
export function optional<Value>(row: Written & { readonly kind: Kind<Value> }): Setting<Value | undefined> {
  return {
    ...row,
    default: undefined,
    take: (text) => row.kind.parse(text),
    print: (value) => value === undefined ? [] : [row.kind.print(value)],
  };
}

/** A setting that is all values that were given. */
export function repeated<Value>(row: Written & { readonly kind: Kind<Value> }): Setting<readonly Value[]> {
  return {
    ...row,
    isRepeatable: true,
    default: [],
    take: (text, before) => [...before, row.kind.parse(text)],
    print: (values) => values.map((value) => row.kind.print(value)),
  };
}

/** Whether the option was given. */
export function flag(row: Written): Setting<boolean> {
  return { ...row, default: false, take: () => true, print: (value) => value ? [""] : [] };
}

/** How often the option was given. */
export function counted(row: Written): Setting<number> {
  return {
    ...row,
    isRepeatable: true,
    default: 0,
    take: (_, before) => before + 1,
    print: (count) => Array(count).fill(""),
  };
}

export function rowsOf(table: SettingsTable): Setting<unknown>[] {
  return Object.values(table).flatMap((part) => Object.values(part));
}

/** A text about a row, with its default in it. */
export function withDefault(text: string, row: OptionRow): string {
  return text.replaceAll("{default}", () => {
    const [printed] = isSetting(row) ? row.print(row.default) : [];
    if (printed !== undefined) return printed;
    throw new Error(`--${row.long} has no default: what is said of it must have no {default}`);
  });
}

function isSetting(row: OptionRow): row is Setting<unknown> {
  return "print" in row;
}
