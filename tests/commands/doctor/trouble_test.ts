// docs/trouble.md explains everything that the doctor finds, in the doctor's words.
//
// The first column of its table has the words. An ellipsis stands for any text.

import assert from "node:assert/strict";
import { judge } from "../../../lib/commands/doctor/questions/questions.ts";
import { RIGHT, WRONG } from "./cases.ts";
import { factsOf } from "./site.ts";

const page = Deno.readTextFileSync(new URL("../../../docs/trouble.md", import.meta.url));
const [, section = ""] = page.split("\n## `postprox doctor` finds something\n");
const [table = ""] = section.split("\n## ");

const EXPLAINED = [...table.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell]) =>
  [...cell!.matchAll(/`([^`]+)`/g)].map(([, words]) => words!)
);

function isAbout(words: string, finding: string): boolean {
  const parts = words.split("…").map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${parts.join(".+")}`, "s").test(finding);
}

/** All findings of the cases, with what is only worth a thought. */
async function findings(): Promise<string[]> {
  const answers = await Promise.all([...WRONG, ...RIGHT].map(async ([, changes]) => judge(await factsOf(changes))));
  return answers.flatMap(({ wrong, advice }) => [...wrong, ...advice]).map(({ what }) => what);
}

Deno.test("docs/trouble.md explains each finding of the doctor", async () => {
  const unexplained = (await findings()).filter((finding) => !EXPLAINED.some((words) => isAbout(words, finding)));
  assert.deepEqual(unexplained, []);
});

Deno.test("docs/trouble.md explains nothing that the doctor never says", async () => {
  const all = await findings();
  assert.deepEqual(EXPLAINED.filter((words) => !all.some((finding) => isAbout(words, finding))), []);
});
