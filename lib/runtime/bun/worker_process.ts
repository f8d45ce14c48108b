// Workers on Bun: processes of this program that inherit listening sockets.

import process from "node:process";
import type { WorkerProcess } from "../../ports/runtime.ts";
import { workerWords } from "../shared/children.ts";
import { bun, type BunProcess, ioError } from "./api.ts";
import { endOf, keepStatuses } from "./processes.ts";

export async function startWorker(words: readonly string[], sockets: readonly number[]): Promise<WorkerProcess> {
  keepStatuses();
  let child: BunProcess;
  try {
    child = bun.spawn({
      // It gets the sockets under the numbers from 3 on.
      cmd: workerWords(words, sockets.map((_, at) => 3 + at)),
      stdio: ["pipe", "pipe", "inherit", ...sockets],
      detached: true,
    });
  } catch (error) {
    throw ioError(error, `cannot run ${words[0]}`);
  }
  const { pid, stdin, stdout } = child;
  const reader = stdout.getReader();
  return {
    pid,
    ended: endOf(child),
    write: async (octets) => {
      try {
        stdin!.write(octets);
        await stdin!.flush();
      } catch (error) {
        throw ioError(error, "cannot write to the worker");
      }
    },
    read: async () => {
      try {
        return (await reader.read()).value ?? null;
      } catch (error) {
        throw ioError(error, "cannot read from the worker");
      }
    },
    kill: () => {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    },
  };
}
