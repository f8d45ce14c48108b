// Checks that each kind of value must pass.

import assert from "node:assert/strict";
import type { Kind } from "../../lib/options/kinds.ts";
import { UsageError } from "../../lib/ports/start_error.ts";

/** `right` has what is read of each text, and read again of what is printed for that. */
export function check<Value>(
  { parse, print }: Pick<Kind<Value>, "parse" | "print">,
  right: readonly (readonly [text: string, value: Value])[],
  wrong: readonly string[],
): void {
  for (const [text, value] of right) {
    assert.deepEqual(parse(text), value, text);
    assert.deepEqual(parse(print(value)), value, `${text} printed as ${print(value)}`);
  }
  for (const text of wrong) assert.throws(() => parse(text), UsageError, `it takes ${JSON.stringify(text)}`);
}
