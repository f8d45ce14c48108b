// The programs for the endurance figures: Postfix's smtp-source and smtp-sink with one postprox in listen mode between
// them. It also reads the memory and descriptors of postprox. Linux only: /proc. Needs Debian's package postfix, but
// not root.

import { findProgram } from "../e2e/postfix.ts";
import { freePort, isListening, kill, Listening } from "../e2e/start.ts";
import { until } from "../rig/wait.ts";

/** One measured value beside its bound. */
export interface Figure {
  readonly name: string;
  readonly value: string;
  readonly bound: string;
  readonly passed: boolean;
  /** A time, or what grows but slowly: says something in a whole run, on a machine that has nothing else to do. */
  readonly wholeRunOnly?: boolean;
}

export interface Load {
  readonly count: number;
  readonly size: number;
  readonly connections: number;
}

/** Ordinary mail, that a process meets before its memory is measured: its code is compiled then, and its heap grown. */
const WARM_UP = { size: 5000, connections: 10 };

/** A heap that grows by no more than this over some hundred messages has its size. */
const SETTLED_KIB = 512;

/** Starts a server that takes all mail and forgets it. */
async function startSink(): Promise<{ port: number; stop: () => Promise<void> }> {
  const port = await freePort();
  const user = Deno.uid() === 0 ? ["-u", "nobody"] : [];
  const child = new Deno.Command(findProgram("smtp-sink"), {
    args: [...user, "-m", "10000", `127.0.0.1:${port}`, "1000"],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await until(() => isListening(port), "smtp-sink to listen");
  return {
    port,
    stop: async () => {
      kill(child.pid, "SIGTERM");
      await child.status;
    },
  };
}

export class EnduranceBed {
  readonly directory: string;
  readonly #postprox: Listening;
  readonly #stopSink: () => Promise<void>;

  private constructor(directory: string, postprox: Listening, stopSink: () => Promise<void>) {
    this.directory = directory;
    this.#postprox = postprox;
    this.#stopSink = stopSink;
  }

  /** `options` are postprox's own. */
  static async start(options: readonly string[]): Promise<EnduranceBed> {
    const directory = await Deno.makeTempDir({ prefix: "postprox-endurance-" });
    const sink = await startSink();
    try {
      const own = ["-d", directory, `--log=${directory}/log`];
      const postprox = await Listening.start([...own, ...options, `127.0.0.1:${sink.port}`]);
      return new EnduranceBed(directory, postprox, sink.stop);
    } catch (error) {
      await sink.stop();
      await Deno.remove(directory, { recursive: true });
      throw error;
    }
  }

  /** Gives `use` a postprox, and ends it in any case. */
  static async using<T>(options: readonly string[], use: (bed: EnduranceBed) => Promise<T>): Promise<T> {
    const bed = await EnduranceBed.start(options);
    try {
      return await use(bed);
    } finally {
      await bed.#stop();
    }
  }

  get port(): number {
    return this.#postprox.port;
  }

  /** Sends so many messages, and then more until the memory has found its size, which on a busy machine takes longer. */
  async warmUp(count: number): Promise<void> {
    let before = 0;
    for (let rounds = 0; rounds < 20 && this.memory() - before > SETTLED_KIB; rounds++) {
      before = this.memory();
      await this.send({ ...WARM_UP, count: rounds === 0 ? count : count / 4 });
    }
  }

  /** Sends messages by smtp-source, each in a session of its own; throws unless each got a 2xx. */
  async send({ count, size, connections }: Load): Promise<void> {
    const addresses = ["-f", "a@a.example", "-t", "b@b.example"];
    const load = ["-s", connections, "-l", size, "-m", count].map(String);
    const args = [...load, ...addresses, `127.0.0.1:${this.port}`];
    const { success, stderr } = await new Deno.Command(findProgram("smtp-source"), { args }).output();
    if (!success) throw new Error(`smtp-source failed: ${new TextDecoder().decode(stderr)}\n${this.log()}`);
  }

  /** Resident KiB. */
  memory(): number {
    return this.#status("VmRSS");
  }

  /** The largest resident KiB since `forgetPeak`. */
  peak(): number {
    return this.#status("VmHWM");
  }

  forgetPeak(): void {
    const RESET_PEAK = "5"; // proc_pid_clear_refs(5)
    Deno.writeTextFileSync(`/proc/${this.#pid}/clear_refs`, RESET_PEAK);
  }

  /** How many sockets and files of its directory are open. The runtime opens caches of its own when it likes to. */
  descriptors(): number {
    const links = Array.from(Deno.readDirSync(`/proc/${this.#pid}/fd`), ({ name }) => this.#link(name));
    return links.filter((link) => link.startsWith("socket:") || link.startsWith(this.directory)).length;
  }

  #link(descriptor: string): string {
    try {
      return Deno.readLinkSync(`/proc/${this.#pid}/fd/${descriptor}`);
    } catch {
      // Closed just now.
      return "";
    }
  }

  /** The log, without the lines about the start. The one about root is there if the tests run as root. */
  log(): string {
    return Deno.readTextFileSync(`${this.directory}/log`)
      .replace(/^\S+ \S+ (?:notice: listening|warning: postprox and everything that it starts run as root).*\n/gm, "");
  }

  /** Spool files. */
  spooled(): string[] {
    return [...Deno.readDirSync(this.directory)].map(({ name }) => name).filter((name) => name !== "log");
  }

  get #pid(): number {
    return this.#postprox.process.pid;
  }

  #status(field: string): number {
    const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(Deno.readTextFileSync(`/proc/${this.#pid}/status`));
    return Number(line![1]);
  }

  async #stop(): Promise<void> {
    try {
      await this.#postprox.stop();
    } finally {
      await this.#stopSink();
      await Deno.remove(this.directory, { recursive: true });
    }
  }
}
