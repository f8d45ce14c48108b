// Tests of lib/smtp/reply.ts: replies read from downstream (RFC 5321 s.4.2), and our own replies.
//
// `ReplyReader` gets its lines from a `LineBuffer`, as in the program: whole, cut at every point and octet by octet.

import assert from "node:assert/strict";
import { LineBuffer } from "../../lib/smtp/line_buffer.ts";
import {
  formatReply,
  MalformedReply,
  type Reply,
  REPLY_LINE_LIMIT,
  replyClass,
  replyFromText,
  ReplyReader,
  replyText,
} from "../../lib/smtp/reply.ts";
import { everyCut, octets, randomText, SEED, seeded, spelled } from "../rig/octets.ts";

/** The replies in `chunks` as [code, octets]; "malformed" where the reading ended with that. */
function read(chunks: readonly string[]): ([number, string] | "malformed")[] {
  const buffer = new LineBuffer("replies");
  const reader = new ReplyReader();
  const replies: Reply[] = [];
  const spell = () => replies.map(({ code, bytes }): [number, string] => [code, spelled(bytes)]);
  try {
    for (const chunk of chunks) {
      buffer.space(chunk.length).set(octets(chunk));
      buffer.filled(chunk.length);
      for (let line = buffer.takeLine(REPLY_LINE_LIMIT); line; line = buffer.takeLine(REPLY_LINE_LIMIT)) {
        const reply = reader.push(line);
        if (reply) replies.push(reply);
      }
    }
  } catch (error) {
    assert.ok(error instanceof MalformedReply, String(error));
    return [...spell(), "malformed"];
  }
  // Spelled only now, when the buffer has been written over: a reply owns its octets.
  return spell();
}

const READ: readonly { wire: string; replies: ([number, string] | "malformed")[] }[] = [
  // RFC 5321 s.4.2: code, blank, text; s.4.2.1: from 2 to 5.
  { wire: "220 host ESMTP\r\n", replies: [[220, "220 host ESMTP\r\n"]] },
  { wire: "354 go\r\n", replies: [[354, "354 go\r\n"]] },
  { wire: "421 4.3.2 later\r\n", replies: [[421, "421 4.3.2 later\r\n"]] },
  { wire: "599 x\r\n", replies: [[599, "599 x\r\n"]] },
  // s.4.2: a client must take a code without text, and without the blank.
  { wire: "250\r\n", replies: [[250, "250\r\n"]] },
  { wire: "250 \r\n", replies: [[250, "250 \r\n"]] },

  // s.4.2.1: many lines are one reply, octet for octet.
  { wire: "250-a\r\n250-b\r\n250 c\r\n", replies: [[250, "250-a\r\n250-b\r\n250 c\r\n"]] },
  { wire: "250-\r\n250\r\n", replies: [[250, "250-\r\n250\r\n"]] },
  { wire: "250-a\r\n250--\r\n250 250-\r\n", replies: [[250, "250-a\r\n250--\r\n250 250-\r\n"]] },
  { wire: "250-caf\xe9 \xff\t\r\n250 \xc3\xbc\r\n", replies: [[250, "250-caf\xe9 \xff\t\r\n250 \xc3\xbc\r\n"]] },
  // Codes of one class may differ; the last line has the word.
  { wire: "550-5.1.1 a\r\n554 b\r\n", replies: [[554, "550-5.1.1 a\r\n554 b\r\n"]] },

  // One after the other: nothing of a reply is left for the next one.
  {
    wire: "250-a\r\n250 b\r\n550-c\r\n550 d\r\n250 e\r\n",
    replies: [[250, "250-a\r\n250 b\r\n"], [550, "550-c\r\n550 d\r\n"], [250, "250 e\r\n"]],
  },
  { wire: "250 a\r\n354 b\r\n", replies: [[250, "250 a\r\n"], [354, "354 b\r\n"]] },
  // An unfinished reply is no reply yet.
  { wire: "", replies: [] },
  { wire: "250 a", replies: [] },
  { wire: "250 a\r", replies: [] },
  { wire: "250-a\r\n", replies: [] },
  { wire: "250-a\r\n250 b", replies: [] },

  // No reply: after that nobody can say to which command the next line belongs.
  { wire: "\r\n", replies: ["malformed"] },
  { wire: "25\r\n", replies: ["malformed"] },
  { wire: "25 0 a\r\n", replies: ["malformed"] },
  { wire: " 250 a\r\n", replies: ["malformed"] },
  { wire: "2500 a\r\n", replies: ["malformed"] },
  { wire: "250a\r\n", replies: ["malformed"] },
  { wire: "250\ta\r\n", replies: ["malformed"] },
  { wire: "150 a\r\n", replies: ["malformed"] },
  { wire: "650 a\r\n", replies: ["malformed"] },
  { wire: "2\xb20 a\r\n", replies: ["malformed"] },
  { wire: "QUIT\r\n", replies: ["malformed"] },
  { wire: "250 a\r\ngarbage\r\n", replies: [[250, "250 a\r\n"], "malformed"] },
  { wire: "250-a\r\ngarbage\r\n", replies: ["malformed"] },
  { wire: "250-a\r\n\r\n", replies: ["malformed"] },
  // Lines of two classes are no reply.
  { wire: "250-a\r\n550 b\r\n", replies: ["malformed"] },
  { wire: "450-a\r\n450-b\r\n250 c\r\n", replies: ["malformed"] },
  // CONTRACT, sloppy reply lines: a bare LF ends a line, and becomes CRLF. So what follows it is a line of its own.
  { wire: "250 a\n", replies: [[250, "250 a\r\n"]] },
  { wire: "250\n", replies: [[250, "250\r\n"]] },
  { wire: "250-a\n250-b\r\n250 c\n", replies: [[250, "250-a\r\n250-b\r\n250 c\r\n"]] },
  { wire: "250-a\r\n250 b\n", replies: [[250, "250-a\r\n250 b\r\n"]] },
  { wire: "250 a\n250 b\r\n", replies: [[250, "250 a\r\n"], [250, "250 b\r\n"]] },
  { wire: "250-a\n", replies: [] },
  { wire: "\n", replies: ["malformed"] },
  { wire: "250-a\n\n250 b\n", replies: ["malformed"] },
  { wire: "250-a\n550 b\n", replies: ["malformed"] },
  // A CR or NUL inside would be another reply to somebody.
  { wire: "250 a\r250 b\r\n", replies: ["malformed"] },
  { wire: "250 a\r250 b\n", replies: ["malformed"] },
  { wire: "250 a\r\r\n", replies: ["malformed"] },
  { wire: "250 a\r\n\r\n", replies: [[250, "250 a\r\n"], "malformed"] },
  { wire: "250 a\0b\r\n", replies: ["malformed"] },
  { wire: "250 a\0\n", replies: ["malformed"] },
];

