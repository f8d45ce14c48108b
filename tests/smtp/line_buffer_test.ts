// Tests of lib/smtp/line_buffer.ts: octets in, lines out, in any packets.
//
// The tables run whole, cut at every point and octet by octet. A slow reader without any bound judges random input.
// Only after a bare LF does a pause matter. Here there is one after each chunk.

import assert from "node:assert/strict";
import { LineBuffer } from "../../lib/smtp/line_buffer.ts";
import { ROOM } from "../../lib/text/rooms.ts";
import { everyCut, octets, randomCut, randomText, SEED, seeded, spelled } from "../rig/octets.ts";

const LIMIT = 10;

function put(buffer: LineBuffer, text: string): void {
  buffer.space(text.length).set(octets(text));
  buffer.filled(text.length);
}

/** A line as one word: what it was, and its octets. Nothing more comes for a while. */
function take(buffer: LineBuffer, limit: number): string | undefined {
  const line = buffer.takeLine(limit) ?? (buffer.endsWithBareLf ? buffer.takeBareLine(limit) : undefined);
  if (!line) return undefined;
  if (line.tooLong) {
    assert.deepEqual([line.raw.length, line.bytes.length, line.spoilt], [0, 0, false], "nothing of it is kept");
    return "too long";
  }
  const raw = spelled(line.raw);
  assert.equal(spelled(line.bytes), raw.replace(/\r?\n$/, ""));
  return `${line.spoilt ? "spoilt" : "line"} ${raw}`;
}

/** The lines in `chunks`, all of them taken after each chunk; and what still waits. */
function linesOf(
  chunks: readonly string[],
  limit = LIMIT,
  holds?: "replies",
): { lines: string[]; waiting: string } {
  const buffer = new LineBuffer(holds);
  const lines: string[] = [];
  for (const chunk of chunks) {
    put(buffer, chunk);
    for (let line = take(buffer, limit); line; line = take(buffer, limit)) lines.push(line);
    assert.equal(buffer.length, buffer.peek().length);
  }
  return { lines, waiting: spelled(buffer.peek()) };
}

const ROWS: readonly { wire: string; lines: string[]; waiting?: string }[] = [
  // RFC 5321 s.2.3.8: CRLF ends a line. Pipelined ones come out one by one (RFC 2920 s.3.1).
  { wire: "QUIT\r\n", lines: ["line QUIT\r\n"] },
  { wire: "\r\n", lines: ["line \r\n"] },
  { wire: "a\r\nb\r\n\r\nc\r\n", lines: ["line a\r\n", "line b\r\n", "line \r\n", "line c\r\n"] },
  { wire: "a\r\nbc", lines: ["line a\r\n"], waiting: "bc" },
  { wire: "", lines: [] },
  // A CR alone ends nothing, and may be half a line end.
  { wire: "a\r", lines: [], waiting: "a\r" },
  { wire: "a\rb", lines: [], waiting: "a\rb" },
  // 8-bit octets are octets (RFC 6531).
  { wire: "\xc3\xbc\xff \r\n", lines: ["line \xc3\xbc\xff \r\n"] },

  // CONTRACT, command lines: a bare CR or a NUL inside is never forwarded.
  { wire: "a\rb\r\n", lines: ["spoilt a\rb\r\n"] },
  { wire: "a\r\r\n", lines: ["spoilt a\r\r\n"] },
  { wire: "\rb\r\n", lines: ["spoilt \rb\r\n"] },
  { wire: "a\0b\r\nc\r\n", lines: ["spoilt a\0b\r\n", "line c\r\n"] },
  { wire: "a\0\r\n", lines: ["spoilt a\0\r\n"] },

  // The limit counts the line end. Ten octets are a line, eleven are not, and the next line is not touched.
  { wire: "12345678\r\n", lines: ["line 12345678\r\n"] },
  { wire: "123456789\r\nQUIT\r\n", lines: ["too long", "line QUIT\r\n"] },
  { wire: "1234567890\r\nQUIT\r\n", lines: ["too long", "line QUIT\r\n"] },
  { wire: `${"x".repeat(95)}\r\nQUIT\r\n`, lines: ["too long", "line QUIT\r\n"] },
  {
    wire: "QUIT\r\n123456789\r\n123456789\r\nQUIT\r\n",
    lines: ["line QUIT\r\n", "too long", "too long", "line QUIT\r\n"],
  },
  { wire: "1234567\0\r\n", lines: ["spoilt 1234567\0\r\n"] },
  // A bare CR does not end a line that is too long, wherever it falls.
  { wire: "123456789\rQUIT\r\nRSET\r\n", lines: ["too long", "line RSET\r\n"] },
  { wire: "12345678\r\r\nRSET\r\n", lines: ["too long", "line RSET\r\n"] },
  { wire: "123456789\r\r\r\rabcdefghi\r\r\nRSET\r\n", lines: ["too long", "line RSET\r\n"] },
];

