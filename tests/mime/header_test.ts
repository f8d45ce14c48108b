// Tests of lib/mime/header.ts: what a field is, where each change goes, and that octets may be cut anywhere.

import assert from "node:assert/strict";
import {
  FieldCounter,
  formatField,
  type HeaderChange,
  type HeaderEdit,
  HeaderEditor,
  type HeaderPiece,
  HeaderScanner,
  headerSteps,
} from "../../lib/mime/header.ts";
import { bytesOf, concat, textOf } from "../../lib/text/octets.ts";

const add = (name: string, at?: number): HeaderChange => ({
  do: "add",
  name,
  value: "v",
  ...at === undefined ? {} : { at },
});
const remove = (name: string, which?: number): HeaderChange => ({
  do: "remove",
  name,
  ...which === undefined ? {} : { which },
});

const STEPS = [1, 2, 3, 7, Infinity];

function* cut(text: string, step: number): Generator<Uint8Array> {
  const octets = bytesOf(text);
  for (let at = 0; at < octets.length; at += step) yield octets.slice(at, Math.min(octets.length, at + step));
}

function pieces(text: string, step: number): HeaderPiece[] {
  const scanner = new HeaderScanner();
  return [...[...cut(text, step)].flatMap((chunk) => scanner.push(chunk)), ...scanner.end()];
}

/** The fields with their names, and the body. */
function parted(text: string, step: number): { fields: (readonly [name: string, text: string])[]; body: string } {
  const fields: [string, string][] = [];
  const body: Uint8Array[] = [];
  for (const piece of pieces(text, step)) {
    const octets = textOf(piece.octets);
    if (piece.kind === "field") fields.push([piece.name, octets]);
    else if (piece.kind === "others") assert.fail("all names are of interest");
    else if (piece.kind === "more") fields.at(-1)![1] += octets;
    else body.push(piece.octets);
  }
  return { fields, body: textOf(concat(body)) };
}

const SCANNED: readonly [message: string, fields: (readonly [name: string, text: string])[], body: string][] = [
  ["", [], ""],
  ["A: b\n\nC: d\n", [["a", "A: b\n"]], "\nC: d\n"],
  ["A: b\nC:\n\td\n e\nF: g\n\nbody", [["a", "A: b\n"], ["c", "C:\n\td\n e\n"], ["f", "F: g\n"]], "\nbody"],
  ["A \t: b\n\n", [["a", "A \t: b\n"]], "\n"],
  // A line of blanks goes on with the field.
  ["A: b\n \t\nC: d\n\n", [["a", "A: b\n \t\n"], ["c", "C: d\n"]], "\n"],
  // No empty line, no line end.
  ["A: b", [["a", "A: b"]], ""],
  ["A: b\nC: d\n", [["a", "A: b\n"], ["c", "C: d\n"]], ""],
  ["A: b\ntext\nC: d\n", [["a", "A: b\n"]], "text\nC: d\n"],
  ["A: b\ntext", [["a", "A: b\n"]], "text"],
  ["text\nC: d\n", [], "text\nC: d\n"],
  ["\nC: d\n", [], "\nC: d\n"],
  [" A: b\n\n", [], " A: b\n\n"],
  [": b\n\n", [], ": b\n\n"],
  // CR LF, and more CR than that.
  ["A: b\r\n\r\nC: d\r\n", [["a", "A: b\r\n"]], "\r\nC: d\r\n"],
  ["A: b\n\r\r\nC: d\n", [["a", "A: b\n"]], "\r\r\nC: d\n"],
  ["A: b\n\rC: d\n", [["a", "A: b\n"]], "\rC: d\n"],
  ["A: b\n\r", [["a", "A: b\n"]], "\r"],
  // Octets that no name has.
  ["A\0: b\nC: d\n", [], "A\0: b\nC: d\n"],
  ["Ä: b\nC: d\n", [], "Ä: b\nC: d\n"],
  ["A b: c\n", [], "A b: c\n"],
  ["From x Mon\nA: b\n", [], "From x Mon\nA: b\n"],
];

Deno.test("HeaderScanner tells fields and body apart, in any pieces", () => {
  for (const [message, fields, body] of SCANNED) {
    for (const step of STEPS) {
      assert.deepEqual(parted(message, step), { fields, body }, JSON.stringify([message, step]));
    }
  }
});

