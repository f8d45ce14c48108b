// A real server for tests: its own directory under /tmp, and its process, which is ended by its pid.

import { until } from "../rig/wait.ts";
import { isAlive, kill } from "./start.ts";

export class Daemon {
  /** Other users can enter it. */
  readonly dir: string;
  readonly #name: string;
  #child: Deno.ChildProcess | undefined;

  constructor(name: string) {
    this.#name = name;
    this.dir = Deno.makeTempDirSync({ dir: "/tmp", prefix: `postprox-${name}-` });
    Deno.chmodSync(this.dir, 0o755);
  }

  /** Of the process that runs now. */
  get pid(): number {
    return this.#child!.pid;
  }

  /** The file `log` in its directory. */
  get log(): string {
    try {
      return Deno.readTextFileSync(`${this.dir}/log`);
    } catch {
      return ""; // Not written yet.
    }
  }

  /** Starts it in its directory, and waits until `isUp` says so. An `isUp` that throws says no. */
  async run(program: string, args: readonly string[], isUp: () => Promise<boolean>): Promise<void> {
    const quiet = { stdin: "null", stdout: "null", stderr: "null" } as const;
    const { pid } = this.#child = new Deno.Command(program, { args: [...args], cwd: this.dir, ...quiet }).spawn();
    await until(async () => {
      if (!isAlive(pid)) throw new Error(`${this.#name} has ended: ${this.log}`);
      return await isUp().catch(() => false);
    }, () => `${this.#name} to answer: ${this.log}`);
  }

  /** Ends it at once, in the middle of anything. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child) return;
    kill(child.pid);
    await child.status;
  }

  /** Ends it as an administrator does, and removes its directory. */
  async stop(): Promise<void> {
    if (this.#child) {
      const { pid, status } = this.#child;
      kill(pid, "SIGTERM");
      const late = setTimeout(() => kill(pid), 10_000);
      await status;
      clearTimeout(late);
    }
    Deno.removeSync(this.dir, { recursive: true });
  }
}

/** Says this to a server, and returns the beginning of its answer. */
export async function askServer(
  to: { readonly port: number } | { readonly path: string },
  question: Uint8Array,
): Promise<string> {
  using conn = "port" in to
    ? await Deno.connect({ hostname: "127.0.0.1", port: to.port })
    : await Deno.connect({ transport: "unix", path: to.path });
  for (let at = 0; at < question.length;) at += await conn.write(question.subarray(at));
  const answer = new Uint8Array(1024);
  const count = await conn.read(answer) ?? 0;
  return new TextDecoder("latin1").decode(answer.subarray(0, count));
}
