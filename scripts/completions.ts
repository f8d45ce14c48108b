// Makes the completions for bash, zsh and fish from a table of options: `deno task completions`, into
// dist/completions/.
//
// They complete both names of an option, and values that its kind offers. In place of HOST:PORT they offer host names.
// bash does not need a bash-completion package.

import type { CommandRow } from "../lib/commands/command.ts";
import { allOptions, COMMANDS } from "../lib/commands/commands.ts";
import type { Offer } from "../lib/options/kinds.ts";
import { type OptionRow, withDefault } from "../lib/options/table.ts";
import { writeFiles } from "./dist.ts";

/** The files, by the names that each shell looks for. */
export function completionFiles(
  options: readonly OptionRow[],
  named: readonly Named[],
): Readonly<Record<string, string>> {
  return {
    "postprox.bash": bash(options, named),
    "_postprox": zsh(options, named),
    "postprox.fish": fish(options, named),
  };
}

/** A command that the first word names, and the words that may come next. */
export interface Named {
  readonly word: string;
  readonly verbs: readonly string[];
  /** Its words are names of files, and not of hosts. */
  readonly takesFiles: boolean;
}

/** The commands that a first word names. */
export async function namedCommands(commands: readonly CommandRow[] = COMMANDS): Promise<readonly Named[]> {
  const all = await Promise.all(commands.map(async ({ word, own }) => {
    const { verbs = [], takesFiles = false } = await own?.() ?? {};
    return { word, verbs, takesFiles };
  }));
  return all.flatMap(({ word, ...others }) => word === undefined ? [] : { word, ...others });
}

const MADE = "# Completion of postprox's options. Made by scripts/completions.ts.";

function namesOf({ short, long }: OptionRow): string[] {
  return short ? [`-${short}`, `--${long}`] : [`--${long}`];
}

// --- bash

function bash(options: readonly OptionRow[], commands: readonly Named[]): string {
  const bodies = Map.groupBy(options.filter(({ kind }) => kind !== undefined), bashBody);
  const cases = [...bodies].map(([body, rows]) => `    ${rows.flatMap(namesOf).join(" | ")})\n${body}      ;;\n`);
  const names = options.flatMap(namesOf).join(" ");
  return `${MADE}

_postprox() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  # bash takes the = of --name=value for a word of its own.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case $prev in
${cases.join("")}  esac
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${names}" -- "$cur")
  elif [[ $COMP_CWORD -eq 1 ]]; then
    mapfile -t COMPREPLY < <(compgen -A hostname -W "${commands.map(({ word }) => word).join(" ")}" -- "$cur")
  else
    case $COMP_CWORD:\${COMP_WORDS[1]} in
${commands.map(bashNext).join("")}      *) mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur") ;;
    esac
  fi
}

complete -F _postprox postprox
`;
}

function bashNext({ word, verbs, takesFiles }: Named): string {
  const files =
    `      *:${word})\n        compopt -o filenames\n        mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;\n`;
  const next = `      2:${word}) mapfile -t COMPREPLY < <(compgen -W "${verbs.join(" ")}" -- "$cur") ;;\n`;
  return takesFiles ? files : next;
}

/** The code that runs if the word before is this option. */
function bashBody(row: OptionRow): string {
  const { words = [], finds } = row.kind?.offers ?? {};
  const sources = [
    ...(finds ? [`compgen ${finds === "files" ? "-f" : "-d"} -- "$cur"`] : []),
    ...(words.length > 0 ? [`compgen -W "${words.join(" ")}" -- "$cur"`] : []),
  ];
  const lines = [
    ...(finds ? ["compopt -o filenames"] : []),
    ...(sources.length > 0 ? [`mapfile -t COMPREPLY < <(${sources.join("; ")})`] : []),
    // A value that may be left out leaves room for other words.
    row.valueIsOptional ? "[[ ${#COMPREPLY[@]} -gt 0 ]] && return" : "return",
  ];
  return lines.map((line) => `      ${line}\n`).join("");
}

// --- zsh

