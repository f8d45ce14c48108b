// The findings of a whole run of the corpus, and the tables of docs/proofs/hostile.md that are made from them.
//
// `deno task hostile` writes the findings to tests/hostile/results.json and the tables into the document. They have a
// fingerprint of the corpus. So a row that was changed, added or removed shows that they are out of date.

import { createHash } from "node:crypto";
import { CORPUS, rowsByGroup } from "./corpus.ts";
import { ENDS, STARTS } from "./corpus_content.ts";
import { cutsOf, isContent } from "./play.ts";
import { GROUPS, type Row } from "./row.ts";

export interface Results {
  /** Of the corpus that was played. */
  readonly fingerprint: string;
  /** Against the fake downstream server, by group. */
  readonly fake: Readonly<Record<string, { readonly ways: number; readonly wrong: number }>>;
  /** Against real servers, by name. */
  readonly servers: Readonly<Record<string, ServerResults>>;
}

export interface ServerResults {
  readonly version: string;
  /** A letter for it in the tables. */
  readonly letter: string;
  /** Rows of content played without postprox, and the names of those that fooled the server. */
  readonly direct: number;
  readonly fooled: readonly string[];
  /** Messages and conversations through postprox, and how many of them went wrong. */
  readonly through: number;
  readonly wrong: number;
}

export const BEGIN = "<!-- Made by `deno task hostile`; do not edit from here -->";
export const END = "<!-- to here -->";

/** The same for the same rows, under any names in code. */
export function fingerprint(rows: readonly Row[] = CORPUS): string {
  return createHash("sha256").update(JSON.stringify(rows)).digest("hex").slice(0, 16);
}

/** The name of a row in the results. */
export function keyOf({ group, name }: Row): string {
  return `${group}: ${name}`;
}

/** The tables, from the marker that begins them to the one that ends them. */
export function formatTables(results: Results): string {
  return [BEGIN, summary(results), servers(results), pairs(results), others(results), dialogue(), END].join("\n\n");
}

function summary({ fake, fingerprint }: Results): string {
  const rows = rowsByGroup();
  const lines = GROUPS.map((group) => {
    const { ways, wrong } = fake[group] ?? { ways: 0, wrong: 0 };
    return `| ${group} | ${rows.get(group)!.length} | ${ways} | ${wrong} |`;
  });
  return `### Through postprox to a server that looks at every octet

${CORPUS.length} rows, fingerprint \`${fingerprint}\`. A way is a row with its packets cut in one manner, in one mode.

| Group | Rows | Ways played | Wrong |
|---|---|---|---|
${lines.join("\n")}`;
}

function servers({ servers }: Results): string {
  const lines = Object.entries(servers).map(([name, { version, letter, direct, fooled, through, wrong }]) =>
    `| ${letter} | ${name} | ${version} | ${fooled.length} of ${direct} | ${wrong} of ${through} |`
  );
  return `### Real servers

"Fooled" is a server that, without postprox, took a smuggled message, more messages than were sent, or a part for the whole.
Behind postprox the same would be wrong, and so would a message that is lost and a reply out of step.

| | Server | Version | Fooled without postprox | Wrong behind postprox |
|---|---|---|---|---|
${lines.join("\n")}`;
}

/** Rows by what stands before the dot, columns by what stands after it. */
function pairs(results: Results): string {
  const lines = STARTS.map((before) => {
    const cells = ENDS.map((after) => {
      const row = CORPUS.find((one) => nameOfPair(one) === `${before} . ${after}`)!;
      return row.messages.length > 1 ? "end" : lettersOf(results, row);
    });
    return `| ${before} | ${cells.join(" | ")} |`;
  });
  return `### A line start, a dot, a line end

Down: what stands before the dot. Across: what stands behind it. A cell names the servers that take this for the end of data
when no postprox is there; "end" is the true one. Behind postprox no server takes any other cell for it.

| | ${ENDS.join(" | ")} |
|---|${"---|".repeat(ENDS.length)}
${lines.join("\n")}`;
}

/** START . END; undefined for other rows. */
function nameOfPair({ group, name }: Row): string | undefined {
  const pair = name.replace(", the true one", "");
  const [before = "", after = "", ...more] = pair.split(" . ");
  const isPair = group === "end of data" && STARTS.includes(before) && ENDS.includes(after) && more.length === 0;
  return isPair ? pair : undefined;
}

function others(results: Results): string {
  const lines = CORPUS.filter((row) => isContent(row) && nameOfPair(row) === undefined)
    .map((row) => `| ${row.group} | ${escape(row.name)} | ${lettersOf(results, row)} |`);
  return `### Other content

| Group | Row | Fooled without postprox |
|---|---|---|
${lines.join("\n")}`;
}

function dialogue(): string {
  const lines = CORPUS.filter((row) => !isContent(row)).map((row) => {
    const hears = row.hears.map((heard) => typeof heard === "number" ? String(heard) : heard.slice(0, 3));
    const lines = row.lines.slice(row.opening.length).map((line) => `\`${shorten(line)}\``);
    return `| ${row.group} | ${escape(row.name)} | ${tally(hears)}${row.closes ? ", end" : ""} | ${
      tally(lines) || "nothing"
    } |`;
  });
  return `### Commands, extensions, replies

| Group | Row | The client hears | What reaches downstream |
|---|---|---|---|
${lines.join("\n")}`;
}

/** Neighbours that are the same, counted. */
function tally(all: readonly string[]): string {
  const counted: { what: string; times: number }[] = [];
  for (const what of all) {
    const last = counted.at(-1);
    if (last?.what === what) last.times++;
    else counted.push({ what, times: 1 });
  }
  return counted.map(({ what, times }) => times === 1 ? what : `${times} x ${what}`).join(", ");
}

function lettersOf({ servers }: Results, row: Row): string {
  return Object.values(servers).filter(({ fooled }) => fooled.includes(keyOf(row))).map(({ letter }) => letter).join(
    "",
  );
}

function shorten(line: string): string {
  const shown = line.length > 40 ? `${line.slice(0, 30)}...` : line === "" ? " " : line;
  return escape(shown).replaceAll("`", "'");
}

/** Text as it may stand in a table of Markdown. */
function escape(text: string): string {
  const plain = Array.from(text).map((character) => {
    const code = character.charCodeAt(0);
    return code < 0x20 || code > 0x7e ? `\\x${code.toString(16).padStart(2, "0")}` : character;
  });
  return plain.join("").replaceAll("|", "\\|").replaceAll("<", "&lt;");
}

/** How many ways a row has. */
export function waysOf(row: Row, splits: Parameters<typeof cutsOf>[1]): number {
  return cutsOf(row, splits).length;
}
