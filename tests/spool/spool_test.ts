// Tests of lib/spool/spool.ts and files.ts: the content comes back as it was appended, at every size around the limits,
// for any number of readers. `remove` leaves nothing.

import assert from "node:assert/strict";
import { IoError } from "../../lib/ports/io_error.ts";
import { isFull, type Spool } from "../../lib/spool/spool.ts";
import { newSpoolName } from "../../lib/spool/directory.ts";
import type { SpoolFiles } from "../../lib/spool/files.ts";
import { sweepSpoolDirectory } from "../../lib/spool/sweep.ts";
import { content, fillSpool, isSame, newSpool as spoolOn, readAll } from "../fakes/spool.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";

const K = 1024;
const EMAIL = "/tmp/postprox-1-0.eml";
const OUTFILE = "/tmp/postprox-1-0.out";

function newSpool(named: boolean): { spool: Spool; files: SpoolFiles; runtime: FakeRuntime } {
  const runtime = new FakeRuntime();
  return { ...spoolOn(runtime.files, { named }), runtime };
}

const SIZES = [0, 1, 4095, 4096, 4097, 128 * K, 208 * K, 208 * K + 1, 256 * K - 1, 256 * K, 256 * K + 1, 900_000];

Deno.test("Spool gives its content again and again, at any size and in any pieces", async () => {
  for (const size of SIZES) {
    for (const step of [1000, 64 * K, 400 * K]) {
      for (const named of [false, true]) {
        const { spool, runtime } = newSpool(named);
        const octets = content(size);
        await fillSpool(spool, octets, step);
        assert.equal(spool.size, size);
        const name = `${size} in steps of ${step}, named ${named}`;
        if (named) assert.ok(isSame(runtime.files.octetsOf((await spool.file()).path), octets), name);
        assert.ok(isSame(await readAll(spool), octets), name);
        assert.ok(isSame(await readAll(spool), octets), `${name}, again`);
        if (named) assert.ok(await (await spool.file()).isIntact(), name);
        await spool.remove();
        assert.deepEqual(runtime.files.paths, []);
        assert.equal(runtime.files.handles, 0, name);
      }
    }
  }
});

Deno.test("Two readers read Spool at once, in turns, one only to the middle, while programs get it", async () => {
  for (const size of SIZES) {
    for (const named of [false, true]) {
      const { spool, runtime } = newSpool(named);
      const octets = content(size);
      await fillSpool(spool, octets, 64 * K);
      const readers = [0, 1].map(() => ({ from: spool.chunks(), at: 0, isDone: false }));
      if (named) await spool.file();
      for (let turn = 0; readers.some(({ isDone }) => !isDone); turn++) {
        // The second one has two turns, so that their places differ.
        const reader = readers[turn % 3 === 0 ? 0 : 1]!;
        const { value, done } = await reader.from.next();
        reader.isDone = done === true;
        if (!value) continue;
        assert.ok(isSame(value, octets.subarray(reader.at, reader.at + value.length)), `${size} at ${reader.at}`);
        reader.at += value.length;
      }
      assert.deepEqual(readers.map(({ at }) => at), [size, size]);
      for await (const _chunk of spool.chunks()) break;
      const all = await Promise.all([readAll(spool), readAll(spool), readAll(spool)]);
      assert.ok(all.every((one) => isSame(one, octets)));
      await spool.remove();
      assert.equal(runtime.files.handles, 0);
    }
  }
});

Deno.test("A process that is killed while Spool removes its files leaves none that a sweep cannot judge", async () => {
  const outcomes = new Set<number>();
  for (let count = 0; count <= 3; count++) {
    const runtime = new FakeRuntime();
    runtime.files.boot();
    const { spool, files } = spoolOn(runtime.files, { name: newSpoolName(1) });
    await fillSpool(spool, content(10), 10);
    await spool.file();
    (await files.create("rcpt")).file.close();
    assert.equal(runtime.files.paths.length, 3);
    runtime.files.killAfter(count);
    // The disk fails each operation of a process that is dead.
    await spool.remove()?.catch(() => {});
    const left = runtime.files.paths;
    outcomes.add(left.length);
    assert.ok(left.length === 0 || left.some((path) => path.endsWith(".lock")), `${count}: ${left}`);
    runtime.files.restart();
    await sweepSpoolDirectory(runtime, "/tmp");
    assert.deepEqual(runtime.files.paths, [], String(count));
  }
  assert.deepEqual([...outcomes], [3, 2, 1, 0]);
});

