// Bounds what each message loads in spawn mode, where each message is a process. That is all that main.ts and
// main_bun.ts import statically, and all that the command without a name imports.
//
// A file that only some runs use is imported when it is wanted, by `await import(...)`. A file that nearly each message
// needs is imported statically: on Bun each `await import(...)` takes 1.7 ms, for any file.
//
// Known gap: which parts of the Bun executable a run loads is not looked at.

import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { makeBundle } from "../scripts/bundle.ts";
import { fromFileUrl } from "./e2e/paths.ts";
import { runCommand } from "./e2e/start.ts";

const ROOT = new URL("../", import.meta.url);
const SERVE = new URL("lib/commands/serve.ts", ROOT);

/**
 * How much may be loaded. Each file costs about 0.1 ms, on Deno. The rows of the catalogue are a large part of it.
 * Where systemd runs, each line of the log needs the journal's protocol.
 * Each line of a session is in a room of lib/text/rooms.ts.
 * What reads or removes the files of a large message leaves the event loop to others.
 * Each session has a `Stop` of lib/session/waiting.ts, because listen mode has thousands of them.
 * On Bun lib/runtime/bun/child_stderr.ts and the calls of libc.ts save a filter more than they cost.
 * Messages that are under way together share a mark (lib/spool/mark.ts).
 */
const FILES = 80;
const OCTETS = 382_500;

/** Files that most messages in spawn mode do not need. */
const WANTED_LATER =
  /^lib\/(?:commands\/(?!(?:commands|serve|serving)\.)|checks\/.*\/|restrictions\/|pattern\/|options\/help|dns\/(?:lookups|stub|message)|modes\/(?!spawn)|quarantine\/|spool\/(?:sweep|hand_over))/;

/** The files that are loaded with `file`, by their names from here. */
function loadedWith(file: URL, loaded = new Map<string, number>()): ReadonlyMap<string, number> {
  const name = file.href.slice(ROOT.href.length);
  if (loaded.has(name)) return loaded;
  const text = Deno.readTextFileSync(file);
  loaded.set(name, text.length);
  for (const [, target = ""] of text.matchAll(/^(?:import|export) (?!type )[^;"]*from "(\.[^"]+)"/gm)) {
    loadedWith(new URL(target, file), loaded);
  }
  return loaded;
}

for (const entry of ["main.ts", "main_bun.ts"]) {
  Deno.test(`${entry} loads no more for each message than it did`, () => {
    const loaded = loadedWith(SERVE, new Map(loadedWith(new URL(entry, ROOT))));
    const names = [...loaded.keys()].sort();
    // It does look where the imports are.
    for (const name of ["lib/app.ts", "lib/settings/catalogue.ts", "lib/modes/spawn.ts", "lib/session/session.ts"]) {
      assert.ok(names.includes(name), `${name} is not among ${names.join(" ")}`);
    }
    const tooEarly = names.filter((name) => WANTED_LATER.test(name));
    assert.deepEqual(tooEarly, [], "Import this when it is wanted, by `await import(...)`");
    const octets = [...loaded.values()].reduce((sum, size) => sum + size, 0);
    const hint =
      "Import what only some runs use by `await import(...)`. Or see what it costs (deno task bench:spawn), " +
      `raise the bound in ${import.meta.filename} and say why`;
    assert.ok(
      names.length <= FILES,
      `${names.length} files are loaded, ${FILES} are allowed: ${names.join(" ")}. ${hint}.`,
    );
    assert.ok(octets <= OCTETS, `${octets} octets are loaded, ${OCTETS} are allowed. ${hint}.`);
  });
}

/** Options that ask for one check, and the file of it that is loaded, below lib/checks/. */
const ASKED: readonly (readonly [option: string, file: string | undefined])[] = [
  ["-v", undefined],
  ["--filter-rules=RULES", "content_rules/content_rules.ts"],
  ["--clamd=127.0.0.1:1", "clamd/clamd.ts"],
  ["--rspamd=127.0.0.1:1", "rspamd/rspamd.ts"],
  ["--spamd=127.0.0.1:1", "spamd/spamd.ts"],
  ["--url-rhsbl=dbl.example", "urls/urls.ts"],
  ["--extchk=/bin/true", "program/extchk.ts"],
  ["-ctrue", "program/command.ts"],
];

Deno.test("a run loads the one check that is asked for, from the source and from the bundle", async (test) => {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_loaded_" });
  try {
    for (const name of ["lib", "main.ts", "deno.json"]) {
      cpSync(fromFileUrl(new URL(name, ROOT)), `${dir}/${name}`, { recursive: true });
    }
    // Each file of a check says so when it is loaded.
    for (const name of filesOfChecks(`${dir}/lib/checks`)) {
      const says = `Deno.writeTextFileSync("${dir}/loaded", "${name}\\n", { append: true });\n`;
      Deno.writeTextFileSync(`${dir}/lib/checks/${name}`, says, { append: true });
    }
    Deno.writeTextFileSync(`${dir}/rules`, "x\n");
    for (const program of [`${dir}/main.ts`, await makeBundle(dir, `${dir}/main.ts`)]) {
      for (const [option, file] of ASKED) {
        await test.step(`${program.replace(/^.*\//, "")} ${option}`, async () => {
          Deno.writeTextFileSync(`${dir}/loaded`, "");
          const words = ["run", "--quiet", "-A", "--unstable-net", program, "127.0.0.1:1", `--log=${dir}/log`];
          const asked = option.replace("RULES", `${dir}/rules`);
          // Nobody is downstream. The checks are loaded before that is known.
          const line = ["/bin/sh", "-c", 'printf "QUIT\\r\\n" | "$@"', "sh", Deno.execPath(), ...words, asked];
          const { status, stdout } = await runCommand(line);
          assert.match(stdout, /^421 4\.3\.2 /);
          assert.equal(status, 75);
          const loaded = Deno.readTextFileSync(`${dir}/loaded`).split("\n").slice(0, -1);
          const [folder = ""] = file?.split("/", 1) ?? [];
          assert.deepEqual(loaded.filter((name) => file === undefined || !name.startsWith(`${folder}/`)), []);
          assert.ok(file === undefined || loaded.includes(file), `${file} is not among ${loaded}`);
          // The folder of programs has several checks.
          const others = ASKED.map(([, other]) => other).filter((other) => other !== undefined && other !== file);
          assert.ok(!loaded.some((name) => others.includes(name)), `${loaded}`);
        });
      }
    }
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

/** The files in the folders of checks, by their names below `root`. */
function filesOfChecks(root: string): string[] {
  return [...Deno.readDirSync(root)].filter(({ isDirectory }) => isDirectory)
    .flatMap(({ name }) => Array.from(Deno.readDirSync(`${root}/${name}`), (file) => `${name}/${file.name}`));
}

Deno.test("no file for Deno imports a module of node statically: in a bundle that would load it at each start", () => {
  const found: string[] = [];
  const look = (directory: URL) => {
    for (const { name, isDirectory } of Deno.readDirSync(directory)) {
      const entry = new URL(isDirectory ? `${name}/` : name, directory);
      if (isDirectory && name !== "bun") look(entry);
      else if (
        name.endsWith(".ts") && /^(?:import|export) (?!type )[^;"(]*"node:/m.test(Deno.readTextFileSync(entry))
      ) {
        found.push(entry.href.slice(ROOT.href.length));
      }
    }
  };
  look(new URL("lib/", ROOT));
  assert.deepEqual(found, []);
});
