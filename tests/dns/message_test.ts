// Tests of lib/dns/message.ts: the octets of RFC 1035. No octets can make it hang or throw an unknown error.

import assert from "node:assert/strict";
import { type Answer, formatQuestion, MalformedAnswer, parseAnswer, type Question } from "../../lib/dns/message.ts";

const QUESTION: Question = { id: 0x1234, name: "a.test", type: "A" };

/** Octets out of hexadecimal digits and `"text"`. */
function octets(text: string): Uint8Array {
  const parts = text.match(/"[^"]*"|[0-9a-f]{2}/g) ?? [];
  return Uint8Array.from(
    parts.flatMap((part) =>
      part.startsWith('"')
        ? Array.from(part.slice(1, -1), (character) => character.charCodeAt(0))
        : [parseInt(part, 16)]
    ),
  );
}

const ASKED = '01"a" 04"test" 00 0001 0001';
// To the name that was asked for, which begins after the header.
const SAME = "c00c";

function header({ id = "1234", flags = "8180", questions = "0001", answers = "0001" } = {}): string {
  return `${id} ${flags} ${questions} ${answers} 0000 0000`;
}

function record(type: string, data: string, owner = SAME): string {
  const size = octets(data).length.toString(16).padStart(4, "0");
  return `${owner} ${type} 0001 0000003c ${size} ${data}`;
}

Deno.test("formatQuestion asks one question, with recursion", () => {
  assert.deepEqual(formatQuestion(QUESTION), octets(`1234 0100 0001 0000 0000 0000 ${ASKED}`));
  assert.deepEqual(
    formatQuestion({ id: 0, name: "x", type: "AAAA" }),
    octets('0000 0100 0001 0000 0000 0000 01"x" 00 001c 0001'),
  );
});

const WHOLE = { code: 0, truncated: false, isWhole: true };

const ANSWERS: readonly (readonly [what: string, question: Partial<Question>, octets: string, answer: Answer])[] = [
  ["an address", {}, `${header()} ${ASKED} ${record("0001", "7f000002")}`, { ...WHOLE, records: ["127.0.0.2"] }],
  ["letters in another case", {}, `${header()} 01"A" 04"tEST" 00 0001 0001 ${record("0001", "7f000002")}`, {
    ...WHOLE,
    records: ["127.0.0.2"],
  }],
  [
    "names that point",
    { type: "MX" },
    `${header()} 01"a" 04"test" 00 000f 0001 ${record("000f", '000a 02"mx" c00e')}`,
    {
      ...WHOLE,
      records: ["mx.test"],
    },
  ],
  [
    "a name that points to a pointer",
    { type: "NS" },
    `${header({ answers: "0002" })} 01"a" 04"test" 00 0002 0001
    ${record("0002", "c00e")} ${record("0002", '02"ns" c024')}`,
    { ...WHOLE, records: ["test", "ns.test"] },
  ],
  ["the root", { type: "NS" }, `${header()} 01"a" 04"test" 00 0002 0001 ${record("0002", "00")}`, {
    ...WHOLE,
    records: [""],
  }],
  ["a text without strings", { type: "TXT" }, `${header()} 01"a" 04"test" 00 0010 0001 ${record("0010", "")}`, {
    ...WHOLE,
    records: [""],
  }],
  ["other sections behind", {}, `${header()} ${ASKED} ${record("0001", "7f000002")} ffff`, {
    ...WHOLE,
    records: ["127.0.0.2"],
  }],
  ["no error, no record", {}, `${header({ answers: "0000" })} ${ASKED}`, { ...WHOLE, records: [] }],
  ["NXDOMAIN", {}, `${header({ flags: "8183", answers: "0000" })} ${ASKED}`, {
    code: 3,
    truncated: false,
    records: [],
    isWhole: false,
  }],
  ["truncated in a record", {}, `${header({ flags: "8380" })} ${ASKED} c0`, {
    code: 0,
    truncated: true,
    records: [],
    isWhole: false,
  }],
];

Deno.test("parseAnswer reads an answer to the question", () => {
  for (const [what, question, text, answer] of ANSWERS) {
    assert.deepEqual(parseAnswer(octets(text), { ...QUESTION, ...question }), answer, what);
  }
});

