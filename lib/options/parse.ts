// The command line to options, as GNU getopt_long reads one: clustered and attached letters, `--name=value`, unambiguous
// abbreviations, options before and after the operand, `--`. The last of a repeated option wins. Pure; wrong use throws
// a `UsageError`. -h, -L and -V end the reading where they stand.

import { defaultOptions, type Options, UsageError } from "./options.ts";
import { type OptionRow, OPTIONS } from "./table.ts";
import { parseDownstream, quote } from "./values.ts";

export type ParsedCommandLine =
  | { readonly kind: "run"; readonly options: Options }
  | { readonly kind: "help" | "license" | "version" };

const SEE_HELP = "see postprox --help";

export function parseCommandLine(args: readonly string[]): ParsedCommandLine {
  const options = defaultOptions({ transport: "tcp", host: "", port: 0 });
  const operands: string[] = [];
  const rest = [...args];
  let wrong: UsageError | undefined;
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    try {
      const print = takeWord(word, rest, { options, operands });
      if (print && !wrong) return { kind: print };
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      // The first mistake is told; the rest is read on for --log.
      wrong ??= error;
    }
  }
  try {
    if (wrong) throw wrong;
    options.downstream = parseOperands(operands);
  } catch (error) {
    if (error instanceof UsageError) error.log = options.log;
    throw error;
  }
  return { kind: "run", options };
}

function parseOperands([operand, second]: readonly string[]): Options["downstream"] {
  if (operand === undefined) throw new UsageError(`no server is named: give HOST:PORT, ${SEE_HELP}`);
  if (second !== undefined) throw new UsageError(`one server is enough, ${quote(second)} is a second one: ${SEE_HELP}`);
  return parseDownstream(operand);
}

function takeWord(
  word: string,
  rest: string[],
  { options, operands }: { options: Options; operands: string[] },
): Print | undefined {
  if (word === "--") operands.push(...rest.splice(0));
  else if (word === "-" || !word.startsWith("-")) operands.push(word);
  else return word.startsWith("--") ? takeLong(word, rest, options) : takeShort(word, rest, options);
  return undefined;
}

type Print = "help" | "license" | "version";

function takeLong(word: string, rest: string[], options: Options): Print | undefined {
  const equals = word.indexOf("=");
  const name = equals === -1 ? word.slice(2) : word.slice(2, equals);
  const row = findLong(name);
  if (row.value === undefined) {
    if (equals !== -1) throw new UsageError(`option --${row.long} takes no value: ${SEE_HELP}`);
    return take(row, "", options);
  }
  const value = equals === -1 ? rest.shift() : word.slice(equals + 1);
  if (value === undefined) throw missingValue(`--${row.long}`, row);
  return take(row, value, options);
}

function takeShort(word: string, rest: string[], options: Options): Print | undefined {
  for (let at = 1; at < word.length; at++) {
    const letter = word[at]!;
    const row = OPTIONS.find(({ short }) => short === letter);
    if (!row) throw new UsageError(`option ${quote(`-${letter}`)} is not known: ${SEE_HELP}`);
    if (row.value !== undefined) {
      const value = at + 1 < word.length ? word.slice(at + 1) : rest.shift();
      if (value === undefined) throw missingValue(`-${letter}`, row);
      return take(row, value, options);
    }
    const print = take(row, "", options);
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

function take(row: OptionRow, text: string, options: Options): Print | undefined {
  if (typeof row.set === "string") return row.set;
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
