// The Bun executable. A build that fails says so clearly and leaves nothing behind. On a mail host neither the
// environment nor the working directory change what the executable does. The tests build it from the source, with npm's
// Bun.

import assert from "node:assert/strict";
import { fromFileUrl } from "../e2e/paths.ts";
import { runCommand } from "../e2e/start.ts";
import { DEADLINE } from "../rig/wait.ts";

const script = fromFileUrl(new URL("../../scripts/compile_bun.ts", import.meta.url));

async function compile(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ status: number; stdout: string; stderr: string }> {
  // To build takes long on a busy machine.
  return await runCommand([Deno.execPath(), "run", "--quiet", "-A", script, ...args], { env, deadline: 10 * DEADLINE });
}

async function inDirectory(play: (dir: string) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_executable_" });
  try {
    await play(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

const FAILURES: readonly (readonly [
  name: string,
  args: (dir: string) => readonly string[],
  env: Record<string, string>,
  stderr: RegExp,
])[] = [
  [
    "an unknown target",
    (dir) => [`--outdir=${dir}`, "linux-x64", "solaris"],
    {},
    /^unknown target solaris: there are /,
  ],
  ["an output directory that cannot be", () => ["--outdir=/proc/none"], {}, /^cannot write in \/proc\/none: /],
  ["an output directory that is a file", () => [`--outdir=${script}`], {}, /^cannot write in .*compile_bun\.ts: /],
  ["no npm", (dir) => [`--outdir=${dir}`], { PATH: "/nonexistent" }, /^npx was not found: install npm/],
  [
    "no Bun to get",
    (dir) => [`--outdir=${dir}`],
    { npm_config_offline: "true", npm_config_cache: "/dev/null/none" },
    /^Bun [0-9.]+ from npm cannot build it: npm error /,
  ],
];

for (const [name, args, env, expected] of FAILURES) {
  Deno.test(`compile:bun with ${name}: one line, a status, nothing left`, () =>
    inDirectory(async (dir) => {
      const { status, stdout, stderr } = await compile(args(dir), env);
      assert.equal(status, 1);
      assert.equal(stdout, "");
      assert.match(stderr, /^compile:bun: [^\n]+\n$/);
      assert.match(stderr.slice("compile:bun: ".length), expected);
      assert.deepEqual([...Deno.readDirSync(dir)], []);
    }));
}

// What Bun's runtime, and node's, would be told by them stands after each.
const VARIABLES = (dir: string): readonly Record<string, string>[] => [
  { BUN_BE_BUN: "1" }, // to be Bun's own command line
  { BUN_OPTIONS: "--version" }, // to say its own version
  { BUN_OPTIONS: `--preload ${dir}/preload.js` }, // to run other code
  { BUN_INSPECT: `ws+unix://${dir}/made` }, // to let a debugger in
  { BUN_INSPECT_CONNECT_TO: `${dir}/made`, BUN_INSPECT_PRELOAD: `${dir}/preload.js` },
  { BUN_BYTECODE_ORDER_OUT: `${dir}/made`, BUN_BYTECODE_DIGEST_OUT: `${dir}/made` }, // to write files
  { BUN_CONFIG_VERBOSE_FETCH: "1", BUN_CONFIG_PRELOAD: `${dir}/preload.js`, BUN_TRACE: `${dir}/made` },
  { BUN_FEATURE_FLAG_DISABLE_IPV4: "1", BUN_FEATURE_FLAG_DISABLE_DNS_CACHE: "1", BUN_DEBUG: `${dir}/made` },
  { NODE_OPTIONS: `--require ${dir}/preload.js --bogus` },
  { NODE_CHANNEL_FD: "0", NODE_CHANNEL_SERIALIZATION_MODE: "json" }, // to take standard input for a parent's pipe
  { NODE_EXTRA_CA_CERTS: "/nonexistent", NODE_TLS_REJECT_UNAUTHORIZED: "0", NODE_NO_WARNINGS: "0" }, // to warn
  { NODE_DEBUG: "*", NODE_DEBUG_NATIVE: "*", NODE_REDIRECT_WARNINGS: `${dir}/made`, NODE_COMPILE_CACHE: `${dir}/made` },
];

Deno.test("the Bun executable does the same under every BUN_ and NODE_ variable, and beside .env and bunfig.toml", () =>
  inDirectory(async (dir) => {
    const { status, stderr } = await compile([`--outdir=${dir}`]);
    assert.equal(status, 0, stderr);
    assert.equal(stderr, "", "an edit was left out");
    assertAligned(`${dir}/postprox`);
    Deno.writeTextFileSync(`${dir}/preload.js`, 'require("fs").writeSync(2, "preloaded");');
    const hostile = `${dir}/hostile`;
    Deno.mkdirSync(hostile);
    Deno.writeTextFileSync(`${hostile}/.env`, "FOO=from .env\nBUN_OPTIONS=--version\n");
    Deno.writeTextFileSync(`${hostile}/bunfig.toml`, `preload = ["${dir}/preload.js"]\n`);
    Deno.writeTextFileSync(`${hostile}/package.json`, '{ "name": 1, "type": "module", ');
    Deno.writeTextFileSync(`${hostile}/tsconfig.json`, "{ no JSON");
    Deno.mkdirSync(`${dir}/spool`);

    // Its words, and a conversation on pipes with nobody listening downstream.
    const play = async (env: Record<string, string>, cwd: string) => [
      await runCommand([`${dir}/postprox`, "--version"], { env, cwd }),
      await runCommand([`${dir}/postprox`, "127.0.0.1:1", "-d", `${dir}/spool`, "--log=stderr"], { env, cwd })
        .then(({ stderr, ...rest }) => ({ ...rest, stderr: stderr.replace(/\[[0-9]+\]: error: \w{10}: /, ": ") })),
    ];
    const names = () => [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
    const [expected, before] = [await play({}, "/"), names()];
    assert.match(expected[0]!.stdout, /^postprox /);
    assert.match(expected[1]!.stdout, /^421 /);
    assert.deepEqual(await play({}, hostile), expected);
    for (const env of VARIABLES(dir)) {
      assert.deepEqual(await play(env, hostile), expected, JSON.stringify(env));
      assert.deepEqual(names(), before, JSON.stringify(env));
    }
  }));

Deno.test("the Bun executable uses huge pages if it was built for them, and only then", () =>
  inDirectory(async (dir) => {
    const { status, stderr } = await compile([`--outdir=${dir}`, "--huge-pages"]);
    assert.equal(status, 0, stderr);
    assert.equal(stderr, "", "an edit was left out");
    assertAligned(`${dir}/postprox`);
    assert.equal(await asksForHugePages(`${dir}/postprox`, dir), hasHugePages());
    // The environment decides first.
    assert.equal(await asksForHugePages(`${dir}/postprox`, dir, { MIMALLOC_ALLOW_THP: "0" }), false);
    assert.equal((await compile([`--outdir=${dir}`])).status, 0);
    assert.equal(await asksForHugePages(`${dir}/postprox`, dir), false);
    assert.equal(await asksForHugePages(`${dir}/postprox`, dir, { MIMALLOC_ALLOW_THP: "1" }), hasHugePages());
  }));

/** Each part that is loaded lies at an offset in the file that fits its address in huge pages. */
function assertAligned(path: string): void {
  using file = Deno.openSync(path);
  const header = new Uint8Array(4096);
  file.readSync(header);
  const view = new DataView(header.buffer);
  const parts = Array.from({ length: view.getUint16(56, true) }, (_, number) => 64 + 56 * number)
    .filter((at) => view.getUint32(at, true) === 1)
    .map((at) => [8, 16].map((field) => Number(view.getBigUint64(at + field, true)) % 0x20_0000));
  assert.equal(parts.length, 3);
  for (const [offset, address] of parts) assert.equal(offset, address);
}

/** Whether the kernel has huge pages for whoever asks. mimalloc asks no other kernel. */
function hasHugePages(): boolean {
  try {
    return !Deno.readTextFileSync("/sys/kernel/mm/transparent_hugepage/enabled").includes("[never]");
  } catch {
    return false;
  }
}

/** Whether the process asks the kernel for huge pages (madvise(2), proc(5)). */
async function asksForHugePages(path: string, dir: string, env: Record<string, string> = {}): Promise<boolean> {
  // It waits for the greeting of a server that says nothing.
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const server = `127.0.0.1:${(silent.addr as Deno.NetAddr).port}`;
  const child = new Deno.Command(path, {
    args: [server, "-d", dir],
    env,
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  })
    .spawn();
  try {
    using _conn = await silent.accept();
    return / hg\b/.test(Deno.readTextFileSync(`/proc/${child.pid}/smaps`));
  } finally {
    child.kill("SIGKILL");
    await child.stdin.close().catch(() => {});
    await child.status;
  }
}
