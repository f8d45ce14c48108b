// Tests of the code that the build scripts share, and of what they look for in an executable.

import assert from "node:assert/strict";
import { BuildError, glibcOf } from "../../scripts/build.ts";
import { checkGlibc, OLDEST_GLIBC } from "../../scripts/compile_bun.ts";

/** Runs `test` with a file that holds `content`. */
function withFile(content: string, test: (path: string) => void): void {
  const path = Deno.makeTempFileSync({ prefix: "postprox_test_" });
  try {
    Deno.writeTextFileSync(path, content);
    test(path);
  } finally {
    Deno.removeSync(path);
  }
}

Deno.test("glibcOf finds the newest version that a symbol asks for", () => {
  const rows: readonly [content: string, version: number | undefined][] = [
    ["\0GLIBC_2.2.5\0GLIBC_2.17\0GLIBC_2.9\0", 17],
    ["\0GLIBC_2.2.5\0", 2],
    ["\0GLIBC_2.38\0", 38],
    // Neither is one of its own: text in the program, and a name of libstdc++.
    ["xGLIBC_2.38\0\0GLIBC_2.4\0\0GLIBC_2.39x", 4],
    ["\0GLIBCXX_3.4\0", undefined],
  ];
  for (const [content, version] of rows) {
    withFile(content, (path) => assert.equal(glibcOf(path), version, JSON.stringify(content)));
  }
});

Deno.test("checkGlibc refuses an executable that needs more than the README promises", () => {
  withFile(`\0GLIBC_2.${OLDEST_GLIBC}\0`, checkGlibc);
  // musl's has none.
  withFile("\0", checkGlibc);
  withFile(`\0GLIBC_2.${OLDEST_GLIBC + 1}\0`, (path) => {
    assert.throws(() => checkGlibc(path), (error) => error instanceof BuildError && /glibc 2\.18/.test(error.message));
  });
  const readme = Deno.readTextFileSync(new URL("../../README.md", import.meta.url));
  assert.ok(readme.includes(`glibc 2.${OLDEST_GLIBC} or later`));
});
