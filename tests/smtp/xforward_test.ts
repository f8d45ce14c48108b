// Tests of lib/smtp/xforward.ts: the facts in an XFORWARD command, merged with earlier ones (XFORWARD_README).

import assert from "node:assert/strict";
import { type ClientFacts, mergeXforward } from "../../lib/smtp/xforward.ts";

const NOTHING: ClientFacts = {};
const KNOWN: ClientFacts = { name: "old.example.org", address: "192.0.2.1", helo: "old" };

const ROWS: readonly { known?: ClientFacts; text: string; facts: ClientFacts }[] = [
  // Command syntax: attribute-name "=" attribute-value, with white space between, as it stands after the verb.
  {
    text: " NAME=spike.porcupine.org ADDR=168.100.189.2 PROTO=ESMTP",
    facts: { name: "spike.porcupine.org", address: "168.100.189.2", proto: "ESMTP" },
  },
  {
    text: " PORT=25 IDENT=3CF6B2AAE8 SOURCE=REMOTE HELO=spike",
    facts: { port: "25", ident: "3CF6B2AAE8", source: "REMOTE", helo: "spike" },
  },
  { text: "\t HELO=a \t ADDR=192.0.2.7  ", facts: { helo: "a", address: "192.0.2.7" } },
  { text: "HELO=a=b", facts: { helo: "a=b" } },

  // Attribute names are case insensitive; values keep their case.
  { text: " helo=MixedCase Addr=192.0.2.7", facts: { helo: "MixedCase", address: "192.0.2.7" } },

  // Values are xtext (RFC 3461 s.4). Decoded text is not split again.
  { text: " HELO=a+20NAME+3Db IDENT=+2B", facts: { helo: "a NAME=b", ident: "+" } },
  { text: " HELO=m+C3+BCller", facts: { helo: "müller" } },
  // A control character becomes "?", whichever way it came: C0, DEL, C1. Other characters stay, also odd ones.
  { text: " HELO=a+0D+0Ab+00", facts: { helo: "a??b?" } },
  {
    text: " NAME=a+1B[2J+7Fb ADDR=192.0.2.1+0A IDENT=+09",
    facts: { name: "a?[2J?b", address: "192.0.2.1?", ident: "?" },
  },
  { text: " PORT=2+085 PROTO=+01 SOURCE=+1F", facts: { port: "2?5", proto: "?", source: "?" } },
  { text: " HELO=a\x1b[2J\x7fb\x01", facts: { helo: "a?[2J?b?" } },
  { text: " HELO=+C2+85+C2+9B+C2+80x NAME=\u0085\u009b", facts: { helo: "???x", name: "??" } },
  {
    text: " HELO=+C2+A0+E2+80+A8+85 NAME=\u00a0\u2028\ufeff",
    facts: { helo: "\u00a0\u2028\ufffd", name: "\u00a0\u2028\ufeff" },
  },
  { text: " ADDR=IPV6:2001:db8::1+0D", facts: { address: "2001:db8::1?" } },
  { text: " NAME=[UNAVAILABLE]+00", facts: { name: "[UNAVAILABLE]?" } },

  // An IPv6 address has a mark before it, in any case, that is no part of the address. Only ADDR has it.
  { text: " ADDR=IPV6:2001:db8::1", facts: { address: "2001:db8::1" } },
  { text: " ADDR=IPv6:::1", facts: { address: "::1" } },
  { text: " HELO=IPv6:x NAME=IPv6:y", facts: { helo: "IPv6:x", name: "IPv6:y" } },

  // Not known: [UNAVAILABLE] in any case (note 3), what Postfix says for a failed look-up, and nothing at all.
  {
    known: KNOWN,
    text: " NAME=[UNAVAILABLE] ADDR=[unavailable] HELO=[TEMPUNAVAIL]",
    facts: { nameless: "none" },
  },
  // Why there is no name is worth knowing, until there is another word on it.
  { known: KNOWN, text: " NAME=[TempUnavail]", facts: { address: "192.0.2.1", helo: "old", nameless: "failed" } },
  { known: { nameless: "failed" }, text: " ADDR=192.0.2.7", facts: { address: "192.0.2.7", nameless: "failed" } },
  { known: { nameless: "failed" }, text: " NAME=[UNAVAILABLE]", facts: { nameless: "none" } },
  { known: { nameless: "none" }, text: " NAME=[TEMPUNAVAIL]", facts: { nameless: "failed" } },
  { known: { nameless: "failed" }, text: " NAME=mx", facts: { name: "mx" } },
  { known: KNOWN, text: " NAME=+5BUNAVAILABLE+5D", facts: { address: "192.0.2.1", helo: "old", nameless: "none" } },
  { known: KNOWN, text: " HELO=", facts: { name: "old.example.org", address: "192.0.2.1" } },
  // Nearly so is a value.
  { text: " HELO=UNAVAILABLE NAME=x[UNAVAILABLE]", facts: { helo: "UNAVAILABLE", name: "x[UNAVAILABLE]" } },

  // Attributes come in several commands (note 2): the new ones are added, and of two the later one counts.
  { known: KNOWN, text: " PORT=25", facts: { ...KNOWN, port: "25" } },
  { known: KNOWN, text: " HELO=new", facts: { ...KNOWN, helo: "new" } },
  { text: " HELO=one HELO=two", facts: { helo: "two" } },
  { text: " HELO=one HELO=[UNAVAILABLE]", facts: NOTHING },
  { text: " HELO=[UNAVAILABLE] HELO=two", facts: { helo: "two" } },
  { known: KNOWN, text: "", facts: KNOWN },

  // Unknown attributes are left out, and never reach an object's own machinery.
  { known: KNOWN, text: " HELO NAME", facts: KNOWN },
  { known: KNOWN, text: " =x = ==", facts: KNOWN },
  { text: " FOO=1 __proto__=2 constructor=3 toString=4 HELO=a", facts: { helo: "a" } },
  { text: " XHELO=a HELOX=b", facts: NOTHING },
];

Deno.test("mergeXforward adds the facts of one command to earlier ones", () => {
  for (const row of ROWS) {
    const { told: _, ...facts } = mergeXforward(row.known ?? NOTHING, row.text);
    assert.deepEqual(facts, row.facts, JSON.stringify(row.text));
  }
});

Deno.test("mergeXforward knows that something was said, even if nothing is known", () => {
  const rows: readonly [text: string, told: true | undefined][] = [
    [" NAME=mx", true],
    [" NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE]", true],
    [" HELO=", true],
    ["", undefined],
    [" FOO=1", undefined],
    [" NAME", undefined],
  ];
  for (const [text, told] of rows) {
    assert.equal(mergeXforward(NOTHING, text).told, told, text);
    assert.equal(mergeXforward({ told: true }, text).told, true, text);
  }
});

Deno.test("mergeXforward does not change the earlier facts", () => {
  const known = Object.freeze({ ...KNOWN });
  mergeXforward(known, " NAME=[UNAVAILABLE] HELO=new PORT=1");
  assert.deepEqual(known, KNOWN);
});

Deno.test("mergeXforward gives for several commands the same as for one with all attributes", () => {
  const parts = [" NAME=a ADDR=IPv6:::1", " HELO=b NAME=[UNAVAILABLE]", " ADDR=192.0.2.9 PROTO=SMTP"];
  const facts = parts.reduce(mergeXforward, NOTHING);
  assert.deepEqual(facts, { told: true, address: "192.0.2.9", helo: "b", proto: "SMTP", nameless: "none" });
  assert.deepEqual(mergeXforward(NOTHING, parts.join("")), facts);
});
