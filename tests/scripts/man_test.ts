// Tests of scripts/man.ts: both readers of mdoc(7) find no fault with the page, and it is readable on 80 columns.
//
// Needs mandoc and groff (Debian's groff-base), and says so if one is missing.

import assert from "node:assert/strict";
import { allOptions } from "../../lib/commands/commands.ts";
import { VERSION } from "../../lib/commands/version.ts";
import { manualPage } from "../../scripts/man.ts";
import { runCommand } from "../e2e/start.ts";

const OPTIONS = await allOptions();

const HERE = import.meta.url;

async function withPage(test: (path: string) => Promise<void>): Promise<void> {
  const path = Deno.makeTempFileSync({ prefix: "postprox_test_", suffix: ".8" });
  try {
    Deno.writeTextFileSync(path, manualPage(OPTIONS));
    await test(path);
  } finally {
    Deno.removeSync(path);
  }
}

async function runReader(words: readonly string[], from: string) {
  const { status } = await runCommand(["/bin/sh", "-c", `command -v ${words[0]}`]);
  assert.equal(status, 0, `There is no ${words[0]} here, and it is to judge the manual page: apt-get install ${from}`);
  return await runCommand(words, { env: { LC_ALL: "C.UTF-8" } });
}

/** The page as a terminal of 80 columns shows it, without bold and underline. */
async function rendered(path: string): Promise<string> {
  const { status, stdout } = await runReader(["mandoc", "-T", "utf8", "-O", "width=78", path], "mandoc");
  assert.equal(status, 0);
  return stdout.replaceAll(/.[\b]/g, "");
}

Deno.test("mandoc finds no fault with the manual page", async () => {
  await withPage(async (path) => {
    const { stdout } = await runReader(["mandoc", "-T", "lint", path], "mandoc");
    // Which other pages are installed is not this page's business.
    const faults = stdout.split("\n").filter((line) => line !== "" && !/STYLE: referenced manual not found/.test(line));
    assert.deepEqual(faults, []);
  });
});

Deno.test("groff finds no fault with the manual page", async () => {
  await withPage(async (path) => {
    const { status, stderr } = await runReader(["groff", "-mdoc", "-Tutf8", "-ww", "-z", path], "groff-base");
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  });
});

Deno.test("the manual page fits on 80 columns, shows each option with a text, and no markup", async () => {
  await withPage(async (path) => {
    const lines = (await rendered(path)).split("\n");
    for (const line of lines) assert.ok(line.length <= 80, line);
    for (const { short, long, kind } of OPTIONS) {
      const name = short ? `-${short}, --${long}` : `--${long}`;
      const at = lines.findIndex((line) => new RegExp(`^ {5}${name}(?![a-z-])`).test(line));
      assert.ok(at >= 0, `${name} is not in the page`);
      if (kind) assert.ok(lines[at]!.includes(kind.shown), lines[at]);
      // A short name has its text beside it.
      const text = name.length < 7 ? `${" ".repeat(13)}${lines[at]!.slice(13)}` : lines[at + 1]!;
      assert.match(text, /^ {13}[A-Z]/, name);
    }
    const text = lines.join("\n");
    // A macro that was not understood, a place that nothing was put into.
    assert.doesNotMatch(text, /\b(?:Ns|Fl|Ar|Cm|Oc|Xr) |@[A-Z]+\b/);
    assert.ok(text.includes(`version ${VERSION}`));
  });
});

Deno.test("the manual page has the lines for Postfix so that they can be pasted", async () => {
  await withPage(async (path) => {
    const text = (await rendered(path)).replaceAll(/^ {5}/gm, "");
    assert.match(text, /^smtpd_proxy_filter = 127\.0\.0\.1:10025$/m);
    assert.match(text, /^127\.0\.0\.1:10025 inet n {2}n .*\n {4}user=postprox argv=\/usr\/sbin\/postprox -v /m);
    assert.match(text, /^ {4}-o smtpd_recipient_restrictions=permit_mynetworks,reject$/m);
  });
});

Deno.test("the manual page has each signal that a mode waits for", async () => {
  await withPage(async (path) => {
    const section = /^SIGNALS\n((?: .*\n|\n)+)/m.exec(await rendered(path))?.[1] ?? "";
    const modes = ["spawn", "listen"].map((mode) => Deno.readTextFileSync(new URL(`../../lib/modes/${mode}.ts`, HERE)));
    const signals = new Set(modes.flatMap((source) => source.match(/(?<=")SIG[A-Z]+(?=")/g) ?? []));
    // That one is about a file that is too large, and nobody sends it.
    signals.delete("SIGXFSZ");
    assert.ok(signals.size >= 4, [...signals].join(" "));
    for (const signal of signals) assert.match(section, new RegExp(`^ {5}(?:.*, )?${signal}\\b`, "m"));
  });
});
