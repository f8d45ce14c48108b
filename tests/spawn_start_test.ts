// Bounds what each message loads in spawn mode, where each message is a process. That is all that main.ts and
// main_bun.ts import statically, and all that the command without a name imports.
//
// A file that only some runs use is imported when it is wanted, by `await import(...)`. A file that nearly each message
// needs is imported statically: on Bun each `await import(...)` takes 1.7 ms, for any file.

import assert from "node:assert/strict";

const ROOT = new URL("../", import.meta.url);
const SERVE = new URL("lib/commands/serve.ts", ROOT);

/**
 * How much may be loaded. Each file costs about 0.1 ms, on Deno. The rows of the catalogue are a large part of it.
 * Where systemd runs, each line of the log needs the journal's protocol.
 * Each line of a session is in a room of lib/text/rooms.ts.
 * What reads or removes the files of a large message leaves the event loop to others.
 */
const FILES = 79;
const OCTETS = 374_000;

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
