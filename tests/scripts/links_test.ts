// Every link from one document to another leads to a file that is there.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const ROOT = new URL("../../", import.meta.url).pathname;

const DOCUMENTS = [".", "docs", "docs/proofs"].flatMap((folder) =>
  readdirSync(`${ROOT}${folder}`).filter((name) => name.endsWith(".md")).map((name) => join(folder, name))
);

Deno.test("the links between documents lead to files that are there", () => {
  const links = DOCUMENTS.flatMap((from) => {
    const found = readFileSync(`${ROOT}${from}`, "utf8").matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g);
    return Array.from(found, ([, to]) => ({ from, to: join(dirname(from), to!) }));
  });
  assert.ok(links.length > 10);
  assert.deepEqual(links.filter(({ to }) => !existsSync(`${ROOT}${to}`)), []);
});
