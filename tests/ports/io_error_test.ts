// Tests of lib/ports/io_error.ts: the kinds that decide what a client hears.

import assert from "node:assert/strict";
import { IoError, kindOfCode } from "../../lib/ports/io_error.ts";

Deno.test("kindOfCode knows every system error that the program looks at", () => {
  const rows: readonly [codes: string, kind: string][] = [
    ["ENOSPC EDQUOT EFBIG", "no-space"],
    ["ECONNREFUSED", "refused"],
    ["ECONNRESET EPIPE ECONNABORTED", "reset"],
    ["ETIMEDOUT", "timeout"],
    ["EEXIST", "exists"],
    ["ENOENT ENOTDIR", "missing"],
    ["EACCES EPERM EROFS", "denied"],
    ["EADDRINUSE", "in-use"],
    ["EMFILE ENFILE EAGAIN ENOMEM", "exhausted"],
    ["EIO", "other"],
  ];
  for (const [codes, kind] of rows) {
    for (const code of codes.split(" ")) assert.equal(kindOfCode(code), kind, code);
  }
  assert.equal(kindOfCode(undefined), "other");
});

Deno.test("IoError keeps its cause", () => {
  const cause = new Error("cause");
  const error = new IoError("reset", "words", { cause });
  assert.equal(error.cause, cause);
  assert.equal(error.name, "IoError");
});
