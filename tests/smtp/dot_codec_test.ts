// Tests of lib/smtp/dot_codec.ts: what ends a message, and what may never look like an end.
//
// There are three kinds: tables of rules; the slow codec of dot_reference.ts as judge of every short input and of
// random longer ones, over letter, dot, CR, LF and NUL; and the room that chunks need. Octets are cut in every way that
// packets may be.

import assert from "node:assert/strict";
import {
  decodable,
  decodedRoom,
  DotDecoder,
  DotEncoder,
  encodedRoom,
  type LineEnds,
} from "../../lib/smtp/dot_codec.ts";
import { fooled, guarded, READERS, slowDecode, slowEncode } from "./dot_reference.ts";
import { everyCut, everyText, octets, randomCut, randomText, SEED, seeded, spelled } from "../rig/octets.ts";

const LETTERS = "a.\r\n\0";
const END = "\r\n.\r\n";
const LINE_ENDS: readonly LineEnds[] = ["lf", "lf-or-crlf"];

// Random inputs are made of these, so that line ends and lone dots are not as rare as five dice would have them.
const PIECES = [
  "a",
  "aa",
  "abcdefghi",
  ".",
  "..",
  "\r",
  "\n",
  "\0",
  "\r\n",
  "\n.",
  "\r.",
  "\0.",
  ".\r",
  ".\n",
  "\r\n.\r",
]
  .concat(["\x0e\x7f\x80\x8a\x8d\xff", "\x01\t\v\f"]);

/** Runs one step of a codec over `chunk`, both arrays being views that have other octets around them. */
function step(chunk: string, room: number, codec: (from: Uint8Array, out: Uint8Array) => number): string {
  const from = octets(`\r\n.${chunk}\r\n.\r\n`).subarray(3, 3 + chunk.length);
  const around = new Uint8Array(room + 12).fill(0x23);
  const written = codec(from, around.subarray(1, 1 + room));
  assert.ok(written <= room, `${written} octets in the room for ${chunk.length}`);
  assert.equal(spelled(around.subarray(0, 1)) + spelled(around.subarray(1 + room)), "#".repeat(12));
  return spelled(around.subarray(1, 1 + written));
}

/** Decodes `chunks`. It stops at the end of data, as the decoder's callers do. */
function decode(chunks: readonly string[]) {
  const decoder = new DotDecoder();
  let spool = "";
  let used = 0;
  for (const chunk of chunks) {
    spool += step(chunk, decodedRoom(chunk.length), (from, out) => decoder.decode(from, out));
    used += decoder.consumed;
    if (decoder.done) break;
    assert.equal(decoder.consumed, chunk.length);
  }
  const { done, size, bareNewline, crLines } = decoder;
  return { spool, done, size, bareNewline, crLines, rest: chunks.join("").slice(used) };
}

/** Encodes `chunks`, with the end of data. */
function encode(chunks: readonly string[], lineEnds: LineEnds): string {
  const encoder = new DotEncoder(lineEnds);
  let wire = "";
  for (const chunk of chunks) {
    wire += step(chunk, encodedRoom(chunk.length), (from, out) => encoder.encode(from, out));
  }
  return wire + spelled(encoder.end());
}

