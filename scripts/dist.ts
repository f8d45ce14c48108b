// Writes generated text into `dist/`, or into the directory of --outdir=DIR. If it cannot, see build.ts.

import { inWorkshop, readArguments, ROOT, runBuild } from "./build.ts";

/** Writes `files`, by name, into `folder` of the output directory, and prints their paths. */
export async function writeFiles(
  task: string,
  folder: string,
  make: () => Readonly<Record<string, string>>,
): Promise<void> {
  await runBuild(task, async () => {
    const { options } = readArguments(Deno.args, { options: ["outdir"], targets: [] });
    const directory = `${options.get("outdir") ?? `${ROOT}dist`}${folder}`;
    const files = make();
    await inWorkshop(directory, async (workshop) => {
      for (const [name, text] of Object.entries(files)) {
        Deno.writeTextFileSync(`${workshop}/${name}`, text);
        Deno.chmodSync(`${workshop}/${name}`, 0o644);
      }
      for (const name of Object.keys(files)) {
        Deno.renameSync(`${workshop}/${name}`, `${directory}/${name}`);
        console.log(`${directory}/${name}`);
      }
    });
  });
}
