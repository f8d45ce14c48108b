// Tests of lib/spool/hand_over.ts: the copy that a program may change, its own version, the recipients.

import assert from "node:assert/strict";
import { IoError } from "../../lib/ports/io_error.ts";
import { giveCopy, giveRecipients, Outfile, withFileInPlace } from "../../lib/spool/hand_over.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { content, fillSpool, isSame, newSpool, readAll } from "../fakes/spool.ts";
import { CHANGES, GIVEN_SIZES, NO_CHANGES } from "./deeds.ts";

const K = 1024;

Deno.test("giveCopy gives a file that a program may change, and the message stays as it is", async () => {
  const copied = "/tmp/postprox-1-0.edit";
  for (const size of GIVEN_SIZES) {
    for (const isChanged of [false, true]) {
      for (const [what, deed] of Object.entries({ ...NO_CHANGES, ...CHANGES })) {
        const { files: disk } = new FakeRuntime();
        const { spool, files } = newSpool(disk);
        await fillSpool(spool, content(size), 64 * K);
        // An external checker has looked at it before, or even changed it.
        const octets = isChanged ? content(size + 1) : content(size);
        const file = await spool.file();
        if (isChanged) disk.overwrite(file.path, octets);
        const message = await file.changed() ?? spool;
        const copy = await giveCopy(files, message);
        assert.equal(copy.path, copied);
        assert.ok(isSame(disk.octetsOf(copied), octets));
        deed(disk, copied, octets);
        const name = `${what}, ${size} octets`;
        const change = await copy.changed();
        assert.equal(change !== undefined, what in CHANGES, name);
        if (change) assert.ok(isSame(await readAll(change), disk.octetsOf(copied)), name);
        assert.ok(isSame(await readAll(message), octets), name);
        assert.ok(await (await message.file()).isIntact(), name);
        await spool.remove();
        assert.deepEqual(disk.paths, []);
        assert.equal(disk.handles, 0);
      }
    }
  }
});

Deno.test("a copy that is no message any more is refused", async () => {
  const { files: disk } = new FakeRuntime();
  const { spool, files } = newSpool(disk);
  await fillSpool(spool, content(10), 10);
  const copy = await giveCopy(files, spool);
  disk.overwrite(copy.path, new Uint8Array(0));
  await assert.rejects(copy.changed(), /empty/);
  disk.replace(copy.path, content(10), "other");
  await assert.rejects(copy.changed(), /no regular file/);
  disk.unlink(copy.path);
  await assert.rejects(copy.changed(), (error) => error instanceof IoError && error.kind === "missing");
  await spool.remove();
});

Deno.test("withFileInPlace gives the next program a file, whatever the one before did with it", async () => {
  const path = "/tmp/postprox-1-0.eml";
  for (const size of GIVEN_SIZES) {
    const deeds: [what: string, deed: (disk: FakeRuntime["files"]) => void, next: string][] = [
      ["nothing", () => {}, path],
      ["touches it", (disk) => disk.overwrite(path, content(size)), path],
      ["renames a copy over it", (disk) => disk.replace(path, content(size)), path],
      ["removes it", (disk) => disk.unlink(path), `${path}2`],
    ];
    for (const [what, deed, next] of deeds) {
      const { files: disk } = new FakeRuntime();
      const { spool, files } = newSpool(disk);
      await fillSpool(spool, content(size), 64 * K);
      assert.equal((await spool.file()).path, path);
      deed(disk);
      const message = withFileInPlace(files, spool);
      const file = await message.file();
      assert.equal(file, await message.file());
      assert.equal(file.path, next, what);
      assert.ok(isSame(disk.octetsOf(next), content(size)), what);
      assert.ok(isSame(await readAll(message), content(size)), what);
      assert.ok(await file.isIntact());
      // And again.
      disk.unlink(next);
      const third = await withFileInPlace(files, message).file();
      assert.notEqual(third.path, next);
      assert.ok(isSame(disk.octetsOf(third.path), content(size)), what);
      disk.overwrite(third.path, content(size + 1));
      assert.equal(await third.isIntact(), false);
      await spool.remove();
      assert.deepEqual(disk.paths, []);
      assert.equal(disk.handles, 0);
    }
  }
});

Deno.test("giveRecipients writes all recipients, each on its own line", async () => {
  for (const count of [0, 1, 99, 100, 101, 20_000]) {
    const { files: disk } = new FakeRuntime();
    const { files } = newSpool(disk);
    const recipients = Array.from({ length: count }, (_, at) => at % 7 === 0 ? "" : `r\u00fc${at}@example.org`);
    const path = await giveRecipients(files, recipients);
    assert.equal(path, "/tmp/postprox-1-0.rcpt");
    const lines = new TextDecoder().decode(disk.octetsOf(path)).split("\n");
    assert.equal(lines.pop(), "");
    assert.deepEqual(lines, recipients);
    assert.equal(disk.handles, 0);
    await files.remove();
    assert.deepEqual(disk.paths, []);
  }
});

Deno.test("Outfile.written is the version that a program has left there", async () => {
  const { files: disk } = new FakeRuntime();
  const { spool, files } = newSpool(disk);
  await fillSpool(spool, content(10), 10);
  const outfile = await Outfile.in(files);
  const { path } = outfile;
  assert.equal(path, "/tmp/postprox-1-0.out");
  assert.equal(disk.octetsOf(path).length, 0);
  assert.equal(await outfile.written(spool), undefined);
  disk.overwrite(path, content(300 * K));
  assert.ok(isSame(await readAll((await outfile.written(spool))!), content(300 * K)));
  disk.replace(path, content(5));
  assert.ok(isSame(await readAll((await outfile.written(spool))!), content(5)));
  for (const kind of ["directory", "other"] as const) {
    disk.replace(path, new Uint8Array(0), kind);
    await assert.rejects(outfile.written(spool), /no regular file/);
  }
  disk.unlink(path);
  assert.equal(await outfile.written(spool), undefined);
  await spool.remove();
});
