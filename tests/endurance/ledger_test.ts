// The short form of `deno task ledger`: every fault in every set-up, a few messages each. Needs root and Postfix.

import { strict as assert } from "node:assert";
import { isKept, runLedger } from "./ledger.ts";
import { stagesOf } from "./ledger_stages.ts";

Deno.test("ledger: an accepted message is delivered once, any other at most with an explanation", async () => {
  const cases: string[] = [];
  const ledger = await runLedger({
    seed: 1,
    stages: stagesOf(0.02, 5),
    onUnexplained: (text) => cases.push(text),
  });
  assert.deepEqual(ledger.complaints, []);
  assert.ok(isKept(ledger), `${JSON.stringify(ledger.rows.filter(({ hung }) => hung > 0))}\n${cases.join("\n")}`);
  const sum = (count: "accepted" | "refused" | "unanswered") => ledger.rows.reduce((all, row) => all + row[count], 0);
  for (const end of ["accepted", "refused", "unanswered"] as const) assert.ok(sum(end) > 20, `${sum(end)} were ${end}`);
});