Deno.test("parseAnswer ignores an answer to another question", () => {
  const rows: readonly string[] = [
    // Too short for a header.
    "",
    "1234 8180",
    // Another id, a question, no question, two.
    `${header({ id: "1235" })} ${ASKED} ${record("0001", "7f000002")}`,
    `${header({ flags: "0180" })} ${ASKED} ${record("0001", "7f000002")}`,
    `${header({ questions: "0000" })} ${record("0001", "7f000002", '01"a" 04"test" 00')}`,
    `${header({ questions: "0002" })} ${ASKED} ${ASKED} ${record("0001", "7f000002")}`,
    // Another name, type, class.
    `${header()} 01"b" 04"test" 00 0001 0001 ${record("0001", "7f000002")}`,
    `${header()} 01"a" 04"test" 00 0010 0001 ${record("0001", "7f000002")}`,
    `${header()} 01"a" 04"test" 00 0001 0003 ${record("0001", "7f000002")}`,
  ];
  for (const row of rows) assert.equal(parseAnswer(octets(row), QUESTION), undefined, row);
});

Deno.test("parseAnswer throws MalformedAnswer for an answer that cannot be read", () => {
  const label = `3f"${"x".repeat(63)}"`;
  const rows: readonly string[] = [
    // Cut off: in the question, in a record's head, in its data; an address that is too short.
    `${header()} 01"a" 04"te"`,
    `${header()} ${ASKED} c00c 0001`,
    `${header()} ${ASKED} c00c 0001 0001 0000003c 0004 7f00`,
    `${header()} ${ASKED} ${record("0001", "7f00")}`,
    // More records than there are.
    `${header({ answers: "ffff" })} ${ASKED} ${record("0001", "7f000002")}`,
    // Names that point to themselves, to each other, and beyond the end.
    `${header()} ${ASKED} ${record("0001", "7f000002", "c018")}`,
    `${header()} ${ASKED} ${record("0001", "7f000002", "c01a c018")}`,
    `${header()} ${ASKED} ${record("0001", "7f000002", "ffff")}`,
    // Labels of kinds that nobody uses, names that are too long.
    `${header()} ${ASKED} ${record("0001", "7f000002", '41"a" 00')}`,
    `${header()} ${ASKED} ${record("0001", "7f000002", `${label}${label}${label}${label} 00`)}`,
  ];
  for (const row of rows) assert.throws(() => parseAnswer(octets(row), QUESTION), MalformedAnswer, row);
});

Deno.test("parseAnswer ends with an answer or MalformedAnswer if any octets are changed, added or cut", () => {
  const right = octets(`${header({ answers: "0003" })} 01"a" 04"test" 00 0010 0001
    ${record("0005", '01"b" c00e')} ${record("0010", '03"one" 03"two"', '01"b" c00e')} ${
    record("0010", "00", "c024")
  }`);
  const question: Question = { ...QUESTION, type: "TXT" };
  assert.deepEqual(parseAnswer(right, question)?.records, ["onetwo", ""]);
  let seed = 20_020_417;
  const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
  for (let round = 0; round < 20_000; round++) {
    const wrong = right.slice(0, random(8) === 0 ? random(right.length) : right.length);
    for (let changes = random(4); changes > 0; changes--) wrong[random(wrong.length || 1)] = random(256);
    try {
      parseAnswer(wrong, question);
    } catch (error) {
      if (!(error instanceof MalformedAnswer)) throw error;
    }
  }
});

Deno.test("parseAnswer is quick with pointers to pointers", () => {
  const chain = Array.from({ length: 8000 }, (_, at) => (0xc000 | (at === 0 ? 12 : 24 + (at - 1) * 2)).toString(16));
  const answer = octets(`${header({ answers: "0000" })} ${ASKED} ${chain.join(" ")}`);
  answer[7] = 1;
  assert.throws(() => parseAnswer(answer, QUESTION), MalformedAnswer);
});

Deno.test("parseAnswer reads a hundred records, so that pointers to one long name do not grow without bound", () => {
  const name = `${`3f"${"\0".repeat(63)}"`.repeat(3)} 32"${"\0".repeat(50)}" 00`;
  const count = 4000;
  const answer = octets(`${header({ answers: count.toString(16).padStart(4, "0") })} 01"a" 04"test" 00 000f 0001
    ${record("000f", `000a ${name}`)} ${record("000f", "000a c026").repeat(count - 1)}`);
  const { records, isWhole } = parseAnswer(answer, { ...QUESTION, type: "MX" })!;
  assert.equal(records.length, 100);
  assert.equal(records[99], records[0]);
  assert.equal(isWhole, false);
});
