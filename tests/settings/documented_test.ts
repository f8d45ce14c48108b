// Every option is documented: it is in --help, in the manual page, in the completions of all three shells and in the
// README's table of options. None of these names an option that does not exist. The README and docs/flow.md have the
// defaults of the program. The README's lines to paste are right.

import assert from "node:assert/strict";
import { run } from "../../lib/app.ts";
import { allOptions } from "../../lib/commands/commands.ts";
import { helpText } from "../../lib/commands/help.ts";
import { withDefault } from "../../lib/options/table.ts";
import { completionFiles, namedCommands } from "../../scripts/completions.ts";
import { manualPage } from "../../scripts/man.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

const OPTIONS = await allOptions();
const NAMED = await namedCommands();

const readme = Deno.readTextFileSync(new URL("../../README.md", import.meta.url));

/** Where an option must be, and by which names it is known there. */
const PLACES: readonly { name: string; named: string[]; needs: "both" | "either" }[] = [
  { name: "--help", named: names(helpText(OPTIONS), /^ +(-.+?)(?: {2}|$)/gm, /--?[A-Za-z][a-z-]*/g), needs: "both" },
  { name: "the manual page", named: manualNames(), needs: "both" },
  ...Object.entries(completionFiles(OPTIONS, NAMED)).map((
    [name, text],
  ) => ({ name, named: completionNames(name, text), needs: "both" } as const)),
  {
    name: "README.md",
    named: names(readme, /^\| (`-[^|]*(?:\\\|[^|]*)*) \|/gm, /(?<=`)--?[A-Za-z][a-z-]*/g),
    needs: "either",
  },
];

/** The matches of `name` within the matches of `part`. */
function names(text: string, part: RegExp, name: RegExp): string[] {
  return [...text.matchAll(part)].flatMap(([, found]) => found!.match(name) ?? []);
}

function manualNames(): string[] {
  const heads = [...manualPage(OPTIONS).matchAll(/^\.It (Fl .*)$/gm)].map(([, head]) => head!);
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

  Deno.test(`${name} names no option that does not exist`, () => {
    const known = OPTIONS.flatMap(({ short, long }) => [`--${long}`, `-${short}`]);
    for (const option of named) {
      assert.ok(known.includes(option) || /^-[a-zA-Z]{2,}$/.test(option), `${option} of ${name} is no option`);
    }
  });
}

const HAVE_DEFAULT = OPTIONS.filter(({ help }) => help.includes("{default}"));
const defaultOf = (row: typeof OPTIONS[number]) => withDefault("{default}", row);

Deno.test("README.md has the defaults of the program", () => {
  const told = [...readme.matchAll(/^\| (`-[^|]*(?:\\\|[^|]*)*) \| (.*) \|$/gm)];
  for (const [, cell, text] of told) {
    if (text!.includes("docs/flow.md")) continue;
    for (const row of HAVE_DEFAULT.filter(({ long }) => new RegExp(`--${long}\\b(?!-)`).test(cell!))) {
      const says = new RegExp(`(?<![\\w.])${RegExp.escape(defaultOf(row))}(?![\\w.]\\w)`);
      assert.ok(
        says.test(text!) || /the default/.test(text!),
        `--${row.long} has the default ${defaultOf(row)}: ${text}`,
      );
    }
  }
});

Deno.test("docs/flow.md has the time limits of the program", () => {
  const flow = Deno.readTextFileSync(new URL("../../docs/flow.md", import.meta.url));
  const units = { s: 1, h: 3600 };
  let count = 0;
  for (const [, number, unit, long] of flow.matchAll(/^\|.*\| ([0-9]+) ([sh])\b[^|]* \| `--?([a-z-]+)` \|$/gm)) {
    const row = OPTIONS.find((row) => row.long === long || row.short === long);
    assert.ok(row, `docs/flow.md: --${long} is no option`);
    assert.equal(String(Number(number) * units[unit as keyof typeof units]), defaultOf(row), `docs/flow.md: --${long}`);
    count++;
  }
  assert.ok(count >= 10, `${count} limits were found`);
});

Deno.test('README.md: each line of "What to run" is right, alone before a server', async (test) => {
  const [, part = ""] = /^## What to run\n(.*?)^Packages to install/ms.exec(readme) ?? [];
  const rows = [...part.matchAll(/^\| (.*?) \| `(--?[a-z].*?)`/gm)];
  assert.ok(rows.length > 10, part);
  for (const [, want = "", line = ""] of rows) {
    await test.step(want, async () => {
      const runtime = new FakeRuntime();
      runtime.files.replace("/etc/postprox/url-allow", new Uint8Array());
      runtime.files.mkdir("/var/lib/postprox/quarantine");
      assert.equal(await run(runtime, ["--check-config", ...line.split(" "), "127.0.0.1:10026"]), 0, runtime.err);
    });
  }
});
