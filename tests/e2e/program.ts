// The program under test, from outside: one command line, the same for every end-to-end and black-box test.
//
// POSTPROX names an executable to test instead of the source, for example dist/postprox. Nothing here imports lib/.

import { fromFileUrl } from "./paths.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** The words that start postprox; a test adds the program's own arguments. */
export function programWords(): string[] {
  const executable = Deno.env.get("POSTPROX");
  if (executable) return [executable];
  return [Deno.execPath(), "run", "--quiet", "-A", `${ROOT}main.ts`];
}

/** The same, for another user than root, who can reach all of it: Deno may be in root's home. It may be copied into `dir`. */
export function reachableProgram(dir: string): string[] {
  const [program, ...words] = programWords();
  if (program !== Deno.execPath()) return [program!, ...words];
  Deno.copyFileSync(program, `${dir}/deno`);
  return [`${dir}/deno`, ...words];
}
