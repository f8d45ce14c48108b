// Tests of lib/spool/directory.ts: names, the check at the start, and the sweep, which must remove nothing but leftovers.

import assert from "node:assert/strict";
import { IoError } from "../../lib/runtime/io_error.ts";
import { checkSpoolDirectory, newSpoolName, sweepSpoolDirectory } from "../../lib/spool/directory.ts";
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

Deno.test("checkSpoolDirectory finds a full disk where it is to have room for content, and leaves nothing there", async () => {
  const { files } = new FakeRuntime();
  files.fail("append", "no-space");
  await checkSpoolDirectory(files, "/tmp", { pid: 1, withContent: false });
  await assert.rejects(checkSpoolDirectory(files, "/tmp", { pid: 1, withContent: true }), IoError);
  assert.deepEqual(files.paths, []);
  assert.equal(files.handles, 0);
});

Deno.test("checkSpoolDirectory throws an IoError for one that cannot", async () => {
  const { files } = new FakeRuntime();
  files.replace("/file", NOTHING);
  const options = { pid: 1, withContent: false };
  await assert.rejects(checkSpoolDirectory(files, "/file", options), /\/file is not a directory/);
  await assert.rejects(checkSpoolDirectory(files, "/none", options), IoError);
  files.fail("create", "denied");
  await assert.rejects(checkSpoolDirectory(files, "/tmp", options), IoError);
});

Deno.test("sweepSpoolDirectory removes what dead processes left, and nothing else", async () => {
  const runtime = new FakeRuntime();
  const { files, pid } = runtime;
  runtime.processes.alive.add(100).add(pid);
  const dead = [
    `/tmp/${newSpoolName(99)}.eml`,
    `/tmp/${newSpoolName(99)}.out`,
    `/tmp/${newSpoolName(99)}.edit`,
    // Of a process that had our id before us.
    `/tmp/${newSpoolName(pid)}.eml`,
  ];
  const kept = [
    `/tmp/${newSpoolName(100)}.eml`,
    // Names that are nearly ours.
    `/tmp/${newSpoolName(99)}`,
    `/tmp/${newSpoolName(99)}.eml.bak`,
    `/tmp/x${newSpoolName(99)}.eml`,
    "/tmp/postprox-99-.eml",
    "/tmp/postprox-99.eml",
    `/tmp/${newSpoolName(99).replace("99", "abc")}.eml`,
    `/tmp/${newSpoolName(99)}.txt`,
  ];
  for (const path of [...dead, ...kept]) files.replace(path, NOTHING);
  const { removed, failures } = await sweepSpoolDirectory(runtime, "/tmp");
  assert.deepEqual(removed.sort(), dead.sort());
  assert.deepEqual(failures, []);
  assert.deepEqual(files.paths, kept.sort());
});

Deno.test("sweepSpoolDirectory tells of what it cannot do, and goes on", async () => {
  for (const kind of ["denied", "other"] as const) {
    const runtime = new FakeRuntime();
    const { files } = runtime;
    const theirs = `/tmp/${newSpoolName(98)}.eml`;
    const ours = `/tmp/${newSpoolName(99)}.eml`;
    for (const path of [theirs, ours]) files.replace(path, NOTHING);
    files.fail("remove", kind, { ending: theirs });
    const { removed, failures } = await sweepSpoolDirectory(runtime, "/tmp");
    assert.deepEqual(removed, [ours]);
    assert.equal(failures.length, 1);
    assert.ok(failures[0]!.includes(theirs));
    files.mend();
    files.fail("list", kind);
    assert.equal((await sweepSpoolDirectory(runtime, "/tmp")).failures.length, 1);
  }
});
