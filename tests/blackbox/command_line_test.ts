// The command line has its effects. Wrong use, the output of -h, -L and -V, and sessions on pipes.
//
// The program's behaviour then shows how it read the words: the reply to a message under that command line.
// tests/options/ has all words, right and wrong.

import assert from "node:assert/strict";
import { programWords } from "../e2e/program.ts";
import { freePort, runProgram, Spawner, startOnPipes } from "../e2e/start.ts";
import { show } from "../rig/octets.ts";
import { within } from "../rig/wait.ts";
import { Server } from "../rig/server.ts";
import { type Case, CONTENT, deliver, playAlone, table } from "./rig.ts";

const REFUSE = "echo 550 5.7.1 no >&2; exit 1";

/** Words (`@` is HOST:PORT), and the reply to a message. Exit 2 passes without -r and is 451 with it. */
const UNDERSTOOD: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["options on both sides of the operand, clustered and attached", ["-v", "@", "-rcexit 2"], /^451/],
  ["the last -c counts, whatever its spelling", ["@", "--command=exit 0", "-c", "exit 0", `--comm=${REFUSE}`], /^550/],
  ["an argument that looks like an option", ["@", "-c", "-r"], /^250/],
  ["-t SEC", ["@", "-r", "-t1", "-c", "exec sleep 300"], /^451/],
  ["-d DIR", ["@", "-d", "/var/tmp", "-c", 'case "$EMAIL" in /var/tmp/*) exit 0;; esac; exit 1'], /^250/],
  ["/tmp without -d", ["@", "-c", 'case "$EMAIL" in /tmp/*) exit 0;; esac; exit 1'], /^250/],
];

Deno.test("How the command line is understood", async (test) => {
  const fake = await Server.start();
  const spawner = await Spawner.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  try {
    for (const [name, words, reply] of UNDERSTOOD) {
      await test.step(name, async () => {
        fake.reset();
        const args = words.map((word) => word.replace("@", fake.operand));
        await spawner.use([`--log=${dir}/log`, ...args]);
        const { client, process } = await spawner.connect();
        await client.expect(220);
        assert.match((await deliver(client)).raw, reply);
        await client.expect(221, "QUIT");
        await client.expectEnd();
        client.close();
        assert.equal(await within(process.ended, () => "the end of the program"), 0);
      });
    }
  } finally {
    await spawner.stop();
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});

for (const mode of ["spawn", "listen"] as const) {
  Deno.test(`Ways to name downstream (${mode} mode)`, async (test) => {
    const passes: Case = {
      name: "a message passes",
      play: async (talk) => {
        const client = await talk.open();
        assert.equal((await deliver(client)).code, 250);
        talk.passed(CONTENT);
      },
    };
    await test.step("inet:localhost:PORT", () => {
      const operand = (fake: Server) => `inet:${fake.operand.replace("127.0.0.1", "localhost")}`;
      return playAlone(mode, { operand }, passes);
    });
    await test.step("unix:PATH", async () => {
      const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
      const fake = await Server.start({ path: `${dir}/socket` });
      try {
        await playAlone(mode, { operand: () => fake.operand }, {
          name: "a message passes",
          play: async (talk) => {
            const client = await talk.open();
            assert.equal((await deliver(client)).code, 250);
            assert.equal(fake.messages.length, 1);
          },
        });
      } finally {
        await fake.stop();
        Deno.removeSync(dir, { recursive: true });
      }
    });
    await test.step("[::1]:PORT", async () => {
      // Nobody listens there; what matters is that it is understood.
      const port = await freePort();
      await playAlone(mode, { operand: () => `[::1]:${port}` }, {
        name: "421",
        play: async (talk) => {
          const client = await talk.connect();
          await client.expect(421);
          await client.expectEnd();
        },
      });
    });
  });
}

/** Command lines that are wrong, and what the one line on standard error must name. */
const WRONG: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["nothing at all", [], /HOST/i],
  ["an unknown option", ["127.0.0.1:25", "--frobnicate"], /frobnicate/],
  ["a value that is no time", ["127.0.0.1:25", "-t", "soon"], /soon/],
  ["an option without its value", ["127.0.0.1:25", "-c"], /option -c needs a value: give -c COMMAND/],
  [
    "an action that there is not",
    ["127.0.0.1:25", "--action=clamd=keep"],
    /--action: "clamd=keep" is not known: give /,
  ],
  ["networks that are none", ["127.0.0.1:25", "--bypass=localhost"], /--bypass: "localhost" is no network: give /],
];

