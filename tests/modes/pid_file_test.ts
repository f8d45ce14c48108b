// Tests of lib/modes/pid_file.ts: the file appears whole, takes the place of files only, and only its own process removes it.

import assert from "node:assert/strict";
import { removePidFile, writePidFile } from "../../lib/modes/pid_file.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { bytesOf, textOf } from "../../lib/text/octets.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

const FILE = "/run/p/p.pid";

function contentOf({ files }: FakeRuntime): string | undefined {
  return files.paths.includes(FILE) ? textOf(files.octetsOf(FILE)) : undefined;
}

Deno.test("writePidFile takes the place of files, also of one that a killed process left half made", async () => {
  for (const before of [[], [FILE], [`${FILE}.new`], [FILE, `${FILE}.new`]]) {
    const runtime = new FakeRuntime();
    for (const path of before) runtime.files.replace(path, bytesOf("123"));
    await writePidFile(runtime, FILE);
    assert.equal(contentOf(runtime), "4711\n");
    assert.deepEqual(runtime.files.paths, [FILE]);
    await removePidFile(runtime, FILE);
    assert.deepEqual(runtime.files.paths, []);
  }
});

Deno.test("writePidFile never takes the place of a device or a directory", async () => {
  for (const kind of ["directory", "other", "socket"] as const) {
    for (const path of [FILE, `${FILE}.new`]) {
      const runtime = new FakeRuntime();
      runtime.files.replace(path, bytesOf(""), kind);
      await assert.rejects(writePidFile(runtime, FILE), IoError);
      assert.equal((await runtime.files.lstat(path)).kind, kind);
    }
  }
});

Deno.test("writePidFile leaves the old file and no other one if it fails", async () => {
  for (const operation of ["create", "append", "rename"] as const) {
    const runtime = new FakeRuntime();
    runtime.files.replace(FILE, bytesOf("123\n"));
    runtime.files.fail(operation, "denied");
    await assert.rejects(writePidFile(runtime, FILE), IoError);
    assert.deepEqual(runtime.files.paths, [FILE]);
    assert.equal(contentOf(runtime), "123\n");
  }
});

Deno.test("removePidFile leaves what is not its own, and does not mind what it may not do", async () => {
  for (const other of ["4712\n", "471", "", "4711\n4711\n"]) {
    const runtime = new FakeRuntime();
    runtime.files.replace(FILE, bytesOf(other));
    await removePidFile(runtime, FILE);
    assert.equal(contentOf(runtime), other);
  }
  for (const operation of ["lstat", "open", "read", "remove"] as const) {
    const runtime = new FakeRuntime();
    await writePidFile(runtime, FILE);
    runtime.files.fail(operation, "denied");
    await removePidFile(runtime, FILE);
    assert.equal(contentOf(runtime), "4711\n", operation);
  }
  await removePidFile(new FakeRuntime(), FILE);
});