const DECODED: readonly { wire: string; spool: string; size?: number; bare?: boolean }[] = [
  // RFC 5321 s.4.1.1.4: an empty message; one line; an empty line; the line end before the dot is the message's own.
  { wire: ".\r\n", spool: "", size: 0 },
  { wire: "a\r\n.\r\n", spool: "a\n", size: 3 },
  { wire: "\r\n.\r\n", spool: "\n", size: 2 },
  { wire: "a\r\n\r\nb\r\n\r\n.\r\n", spool: "a\n\nb\n\n", size: 10 },
  { wire: "caf\xe9 \xc3\xbc\xff\r\n.\r\n", spool: "caf\xe9 \xc3\xbc\xff\n" },

  // s.4.5.2: a leading dot is taken off where more follows on the line, only that one. RFC 1870 s.5: no part of the size.
  { wire: "..\r\n.\r\n", spool: ".\n", size: 3 },
  { wire: "..a\r\n...\r\n.\r\n", spool: ".a\n..\n", size: 8 },
  { wire: ".a\r\n.\r\n", spool: "a\n", size: 3 },
  { wire: "a.\r\n.\r\n", spool: "a.\n", size: 4 },
  { wire: "a\r\n..\r\nb\r\n.\r\n", spool: "a\n.\nb\n", size: 9 },
  { wire: ". \r\n.\r\n", spool: " \n", size: 3 },

  // CONTRACT, bare LF: a line end. The dot after it stays and is doubled later, and it ends nothing.
  { wire: "a\nb\r\n.\r\n", spool: "a\nb\n", size: 5, bare: true },
  { wire: "a\n.\nb\r\n.\r\n", spool: "a\n.\nb\n", bare: true },
  { wire: "a\n.\r\nb\r\n.\r\n", spool: "a\n.\nb\n", bare: true },
  { wire: "a\n..\r\n.\r\n", spool: "a\n..\n", bare: true },
  { wire: "a\r\n.\nb\r\n.\r\n", spool: "a\n\nb\n", bare: true },
  { wire: "\n.\r\n.\r\n", spool: "\n.\n", bare: true },
  { wire: ".\n.\r\n.\r\n", spool: "\n.\n", bare: true },
  { wire: "\n\r\n.\r\n", spool: "\n\n", bare: true },

  // CONTRACT, bare CR: text. A dot that it makes look alone gets a second one after it.
  { wire: "a\rb\r\n.\r\n", spool: "a\rb\n", size: 5, bare: true },
  { wire: "a\r\r\n.\r\n", spool: "a\r\n", size: 4, bare: true },
  { wire: "a\r.\rb\r\n.\r\n", spool: "a\r..\rb\n", size: 7, bare: true },
  { wire: "a\r.\r\n.\r\n", spool: "a\r..\n", bare: true },
  { wire: "a\r.\nb\r\n.\r\n", spool: "a\r..\nb\n", bare: true },
  { wire: "a\r.b\r\n.\r\n", spool: "a\r.b\n", bare: true },
  { wire: "a\r..\r\n.\r\n", spool: "a\r..\n", bare: true },
  { wire: "a\r\n.\rb\r\n.\r\n", spool: "a\n\rb\n", bare: true },
  { wire: "a\r\n.\r\r\n.\r\n", spool: "a\n\r\n", bare: true },
  { wire: "a\r\n.\r.\r\n.\r\n", spool: "a\n\r..\n", bare: true },
  { wire: "\r\r\r.\r\n.\r\n", spool: "\r\r\r..\n", bare: true },
  { wire: "a\r\r\nb\r\n\r\r\r\n.\r\n", spool: "a\r\nb\n\r\r\n", size: 11, bare: true },
  { wire: "a\r\0\r\n\r\r\n.\r\n", spool: "a\r\0\n\r\n", bare: true },

  // CONTRACT, fidelity: a NUL is an octet. But somebody may drop it, and then the dot after it would be alone.
  { wire: "a\0b\r\n\0\r\n.\r\n", spool: "a\0b\n\0\n", size: 8 },
  { wire: "\0.\r\n.\r\n", spool: "\0..\n", size: 4 },
  { wire: "a\r\n\0\0.\0\r\nb\r\n.\r\n", spool: "a\n\0\0.\0.\nb\n" },
  { wire: "\0.a\r\n.\r\n", spool: "\0.a\n" },
  { wire: ".\0\r\n.\r\n", spool: "\0\n", size: 3 },
  { wire: ".\0.\r\n.\r\n", spool: "\0..\n" },
  { wire: "..\0\r\n.\r\n", spool: ".\0\n" },
  { wire: "a\0.\r\n.\r\n", spool: "a\0.\n" },
  { wire: "a\r\0.\0\rb\r\n.\r\n", spool: "a\r\0.\0.\rb\n", bare: true },
  { wire: "a\n\0.\nb\r\n.\r\n", spool: "a\n\0..\nb\n", bare: true },
];

