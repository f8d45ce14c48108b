// Finds the processes of postprox that run in listen mode, by /proc.

import { IoError } from "../../../ports/io_error.ts";
import type { Clock, Files, Processes } from "../../../ports/runtime.ts";
import { readTextFile } from "../../../ports/small_file.ts";
import { readStartOptions, splitStart } from "../options.ts";
import type { Running } from "../stands.ts";
import { runWords } from "./run_words.ts";

interface Ports {
  readonly clock: Clock;
  readonly files: Pick<Files, "list" | "open">;
  readonly processes: Pick<Processes, "startTalking" | "selfWords">;
}

export async function lookAtProcesses(ports: Ports, ownPid: number): Promise<Running[]> {
  const { files, processes } = ports;
  const found = new Map<string, Running>();
  const self = processes.selfWords();
  for (const name of await orElse(files.list("/proc"), [])) {
    const pid = Number(name);
    if (!(pid > 0) || pid === ownPid) continue;
    const line = await orElse(readTextFile(files, `/proc/${pid}/cmdline`), "");
    const start = splitStart(line.replace(/\0$/, "").split("\0"), self);
    // The processes of one service have the same words.
    if (!start || found.has(line)) continue;
    const options = await readStartOptions(files, start.options);
    if (!options.settings?.listen.address) continue;
    const { file } = options.settings.config;
    const user = await userOf(ports, pid);
    found.set(line, {
      ...options,
      pid,
      source: file === undefined ? { kind: "command line" } : { kind: "file", path: file },
      ...user === undefined ? {} : { user: { name: user, groups: "all" as const, from: `process ${pid}` } },
    });
  }
  return [...found.values()];
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
