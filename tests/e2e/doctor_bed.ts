// One Postfix with one postprox, in spawn or in listen mode, in good health, for `postprox doctor`.
//
// A test changes main.cf and master.cf, or the command line of the doctor. `restore` writes both files as they were. The
// doctor finds this Postfix by MAIL_CONFIG. Needs Postfix and root.

import { freePorts } from "../rig/ports.ts";
import { install, type Installed, startListening, stop } from "./installed.ts";
import { cleanUp } from "./postfix_bed.ts";
import { createPostfix, type Postfix, USER } from "./postfix.ts";
import { afterFilter, beforeFilter, spawnedProxy } from "./postfix_config.ts";
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
    const entries = [
      beforeFilter({ port: frontPort, proxy: `127.0.0.1:${proxyPort}`, speedAdjust: false }),
      ...mode === "spawn" ? [spawnedProxy(proxyPort, USER, [installed.program, ...all])] : [],
      afterFilter(afterPort),
    ];
    await postfix.start(entries, `127.0.0.1:${proxyPort}_time_limit = 3620s\n`);
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
  const before = { main: postfix.configuration("main.cf"), master: postfix.configuration("master.cf") };
  const configure = async (files: typeof before) => {
    postfix.configure("main.cf", files.main);
    postfix.configure("master.cf", files.master);
    if (isRead) await reload(postfix, frontPort);
  };
  try {
    await configure({ main: withLines(before.main, main), master: master(before.master) });
    await test();
  } finally {
    await configure(before);
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
  await postfix.reload();
  const client = await greet(frontPort);
  await client.quit();
  client.close();
}