Deno.test("HeaderScanner joins the fields that are of no interest, and counts them", () => {
  for (const [message, fields, body] of SCANNED) {
    for (const step of STEPS) {
      for (const names of [[], ["c"], ["a", "f", "postprox"]]) {
        const scanner = new HeaderScanner();
        scanner.lookFor(new Set(names));
        const pieces = [...[...cut(message, step)].flatMap((chunk) => scanner.push(chunk)), ...scanner.end()];
        const name = JSON.stringify([message, names, step]);
        const found = pieces.flatMap((piece) => piece.kind === "field" ? [piece.name] : []);
        assert.deepEqual(found, fields.map(([name]) => name).filter((name) => names.includes(name)), name);
        const others = pieces.reduce((sum, piece) => sum + (piece.kind === "others" ? piece.count : 0), 0);
        assert.equal(others, fields.length - found.length, name);
        const whole = fields.map(([, text]) => text).join("") + body;
        assert.equal(textOf(concat(pieces.map(({ octets }) => octets))), whole, name);
      }
    }
  }
});

Deno.test("HeaderScanner has a bound for a name, and none for a field", () => {
  const long = `A: ${"x".repeat(1_000_000)}\n`;
  assert.deepEqual(parted(`${long}B: c\n\n`, 65_536).fields, [["a", long], ["b", "B: c\n"]]);
  const endless = "x".repeat(200_000);
  const [piece, ...more] = pieces(`${endless}: y\n`, 4096);
  assert.ok(piece?.kind === "body" && piece.octets.length < 80_000);
  assert.equal(textOf(concat([piece, ...more].map(({ octets }) => octets))), `${endless}: y\n`);
});

function edited(message: string, { whole, changes = [] }: HeaderEdit, step = Infinity): string {
  const counter = new FieldCounter(changes);
  const scanner = new HeaderScanner();
  scanner.lookFor(counter.names);
  for (const chunk of whole ? [whole] : cut(message, step)) counter.push(scanner.push(chunk));
  const editor = new HeaderEditor({ whole, steps: headerSteps(changes, counter.counts) });
  const parts = [...cut(message, step)].flatMap((chunk) => editor.push(chunk).map((part) => part.slice()));
  return textOf(concat([...parts, ...editor.end()]));
}

const HEADER = "A: 1\nB: 2\nA: 3\n";

const EDITED: readonly [changes: readonly HeaderChange[], header: string][] = [
  [[], HEADER],
  // At the end, at the top, between, from the end.
  [[add("X")], `${HEADER}X: v\n`],
  [[add("X", 0)], `X: v\n${HEADER}`],
  [[add("X", 1)], "A: 1\nX: v\nB: 2\nA: 3\n"],
  [[add("X", 3)], `${HEADER}X: v\n`],
  [[add("X", 99)], `${HEADER}X: v\n`],
  [[add("X", -1)], `${HEADER}X: v\n`],
  [[add("X", -2)], "A: 1\nB: 2\nX: v\nA: 3\n"],
  [[add("X", -4)], `X: v\n${HEADER}`],
  [[add("X", -99)], `X: v\n${HEADER}`],
  // Each sees what those before it have left.
  [[add("X", 0), add("Y", 0)], `Y: v\nX: v\n${HEADER}`],
  [[add("X", 0), add("Y", 1)], `X: v\nY: v\n${HEADER}`],
  [[add("X"), add("Y")], `${HEADER}X: v\nY: v\n`],
  [[add("X"), add("Y", -2)], `${HEADER}Y: v\nX: v\n`],
  [[add("X", 2), add("Y", 2)], "A: 1\nB: 2\nY: v\nX: v\nA: 3\n"],
  [[remove("A", 1), add("X", 1)], "B: 2\nX: v\nA: 3\n"],
  [[remove("A"), add("X", 2)], "B: 2\nX: v\n"],
  [[add("X", 0), remove("x")], HEADER],
  [[add("X"), remove("X", -1), add("X", 0)], `X: v\n${HEADER}`],
  [[add("B", 0), remove("B", 2)], "B: v\nA: 1\nA: 3\n"],
  [[add("B", 0), remove("B", -2)], HEADER],
  // All, the first, the last, none.
  [[remove("A")], "B: 2\n"],
  [[remove("a", 0)], "B: 2\n"],
  [[remove("A", 1)], "B: 2\nA: 3\n"],
  [[remove("A", 2)], "A: 1\nB: 2\n"],
  [[remove("A", -1)], "A: 1\nB: 2\n"],
  [[remove("A", -2)], "B: 2\nA: 3\n"],
  [[remove("A", 1), remove("A", 1)], "B: 2\n"],
  [[remove("A", 3)], HEADER],
  [[remove("A", -3)], HEADER],
  [[remove("X")], HEADER],
  [[remove("A"), remove("B")], ""],
  [[remove("A"), remove("B"), add("X", 5)], "X: v\n"],
  // No name: nothing.
  [[{ do: "add", name: "X: y\nZ", value: "v" }, { do: "add", name: "", value: "v" }], HEADER],
];

