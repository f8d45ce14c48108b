// Starts the program of a peer, with files of its own and as a user who may do nothing, and ends it with all its children.

import { freePort } from "../../../tests/rig/ports.ts";
import { until } from "../../../tests/rig/wait.ts";
import { groupOfUser, userId } from "../../../tests/e2e/postfix.ts";
import { isAlive, kill } from "../../../tests/e2e/start.ts";
import { type Server, startServer } from "../bed.ts";
import type { Way } from "../way.ts";

/** Milliseconds in which children end after their parent. Then they are killed. */
const PATIENCE = 5_000;

export interface Program {
  readonly name: string;
  /** It is in /usr/sbin or /usr/bin. */
  readonly file: string;
  /** Who runs it if we are root: `nobody` without this. */
  readonly user?: string;
}

/** Where a program that is being started has its place. */
export interface Place {
  /** The path of the program's file. */
  readonly file: string;
  /** The port of 127.0.0.1 where it is to listen. */
  readonly port: number;
  /** A directory that its user may read only: for its configuration. */
  readonly config: string;
  /** A directory that its user may write. */
  readonly work: string;
}

/**
 * Starts the program in the foreground. `argvOf` writes its configuration and returns its command line. Throws if nothing
 * listens then. Undefined if the program or its user is not there.
 */
export async function startPeer(
  { name, file, user = "nobody" }: Program,
  directory: string,
  argvOf: (place: Place) => readonly string[],
): Promise<Server | undefined> {
  const path = pathOf(file);
  if (path === undefined || !hasUser(user)) return undefined;
  const config = Deno.makeTempDirSync({ dir: directory, prefix: `${file}-` });
  const work = `${config}/work`;
  Deno.mkdirSync(work);
  for (const folder of [directory, config]) Deno.chmodSync(folder, 0o755);
  const isRoot = Deno.uid() === 0;
  if (isRoot) Deno.chownSync(work, userId(user), groupOfUser(user));
  const port = await freePort();
  const argv = argvOf({ file: path, port, config, work });
  const as = isRoot ? ["setpriv", `--reuid=${user}`, `--regid=${groupOfUser(user)}`, "--clear-groups"] : [];
  const server = await startServer(name, port, [...as, ...argv], { cwd: work });
  return { ...server, stop: () => stopWhole(server) };
}

/** Ends a server, and then its children that are still there. */
export async function stopWhole({ pid, stop }: Pick<Server, "pid"> & Pick<Way, "stop">): Promise<void> {
  const children = descendantsOf(pid);
  await stop();
  const left = () => children.filter(isAlive);
  await until(() => left().length === 0, "the end of a program's children", PATIENCE).catch(() => {
    for (const child of left()) kill(child);
  });
}

/** The path of a Debian program, or undefined if it is not installed. */
export function pathOf(file: string): string | undefined {
  return ["/usr/sbin", "/usr/bin"].map((folder) => `${folder}/${file}`).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

function hasUser(name: string): boolean {
  try {
    userId(name);
    return true;
  } catch {
    return false;
  }
}

/** Of a process that is ours, so that none of its children's numbers belongs to another process meanwhile. */
function descendantsOf(pid: number): number[] {
  let text = "";
  try {
    text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
  } catch {
    // It has ended.
  }
  const children = text.split(" ").filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}