Deno.test("ReplyReader joins the lines of a reply, in any packets", () => {
  for (const { wire, replies } of READ) {
    for (const chunks of everyCut(wire)) assert.deepEqual(read(chunks), replies, JSON.stringify(chunks));
  }
});

// Its constants, seen from outside: what is just allowed, and one more.
const BOUNDS: readonly { what: string; wire: string; malformed: boolean }[] = [
  { what: "a line at the limit", wire: `250 ${"a".repeat(REPLY_LINE_LIMIT - 6)}\r\n`, malformed: false },
  { what: "a line over it", wire: `250 ${"a".repeat(REPLY_LINE_LIMIT - 5)}\r\n`, malformed: true },
  { what: "a last line over it", wire: `250-a\r\n250 ${"a".repeat(REPLY_LINE_LIMIT)}\r\n`, malformed: true },
  { what: "1000 lines", wire: "250-a\r\n".repeat(999) + "250 a\r\n", malformed: false },
  { what: "1001 lines", wire: "250-a\r\n".repeat(1000) + "250 a\r\n", malformed: true },
  { what: "lines without end", wire: "250-a\r\n".repeat(1001), malformed: true },
  {
    what: "65536 octets",
    wire: `250-${"a".repeat(1018)}\r\n`.repeat(63) + `250 ${"a".repeat(1018)}\r\n`,
    malformed: false,
  },
  {
    what: "65537 octets",
    wire: `250-${"a".repeat(1018)}\r\n`.repeat(63) + `250 ${"a".repeat(1019)}\r\n`,
    malformed: true,
  },
  {
    what: "40000 octets twice",
    wire: ("250-a\r\n" + `250-${"a".repeat(4000)}\r\n`.repeat(10) + "250 a\r\n").repeat(2),
    malformed: false,
  },
  { what: "1000 lines twice", wire: ("250-a\r\n".repeat(999) + "250 a\r\n").repeat(2), malformed: false },
];

Deno.test("ReplyReader bounds lines, octets and the length of a line", () => {
  for (const { what, wire, malformed } of BOUNDS) {
    assert.equal(read([wire]).at(-1) === "malformed", malformed, what);
  }
});

Deno.test("MalformedReply says what is wrong", () => {
  const empty = new Uint8Array(0);
  const tooLong = { raw: empty, bytes: empty, spoilt: false, tooLong: true };
  assert.throws(() => new ReplyReader().push(tooLong), { name: "MalformedReply", message: /more than 4096 octets/ });
  const bytes = octets("garbage");
  const garbage = { raw: bytes, bytes, spoilt: false, tooLong: false };
  assert.throws(() => new ReplyReader().push(garbage), { name: "MalformedReply", message: /garbage$/ });
});

Deno.test("MalformedReply quotes a bounded part of the octets", () => {
  const bytes = octets("x".repeat(4000));
  const line = { raw: bytes, bytes, spoilt: false, tooLong: false };
  assert.throws(() => new ReplyReader().push(line), (error) => {
    return error instanceof MalformedReply && error.message.includes("xxx") && error.message.length < 200;
  });
});

Deno.test("replyClass is the first digit of the code", () => {
  for (const [code, expected] of [[200, 2], [299, 2], [354, 3], [421, 4], [499, 4], [500, 5], [599, 5]] as const) {
    assert.equal(replyClass({ code, bytes: octets(`${code} x\r\n`) }), expected);
  }
});

