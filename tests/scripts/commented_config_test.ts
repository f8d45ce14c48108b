// The configuration file of the packages: it is right as it is, and each line that is a comment shows the truth.

import assert from "node:assert/strict";
import { parseConfigFile } from "../../lib/options/config_file.ts";
import { rowsOf } from "../../lib/options/table.ts";
import { parseDownstream } from "../../lib/ports/address.ts";
import { SETTINGS } from "../../lib/settings/settings.ts";
import { commentedConfig, CONFIG_OPTIONS } from "../../scripts/commented_config.ts";

const TEXT = commentedConfig(CONFIG_OPTIONS);
const { config: _, ...TABLE } = SETTINGS;
const parse = (text: string) =>
  parseConfigFile(text, "postprox.conf", {
    table: TABLE,
    others: { "next-hop": { shown: "HOST:PORT", parse: parseDownstream, print: String } },
  });

Deno.test("the packages' configuration file is right as it is, and sets only the spool directory", () => {
  const { settings, others, mistakes } = parse(TEXT);
  assert.deepEqual(mistakes, []);
  assert.deepEqual(settings.map(({ row: { long }, texts }) => [long, ...texts]), [["tempdir", "/var/spool/postprox"]]);
  assert.deepEqual([...others], []);
  for (const line of TEXT.split("\n")) assert.match(line, /^(?:#.*|[a-z-]+ = \S+|)$/);
});

Deno.test("the packages' configuration file has each option once, with its default", () => {
  const shown = TEXT.split("\n").flatMap((line) => /^#?([a-z-]+) = (.*)$/.exec(line)?.slice(1, 3) ?? []);
  const pairs = new Map<string, string>();
  for (let at = 0; at < shown.length; at += 2) {
    assert.ok(!pairs.has(shown[at]!), shown[at]);
    pairs.set(shown[at]!, shown[at + 1]!);
  }
  const rows = rowsOf(SETTINGS).filter(({ long }) => long !== "config" && long !== "foreground");
  assert.deepEqual([...pairs.keys()].sort(), [...rows.map(({ long }) => long), "next-hop"].sort());
  for (const row of rows) {
    const value = pairs.get(row.long)!;
    if (row.long === "tempdir" || row.long === "listen") continue;
    // Either it is the default, or a word that is to be replaced.
    const { settings } = parse(`${row.long} = ${value}`);
    const texts = settings[0]?.texts ?? [];
    const set = texts.reduce((before, text) => row.take(text, before), row.default);
    const isPlaceholder = row.kind !== undefined && value === row.kind.shown;
    assert.ok(isPlaceholder || JSON.stringify(set) === JSON.stringify(row.default), `${row.long} = ${value}`);
    if (isPlaceholder) assert.equal(row.print(row.default).join(""), "", row.long);
  }
});
