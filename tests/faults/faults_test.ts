// Every fault of tests/faults/run.ts, and whether docs/proofs/faults.md still has their outcomes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { DIALOGUES, everyFault, type Outcome, playFault } from "./run.ts";
import { formatTable } from "./table.ts";

Deno.test("each fault is survived: no false 250, nothing lost or left, the right class of reply", async () => {
  const outcomes: Outcome[] = [];
  for (const dialogue of DIALOGUES) {
    for await (const fault of everyFault(dialogue)) outcomes.push(await playFault(dialogue, fault));
  }
  const wrong = outcomes.filter(({ complaints }) => complaints.length > 0);
  const told = wrong.map(({ dialogue, fault, complaints }) =>
    `${dialogue}, ${fault.operation} ${fault.call}, ${fault.kind}: ${complaints.join("; ")}`
  );
  assert.deepEqual(told, []);
  const page = readFileSync(new URL("../../docs/proofs/faults.md", import.meta.url), "utf8");
  assert.equal(page, formatTable(outcomes), "docs/proofs/faults.md is out of date: deno task faults --write");
});
