// Tests of lib/checks/rspamd/json_sieve.ts: whole, one octet at a time, and against JSON.parse on random objects.

import assert from "node:assert/strict";
import { JsonSieve } from "../../../lib/checks/rspamd/json_sieve.ts";
import { bytesOf, textOf } from "../../../lib/text/octets.ts";

const LIMITS = { action: 20, milter: 40, score: 10 };

interface Row {
  readonly text: string;
  /** The kept members; undefined: it is no object. */
  readonly kept?: unknown;
  readonly tooLong?: readonly string[];
}

const ROWS: readonly Row[] = [
  { text: "{}", kept: {} },
  { text: " \r\n\t{ }\n", kept: {} },
  { text: '{"action":"no action","urls":["a","b"],"score":1.5}', kept: { action: "no action", score: 1.5 } },
  { text: '{ "score" : -1e2 , "x" : null }', kept: { score: -100 } },
  // Characters inside a string or brackets that look like the end of a value.
  { text: '{"x":"}],\\"{","action":"a\\"b,}"}', kept: { action: 'a"b,}' } },
  { text: '{"x":{"action":"inner","y":[{"score":1}]},"action":"outer"}', kept: { action: "outer" } },
  { text: '{"milter":{"add_headers":{"X-A":"}"}}}', kept: { milter: { add_headers: { "X-A": "}" } } } },
  { text: '{"x":"\\\\","action":"\\\\"}', kept: { action: "\\" } },
  // The last one of two counts, as with JSON.parse.
  { text: '{"action":"a","action":"b"}', kept: { action: "b" } },
  { text: '{"action":"ä€😀"}', kept: { action: "ä€😀" } },
  // Too long: nothing is kept of it. A name that only begins like a wanted one is another one.
  { text: `{"action":"${"x".repeat(18)}","score":1}`, kept: { action: "x".repeat(18), score: 1 } },
  { text: `{"action":"${"x".repeat(19)}","score":1}`, kept: { score: 1 }, tooLong: ["action"] },
  { text: `{"action":"a","action":"${"x".repeat(99)}"}`, kept: {}, tooLong: ["action"] },
  { text: `{"${"x".repeat(9999)}":1,"actionaction":2,"score":3}`, kept: { score: 3 } },

  // No object, or none that is whole.
  { text: "" },
  { text: "[]" },
  { text: "null" },
  { text: '"action"' },
  { text: "no json" },
  { text: "{" },
  { text: '{"action":"no action"' },
  { text: '{"action":"no action' },
  { text: '{"action"}' },
  { text: '{"action" "x"}' },
  { text: '{"acti\\u006fn":"x"}' },
  { text: '{"action":[}' },
  { text: '{"action":]}' },
  { text: "{action:1}" },
  { text: "{}{}" },
  { text: "{}x" },
];

for (const { name, cut } of [{ name: "whole", cut: Infinity }, { name: "one octet at a time", cut: 1 }]) {
  Deno.test(`a sieve for JSON, ${name}`, () => {
    for (const { text, kept, tooLong = [] } of ROWS) {
      const sieve = sift(bytesOf(text), cut);
      const end = sieve.end();
      assert.deepEqual(end && JSON.parse(textOf(end)), kept, text);
      assert.deepEqual([...sieve.tooLong], tooLong, text);
    }
  });
}

Deno.test("a sieve keeps of random objects what JSON.parse finds in them", () => {
  const seed = Number(Deno.env.get("POSTPROX_TEST_SEED") ?? 1);
  const random = generator(seed);
  for (let round = 0; round < 2000; round++) {
    const object: Record<string, unknown> = {};
    for (let n = random(6); n > 0; n--) {
      object[["action", "score", "milter", "x", 'o"\n'][random(5)]!] = value(random, 3);
    }
    const text = JSON.stringify(object, null, [0, 1, "\t"][random(3)] as number);
    // rspamd writes no name with an escape at the top.
    if (text.includes('"o\\"')) continue;
    const sieve = new JsonSieve({ action: 1e6, score: 1e6, milter: 1e6 });
    const octets = bytesOf(text);
    for (let at = 0; at < octets.length;) {
      const next = at + 1 + random(9);
      sieve.push(octets.subarray(at, next));
      at = next;
    }
    const { x: _, ...wanted } = object;
    assert.deepEqual(JSON.parse(textOf(sieve.end()!)), wanted, `seed ${seed}: ${text}`);
  }
});

Deno.test("a sieve keeps nothing of what is not wanted", () => {
  const sieve = new JsonSieve(LIMITS);
  sieve.push(bytesOf('{"urls":["'));
  const piece = new Uint8Array(65_536).fill(0x75);
  for (let count = 0; count < 500; count++) sieve.push(piece);
  sieve.push(bytesOf('"],"action":"reject"}'));
  assert.equal(textOf(sieve.end()!), '{"action":"reject"}');
});

function sift(octets: Uint8Array, cut: number): JsonSieve {
  const sieve = new JsonSieve(LIMITS);
  for (let at = 0; at < octets.length; at += cut) sieve.push(octets.subarray(at, at + cut));
  return sieve;
}

function value(random: (below: number) => number, depth: number): unknown {
  switch (random(depth > 0 ? 6 : 4)) {
    case 0:
      return random(1000) / 8 - 50;
    case 1:
      return ["", '"', "\\", "}{][,:", "ä\u2028😀", "\n\0\x1f"][random(6)];
    case 2:
      return [true, false, null][random(3)];
    case 3:
      return "action";
    case 4:
      return Array.from({ length: random(4) }, () => value(random, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random(4) }, () => [["action", "}", '"'][random(3)]!, value(random, depth - 1)]),
      );
  }
}

function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}