Deno.test("formatReply makes one line and its code", () => {
  assert.deepEqual(formatReply("554 5.7.1 No"), { code: 554, bytes: octets("554 5.7.1 No\r\n") });
  assert.deepEqual(formatReply("250 Ok"), { code: 250, bytes: octets("250 Ok\r\n") });
});

Deno.test("replyText puts a reply on one line of a log", () => {
  assert.equal(replyText({ code: 250, bytes: octets("250 Ok\r\n") }), "250 Ok");
  assert.equal(replyText({ code: 550, bytes: octets("550-a\r\n550-b\r\n550 c\r\n") }), "550-a 550-b 550 c");
});

const FROM_TEXT: readonly { text: string; success?: boolean; reply: string }[] = [
  // CONTRACT, exits 1: a 4xx or 5xx code and a blank at the start count, and stay as they are.
  { text: "550 5.7.1 Go away", reply: "550 5.7.1 Go away" },
  { text: "451 Later", reply: "451 Later" },
  { text: "421 Bye", reply: "421 Bye" },
  { text: "400 x", reply: "400 x" },
  { text: "599 x", reply: "599 x" },
  // Otherwise 554 goes before the text.
  { text: "Virus found", reply: "554 Virus found" },
  { text: "550", reply: "554 550" },
  { text: "550-a", reply: "554 550-a" },
  { text: "5501 a", reply: "554 5501 a" },
  { text: " 550 a", reply: "554  550 a" },
  { text: "550\u00a0a", reply: "554 550?a" },
  { text: "350 a", reply: "554 350 a" },
  { text: "650 a", reply: "554 650 a" },
  { text: "5a0 a", reply: "554 5a0 a" },
  { text: "55 a", reply: "554 55 a" },
  { text: "000 a", reply: "554 000 a" },
  { text: "100 a", reply: "554 100 a" },
  { text: "5.7.1 a", reply: "554 5.7.1 a" },
  { text: ".", reply: "554 ." },
  { text: "550 100% a", reply: "550 100% a" },
  // CONTRACT, exits 1: nobody hears a 2xx that downstream did not say, unless --allow-discard was given.
  { text: "250 Ok", reply: "554 250 Ok" },
  { text: "250 Ok", success: false, reply: "554 250 Ok" },
  { text: "250 Ok", success: true, reply: "250 Ok" },
  { text: "209 Ok", success: true, reply: "209 Ok" },
  { text: "350 go on", success: true, reply: "554 350 go on" },
  { text: "550 No", success: true, reply: "550 No" },
  { text: "Ok", success: true, reply: "554 Ok" },
  // Nothing can add a second line: control octets become blanks, what is not ASCII a question mark.
  { text: "550 a\r\n250 Ok", reply: "550 a  250 Ok" },
  { text: "550 a\nb\0c\td\x1b[2Je\x7ff", reply: "550 a b c d [2Je f" },
  { text: "550 \u0085\u2028\ufeffü", reply: "550 ????" },
  // A code that is made only by the replacing is a code: what is judged is what is said.
  // A tab is no space.
  { text: "550\tTabbed", reply: "554 550 Tabbed" },
  { text: "550 ", reply: "550 " },
];

Deno.test("replyFromText makes one legal line of a filter's text", () => {
  for (const { text, success, reply } of FROM_TEXT) {
    const made = replyFromText(text, success === undefined ? {} : { success });
    assert.equal(spelled(made.bytes), `${reply}\r\n`, JSON.stringify(text));
    assert.equal(made.code, Number(reply.slice(0, 3)));
  }
});

Deno.test("replyFromText cuts a line at 512 octets, its CRLF included", () => {
  // RFC 5321 s.4.5.3.1.5. Cut after the replacing, so a long character cannot make it longer.
  for (const start of ["550 ", ""]) {
    for (const letter of ["a", "ü", "\u{1f4e7}"]) {
      for (const length of [500, 505, 506, 507, 510, 511, 5000]) {
        const text = spelled(replyFromText(start + letter.repeat(length)).bytes);
        const units = 4 + length * letter.length;
        assert.equal(text.length, Math.min(512, units + 2), `${start}${letter} ${length}`);
        assert.match(text, /^55[04] [\x20-\x7e]+\r\n$/);
      }
    }
  }
});

Deno.test("replyFromText gives a legal reply of one line for any text", () => {
  const random = seeded(SEED);
  const pieces = [
    "2",
    "4",
    "5",
    "50",
    "550 ",
    "250 ",
    " ",
    "-",
    "a",
    "\r\n",
    "\n",
    "\0",
    "\x7f",
    "ü",
    "\ud83d",
    "\u2028",
  ];
  for (let run = 0; run < 5000; run++) {
    const text = randomText(pieces, 8, random);
    const where = `seed ${SEED}, run ${run}: ${JSON.stringify(text)}`;
    const { code, bytes } = replyFromText(text);
    assert.match(spelled(bytes), /^[45][0-9][0-9] [\x20-\x7e]*\r\n$/, where);
    assert.deepEqual(read([spelled(bytes)]), [[code, spelled(bytes)]], where);
  }
});