Deno.test("DotDecoder gives the lines of the message, up to the end of data", () => {
  for (const row of DECODED) {
    // The rest of the packet is not its own: commands, or even another message.
    for (const rest of ["", "QUIT\r\n", "\r\n.\r\n", "QUIT\n"]) {
      for (const chunks of everyCut(row.wire + rest)) {
        const { spool, done, size, bareNewline, crLines, ...read } = decode(chunks);
        const where = JSON.stringify(chunks);
        assert.equal(crLines, spool.split("\r\n").length - 1, where);
        assert.deepEqual({ spool, done }, { spool: row.spool, done: true }, where);
        assert.equal(bareNewline, row.bare ?? false, where);
        if (row.size !== undefined) assert.equal(size, row.size, where);
        assert.equal(read.rest, rest, where);
      }
    }
  }
});

// CONTRACT, end of data: exactly CR LF . CR LF. None of these ends a message, and what follows is still a part of it.
const NO_END: readonly string[] = [
  "\n.\n",
  "\r.\r",
  "\n.\r\n",
  "\r.\r\n",
  "\r\n.\n",
  "\r\n.\r",
  "\r\n.\r\r\n",
  "\n.\r",
  "\r.\n",
  "\r\n\r.\r\n",
  "\r\r\n.\n\r\n",
  "\r\n\0.\r\n",
  "\r\n.\0\r\n",
  "\r\n.\r\0\n",
  "\r\0\n.\r\n",
  "\n\0.\n",
  "\r\n..\r\n",
  "\r\n. \r\n",
  "\r\n .\r\n",
  ".",
  ".\r",
  ".\n",
  "\r\n.",
];

Deno.test("DotDecoder takes nothing but CR LF . CR LF for the end of data", () => {
  for (const trick of NO_END) {
    for (const before of ["", "a", "a\r\n"]) {
      for (const chunks of everyCut(before + trick)) assert.equal(decode(chunks).done, false, JSON.stringify(chunks));
      const message = `${before}${trick}MAIL FROM:<x>${END}`;
      for (const chunks of everyCut(message)) {
        const { spool, done, rest } = decode(chunks);
        assert.ok(done && rest === "" && spool.includes("MAIL FROM:<x>"), JSON.stringify(chunks));
      }
    }
  }
});

