// Tests of lib/modes/reload_words.ts: the directory, and what is said, as lines.

import assert from "node:assert/strict";
import {
  ANSWER_LIMIT,
  BUG,
  ENDING,
  formatAnswer,
  formatQuestion,
  parseAnswer,
  parseQuestion,
  readLine,
  runtimeDirectory,
} from "../../lib/modes/reload_words.ts";
import { bytesOf } from "../../lib/text/octets.ts";

Deno.test("runtimeDirectory is the first of those that systemd has made, and an absolute path", () => {
  const rows: readonly [string | undefined, string | undefined][] = [
    ["/run/postprox", "/run/postprox"],
    ["/run/postprox:/run/other", "/run/postprox"],
    [undefined, undefined],
    ["", undefined],
    ["run/postprox", undefined],
    [":/run/postprox", undefined],
  ];
  for (const [value, expected] of rows) {
    const variable = (name: string) => name === "RUNTIME_DIRECTORY" ? value : undefined;
    assert.equal(runtimeDirectory(variable), expected, value);
  }
});

Deno.test("a question is read as it was asked, and nothing else is a question", () => {
  for (const pid of [undefined, 1, 4194304]) {
    const line = formatQuestion(pid);
    assert.match(line, /^[^\n]*\n$/);
    assert.deepEqual(parseQuestion(line.slice(0, -1)), { pid });
  }
  for (
    const line of ["", "reload ", "reload x", "reload -1", "reload 1 2", "reloaded", " reload", "EHLO mx", "reload\r"]
  ) {
    assert.equal(parseQuestion(line), undefined, line);
  }
});

Deno.test("an answer is one line, and is read as it was given", () => {
  const answers = [
    { isDone: true, needsRestart: [] },
    { isDone: true, needsRestart: ["--user", "--log"] },
    { isDone: false, why: "/etc/p.conf:1: timeout = x\n/etc/p.conf:2: \u00e9 \u001b[1m" },
    ENDING,
    BUG,
    { pid: 17 },
  ] as const;
  for (const answer of answers) {
    const line = formatAnswer(answer);
    assert.match(line, /^[^\n]*\n$/);
    assert.deepEqual(parseAnswer(line.slice(0, -1)), answer);
  }
  for (
    const line of ["", "{", "null", "7", "[]", "{}", '{"isDone":true}', '{"isDone":false}', '{"isDone":"yes","why":""}']
  ) {
    assert.equal(parseAnswer(line), undefined, line);
  }
});

Deno.test("an answer has a bound, whatever the reasons are", () => {
  for (const character of ["x", "\u001b", "\u20ac", "\ud800"]) {
    const line = formatAnswer({ isDone: false, why: character.repeat(1_000_000) });
    assert.ok(bytesOf(line).length <= ANSWER_LIMIT, character);
    const answer = parseAnswer(line.slice(0, -1));
    assert.ok(answer && "why" in answer && answer.why.endsWith("...\nthe log has more"), character);
  }
});

Deno.test("readLine takes the first line, in whatever pieces it comes", async () => {
  const rows: readonly [pieces: readonly string[], limit: number, line: string | undefined][] = [
    [["reload 17\n"], 64, "reload 17"],
    [["rel", "oad\nmore\n"], 64, "reload"],
    [["\n"], 64, ""],
    [["reload"], 64, undefined],
    [[], 64, undefined],
    [["rel", "oad 1"], 8, "reload 1"],
    [["reload\n"], 7, "reload"],
  ];
  for (const [pieces, limit, line] of rows) {
    const left = pieces.map((piece) => bytesOf(piece));
    const read = async (into: Uint8Array) => {
      const piece = left.shift();
      if (!piece) return null;
      into.set(piece);
      return piece.length;
    };
    assert.equal(await readLine({ read }, limit), line, pieces.join("|"));
  }
});
