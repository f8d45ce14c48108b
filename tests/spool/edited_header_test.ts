// Tests of lib/spool/edited_header.ts: its content, size, lines and file, and that it holds nothing in memory.

import assert from "node:assert/strict";
import type { Content } from "../../lib/mail/message.ts";
import type { HeaderEdit } from "../../lib/mime/header.ts";
import { editHeader } from "../../lib/spool/edited_header.ts";
import { Outfile } from "../../lib/spool/hand_over.ts";
import { bytesOf, concat, textOf } from "../../lib/text/octets.ts";
import { SharedTurn } from "../../lib/wire/shared_turn.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { content, fillSpool, isSame, newSpool, readAll } from "../fakes/spool.ts";
import { CHANGES, NO_CHANGES } from "./deeds.ts";

const K = 1024;

const turn = new SharedTurn(new FakeClock());

const EDIT: HeaderEdit = { changes: [{ do: "remove", name: "B" }, { do: "add", name: "X", value: "y" }] };

async function spooled(text: string, crLines = 0) {
  const { files: disk } = new FakeRuntime();
  const { spool, files } = newSpool(disk);
  await fillSpool(spool, bytesOf(text));
  await spool.settle(crLines);
  return { disk, spool, files };
}

async function textIn(source: Content): Promise<string> {
  return textOf(await readAll(source));
}

Deno.test("editHeader changes only the header, and knows the new size", async () => {
  const rows: readonly [message: string, edits: readonly HeaderEdit[], result: string][] = [
    ["A: 1\nB: 2\n\nB: text\n", [EDIT], "A: 1\nX: y\n\nB: text\n"],
    ["A: 1\nB: 2", [EDIT], "A: 1\nX: y\n"],
    ["text", [EDIT], "X: y\n\ntext"],
    ["", [EDIT], "X: y\n"],
    // A whole new header comes before all changes, of all checks.
    ["A: 1\n\ntext\n", [EDIT, { whole: bytesOf("N: 1\nB: 2\n") }], "N: 1\nX: y\n\ntext\n"],
    ["A: 1\n\ntext\n", [{ whole: bytesOf("N: 1\n") }], "N: 1\n\ntext\n"],
    // In order.
    ["A: 1\n\ntext\n", [EDIT, { changes: [{ do: "remove", name: "X" }] }], "A: 1\n\ntext\n"],
  ];
  for (const [message, edits, result] of rows) {
    const { spool, files } = await spooled(message);
    const edited = await editHeader(spool, edits, { files, turn });
    assert.equal(await textIn(edited), result);
    assert.equal(edited.size, bytesOf(result).length);
    // Again and again, and at once.
    assert.deepEqual(await Promise.all([textIn(edited), textIn(edited)]), [result, result]);
    assert.equal(await textIn(spool), message);
  }
});

Deno.test("editHeader returns the same content if nothing changes", async () => {
  const { spool, files } = await spooled("A: 1\ntext\n");
  const edits: HeaderEdit[] = [{}, { changes: [{ do: "remove", name: "X" }, { do: "remove", name: "A", which: 2 }] }];
  assert.equal(await editHeader(spool, edits, { files, turn }), spool);
});

Deno.test("editHeader counts the lines that have a CR of their own, and keeps how lines end", async () => {
  for (
    const [message, crLines, left] of [
      ["A: 1\r\nB: 2\r\n3\n\ntext\r\n", 3, 1],
      ["A: 1\r\nB: 2\r\n 3\r\n\r\ntext\r\n", 5, 3],
      ["A: 1\nB: 2\n\ntext\n", 0, 0],
    ] as const
  ) {
    const { spool, files } = await spooled(message, crLines);
    const edited = await editHeader(spool, [EDIT], { files, turn });
    const counted = (await textIn(edited)).split("\r\n").length - 1;
    assert.deepEqual([edited.crLines, edited.lineEnds], [counted, "lf"], message);
    assert.ok(counted >= left);
  }
  // A program's version with CR LF as line ends.
  const { spool, files, disk } = await spooled("A: 1\n\ntext\n");
  const outfile = await Outfile.in(files);
  disk.overwrite(outfile.path, bytesOf("B: 1\r\nC: 2\r\n\r\ntext\r\n"));
  const edited = await editHeader((await outfile.written(spool))!, [EDIT], { files, turn });
  assert.equal(edited.lineEnds, "lf-or-crlf");
  assert.equal(await textIn(edited), "C: 2\r\nX: y\n\r\ntext\r\n");
});

