// A program that is asked again and again, on Bun. We write to its standard input and read its standard output.
//
// Known gap: these are pairs of sockets. A program cannot open them by a name such as /dev/stdin (ENXIO).

import process from "node:process";
import { ioError } from "./api.ts";
import { launch } from "./processes.ts";
import { isOurs } from "../shared/children.ts";
import type { TalkingChild } from "../../ports/runtime.ts";

export async function startTalking(words: readonly string[]): Promise<TalkingChild> {
  // A child without an environment of its own gets ours octet for octet. A shell removes the variables that are for us
  // alone.
  const removed = Object.keys(process.env).filter(isOurs).map((name) => `unset ${name}; `);
  const cmd = ["/bin/sh", "-c", `${removed.join("")}exec "$0" "$@"`, ...words];
  const { process: { stdin, stdout }, child } = await launch({ cmd }, { stdin: "pipe", stdout: "pipe" });
  const reader = stdout.getReader();
  return {
    ...child,
    write: async (octets) => {
      try {
        // This memory may be used again when the function returns.
        stdin!.write(octets);
        await stdin!.flush();
      } catch (error) {
        throw ioError(error, "cannot write");
      }
    },
    readStdout: async () => {
      try {
        return (await reader.read()).value ?? null;
      } catch (error) {
        throw ioError(error, "cannot read");
      }
    },
    hangUp: () => {
      void Promise.resolve(stdin!.end()).catch(() => {});
      void reader.cancel().catch(() => {});
    },
  };
}