Deno.test("HeaderEditor puts each change where it belongs, in any pieces", () => {
  for (const [changes, header] of EDITED) {
    for (const step of STEPS) {
      for (const body of ["", "\n", "\nX: y\nA: b\n"]) {
        assert.equal(edited(HEADER + body, { changes }, step), header + body, JSON.stringify([changes, step, body]));
      }
    }
  }
});

const ODD: readonly [message: string, edit: HeaderEdit, result: string][] = [
  // A body that nothing parts from the header gets an empty line, or our field would be in it for some.
  ["A: 1\ntext\n", { changes: [add("X")] }, "A: 1\nX: v\n\ntext\n"],
  ["text\n", { changes: [add("X", 0)] }, "X: v\n\ntext\n"],
  [" text\n", { changes: [add("X", 0)] }, "X: v\n\n text\n"],
  ["text", { changes: [add("X", 0)] }, "X: v\n\ntext"],
  ["A: 1\ntext\n", { changes: [remove("A")] }, "text\n"],
  ["", { changes: [add("X")] }, "X: v\n"],
  ["\n", { changes: [add("X")] }, "X: v\n\n"],
  ["A: 1", { changes: [add("X")] }, "A: 1\nX: v\n"],
  ["A: 1", { changes: [add("X", 0)] }, "X: v\nA: 1"],
  ["A: 1\n\n\ntext", { changes: [add("X", 0)] }, "X: v\nA: 1\n\n\ntext"],
  ["A: 1\r\n\r\ntext", { changes: [add("X")] }, "A: 1\r\nX: v\n\r\ntext"],
  // Folded fields are one.
  ["A: 1\n 2\n\t3\nB: 4\n\n", { changes: [remove("A")] }, "B: 4\n\n"],
  ["A: 1\n 2\nB: 4\n\n", { changes: [add("X", 1)] }, "A: 1\n 2\nX: v\nB: 4\n\n"],
  // A new header, and changes to it.
  ["A: 1\n\ntext\n", { whole: bytesOf("N: 1\nO: 2\n") }, "N: 1\nO: 2\n\ntext\n"],
  ["A: 1\n\ntext\n", { whole: bytesOf("N: 1\nO: 2") }, "N: 1\nO: 2\n\ntext\n"],
  ["A: 1\n\ntext\n", { whole: bytesOf("N: 1\n\nO: 2\n") }, "N: 1\n\ntext\n"],
  ["A: 1\ntext\n", { whole: bytesOf("N: 1\n") }, "N: 1\n\ntext\n"],
  ["A: 1", { whole: bytesOf("N: 1\n") }, "N: 1\n"],
  ["\ntext\n", { whole: bytesOf("") }, "\ntext\n"],
  [
    "A: 1\nA: 2\n\ntext\n",
    { whole: bytesOf("A: 3\nN: 1\n"), changes: [remove("A"), add("X", 1)] },
    "N: 1\nX: v\n\ntext\n",
  ],
];

Deno.test("HeaderEditor: odd headers, and a whole new one", () => {
  for (const [message, edit, result] of ODD) {
    for (const step of STEPS) assert.equal(edited(message, edit, step), result, JSON.stringify([message, step]));
  }
});

Deno.test("headerSteps leaves out changes without effect", () => {
  const counter = new FieldCounter([remove("A"), remove("X")]);
  counter.push(pieces(HEADER, Infinity));
  assert.deepEqual(headerSteps([remove("X"), remove("A", 3), remove("A", -3)], counter.counts), []);
});

Deno.test("formatField: a value ends neither its field nor the header", () => {
  const rows: readonly [value: string, field: string][] = [
    ["plain", "X: plain\n"],
    ["", "X: \n"],
    ["a\r\n\tb\n c", "X: a\n\tb\n c\n"],
    ["a\nEvil: b", "X: a\n\tEvil: b\n"],
    ["a\n\nbody", "X: a\n\tbody\n"],
    ["a\n \n\t\nb", "X: a\n\tb\n"],
    ["a\rEvil: b", "X: a\n\tEvil: b\n"],
    ["a\0b\x7fc  ", "X: a b c\n"],
    ["Größe", "X: Größe\n"],
  ];
  for (const [value, field] of rows) assert.equal(textOf(formatField("X", value)), field, JSON.stringify(value));
});

Deno.test("HeaderEditor gives fields that stay beside each other in one piece", () => {
  const header = "X-Spam: a\nB: 1\n".repeat(1000);
  const counter = new FieldCounter([remove("X-Spam", 1), add("Y", 3)]);
  counter.push(pieces(header, Infinity));
  const editor = new HeaderEditor({ steps: headerSteps([remove("X-Spam", 1), add("Y", 3)], counter.counts) });
  const parts = editor.push(bytesOf(header));
  assert.equal(parts.length, 3);
  assert.equal(textOf(concat(parts)), header.slice(10).replace(/^((?:.*\n){3})/, "$1Y: v\n"));
});
