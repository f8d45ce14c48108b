// Tests of lib/restrictions/rules/lists.ts: no DNS list of a rules file is overlooked.

import assert from "node:assert/strict";
import { parseRules } from "../../../lib/restrictions/rules/file.ts";
import { listsOf } from "../../../lib/restrictions/rules/lists.ts";

Deno.test("listsOf finds the lists of all fields, exceptions and name servers", () => {
  const rules = parseRules(`# RBL.comment.test
allow:ALL 192.0.2.1 KNOWN /x/ NS=a.example:a@b.example <> NS=KNOWN /x/:ALL
noto:RBL.one.test EXCEPT RBL.Two.test. EXCEPT RBL.three.test=127.0.0.3:RHS.four.test:a@RHS.five.test
noto:NS=RBL.six.test:NS=RBL.seven.test:*@NS=RBL.eight.test EXCEPT RHS.nine.test
`);
  const found = listsOf(rules).map(({ kind, zone, addresses }) => `${kind} ${zone} ${addresses ? "some" : "all"}`);
  assert.deepEqual(found.sort(), [
    "address eight.test all",
    "address one.test all",
    "address seven.test all",
    "address six.test all",
    "address three.test some",
    "address two.test all",
    "domain five.test all",
    "domain four.test all",
    "domain nine.test all",
  ]);
});
