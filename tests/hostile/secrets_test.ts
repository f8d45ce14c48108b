// Things that nobody may read, open or control: spool files, the filter's descriptors and environment, the content of
// replies.
//
// Other tests show the rest. A taken name, even a link to nowhere, is an error (tests/runtime/deno_test.ts,
// contract.ts). Filters see modes 0600 under any umask, and hostile text as values (blackbox/filter_env_test.ts). Names
// never come twice, and the sweep (tests/spool/directory_test.ts). Replies of the whole corpus (hostile_test.ts).

import assert from "node:assert/strict";
import { denoRuntime } from "../../lib/runtime/deno/runtime.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { type Case, CONTENT, deliver, startMessage, table } from "../blackbox/rig.ts";
import { runCommand } from "../e2e/start.ts";
import { type Client } from "../rig/client.ts";
import { until } from "../rig/wait.ts";

// --- spool files

Deno.test("A spool file is never made through a file that has its name already", async () => {
  const { files } = denoRuntime();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  try {
    const precious = `${dir}/precious`;
    Deno.writeTextFileSync(precious, "precious");
    Deno.mkdirSync(`${dir}/directory`);
    Deno.linkSync(precious, `${dir}/hard link`);
    Deno.symlinkSync(precious, `${dir}/link to a file`);
    Deno.symlinkSync(`${dir}/directory`, `${dir}/link to a directory`);
    Deno.symlinkSync(`${dir}/link to a file`, `${dir}/link to a link`);
    Deno.symlinkSync("/dev/null", `${dir}/link to a device`);
    assert.equal((await runCommand(["mkfifo", `${dir}/fifo`])).status, 0);
    const before = [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
    for (const name of before) {
      await assert.rejects(
        files.create(`${dir}/${name}`),
        (error) => error instanceof IoError && error.kind === "exists",
        name,
      );
    }
    assert.equal(Deno.readTextFileSync(precious), "precious");
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name).sort(), before);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

/** More than a session keeps in memory. */
const LARGE = "0123456789abcdef0123456789abcdef\r\n".repeat(10_000);

table("The spool directory, seen from outside", { filter: true }, [{
  name: "a message that is still coming is a file of mode 0600, and its name holds nothing but the pid and chance",
  play: async (talk) => {
    const client = await talk.open();
    await startMessage(client);
    await client.say(LARGE);
    await until(() => talk.spooled().length > 0, () => "a spool file");
    const names = talk.spooled();
    for (const name of names) {
      const { mode, uid, isFile } = Deno.lstatSync(`${talk.spool}/${name}`);
      assert.equal((mode ?? 0) & 0o7777, 0o600, name);
      assert.equal(uid, Deno.uid());
      assert.ok(isFile);
      // 122 bits from the system (RFC 9562 s.5.4): those of the mark, and for a message its own, too.
      assert.match(
        name,
        /^postprox-\d+(?:-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}){1,2}\.(eml|lock)$/,
      );
    }
    await client.say(".\r\n");
    await client.expect(250);
  },
}, {
  name: "of 30 names none tells of another",
  filter: 'echo "$EMAIL" >> "$D/names"; echo "$OUTFILE" >> "$D/outs"',
  play: async (talk) => {
    const client = await talk.open();
    for (let count = 0; count < 30; count++) assert.equal((await deliver(client)).code, 250);
    const names = (await talk.file("names")).trim().split("\n").map((name) => /-\d+-(.*)\.eml$/.exec(name)![1]!);
    assert.equal(names.length, 30);
    // Each of their 30 free digits takes many values: nothing counts, and nothing is the time.
    for (let at = 0; at < 36; at++) {
      if ([8, 13, 14, 18, 23].includes(at)) continue;
      const values = new Set(names.map((name) => name[at]));
      assert.ok(values.size > (at === 19 ? 1 : 5), `digit ${at} of ${names}`);
    }
  },
}]);

table("The spool directory without a filter", {}, [{
  name: "a message too large for memory is a file without a name",
  play: async (talk) => {
    const client = await talk.open();
    await startMessage(client);
    await client.say(LARGE);
    const deleted = () => filesOf(talk.process.pid).some((path) => /\/postprox-.* \(deleted\)$/.test(path));
    await until(deleted, () => `a deleted file among ${filesOf(talk.process.pid)}`);
    assert.deepEqual(talk.spooled(), []);
    await client.say(".\r\n");
    await client.expect(250);
    talk.passed(LARGE);
  },
}]);

/** Where a process's descriptors lead. */
function filesOf(pid: number): string[] {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].flatMap(({ name }) => {
    try {
      return [Deno.readLinkSync(`/proc/${pid}/fd/${name}`)];
    } catch {
      return []; // Closed meanwhile.
    }
  });
}

