// Makes the completions for bash, zsh and fish of the option table: `deno task completions`, into dist/completions/.
//
// Options are completed by both their names, values where their kind is known: directories, commands and files, the words
// that may stand there, nothing for a number. In place of HOST:PORT host names are offered. A value of the table that
// stands for a kind which is not known here is an error. bash needs no bash-completion package.

import { type OptionRow, OPTIONS } from "../lib/options/table.ts";
import { writeFiles } from "./dist.ts";

/** What may stand for a value: any of `words`, and what the shell finds. */
interface Kind {
  readonly words: readonly string[];
  readonly finds?: "directories" | "files";
}

const KINDS: Readonly<Record<string, Kind>> = {
  "COMMAND": { words: [], finds: "files" },
  "FILE": { words: [], finds: "files" },
  "DIR": { words: [], finds: "directories" },
  "WHERE": { words: ["syslog", "stderr"], finds: "files" },
  "[IP:]PORT": { words: [] },
  "IP[:PORT]": { words: [] },
  "ZONE[=ADDRESSES]": { words: [] },
  "CODES=WHAT": { words: [] },
  "ZONE=TEXT": { words: [] },
  "SEC": { words: [] },
  "N": { words: [] },
  "FACTOR": { words: [] },
  "SIZE": { words: [] },
};

/** The files by name, as each shell looks for them. */
export function completionFiles(): Readonly<Record<string, string>> {
  return { "postprox.bash": bash(), "_postprox": zsh(), "postprox.fish": fish() };
}

function kindOf({ long, value }: OptionRow): Kind | undefined {
  if (value === undefined) return undefined;
  if (/^[a-z-]+(?:\|[a-z-]+)+$/.test(value)) return { words: value.split("|") };
  const kind = KINDS[value];
  if (!kind) throw new Error(`scripts/completions.ts does not know what the ${value} of --${long} is`);
  return kind;
}

const MADE = "# Completion of postprox's options. Made by scripts/completions.ts of lib/options/table.ts.";

function namesOf({ short, long }: OptionRow): string[] {
  return short ? [`-${short}`, `--${long}`] : [`--${long}`];
}

// --- bash

function bash(): string {
  const bodies = Map.groupBy(OPTIONS.filter(({ value }) => value !== undefined), bashBody);
  const cases = [...bodies].map(([body, rows]) => `    ${rows.flatMap(namesOf).join(" | ")})\n${body}      ;;\n`);
  const names = OPTIONS.flatMap(namesOf).join(" ");
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
  else
    mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur")
  fi
}

complete -F _postprox postprox
`;
}

/** What is done where the word before is this option. */
function bashBody(row: OptionRow): string {
  const { words, finds } = kindOf(row)!;
  const sources = [
    ...(finds ? [`compgen ${finds === "files" ? "-f" : "-d"} -- "$cur"`] : []),
    ...(words.length > 0 ? [`compgen -W "${words.join(" ")}" -- "$cur"`] : []),
  ];
  const lines = [
    ...(finds ? ["compopt -o filenames"] : []),
    ...(sources.length > 0 ? [`mapfile -t COMPREPLY < <(${sources.join("; ")})`] : []),
    // A value that may be left out leaves room for something else.
    row.valueIsOptional ? "[[ ${#COMPREPLY[@]} -gt 0 ]] && return" : "return",
  ];
  return lines.map((line) => `      ${line}\n`).join("");
}

// --- zsh

function zsh(): string {
  const specs = OPTIONS.map((row) => {
    const { short, long, value, valueIsOptional, isRepeatable, help, group } = row;
    const takes = value === undefined ? ["", ""] : valueIsOptional ? ["", "=-"] : ["+", "="];
    const names = short ? `{-${short}${takes[0]},--${long}${takes[1]}}` : `--${long}${takes[1]}`;
    // What only prints needs nothing beside it; what is not repeatable may come once.
    const others = group === "information" && value === undefined
      ? "(- *)"
      : isRepeatable
      ? "*"
      : `(${namesOf(row).join(" ")})`;
    const kind = kindOf(row);
    const argument = kind ? `${valueIsOptional ? "::" : ":"}${zshText(value!)}:${zshAction(kind)}` : "";
    return `    ${zshQuote(others)}${names}${zshQuote(`[${zshText(help)}]${argument}`)}`;
  });
  return `#compdef postprox
${MADE}

_postprox_files_or() {
  _alternative "words:word:($*)" "files:file:_files"
}

_arguments -s -S : \\
${specs.join(" \\\n")} \\
    '1:HOST\\:PORT:_hosts'
`;
}

function zshAction({ words, finds }: Kind): string {
  if (finds === "directories") return "_path_files -/";
  // A blank in front: else zsh would put words for compadd before ours, and those would be offered too.
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

function fish(): string {
  const lines = OPTIONS.map((row) => {
    const { short, long, valueIsOptional, help } = row;
    const kind = kindOf(row);
    const words = ["complete -c postprox", ...(short ? [`-s ${short}`] : []), `-l ${long}`];
    // -x: needs a value, and no file is one; -r: needs a value.
    if (kind && !valueIsOptional) words.push(kind.finds === "files" ? "-rF" : "-x");
    const found = kind?.finds === "directories" ? ["(__fish_complete_directories)"] : [];
    const values = [...(kind?.words ?? []), ...found].join(" ");
    if (values !== "") words.push(`-a '${values}'`);
    return `${words.join(" ")} -d '${help.replaceAll(/[\\']/g, "\\$&")}'`;
  });
  return `${MADE}

complete -c postprox -f -a '(__fish_print_hostnames)'
${lines.join("\n")}
`;
}

if (import.meta.main) await writeFiles("completions", "/completions", completionFiles);
