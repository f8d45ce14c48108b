// `deno task compile`: if it cannot build, it says so in one line and leaves nothing behind. The permissions that it
// builds in are enough.
//
// The executable itself needs a base binary, which not every machine can have. If DENORT_BIN names one, the executable
// is built and tried. Otherwise only the bundle that it is made of is tried, with the same permissions.

import assert from "node:assert/strict";
import { PERMISSIONS } from "../../scripts/compile.ts";
import { deliver, listNames } from "../blackbox/rig.ts";
import { connectTo } from "../rig/client.ts";
import { until, within } from "../rig/wait.ts";
import { Server } from "../rig/server.ts";
import { isLeftOut } from "../needs.ts";
import { fromFileUrl } from "./paths.ts";
import { freePort, isListening, kill, runCommand, Spawner } from "./start.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

const BUNDLE = [Deno.execPath(), "run", "--quiet", "-A", `${ROOT}scripts/bundle.ts`];

interface Row {
  readonly name: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly says: RegExp;
}

Deno.test("compile: a build that fails gives one line and status 1, and leaves nothing half-made", async (test) => {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  Deno.writeTextFileSync(`${dir}/text`, "no executable\n");
  // An ELF header for a machine that we know but are not asked for.
  const other = Deno.build.arch === "aarch64" ? 0x3e : 0xb7;
  Deno.writeFileSync(`${dir}/other`, Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, ...zeros(11), other, 0]));
  await copyBundler(`${dir}/cache`);
  const help = /unpack denort-\S+\.zip of the Deno \S+ release and set DENORT_BIN=/;
  const rows: readonly Row[] = [
    // The command line.
    { name: "an unknown target", args: ["sparc"], says: /unknown target sparc: there are linux-x64, linux-arm64$/ },
    { name: "an unknown option", args: ["--out=x"], says: /unknown option --out=x/ },
    // Where it goes.
    { name: "a file in place of the directory", args: [`--outdir=${dir}/text`], says: /cannot write in \S+text: / },
    { name: "a directory that cannot be made", args: ["--outdir=/proc/dist"], says: /cannot write in \/proc\/dist: / },
    // The base binary.
    { name: "DENORT_BIN that is not there", env: { DENORT_BIN: `${dir}/none` }, says: help },
    { name: "DENORT_BIN that is no executable", env: { DENORT_BIN: `${dir}/text` }, says: help },
    { name: "DENORT_BIN for another machine", env: { DENORT_BIN: `${dir}/other` }, says: help },
    { name: "DENORT_BIN that is another program", env: { DENORT_BIN: "/bin/true" }, says: /\/bin\/true does not run/ },
    {
      name: "one DENORT_BIN for two targets",
      args: ["linux-x64", "linux-arm64"],
      env: { DENORT_BIN: "/bin/true" },
      says: /name one target$/,
    },
    {
      name: "a download for the bundle that fails",
      // Nobody listens at port 1.
      env: { DENO_DIR: `${dir}/empty`, HTTPS_PROXY: "http://127.0.0.1:1", NO_PROXY: "" },
      says: /^compile: deno bundle failed: error sending request: [^\n]*refused/,
    },
    {
      name: "a download of the base binary that fails",
      env: { DENO_DIR: `${dir}/cache`, HTTPS_PROXY: "http://127.0.0.1:1", NO_PROXY: "" },
      says:
        /cannot download the base binary \([^()]+ \([^()]*\)\): unpack denort-\S+\.zip [^\n]* or use deno task compile:bun$/,
    },
  ];
  try {
    for (const { name, args = [], env = {}, says } of rows) {
      await test.step(name, async () => {
        const outdir = Deno.makeTempDirSync({ dir });
        Deno.writeTextFileSync(`${outdir}/postprox`, "the one before");
        const { status, stderr } = await compile([`--outdir=${outdir}`, ...args], env);
        assert.equal(status, 1, stderr);
        assert.match(stderr, /^compile: [^\n]+\n$/);
        assert.match(stderr.trimEnd(), says);
        assert.ok(!/https?:/.test(stderr), stderr);
        assert.deepEqual(listNames(outdir), ["postprox"]);
        assert.equal(Deno.readTextFileSync(`${outdir}/postprox`), "the one before");
      });
    }
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("compile: the permissions of the executable are enough, for the one file that it is made of", async () => {
  const outdir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  try {
    const { status, stderr } = await runCommand([...BUNDLE, `--outdir=${outdir}`]);
    assert.equal(status, 0, stderr);
    assert.deepEqual(listNames(outdir), ["postprox.js"]);
    await tryOut([Deno.execPath(), "run", "--quiet", "--unstable-net", ...PERMISSIONS, `${outdir}/postprox.js`]);
  } finally {
    Deno.removeSync(outdir, { recursive: true });
  }
});

Deno.test({
  name: "compile: the executable",
  ignore: isLeftOut("the executable of deno compile"),
  fn: async () => {
    const outdir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
    try {
      const { status, stderr } = await compile([`--outdir=${outdir}`], { DENORT_BIN: Deno.env.get("DENORT_BIN")! });
      assert.equal(status, 0, stderr);
      assert.deepEqual(listNames(outdir), ["postprox"]);
      await tryOut([`${outdir}/postprox`]);
    } finally {
      Deno.removeSync(outdir, { recursive: true });
    }
  },
});

/** Copies the bundler into a cache of Deno's that has nothing else. Deno downloads it when it bundles first. */
async function copyBundler(cache: string): Promise<void> {
  const outdir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  const { status, stderr } = await runCommand([...BUNDLE, `--outdir=${outdir}`]);
  Deno.removeSync(outdir, { recursive: true });
  assert.equal(status, 0, stderr);
  const { denoDir } = JSON.parse((await runCommand([Deno.execPath(), "info", "--json"])).stdout);
  Deno.mkdirSync(cache);
  assert.equal((await runCommand(["cp", "-r", `${denoDir}/dl`, cache])).status, 0);
}

/** All that needs a permission: a filter, its files, the log of each kind, both modes, the sweep, wrong use. */
async function tryOut(words: readonly string[]): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  const fake = await Server.start({ path: `${dir}/downstream` });
  const spawner = await Spawner.start();
  // Deno guards /dev, where syslog's socket is, more than other directories.
  const logDir = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "postprox_test_" });
  const syslog = Deno.listenDatagram({ transport: "unixpacket", path: `${logDir}/syslog` });
  Deno.mkdirSync(`${dir}/spool`);
  const filter = `{ echo "X-Home: $HOME"; cat "$EMAIL"; } >"$OUTFILE"`;
  const options = ["-v", "-d", `${dir}/spool`, "-c", filter, fake.operand];
  const filtered = "X-Home: /nowhere\r\nSubject: test\r\n\r\nA line.\r\n";
  try {
    await spawner.useCommand([...words, `--log=syslog:${logDir}/syslog`, ...options], { HOME: "/nowhere" });
    const { client } = await spawner.connect();
    await client.expect(220);
    assert.equal((await deliver(client)).code, 250);
    await client.expect(221, "QUIT");
    await client.expectEnd();
    client.close();
    assert.equal(fake.messages.at(-1)?.text, filtered);
    const [line] = await within(syslog.receive(), () => "a line in syslog");
    assert.match(new TextDecoder().decode(line), /postprox\[[0-9]+\]: .*verdict=/);

    await spawner.useCommand([...words]);
    const misused = (await spawner.connect()).client;
    assert.match(await misused.end(), /^421 4\.3\.5 [^\r\n]*\r\n$/);
    misused.close();

    // Its mark is as a process leaves it that is killed: nobody has it locked.
    const left = `${dir}/spool/postprox-1-${crypto.randomUUID()}`;
    const boot = Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
    Deno.writeTextFileSync(`${left}.eml`, "left over");
    Deno.writeTextFileSync(`${left}.lock`, `boot ${boot} device ${Deno.statSync(`${dir}/spool`).dev}\n`);
    await listen([...words, "--foreground", `--log=${dir}/log`, ...options], async (port) => {
      assert.deepEqual(listNames(`${dir}/spool`), []);
      const client = await connectTo({ port });
      await client.expect(220);
      assert.equal((await deliver(client)).code, 250);
      await client.expect(221, "QUIT");
      client.close();
    });
    assert.equal(fake.messages.at(-1)?.text, filtered);
    assert.match(Deno.readTextFileSync(`${dir}/log`), /verdict=/);
    assert.deepEqual(listNames(`${dir}/spool`), []);
  } finally {
    syslog.close();
    Deno.removeSync(logDir, { recursive: true });
    await spawner.stop();
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
}

async function listen(words: readonly string[], talk: (port: number) => Promise<void>): Promise<void> {
  const port = await freePort();
  const [program = "", ...args] = words;
  const child = new Deno.Command(program, {
    args: [...args, "-l", String(port)],
    env: { HOME: "/nowhere" },
    stdin: "null",
    stdout: "null",
  }).spawn();
  try {
    await until(() => isListening(port), () => `port ${port}`);
    await talk(port);
    child.kill("SIGTERM");
    assert.equal((await within(child.status, () => "the end of the program")).code, 0);
  } finally {
    kill(child.pid);
    await child.status;
  }
}

async function compile(args: readonly string[], env: Readonly<Record<string, string>>) {
  // Without the DENORT_BIN of the person who runs the tests.
  const { DENORT_BIN: _, ...own } = Deno.env.toObject();
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", `${ROOT}scripts/compile.ts`, ...args],
    clearEnv: true,
    env: { ...own, ...env },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  return { status: code, stderr: new TextDecoder().decode(stderr) };
}

function zeros(count: number): number[] {
  return new Array(count).fill(0);
}
