// The spool directory when things go wrong: a full disk, signals during a message, a directory that vanishes.
//
// The full disk is a tmpfs of 64 kB that the test mounts.

import assert from "node:assert/strict";
import { programWords } from "../e2e/program.ts";
import { isAlive, kill, runCommand, runProgram, Spawner } from "../e2e/start.ts";
import { until, within } from "../rig/wait.ts";
import { Server } from "../rig/server.ts";
import { isLeftOut } from "../needs.ts";
import {
  assertCode,
  CONTENT,
  deliver,
  expectUsable,
  listNames,
  type Mode,
  Rig,
  startMessage,
  table,
  type Talk,
} from "./rig.ts";

const LARGE = "0123456789abcdef0123456789abcdef\r\n".repeat(20_000);

for (const mode of ["spawn", "listen"] as const) {
  Deno.test({
    name: `Disk full on the spool (${mode} mode)`,
    ignore: isLeftOut("a full disk"),
    fn: async (test) => {
      const full = Deno.makeTempDirSync({ prefix: "postprox_full_" });
      const { status, stderr } = await runCommand(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", full]);
      assert.equal(status, 0, stderr);
      try {
        await onFullDisk(test, mode, full);
      } finally {
        await runCommand(["umount", full]);
        Deno.removeSync(full, { recursive: true });
      }
    },
  });
}

Deno.test(
  "A message over the limit on the size of files (ulimit -f): 452 4.3.1, and the session goes on",
  underFileLimit,
);

async function onFullDisk(test: Deno.TestContext, mode: Mode, full: string): Promise<void> {
  const rig = await Rig.start(mode, { filter: true, spool: () => full });
  try {
    await test.step("a message that does not fit: 452 4.3.1 after its end, no filter, and the session goes on", () =>
      rig.play({
        name: "full",
        filter: 'touch "$D/ran"',
        play: async (talk) => {
          const client = await talk.open();
          assert.match((await deliver(client, LARGE)).raw, /^452 4\.3\.1 [ -~]+\r\n$/);
          talk.nothingPassed();
          assert.ok(!talk.hasFile("ran"));
          await expectUsable(client);
        },
      }));
    await test.step("twice in a session, and then one that fits", () =>
      rig.play({
        name: "full twice",
        play: async (talk) => {
          const client = await talk.open();
          for (let i = 0; i < 2; i++) assert.match((await deliver(client, LARGE)).raw, /^452 4\.3\.1 /);
          assert.equal((await deliver(client)).code, 250);
          talk.passed(CONTENT);
          await talk.logged(/./);
        },
      }));
    if (mode === "listen") {
      await test.step("the disk is full at the start: 75, and one line on standard error", async () => {
        const fill = `${full}/fill`;
        await runCommand(["sh", "-c", `head -c 200000 /dev/zero > ${fill}`]);
        for (const foreground of [[], ["--foreground"]]) {
          const args = ["127.0.0.1:1", "-l", "127.0.0.1:2", "--log=/dev/null", "-d", full, ...foreground];
          const { status, stderr } = await runProgram(args);
          assert.equal(status, 75, stderr);
          assert.match(stderr, /^postprox: option -d, --tempdir: [^\n]+\n$/);
          assert.deepEqual(listNames(full), ["fill"]);
        }
        Deno.removeSync(fill);
      });
    }
    await test.step("the disk is full already: 452 4.3.1, or 451 to DATA", () =>
      rig.play({
        name: "full already",
        play: async (talk) => {
          const client = await talk.open();
          const fill = `${full}/fill`;
          await runCommand(["sh", "-c", `head -c 200000 /dev/zero > ${fill}`]);
          await client.expect(250, "MAIL FROM:<a@example.org>");
          await client.expect(250, "RCPT TO:<b@example.org>");
          const reply = await client.ask("DATA");
          assertCode(reply, 354, 451, 452);
          if (reply.code === 354) {
            await client.say(`${CONTENT}.\r\n`);
            await client.expect(452);
          }
          talk.nothingPassed();
          Deno.removeSync(fill);
          await client.expect(250, "RSET");
          await expectUsable(client);
        },
      }));
    await test.step("if OUTFILE does not fit, the filter fails and the message passes", () =>
      rig.play({
        name: "outfile",
        filter: 'head -c 200000 /dev/zero > "$OUTFILE" 2>/dev/null || exit 2',
        play: async (talk) => {
          const client = await talk.open();
          assert.equal((await deliver(client)).code, 250);
          talk.passed(CONTENT);
        },
      }));
    await test.step("one session that fills it does not end another", () =>
      rig.play({
        name: "side by side",
        play: async (talk) => {
          const greedy = await talk.open();
          const modest = await talk.open();
          await startMessage(modest);
          await modest.say(CONTENT);
          assertCode(await deliver(greedy, LARGE), 452);
          await modest.say(".\r\n");
          assertCode(await modest.hear(), 250, 452);
        },
      }));
  } finally {
    await rig.stop();
  }
}

async function underFileLimit(): Promise<void> {
  const fake = await Server.start();
  const spawner = await Spawner.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  try {
    const limited = ["sh", "-c", 'trap "" XFSZ; ulimit -f 64; exec "$@"', "sh", ...programWords()];
    await spawner.useCommand([...limited, fake.operand, "-d", dir, "--log=/dev/null", "-c", "true"]);
    const { client } = await spawner.connect();
    await client.expect(220);
    assert.match((await deliver(client, LARGE)).raw, /^452 4\.3\.1 /);
    assert.deepEqual(fake.messages, []);
    await expectUsable(client);
    client.close();
    await until(() => listNames(dir).length === 0, () => "an empty spool directory");
  } finally {
    await spawner.stop();
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
}

table("Signals in mid-message", { filter: true, modes: ["spawn"] }, [
  ...(["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"] as const).flatMap((signal) => [
    {
      name: `${signal} in DATA: no spool file, nothing delivered, nothing but SMTP for the client`,
      play: async (talk: Talk) => {
        const client = await talk.open();
        await startMessage(client);
        await client.say("Subject: half\r\n".repeat(20_000));
        await until(() => talk.spooled().length > 0, () => "a spool file");
        kill(talk.process.pid, signal);
        await talk.exitStatus();
        assert.deepEqual(talk.spooled(), []);
        talk.nothingPassed();
        assert.match(await client.end(), /^(4[25]1 [^\r\n]*\r\n)?$/);
      },
    },
    {
      name: `${signal} while the filter runs: no spool file, no filter, nothing delivered`,
      filter: 'echo $$ > "$D/pid"; while :; do sleep 0.05; done',
      play: async (talk: Talk) => {
        const client = await talk.open();
        await startMessage(client);
        await client.say(`${CONTENT}.\r\n`);
        const pid = await talk.pidIn("pid");
        kill(talk.process.pid, signal);
        await within(talk.process.ended, () => "the end of the program");
        await until(() => !isAlive(pid), () => "the end of the filter").finally(() => kill(pid));
        assert.deepEqual(talk.spooled(), []);
        talk.nothingPassed();
        assert.match(await client.end(), /^(4[25]1 [^\r\n]*\r\n)?$/);
      },
    },
  ]),
  {
    name: "SIGTERM between messages: the session ends",
    play: async (talk) => {
      const client = await talk.open();
      kill(talk.process.pid, "SIGTERM");
      await talk.exitStatus();
      assert.match(await client.end(), /^(4[25]1 [^\r\n]*\r\n)?$/);
    },
  },
]);

table("The spool directory vanishes", { filter: true }, [
  {
    name: "4xx for the message, and the session goes on when it is back",
    play: async (talk) => {
      const client = await talk.open();
      Deno.removeSync(talk.spool, { recursive: true });
      await client.expect(250, "MAIL FROM:<a@example.org>");
      await client.expect(250, "RCPT TO:<b@example.org>");
      const reply = await client.ask("DATA");
      assertCode(reply, 354, 421, 451, 452);
      if (reply.code === 354) {
        await client.say(`${CONTENT}.\r\n`);
        assertCode(await client.hear(), 421, 451, 452);
      }
      talk.nothingPassed();
      Deno.mkdirSync(talk.spool);
      if (!client.isOver) {
        await client.expect(250, "RSET");
        await expectUsable(client);
      }
    },
  },
]);
