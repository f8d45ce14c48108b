// Looks at what a postprox needs of the machine: room in the spool directory, and a syslog.

import { IoError } from "../../../ports/io_error.ts";
import type { Clock, Network, Processes } from "../../../ports/runtime.ts";
import type { Settings } from "../../../settings/settings.ts";
import type { LogLook } from "../facts.ts";
import { runWords } from "./run_words.ts";

/** Free octets in `directory` for ordinary users, as df(1) says; undefined if it does not. */
export async function roomIn(
  ports: { readonly clock: Clock; readonly processes: Pick<Processes, "startTalking"> },
  directory: string,
): Promise<number | undefined> {
  const { stdout, status } = await runWords(ports, ["df", "-P", "-k", directory.replace(/^-/, "./-")]);
  const [, free] = /\n.*?\s[0-9]+\s+[0-9]+\s+([0-9]+)\s+[0-9]+%\s/.exec(stdout) ?? [];
  return status === 0 && free !== undefined ? Number(free) * 1024 : undefined;
}

const CONNECT_LIMIT = 2000;

/** Asks whether somebody takes lines. No line is sent, and a connection to a socket of the other type fails for that reason. */
export async function lookAtLog(
  { network }: { readonly network: Pick<Network, "connect"> },
  { log: { target } }: Settings,
): Promise<LogLook> {
  if (target.kind !== "syslog") return { kind: "none" };
  const { path } = target;
  try {
    (await network.connect({ transport: "unix", path }, CONNECT_LIMIT)).close();
    return { kind: "syslog", path, why: undefined };
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return { kind: "syslog", path, why: error.kind === "wrong-type" ? undefined : error.message };
  }
}