// --- descriptors

table("The filter's descriptors, with several sessions open", { filter: true, options: () => ["-vv"] }, [{
  name: "are 0, 1 and 2: nothing to read, nowhere to write to but standard error",
  // Of the shell what 0, 1 and 2 are, and of a child all that it was given; 3 is the directory that it reads.
  filter: `own=$(for n in 0 1 2; do readlink /proc/$$/fd/$n; done); echo "$own" > "$D/own.$$"
all=$(ls -l /proc/self/fd); echo "$all" > "$D/all.$$"
echo $$ >> "$D/pids"
while [ ! -e "$D/go" ]; do sleep 0.05; done`,
  play: async (talk) => {
    // Idle ones, and ones whose messages are files already; then two filters at once.
    for (let count = 0; count < 3; count++) await talk.open();
    for (let count = 0; count < 3; count++) {
      const client = await talk.open();
      await startMessage(client);
      await client.say(LARGE);
    }
    const pair: Client[] = [];
    for (let count = 0; count < 2; count++) {
      const client = await talk.open();
      await startMessage(client);
      await client.say(`${CONTENT}.\r\n`);
      pair.push(client);
    }
    const pids = () => talk.hasFile("pids") ? Deno.readTextFileSync(`${talk.dir}/pids`).trim().split("\n") : [];
    await until(() => pids().length === 2, () => "both filters");
    for (const pid of pids()) {
      const [input, output, errors] = (await talk.file(`own.${pid}`)).trim().split("\n");
      assert.equal(input, "/dev/null");
      assert.equal(output, "/dev/null");
      assert.match(errors!, /^pipe:/);
      const all = descriptorsIn(await talk.file(`all.${pid}`));
      assert.deepEqual([...all.keys()], ["0", "1", "2", "3"], String([...all]));
      assert.match(all.get("3")!, /^\/proc\/\d+\/fd$/);
    }
    Deno.writeTextFileSync(`${talk.dir}/go`, "");
    for (const client of pair) await client.expect(250);
  },
}]);

table("A helper's descriptors, with several sessions open", { modes: ["listen"], options: helperThatLists }, [{
  name: "are 0, 1 and 2, also if it is started again",
  play: async (talk) => {
    const pids = () => Deno.readTextFileSync(`${talk.dir}/rules/pids`).trim().split("\n");
    await until(() => talk.hasFile("rules/pids"), "the helper");
    const before = pids().length;
    for (let count = 0; count < 3; count++) await talk.open();
    for (let count = 0; count < 3; count++) {
      const client = await talk.open();
      await startMessage(client);
      await client.say(LARGE);
    }
    // The helper ends when it is asked.
    assert.equal((await deliver(await talk.open())).code, 250);
    await until(() => pids().length > before, "the next helper");
    const all = descriptorsIn(await talk.file(`rules/all.${pids().at(-1)}`));
    assert.deepEqual([...all.keys()], ["0", "1", "2", "3"], String([...all]));
    assert.match(all.get("3")!, /^\/proc\/\d+\/fd$/);
  },
}]);

