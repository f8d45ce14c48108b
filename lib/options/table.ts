// The form of a table of options. Each reader gets the table as an argument: the command line, the help, the manual
// page, the completions. Nothing here knows an option by its name.
//
// A table has parts. A part has a row for each of its settings. The settings have the same two levels. An option that
// asks for a command, such as --help, is no setting and stands beside the table. Each default is written once, in its
// row. A text about an option writes `{default}` in its place.

import type { Kind } from "./kinds.ts";

/** The part of an option that every reader needs. */
export interface OptionRow {
  readonly short?: string;
  readonly long: string;
  /** Absent if the option takes no value. */
  readonly kind?: Kind<unknown>;
  /** The value may be left out. It follows a "=". It may also be the next word if that is a word that `kind` offers. */
  readonly valueIsOptional?: true;
  /** The command line is not read beyond this option. */
  readonly endsReading?: true;
  /** If the option is repeated, each one counts, and not only the last. */
  readonly isRepeatable?: true;
  readonly help: string;
  /** The help lists it under this heading. */
  readonly group: string;
}

/** An option that sets a value. */
export interface Setting<Value> extends OptionRow {
  readonly default: Value;
  /** The new value: `before` changed by one option with `text`. Throws a `UsageError`. */
  take(text: string, before: Value): Value;
  /** The texts that give the option this value. Each text stands for one time that the option is given. */
  print(value: Value): readonly string[];
}

export type Rows = Readonly<Record<string, Setting<unknown>>>;
export type SettingsTable = Readonly<Record<string, Rows>>;

/** The settings of a part. */
export type ValuesOf<Part extends Rows> = { readonly [Field in keyof Part]: Part[Field]["default"] };
export type SettingsOf<Table extends SettingsTable> = { readonly [Part in keyof Table]: ValuesOf<Table[Part]> };

/** A row as a table writes it. The rest follows from its kind. */
type Written = Pick<OptionRow, "short" | "long" | "help" | "group">;

/** A setting whose value is the last one that was given. */
export function option<Value>(
  row: Written & { readonly kind: Kind<Value>; readonly default: NoInfer<Value> },
): Setting<Value> {
  return { ...row, take: (text) => row.kind.parse(text), print: (value) => [row.kind.print(value)] };
}

/** A setting whose value is the last one that was given, or undefined. */
export function optional<Value>(row: Written & { readonly kind: Kind<Value> }): Setting<Value | undefined> {
  return {
    ...row,
    default: undefined,
    take: (text) => row.kind.parse(text),
    print: (value) => value === undefined ? [] : [row.kind.print(value)],
  };
}

/** A setting whose value is a list of all values that were given. */
export function repeated<Value>(row: Written & { readonly kind: Kind<Value> }): Setting<readonly Value[]> {
  return {
    ...row,
    isRepeatable: true,
    default: [],
    take: (text, before) => [...before, row.kind.parse(text)],
    print: (values) => values.map((value) => row.kind.print(value)),
  };
}

/** A setting that says whether the option was given. */
export function flag(row: Written): Setting<boolean> {
  return { ...row, default: false, take: () => true, print: (value) => value ? [""] : [] };
}

/** A setting that says how often the option was given. */
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

/** A text about a row, with the row's default filled in. */
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
