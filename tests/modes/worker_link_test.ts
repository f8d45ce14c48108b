// Tests of lib/modes/worker_link.ts: words as lines, and lines that are no words.

import assert from "node:assert/strict";
import { SYSLOG } from "../../lib/log/sinks.ts";
import {
  formatWord,
  Lines,
  parseToSupervisor,
  parseToWorker,
  type ToSupervisor,
  type ToWorker,
} from "../../lib/modes/worker_link.ts";
import { textOf } from "../../lib/text/octets.ts";
import { octets } from "../rig/octets.ts";

const LOG = { target: SYSLOG, format: "json", verbosity: 1 } as const;

const TO_WORKER: readonly ToWorker[] = [
  { say: "files", files: { "/etc/rules": "line 1\nline \u00ff\r\n\u0000" }, log: LOG, counts: false },
  { say: "files", files: {}, log: LOG, counts: false },
  { say: "ping" },
  { say: "reopen" },
  { say: "drain" },
  { say: "stop" },
  { say: "snapshot", id: 7 },
  { say: "turn", id: 0 },
  { say: "places", count: 0 },
  { say: "recall" },
];

const TO_SUPERVISOR: readonly ToSupervisor[] = [
  { say: "ready" },
  { say: "failed", why: "no\nroom" },
  { say: "pong" },
  { say: "leaving", signal: "SIGTERM" },
  { say: "snapshot", id: 7, snapshot: { sessions: 1 } },
  { say: "snapshot", id: 7, snapshot: null },
  { say: "wantTurn", id: 1 },
  { say: "endTurn", id: 1 },
  { say: "wantPlaces", count: 3 },
  { say: "givePlaces", count: 0 },
];

Deno.test("A word is one line, and is read as it was said, however its octets are cut", () => {
  for (const [words, parse] of [[TO_WORKER, parseToWorker], [TO_SUPERVISOR, parseToSupervisor]] as const) {
    const whole = words.map((word) => textOf(formatWord(word))).join("");
    assert.equal(whole.split("\n").length, words.length + 1);
    for (const size of [1, 2, 7, 64, whole.length]) {
      const lines = new Lines();
      const bytes = new TextEncoder().encode(whole);
      const read: unknown[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        for (const line of lines.push(bytes.subarray(at, at + size))) read.push(parse(line));
      }
      assert.deepEqual(read, words, `pieces of ${size}`);
    }
  }
});

Deno.test("A line that is no word is left out", () => {
  for (
    const line of [
      "",
      "{",
      "null",
      "7",
      '"ping"',
      "[]",
      "{}",
      '{"say":7}',
      '{"say":"toString"}',
      '{"say":"fly"}',
      '{"say":"places"}',
      '{"say":"places","count":-1}',
      '{"say":"places","count":1.5}',
      '{"say":"places","count":"1"}',
      '{"say":"places","count":1e99}',
      '{"say":"files","files":null}',
    ]
  ) {
    assert.equal(parseToWorker(line), undefined, line);
  }
  // Each side has its own words. A field that is not known does no harm.
  assert.equal(parseToSupervisor('{"say":"ping"}'), undefined);
  assert.equal(parseToWorker('{"say":"pong"}'), undefined);
  assert.deepEqual(parseToSupervisor('{"say":"pong","load":1}'), { say: "pong", load: 1 });
});

Deno.test("Lines keeps the part of a line whose end has not come", () => {
  const lines = new Lines();
  assert.deepEqual(lines.push(octets("a")), []);
  assert.deepEqual(lines.push(octets("b\nc\n\nd")), ["ab", "c", ""]);
  assert.deepEqual(lines.push(octets("\n")), ["d"]);
});