const ENCODED: readonly { content: string; lineEnds?: LineEnds; wire: string }[] = [
  // RFC 5321 s.4.5.2: lines end with CRLF, then comes the lone dot. Nothing is added to an empty message.
  { content: "", wire: ".\r\n" },
  { content: "a\n", wire: "a\r\n.\r\n" },
  { content: "\n", wire: "\r\n.\r\n" },
  { content: "a\n\n", wire: "a\r\n\r\n.\r\n" },
  { content: "caf\xe9\xff\0x\n", wire: "caf\xe9\xff\0x\r\n.\r\n" },
  // s.4.1.1.4: SMTP itself adds the line end that the last line lacks.
  { content: "a", wire: "a\r\n.\r\n" },
  { content: "a\nb", wire: "a\r\nb\r\n.\r\n" },
  // A leading dot is doubled, on every line, the first and the last included, and no other dot is.
  { content: ".", wire: "..\r\n.\r\n" },
  { content: ".\n", wire: "..\r\n.\r\n" },
  { content: "a\n.\n..\n.b\nc.\n", wire: "a\r\n..\r\n...\r\n..b\r\nc.\r\n.\r\n" },
  { content: "\n.", wire: "\r\n..\r\n.\r\n" },

  // The spool's lines end with LF, so a CR there is a bare one: it stays, and no line end of it becomes two.
  { content: "a\r\nb\n", lineEnds: "lf", wire: "a\r\r\nb\r\n.\r\n" },
  { content: "a\r", lineEnds: "lf", wire: "a\r\r\n.\r\n" },
  { content: "\r.\n", lineEnds: "lf", wire: "\r..\r\n.\r\n" },
  // CONTRACT, OUTFILE: LF or CRLF, line by line. Here a CR before LF is half of a line end.
  { content: "a\r\nb\n", lineEnds: "lf-or-crlf", wire: "a\r\nb\r\n.\r\n" },
  { content: "a\r\n.\r\n.b\r\n", lineEnds: "lf-or-crlf", wire: "a\r\n..\r\n..b\r\n.\r\n" },
  { content: "a\r\r\n", lineEnds: "lf-or-crlf", wire: "a\r\r\n.\r\n" },
  { content: "a\r\n", lineEnds: "lf-or-crlf", wire: "a\r\n.\r\n" },
  { content: "a\r", lineEnds: "lf-or-crlf", wire: "a\r\r\n.\r\n" },
  { content: "\0.\r", lineEnds: "lf-or-crlf", wire: "\0..\r\r\n.\r\n" },
  { content: "\r\n", lineEnds: "lf-or-crlf", wire: "\r\n.\r\n" },

  // CONTRACT, bare CR, NUL: a dot that lenient eyes see alone gets a second one, and only such a dot.
  { content: "a\r.\rb\n", wire: "a\r..\rb\r\n.\r\n" },
  { content: "a\r.", wire: "a\r..\r\n.\r\n" },
  { content: "a\r.b\n", wire: "a\r.b\r\n.\r\n" },
  { content: "a\r..\n", wire: "a\r..\r\n.\r\n" },
  { content: "\0.\n", wire: "\0..\r\n.\r\n" },
  { content: "\0.", wire: "\0..\r\n.\r\n" },
  { content: "a\n\0\0.\0\nb\n", wire: "a\r\n\0\0.\0.\r\nb\r\n.\r\n" },
  { content: ".\0\n", wire: "..\0\r\n.\r\n" },
  { content: "a\0.\n", wire: "a\0.\r\n.\r\n" },
];

Deno.test("DotEncoder sends lines with CRLF, dots doubled, and one end of data", () => {
  for (const { content, lineEnds, wire } of ENCODED) {
    for (const mode of lineEnds ? [lineEnds] : LINE_ENDS) {
      for (const chunks of everyCut(content)) {
        assert.equal(encode(chunks, mode), wire, `${mode} ${JSON.stringify(chunks)}`);
      }
    }
  }
});

Deno.test("DotEncoder is ready for another message after the end", () => {
  for (const lineEnds of LINE_ENDS) {
    for (const first of ["", "a", "a\n", "a\r", "\0.", "\r."]) {
      const encoder = new DotEncoder(lineEnds);
      encoder.encode(octets(first), new Uint8Array(encodedRoom(first.length)));
      encoder.end();
      assert.equal(spelled(encoder.end()), ".\r\n");
    }
  }
});

Deno.test("the readers that judge the encoder are fooled by octets that are known to fool them", () => {
  const rows: readonly { wire: string; who: string[] }[] = [
    { wire: "a\r\n.\r\n", who: [] },
    { wire: "a\r\n.\r\nb\r\n.\r\n", who: READERS.map(({ who }) => who) },
    { wire: "a\r\n.", who: READERS.map(({ who }) => who) },
    { wire: "a\0.\r\n.\r\n", who: [] },
    {
      wire: "a\n.\r\nb\r\n.\r\n",
      who: ["CRLF or LF", "CRLF, CR or LF", "CRs and LF", "LF, no CR"]
        .concat(["CRLF or LF, no NUL", "CRLF, CR or LF, no NUL", "LF, no CR, no NUL"]),
    },
    {
      wire: "a\r.\rb\r\n.\r\n",
      who: ["CRLF or CR", "CRLF, CR or LF", "CRLF or CR, no NUL", "CRLF, CR or LF, no NUL"],
    },
    {
      wire: "a\r\n\0.\r\n.\r\n",
      who: ["CRLF, no NUL", "CRLF or LF, no NUL", "CRLF or CR, no NUL", "CRLF, CR or LF, no NUL", "LF, no CR, no NUL"],
    },
  ];
  for (const { wire, who } of rows) assert.deepEqual(fooled(wire), who, JSON.stringify(wire));
});

