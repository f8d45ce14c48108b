// Tests of lib/spool/given_file.ts: it sees each change of a file, at every size, even an immediate one. A program's
// version of a message is a message like any other.

import assert from "node:assert/strict";
import { IoError } from "../../lib/ports/io_error.ts";
import type { Spool } from "../../lib/spool/spool.ts";
import { versionIn } from "../../lib/spool/given_file.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { content, fillSpool, isSame, newSpool, readAll } from "../fakes/spool.ts";
import { CHANGES, type Deed, GIVEN_SIZES, NO_CHANGES } from "./deeds.ts";

const K = 1024;
const EMAIL = "/tmp/postprox-1-0.eml";

async function filled(size: number): Promise<{ spool: Spool; runtime: FakeRuntime }> {
  const runtime = new FakeRuntime();
  const { spool } = newSpool(runtime.files);
  await fillSpool(spool, content(size), 10_000);
  return { spool, runtime };
}

async function assertRemoved({ spool, runtime }: { spool: Spool; runtime: FakeRuntime }, name?: string): Promise<void> {
  await spool.remove();
  assert.equal(runtime.files.handles, 0, name);
  assert.deepEqual(runtime.files.paths, [], name);
}

Deno.test("the file is the same one each time, as programs leave it, even after a look at the message", async () => {
  for (const size of [...GIVEN_SIZES, 1, 4097]) {
    const { spool, runtime } = await filled(size);
    assert.ok(isSame(await readAll(spool), content(size)));
    const file = await spool.file();
    assert.equal(file.path, EMAIL);
    assert.equal(await file.changed(), undefined);
    assert.ok(isSame(runtime.files.octetsOf(EMAIL), content(size)), `${size}`);
    runtime.files.overwrite(EMAIL, content(10));
    assert.equal(await spool.file(), file);
    assert.ok(isSame(runtime.files.octetsOf(EMAIL), content(10)), `${size}`);
    await spool.remove();
  }
});

Deno.test("isIntact sees each change of EMAIL at every size, even an immediate one, and nothing else", async () => {
  const rows: readonly (readonly [what: string, deed: Deed, isIntact: boolean])[] = [
    ...Object.entries(CHANGES).map(([what, deed]) => [what, deed, false] as const),
    ...Object.entries(NO_CHANGES).map(([what, deed]) => [what, deed, true] as const),
    ["empties it", (files, path) => files.overwrite(path, new Uint8Array(0)), false],
    ["makes it a directory", (files, path) => files.replace(path, new Uint8Array(0), "directory"), false],
    ["removes it", (files, path) => files.unlink(path), true],
  ];
  for (const size of GIVEN_SIZES) {
    for (const [what, deed, isIntact] of rows) {
      const { spool, runtime } = await filled(size);
      const file = await spool.file();
      deed(runtime.files, file.path, content(size));
      assert.equal(await file.isIntact(), isIntact, `${what}, ${size} octets`);
      if (isIntact) assert.ok(isSame(await readAll(spool), content(size)), `${what}, ${size} octets`);
      await spool.remove();
      assert.equal(runtime.files.handles, 0);
    }
  }
});

Deno.test("isIntact sees text that was written into a file that was moved away, even with a copy in its place", async () => {
  for (const size of GIVEN_SIZES) {
    for (const isReplaced of [false, true]) {
      const { spool, runtime } = await filled(size);
      const file = await spool.file();
      runtime.files.overwrite(EMAIL, content(5));
      runtime.files.unlink(EMAIL);
      if (isReplaced) runtime.files.replace(EMAIL, content(size));
      // The content in memory is safe from that.
      assert.equal(await file.isIntact(), size <= 256 * K);
      await spool.remove();
    }
  }
});

