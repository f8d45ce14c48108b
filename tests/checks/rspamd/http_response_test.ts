// Tests of lib/checks/rspamd/http_response.ts: responses whole, and one octet at a time.

import assert from "node:assert/strict";
import { BODY_LIMIT, HEAD_LIMIT, HttpResponse } from "../../../lib/checks/rspamd/http_response.ts";
import { ServerFailure } from "../../../lib/wire/server_conn.ts";
import { bytesOf, textOf } from "../../../lib/text/octets.ts";

interface Row {
  readonly text: string;
  readonly status?: number;
  readonly body?: string;
  /** It is whole without the end of the connection. */
  readonly another?: boolean;
  /** The connection is closed after it, which ends it. */
  readonly closed?: true;
  readonly error?: RegExp;
}

const OK = "HTTP/1.1 200 OK\r\n";

const ROWS: readonly Row[] = [
  // With a length.
  { text: `${OK}Content-Length: 2\r\n\r\n{}`, status: 200, body: "{}", another: true },
  { text: `${OK}content-length:2\n\n{}`, status: 200, body: "{}", another: true },
  { text: `${OK}Content-Length: 0\r\n\r\n`, status: 200, body: "", another: true },
  { text: `${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`, status: 200, body: "{}", another: true },
  { text: "HTTP/1.1 403\r\nContent-Length: 2\r\n\r\nno", status: 403, body: "no", another: true },
  { text: `${OK}Content-Length: 1\r\nConnection: Close\r\n\r\n1`, status: 200, body: "1", another: false },
  { text: "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1", status: 200, body: "1", another: false },
  {
    text: "HTTP/1.0 200 OK\r\nConnection: x, Keep-Alive\r\nContent-Length: 1\r\n\r\n1",
    status: 200,
    body: "1",
    another: true,
  },
  { text: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, body: "", another: true },
  // Octets after it make the connection useless, but not the response.
  { text: `${OK}Content-Length: 2\r\n\r\n{}HTTP`, status: 200, body: "{}", another: false },

  // In chunks: sizes in hexadecimal, extensions, trailers.
  {
    text: `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n`,
    status: 200,
    body: "abc0123456789",
    another: true,
  },
  {
    text: `${OK}Transfer-Encoding: Chunked\r\n\r\n1\n\n\n0\r\nTrailer: x\r\n\r\n`,
    status: 200,
    body: "\n",
    another: true,
  },

  // To the end of the connection.
  { text: `${OK}\r\n{"a":1}`, status: 200, body: '{"a":1}', closed: true },
  { text: `${OK}\r\n`, status: 200, body: "", closed: true },

  // Interim responses.
  {
    text:
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Wait\r\nX: y\r\nContent-Length: 9\r\n\r\n${OK}Content-Length: 1\r\n\r\n1`,
    status: 200,
    body: "1",
    another: true,
  },

  // Cut off.
  { text: "", error: /cut off/ },
  { text: "HTTP/1.1 200", error: /cut off/ },
  { text: `${OK}Content-Length: 3\r\n\r\n{}`, error: /cut off/ },
  { text: `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\n{}`, error: /cut off/ },
  { text: `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n`, error: /cut off/ },
  { text: "HTTP/1.1 100 Continue\r\n\r\n", error: /cut off/ },

  // Nonsense.
  { text: "220 mx.example ESMTP\r\n", error: /no HTTP response/ },
  { text: "HTTP/2 200 OK\r\n", error: /no HTTP response/ },
  { text: "HTTP/1.1 999 x\r\n", error: /no HTTP response/ },
  { text: "\r\n", error: /no HTTP response/ },
  { text: `${OK}no field\r\n`, error: /header line/ },
  { text: `${OK} Content-Length: 1\r\n`, error: /header line/ },
  { text: `${OK}Content-Length: 1\r\nContent-Length: 2\r\n`, error: /two different/ },
  { text: `${OK}Content-Length: -1\r\n\r\n`, error: /no number/ },
  { text: `${OK}Content-Length: 1, 2\r\n\r\n`, error: /no number/ },
  { text: `${OK}Content-Length: ${BODY_LIMIT + 1}\r\n\r\n`, error: /more than/ },
  { text: `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, error: /transfer coding/ },
  { text: `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`, error: /transfer coding/ },
  { text: `${OK}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`, error: /without a size/ },
  { text: `${OK}Transfer-Encoding: chunked\r\n\r\n-1\r\n`, error: /without a size/ },
  { text: `${OK}Transfer-Encoding: chunked\r\n\r\n123456789\r\n`, error: /without a size/ },
  { text: `${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n`, error: /longer than its size/ },
  { text: `${OK}X: ${"x".repeat(HEAD_LIMIT)}`, error: /more than 16384 octets/ },
  { text: OK + "X: y\r\n".repeat(4000), error: /more than 16384 octets/ },
  { text: "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000), error: /more than 16384 octets/ },
  { text: `${OK}Transfer-Encoding: chunked\r\n\r\n1;${"x".repeat(HEAD_LIMIT)}`, error: /more than 16384 octets/ },
];

for (const { name, cut } of [{ name: "whole", cut: Infinity }, { name: "one octet at a time", cut: 1 }]) {
  Deno.test(`an HTTP response, ${name}`, () => {
    for (const row of ROWS) {
      const label = row.text.slice(0, 120);
      if (row.error) {
        assert.throws(() => readEnded(row.text, cut), (error) => {
          assert.ok(error instanceof ServerFailure, `${label}: ${error}`);
          assert.match(error.message, row.error!, label);
          return true;
        }, label);
        continue;
      }
      const { response, body } = read(row.text, cut);
      assert.equal(response.isWhole, !row.closed, label);
      assert.equal(response.allowsAnother, row.another ?? false, label);
      response.end();
      assert.equal(response.status, row.status, label);
      assert.equal(textOf(body()), row.body, label);
      assert.ok(response.isWhole, label);
    }
  });
}

Deno.test("a body without an end is given up", () => {
  const response = new HttpResponse(() => {});
  response.push(bytesOf(`${OK}\r\n`));
  const piece = new Uint8Array(1024 * 1024);
  for (let at = 0; at < BODY_LIMIT; at += piece.length) response.push(piece);
  assert.throws(() => response.push(piece), ServerFailure);
});

function read(text: string, cut: number) {
  const parts: number[] = [];
  const response = new HttpResponse((octets) => void parts.push(...octets));
  const octets = bytesOf(text);
  for (let at = 0; at < octets.length; at += cut) response.push(octets.subarray(at, at + cut));
  return { response, body: () => Uint8Array.from(parts) };
}

function readEnded(text: string, cut: number): void {
  read(text, cut).response.end();
}
