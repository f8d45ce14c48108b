// Tests of lib/text/domain.ts: which texts are names for DNS, and in which form.

import assert from "node:assert/strict";
import { dnsName } from "../../lib/text/domain.ts";

const RIGHT: readonly (readonly [text: string, name: string])[] = [
  ["example.org", "example.org"],
  ["localhost", "localhost"],
  ["Example.ORG.", "example.org"],
  ["_dmarc.ex_ample.org", "_dmarc.ex_ample.org"],
  ["1.2.3.4", "1.2.3.4"],
  ["a-b.c--d", "a-b.c--d"],
  ["x".repeat(63), "x".repeat(63)],
  [`${"a.".repeat(126)}b`, `${"a.".repeat(126)}b`],
  // RFC 5890.
  ["bücher.example", "xn--bcher-kva.example"],
  ["BÜCHER.example", "xn--bcher-kva.example"],
  ["例え.テスト", "xn--r8jz45g.xn--zckzah"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
];

const WRONG: readonly string[] = [
  "",
  ".",
  "..",
  ".example.org",
  "example..org",
  "example.org..",
  "-a.example",
  "a-.example",
  "x".repeat(64),
  `${"a.".repeat(127)}b`,
  "a b",
  "a\0b",
  "a\nb",
  "a/b",
  "a@b",
  "a:b",
  "a%41",
  "[192.0.2.1]",
  "*.example",
  "ü/b.example",
  "ü@b.example",
  "ü:80.example",
  "ü?.example",
  "ü b.example",
  `${"ü".repeat(64)}.example`,
];

Deno.test("dnsName makes the form of a name that DNS uses", () => {
  for (const [text, name] of RIGHT) assert.equal(dnsName(text), name, text);
});

Deno.test("dnsName refuses what DNS cannot hold", () => {
  for (const text of WRONG) assert.equal(dnsName(text), undefined, JSON.stringify(text));
});
