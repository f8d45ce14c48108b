// Starts programs as Postfix's spawn(8) does, and measures each: spawner.py, which runs all the time.

import { BuildError } from "../build.ts";

/** What a process and its children cost. */
export interface Spawned {
  /** Milliseconds from the start to the end. */
  readonly wall: number;
  /** Milliseconds. */
  readonly cpu: number;
  readonly faults: number;
  /** MB at most. */
  readonly memory: number;
}

export interface Spawnable {
  readonly argv: readonly string[];
  /** Of the message that it gets. If that is 0, it gets none. */
  readonly size: number;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export class Spawner implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncGenerator<string>;

  constructor() {
    const script = decodeURIComponent(new URL("spawner.py", import.meta.url).pathname);
    this.#child = new Deno.Command("python3", { args: [script], stdin: "piped", stdout: "piped" }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#lines = linesOf(this.#child.stdout);
  }

  /** Starts so many processes at a time. */
  async run({ argv, size, env = {} }: Spawnable, together: number): Promise<readonly Spawned[]> {
    return await this.#ask({ argv, size, env, together });
  }

  /** Brings executables into the same state of the page cache. */
  async readAnew(paths: readonly string[]): Promise<void> {
    await this.#ask({ read: paths });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#lines.return(undefined);
    await this.#child.status;
  }

  async #ask(question: unknown): Promise<readonly Spawned[]> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(question)}\n`));
    const { value } = await this.#lines.next();
    const results = JSON.parse(value ?? '["python3 has ended"]') as (Spawned | string)[];
    for (const result of results) if (typeof result === "string") throw new BuildError(result);
    return results as Spawned[];
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
}
