// Tests of lib/metrics/http.ts: heads of requests, whole and one octet at a time, and responses.

import assert from "node:assert/strict";
import {
  formatResponse,
  HEADER_LIMIT,
  plainText,
  type Refusal,
  type Request,
  REQUEST_LINE_LIMIT,
  RequestReader,
} from "../../lib/metrics/http.ts";
import { bytesOf, textOf } from "../../lib/text/octets.ts";

const HOST = "Host: mx.example\r\n";
const get = (path: string, accept?: string): Request => ({ isHead: false, path, accept });

const REQUESTS: readonly (readonly [head: string, request: Request | Refusal["status"]])[] = [
  [`GET /metrics HTTP/1.1\r\n${HOST}\r\n`, get("/metrics")],
  [`HEAD / HTTP/1.1\r\n${HOST}\r\n`, { isHead: true, path: "/", accept: undefined }],
  [`GET /metrics HTTP/1.1\r\nhost:x\r\nACCEPT:  a/b;q=1 \t\r\naccept: c\r\n\r\n`, get("/metrics", "a/b;q=1,c")],
  ["GET /metrics HTTP/1.0\r\n\r\n", get("/metrics")],
  [`GET /a?b=/c HTTP/1.1\r\n${HOST}\r\n`, get("/a")],
  [`GET /a#b HTTP/1.1\r\n${HOST}\r\n`, get("/a")],
  [`GET http://mx.example:9825/metrics?x HTTP/1.1\r\n${HOST}\r\n`, get("/metrics")],
  [`GET HTTPS://mx.example HTTP/1.1\r\n${HOST}\r\n`, get("/")],
  [`GET /%2e%2e/x HTTP/1.1\r\n${HOST}\r\n`, get("/%2e%2e/x")],
  // Bare line feeds, and empty lines before a request.
  ["\r\n\nGET / HTTP/1.1\nHost: x\n\n", get("/")],
  // Octets after the head are none of it.
  [`GET / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nGET / HTTP/9\r\n`, get("/")],
  [`POST /metrics HTTP/1.1\r\n${HOST}\r\n`, 405],
  [`get /metrics HTTP/1.1\r\n${HOST}\r\n`, 405],
  [`OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, 405],
  ["GET / HTTP/1.1\r\n\r\n", 400],
  [`GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`, 400],
  [`GET / HTTP/1.1\r\n${HOST}no colon\r\n\r\n`, 400],
  [`GET / HTTP/1.1\r\n${HOST}X : blank before the colon\r\n\r\n`, 400],
  [`GET / HTTP/1.1\r\n${HOST} folded: x\r\n\r\n`, 400],
  [`GET / HTTP/1.1\r\n${HOST}X: \0\r\n\r\n`, 400],
  [`GET / HTTP/1.1\r\n${HOST}X: a\rb\r\n\r\n`, 400],
  ["GET /\r\n\r\n", 400],
  ["GET  / HTTP/1.1\r\n\r\n", 400],
  ["GET / x HTTP/1.1\r\n\r\n", 400],
  ["GET /\u00e4 HTTP/1.1\r\n\r\n", 400],
  ["EHLO mx.example\r\n", 400],
  ["\x16\x03\x01\x02\n", 400],
  ["GET / http/1.1\r\n\r\n", 400],
  [`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`, 505],
  [`GET / HTTP/3.0\r\n${HOST}\r\n`, 505],
  [`GET /${"x".repeat(REQUEST_LINE_LIMIT)}`, 414],
  ["\r\n".repeat(REQUEST_LINE_LIMIT), 414],
  [`GET / HTTP/1.1\r\nX: ${"x".repeat(HEADER_LIMIT)}`, 431],
  [`GET / HTTP/1.1\r\n${"X: y\r\n".repeat(HEADER_LIMIT / 6 + 1)}`, 431],
];

Deno.test("a request is read, or refused with its status, in any pieces", () => {
  for (const [head, expected] of REQUESTS) {
    const octets = bytesOf(head);
    for (const size of [octets.length, 1, 7]) {
      const reader = new RequestReader();
      let asked: Request | Refusal | undefined;
      for (let at = 0; at < octets.length && !asked; at += size) asked = reader.push(octets.subarray(at, at + size));
      const seen = asked && "status" in asked ? asked.status : asked;
      assert.deepEqual(seen, expected, `${head.slice(0, 60)} in pieces of ${size}`);
    }
  }
});

Deno.test("half of a head is no request yet", () => {
  for (const half of ["", "GET / HTTP/1.1", "GET / HTTP/1.1\r\n", `GET / HTTP/1.1\r\n${HOST}`, "\r\n"]) {
    assert.equal(new RequestReader().push(bytesOf(half)), undefined, half);
  }
});

Deno.test("a head of just the limits is taken", () => {
  const target = `/${"x".repeat(REQUEST_LINE_LIMIT - "GET / HTTP/1.1\r\n".length)}`;
  assert.deepEqual(new RequestReader().push(bytesOf(`GET ${target} HTTP/1.1\r\n${HOST}\r\n`)), get(target));
  const filler = "x".repeat(HEADER_LIMIT - `${HOST}X: \r\n\r\n`.length);
  const asked = new RequestReader().push(bytesOf(`GET / HTTP/1.1\r\n${HOST}X: ${filler}\r\n\r\n`));
  assert.deepEqual(asked, get("/"));
});

Deno.test("a response has its length in octets, says that the connection ends, and has no body after HEAD", () => {
  const now = new Date(Date.UTC(2026, 10, 29, 2, 12, 3));
  const response = plainText(503, "h\u00e4lt", { Allow: "GET" });
  const head = [
    "HTTP/1.1 503 Service Unavailable",
    "Date: Sun, 29 Nov 2026 02:12:03 GMT",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Length: 6",
    "Connection: close",
    "Cache-Control: no-store",
    "X-Content-Type-Options: nosniff",
    "Allow: GET",
    "",
    "",
  ].join("\r\n");
  assert.equal(textOf(formatResponse(response, { isHead: false, now })), `${head}h\u00e4lt\n`);
  assert.equal(textOf(formatResponse(response, { isHead: true, now })), head);
});