Deno.test("Wrong use: one line on standard error, status 64", async (test) => {
  for (const [name, args, names] of WRONG) {
    await test.step(name, async () => {
      const quiet = args.length === 0 ? [] : ["--log=/dev/null"];
      const { status, stdout, stderr } = await runProgram([...quiet, ...args]);
      assert.equal(status, 64, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, /^[^\n]+\n$/, `one line: ${show(stderr)}`);
      assert.match(stderr, names);
      assert.ok(!/\.ts:|^\s+at /m.test(stderr), stderr);
    });
  }
});

/** Problems that may pass, before any mail client is there. */
const NOT_NOW: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["-d that is not there", ["127.0.0.1:25", "-d", "/nonexistent/dir"], /tempdir.*\/nonexistent\/dir/],
  ["-d that is a file", ["127.0.0.1:25", "-d", "/etc/passwd"], /tempdir.*\/etc\/passwd/],
  ["-d that nobody can write to", ["127.0.0.1:25", "-d", "/proc"], /tempdir.*\/proc/],
  ["-d that is not there, with -l", ["127.0.0.1:25", "-d", "/nonexistent/dir", "-l", "127.0.0.1:1"], /tempdir/],
  ["a log that cannot be opened", ["127.0.0.1:25", "--log=/proc/none/log"], /--log.*\/proc\/none\/log/],
  ["a log that cannot be opened, with -l", ["127.0.0.1:25", "--log=/proc/x", "-l", "127.0.0.1:1"], /--log.*\/proc\/x/],
  ["-l in a directory that is not there", ["127.0.0.1:25", "-l", "unix:/proc/none/socket"], /\/proc\/none\/socket/],
  [
    "--pid-file in a directory that is not there",
    ["127.0.0.1:25", "-l", "127.87.65.43:2525", "--foreground", "--pid-file=/proc/none/pid"],
    /--pid-file: [^:]*\/proc\/none\/pid:/,
  ],
  ["-l at a name that does not resolve", ["127.0.0.1:25", "-l", "nowhere.invalid:2525"], /nowhere\.invalid/],
  ["rules that are not there", ["127.0.0.1:25", "--check-rules=/proc/none/rules"], /\/proc\/none\/rules/],
];

Deno.test("A problem that may pass: one line on standard error, status 75", async (test) => {
  for (const [name, args, names] of NOT_NOW) {
    await test.step(name, async () => {
      const { status, stdout, stderr } = await runProgram(["--log=/dev/null", ...args]);
      assert.equal(status, 75, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, /^postprox: option [^\n]+: [^\n]+: [^\n]+\n$/, `one line: ${show(stderr)}`);
      assert.match(stderr, names);
    });
  }
});

