// One Postfix with one postprox, in spawn or in listen mode, in good health, for `postprox doctor`.
//
// A test changes main.cf and master.cf, or the command line of the doctor. `restore` writes both files as they were. The
// doctor finds this Postfix by MAIL_CONFIG. Needs Postfix and root.

import { freePorts } from "../rig/ports.ts";
import { install, type Installed, startListening, stop } from "./installed.ts";
import { cleanUp } from "./postfix_bed.ts";
import { createPostfix, type Postfix, USER } from "./postfix.ts";
import { afterFilter, beforeFilter, spawnedProxy } from "./postfix_config.ts";
import { until } from "../rig/wait.ts";
import { runCommand } from "./start.ts";
import { greet } from "./stranger.ts";

export interface Site {
  readonly postfix: Postfix;
  readonly installed: Installed;
  readonly mode: "spawn" | "listen";
  readonly frontPort: number;
  readonly proxyPort: number;
  readonly afterPort: number;
  /** The options that postprox runs with, and HOST:PORT. */
  readonly words: readonly string[];
}

export type Ran = Awaited<ReturnType<typeof runCommand>>;

export async function withSite(mode: Site["mode"], test: (site: Site) => Promise<void>): Promise<void> {
  const postfix = createPostfix();
  let listening: number | undefined;
  try {
    const installed = await install(postfix);
    const [frontPort = 0, proxyPort = 0, afterPort = 0] = await freePorts(3);
    const words = ["-c", installed.filter, "-d", installed.spool, `--log=${installed.logs}/${mode}.log`];
    const all = [...words, `127.0.0.1:${afterPort}`];
    await postfix.start([
      beforeFilter({ port: frontPort, proxy: `127.0.0.1:${proxyPort}`, speedAdjust: false }),
      ...mode === "spawn" ? [spawnedProxy(proxyPort, USER, [installed.program, ...all])] : [],
      afterFilter(afterPort),
    ]);
    const limit = `127.0.0.1:${proxyPort}_time_limit = 3620s\n`;
    Deno.writeTextFileSync(`${postfix.dir}/etc/main.cf`, limit, { append: true });
    await reload(postfix, frontPort);
    if (mode === "listen") listening = await startListening(installed, all, proxyPort);
    await test({ postfix, installed, mode, frontPort, proxyPort, afterPort, words: all });
  } finally {
    if (listening !== undefined) await stop(listening);
    await cleanUp(postfix);
  }
}

/** Runs the doctor. `as` is another user than root. */
export async function doctor({ postfix, installed }: Site, args: readonly string[], as?: string): Promise<Ran> {
  const become = as === undefined ? [] : ["setpriv", `--reuid=${as}`, "--regid=nogroup", "--clear-groups"];
  const command = [...become, installed.program, "doctor", ...args];
  return await runCommand(command, { env: { MAIL_CONFIG: `${postfix.dir}/etc` }, cwd: "/" });
}

/** Runs `test` with changed files of Postfix, which has read them, and writes them as they were. */
export async function withFault(
  { postfix, frontPort }: Site,
  { main = "", master = (text) => text, isRead = true }: Fault,
  test: () => Promise<void>,
): Promise<void> {
  const [mainFile, masterFile] = ["main.cf", "master.cf"].map((name) => `${postfix.dir}/etc/${name}`);
  const before = [mainFile!, masterFile!].map((path) => Deno.readTextFileSync(path));
  try {
    replaceFile(mainFile!, withLines(before[0]!, main));
    replaceFile(masterFile!, master(before[1]!));
    if (isRead) await reload(postfix, frontPort);
    await test();
  } finally {
    replaceFile(mainFile!, before[0]!);
    replaceFile(masterFile!, before[1]!);
    if (isRead) await reload(postfix, frontPort);
  }
}

/**
 * Lines of main.cf in place of those with the same names. Postfix would warn of two, and under load its postlogd(8) hangs
 * when it warns itself.
 */
function withLines(text: string, lines: string): string {
  const names = lines.split("\n").map((line) => `${line.split(" ")[0]} =`);
  const others = text.split("\n").filter((line) => !names.some((name) => line.startsWith(name)));
  return `${others.join("\n")}${lines}`;
}

export interface Fault {
  /** Lines of main.cf. They replace those with the same names. */
  readonly main?: string;
  readonly master?: (text: string) => string;
  /** Whether Postfix reads the files. */
  readonly isRead?: boolean;
}

/** Lets Postfix read its files, and waits until it has: a server that master(8) starts after that answers. */
async function reload(postfix: Postfix, frontPort: number): Promise<void> {
  const mark = postfix.log().length;
  const { status, stderr } = await runCommand(["/usr/sbin/postfix", "-c", `${postfix.dir}/etc`, "reload"]);
  if (status !== 0) throw new Error(`postfix reload failed: ${stderr}`);
  await until(() => postfix.log(mark).includes(": reload -- version"), "the reload of Postfix");
  const client = await greet(frontPort);
  await client.quit();
  client.close();
}

/** Writes a file whole: master(8) ends if it reads half of its own. */
function replaceFile(path: string, text: string): void {
  Deno.writeTextFileSync(`${path}.new`, text);
  Deno.renameSync(`${path}.new`, path);
}