Deno.test("takeLine gives the same lines in any packets", () => {
  for (const row of ROWS) {
    for (const chunks of everyCut(row.wire)) {
      assert.deepEqual(linesOf(chunks), { lines: row.lines, waiting: row.waiting ?? "" }, JSON.stringify(chunks));
    }
  }
});

const BARE_LF: readonly { chunks: string[]; lines: string[]; waiting?: string }[] = [
  // A bare LF and then nothing for a while: somebody types by hand, and hears why nothing works.
  { chunks: ["EHLO x\n"], lines: ["spoilt EHLO x\n"] },
  { chunks: ["\n"], lines: ["spoilt \n"] },
  { chunks: ["a\r\n", "b\n"], lines: ["line a\r\n", "spoilt b\n"] },
  { chunks: ["a\r\nb\n"], lines: ["line a\r\n", "spoilt b\n"] },
  { chunks: ["a", "\n"], lines: ["spoilt a\n"] },
  { chunks: ["a\n", "b\r\n"], lines: ["spoilt a\n", "line b\r\n"] },
  { chunks: ["a\n", "\r\n"], lines: ["spoilt a\n", "line \r\n"] },
  { chunks: ["a\n", "\n"], lines: ["spoilt a\n", "spoilt \n"] },
  // The CR of a line before is no part of this one's end.
  { chunks: ["a\r\n\n"], lines: ["line a\r\n", "spoilt \n"] },
  { chunks: ["a\r\n", "\n"], lines: ["line a\r\n", "spoilt \n"] },
  // With more text after it, it is inside a line, and that is never forwarded. Such a client hears one refusal.
  { chunks: ["a\nb\r\n"], lines: ["spoilt a\nb\r\n"] },
  { chunks: ["a\nb\nc\n"], lines: ["spoilt a\nb\nc\n"] },
  { chunks: ["\na\r\n"], lines: ["spoilt \na\r\n"] },
  { chunks: ["a\nb", "\r\n"], lines: ["spoilt a\nb\r\n"] },
  { chunks: ["a\nb", "\n"], lines: ["spoilt a\nb\n"] },
  { chunks: ["a\nb"], lines: [], waiting: "a\nb" },
  { chunks: ["a\n\r", "\n"], lines: ["spoilt a\n\r\n"] },
  // The limit counts all of it, and the dropping ends with the line.
  { chunks: ["123\n567\n9\n"], lines: ["spoilt 123\n567\n9\n"] },
  { chunks: ["123\n567\n90\n"], lines: ["too long"] },
  { chunks: ["123\n567\n90\r\nRSET\r\n"], lines: ["too long", "line RSET\r\n"] },
  { chunks: ["123456789012\nRSET\r\nQUIT\r\n"], lines: ["too long", "line QUIT\r\n"] },
  { chunks: ["123456789012\n", "RSET\r\n"], lines: ["too long", "line RSET\r\n"] },
  { chunks: ["123456789012", "\n", "RSET\r\n"], lines: ["too long", "line RSET\r\n"] },
  { chunks: ["1234567890", "\n3", "\r", "\n", "RSET\r\n"], lines: ["too long", "line RSET\r\n"] },
];

const REPLIES: readonly { wire: string; lines: string[]; waiting?: string }[] = [
  { wire: "a\r\nb\n\nc\r\n", lines: ["line a\r\n", "line b\n", "line \n", "line c\r\n"] },
  { wire: "a\nb\r", lines: ["line a\n"], waiting: "b\r" },
  { wire: "a\rb\n\0\n\r\r\n", lines: ["spoilt a\rb\n", "spoilt \0\n", "spoilt \r\r\n"] },
  { wire: "123456789\n1234567890\nx\n", lines: ["line 123456789\n", "too long"] },
  { wire: `${"x".repeat(95)}\nx\r\n`, lines: ["too long"] },
  // Nobody waits for its end.
  { wire: "1234567890x", lines: ["too long"] },
];