Deno.test("changed makes a program's version a new message, and the old one stays as it was", async () => {
  for (const size of GIVEN_SIZES) {
    for (const [what, deed] of Object.entries(CHANGES)) {
      const { spool, runtime } = await filled(size);
      deed(runtime.files, (await spool.file()).path, content(size));
      const octets = runtime.files.octetsOf(EMAIL);
      const name = `${what}, ${size} octets`;
      const changed = await (await spool.file()).changed();
      assert.ok(changed, name);
      assert.equal(changed.size, octets.length, name);
      assert.equal(changed.lineEnds, "lf-or-crlf");
      const both = await Promise.all([readAll(changed), readAll(changed)]);
      assert.ok(both.every((one) => isSame(one, octets)), name);
      // The next program has that file.
      const file = await changed.file();
      assert.equal(file.path, EMAIL);
      assert.equal(await changed.file(), file);
      assert.equal(await file.isIntact(), true, name);
      runtime.files.overwrite(EMAIL, octets);
      assert.equal(await file.isIntact(), true, name);
      assert.equal(await file.changed(), undefined, name);
      runtime.files.overwrite(EMAIL, octets.map((octet) => octet ^ 1));
      assert.equal(await file.isIntact(), false, name);
      const again = await file.changed();
      assert.ok(again && isSame(await readAll(again), octets.map((octet) => octet ^ 1)), name);
      if (size <= 256 * K) assert.ok(isSame(await readAll(spool), content(size)), name);
      await assertRemoved({ spool, runtime }, name);
    }
  }
});

Deno.test("changed: a version that the next program removes is still delivered", async () => {
  for (const size of GIVEN_SIZES) {
    const { spool, runtime } = await filled(size);
    const file = await spool.file();
    runtime.files.overwrite(EMAIL, content(size + 1));
    const changed = (await file.changed())!;
    const next = await changed.file();
    runtime.files.unlink(EMAIL);
    assert.equal(await next.isIntact(), true);
    assert.ok(isSame(await readAll(changed), content(size + 1)));
    await assertRemoved({ spool, runtime });
  }
});

Deno.test("changed ignores a file as it was, and refuses one that is no message", async () => {
  for (const size of GIVEN_SIZES) {
    for (const [what, deed] of Object.entries(NO_CHANGES)) {
      const { spool, runtime } = await filled(size);
      const file = await spool.file();
      deed(runtime.files, file.path, content(size));
      assert.equal(await file.changed(), undefined, `${what}, ${size} octets`);
      await spool.remove();
    }
    const { spool, runtime } = await filled(size);
    const file = await spool.file();
    runtime.files.replace(EMAIL, new Uint8Array(0));
    await assert.rejects(file.changed(), /empty/);
    runtime.files.replace(EMAIL, content(10), "other");
    await assert.rejects(file.changed(), /no regular file/);
    runtime.files.unlink(EMAIL);
    await assert.rejects(file.changed(), (error) => error instanceof IoError && error.kind === "missing");
    await assertRemoved({ spool, runtime });
  }
});

Deno.test("a version opens its name when it is read, and closes it, even if reading ends early", async () => {
  const { files: disk } = new FakeRuntime();
  const { files } = newSpool(disk);
  disk.replace("/tmp/x.out", content(10));
  const version = await versionIn(files, "/tmp/x.out", { size: 300 * K, crLines: 0 });
  disk.replace("/tmp/x.out", content(300 * K));
  assert.ok(isSame(await readAll(version), content(300 * K)));
  for await (const _chunk of version.chunks()) break;
  assert.equal(disk.handles, 0);
  // A process that runs on may write into it. The size stays the one that was judged.
  disk.replace("/tmp/x.out", content(301 * K));
  assert.ok(isSame(await readAll(version), content(301 * K).subarray(0, 300 * K)));
  for (const left of [299 * K, 0]) {
    disk.replace("/tmp/x.out", content(left));
    await assert.rejects(readAll(version), /shorter than its message/);
  }
  assert.equal(disk.handles, 0);
  disk.unlink("/tmp/x.out");
  await assert.rejects(readAll(version), (error) => error instanceof IoError && error.kind === "missing");
});
