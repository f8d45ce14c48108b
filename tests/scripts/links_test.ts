// Every link from one document to another leads to a file that is there, and to a heading that is in it.

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

/** The name that a forge gives a heading. */
function anchorOf(heading: string): string {
  return heading.trim().toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-");
}

function anchorsIn(document: string): Set<string> {
  const text = readFileSync(`${ROOT}${document}`, "utf8").replaceAll(/```.*?```/gs, "");
  return new Set(Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading]) => anchorOf(heading!)));
}

Deno.test("the links between documents lead to headings that are there", () => {
  const links = DOCUMENTS.flatMap((from) => {
    const found = readFileSync(`${ROOT}${from}`, "utf8").matchAll(/\]\(([^)#:]*)#([^)]*)\)/g);
    return Array.from(found, ([, to, anchor]) => ({ from, to: to ? join(dirname(from), to) : from, anchor: anchor! }));
  });
  assert.ok(links.length > 10);
  const isDocument = (name: string) => name.endsWith(".md") && existsSync(`${ROOT}${name}`);
  assert.deepEqual(links.filter(({ to, anchor }) => isDocument(to) && !anchorsIn(to).has(anchor)), []);
});
