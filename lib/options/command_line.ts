// Reads a command line into settings, as GNU getopt_long does: letters in clusters or with their value attached,
// `--name=value`, unambiguous abbreviations, options before and after the operand, `--`. If an option is repeated, the
// last one wins, unless its row says that each counts. Pure.
//
// A mistake throws no exception: reading goes on, because the caller needs to know where the log is.

import { UsageError } from "../ports/start_error.ts";
import { quote } from "../text/quoting.ts";
import type { OptionRow, Setting, SettingsOf, SettingsTable } from "./table.ts";

export interface CommandLine<Settings> {
  readonly settings: Settings;
  readonly operands: readonly string[];
  /** The settings on the command line, in order. Each has the text of its value. */
  readonly given: readonly GivenSetting[];
  /** The option that asks for a command, with the text of its value. If there are several, it is the last one. */
  readonly command: { readonly option: OptionRow; readonly text: string } | undefined;
  /** The first mistake. */
  readonly wrong: UsageError | undefined;
}

export interface GivenSetting {
  readonly row: OptionRow;
  readonly text: string;
}

const SEE_HELP = "see postprox --help";

/** Settings from elsewhere, such as a file. A setting on the command line replaces one of them. */
export interface BaseSetting {
  readonly row: Setting<unknown>;
  readonly texts: readonly string[];
}

/** Reads `args` by the rows of `table` and by `commandOptions`. */
export function readCommandLine<Table extends SettingsTable>(
  args: readonly string[],
  { table, commandOptions, base = [] }: {
    readonly table: Table;
    readonly commandOptions: readonly OptionRow[];
    readonly base?: readonly BaseSetting[];
  },
): CommandLine<SettingsOf<Table>> {
  const reader = new Reader(table, commandOptions);
  reader.start(base);
  reader.read(args);
  return reader as CommandLine<unknown> as CommandLine<SettingsOf<Table>>;
}

/** Where the value of a setting stands. */
interface Place {
  readonly row: Setting<unknown>;
  readonly values: Record<string, unknown>;
  readonly field: string;
}

class Reader implements CommandLine<unknown> {
  readonly settings: Record<string, Record<string, unknown>> = {};
  readonly operands: string[] = [];
  readonly given: GivenSetting[] = [];
  command: CommandLine<unknown>["command"];
  wrong: UsageError | undefined;
  readonly #places = new Map<OptionRow, Place>();
  readonly #rows: readonly OptionRow[];
  #isOver = false;
  /** The rows whose value is from elsewhere. */
  readonly #based = new Set<OptionRow>();

  constructor(table: SettingsTable, commandOptions: readonly OptionRow[]) {
    for (const [part, rows] of Object.entries(table)) {
      const values: Record<string, unknown> = this.settings[part] = {};
      for (const [field, row] of Object.entries(rows)) {
        values[field] = row.default;
        this.#places.set(row, { row, values, field });
      }
    }
    this.#rows = [...this.#places.keys(), ...commandOptions];
  }

  start(base: readonly BaseSetting[]): void {
    for (const { row, texts } of base) {
      const place = this.#places.get(row)!;
      for (const text of texts) place.values[place.field] = row.take(text, place.values[place.field]);
      this.#based.add(row);
    }
  }

  read(args: readonly string[]): void {
    const rest = [...args];
    for (let word = rest.shift(); word !== undefined && !this.#isOver; word = rest.shift()) {
      try {
        this.#takeWord(word, rest);
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        this.wrong ??= error;
      }
    }
  }

  #takeWord(word: string, rest: string[]): void {
    if (word === "--") this.operands.push(...rest.splice(0));
    else if (word === "-" || !word.startsWith("-")) this.operands.push(word);
    else if (word.startsWith("--")) this.#takeLong(word, rest);
    else this.#takeShort(word, rest);
  }

  #takeLong(word: string, rest: string[]): void {
    const equals = word.indexOf("=");
    const row = this.#findLong(equals === -1 ? word.slice(2) : word.slice(2, equals));
    if (!row.kind) {
      if (equals !== -1) throw new UsageError(`option --${row.long} takes no value: give --${row.long} alone`);
      return this.#take(row, "");
    }
    if (equals !== -1) return this.#take(row, word.slice(equals + 1));
    if (row.valueIsOptional && !row.kind.offers?.words?.includes(rest[0] ?? "")) return this.#take(row, "");
    this.#take(row, rest.shift() ?? missingValue(`--${row.long}`, row));
  }

  #takeShort(word: string, rest: string[]): void {
    for (let at = 1; at < word.length && !this.#isOver; at++) {
      const letter = word[at]!;
      const row = this.#rows.find(({ short }) => short === letter);
      if (!row) throw new UsageError(`option ${quote(`-${letter}`)} is not known: ${SEE_HELP}`);
      if (!row.kind) this.#take(row, "");
      else {
        const value = at + 1 < word.length ? word.slice(at + 1) : rest.shift();
        return this.#take(row, value ?? missingValue(`-${letter}`, row));
      }
    }
  }

  #findLong(name: string): OptionRow {
    const exact = this.#rows.find(({ long }) => long === name);
    if (exact) return exact;
    const [row, ...others] = name === "" ? [] : this.#rows.filter(({ long }) => long.startsWith(name));
    if (!row) throw new UsageError(`option ${quote(`--${name}`)} is not known: ${SEE_HELP}`);
    if (others.length === 0) return row;
    const names = [row, ...others].map(({ long }) => `--${long}`);
    throw new UsageError(`option ${quote(`--${name}`)} is ambiguous: give ${names.join(" or ")}`);
  }

  #take(row: OptionRow, text: string): void {
    const place = this.#places.get(row);
    try {
      if (place) place.values[place.field] = place.row.take(text, this.#before(place));
      else if (text !== "" || !row.valueIsOptional) row.kind?.parse(text);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`option ${row.short ? `-${row.short}, ` : ""}--${row.long}: ${error.message}`);
    }
    if (place) this.given.push({ row, text });
    else this.#ask(row, text);
  }

  #before({ row, values, field }: Place): unknown {
    return this.#based.delete(row) ? row.default : values[field];
  }

  #ask(option: OptionRow, text: string): void {
    this.command = { option, text };
    // After a mistake no option ends the reading.
    this.#isOver = option.endsReading === true && !this.wrong;
  }
}

function missingValue(name: string, { kind }: OptionRow): never {
  throw new UsageError(`option ${name} needs a value: give ${name} ${kind?.shown}`);
}
