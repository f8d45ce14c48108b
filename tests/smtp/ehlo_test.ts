// Tests of lib/smtp/ehlo.ts: the EHLO reply for our client.

import assert from "node:assert/strict";
import { filterEhlo, offers } from "../../lib/smtp/ehlo.ts";
import type { Reply } from "../../lib/smtp/reply.ts";
import { octets, spelled } from "../rig/octets.ts";

function replyOf(lines: string[], code = 250): Reply {
  const text = lines.map((line, at) => `${code}${at < lines.length - 1 ? "-" : " "}${line}\r\n`).join("");
  return { code, bytes: octets(text) };
}

// The lines after "250-" and "250 "; `kept` is what comes out.
const ROWS: readonly { lines: string[]; maxSize?: number; kept: string[] }[] = [
  // CONTRACT, EHLO reply: what changes how content travels is taken out, first, in the middle, last, and all of it.
  { lines: ["host", "STARTTLS", "PIPELINING"], kept: ["host", "PIPELINING"] },
  { lines: ["host", "PIPELINING", "CHUNKING", "8BITMIME"], kept: ["host", "PIPELINING", "8BITMIME"] },
  { lines: ["host", "DSN", "BINARYMIME"], kept: ["host", "DSN"] },
  { lines: ["host", "BURL", "BURL imap://x", "DSN"], kept: ["host", "DSN"] },
  { lines: ["host", "CHECKPOINT", "XEXCH50", "XCLIENT NAME ADDR"], kept: ["host"] },
  // RFC 5321 s.4.1.1.1: keywords in any case. Old servers wrote "=" for the blank; some write blanks around.
  { lines: ["host", "StartTLS", "chunking", "xclient=x", " BURL", "BINARYMIME\t"], kept: ["host"] },
  // The greeting is no keyword, with any text.
  { lines: ["STARTTLS", "CHUNKING", "DSN"], kept: ["STARTTLS", "DSN"] },
  { lines: ["CHUNKING", "STARTTLS"], kept: ["CHUNKING"] },
  // Keywords that only look like them, and parameters, stay.
  {
    lines: ["host", "XSTARTTLS", "CHUNKINGX", "AUTH STARTTLS"],
    kept: ["host", "XSTARTTLS", "CHUNKINGX", "AUTH STARTTLS"],
  },

  // Kept lines are kept octet by octet.
  { lines: ["caf\xe9", "STARTTLS", "X-\xff\xc3\xbc", "DSN "], kept: ["caf\xe9", "X-\xff\xc3\xbc", "DSN "] },
  { lines: ["caf\xe9", "DSN\t"], maxSize: 500, kept: ["caf\xe9", "DSN\t", "SIZE 500"] },

  // RFC 1870 s.3: ours where it is lower, or where theirs has no number.
  { lines: ["host", "SIZE 1000", "DSN"], maxSize: 500, kept: ["host", "SIZE 500", "DSN"] },
  { lines: ["host", "SIZE 1000"], maxSize: 1000, kept: ["host", "SIZE 1000"] },
  { lines: ["host", "SIZE 400"], maxSize: 500, kept: ["host", "SIZE 400"] },
  { lines: ["host", "STARTTLS", " SIZE 400"], maxSize: 500, kept: ["host", " SIZE 400"] },
  { lines: ["host", "STARTTLS", "SIZE 1"], maxSize: 500, kept: ["host", "SIZE 1"] },
  { lines: ["host", "SIZE 0"], maxSize: 500, kept: ["host", "SIZE 500"] },
  { lines: ["host", "SIZE"], maxSize: 500, kept: ["host", "SIZE 500"] },
  { lines: ["host", "size  1000"], maxSize: 500, kept: ["host", "SIZE 500"] },
  { lines: ["host", "SIZE many"], maxSize: 500, kept: ["host", "SIZE 500"] },
  // 30 digits are a number like any other.
  { lines: ["host", `SIZE ${"9".repeat(30)}`], maxSize: 500, kept: ["host", "SIZE 500"] },
  // Downstream does not say: then we do.
  { lines: ["host", "DSN"], maxSize: 500, kept: ["host", "DSN", "SIZE 500"] },
  { lines: ["host"], maxSize: 500, kept: ["host", "SIZE 500"] },
  { lines: ["host", "STARTTLS"], maxSize: 500, kept: ["host", "SIZE 500"] },
  // Without a limit of our own theirs stays.
  { lines: ["host", "STARTTLS", "SIZE 1000"], kept: ["host", "SIZE 1000"] },
  { lines: ["host", "STARTTLS", "SIZE"], kept: ["host", "SIZE"] },
  // A greeting of one word or none.
  { lines: ["SIZE 1000", "SIZE 1000"], maxSize: 500, kept: ["SIZE 1000", "SIZE 500"] },
  { lines: ["", "STARTTLS"], kept: [""] },
];

Deno.test("filterEhlo removes keywords that a filter cannot honour, and lowers SIZE", () => {
  for (const row of ROWS) {
    const filtered = filterEhlo(replyOf(row.lines), row.maxSize);
    const expected = spelled(replyOf(row.kept).bytes);
    assert.equal(filtered.code, 250);
    assert.equal(spelled(filtered.bytes), expected, JSON.stringify(row));
  }
});

const UNTOUCHED: readonly { text: string; code?: number; maxSize?: number }[] = [
  // CONTRACT, EHLO reply: all else passes, byte for byte.
  {
    text: "250-host Hello [192.0.2.1]\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-VRFY\r\n250-ETRN\r\n" +
      "250-AUTH PLAIN LOGIN\r\n250-AUTH=PLAIN LOGIN\r\n250-XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT\r\n" +
      "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n250-REQUIRETLS\r\n250-SMTPUTF8\r\n250 HELP\r\n",
  },
  { text: "250 host\r\n" },
  { text: "250\r\n" },
  { text: "250-host\r\n250 DSN \r\n" },
  { text: "250-caf\xe9\r\n250 X-\xff\r\n" },
  { text: "250-host\r\n250-\r\n250 DSN\r\n" },
  { text: "250-host\r\n250 SIZE 400\r\n", maxSize: 500 },
  { text: "250-host\r\n250 SIZE  400 \r\n", maxSize: 500 },
  { text: "250-host\r\n250 size  500\r\n", maxSize: 500 },
  // A refusal is no list of keywords.
  { text: "500-5.5.1 Unknown\r\n500 STARTTLS\r\n", code: 500 },
  { text: "421-host\r\n421 CHUNKING\r\n", code: 421, maxSize: 500 },
];

Deno.test("filterEhlo returns the same reply if it has nothing to change", () => {
  for (const row of UNTOUCHED) {
    const reply: Reply = { code: row.code ?? 250, bytes: octets(row.text) };
    const filtered = filterEhlo(reply, row.maxSize);
    assert.deepEqual(filtered, reply);
    assert.equal(spelled(filtered.bytes), row.text);
  }
});

Deno.test("a reply of the same length is another reply, and the same octets are the same reply", () => {
  for (const keyword of ["DSN-X", "BURL ", "DSN-Y", "BURL ", "DSN-Y"]) {
    const reply = replyOf(["host", keyword, "HELP"]);
    const kept = keyword === "BURL " ? ["host", "HELP"] : ["host", keyword, "HELP"];
    assert.equal(spelled(filterEhlo(reply).bytes), spelled(replyOf(kept).bytes));
    assert.equal(offers(reply, keyword.trim()), true);
    assert.equal(offers(reply, keyword === "DSN-X" ? "DSN-Y" : "DSN-X"), false);
  }
});
