// A program that is asked again and again, on Deno. Its standard input and output are pipes.

import { ioError } from "./api.ts";
import { childOf, spawnFilter } from "./processes.ts";
import { failRead, failWrite } from "./sockets.ts";
import type { TalkingChild } from "../../ports/runtime.ts";

export async function startTalking(words: readonly string[]): Promise<TalkingChild> {
  const child = spawnFilter(words, { stdin: "piped", stdout: "piped" });
  const stdin = child.stdin.getWriter();
  const stdout = child.stdout.getReader();
  // If it fails, a write fails, too.
  stdin.closed.catch(() => {});
  return {
    ...childOf(child),
    write: (octets) => stdin.write(octets).catch(failWrite),
    readStdout: async () => (await stdout.read().catch(failRead)).value ?? null,
    hangUp: () => {
      // A write that waits ends with an error. So does this.
      stdin.abort(ioError(new Error("hung up"))).catch(() => {});
      void stdout.cancel().catch(() => {});
    },
  };
}
