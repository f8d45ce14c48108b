// The command line, read as GNU getopt_long reads it; wrong use; and what -h, -L and -V print.
//
// How words were understood is seen from what the program then does: the reply to a message under that command line.

import assert from "node:assert/strict";
import { programWords } from "../e2e/program.ts";
import { freePort, isListening, runProgram, Spawner, startOnPipes } from "../e2e/start.ts";
import { show, within } from "../fakes/client.ts";
import { Downstream } from "../fakes/downstream.ts";
import { type Case, CONTENT, deliver, playAlone, table } from "./rig.ts";

const REFUSE = "echo 550 5.7.1 no >&2; exit 1";

/** Words (`@` is HOST:PORT), and the reply to a message. Exit 2 passes without -r and is 451 with it. */
const UNDERSTOOD: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["-c CMD after the operand", ["@", "-c", REFUSE], /^550 5.7.1 no/],
  ["-c CMD before the operand", ["-c", REFUSE, "@"], /^550 5.7.1 no/],
  ["-cCMD", ["@", `-c${REFUSE}`], /^550 5.7.1 no/],
  ["-c=CMD is a command that begins with =", ["@", "-c=x", "-r"], /^451/],
  ["--command CMD", ["@", "--command", REFUSE], /^550 5.7.1 no/],
  ["--command=CMD", ["@", `--command=${REFUSE}`], /^550 5.7.1 no/],
  ["--command=CMD with = in it", ["@", "--command=x=550; echo $x 5.7.1 no >&2; exit 1"], /^550 5.7.1 no/],
  ["--comm CMD, abbreviated", ["@", "--comm", REFUSE], /^550 5.7.1 no/],
  ["--com=CMD, abbreviated", ["@", `--com=${REFUSE}`], /^550 5.7.1 no/],
  ["-- before the operand", ["-c", REFUSE, "--", "@"], /^550 5.7.1 no/],
  ["-- after all", ["@", "-c", REFUSE, "--"], /^550 5.7.1 no/],
  ["an argument that looks like an option", ["@", "-c", "-r"], /^250/],
  ["an argument that is --", ["@", "-c", "--", "-r"], /^451/],
  ["-rc CMD, clustered", ["@", "-rc", "exit 2"], /^451/],
  ["-rcCMD, clustered", ["@", "-rcexit 2"], /^451/],
  ["-rv, clustered", ["@", "-rv", "-c", "exit 2"], /^451/],
  ["-vr, clustered", ["@", "-vr", "-c", "exit 2"], /^451/],
  ["-vvrc CMD, clustered", ["@", "-vvrc", "exit 2"], /^451/],
  ["-cr: the r is the command", ["@", "-cr", "-r"], /^451/],
  ["-r", ["@", "-r", "-c", "exit 2"], /^451/],
  ["--reject", ["@", "--reject", "-c", "exit 2"], /^451/],
  ["--rej, abbreviated", ["@", "--rej", "-c", "exit 2"], /^451/],
  ["-r twice", ["@", "-r", "-r", "-c", "exit 2"], /^451/],
  ["-v three times", ["@", "-v", "-v", "-v", "-c", "exit 2"], /^250/],
  ["--verbose", ["@", "--verbose", "-c", REFUSE], /^550 5.7.1 no/],
  ["options on both sides of the operand", ["-r", "@", "-c", "exit 2"], /^451/],
  ["-t SEC", ["@", "-r", "-t", "1", "-c", "exec sleep 300"], /^451/],
  ["-tSEC", ["@", "-r", "-t1", "-c", "exec sleep 300"], /^451/],
  ["--timeout=SEC", ["@", "-r", "--timeout=1", "-c", "exec sleep 300"], /^451/],
  ["--timeout SEC", ["@", "-r", "--timeout", "1", "-c", "exec sleep 300"], /^451/],
  ["--ti=SEC, abbreviated", ["@", "-r", "--ti=1", "-c", "exec sleep 300"], /^451/],
  ["-rt SEC, clustered", ["@", "-rt", "1", "-c", "exec sleep 300"], /^451/],
  ["-rt1, clustered", ["@", "-rt1", "-c", "exec sleep 300"], /^451/],
  ["the last -c counts", ["@", "-c", "exit 0", "-c", REFUSE], /^550 5.7.1 no/],
  ["the last -c counts, whatever its spelling", ["@", "--command=exit 0", "-c", "exit 0", `--comm=${REFUSE}`], /^550/],
  ["the last -t counts", ["@", "-r", "-t", "300", "-t", "1", "-c", "exec sleep 300"], /^451/],
  ["an empty -c passes all", ["@", "-c", ""], /^250/],
  ["--command= passes all", ["@", "--command="], /^250/],
  ["no -c passes all", ["@"], /^250/],
  ["-d DIR", ["@", "-d", "/tmp", "-c", 'case "$EMAIL" in /tmp/*) exit 0;; esac; exit 1'], /^250/],
  ["--tempdir=DIR", ["@", "--tempdir=/tmp", "-c", 'case "$EMAIL" in /tmp/*) exit 0;; esac; exit 1'], /^250/],
  ["-d/tmp/", ["@", "-d/tmp/", "-c", 'cat "$EMAIL"'], /^250/],
  ["/tmp without -d", ["@", "-c", 'case "$EMAIL" in /tmp/*) exit 0;; esac; exit 1'], /^250/],
  ["inet:HOST:PORT", ["inet:@", "-c", REFUSE], /^550 5.7.1 no/],
  ["localhost:PORT", ["localhost:#", "-c", REFUSE], /^550 5.7.1 no/],
];

