// No option is left undocumented: each is in --help, in the manual page, in the completions of all three shells and in the
// README's table of options; and none of these names an option that there is not.

import assert from "node:assert/strict";
import { helpText } from "../../lib/options/help.ts";
import { OPTIONS } from "../../lib/options/table.ts";
import { completionFiles } from "../../scripts/completions.ts";
import { manualPage } from "../../scripts/man.ts";

const readme = Deno.readTextFileSync(new URL("../../README.md", import.meta.url));

/** Where an option must be, and by which names it is known there. */
const PLACES: readonly { name: string; named: string[]; needs: "both" | "either" }[] = [
  { name: "--help", named: names(helpText(), /^ +(-.+?)(?: {2}|$)/gm, /--?[A-Za-z][a-z-]*/g), needs: "both" },
  { name: "the manual page", named: manualNames(), needs: "both" },
  ...Object.entries(completionFiles()).map((
    [name, text],
  ) => ({ name, named: completionNames(name, text), needs: "both" } as const)),
  {
    name: "README.md",
    named: names(readme, /^\| (`-[^|]*(?:\\\|[^|]*)*) \|/gm, /(?<=`)--?[A-Za-z][a-z-]*/g),
    needs: "either",
  },
];

/** What `name` finds in what `part` finds. */
function names(text: string, part: RegExp, name: RegExp): string[] {
  return [...text.matchAll(part)].flatMap(([, found]) => found!.match(name) ?? []);
}

function manualNames(): string[] {
  const heads = [...manualPage().matchAll(/^\.It (Fl .*)$/gm)].map(([, head]) => head!);
  return heads.flatMap((head) =>
    [...head.matchAll(/Fl (Fl )?([A-Za-z][a-z-]*)/g)].map(([, long, name]) => long ? `--${name}` : `-${name}`)
  );
}

function completionNames(file: string, text: string): string[] {
  if (file === "postprox.bash") return names(text, /compgen -W "(-[^"]*)"/g, /--?[A-Za-z][a-z-]*/g);
  if (file === "_postprox") {
    const specs = text.match(/^ +'(?:\(.*?\)|\*)'.*$/gm) ?? [];
    return specs.flatMap((spec) => spec.replace(/^ +'.*?'/, "").split("'")[0]!.match(/--?[A-Za-z][a-z-]*/g) ?? []);
  }
  return [...text.matchAll(/ -(s|l) ([A-Za-z][a-z-]*)/g)].map(([, kind, name]) =>
    kind === "s" ? `-${name}` : `--${name}`
  );
}

for (const { name, named, needs } of PLACES) {
  Deno.test(`every option is in ${name}`, () => {
    for (const { short, long } of OPTIONS) {
      const found = [`--${long}`, ...(short ? [`-${short}`] : [])].map((option) => named.includes(option));
      assert.ok(
        needs === "both" ? found.every(Boolean) : found.some(Boolean),
        `--${long} is not in ${name}: document it`,
      );
    }
  });

  Deno.test(`${name} names no option that there is not`, () => {
    const known = OPTIONS.flatMap(({ short, long }) => [`--${long}`, `-${short}`]);
    for (const option of named) {
      assert.ok(known.includes(option) || /^-[a-zA-Z]{2,}$/.test(option), `${option} of ${name} is no option`);
    }
  });
}