function helperThatLists(dir: string): string[] {
  const rules = `${dir}/rules`;
  Deno.mkdirSync(rules, { recursive: true });
  const script = `all=$(ls -l /proc/self/fd); echo "$all" >${rules}/all.$$; echo $$ >>${rules}/pids; read -r line`;
  Deno.writeTextFileSync(`${rules}/helper`, script);
  return [`--helper=sh ${rules}/helper`, "--helpers=1"];
}

function descriptorsIn(listing: string): Map<string, string> {
  return new Map(Array.from(listing.matchAll(/ (\d+) -> (.*)/g), (match) => [match[1]!, match[2]!]));
}

// --- environment

/** The variables of CONTRACT's table. */
const DOCUMENTED = [
  ...["EMAIL", "OUTFILE", "SENDER", "SENDERADDRESS", "RECIPIENT", "RECIPIENTS", "RECIPIENTCOUNT", "RECIPIENTSFILE"],
  ...["REMOTEIP", "REMOTENAME", "HELO", "QUEUEID", "SESSIONID"],
];

/** Variables that a shell adds by itself. */
const OF_THE_SHELL = ["PWD", "OLDPWD", "SHLVL", "_"];

const ATTACKS: readonly (readonly [name: string, commands: readonly string[]])[] = [
  ["an equals sign in each value", [
    "XFORWARD NAME=PATH+3D/evil ADDR=LD_PRELOAD+3D/evil HELO=IFS+3Dx",
    "MAIL FROM:<PATH=/evil@example.org>",
    "RCPT TO:<LD_PRELOAD=/evil@example.net>",
  ]],
  ["line ends in XFORWARD", [
    "XFORWARD NAME=x+0APATH=/evil ADDR=192.0.2.1+0D+0ALD_PRELOAD=/evil HELO=x+0AEMAIL=/etc/passwd+0A",
    "MAIL FROM:<a@example.org>",
    "RCPT TO:<b@example.net>",
  ]],
  ["names of variables as attributes of XFORWARD", [
    "XFORWARD PATH=/evil EMAIL=/etc/passwd SENDER=forged OUTFILE=/evil LD_PRELOAD=/evil",
    "MAIL FROM:<a@example.org>",
    "RCPT TO:<b@example.net>",
  ]],
  ["names of variables as parameters of MAIL and RCPT", [
    "MAIL FROM:<a@example.org> PATH=/evil EMAIL=/evil",
    "RCPT TO:<b@example.net> LD_PRELOAD=/evil OUTFILE=/evil",
  ]],
  ["shell text", [
    "XFORWARD HELO=$(touch+20pwned);`touch+20pwned` ADDR=;touch+20pwned",
    "MAIL FROM:<$(touch${IFS}pwned)@example.org>",
    "RCPT TO:<;touch pwned;@example.net>",
  ]],
  ["a function for bash", [
    "XFORWARD HELO=()+20{+20:;};+20touch+20pwned NAME=()+20{+20:;};+20touch+20pwned",
    "MAIL FROM:<() { :;}; touch pwned>",
    "RCPT TO:<() { :;}; touch pwned>",
  ]],
  ["values of great length", [
    `XFORWARD HELO=${"h".repeat(900)} ADDR=${"a".repeat(900)}`,
    `MAIL FROM:<${"s".repeat(1900)}>`,
    ...Array.from({ length: 40 }, () => `RCPT TO:<${"r".repeat(1900)}>`),
  ]],
];