function zsh(options: readonly OptionRow[], commands: readonly Named[]): string {
  const specs = options.map((row) => {
    const { short, long, kind, valueIsOptional, isRepeatable, endsReading, help } = row;
    const takes = kind === undefined ? ["", ""] : valueIsOptional ? ["", "=-"] : ["+", "="];
    const names = short ? `{-${short}${takes[0]},--${long}${takes[1]}}` : `--${long}${takes[1]}`;
    // An option that only prints stands alone. An option that is not repeatable may come once.
    const others = endsReading ? "(- *)" : isRepeatable ? "*" : `(${namesOf(row).join(" ")})`;
    const argument = kind ? `${valueIsOptional ? "::" : ":"}${zshText(kind.shown)}:${zshAction(kind.offers)}` : "";
    return `    ${zshQuote(others)}${names}${zshQuote(`[${zshText(withDefault(help, row))}]${argument}`)}`;
  });
  return `#compdef postprox
${MADE}

_postprox_files_or() {
  _alternative "words:word:($*)" "files:file:_files"
}

_postprox_first() {
  _alternative "commands:command:(${commands.map(({ word }) => word).join(" ")})" "hosts:host:_hosts"
}

_postprox_next() {
  case $words[2] in
${
    commands.map(({ word, verbs, takesFiles }) =>
      `    ${word}) ${takesFiles ? "_files" : `compadd -- ${verbs.join(" ")}`} ;;\n`
    ).join("")
  }    *) _hosts ;;
  esac
}

_postprox_rest() {
  case $words[2] in
${
    commands.filter(({ takesFiles }) => takesFiles).map(({ word }) => `    ${word}) _files ;;\n`).join("")
  }    *) _hosts ;;
  esac
}

_arguments -s -S : \\
${specs.join(" \\\n")} \\
    '1: :_postprox_first' \\
    '2: :_postprox_next' \\
    '*: :_postprox_rest'
`;
}

function zshAction({ words: offered = [], finds }: Offer = {}): string {
  // A colon ends a part of the line.
  const words = offered.map((word) => word.replaceAll(":", "\\:"));
  if (finds === "directories") return "_path_files -/";
  // The blank comes first. Otherwise zsh puts words for compadd before ours, and would offer those, too.
  if (finds === "files") return words.length > 0 ? ` _postprox_files_or ${words.join(" ")}` : "_files";
  return words.length > 0 ? `(${words.join(" ")})` : " ";
}

function zshText(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, "\\$&");
}

function zshQuote(text: string): string {
  return text === "" ? "" : `'${text.replaceAll("'", "'\\''")}'`;
}

// --- fish

function fish(options: readonly OptionRow[], commands: readonly Named[]): string {
  const lines = options.map((row) => {
    const { short, long, kind, valueIsOptional, help } = row;
    const { words: offered = [], finds } = kind?.offers ?? {};
    const words = ["complete -c postprox", ...(short ? [`-s ${short}`] : []), `-l ${long}`];
    // -x: needs a value, which is no file. -r: needs a value.
    if (kind && !valueIsOptional) words.push(finds === "files" ? "-rF" : "-x");
    const found = finds === "directories" ? ["(__fish_complete_directories)"] : [];
    const values = [...offered, ...found].join(" ");
    if (values !== "") words.push(`-a '${values}'`);
    return `${words.join(" ")} -d '${withDefault(help, row).replaceAll(/[\\']/g, "\\$&")}'`;
  });
  return `${MADE}

complete -c postprox -f -a '(__fish_print_hostnames)'
${commands.map(fishCommand).join("\n")}
${lines.join("\n")}
`;
}

function fishCommand({ word, verbs, takesFiles }: Named): string {
  const first = `complete -c postprox -n __fish_is_first_token -a '${word}'`;
  const count = takesFiles ? "-ge 2" : "-eq 2";
  const next = `test (count (commandline -opc)) ${count}; and test (commandline -opc)[2] = ${word}`;
  if (takesFiles) return `${first}\ncomplete -c postprox -n '${next}' -F`;
  return verbs.length === 0 ? first : `${first}\ncomplete -c postprox -n '${next}' -a '${verbs.join(" ")}'`;
}

if (import.meta.main) {
  const files = completionFiles(await allOptions(), await namedCommands());
  await writeFiles("completions", "/completions", () => files);
}
