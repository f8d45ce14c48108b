// Tests of lib/ports/small_file.ts: marks that an administrator's editor leaves in a file are not its content.

import assert from "node:assert/strict";
import * as files from "../../lib/runtime/deno/files.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { readSmallFile, readTextFile } from "../../lib/ports/small_file.ts";

Deno.test("a mark at the start of UTF-8 is removed, and CR LF is read as LF", async () => {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, "\ufeff# a\r\nb\ufeff\n");
    assert.equal(
      new TextDecoder("utf-8", { ignoreBOM: true }).decode(await readSmallFile(files, path)),
      "# a\r\nb\ufeff\n",
    );
    assert.equal(await readTextFile(files, path), "# a\nb\ufeff\n");
    Deno.writeFileSync(path, Uint8Array.of(0xef, 0xbb));
    assert.deepEqual(await readSmallFile(files, path), Uint8Array.of(0xef, 0xbb));
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("a file that is missing is named once", async () => {
  await assert.rejects(readSmallFile(files, "/none/file"), (error) => {
    assert.ok(error instanceof IoError);
    assert.equal(error.message.split("/none/file").length, 2, error.message);
    return true;
  });
});
