// Starts the program under test in four ways: as spawn(8) does, one process per connection with the socket as
// descriptors 0, 1 and 2; in listen mode, in the foreground; on pipes; or once, for its output. Each process is ended
// by its pid.
//
// Spawner needs python3, because Deno cannot give a child a socket as its standard input.

import { Client, connectTo } from "../rig/client.ts";
import { pipeWire } from "../rig/wire.ts";
import { until, within } from "../rig/wait.ts";
import { freePort } from "../rig/ports.ts";
import { fromFileUrl } from "./paths.ts";
import { programWords } from "./program.ts";

export { freePort };

export type Environment = Record<string, string>;

/** A process of the program: its pid, and its exit status, negative for a signal. */
export interface Process {
  readonly pid: number;
  readonly ended: Promise<number>;
}

/** Whether somebody listens on this TCP port, without connecting to it. */
export function isListening(port: number): boolean {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of Deno.readTextFileSync(table).split("\n")) {
      const field = line.trim().split(/\s+/);
      if (field[1]?.endsWith(local) && field[3] === "0A") return true;
    }
  }
  return false;
}

/** Whether the process exists and is no zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

/** Kills the process, if it is there still. */
export function kill(pid: number, signal: Deno.Signal = "SIGKILL"): void {
  try {
    Deno.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

/** Accepts connections as Postfix's spawn(8) does. */
export class Spawner {
  readonly port: number;
  /** All processes so far, oldest first. */
  readonly processes: Process[] = [];
  #child: Deno.ChildProcess;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #lines: AsyncGenerator<string>;
  #set = Promise.withResolvers<void>();
  #made: Promise<unknown> = Promise.resolve();
  #changed: () => void = () => {};
  #ends = new Map<number, (status: number) => void>();

  private constructor(child: Deno.ChildProcess, port: number, lines: AsyncGenerator<string>) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.port = port;
    this.#lines = lines;
    void this.#follow();
  }

  static async start(): Promise<Spawner> {
    const script = fromFileUrl(new URL("./spawner.py", import.meta.url));
    const child = new Deno.Command("python3", { args: [script], stdin: "piped", stdout: "piped" }).spawn();
    const lines = readLines(child.stdout);
    const first = await within(lines.next(), () => "spawner.py");
    return new Spawner(child, Number(String(first.value).split(" ")[1]), lines);
  }

  /** The arguments that the program gets in the connections to come. */
  async use(args: readonly string[], env: Environment = {}): Promise<void> {
    await this.useCommand([...programWords(), ...args], env);
  }

  /** Another command line in place of the program's. */
  async useCommand(argv: readonly string[], env: Environment = {}): Promise<void> {
    this.#set = Promise.withResolvers<void>();
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify({ argv, env })}\n`));
    await within(this.#set.promise, () => "spawner.py");
  }

  /** A connection, and the process that serves it. One is made after the other, for only their order tells whose is whose. */
  connect(): Promise<{ client: Client; process: Process }> {
    const made = this.#made.then(() => this.#connectNext());
    this.#made = made.catch(() => {});
    return made;
  }

  async #connectNext(): Promise<{ client: Client; process: Process }> {
    const before = this.processes.length;
    const client = await connectTo({ port: this.port });
    const started = async () => {
      while (this.processes.length === before) await new Promise<void>((changed) => this.#changed = changed);
    };
    await within(started(), () => "spawner.py");
    return { client, process: this.processes[before]! };
  }

  async stop(): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#child.status;
  }

  async #follow(): Promise<void> {
    for await (const line of this.#lines) {
      const [event, pid, status] = line.split(" ");
      if (event === "set") this.#set.resolve();
      if (event === "end") this.#ends.get(Number(pid))?.(Number(status));
      if (event === "start") {
        const ended = Promise.withResolvers<number>();
        this.#ends.set(Number(pid), ended.resolve);
        this.processes.push({ pid: Number(pid), ended: ended.promise });
        this.#changed();
      }
    }
  }
}

/** The program in listen mode, in the foreground. */
export class Listening {
  readonly port: number;
  readonly process: Process;
  /** Standard error has ended. */
  readonly #silent: Promise<void>;

  private constructor(process: Process, port: number, silent: Promise<void>) {
    this.process = process;
    this.port = port;
    this.#silent = silent;
  }

  /** Starts it and waits until it accepts connections. `under` are words that start it as their only child. */
  static async start(
    args: readonly string[],
    env: Environment = {},
    under: readonly string[] = [],
    program: readonly string[] = programWords(),
  ): Promise<Listening> {
    const port = await freePort();
    const [command, ...words] = [...under, ...program];
    const child = new Deno.Command(command!, {
      args: [...words, "--foreground", "-l", `127.0.0.1:${port}`, ...args],
      env,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    let said = "";
    const silent = (async () => {
      for await (const line of readLines(child.stderr)) said += `${line}\n`;
    })();
    const ended = child.status.then((end) => end.signal ? -1 : end.code);
    let status: number | undefined;
    void ended.then((end) => status = end);
    await until(() => status !== undefined || isListening(port), () => `port ${port}; it said ${said}`);
    if (status !== undefined) throw new Error(`The program ended with status ${status}: ${said}`);
    const pid = under.length === 0 ? child.pid : onlyChildOf(child.pid);
    return new Listening({ pid, ended }, port, silent);
  }

  async connect(): Promise<{ client: Client; process: Process }> {
    return { client: await connectTo({ port: this.port }), process: this.process };
  }

  /** Ends it, and its sessions, at once; its exit status. Its workers have ended, too: they have its standard error. */
  async stop(signal: Deno.Signal = "SIGQUIT"): Promise<number> {
    kill(this.process.pid, signal);
    try {
      const status = await within(this.process.ended, () => `the end of process ${this.process.pid}`);
      await within(this.#silent, () => `the end of all that writes to the standard error of ${this.process.pid}`);
      return status;
    } finally {
      kill(this.process.pid);
    }
  }
}

function onlyChildOf(pid: number): number {
  return Number(Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim());
}

/** The program on pipes. */
export function startOnPipes(args: readonly string[], env: Environment = {}): { client: Client; process: Process } {
  const [command, ...words] = programWords();
  const child = new Deno.Command(command!, {
    args: [...words, ...args],
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const ended = child.status.then((end) => end.signal ? -1 : end.code);
  return { client: new Client(pipeWire(child)), process: { pid: child.pid, ended } };
}

/** Runs a command line to its end, with no input; what it printed. */
export async function runCommand(
  argv: readonly string[],
  { deadline, ...options }: { env?: Environment; cwd?: string; deadline?: number } = {},
): Promise<{ status: number; stdout: string; stderr: string }> {
  const child = new Deno.Command(argv[0]!, {
    args: argv.slice(1),
    ...options,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  try {
    const output = await within(child.output(), () => `the end of ${argv.join(" ")}`, deadline);
    const text = new TextDecoder();
    return { status: output.code, stdout: text.decode(output.stdout), stderr: text.decode(output.stderr) };
  } finally {
    kill(child.pid);
  }
}

/** Runs the program to its end, with no input. */
export async function runProgram(
  args: readonly string[],
  options: { env?: Environment; cwd?: string } = {},
): Promise<{ status: number; stdout: string; stderr: string }> {
  return await runCommand([...programWords(), ...args], options);
}

/** Runs the program to its end on a terminal, and gives all that the terminal got. Needs python3. */
export async function runOnTerminal(args: readonly string[]): Promise<{ status: number; stdout: string }> {
  const terminal = "import pty, os, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
  return await runCommand(["python3", "-c", terminal, ...programWords(), ...args]);
}

async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
  if (text !== "") yield text;
}