Deno.test("takeLine ends a reply line at a bare LF, too", () => {
  for (const row of REPLIES) {
    for (const chunks of everyCut(row.wire)) {
      const { lines, waiting } = linesOf(chunks, LIMIT, "replies");
      const end = lines.indexOf("too long");
      // The server is then given up, with any text after that.
      if (end !== -1) assert.deepEqual(lines.slice(0, end + 1), row.lines, JSON.stringify(chunks));
      else {assert.deepEqual(
          { lines, waiting },
          { lines: row.lines, waiting: row.waiting ?? "" },
          JSON.stringify(chunks),
        );}
    }
  }
});

Deno.test("takeBareLine ends a line at a bare LF if nothing follows it, and spoils it", () => {
  for (const row of BARE_LF) {
    assert.deepEqual(linesOf(row.chunks), { lines: row.lines, waiting: row.waiting ?? "" }, JSON.stringify(row.chunks));
  }
});

/** The same lines, by reading from the start again and again, with no bound on what is kept. */
function slowLinesOf(chunks: readonly string[], limit: number): string[] {
  const lines: string[] = [];
  let text = "";
  for (const chunk of chunks) {
    text += chunk;
    for (;;) {
      const end = /\r\n|\n$/.exec(text);
      if (!end) break;
      const raw = text.slice(0, end.index + end[0].length);
      const spoilt = end[0] === "\n" || /[\r\n\0]/.test(text.slice(0, end.index));
      lines.push(raw.length > limit ? "too long" : `${spoilt ? "spoilt" : "line"} ${raw}`);
      text = text.slice(raw.length);
    }
  }
  return lines;
}

Deno.test("takeLine agrees with a slow reader on random octets", () => {
  const random = seeded(SEED);
  for (let run = 0; run < 20_000; run++) {
    const wire = randomText(["a", "bc", "\r", "\n", "\r\n", "\0", "12345678"], 14, random);
    const chunks = randomCut(wire, 1 + random() * 6, random);
    const limit = 2 + Math.floor(random() * 12);
    const where = `seed ${SEED}, run ${run}, limit ${limit}: ${JSON.stringify(chunks)}`;
    assert.deepEqual(linesOf(chunks, limit).lines, slowLinesOf(chunks, limit), where);
  }
});

Deno.test("takeLine gives lines that keep their octets", () => {
  const buffer = new LineBuffer();
  put(buffer, "first\r\nsecond\r\n");
  const first = buffer.takeLine(100)!;
  const second = buffer.takeLine(100)!;
  put(buffer, "another one\r\n");
  assert.equal(spelled(first.raw) + spelled(second.raw), "first\r\nsecond\r\n");
});

Deno.test("takeLine takes each line with the limit of that call", () => {
  const buffer = new LineBuffer();
  put(buffer, "12345678901234567890\r\n12345678901234567890\r\n");
  assert.equal(take(buffer, 100), "line 12345678901234567890\r\n");
  assert.equal(take(buffer, 10), "too long");
  assert.equal(take(buffer, 10), undefined);
});

Deno.test("a line without end takes no more room than the limit and one read", () => {
  for (const noise of ["x", "\n", "\r", "xx\n", "xxx\r"]) {
    const buffer = new LineBuffer();
    const limit = 1000;
    const chunk = noise.repeat(4096 / noise.length) + "x";
    let most = 0;
    for (let read = 0; read < 300; read++) {
      put(buffer, chunk);
      assert.equal(buffer.takeLine(limit), undefined);
      assert.ok(buffer.length < limit, "no more than the limit waits");
      most = Math.max(most, buffer.space().buffer.byteLength);
    }
    assert.ok(most <= Math.max(ROOM, limit + 3 * chunk.length), `${most} octets for ${JSON.stringify(noise)}`);
    put(buffer, "\r\nQUIT\r\n");
    assert.equal(take(buffer, limit), "too long");
    assert.equal(take(buffer, limit), "line QUIT\r\n");
  }
});

