// Looks at paths as the user of a postprox sees them. Nothing is written.
//
// test(1) asks the kernel, so access lists, groups and read-only file systems count. As root, setpriv(1) becomes that
// user first. Another user can only look for itself.

import { IoError } from "../../../ports/io_error.ts";
import type { Clock, Files, Processes } from "../../../ports/runtime.ts";
import { textOf } from "../../../text/octets.ts";
import type { Me, PathLook, RunUser } from "../facts.ts";
import type { NamedPath } from "../paths.ts";
import { runWords } from "./run_words.ts";

interface Ports {
  readonly clock: Clock;
  readonly files: Pick<Files, "open" | "stat">;
  readonly processes: Pick<Processes, "startTalking">;
}

export interface PathsSeen {
  readonly paths: readonly PathLook[];
  readonly unseen?: string;
  readonly noUser?: boolean;
}

// A line for each path: the path of a program, kind, rights. A name without a slash is looked for in PATH.
const LOOK = `for p; do
  case $p in */*) q=$p ;; *) q=$(command -v -- "$p") || q=$p ;; esac
  case $q in /*|.*) ;; *) q=./$q ;; esac
  k=missing; r=-; w=-; x=-
  if [ -d "$q" ]; then k=directory; elif [ -f "$q" ]; then k=file; elif [ -e "$q" ]; then k=other; fi
  [ -r "$q" ] && r=r; [ -w "$q" ] && w=w; [ -x "$q" ] && x=x
  printf '%s %s%s%s %s\\n' "$k" "$r" "$w" "$x" "$q"
done`;

/** spawn(8) gives programs this search path. */
const SPAWN_PATH = "/usr/bin:/bin";

export async function lookAtMe(ports: Ports): Promise<Me> {
  const { stdout } = await runWords(ports, ["/bin/sh", "-c", "id -u; id -un"]);
  const [id = "", name = ""] = stdout.split("\n");
  return { name: name || id || "this user", isRoot: id === "0" };
}

export async function lookAtPaths(
  ports: Ports,
  named: readonly NamedPath[],
  { me, user, isSpawned }: { readonly me: Me; readonly user: RunUser | undefined; readonly isSpawned: boolean },
): Promise<PathsSeen> {
  const isMe = user === undefined || (user.name === me.name && user.group === undefined);
  if (user !== undefined && !isMe) {
    const known = await runWords(ports, ["id", "-u", "--", user.name]);
    if (known.status === 1) return { paths: [], noUser: true };
    if (!me.isRoot) return { paths: [], unseen: `only root can see what ${user.name} may do: run this as root` };
  }
  const path = isSpawned ? `PATH=${SPAWN_PATH}; ` : "";
  const look = ["/bin/sh", "-c", path + LOOK, "sh", ...named.map(({ path }) => path)];
  const seen = await runWords(ports, isMe ? look : [...await becoming(ports, user!), ...look]);
  const lines = seen.stdout.split("\n").filter(Boolean);
  if (lines.length !== named.length) {
    const who = isMe ? "" : ` as ${user!.name}`;
    return { paths: [], unseen: `files cannot be looked at${who}: ${seen.stderr.trim() || "no answer came"}` };
  }
  return { paths: await Promise.all(named.map((one, at) => pathLook(ports, one, lines[at]!))) };
}

// Only spawn(8) leaves a program with one group.
async function becoming(ports: Ports, { name, group, groups }: RunUser): Promise<string[]> {
  const own = await runWords(ports, ["id", "-g", "--", name]);
  const change = ["setpriv", `--reuid=${name}`, `--regid=${group ?? own.stdout.trim()}`];
  return [...change, groups === "one" ? "--clear-groups" : "--init-groups"];
}

async function pathLook({ files }: Ports, { use, option, path }: NamedPath, line: string): Promise<PathLook> {
  const [, kind = "missing", rights = "---", found = path] = /^(\S+) (\S{3}) (.*)$/.exec(line) ?? [];
  const noInterpreter = use === "filter" && kind === "file" ? await missingInterpreter(files, found) : undefined;
  return {
    use,
    option,
    path: path.includes("/") ? path : kind === "missing" ? path : found,
    kind: kind as PathLook["kind"],
    canRead: rights[0] === "r",
    canWrite: rights[1] === "w",
    canExecute: rights[2] === "x",
    isHidden: kind === "missing" && await isThere(files, path),
    ...noInterpreter === undefined ? {} : { noInterpreter },
  };
}

async function isThere(files: Pick<Files, "stat">, path: string): Promise<boolean> {
  try {
    await files.stat(path);
    return true;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return false;
  }
}

/** The interpreter of a script (execve(2)), if it is not there. */
async function missingInterpreter(files: Pick<Files, "open" | "stat">, path: string): Promise<string | undefined> {
  try {
    const file = await files.open(path);
    const octets = new Uint8Array(256);
    let count: number | null;
    try {
      count = await file.read(octets, 0);
    } finally {
      file.close();
    }
    const interpreter = /^#!\s*(\/\S+)/.exec(textOf(octets.subarray(0, count ?? 0)))?.[1];
    return interpreter === undefined || await isThere(files, interpreter) ? undefined : interpreter;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return undefined;
  }
}
