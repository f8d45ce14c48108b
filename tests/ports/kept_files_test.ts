// Tests of lib/ports/kept_files.ts: what one process has read, another one reads again, octet for octet.

import assert from "node:assert/strict";
import { keepingFiles, keptFiles } from "../../lib/ports/kept_files.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { readSmallFile } from "../../lib/ports/small_file.ts";
import { bytesOf } from "../../lib/text/octets.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

Deno.test("Files that were read are read as they were, whatever happens to them", async () => {
  const { files: disk } = new FakeRuntime();
  const large = Uint8Array.from({ length: 200_000 }, (_, at) => at * 7 & 255);
  const contents = { "/conf": bytesOf("log = x\n"), "/empty": new Uint8Array(), "/large": large };
  for (const [path, content] of Object.entries(contents)) disk.replace(path, content);
  const { files, kept } = keepingFiles(disk);
  for (const path of Object.keys(contents)) await readSmallFile(files, path);
  await assert.rejects(readSmallFile(files, "/missing"), IoError);
  for (const path of Object.keys(contents)) disk.replace(path, bytesOf("changed"));
  disk.replace("/other", bytesOf("other"));
  // As it comes from another process.
  const again = keptFiles(disk, JSON.parse(JSON.stringify(kept)));
  for (const [path, content] of Object.entries(contents)) {
    assert.deepEqual(await readSmallFile(again, path), content, path);
  }
  // Everything else is as always.
  assert.deepEqual(await readSmallFile(again, "/other"), bytesOf("other"));
  assert.deepEqual(await readSmallFile(disk, "/conf"), bytesOf("changed"));
  await assert.rejects(readSmallFile(again, "/missing"), IoError);
  await assert.rejects(readSmallFile(again, "toString"), IoError);
  assert.equal((await again.stat("/conf")).size, "changed".length);
  await assert.rejects((await again.open("/conf")).append(bytesOf("x")), IoError);
});

Deno.test("A file that is read a second time is kept as it was read last", async () => {
  const { files: disk } = new FakeRuntime();
  const { files, kept } = keepingFiles(disk);
  for (const text of ["first and long", "second"]) {
    disk.replace("/conf", bytesOf(text));
    await readSmallFile(files, "/conf");
  }
  assert.deepEqual({ ...kept }, { "/conf": "second" });
});
