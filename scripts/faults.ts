// Makes every operation fail once, and prints the outcomes: `deno task faults`. With `--write` it writes
// docs/proofs/faults.md.
//
// The exit status is 1 if a fault breaks a rule.

import { writeFileSync } from "node:fs";
import { DIALOGUES, everyFault, type Outcome, playFault } from "../tests/faults/run.ts";
import { formatTable } from "../tests/faults/table.ts";

const outcomes: Outcome[] = [];
for (const dialogue of DIALOGUES) {
  for await (const fault of everyFault(dialogue)) outcomes.push(await playFault(dialogue, fault));
}
const page = formatTable(outcomes);
console.log(page);
const wrong = outcomes.filter(({ complaints }) => complaints.length > 0);
for (const { dialogue, fault, place, complaints } of wrong) {
  const which = `call ${fault.call} of ${fault.operation}, ${fault.kind}, ${dialogue}, ${place}`;
  for (const complaint of complaints) console.log(`BROKEN: ${which}: ${complaint}`);
}
if (wrong.length > 0) Deno.exitCode = 1;
console.log(`${outcomes.length} faults, ${wrong.length} broken rules`);
if (Deno.args.includes("--write")) writeFileSync(new URL("../docs/proofs/faults.md", import.meta.url), page);