Deno.test("Wrong use under spawn(8): 421 4.3.5 on the socket and nothing else", async (test) => {
  const spawner = await Spawner.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  const rows: readonly (readonly [string, readonly string[], status?: 75])[] = [
    ["no operand", []],
    ["an unknown option", ["127.0.0.1:25", "--frobnicate"]],
    ["-d that is not there", ["127.0.0.1:25", "-d", "/nonexistent/dir"], 75],
    ["-l, which spawn(8) does itself", ["127.0.0.1:25", "-l", "127.0.0.1:1"]],
  ];
  try {
    for (const [name, args, status = 64] of rows) {
      await test.step(name, async () => {
        await spawner.use([`--log=${dir}/log`, ...args]);
        const { client, process } = await spawner.connect();
        assert.equal((await client.hear()).raw, "421 4.3.5 Server configuration error\r\n");
        await client.expectEnd();
        client.close();
        assert.equal(await within(process.ended, () => "the end of the program"), status);
      });
    }
    await test.step("the log has the line", () => {
      const lines = Deno.readTextFileSync(`${dir}/log`);
      assert.match(lines, /frobnicate/);
      assert.match(lines, /\/nonexistent\/dir/);
    });
    await test.step("a log that cannot be written to", async () => {
      await spawner.use(["127.0.0.1:1", "--log=/nonexistent/dir/log"]);
      const { client, process } = await spawner.connect();
      assert.equal((await client.hear()).code, 421);
      await client.expectEnd();
      client.close();
      assert.equal(await within(process.ended, () => "the end of the program"), 75);
    });
  } finally {
    await spawner.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("-h, -L and -V print on standard output, with status 0", async (test) => {
  const rows: readonly (readonly [readonly string[], RegExp])[] = [
    [["-rvh"], /postprox/],
    [["--license"], /licen[cs]e/i],
    [["127.0.0.1:25", "-V"], /postprox.*[0-9]+\.[0-9]+/],
  ];
  for (const [args, pattern] of rows) {
    await test.step(args.join(" "), async () => {
      const { status, stdout, stderr } = await runProgram(args);
      assert.equal(status, 0);
      assert.match(stdout, pattern);
      assert.match(stdout, /\n$/);
      assert.equal(stderr, "");
    });
  }
});

table("On pipes", { modes: ["spawn"] }, [
  {
    name: "a whole session, step by step; exit status 0",
    play: async (talk) => {
      const { client, process } = startOnPipes([talk.downstream.operand, "-d", talk.spool, `--log=${talk.logFile}`]);
      await client.expect(220);
      await client.expect(250, "EHLO me");
      assert.equal((await deliver(client)).code, 250);
      await client.expect(221, "QUIT");
      await client.expectEnd();
      client.close();
      assert.equal(await within(process.ended, () => "the end of the program"), 0);
      talk.passed(CONTENT);
    },
  },
  {
    name: "a whole session at once, then end of file; exit status 0",
    play: async (talk) => {
      const { client, process } = startOnPipes([talk.downstream.operand, "-d", talk.spool, `--log=${talk.logFile}`]);
      await client.say(`EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n${CONTENT}.\r\nQUIT\r\n`);
      client.finish();
      for (const code of [220, 250, 250, 250, 354, 250, 221]) await client.expect(code);
      await client.expectEnd();
      assert.equal(await within(process.ended, () => "the end of the program"), 0);
      talk.passed(CONTENT);
    },
  },
  {
    name: "commands without a QUIT, then end of file: all replies; exit status 0",
    play: async (talk) => {
      const { client, process } = startOnPipes([talk.downstream.operand, "-d", talk.spool, `--log=${talk.logFile}`]);
      await client.say("EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
      client.finish();
      for (const code of [220, 250, 250, 250]) await client.expect(code);
      await client.expectEnd();
      assert.equal(await within(process.ended, () => "the end of the program"), 0);
    },
  },
  {
    name: "end of file while downstream hangs: an end; exit status 0",
    script: { NOOP: { then: "silence" } },
    play: async (talk) => {
      const { client, process } = startOnPipes([talk.downstream.operand, "-d", talk.spool, `--log=${talk.logFile}`]);
      await client.say("EHLO me\r\nNOOP\r\n");
      client.finish();
      for (const code of [220, 250]) await client.expect(code);
      await client.expectEnd();
      assert.equal(await within(process.ended, () => "the end of the program"), 0);
    },
  },
  {
    name: "a filter refuses",
    play: async (talk) => {
      const { client, process } = startOnPipes([
        talk.downstream.operand,
        "-c",
        REFUSE,
        "-d",
        talk.spool,
        `--log=${talk.logFile}`,
      ]);
      await client.expect(220);
      assert.equal((await deliver(client)).raw, "550 5.7.1 no\r\n");
      await client.expect(221, "QUIT");
      await client.expectEnd();
      client.close();
      assert.equal(await within(process.ended, () => "the end of the program"), 0);
      talk.nothingPassed();
    },
  },
  {
    name: "end of file in mid-message: nothing is delivered",
    play: async (talk) => {
      const { client, process } = startOnPipes([talk.downstream.operand, "-d", talk.spool, `--log=${talk.logFile}`]);
      await client.expect(220);
      await client.say(`MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n${CONTENT}`);
      client.finish();
      for (const code of [250, 250, 354]) await client.expect(code);
      await client.end();
      await within(process.ended, () => "the end of the program");
      talk.nothingPassed();
    },
  },
  {
    name: "no input at all: the greeting, and an end",
    play: async (talk) => {
      const { stdout } = await runProgram([talk.downstream.operand, "-d", talk.spool, `--log=${talk.logFile}`]);
      assert.match(stdout, /^(220 [^\r\n]*\r\n)?$/);
      talk.nothingPassed();
    },
  },
  {
    name: "downstream cannot be reached: 421 4.3.2, exit status not 0",
    play: async (talk) => {
      const { client, process } = startOnPipes(["127.0.0.1:1", "-d", talk.spool, `--log=${talk.logFile}`]);
      assert.match((await client.hear()).raw, /^421 4\.3\.2 /);
      await client.expectEnd();
      client.close();
      assert.notEqual(await within(process.ended, () => "the end of the program"), 0);
    },
  },
]);

Deno.test("The program can be started from another directory, with an empty environment", async () => {
  const fake = await Server.start();
  const spawner = await Spawner.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  try {
    const home = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
    const clean = ["env", "-i", "-C", "/", `DENO_DIR=${home}`, ...programWords()];
    await spawner.useCommand([...clean, fake.operand, "-d", dir, `--log=${dir}/log`, "-c", REFUSE]);
    const { client } = await spawner.connect();
    await client.expect(220);
    assert.equal((await deliver(client)).raw, "550 5.7.1 no\r\n");
    client.close();
  } finally {
    await spawner.stop();
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});
