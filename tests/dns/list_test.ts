// Tests of lib/dns/list.ts: what can be the zone of a DNS list.

import assert from "node:assert/strict";
import { parseZone } from "../../lib/dns/list.ts";

Deno.test("parseZone", () => {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["Bl.Example.ORG.", "bl.example.org"],
    ["x", "x"],
    ["b\u00fccher.example", "xn--bcher-kva.example"],
    ["", undefined],
    ["a..b", undefined],
    ["-a.example", undefined],
    ["*.example", undefined],
    ["127.0.0.2", undefined],
  ];
  for (const [text, zone] of rows) assert.equal(parseZone(text), zone, text);
});