Deno.test("How the command line is understood", async (test) => {
  const fake = await Downstream.start();
  const spawner = await Spawner.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  const port = String("port" in fake.address ? fake.address.port : 0);
  try {
    for (const [name, words, reply] of UNDERSTOOD) {
      await test.step(name, async () => {
        fake.reset();
        const args = words.map((word) => word.replace("@", fake.operand).replace("#", port));
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
    const ways: readonly (readonly [string, (fake: Downstream) => string])[] = [
      ["127.0.0.1:PORT", (fake) => fake.operand],
      ["[127.0.0.1]:PORT", (fake) => fake.operand.replace("127.0.0.1", "[127.0.0.1]")],
      ["localhost:PORT", (fake) => fake.operand.replace("127.0.0.1", "localhost")],
      ["inet:127.0.0.1:PORT", (fake) => `inet:${fake.operand}`],
      ["inet:localhost:PORT", (fake) => `inet:${fake.operand.replace("127.0.0.1", "localhost")}`],
    ];
    for (const [name, operand] of ways) {
      await test.step(name, () => playAlone(mode, { operand: (fake) => operand(fake) }, passes));
    }
    await test.step("unix:PATH", async () => {
      const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
      const fake = await Downstream.start(`${dir}/socket`);
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
    await test.step("HOST without port is port 25, where nobody listens", async () => {
      if (isListening(25)) return;
      await playAlone(mode, { operand: () => "127.0.0.1" }, {
        name: "421",
        play: async (talk) => {
          const client = await talk.connect();
          await client.expect(421);
          await talk.logged(/\b25\b/);
        },
      });
    });
  });
}

/** Command lines that are wrong, and what the one line on standard error must name. */
const WRONG: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["nothing at all", [], /HOST/i],
  ["options and no operand", ["-v"], /HOST/i],
  ["an unknown short option", ["127.0.0.1:25", "-x"], /x/],
  ["an unknown short option in a cluster", ["127.0.0.1:25", "-rvx"], /x/],
  ["an unknown long option", ["127.0.0.1:25", "--frobnicate"], /frobnicate/],
  ["an unknown long option with a value", ["127.0.0.1:25", "--frobnicate=1"], /frobnicate/],
  ["an ambiguous abbreviation", ["127.0.0.1:25", "--re"], /--re\b/],
  ["an ambiguous abbreviation of one letter", ["127.0.0.1:25", "--c=x"], /--c\b/],
  ["a value where none belongs", ["127.0.0.1:25", "--reject=yes"], /reject/],
  ["a value where none belongs, verbose", ["127.0.0.1:25", "--verbose=2"], /verbose/],
  ["-c without its value", ["127.0.0.1:25", "-c"], /c/],
  ["--command without its value", ["127.0.0.1:25", "--command"], /command/],
  ["-t without its value", ["127.0.0.1:25", "-t"], /t/],
  ["-d without its value", ["127.0.0.1:25", "-d"], /d/],
  ["-l without its value", ["127.0.0.1:25", "-l"], /l/],
  ["-rvc without its value", ["127.0.0.1:25", "-rvc"], /c/],
  ["a second operand", ["127.0.0.1:25", "127.0.0.1:26"], /127\.0\.0\.1:26|operand|argument/i],
  ["a second operand after --", ["127.0.0.1:25", "--", "-r"], /-r|operand|argument/i],
  ["an empty operand", [""], /HOST/i],
  ["port 0", ["127.0.0.1:0"], /127\.0\.0\.1:0|port/i],
  ["port 70000", ["127.0.0.1:70000"], /70000/],
  ["port 65536", ["127.0.0.1:65536"], /65536/],
  ["port 25x", ["127.0.0.1:25x"], /25x/],
  ["port x25", ["127.0.0.1:x25"], /x25/],
  ["port -1", ["127.0.0.1:-1"], /-1/],
  ["port +25", ["127.0.0.1:+25"], /\+25/],
  ["port 2.5", ["127.0.0.1:2.5"], /2\.5/],
  ["port 0x19", ["127.0.0.1:0x19"], /0x19/],
  ["an empty port", ["127.0.0.1:"], /127\.0\.0\.1:|port/i],
  ["an empty host", [":25"], /:25|HOST/i],
  ["an empty unix path", ["unix:"], /unix/],
  ["an unclosed bracket", ["[::1:25"], /\[::1/],
  ["text after a bracket", ["[::1]x25"], /\[::1\]x25/],
  ["empty brackets", ["[]:25"], /\[\]/],
  ["-t 0", ["127.0.0.1:25", "-t", "0"], /0/],
  ["-t -1", ["127.0.0.1:25", "-t", "-1"], /-1/],
  ["-t text", ["127.0.0.1:25", "-t", "soon"], /soon/],
  ["-t 5x", ["127.0.0.1:25", "-t", "5x"], /5x/],
  ["-t empty", ["127.0.0.1:25", "-t", ""], /t/],
  ["--timeout=", ["127.0.0.1:25", "--timeout="], /timeout/],
  ["-t NaN", ["127.0.0.1:25", "-t", "NaN"], /NaN/],
  ["-t 1e400", ["127.0.0.1:25", "-t", "1e400"], /1e400/],
  ["-d empty", ["127.0.0.1:25", "-d", ""], /tempdir/],
  ["-l text", ["127.0.0.1:25", "-l", "here"], /here/],
  ["-l port 70000", ["127.0.0.1:25", "-l", "70000"], /70000/],
  ["-l port 25x", ["127.0.0.1:25", "-l", "25x"], /25x/],
  ["-l IP and port 70000", ["127.0.0.1:25", "-l", "127.0.0.1:70000"], /70000/],
  ["-l empty", ["127.0.0.1:25", "-l", ""], /l/],
  ["-l and a path that no socket can have", ["127.0.0.1:25", "-l", `unix:/${"x".repeat(107)}`], /too long/],
  ["--connect-timeout=0", ["127.0.0.1:25", "--connect-timeout=0"], /connect-timeout/],
  ["--connect-timeout=x", ["127.0.0.1:25", "--connect-timeout=x"], /connect-timeout/],
  ["--message-timeout=-5", ["127.0.0.1:25", "--message-timeout=-5"], /message-timeout/],
  ["--max-message-size=x", ["127.0.0.1:25", "--max-message-size=x"], /max-message-size/],
  ["--max-clients=0", ["127.0.0.1:25", "--max-clients=0"], /max-clients/],
  ["--bare-newline=maybe", ["127.0.0.1:25", "--bare-newline=maybe"], /bare-newline/],
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

/** What may be right a moment later, before any mail client is there. */
const NOT_NOW: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["-d that is not there", ["127.0.0.1:25", "-d", "/nonexistent/dir"], /tempdir.*\/nonexistent\/dir/],
  ["-d that is a file", ["127.0.0.1:25", "-d", "/etc/passwd"], /tempdir.*\/etc\/passwd/],
  ["-d that nobody can write to", ["127.0.0.1:25", "-d", "/proc"], /tempdir.*\/proc/],
  ["-d that is not there, with -l", ["127.0.0.1:25", "-d", "/nonexistent/dir", "-l", "127.0.0.1:1"], /tempdir/],
  ["a log that cannot be opened", ["127.0.0.1:25", "--log=/proc/none/log"], /--log.*\/proc\/none\/log/],
  ["a log that cannot be opened, with -l", ["127.0.0.1:25", "--log=/proc/x", "-l", "127.0.0.1:1"], /--log.*\/proc\/x/],
  ["-l in a directory that is not there", ["127.0.0.1:25", "-l", "unix:/proc/none/socket"], /\/proc\/none\/socket/],
  ["-l at a name that does not resolve", ["127.0.0.1:25", "-l", "nowhere.invalid:2525"], /nowhere\.invalid/],
  ["rules that are not there", ["127.0.0.1:25", "--check-rules=/proc/none/rules"], /\/proc\/none\/rules/],
];

Deno.test("What may be right a moment later: one line on standard error, status 75", async (test) => {
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
    ["a malformed port", ["127.0.0.1:25x"]],
    ["-t 0", ["127.0.0.1:25", "-t", "0"]],
    ["-d that is not there", ["127.0.0.1:25", "-d", "/nonexistent/dir"], 75],
    ["a second operand", ["127.0.0.1:25", "more"]],
    ["-c without its value", ["127.0.0.1:25", "-c"]],
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
    [["-h"], /postprox/],
    [["--help"], /postprox/],
    [["--he"], /postprox/],
    [["-L"], /licen[cs]e/i],
    [["--license"], /licen[cs]e/i],
    [["--lic"], /licen[cs]e/i],
    [["-V"], /postprox.*[0-9]+\.[0-9]+/],
    [["--version"], /postprox.*[0-9]+\.[0-9]+/],
    [["--vers"], /postprox.*[0-9]+\.[0-9]+/],
    [["127.0.0.1:25", "-h"], /postprox/],
    [["-rvh"], /postprox/],
    [["-V", "127.0.0.1:25"], /postprox/],
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
  await test.step("--help names every option", async () => {
    const { stdout } = await runProgram(["--help"]);
    const names = "command tempdir timeout reject verbose listen help license version foreground log bare-newline " +
      "allow-discard max-message-size connect-timeout client-timeout reply-timeout dot-timeout message-timeout " +
      "session-timeout keepalive max-clients";
    for (const name of names.split(" ")) assert.ok(stdout.includes(`--${name}`), `--${name}`);
    for (const letter of "cdtrvlhLV") {
      assert.match(stdout, new RegExp(`(^|[ \\[])-[a-zA-Z]*${letter}`, "m"), `-${letter}`);
    }
    for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
  });
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
  const fake = await Downstream.start();
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
