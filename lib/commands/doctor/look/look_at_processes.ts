// Finds the processes of postprox that run in listen mode, by /proc.
//
// Anybody can start a process with any words. So a file that they name is only read if it is a regular one, because
// another one might never end. What is in it goes nowhere but to the one who runs the doctor.

import { IoError } from "../../../ports/io_error.ts";
import type { Clock, Files, Processes } from "../../../ports/runtime.ts";
import { readTextFile } from "../../../ports/small_file.ts";
import { readStartOptions, splitStart } from "../options.ts";
import type { Running } from "../stands.ts";
import { runWords } from "./run_words.ts";

interface Ports {
  readonly clock: Clock;
  readonly files: Pick<Files, "list" | "open" | "stat">;
  readonly processes: Pick<Processes, "startTalking" | "selfWords">;
}

export async function lookAtProcesses(ports: Ports, ownPid: number): Promise<Running[]> {
  const { files, processes } = ports;
  const found = new Map<string, Running>();
  const self = processes.selfWords();
  const network = await networkOf(files, "self");
  for (const name of await orElse(files.list("/proc"), [])) {
    const pid = Number(name);
    if (!(pid > 0) || pid === ownPid) continue;
    const line = await orElse(readTextFile(files, `/proc/${pid}/cmdline`), "");
    const start = splitStart(line.replace(/\0$/, "").split("\0"), self);
    if (!start) continue;
    // In another container, the same address is another place. An ordinary user does not see the network of others.
    const other = await networkOf(files, name);
    if (network !== undefined && other !== undefined && other !== network) continue;
    const options = await readStartOptions(regularOnly(files), start.options);
    // A service may have several processes.
    const key = JSON.stringify([options.settings, options.downstream]);
    // With a socket of systemd there is no -l.
    const { address, foreground } = options.settings?.listen ?? {};
    if ((!address && !foreground) || found.has(key)) continue;
    const { file } = options.settings!.config;
    // With --user it may still be root for a moment.
    const user = options.settings!.listen.user ?? await userOf(ports, pid);
    found.set(key, {
      ...options,
      pid,
      isForeign: true,
      source: file === undefined ? { kind: "command line" } : { kind: "file", path: file },
      ...user === undefined ? {} : { user: { name: user, groups: "all" as const, from: `process ${pid}` } },
    });
  }
  return [...found.values()];
}

function regularOnly(files: Pick<Files, "open" | "stat">): Pick<Files, "open"> {
  return {
    open: async (path) => {
      if ((await files.stat(path)).kind !== "file") throw new IoError("other", `${path} is no file`);
      return await files.open(path);
    },
  };
}

/** The network namespace of a process (namespaces(7)). */
async function networkOf(files: Pick<Files, "stat">, pid: string): Promise<string | undefined> {
  const facts = await orElse<{ device: number; inode: number } | undefined>(
    files.stat(`/proc/${pid}/ns/net`),
    undefined,
  );
  return facts && `${facts.device}:${facts.inode}`;
}

async function userOf(ports: Ports, pid: number): Promise<string | undefined> {
  const status = await orElse(readTextFile(ports.files, `/proc/${pid}/status`), "");
  const id = /^Uid:\t[0-9]+\t([0-9]+)/m.exec(status)?.[1];
  if (id === undefined) return undefined;
  const { stdout, status: end } = await runWords(ports, ["id", "-un", "--", id]);
  return end === 0 ? stdout.trim() : id;
}

async function orElse<Value>(attempt: Promise<Value>, otherwise: Value): Promise<Value> {
  try {
    return await attempt;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return otherwise;
  }
}