function checkDecoder(chunks: readonly string[], where: string): void {
  const slow = slowDecode(chunks.join(""));
  assert.ok(slow, where);
  assert.deepEqual(decode(chunks), { ...slow, spool: guarded(slow.spool), done: true }, where);
}

function checkEncoder(chunks: readonly string[], where: string): void {
  for (const lineEnds of LINE_ENDS) {
    const content = chunks.join("");
    const wire = encode(chunks, lineEnds);
    assert.equal(wire, slowEncode(content, lineEnds), `${lineEnds} ${where}`);
    assert.deepEqual(fooled(wire), [], `${lineEnds} ${where}: ${JSON.stringify(wire)}`);
  }
}

// The decoder's output reaches a strict server unchanged, and a second proxy finds nothing to change in it.
function checkRoundTrip(chunks: readonly string[], where: string): void {
  const { spool } = decode(chunks);
  const wire = encode([spool], "lf");
  assert.equal(slowDecode(wire)!.spool, spool, where);
  assert.deepEqual([slowDecode(wire)!.bareNewline, slowDecode(wire)!.rest], [/\r/.test(spool), ""], where);
  assert.equal(encode([decode([wire]).spool], "lf"), wire, where);
}

Deno.test("DotDecoder and DotEncoder agree with the slow ones on every short input", () => {
  for (let length = 0; length <= 6; length++) {
    for (const text of everyText(LETTERS, length)) {
      for (const whole of [true, false]) {
        const cut = (all: string) => whole ? [all] : all.split("");
        const where = JSON.stringify({ text, whole });
        checkDecoder(cut(text + END), where);
        checkEncoder(cut(text), where);
      }
      checkRoundTrip([text + END], JSON.stringify(text));
    }
  }
});

Deno.test("DotDecoder and DotEncoder agree with the slow ones on random input, cut at random", () => {
  const random = seeded(SEED);
  for (let run = 0; run < 20_000; run++) {
    const text = randomText(run % 2 ? PIECES : LETTERS.split(""), 16, random);
    const length = 1 + random() * 8;
    const wire = randomCut(text + END + "QUIT\r\n", length, random);
    const content = randomCut(text, length, random);
    const where = `seed ${SEED}, run ${run}: ${JSON.stringify({ wire, content })}`;
    checkDecoder(wire, where);
    checkEncoder(content, where);
    checkRoundTrip(wire, where);
  }
});

Deno.test("DotDecoder and DotEncoder agree with the slow ones on any octet anywhere in a run of text", () => {
  for (let octet = 0; octet < 256; octet++) {
    for (let at = 0; at < 12; at++) {
      const run = `abcdefgh${"\x0e\x7f\x80\xff".slice(0, at % 5)}`;
      const text = run.slice(0, at) + String.fromCharCode(octet) + run.slice(at);
      for (const content of [text, `${text}\n.${text}`, `${text}\r\n.${text}`, `.${text}`]) {
        checkDecoder([content + END], JSON.stringify(content));
        checkEncoder([content], JSON.stringify(content));
        checkRoundTrip([content + END], JSON.stringify(content));
      }
    }
  }
});

