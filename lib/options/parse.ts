// The command line to options, as GNU getopt_long reads one: clustered and attached letters, `--name=value`, unambiguous
// abbreviations, options before and after the operand, `--`. The last of a repeated option wins, unless the table has
// each count. Pure; wrong use throws a `UsageError`. -h, -L and -V end the reading where they stand; --postfix-config does
// not, for it is about the others.

import { quote } from "../text/quoting.ts";
import { defaultOptions, type Options, UsageError } from "./options.ts";
import { type OptionRow, OPTIONS } from "./table.ts";
import { parseDownstream } from "./values.ts";

export type ParsedCommandLine = { readonly kind: "run"; readonly options: Options } | Information;

/** Something to print, in place of a run. */
export type Information =
  | { readonly kind: Print }
  | { readonly kind: "postfix-config"; readonly line: GivenCommandLine };

/** A command line that has --postfix-config in it. */
export interface GivenCommandLine {
  readonly options: Options;
  /** The options, in order, each with the text of its value. */
  readonly given: readonly { readonly row: OptionRow; readonly text: string }[];
  /** HOST:PORT, as it was written. */
  readonly operand: string;
}

type Print = "help" | "license" | "version";

/** What was read so far. */
interface Reading {
  readonly options: Options;
  readonly operands: string[];
  readonly given: { readonly row: OptionRow; readonly text: string }[];
}

/** The server that --postfix-config is about where the command line names none. */
const USUAL_DOWNSTREAM = "127.0.0.1:10026";

const SEE_HELP = "see postprox --help";

export function parseCommandLine(args: readonly string[]): ParsedCommandLine {
  const options = defaultOptions({ transport: "tcp", host: "", port: 0 });
  const reading: Reading = { options, operands: [], given: [] };
  const rest = [...args];
  let wrong: UsageError | undefined;
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    try {
      const print = takeWord(word, rest, reading);
      if (print && !wrong) return { kind: print };
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      // The first mistake is told; the rest is read on for --log.
      wrong ??= error;
    }
  }
  const operands = reading.operands;
  try {
    if (wrong) throw wrong;
    if (options.postfixConfig && operands.length === 0) operands.push(USUAL_DOWNSTREAM);
    options.downstream = parseOperands(operands);
    // Else a service whose -l was forgotten would wait for mail on its standard input.
    if (options.foreground && !options.listen && !options.postfixConfig) {
      throw new UsageError("option --foreground is for listen mode: give -l [IP:]PORT as well");
    }
  } catch (error) {
    if (error instanceof UsageError) error.log = options.log;
    throw error;
  }
  if (!options.postfixConfig) return { kind: "run", options };
  return { kind: "postfix-config", line: { options, given: reading.given, operand: operands[0]! } };
}

function parseOperands([operand, second]: readonly string[]): Options["downstream"] {
  if (operand === undefined) throw new UsageError(`no server is named: give HOST:PORT, ${SEE_HELP}`);
  if (second !== undefined) throw new UsageError(`one server is enough, ${quote(second)} is a second one: ${SEE_HELP}`);
  return parseDownstream(operand);
}

function takeWord(word: string, rest: string[], reading: Reading): Print | undefined {
  if (word === "--") reading.operands.push(...rest.splice(0));
  else if (word === "-" || !word.startsWith("-")) reading.operands.push(word);
  else return word.startsWith("--") ? takeLong(word, rest, reading) : takeShort(word, rest, reading);
  return undefined;
}

function takeLong(word: string, rest: string[], reading: Reading): Print | undefined {
  const equals = word.indexOf("=");
  const name = equals === -1 ? word.slice(2) : word.slice(2, equals);
  const row = findLong(name);
  if (row.value === undefined) {
    if (equals !== -1) throw new UsageError(`option --${row.long} takes no value: ${SEE_HELP}`);
    return take(row, "", reading);
  }
  if (equals !== -1) return take(row, word.slice(equals + 1), reading);
  if (row.valueIsOptional && !row.value.split("|").includes(rest[0] ?? "")) return take(row, "", reading);
  const value = rest.shift();
  if (value === undefined) throw missingValue(`--${row.long}`, row);
  return take(row, value, reading);
}

function takeShort(word: string, rest: string[], reading: Reading): Print | undefined {
  for (let at = 1; at < word.length; at++) {
    const letter = word[at]!;
    const row = OPTIONS.find(({ short }) => short === letter);
    if (!row) throw new UsageError(`option ${quote(`-${letter}`)} is not known: ${SEE_HELP}`);
    if (row.value !== undefined) {
      const value = at + 1 < word.length ? word.slice(at + 1) : rest.shift();
      if (value === undefined) throw missingValue(`-${letter}`, row);
      return take(row, value, reading);
    }
    const print = take(row, "", reading);
    if (print) return print;
  }
  return undefined;
}

function findLong(name: string): OptionRow {
  const exact = OPTIONS.find(({ long }) => long === name);
  if (exact) return exact;
  const [row, other] = name === "" ? [] : OPTIONS.filter(({ long }) => long.startsWith(name));
  if (row && !other) return row;
  if (!row) throw new UsageError(`option ${quote(`--${name}`)} is not known: ${SEE_HELP}`);
  const names = OPTIONS.filter(({ long }) => long.startsWith(name)).map(({ long }) => `--${long}`);
  throw new UsageError(`option ${quote(`--${name}`)} is ambiguous: give ${names.join(" or ")}`);
}

function take(row: OptionRow, text: string, { options, given }: Reading): Print | undefined {
  if (typeof row.set === "string") return row.set;
  given.push({ row, text });
  try {
    row.set(options, text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`option ${row.short ? `-${row.short}, ` : ""}--${row.long}: ${error.message}`);
  }
  return undefined;
}

function missingValue(name: string, row: OptionRow): UsageError {
  return new UsageError(`option ${name} needs a value: ${name} ${row.value}`);
}
