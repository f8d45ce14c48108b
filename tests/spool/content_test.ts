// Tests of lib/spool/content.ts: the line ends of a program's version are right, and two versions are told apart.

import assert from "node:assert/strict";
import { bytesOf } from "../../lib/text/octets.ts";
import type { LineEnds } from "../../lib/smtp/dot_codec.ts";
import { checksumOf, isSame, lineEndsOf } from "../../lib/spool/content.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

/** A text in chunks of `step` octets. */
function source(text: string, step = Infinity): { chunks(): AsyncIterable<Uint8Array> } {
  const octets = bytesOf(text);
  return {
    async *chunks() {
      for (let at = 0; at < octets.length; at += step) yield octets.subarray(at, at + step);
    },
  };
}

Deno.test("lineEndsOf: lines that ended with CR LF still do, and any more of them are the program's own", async () => {
  const rows: readonly [version: string, crLines: number, lineEnds: LineEnds][] = [
    // The message had none: LF or CR LF, and each line may choose.
    ["a\nb\n", 0, "lf-or-crlf"],
    ["a\r\nb\n", 0, "lf-or-crlf"],
    // A copy, with and without a line before or after it.
    ["a\r\nb\n", 1, "lf"],
    ["X: y\na\r\nb\n", 1, "lf"],
    ["a\r\nb", 1, "lf"],
    ["a\r\nb\r\n", 2, "lf"],
    ["a\r\r\nb\n", 1, "lf"],
    // Some of these lines are gone.
    ["b\n", 1, "lf"],
    ["a\r\nb\n", 5, "lf"],
    // The program writes CR LF.
    ["a\r\nb\r\n", 1, "lf-or-crlf"],
    ["a\r\r\nb\r\n", 1, "lf-or-crlf"],
    ["X: y\r\na\r\nb\n", 1, "lf-or-crlf"],
    // Neither half of it counts.
    ["a\rb\n\rc", 1, "lf"],
    ["", 1, "lf"],
  ];
  for (const [version, crLines, lineEnds] of rows) {
    for (const step of [1, 2, 3, Infinity]) {
      assert.equal(await lineEndsOf(source(version, step), crLines), lineEnds, `${JSON.stringify(version)}, ${step}`);
    }
  }
});

Deno.test("isSame and checksumOf recognize the same content, and no other, in any pieces", async () => {
  const { files } = new FakeRuntime();
  const valueOf = async (text: string, step: number) =>
    (await checksumOf(source(text, step), files.newChecksum())).value;
  const text = "some text, and some more";
  const others = [`${text.slice(1)}.`, text.replace("more", "less"), text.toUpperCase()];
  for (const step of [1, 5, Infinity]) {
    for (const otherStep of [1, 3, 5, Infinity]) {
      assert.ok(await isSame(source(text, step), source(text, otherStep)));
      for (const other of others) assert.ok(!await isSame(source(other, step), source(text, otherStep)), other);
      // Something has made one of them shorter.
      assert.ok(!await isSame(source(text, step), source(text.slice(0, 9), otherStep)));
    }
    assert.equal(await valueOf(text, step), await valueOf(text, Infinity));
    for (const other of ["", ...others]) assert.notEqual(await valueOf(other, step), await valueOf(text, step), other);
  }
});
