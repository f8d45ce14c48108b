// A real mail server. It stays in the foreground and runs in its own directory.

import { isListening, kill } from "../e2e/start.ts";
import { until, within } from "../rig/wait.ts";

/** A message that a server has taken. */
export interface Taken {
  readonly sender: string;
  /** As the server keeps it; its own lines may stand before the message's. */
  readonly text: string;
}

export interface RealServer {
  readonly name: string;
  readonly port: number;
  /** The text of a message comes as it was sent. */
  readonly verbatim: boolean;
  /** All messages so far; to be asked when no conversation is open. */
  taken(): Promise<Taken[]>;
  stop(): Promise<void>;
}

/** Starts a server that stays in the foreground, with a directory of its own which is removed in the end. */
export async function serve(
  dir: string,
  { name, port, words, env, taken }: {
    name: string;
    port: number;
    words: readonly string[];
    env?: Record<string, string>;
    taken: () => Taken[];
  },
): Promise<RealServer> {
  const child = new Deno.Command(words[0]!, {
    args: words.slice(1),
    env: env ?? {},
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let said = "";
  let ended = false;
  void (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) said = said.slice(-1000) + text;
  })();
  void child.status.then(() => ended = true);
  const stop = async () => {
    kill(child.pid, "SIGTERM");
    await within(child.status, () => `the end of ${name}`).finally(() => kill(child.pid));
    await until(() => removed(dir), () => `the removal of ${dir}`);
  };
  try {
    await until(() => ended || isListening(port), () => `${name} on port ${port}`);
    if (ended) throw new Error(`${name} ended at its start: ${said}`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { name, port, verbatim: false, taken: () => Promise.resolve(taken()), stop };
}

/** False while somebody still writes there. */
function removed(dir: string): boolean {
  try {
    Deno.removeSync(dir, { recursive: true });
    return true;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}

export async function ownDirectory(use: (dir: string) => Promise<RealServer>): Promise<RealServer> {
  const dir = Deno.makeTempDirSync({ dir: "/tmp", prefix: "postprox-hostile-" });
  Deno.chmodSync(dir, 0o755);
  try {
    return await use(dir);
  } catch (error) {
    removed(dir);
    throw error;
  }
}