Deno.test("Spool makes no file for a small message that nobody needs as one", async () => {
  const { spool, runtime } = newSpool(false);
  await fillSpool(spool, content(128 * K), 1000);
  await readAll(spool);
  await spool.remove();
  assert.deepEqual(runtime.files.operations, []);
});

Deno.test("SpoolFiles keeps files under their names", async () => {
  const { spool, files, runtime } = newSpool(true);
  await fillSpool(spool, content(10), 10);
  const { path, file } = await files.create("out");
  file.close();
  assert.equal(path, OUTFILE);
  assert.equal((await spool.file()).path, EMAIL);
  assert.deepEqual(runtime.files.paths, [EMAIL, OUTFILE]);
  await spool.remove();
  assert.deepEqual(runtime.files.paths, []);
});

Deno.test("SpoolFiles does not touch a file that already has its name", async () => {
  for (const ending of ["eml", "out"] as const) {
    const path = `/tmp/postprox-1-0.${ending}`;
    const { spool, files, runtime } = newSpool(true);
    runtime.files.replace(path, Uint8Array.of(7));
    await fillSpool(spool, content(10), 10);
    const making = ending === "eml" ? spool.file() : files.create(ending);
    await assert.rejects(making, (error) => error instanceof IoError && error.kind === "exists");
    await spool.remove();
    assert.deepEqual(runtime.files.octetsOf(path), Uint8Array.of(7));
    assert.equal(runtime.files.handles, 0);
  }
});

Deno.test("Spool.space throws for a full disk at a later call at the latest", async () => {
  const { spool, runtime } = newSpool(true);
  runtime.files.fail("append", "no-space");
  await assert.rejects(async () => {
    await fillSpool(spool, content(900 * K), 10_000);
  }, (error) => isFull(error));
  await spool.remove();
  assert.deepEqual(runtime.files.paths, []);
});

Deno.test("Spool.file throws for a failed write in the background", async () => {
  const { spool, runtime } = newSpool(true);
  runtime.files.fail("append", "no-space");
  await fillSpool(spool, content(300 * K), 10_000);
  await assert.rejects(spool.file(), isFull);
  await spool.remove();
  assert.deepEqual(runtime.files.paths, []);
  assert.equal(runtime.files.handles, 0);
});

Deno.test("Spool without a name leaves nothing if its file cannot lose its name at once", async () => {
  const { spool, runtime } = newSpool(false);
  runtime.files.fail("remove", "denied");
  await assert.rejects(fillSpool(spool, content(900 * K), 10_000), /denied/);
  runtime.files.mend();
  await spool.remove();
  assert.deepEqual(runtime.files.paths, []);
  assert.equal(runtime.files.handles, 0);
});

Deno.test("Spool.remove removes every file that it can, and can be called again", async () => {
  for (const ending of ["eml", "out"] as const) {
    const { spool, files, runtime } = newSpool(true);
    await fillSpool(spool, content(10), 10);
    (await files.create("out")).file.close();
    await spool.file();
    runtime.files.fail("remove", "denied", { ending });
    await assert.rejects(
      async () => await spool.remove(),
      (error) => error instanceof IoError && error.kind === "denied",
    );
    assert.deepEqual(runtime.files.paths, [`/tmp/postprox-1-0.${ending}`], `when .${ending} cannot be removed`);
    assert.equal(runtime.files.handles, 0);
    runtime.files.mend();
    await spool.remove();
  }
});

Deno.test("Spool.chunks throws when the file has become shorter than the message", async () => {
  const { spool, runtime } = newSpool(true);
  await fillSpool(spool, content(400 * K), 10_000);
  runtime.files.overwrite((await spool.file()).path, content(350 * K));
  await assert.rejects(readAll(spool), IoError);
  await spool.remove();
});

Deno.test("Spool.remove during a write that fails leaves no rejection behind", async () => {
  const { spool, runtime } = newSpool(true);
  runtime.files.fail("append", "other");
  await fillSpool(spool, content(300 * K), 129 * K);
  await spool.remove();
  await settled();
  assert.equal(runtime.files.handles, 0);
});
