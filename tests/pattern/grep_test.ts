// Compares the expressions with GNU grep, a batch of each kind (grep.ts). POSTPROX_TEST_SEED chooses other ones.

import { SEED } from "../rig/octets.ts";
import { BATCHES, compareWithGrep } from "./grep.ts";

for (const batch of BATCHES) {
  const { syntax, kind, size } = batch;
  Deno.test(`PatternSet and grep -i agree on ${syntax} ${kind}, ${size} in a file`, () => compareWithGrep(batch, SEED));
}
