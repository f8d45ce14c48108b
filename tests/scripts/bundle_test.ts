// The bundle for Deno: its text means the same in ASCII. tests/e2e/compile_test.ts runs a whole one.

import assert from "node:assert/strict";
import { inAscii } from "../../scripts/bundle.ts";

Deno.test("JavaScript in ASCII has the same values", () => {
  for (
    const source of [
      `"a – b · é"`,
      "`${1} – ${2}😀`",
      `"\\\\– \\t"`,
      `/[–😀]/u.exec("x😀").index`,
      `/é+$/.test("né")`,
      `"plain \\0 \x7f"`,
    ]
  ) {
    const ascii = inAscii(source);
    assert.match(ascii, /^[\0-\x7f]*$/);
    assert.deepEqual((0, eval)(ascii), (0, eval)(source), source);
  }
});
