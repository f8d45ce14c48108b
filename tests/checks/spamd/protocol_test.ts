// Tests of lib/checks/spamd/protocol.ts: answers whole, and one octet at a time.

import assert from "node:assert/strict";
import { formatHeaders, HEAD_LIMIT, HEADER_LIMIT, SpamdReader } from "../../../lib/checks/spamd/protocol.ts";
import { bytesOf, textOf } from "../../../lib/text/octets.ts";
import { ServerFailure } from "../../../lib/wire/server_conn.ts";

const OK = "SPAMD/1.1 0 EX_OK\r\n";
const SPAM = "Spam: True ; 15.0 / 5.0\r\n";

const ROWS: readonly { text: string; spam: [boolean, number, number]; header?: string; isWhole?: false }[] = [
  {
    text: `${OK}Content-length: 8\r\n${SPAM}\r\nA: b\r\n\r\n`,
    spam: [true, 15, 5],
    header: "A: b\r\n\r\n",
  },
  // In any order and case, with LF alone, with fields that nobody knows.
  {
    text: `SPAMD/1.5 0 EX_OK\nspam: no;-1.25/-0.5\nX: y\nnone\ncontent-LENGTH:3\n\nA:b`,
    spam: [false, -1.25, -0.5],
    header: "A:b",
  },
  { text: `${OK}Spam: False ; 0 / 5\r\nContent-length: 0\r\n\r\n`, spam: [false, 0, 5], header: "" },
  { text: `${OK}Spam: yes ; 1000.0 / 5.0\r\nContent-length: 0\r\n\r\n`, spam: [true, 1000, 5], header: "" },
  // Without a length it ends with the connection.
  { text: `${OK}${SPAM}\r\nA: b\n\n`, spam: [true, 15, 5], header: "A: b\n\n", isWhole: false },
  { text: `SPAMD/1.1 0\r\n${SPAM}\r\n`, spam: [true, 15, 5], header: "", isWhole: false },
];

const BAD: readonly { text: string; why: RegExp }[] = [
  { text: "", why: /cut off/ },
  { text: "SPAMD/1.1 0 EX_OK", why: /cut off/ },
  { text: OK, why: /cut off/ },
  { text: `${OK}${SPAM}`, why: /cut off/ },
  { text: `${OK}Content-length: 9\r\n${SPAM}\r\nA: b\r\n\r\n`, why: /cut off/ },
  { text: `${OK}Content-length: 7\r\n${SPAM}\r\nA: b\r\n\r\n`, why: /more than it said/ },
  { text: `${OK}Content-length: 0\r\n\r\n`, why: /no score/ },
  { text: `${OK}Spam: True\r\n\r\n`, why: /malformed score/ },
  { text: `${OK}Spam: True ; x / 5\r\n\r\n`, why: /malformed score/ },
  { text: `${OK}Spam: Perhaps ; 1 / 5\r\n\r\n`, why: /malformed score/ },
  { text: `${OK}Spam: True ; 1e9 / 5\r\n\r\n`, why: /malformed score/ },
  { text: `${OK}Content-length: -1\r\n${SPAM}\r\n`, why: /length/ },
  { text: `${OK}Content-length: ${HEADER_LIMIT + 1}\r\n${SPAM}\r\n`, why: /more than 262144/ },
  // Other states, with and without an end of line.
  { text: "SPAMD/1.0 76 Bad header line: (EOF during headers)\r\n", why: /answered 76 Bad header line/ },
  { text: "SPAMD/1.0 76 Bad header line", why: /answered 76 Bad/ },
  { text: `SPAMD/1.1 69 EX_UNAVAILABLE\r\n${SPAM}Content-length: 0\r\n\r\n`, why: /answered 69 EX_UNAVAILABLE/ },
  { text: "SPAMD/1.1 75\r\n", why: /answered 75$/ },
  // Other servers.
  { text: "220 mx.example ESMTP\r\n", why: /no answer of spamd's protocol/ },
  { text: "HTTP/1.1 200 OK\r\n", why: /no answer of spamd's protocol/ },
  { text: "\r\n\r\n", why: /no answer of spamd's protocol/ },
  { text: "\0\xff", why: /no answer of spamd's protocol/ },
  { text: "A".repeat(HEAD_LIMIT + 1), why: /more than 16384/ },
  { text: OK + "X: y\r\n".repeat(4000), why: /more than 16384/ },
];

Deno.test("a question to spamd", () => {
  assert.equal(formatHeaders(4711), "HEADERS SPAMC/1.5\r\nContent-length: 4711\r\n\r\n");
});

for (const { name, cut } of [{ name: "whole", cut: Infinity }, { name: "one octet at a time", cut: 1 }]) {
  Deno.test(`an answer of spamd, ${name}`, () => {
    for (const { text, spam: [isSpam, score, requiredScore], header, isWhole = true } of ROWS) {
      const reader = read(text, cut);
      assert.equal(reader.isWhole, isWhole, text);
      assert.deepEqual(reader.spam, { isSpam, score, requiredScore }, text);
      const { header: octets, ...spam } = reader.end();
      assert.deepEqual(spam, { isSpam, score, requiredScore }, text);
      assert.equal(textOf(octets), header, text);
    }
  });

  Deno.test(`no answer of spamd, ${name}`, () => {
    for (const { text, why } of BAD) {
      assert.throws(() => read(text, cut).end(), (error) => {
        assert.ok(error instanceof ServerFailure, `${text}: ${error}`);
        assert.match(error.message, why, text.slice(0, 80));
        return true;
      }, text.slice(0, 80));
    }
  });
}

Deno.test("a header of spamd without an end is given up", () => {
  const reader = read(`${OK}${SPAM}\r\n`, Infinity);
  const piece = new Uint8Array(65_536);
  for (let at = 0; at < HEADER_LIMIT; at += piece.length) reader.push(piece);
  assert.throws(() => reader.push(piece), /more than 262144/);
});

function read(text: string, cut: number): SpamdReader {
  const reader = new SpamdReader();
  const octets = bytesOf(text);
  for (let at = 0; at < octets.length; at += cut) reader.push(octets.subarray(at, at + cut));
  return reader;
}