Deno.test("a message with another header is a file for programs, which cannot change the message unnoticed", async () => {
  for (const [what, deed] of Object.entries({ ...NO_CHANGES, ...CHANGES })) {
    for (const size of [100, 900 * K]) {
      const { files: disk } = new FakeRuntime();
      const { spool, files } = newSpool(disk);
      const body = content(size);
      await fillSpool(spool, concat([bytesOf("B: 1\n\n"), body]), 64 * K);
      const edited = await editHeader(spool, [EDIT], { files, turn });
      const octets = concat([bytesOf("X: y\n\n"), body]);
      const file = await edited.file();
      assert.equal(file, await edited.file());
      assert.equal(file.path, "/tmp/postprox-1-0.head");
      assert.ok(isSame(disk.octetsOf(file.path), octets));
      deed(disk, file.path, octets);
      assert.equal(await file.isIntact(), !(what in CHANGES), what);
      const change = await file.changed();
      assert.equal(change !== undefined, what in CHANGES, what);
      if (change) assert.ok(isSame(await readAll(change), disk.octetsOf(file.path)));
      // The delivery does not read from there.
      assert.ok(isSame(await readAll(edited), octets));
      await spool.remove();
      assert.deepEqual(disk.paths, []);
      assert.equal(disk.handles, 0);
    }
  }
});

Deno.test("a second message with another header, and a second OUTFILE, have files of their own", async () => {
  const { spool, files, disk } = await spooled("A: 1\n\n");
  const once = await editHeader(spool, [EDIT], { files, turn });
  const twice = await editHeader(once, [EDIT], { files, turn });
  assert.deepEqual([(await once.file()).path, (await twice.file()).path], [
    "/tmp/postprox-1-0.head",
    "/tmp/postprox-1-0.head2",
  ]);
  assert.deepEqual([(await Outfile.in(files)).path, (await Outfile.in(files)).path], [
    "/tmp/postprox-1-0.out",
    "/tmp/postprox-1-0.out2",
  ]);
  assert.equal(await textIn(twice), "A: 1\nX: y\nX: y\n\n");
  await spool.remove();
  assert.deepEqual(disk.paths, []);
});

Deno.test("editHeader: what is left of a header with many fields removed comes in few pieces", async () => {
  const { spool, files } = await spooled("X-A: y\nB: z\n".repeat(10_000) + "\ntext\n");
  const edited = await editHeader(spool, [{ changes: [{ do: "remove", name: "X-A" }] }], { files, turn });
  let count = 0;
  for await (const { length } of edited.chunks()) {
    // For some readers, an empty piece is the end.
    assert.ok(length > 0);
    count++;
  }
  assert.ok(count < 30, `${count} pieces`);
  assert.equal(await textIn(edited), "B: z\n".repeat(10_000) + "\ntext\n");
});

Deno.test("editHeader: a header of 20 MB is not in memory, only its pieces", async () => {
  const chunk = bytesOf("X-Long: y\n".repeat(10_000));
  let count = 0;
  const source: Content = {
    size: 200 * chunk.length,
    lineEnds: "lf",
    crLines: 0,
    async *chunks() {
      for (let at = 0; at < 200; at++) {
        count++;
        yield chunk;
      }
    },
    file: () => Promise.reject(new Error("nobody asked for one")),
  };
  const { files } = newSpool(new FakeRuntime().files);
  const edit: HeaderEdit = {
    changes: [{ do: "remove", name: "x-long", which: -1 }, { do: "add", name: "X", value: "y", at: 0 }],
  };
  let turns = 0;
  const edited = await editHeader(source, [edit], { files, turn: { share: async () => void turns++ } });
  assert.equal(edited.size, source.size - 10 + 5);
  assert.equal(count, 400);
  // Nothing holds the event loop for long: it was read twice.
  assert.ok(turns > 2 * source.size / 16_384, `${turns} turns`);
  let size = 0;
  for await (const part of edited.chunks()) size += part.length;
  assert.equal(size, edited.size);
});