Deno.test("a message of CRLF lines without bare CR or NUL goes through octet for octet", () => {
  // CONTRACT, fidelity: all other octets, dots anywhere, lines of any length, an empty body.
  const every = spelled(Uint8Array.from({ length: 256 }, (_, octet) => octet)).replace(/[\0\r\n]/g, "");
  const random = seeded(SEED);
  const texts = [
    "",
    "\r\n",
    `${every}\r\n`,
    `..${every}\r\n`,
    `${"x".repeat(200_000)}\r\n..\r\n`,
    "..\r\n".repeat(3000),
  ];
  for (let run = 0; run < 2000; run++) {
    const lines = randomText(["a", " ", ".", "..", "\xff", "\r\n", "\r\n", "\r\n.."], 30, random).split("\r\n");
    // As a client sends them: each line that starts with a dot starts with two.
    texts.push(lines.map((line) => line.replace(/^\.+/, (dots) => `.${dots}`) + "\r\n").join(""));
  }
  texts.forEach((text, run) => {
    const where = `seed ${SEED}, text ${run}: ${JSON.stringify(text.slice(0, 200))}`;
    const { spool, bareNewline } = decode(randomCut(`${text}.\r\n`, 50, random));
    assert.equal(bareNewline, false, where);
    for (const lineEnds of LINE_ENDS) {
      assert.ok(encode(randomCut(spool, 50, random), lineEnds) === `${text}.\r\n`, `${lineEnds} ${where}`);
    }
  });
});

// One text that leads to each state, and one to each that holds something back.
const BEFORE = ["", ".", ".\r", "a", "a\r", "a\n", "\0", "\r\0", "\0.", "a\r.", "\0.\r", "a\n\0."];

Deno.test("decodedRoom and encodedRoom are enough for every short chunk in every state", () => {
  for (const before of BEFORE) {
    for (let length = 0; length <= 5; length++) {
      for (const chunk of everyText(LETTERS, length)) {
        // `step` compares what was written to the room, for each chunk.
        decode([before, chunk]);
        for (const lineEnds of LINE_ENDS) encode([before, chunk], lineEnds);
      }
    }
  }
});

Deno.test("decodable is the inverse of decodedRoom", () => {
  for (let count = 0; count < 100_000; count++) {
    assert.equal(decodable(decodedRoom(count)), count);
    assert.ok(decodedRoom(decodable(count + 5)) <= count + 5, String(count + 5));
  }
});

Deno.test("decodedRoom and encodedRoom are enough for long chunks of the worst kind", () => {
  // [what grows most, how many octets come of each of its own at least].
  const decoded = [["\r.", 1.5], ["\0.\r", 4 / 3], ["\0.\n", 4 / 3], [".\r", 1.5], ["\r", 1]] as const;
  const encoded = [["\n", 2], [".\n", 2], ["\r.\n", 5 / 3], ["\r.", 1.5], ["\0.\n", 5 / 3]] as const;
  for (const length of [1, 2, 3, 100, 8192, 65536]) {
    for (const before of BEFORE) {
      for (const [worst, growth] of decoded) {
        const chunk = worst.repeat(length).slice(0, length);
        const decoder = new DotDecoder();
        decoder.decode(octets(before), new Uint8Array(decodedRoom(before.length)));
        const written = decoder.decode(octets(chunk), new Uint8Array(decodedRoom(length)));
        const what = JSON.stringify({ before, worst, length, written });
        assert.ok(written <= decodedRoom(length), what);
        // And it does grow as it is said to, or this test would look at harmless input.
        assert.ok(written >= Math.floor(length * growth) - 3, what);
      }
      for (const [worst, growth] of encoded) {
        for (const lineEnds of LINE_ENDS) {
          const chunk = worst.repeat(length).slice(0, length);
          const encoder = new DotEncoder(lineEnds);
          encoder.encode(octets(before), new Uint8Array(encodedRoom(before.length)));
          const written = encoder.encode(octets(chunk), new Uint8Array(encodedRoom(length)));
          const what = JSON.stringify({ before, worst, length, lineEnds, written });
          assert.ok(written <= encodedRoom(length), what);
          assert.ok(written >= Math.floor(length * growth) - 3, what);
        }
      }
    }
  }
});
