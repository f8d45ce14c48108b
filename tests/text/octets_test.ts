// Tests of lib/text/octets.ts: octets to text and back, white space, joining.
//
// The most important promise: a look at hostile octets never throws.

import assert from "node:assert/strict";
import { bytesOf, concat, CR, CRLF, DOT, HT, isSpace, LF, NUL, SP, textOf } from "../../lib/text/octets.ts";
import { octets, SEED, seeded, spelled } from "../rig/octets.ts";

const TEXTS: readonly { octets: string; text: string }[] = [
  // ASCII is what SMTP is made of (RFC 5321 s.2.4); control octets are octets like any other.
  { octets: "", text: "" },
  { octets: "MAIL FROM:<a@b>", text: "MAIL FROM:<a@b>" },
  { octets: "\0\t\r\n\x7f", text: "\0\t\r\n\x7f" },
  // UTF-8 in addresses (RFC 6531 s.3.3): two, three and four octets.
  { octets: "\xc3\xbc", text: "ü" },
  { octets: "\xe2\x82\xac", text: "€" },
  { octets: "\xf0\x9f\x93\xa7", text: "\u{1f4e7}" },
  // A byte order mark is an octet that came like the others, and stays.
  { octets: "\xef\xbb\xbfx", text: "\ufeffx" },
];

const BROKEN: readonly { octets: string; text: string }[] = [
  // Octets that are no UTF-8 become U+FFFD: latin1, a lone tail, a cut sequence, an overlong NUL, a surrogate.
  { octets: "caf\xe9", text: "caf\ufffd" },
  { octets: "\x80", text: "\ufffd" },
  { octets: "\xe2\x82", text: "\ufffd" },
  { octets: "\xc0\x80", text: "\ufffd\ufffd" },
  { octets: "\xed\xa0\x80", text: "\ufffd\ufffd\ufffd" },
];

Deno.test("textOf reads UTF-8 and bytesOf writes the same octets", () => {
  for (const row of TEXTS) {
    assert.equal(textOf(octets(row.octets)), row.text);
    assert.equal(spelled(bytesOf(row.text)), row.octets);
  }
});

Deno.test("textOf replaces octets that are not UTF-8", () => {
  for (const row of BROKEN) assert.equal(textOf(octets(row.octets)), row.text, JSON.stringify(row));
});

Deno.test("textOf reads long input like short", () => {
  // The short way ends at some thousand octets: both sides of it, and far past what a call may have as arguments.
  for (const length of [4095, 4096, 4097, 1_000_000]) {
    assert.equal(textOf(new Uint8Array(length).fill(0x61)), "a".repeat(length));
    assert.equal(textOf(octets("a".repeat(length) + "\xc3\xbc")), "a".repeat(length) + "ü");
  }
});

Deno.test("textOf never throws, for any octets", () => {
  const random = seeded(SEED);
  for (let run = 0; run < 2000; run++) {
    const bytes = Uint8Array.from({ length: Math.floor(random() * 12) }, () => Math.floor(random() * 256));
    assert.doesNotThrow(() => textOf(bytes), `seed ${SEED}, run ${run}: ${JSON.stringify(spelled(bytes))}`);
  }
});

Deno.test("textOf reads a view and not the buffer behind it", () => {
  assert.equal(textOf(octets("xxMAILxx").subarray(2, 6)), "MAIL");
  assert.equal(textOf(octets("xx\xc3\xbcxx").subarray(2, 4)), "ü");
});

Deno.test("isSpace knows C's six characters of white space and no other octet", () => {
  const spaces = Array.from({ length: 256 }, (_, octet) => octet).filter(isSpace);
  assert.deepEqual(spaces, [HT, LF, 0x0b, 0x0c, CR, SP]);
});

Deno.test("the named octets are those of ASCII", () => {
  assert.equal(String.fromCharCode(NUL, HT, LF, CR, SP, DOT), "\0\t\n\r .");
  assert.equal(spelled(CRLF), "\r\n");
});

Deno.test("concat joins its parts in order", () => {
  const rows: readonly string[][] = [[], [""], ["a"], ["a", "bc"], ["", "a", "", "bc", ""], ["\xff", "\0"]];
  for (const parts of rows) assert.equal(spelled(concat(parts.map(octets))), parts.join(""));
});

Deno.test("concat joins views by their content", () => {
  const whole = octets("0123456789");
  assert.equal(spelled(concat([whole.subarray(7, 9), whole.subarray(1, 2)])), "781");
});
