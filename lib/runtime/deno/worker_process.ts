// Workers on Deno: processes of this program that inherit listening sockets.

import type { WorkerProcess } from "../../ports/runtime.ts";
import { workerWords } from "../shared/children.ts";
import { ioError } from "./api.ts";
import { endOf, keepStatuses, place } from "./processes.ts";
import { failRead, failWrite } from "./sockets.ts";

export function startWorker(words: readonly string[], sockets: readonly number[]): WorkerProcess {
  keepStatuses();
  const [program = "", ...args] = workerWords(words, sockets);
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      ...place(),
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
      detached: true,
    }).spawn();
  } catch (error) {
    throw ioError(error, `cannot run ${program}`);
  }
  const stdin = child.stdin.getWriter();
  const stdout = child.stdout.getReader();
  // If it fails, a write fails, too.
  stdin.closed.catch(() => {});
  return {
    pid: child.pid,
    ended: child.status.then(endOf),
    write: (octets) => stdin.write(octets).catch(failWrite),
    read: async () => (await stdout.read().catch(failRead)).value ?? null,
    kill: () => {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
    },
  };
}
