// Tests of lib/checks/program/helper_lines.ts: what a helper is asked, and what counts as its answer.

import assert from "node:assert/strict";
import { formatQuestion, LineCutter, parseAnswer } from "../../../lib/checks/program/helper_lines.ts";
import { bytesOf, textOf } from "../../../lib/text/octets.ts";

Deno.test("formatQuestion makes one line of JSON, whatever a stranger says", () => {
  const question = {
    email: "/var/spool/postprox/a.eml",
    outfile: "/var/spool/postprox/a.out",
    sender: "<>",
    recipients: [`b"\\@example.org`, "é\r\n@example.org"],
    remoteip: "192.0.2.7",
    helo: "x".repeat(500),
    size: 4711,
  };
  const line = textOf(formatQuestion(17, question));
  assert.equal(line.indexOf("\n"), line.length - 1);
  assert.deepEqual(JSON.parse(line), { id: 17, ...question });
});

const ANSWERS: readonly [line: string, answer: { exit: number; text: string } | RegExp][] = [
  [`{"id":17,"exit":0}`, { exit: 0, text: "" }],
  [`{"exit":1,"text":"550 5.7.1 no","id":17}`, { exit: 1, text: "550 5.7.1 no" }],
  [` {"id":17,"exit":255,"text":"","more":[1]} `, { exit: 255, text: "" }],
  // The last line that is not blank, as with -c.
  [`{"id":17,"exit":1,"text":"first\\nlast\\n \\n"}`, { exit: 1, text: "last" }],
  [`{"id":17,"exit":1,"text":"first\\r\\nlast\\r"}`, { exit: 1, text: "last" }],

  ["ok", /no JSON: ok/],
  [`{"id":17,"exit":0`, /no JSON/],
  ["[17,0]", /no JSON object/],
  ["null", /no JSON object/],
  ["17", /no JSON object/],
  [`{"id":16,"exit":0}`, /not for the question 17/],
  [`{"id":"17","exit":0}`, /not for the question 17/],
  [`{"exit":0}`, /not for the question 17/],
  [`{"id":17}`, /"exit" is no status/],
  [`{"id":17,"exit":"0"}`, /"exit" is no status/],
  [`{"id":17,"exit":-1}`, /"exit" is no status/],
  [`{"id":17,"exit":256}`, /"exit" is no status/],
  [`{"id":17,"exit":0.5}`, /"exit" is no status/],
  [`{"id":17,"exit":1,"text":["no"]}`, /"text" is no text/],
  [`{"id":17,"exit":1,"text":null}`, /"text" is no text/],
];

Deno.test("parseAnswer takes an answer to the question, and gives the reason for any other line", () => {
  for (const [line, expected] of ANSWERS) {
    const answer = parseAnswer(line, 17);
    if (expected instanceof RegExp) {
      assert.match("wrong" in answer ? answer.wrong : "no mistake is seen", expected, line);
    } else assert.deepEqual(answer, expected, line);
  }
});

Deno.test("LineCutter gives the lines as they end, however they come, and cuts those that are too long", () => {
  const text = "one\ntwo\r\n\n12345678\n123456789\nabcdefghijklmnopqrst\nlast";
  const whole = ["one", "two", "", "12345678", "12345678", "9", "abcdefgh", "ijklmnop", "qrst"];
  for (let length = 1; length <= text.length; length++) {
    const cutter = new LineCutter(8);
    const octets = bytesOf(text);
    const lines: string[] = [];
    for (let at = 0; at < octets.length; at += length) lines.push(...cutter.push(octets.slice(at, at + length)));
    assert.deepEqual(lines, whole, `in pieces of ${length}`);
    assert.equal(cutter.end(), "last");
  }
});
