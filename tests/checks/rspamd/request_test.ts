// Tests of lib/checks/rspamd/request.ts.

import assert from "node:assert/strict";
import { formatRequest, type RequestFacts, type RequestOptions } from "../../../lib/checks/rspamd/request.ts";
import { textOf } from "../../../lib/text/octets.ts";

const NOTHING: RequestFacts = { sender: undefined, recipients: [], address: undefined };
const OPTIONS: RequestOptions = { password: undefined, size: 5 };

const HEAD = [
  "POST /checkv2 HTTP/1.1",
  "Host: rspamd",
  "User-Agent: postprox",
  "Content-Type: message/rfc822",
  "Content-Length: 5",
  "Flags: milter",
];

const ROWS: readonly { facts: Partial<RequestFacts>; password?: string; lines: readonly string[] }[] = [
  { facts: {}, lines: [] },
  {
    facts: {
      sender: "a@example.org",
      recipients: ["b@example.com", "c@example.com"],
      address: "192.0.2.7",
      name: "mx.example.org",
      helo: "helo.example.org",
      ident: "4ABC12",
    },
    password: "s3 cret",
    lines: [
      "Password: s3 cret",
      "IP: 192.0.2.7",
      "Helo: helo.example.org",
      "Hostname: mx.example.org",
      "From: a@example.org",
      "Queue-Id: 4ABC12",
      "Rcpt: b@example.com",
      "Rcpt: c@example.com",
    ],
  },
  { facts: { sender: "", address: "2001:db8::1" }, lines: ["IP: 2001:db8::1", "From: <>"] },
  { facts: { sender: '"a, b"@example.org' }, lines: ['From: "a, b"@example.org'] },
  { facts: { sender: "müller@example.org" }, lines: ["From: müller@example.org"] },
  // Nothing in a value begins another field.
  {
    facts: { sender: "a\r\nPass: all@x", helo: "x\nRcpt: y", name: "\0\x7f\u0085", recipients: ["a\rb@c"] },
    lines: ["Helo: x?Rcpt: y", "Hostname: ???", "From: a??Pass: all@x", "Rcpt: a?b@c"],
  },
  { facts: { helo: "x".repeat(5000) }, lines: [`Helo: ${"x".repeat(2048)}`] },
];

Deno.test("a request to rspamd", () => {
  for (const { facts, password, lines } of ROWS) {
    const { octets, leftOut } = formatRequest({ ...NOTHING, ...facts }, { ...OPTIONS, password });
    assert.deepEqual(textOf(octets).split("\r\n"), [...HEAD, ...lines, "", ""]);
    assert.equal(leftOut, 0);
  }
});

Deno.test("a request has at most as many recipients as rspamd takes", () => {
  const recipients = Array.from({ length: 20_000 }, (_, n) => `recipient${n}@example.org`);
  const { octets, leftOut } = formatRequest({ ...NOTHING, recipients }, OPTIONS);
  assert.ok(octets.length < 80 * 1024);
  assert.equal(textOf(octets).split("\r\nRcpt: ").length - 1 + leftOut, 20_000);
  assert.ok(leftOut > 0);
});