Deno.test("lines, consumed content and room of any size do not disturb each other", () => {
  const random = seeded(SEED);
  const pieces = ["a", "bc", "\r", "\n", "\r\n", "x".repeat(100), "y".repeat(900), "z".repeat(40_000)];
  for (let run = 0; run < 200; run++) {
    const buffer = new LineBuffer();
    let waiting = "";
    for (let move = 0; move < 60; move++) {
      const where = `seed ${SEED}, run ${run}, move ${move}`;
      const choice = random();
      if (choice < 0.5) {
        // A read that fills some of the room it asked for, or all.
        const text = randomText(random() < 0.1 ? pieces : pieces.slice(0, -2), 4, random);
        const asked = text.length + Math.floor(random() * (random() < 0.1 ? 70_000 : 600));
        const room = buffer.space(asked);
        assert.ok(room.length >= asked, where);
        room.set(octets(text));
        buffer.filled(text.length);
        waiting += text;
      } else if (choice < 0.8) {
        const [line] = slowLinesOf([waiting], Infinity);
        assert.equal(take(buffer, 1e9), line, where);
        if (line) waiting = waiting.slice(line.length - line.indexOf(" ") - 1);
      } else {
        const used = random() < 0.2 ? waiting.length : Math.floor(random() * waiting.length);
        buffer.consume(used);
        waiting = waiting.slice(used);
        if (random() < 0.3) buffer.shrinkIfIdle();
      }
      assert.equal(buffer.length, waiting.length, where);
      assert.ok(spelled(buffer.peek()) === waiting, where);
    }
  }
});

Deno.test("peek and consume leave the rest to takeLine", () => {
  // Commands, then content of another kind, then commands again, as DATA has it.
  const wire = "DATA\r\nx\n\r\ry.\r\nQUIT\r\nN";
  for (const chunks of everyCut(wire)) {
    const buffer = new LineBuffer();
    let from = 0;
    const more = () => put(buffer, chunks[from++] ?? assert.fail("the lines need more than there is"));
    const line = () => {
      for (;;) {
        const taken = take(buffer, LIMIT);
        if (taken) return taken;
        more();
      }
    };
    assert.equal(line(), "line DATA\r\n");
    let content = "";
    while (content.length < 8) {
      if (buffer.length === 0) more();
      const some = buffer.peek().subarray(0, 8 - content.length);
      content += spelled(some);
      buffer.consume(some.length);
    }
    assert.equal(content, "x\n\r\ry.\r\n");
    assert.equal(line(), "line QUIT\r\n");
    while (from < chunks.length) more();
    assert.equal(take(buffer, LIMIT), undefined);
    assert.equal(spelled(buffer.peek()), "N");
  }
});

Deno.test("a CR that was consumed is no part of the line after it", () => {
  const buffer = new LineBuffer();
  put(buffer, "x\r\n");
  buffer.consume(2);
  assert.equal(take(buffer, LIMIT), "spoilt \n");
});

Deno.test("an idle connection has little room, also with half a command", () => {
  const buffer = new LineBuffer();
  put(buffer, "MAIL FROM:<somebody@sender.example>");
  assert.equal(buffer.space().buffer.byteLength, 512);
  put(buffer, "\r\n");
  assert.equal(take(buffer, 100), "line MAIL FROM:<somebody@sender.example>\r\n");
  assert.equal(buffer.space().buffer.byteLength, 512);
});

Deno.test("shrinkIfIdle gives back room, and only when nothing waits in it", () => {
  const buffer = new LineBuffer();
  const idle = buffer.space().buffer.byteLength;
  put(buffer, "x".repeat(100_000) + "y");
  buffer.consume(100_000);
  buffer.shrinkIfIdle();
  assert.equal(spelled(buffer.peek()), "y");
  buffer.consume(1);
  assert.ok(buffer.space().buffer.byteLength > 100_000);
  buffer.shrinkIfIdle();
  assert.equal(buffer.space().buffer.byteLength, idle);
  // A line that is being dropped is still being dropped afterwards.
  assert.deepEqual([put(buffer, "x".repeat(20)), take(buffer, LIMIT)], [undefined, undefined]);
  buffer.shrinkIfIdle();
  put(buffer, "QUIT\r\nQUIT\r\n");
  assert.equal(take(buffer, LIMIT), "too long");
  assert.equal(take(buffer, LIMIT), "line QUIT\r\n");
});
