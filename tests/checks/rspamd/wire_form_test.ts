// Tests of lib/checks/rspamd/wire_form.ts: line ends, whole and one octet at a time.

import assert from "node:assert/strict";
import { WireForm } from "../../../lib/checks/rspamd/wire_form.ts";
import { bytesOf, concat, textOf } from "../../../lib/text/octets.ts";

const ROWS = [
  { text: "", own: "", other: "" },
  { text: "a", own: "a", other: "a" },
  { text: "a\n\n.\nb\n", own: "a\r\n\r\n.\r\nb\r\n", other: "a\r\n\r\n.\r\nb\r\n" },
  // A CR before LF: in a message of our own it is a bare one, in a file it may be half a line end.
  { text: "a\r\nb\n", own: "a\r\r\nb\r\n", other: "a\r\nb\r\n" },
  { text: "\r\n\r\r\n", own: "\r\r\n\r\r\r\n", other: "\r\n\r\r\n" },
  { text: "a\rb\0\n", own: "a\rb\0\r\n", other: "a\rb\0\r\n" },
];

Deno.test("a message in the form of the wire", () => {
  for (const { text, own, other } of ROWS) {
    for (const cut of [1, 2, 3, 100]) {
      for (const [lineEnds, wire] of [["lf", own], ["lf-or-crlf", other]] as const) {
        const encoder = new WireForm(lineEnds);
        const counter = new WireForm(lineEnds);
        const octets = bytesOf(text);
        const parts: Uint8Array[] = [];
        let count = 0;
        for (let at = 0; at < octets.length; at += cut) {
          parts.push(encoder.encode(octets.subarray(at, at + cut)).slice());
          count += counter.count(octets.subarray(at, at + cut));
        }
        assert.equal(textOf(concat(parts)), wire, JSON.stringify([text, lineEnds, cut]));
        assert.equal(count, wire.length, JSON.stringify([text, lineEnds, cut]));
      }
    }
  }
});
