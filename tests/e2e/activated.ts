// The program as a service with socket activation, under a service manager that only does that (rig/service_manager.py).

import { fromFileUrl } from "./paths.ts";
import { programWords } from "./program.ts";
import { within } from "../rig/wait.ts";

const MANAGER = fromFileUrl(new URL("../rig/service_manager.py", import.meta.url));

export class Activated {
  /** Of a TCP socket. */
  readonly port: number;
  /** The process that runs now. */
  pid: number;
  readonly #manager: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #rest = "";

  private constructor(manager: Deno.ChildProcess) {
    this.#manager = manager;
    this.#lines = manager.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#input = manager.stdin.getWriter();
    this.port = this.pid = 0;
  }

  /** Starts the program with `args` on a socket at `place`: tcp, or the path of a unix socket. */
  static async start(place: string, args: readonly string[], words = programWords()): Promise<Activated> {
    const manager = new Deno.Command("python3", {
      args: [MANAGER, place, ...words, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const activated = new Activated(manager);
    const port = place === "tcp" ? Number(await activated.#line()) : 0;
    return Object.assign(activated, { port, pid: Number(await activated.#line()) });
  }

  /** Sends the signal, and waits until the next process has been started. */
  async restart(signal: Deno.Signal): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${signal}\n`));
    this.pid = Number(await this.#line());
  }

  async stop(): Promise<void> {
    await this.#input.close();
    await this.#lines.cancel();
    try {
      await within(this.#manager.status, () => "the end of the service manager");
    } catch (error) {
      this.#manager.kill("SIGKILL");
      throw error;
    }
  }

  async #line(): Promise<string> {
    while (!this.#rest.includes("\n")) {
      const { value } = await this.#lines.read();
      if (value === undefined) throw new Error("the service manager has ended");
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return line;
  }
}
