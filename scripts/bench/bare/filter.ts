// Runs /bin/true as a filter. It gets what a filter of -c must have: a message in a file, an empty file for its own version, a
// file with the recipients, a pipe as its standard error, and a process group of its own. A fourth file is the mark that the
// others are in use. postprox locks it, too, which is left out here.

import process from "node:process";
import { bun } from "./api.ts";

const MARK = new TextEncoder().encode("boot 00000000-0000-0000-0000-000000000000 device 1\n");
const RECIPIENTS = new TextEncoder().encode("b@b.example\n");

let count = 0;

/** Returns when it has ended. The files are in `directory`, and are removed. */
export async function filter(directory: string, message: Uint8Array): Promise<void> {
  const email = `${directory}/bare-${process.pid}-${++count}`;
  const files = [`${email}-lock`, email, `${email}-out`, `${email}-rcpt`] as const;
  const contents = [MARK, message, new Uint8Array(0), RECIPIENTS] as const;
  if (bun) {
    for (const [at, path] of files.entries()) await bun.write(path, contents[at]!);
    const { stderr, exited } = bun.spawn(["/bin/true"], { stdio: ["ignore", "ignore", "pipe"], detached: true });
    await Promise.all([stderr.getReader().read(), exited]);
    for (const path of files) await bun.file(path).delete();
  } else {
    for (const [at, path] of files.entries()) await Deno.writeFile(path, contents[at]!);
    // Deno's own `detached` forks the whole process, which costs more than one more execve(2).
    const command = new Deno.Command("/usr/bin/setsid", {
      args: ["/bin/true"],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
    const { stderr, status } = command.spawn();
    await Promise.all([stderr.getReader().read(), status]);
    for (const path of files) await Deno.remove(path);
  }
}
