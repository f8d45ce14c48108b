// Makes one JavaScript file of the program, for Deno: dist/postprox.js.
//
//     deno task bundle [--outdir=DIR]
//
// Deno starts it faster than the source, which it must find in 170 files. It runs with
// `deno run --allow-all --unstable-net postprox.js`. Two runs on one source give the same octets. All of them are ASCII,
// because V8 keeps a source with one other character in two octets per character.

import { VERSION_TEXT } from "../lib/commands/version.ts";
import { BuildError, inWorkshop, readArguments, reasonOfDeno, ROOT, runBuild, runTool } from "./build.ts";

if (import.meta.main) await runBuild("bundle", main);

async function main(): Promise<void> {
  const { options } = readArguments(Deno.args, { options: ["outdir"], targets: [] });
  const outdir = options.get("outdir") ?? `${ROOT}dist`;
  const path = await inWorkshop(outdir, async (workshop) => {
    const made = await makeBundle(workshop);
    const words = [Deno.execPath(), "run", "--quiet", "--allow-all", "--unstable-net", made, "--version"];
    const { success, stdout } = await runTool(words, { install: "deno" });
    if (!success || stdout !== VERSION_TEXT) {
      throw new BuildError("the file that deno bundle made does not run postprox");
    }
    Deno.renameSync(made, `${outdir}/postprox.js`);
    return `${outdir}/postprox.js`;
  });
  console.log(`${path}: ${Math.round(Deno.statSync(path).size / 1000)} kB`);
}

/** Makes the file of postprox, or of another program, in `directory`. Returns its path. Throws a `BuildError`. */
export async function makeBundle(directory: string, source = `${ROOT}main.ts`): Promise<string> {
  const path = `${directory}/${source === `${ROOT}main.ts` ? "postprox" : source.replace(/^.*\/|\.ts$/g, "")}.js`;
  const words = [Deno.execPath(), "bundle", "--quiet", "--minify", `--output=${path}`, source];
  const { success, stderr } = await runTool(words, { install: "deno", env: { NO_COLOR: "1" } });
  if (!success) throw new BuildError(`deno bundle failed: ${reasonOfDeno(stderr)}`);
  Deno.writeTextFileSync(path, inAscii(Deno.readTextFileSync(path)));
  return path;
}

/** The same JavaScript in ASCII. Other characters stand only in strings, templates and regular expressions. */
export function inAscii(source: string): string {
  return source.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
