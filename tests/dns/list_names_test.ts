// Tests of lib/dns/list_names.ts: a zone with a name never stays in a text.

import assert from "node:assert/strict";
import { withListNames } from "../../lib/dns/list_names.ts";

Deno.test("withListNames replaces zones by their names in any place and any case", () => {
  const names = new Map([
    ["key.bl.test", "our list"],
    ["key.bl.test.example", "$& another"],
    ["bl.test", "bl.test"],
  ]);
  const rows: readonly (readonly [text: string, expected: string])[] = [
    ["", ""],
    ["nothing", "nothing"],
    ["key.bl.test", "our list"],
    ["see https://KEY.bl.Test/?1.2.0.192.key.bl.test.", "see https://our list/?1.2.0.192.our list."],
    ["key.bl.test.example", "$& another"],
    ["xkey.bl.test", "xour list"],
    ["keyxblxtest", "keyxblxtest"],
    // The name itself is not looked at again.
    ["www.bl.test", "www.bl.test"],
  ];
  for (const [text, expected] of rows) assert.equal(withListNames(text, names), expected, text);
  assert.equal(withListNames("key.bl.test", new Map()), "key.bl.test");
});
