// The short form of `deno task bench`: all groups run, and nothing is written. Its figures say nothing.

import assert from "node:assert/strict";
import { readResults, RESULTS } from "../../scripts/bench/bench.ts";
import { GROUPS } from "../../scripts/bench/groups.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

Deno.test("the benchmarks run in their short form and print a table for each group", async () => {
  const before = JSON.stringify(readResults());
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", `${ROOT}scripts/bench/bench.ts`, "--short"],
    stdin: "null",
  }).output();
  const [text, errors] = [stdout, stderr].map((octets) => new TextDecoder().decode(octets));
  assert.ok(success, `${text}\n${errors}`);
  for (const { title } of GROUPS) {
    const part = text!.slice(text!.indexOf(`## ${title} (`));
    // A machine may lack what a group needs.
    if (!/left out/.test(errors!)) assert.match(part, /^## .*\n\n### .*\n\n\|/, title);
  }
  assert.doesNotMatch(text!, /NaN|undefined|Infinity|Wanted/);
  assert.equal(JSON.stringify(readResults()), before, RESULTS);
});
