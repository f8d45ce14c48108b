// Runs one test file in its own process, and reports the result.
//
// A file fails if a test fails, if no test ran, if it is not done within its limit, or if it leaves a process behind. A
// variable of the environment, which children inherit, marks all processes that the file starts. In any case, when
// `run` returns, none of them runs any more, and the directory for temporary files is removed.

export interface Outcome {
  readonly file: string;
  readonly seconds: number;
  readonly passed: number;
  readonly steps: number;
  readonly failed: number;
  /** Names of tests and steps that were ignored. */
  readonly ignored: readonly string[];
  /** The fault in a few words; undefined if there is none. */
  readonly complaint?: string;
  /** The output of the file: its failures, or everything if it was killed. */
  readonly output: string;
}

export interface Conditions {
  /** Seconds after which the file is killed. */
  readonly limit: number;
  /** The ports that its servers may use: FIRST-LAST. */
  readonly ports: string;
  /** Whether a leak is told with the line that made it. That takes up to a third of a processor's time. */
  readonly traceLeaks: boolean;
}

const MARK = "POSTPROX_TEST_PROCESS";

/** Seconds that the processes of a file may need to end after it. A Postfix takes one or two. */
const PATIENCE = 15;

export class TestFile {
  readonly #file: string;
  readonly #mark = crypto.randomUUID();
  #child: Deno.ChildProcess | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  async run({ limit, ports, traceLeaks }: Conditions): Promise<Outcome> {
    const start = performance.now();
    const dir = Deno.makeTempDirSync({ prefix: "postprox_tests_" });
    // Servers under test run as other users.
    Deno.chmodSync(dir, 0o755);
    const words = [
      "test",
      "--allow-all",
      "--no-check",
      ...traceLeaks ? ["--trace-leaks"] : [],
      "--sanitize-ops",
      "--sanitize-resources",
      this.#file,
    ];
    // The tests must not inherit our descriptors: some tests look at what they have.
    const shell = `exec "$0" "$@" 2>&1 ${[3, 4, 5, 6, 7, 8, 9].map((number) => `${number}>&-`).join(" ")}`;
    this.#child = new Deno.Command("/bin/sh", {
      args: ["-c", shell, Deno.execPath(), ...words],
      env: {
        NO_COLOR: "1",
        TMPDIR: dir,
        POSTPROX_TEST_PORTS: ports,
        [MARK]: this.#mark,
      },
      stdin: "null",
      stdout: "piped",
      // The process group can be killed as a whole.
      detached: true,
    }).spawn();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.kill();
    }, limit * 1000);
    const reading = new Response(this.#child.stdout).text();
    const { success } = await this.#child.status;
    clearTimeout(timer);
    const left = await this.#clear(Math.min(PATIENCE, limit));
    const text = await reading;
    const notes = removeDirectory(dir);
    const outcome = readOutput(text);
    const complaint = isLate
      ? `not done after ${limit} s`
      : outcome.failed > 0
      ? `${outcome.failed} failed`
      : !success
      ? "it ended with an error"
      : outcome.passed + outcome.ignored.length === 0
      ? "no test ran"
      : left.length > 0
      ? `left running: ${left.join(", ")}`
      : notes;
    const seconds = (performance.now() - start) / 1000;
    if (complaint === undefined) return { ...outcome, file: this.#file, seconds, output: "" };
    return {
      ...outcome,
      file: this.#file,
      seconds,
      failed: Math.max(1, outcome.failed),
      complaint,
      output: isLate ? text : worthReading(text),
    };
  }

  /** Ends it at once, with all processes that it has started. `run` returns soon after. */
  kill(): void {
    if (this.#child) killQuietly(-this.#child.pid);
  }

  /**
   * Waits up to `patience` seconds for the end of all processes that the file has started, and then kills them. Returns
   * those that it killed.
   */
  async #clear(patience: number): Promise<string[]> {
    const deadline = performance.now() + patience * 1000;
    let left = markedProcesses(this.#mark);
    while (left.size > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      left = markedProcesses(this.#mark);
    }
    const names = [...left.values()];
    for (; left.size > 0; left = markedProcesses(this.#mark)) {
      for (const pid of left.keys()) killQuietly(pid);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return names;
  }
}

/** The processes that have the mark in their environment, with their command lines. Linux only. */
function markedProcesses(mark: string): Map<number, string> {
  const found = new Map<number, string>();
  if (Deno.build.os !== "linux") return found;
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (!Deno.readTextFileSync(`/proc/${name}/environ`).includes(`${MARK}=${mark}\0`)) continue;
      found.set(Number(name), Deno.readTextFileSync(`/proc/${name}/cmdline`).replaceAll("\0", " ").trim());
    } catch {
      // It has ended, or belongs to another user.
    }
  }
  return found;
}

function killQuietly(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

function removeDirectory(dir: string): string | undefined {
  try {
    Deno.removeSync(dir, { recursive: true });
    return undefined;
  } catch (error) {
    return `${dir} cannot be removed: ${(error as Error).message}`;
  }
}

type Counts = Pick<Outcome, "passed" | "steps" | "failed" | "ignored">;

/** Reads the last lines of `deno test`, without colours. */
function readOutput(text: string): Counts {
  const end = /^(?:ok|FAILED) \| (\d+) passed(?: \((\d+) steps?\))? \| (\d+) failed/m.exec(text);
  const [passed = 0, steps = 0, failed = 0] = end?.slice(1).map((digits) => Number(digits ?? 0)) ?? [];
  const ignored = [...text.matchAll(/^ *(.*) \.\.\. ignored \(\d+.?s\)$/gm)].map(([, name]) => name!);
  return { passed, steps, failed, ignored };
}

/** The output without the tests that passed. */
function worthReading(text: string): string {
  return text.replace(/^error: Test failed\n[^]*/m, "").split("\n")
    .filter((line) => !/ \.\.\.(?: (?:ok|ignored) \(\S+\))?$|^running \d+ tests? from |^$/.test(line))
    .join("\n");
}
