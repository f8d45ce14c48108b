// Tests of lib/spool/directory.ts: names, and the check at the start.

import assert from "node:assert/strict";
import { IoError } from "../../lib/ports/io_error.ts";
import { checkSpoolDirectory, markedName, markOf, newSpoolName, spoolPath } from "../../lib/spool/directory.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

const NOTHING = new Uint8Array(0);

Deno.test("newSpoolName holds the process id, is a plain word and never comes twice", () => {
  const names = new Set(Array.from({ length: 1000 }, () => newSpoolName(42)));
  assert.equal(names.size, 1000);
  for (const name of names) assert.match(name, /^postprox-42-[0-9a-f-]{20,}$/);
});

Deno.test("checkSpoolDirectory leaves nothing in a directory that can be used", async () => {
  const { files } = new FakeRuntime();
  for (const withContent of [true, false]) {
    await checkSpoolDirectory(files, "/tmp", { pid: 1, withContent });
    assert.deepEqual(files.paths, []);
    assert.equal(files.handles, 0);
  }
});

Deno.test("checkSpoolDirectory finds a full disk if it must have room for content, and leaves nothing there", async () => {
  const { files } = new FakeRuntime();
  files.fail("append", "no-space");
  await checkSpoolDirectory(files, "/tmp", { pid: 1, withContent: false });
  await assert.rejects(checkSpoolDirectory(files, "/tmp", { pid: 1, withContent: true }), IoError);
  assert.deepEqual(files.paths, []);
  assert.equal(files.handles, 0);
});

Deno.test("checkSpoolDirectory throws an IoError for a directory that cannot be used", async () => {
  const { files } = new FakeRuntime();
  files.replace("/file", NOTHING);
  const options = { pid: 1, withContent: false };
  await assert.rejects(checkSpoolDirectory(files, "/file", options), /\/file is not a directory/);
  await assert.rejects(checkSpoolDirectory(files, "/none", options), IoError);
  files.fail("create", "denied");
  await assert.rejects(checkSpoolDirectory(files, "/tmp", options), IoError);
});

Deno.test("markOf finds the mark of every file of the spool, and of no other file", () => {
  const [name, other] = [newSpoolName(99), newSpoolName(1)];
  for (const ending of ["eml", "out", "edit", "rcpt", "lock"] as const) {
    const path = spoolPath({ directory: "/tmp", name }, ending);
    assert.equal(path, `/tmp/${name}.${ending}`);
    assert.equal(markOf(path.slice("/tmp/".length)), name);
    assert.equal(markOf(`${markedName(other, name)}.${ending}2`), name);
    assert.equal(markOf(`${markedName(name, undefined)}.${ending}`), name);
  }
  for (
    const other of [
      name,
      `${markedName(name, name)}${name.slice(11)}.eml`,
      `${name}.eml.bak`,
      `x${name}.eml`,
      "postprox-99-.eml",
      "postprox-99.eml",
      `${name.replace("99", "abc")}.eml`,
      `${name}.txt`,
    ]
  ) {
    assert.equal(markOf(other), undefined, other);
  }
});
