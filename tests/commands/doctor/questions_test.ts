// Tests of lib/commands/doctor/questions/: what each question says about facts.

import assert from "node:assert/strict";
import { judge } from "../../../lib/commands/doctor/questions/questions.ts";
import { RIGHT, WRONG } from "./cases.ts";
import { factsOf } from "./site.ts";

for (const [name, changes, what, lines] of WRONG) {
  Deno.test(`the doctor finds one thing wrong: ${name}`, async () => {
    const { wrong } = judge(await factsOf(changes));
    assert.deepEqual(wrong.length, 1, JSON.stringify(wrong, undefined, 1));
    assert.match(wrong[0]!.what, what);
    const change = wrong[0]!.change;
    if (lines === undefined) assert.equal(change, undefined);
    else if (typeof lines === "string") assert.deepEqual(change?.lines, [lines]);
    else assert.ok(change);
  });
}

for (const [name, changes, says] of RIGHT) {
  Deno.test(`the doctor finds nothing wrong: ${name}`, async () => {
    const answer = judge(await factsOf(changes));
    assert.deepEqual(answer.wrong, []);
    for (const [part, pattern] of Object.entries(says)) {
      const texts = answer[part as "right" | "unseen" | "advice"].map((one) =>
        typeof one === "string" ? one : one.what
      );
      assert.ok(texts.some((text) => pattern.test(text)), `${part}: ${texts.join("\n")}`);
    }
  });
}
