// Tests of lib/spool/replacement.ts: a program's version is read as it was judged, and its line ends are what they were.

import assert from "node:assert/strict";
import { IoError } from "../../lib/ports/io_error.ts";
import { bytesOf, concat } from "../../lib/text/octets.ts";
import type { LineEnds } from "../../lib/smtp/dot_codec.ts";
import { checksumOf, holds, lineEndsOf, Replacement } from "../../lib/spool/replacement.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

const K = 1024;

/** Octets of which no two windows are alike. */
function content(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at ^ (at >> 8) ^ (at >> 16)) & 0xff);
}

async function read(source: { chunks(): AsyncIterable<Uint8Array> }): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.chunks()) chunks.push(chunk.slice());
  return concat(chunks);
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((octet, at) => octet === other[at]);
}

/** A text in chunks of `step` octets. */
function source(text: string, step = Infinity): { chunks(): AsyncIterable<Uint8Array> } {
  const octets = bytesOf(text);
  return {
    async *chunks() {
      for (let at = 0; at < octets.length; at += step) yield octets.subarray(at, at + step);
    },
  };
}

Deno.test("Replacement reads what its name leads to when it is read, and closes it, also when reading ends early", async () => {
  const { files } = new FakeRuntime();
  files.replace("/tmp/x.out", content(10));
  const replacement = new Replacement(files, "/tmp/x.out", { size: 300 * K, lineEnds: "lf" });
  files.replace("/tmp/x.out", content(300 * K));
  assert.ok(same(await read(replacement), content(300 * K)));
  for await (const _chunk of replacement.chunks()) break;
  assert.equal(files.handles, 0);
  // What runs on may write into it: no more than was judged, and never less.
  files.replace("/tmp/x.out", content(301 * K));
  assert.ok(same(await read(replacement), content(301 * K).subarray(0, 300 * K)));
  for (const left of [299 * K, 0]) {
    files.replace("/tmp/x.out", content(left));
    await assert.rejects(read(replacement), /shorter than its message/);
  }
  assert.equal(files.handles, 0);
  files.unlink("/tmp/x.out");
  await assert.rejects(read(replacement), (error) => error instanceof IoError && error.kind === "missing");
});

Deno.test("lineEndsOf: lines that ended with CR LF are still those, and more of them are the program's own", async () => {
  const rows: readonly [version: string, crLines: number, lineEnds: LineEnds][] = [
    // The message had none: LF or CR LF, and each line may choose.
    ["a\nb\n", 0, "lf-or-crlf"],
    ["a\r\nb\n", 0, "lf-or-crlf"],
    // A copy, with and without a line before or behind it.
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

Deno.test("holds and checksumOf know content again, and nothing else", async () => {
  const { files } = new FakeRuntime();
  const valueOf = async (text: string, step: number) =>
    (await checksumOf(source(text, step), files.newChecksum())).value;
  const text = "some text, and some more";
  const others = ["", "some text", `${text}.`, text.replace("more", "less"), text.slice(1)];
  for (const step of [1, 5, Infinity]) {
    assert.ok(await holds(source(text, step), bytesOf(text)));
    assert.equal(await valueOf(text, step), await valueOf(text, Infinity));
    for (const other of others) {
      assert.ok(!await holds(source(other, step), bytesOf(text)), other);
      assert.notEqual(await valueOf(other, step), await valueOf(text, step), other);
    }
  }
});
