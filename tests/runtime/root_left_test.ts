// Tests of lib/runtime/shared/root_left.ts: the file status of a thread that has something of root, and of one that has
// nothing.

import assert from "node:assert/strict";
import { rootLeft } from "../../lib/runtime/shared/root_left.ts";

const ACCOUNT = { name: "postprox", uid: 998, gid: 997 };

const STATUS = `Name:\tpostprox
Uid:\t998\t998\t998\t998
Gid:\t997\t997\t997\t997
Groups:\t997 
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t000001ffffffffff
CapAmb:\t0000000000000000
`;

Deno.test("rootLeft finds each id and capability that is not the account's", () => {
  assert.equal(rootLeft(STATUS, ACCOUNT), undefined);
  const rows = [
    ["Uid:\t998\t998\t998\t998", "Uid:\t998\t998\t0\t998", "Uid 998 998 0 998"],
    ["Uid:\t998\t998\t998\t998", "Uid:\t0\t0\t0\t0", "Uid 0 0 0 0"],
    ["Gid:\t997\t997\t997\t997", "Gid:\t997\t997\t997\t0", "Gid 997 997 997 0"],
    ["CapPrm:\t0000000000000000", "CapPrm:\t00000000000000c0", "CapPrm 00000000000000c0"],
    ["CapEff:\t0000000000000000", "CapEff:\t0000000000000400", "CapEff 0000000000000400"],
    ["CapAmb:\t0000000000000000", "CapAmb:\ta000000000000000", "CapAmb a000000000000000"],
  ] as const;
  for (const [right, wrong, left] of rows) {
    assert.ok(STATUS.includes(right));
    assert.equal(rootLeft(STATUS.replace(right, wrong), ACCOUNT), left);
  }
  // A thread that has ended, and a system that tells less.
  assert.equal(rootLeft("", ACCOUNT), undefined);
});
