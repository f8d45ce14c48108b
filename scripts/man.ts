// Makes the manual page postprox(8) from a table of options and the prose in docs/man/: `deno task man`,
// dist/postprox.8.
//
// The page is in mdoc(7), so both mandoc(1) and groff(1) show it. The prose is in docs/man/postprox.mdoc. The text of
// an option is in docs/man/options.mdoc. An option without a text there has its line of --help. A text that is asked
// for and missing is an error. So neither can fall behind the other.

import { allOptions, readWords } from "../lib/commands/commands.ts";
import { postfixLine } from "../lib/commands/postfix_config.ts";
import { formatPostfixConfig } from "../lib/commands/postfix_config/postfix_config.ts";
import { type OptionRow, withDefault } from "../lib/options/table.ts";
import { VERSION } from "../lib/commands/version.ts";
import { writeFiles } from "./dist.ts";

/** Where the packages put the program. */
const PROGRAM = "/usr/sbin/postprox";

// mandoc(1) wants at most this many characters in a line of the source.
const WIDTH = 80;

const root = new URL("../", import.meta.url);

/** The whole page, in mdoc(7). */
export function manualPage(options: readonly OptionRow[]): string {
  const texts = optionTexts(read("docs/man/options.mdoc"), options);
  const groups = new Set<string>();
  const page = fill(read("docs/man/postprox.mdoc")).replace(/^\.\\".*\n/gm, "").replace(
    /^@(OPTIONS|CONFIG|FILE) (.*)@$/gm,
    (_, what: string, argument: string) => {
      if (what === "FILE") return literal(read(argument).replace(/^# .*\n/gm, "").trimEnd());
      if (what === "CONFIG") return literal(postfixConfig(argument.split(" ")).trimEnd());
      groups.add(argument);
      return optionList(options.filter(({ group }) => group === argument), texts);
    },
  ).replaceAll("@VERSION@", VERSION);
  const lost = options.find(({ group }) => !groups.has(group));
  if (lost) throw new Error(`docs/man/postprox.mdoc has no line @OPTIONS ${lost.group}@`);
  return `.\\" Made by scripts/man.ts of docs/man/ and the table of options.\n${page}`;
}

function optionTexts(source: string, options: readonly OptionRow[]): ReadonlyMap<string, string> {
  const [, ...parts] = source.split(/^@([a-z-]+)@\n/m);
  const texts = new Map<string, string>();
  for (let at = 0; at < parts.length; at += 2) {
    const name = parts[at]!;
    const row = options.find(({ long }) => long === name);
    if (!row) throw new Error(`docs/man/options.mdoc: there is no --${name}`);
    texts.set(name, fill(withDefault(parts[at + 1]!.trimEnd(), row)));
  }
  return texts;
}

function optionList(rows: readonly OptionRow[], texts: ReadonlyMap<string, string>): string {
  return rows.map((row) => `.It ${head(row)}\n${texts.get(row.long) ?? sentence(withDefault(row.help, row))}`).join(
    "\n",
  );
}

function head({ short, long, kind, valueIsOptional }: OptionRow): string {
  const names = short ? `Fl ${short} , Fl Fl ${long}` : `Fl Fl ${long}`;
  if (!kind) return names;
  const value = kind.shown;
  const shown = value.includes("|") ? `Cm ${value.replaceAll("|", " Ns | Ns Cm ")}` : `Ar ${value}`;
  return valueIsOptional ? `${names} Ns Op = Ns ${shown}` : short ? `${names} ${shown}` : `${names} Ns = Ns ${shown}`;
}

// The lines of --help begin in lower case and have no full stop.
function sentence(help: string): string {
  return `${help[0]!.toUpperCase()}${help.slice(1)}.`.split(/(?<=[;.]) /).map(escape).map(fill).join("\n");
}

/** Breaks lines of text, because mandoc(1) wants at most 80 columns. Leaves macros and literal text as they are. */
function fill(source: string): string {
  let isLiteral = false;
  return source.split("\n").flatMap((line) => {
    if (line.startsWith(".Bd")) isLiteral = true;
    if (line.startsWith(".Ed")) isLiteral = false;
    return isLiteral || /^[.@]/.test(line) ? line : wrap(line);
  }).join("\n");
}

function wrap(line: string): string[] {
  const lines: string[] = [];
  for (const word of line.split(" ")) {
    const last = lines.at(-1);
    // A line that begins with a dot or an apostrophe would be a macro.
    const mayBegin = !/^[.']/.test(word);
    if (last === undefined || (mayBegin && last.length + 1 + word.length > WIDTH)) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function literal(text: string): string {
  return text.split("\n").map(escape).join("\n");
}

/** Escapes text for roff(7): its escape character, its control characters, and a minus that can be copied. */
function escape(line: string): string {
  return line.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("`", "\\(ga").replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti").replaceAll("'", "\\(aq").replace(/^\./, "\\&.");
}

function postfixConfig(args: readonly string[]): string {
  const { line } = readWords(args);
  if (line.wrong) throw line.wrong;
  return formatPostfixConfig(postfixLine(line), [PROGRAM]);
}

function read(file: string): string {
  return Deno.readTextFileSync(new URL(file, root));
}

if (import.meta.main) {
  const options = await allOptions();
  await writeFiles("man", "", () => ({ "postprox.8": manualPage(options) }));
}
