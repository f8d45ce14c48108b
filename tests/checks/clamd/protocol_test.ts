// Tests of lib/checks/clamd/protocol.ts: questions read back by a slow reference, and a table of answers.

import assert from "node:assert/strict";
import { type ClamdAnswer, FRAME, frameChunk, parseClamdAnswer } from "../../../lib/checks/clamd/protocol.ts";
import { octets, spelled } from "../../rig/octets.ts";

/** All of a message as it is sent, cut into `chunks`. */
function question(chunks: readonly string[]): string {
  return chunks.map((chunk, at) => {
    // Old octets in the room must not shine through.
    const room = new Uint8Array(chunk.length + FRAME).fill(0xee);
    return spelled(frameChunk(octets(chunk), room, { isFirst: at === 0, isLast: at === chunks.length - 1 }));
  }).join("");
}

Deno.test("frameChunk writes the command, each chunk after its length, and the end", () => {
  assert.equal(question([""]), "zINSTREAM\0\0\0\0\0");
  assert.equal(question(["a"]), "zINSTREAM\0\0\0\0\x01a\0\0\0\0");
  assert.equal(question(["ab\0", "\n", "d"]), "zINSTREAM\0\0\0\0\x03ab\0\0\0\0\x01\n\0\0\0\x01d\0\0\0\0");
  const long = "x".repeat(0x01_02_03);
  assert.equal(question([long]), `zINSTREAM\0\0\x01\x02\x03${long}\0\0\0\0`);
});

Deno.test("frameChunk needs no more room than it says", () => {
  const chunk = octets("abc");
  const framed = frameChunk(chunk, new Uint8Array(chunk.length + FRAME), { isFirst: true, isLast: true });
  assert.equal(framed.length, chunk.length + FRAME);
});

Deno.test("parseClamdAnswer knows each answer, and takes nothing else for one", () => {
  const rows: [string, ClamdAnswer | undefined][] = [
    ["stream: OK", { kind: "clean" }],
    ["stream: Eicar-Test FOUND", { kind: "found", name: "Eicar-Test" }],
    ["stream: Win.Test.EICAR_HDB-1(44d88612:68) FOUND", { kind: "found", name: "Win.Test.EICAR_HDB-1(44d88612:68)" }],
    ["stream: OK FOUND", { kind: "found", name: "OK" }],
    ["stream: a b\nc FOUND", { kind: "found", name: "a b\nc" }],
    ["stream: ERROR FOUND", { kind: "found", name: "ERROR" }],

    ["INSTREAM size limit exceeded. ERROR", { kind: "too large" }],
    ["stream: INSTREAM: Size limit exceeded ERROR", { kind: "too large" }],
    ["stream: Can't allocate memory ERROR", { kind: "error", text: "stream: Can't allocate memory ERROR" }],
    ["UNKNOWN COMMAND ERROR", { kind: "error", text: "UNKNOWN COMMAND ERROR" }],
    ["ERROR", { kind: "error", text: "ERROR" }],
    ["stream: OK ERROR", { kind: "error", text: "stream: OK ERROR" }],

    ["", undefined],
    ["OK", undefined],
    ["stream: ok", undefined],
    ["stream: OK\n", undefined],
    [" stream: OK", undefined],
    ["1: stream: OK", undefined],
    ["stream: OKAY", undefined],
    ["stream: not OK", undefined],
    ["stream:  FOUND", undefined],
    ["stream: FOUND", undefined],
    ["Eicar FOUND", undefined],
    ["stream: Eicar FOUND.", undefined],
    ["stream: NOTFOUND", undefined],
    ["stream: MIRROR", undefined],
    ["PONG", undefined],
    ["UNKNOWN COMMAND", undefined],
  ];
  for (const [text, answer] of rows) assert.deepEqual(parseClamdAnswer(text), answer, JSON.stringify(text));
});
