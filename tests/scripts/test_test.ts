// Tests of scripts/test.ts, which runs the tests: it reports every failure, hang, ignored test and process left behind.

import assert from "node:assert/strict";
import { fromFileUrl } from "../e2e/paths.ts";
import { isAlive, runCommand } from "../e2e/start.ts";
import { until, within } from "../rig/wait.ts";

const here = (name: string) => fromFileUrl(new URL(name, import.meta.url));

const WORDS = [Deno.execPath(), "run", "--quiet", "-A", here("../../scripts/test.ts")];

/** A test that starts a program which nobody ends, and writes its pid to the file `pid`. */
const STARTS = `
Deno.test({ name: "starts", sanitizeOps: false, sanitizeResources: false, fn: () => {
  const quiet = { stdin: "null", stdout: "null", stderr: "null" };
  const child = new Deno.Command("sleep", { args: ["1000"], ...quiet }).spawn();
  child.unref();
  Deno.writeTextFileSync(new URL("pid", import.meta.url), String(child.pid));
} });`;

const HANGS = `Deno.test("for ever", () => new Promise((done) => setTimeout(done, 1e6)));`;

/** Test files, and the runner's report about each. */
const FILES: Readonly<Record<string, readonly [text: string, says: RegExp]>> = {
  passes: [`Deno.test("a", (t) => t.step("b", () => {}).then(() => {}));`, /passes_test\.ts: 1 passed in/],
  fails: [
    `Deno.test("a", () => { console.log("its words"); throw new Error("its reason"); }); Deno.test("b", () => {});`,
    /FAILED \S+fails_test\.ts: 1 failed\n[^]*its words\n[^]*Error: its reason\n[^]*fails_test\.ts:1:/,
  ],
  cannot_be_loaded: [`import "./none.ts";`, /FAILED \S+loaded_test\.ts: it ended with an error\n[^]*none\.ts/],
  has_no_test: ["", /FAILED \S+no_test_test\.ts: no test ran\n/],
  ignores_a_test: [
    `Deno.test.ignore("left", () => {}); Deno.test("a", () => {});`,
    /FAILED \S+ignores_a_test_test\.ts: ignored, and tests\/needs\.ts does not tell why: left\n/,
  ],
  ignores_a_step: [
    `Deno.test("a", (t) => t.step({ name: "left", ignore: true, fn() {} }).then(() => {}));`,
    /FAILED \S+ignores_a_step_test\.ts: ignored, .*: left\n/,
  ],
  hangs: [HANGS, /FAILED \S+hangs_test\.ts: not done after 3 s\n[^]*for ever \.\.\./],
  leaks_a_timer: [`Deno.test("a", () => void setTimeout(() => {}, 1e6));`, /FAILED \S+timer_test\.ts: 1 failed\n/],
  leaks_a_file: [`Deno.test("a", () => void Deno.openSync("/"));`, /FAILED \S+leaks_a_file_test\.ts: 1 failed\n/],
  leaves_a_process: [STARTS, /FAILED \S+process_test\.ts: left running: \S*sleep 1000\n/],
};

async function inFolder(files: Readonly<Record<string, string>>, play: (dir: string) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  try {
    for (const [name, text] of Object.entries(files)) Deno.writeTextFileSync(`${dir}/${name}_test.ts`, text);
    await play(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("the test runner reports all that goes wrong in a test file, and each file that does not pass", (test) => {
  const texts = Object.fromEntries(Object.entries(FILES).map(([name, [text]]) => [name, text]));
  return inFolder(texts, async (dir) => {
    const { status, stdout } = await runCommand([...WORDS, "--limit=3", dir]);
    for (const [name, [_, says]] of Object.entries(FILES)) {
      await test.step(name, () => assert.match(stdout, says));
    }
    assert.match(stdout, /\n5 passed \(1 step\), 9 failed, 0 suites left out; 10 files, \d+ s\n$/);
    assert.equal([...stdout.matchAll(/^FAILED .*_test\.ts: /gm)].length, 9);
    assert.equal(status, 1);
    const pid = readPid(dir)!;
    assert.ok(!isAlive(pid), `${pid} is alive`);
  });
});

Deno.test("the test runner ends with status 0 when all is well", () =>
  inFolder({ passes: FILES["passes"]![0] }, async (dir) => {
    const { status, stdout } = await runCommand([...WORDS, `${dir}/passes_test.ts`]);
    assert.match(stdout, /\n1 passed \(1 step\), 0 failed, 0 suites left out; 1 file, \d+ s\n$/);
    assert.equal(status, 0);
  }));

Deno.test("the test runner ends all its processes when a signal comes", () =>
  inFolder({ hangs: STARTS + HANGS }, async (dir) => {
    const child = new Deno.Command(WORDS[0]!, { args: [...WORDS.slice(1), dir], stdout: "piped" }).spawn();
    await until(() => readPid(dir) !== undefined, () => "the pid");
    const pid = readPid(dir)!;
    assert.ok(isAlive(pid));
    child.kill("SIGINT");
    const { code, stdout } = await within(child.output(), () => "the end of the run");
    assert.equal(code, 130);
    assert.match(new TextDecoder().decode(stdout), /\ninterrupted after 0 files\n$/);
    assert.ok(!isAlive(pid));
  }));

Deno.test("the test runner shows the line that leaks, if it is asked to", () =>
  inFolder({ leaks: FILES["leaks_a_timer"]![0] }, async (dir) => {
    const { stdout } = await runCommand([...WORDS, "--trace-leaks", dir]);
    assert.match(stdout, /The operation was started here:\n(?: +at .*\n)*? +at \S+leaks_test\.ts:1:27\n/);
  }));

const WRONG: readonly (readonly [word: string, says: RegExp])[] = [
  ["--instal", /^test: unknown option --instal\nusage: /],
  ["--limit=0", /^test: unknown option --limit=0\nusage: /],
  ["/dev/null/none", /^test: there is no \/dev\/null\/none\n$/],
  [here("../../docs"), /^test: there is no test file /],
];

Deno.test("the test runner, used wrongly: one reason, status 64, and nothing runs", async () => {
  for (const [word, says] of WRONG) {
    const { status, stdout, stderr } = await runCommand([...WORDS, word]);
    assert.deepEqual([status, stdout], [64, ""]);
    assert.match(stderr, says);
  }
});

function readPid(dir: string): number | undefined {
  try {
    return Number(Deno.readTextFileSync(`${dir}/pid`)) || undefined;
  } catch {
    return undefined;
  }
}