table("The filter's environment", { filter: true, env: { POSTPROX_TEST_MARK: "=\n=" } }, [
  ...ATTACKS.map(([name, commands]): Case => ({
    name: `${name}: postprox's own and the documented variables, no more`,
    filter: 'env -0 > "$D/env.tmp"; mv "$D/env.tmp" "$D/env"',
    play: async (talk) => {
      const client = await talk.open();
      for (const command of commands) await client.expect(250, command);
      await client.expect(354, "DATA");
      await client.say(`${CONTENT}.\r\n`);
      await client.expect(250);
      const own = parseEnvironment(Deno.readFileSync(`/proc/${talk.process.pid}/environ`));
      await talk.file("env");
      const seen = parseEnvironment(Deno.readFileSync(`${talk.dir}/env`));
      for (const variable of DOCUMENTED) {
        assert.ok(seen.delete(variable), variable);
        own.delete(variable);
      }
      for (const variable of OF_THE_SHELL) for (const all of [own, seen]) all.delete(variable);
      assert.deepEqual([...seen].sort(), [...own].sort());
      assert.ok(own.has("POSTPROX_TEST_MARK") && own.has("PATH"));
      assert.ok(!talk.hasFile("pwned") && !talk.spooled().includes("pwned"));
    },
  })),
  {
    name: "NUL in a value: no variable, and the message is not lost",
    filter: 'env -0 > "$D/env.tmp"; mv "$D/env.tmp" "$D/env"',
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD HELO=x+00PATH=/evil ADDR=192.0.2.1+00LD_PRELOAD=/evil");
      assert.equal((await deliver(client)).code, 250);
      talk.passed(CONTENT);
      await talk.file("env");
      const seen = parseEnvironment(Deno.readFileSync(`${talk.dir}/env`));
      assert.ok(!seen.has("LD_PRELOAD") && seen.get("PATH") !== "/evil");
      assert.ok(!String([...seen]).includes("/evil") || seen.get("HELO")!.length > 0);
    },
  },
]);

function parseEnvironment(octets: Uint8Array): Map<string, string> {
  const entries = new TextDecoder().decode(octets).split("\0").filter((entry) => entry !== "");
  return new Map(entries.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]));
}

// --- replies

/** Internals that must be in no reply: paths, programs, addresses, errors, versions. */
const INSIDE = [
  /\/|postprox|deno|bun|python|sh:|\.ts\b|os error|Error\b/i,
  /\bE[A-Z]{4,}\b|\d\.\d+\.\d+/,
] as const;

function assertTellsNothing(raw: string): void {
  for (const inside of INSIDE) assert.doesNotMatch(raw.replace(/^\d{3} \d\.\d\.\d /, ""), inside);
}

table("Replies when something is broken", { filter: true, options: () => ["-r", "-t", "1"], together: true }, [
  ...([
    ["a filter that is not there", "/nowhere/filter", 451],
    ["a filter that complains of itself and fails", "echo '/etc/secret: line 1: not found' >&2; exit 127", 451],
    ["a filter that hangs", "sleep 60", 451],
    ["a filter that dies", "kill -SEGV $$", 451],
    ["a filter that takes its files away", 'rm "$EMAIL" "$OUTFILE"; exit 3', 451],
  ] as const).map(([name, filter, code]): Case => ({
    name: `${name}: ${code}, and not a word of why`,
    filter,
    play: async (talk) => {
      const reply = await deliver(await talk.open());
      assert.equal(reply.code, code);
      assertTellsNothing(reply.raw);
    },
  })),
  {
    name: "a spool directory that is gone",
    play: async (talk) => {
      const client = await talk.open();
      Deno.removeSync(talk.spool);
      await startMessage(client).catch(() => {});
      await client.say(`${CONTENT}.\r\n`);
      const reply = await client.hear();
      assert.equal(reply.code, 451);
      assertTellsNothing(reply.raw);
      Deno.mkdirSync(talk.spool);
    },
  },
]);

table("Replies when downstream is not there", { operand: (_, dir) => `unix:${dir}/nowhere` }, [{
  name: "421, and not a word of where it should be",
  play: async (talk) => {
    const reply = await (await talk.connect()).expect(421);
    assertTellsNothing(reply.raw);
  },
}]);
