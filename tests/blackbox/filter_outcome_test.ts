// The outcome of a message, with a real shell and real processes: the filter's end, its words, OUTFILE, its time limit,
// and its bad habits. There is one row for each way in which a process can end, write or stay.
// tests/checks/program/command_result_test.ts and tests/smtp/reply_test.ts have tables of what a status and words mean.
// tests/dialogs/ shows how the conversation goes on.

import assert from "node:assert/strict";
import { programWords } from "../e2e/program.ts";
import { isAlive, kill } from "../e2e/start.ts";
import { show } from "../rig/octets.ts";
import { until } from "../rig/wait.ts";
import { Server } from "../rig/server.ts";
import { fooledReaders } from "./oracle.ts";
import {
  assertCode,
  type Case,
  CONTENT,
  deliver,
  expectUsable,
  listNames,
  playAlone,
  read,
  table,
  type Talk,
} from "./rig.ts";

/** The message reached downstream as it was sent, and the client heard downstream's reply. */
function passes(name: string, filter: string, more: Partial<Case> = {}): Case {
  return {
    name,
    filter,
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).raw, "250 2.0.0 queued as 4711\r\n");
      talk.passed(CONTENT);
      await expectUsable(client);
    },
    ...more,
  };
}

/** The client hears this and downstream nothing; the next message is all right. */
function refuses(name: string, filter: string, reply: string | RegExp): Case {
  return {
    name,
    filter,
    play: async (talk) => {
      const client = await talk.open();
      const heard = await deliver(client);
      if (typeof reply === "string") assert.equal(show(heard.raw), show(`${reply}\r\n`));
      else assert.match(heard.raw, reply);
      assert.ok(heard.raw.length <= 512, `${heard.raw.length} octets`);
      assert.match(heard.raw, /^[245][0-9]{2} [ -~]*\r\n$/);
      talk.nothingPassed();
      talk.setFilter("exit 0");
      await expectUsable(client);
      assert.equal(client.unheard, "");
    },
  };
}

/** Ends of a filter that are failures, not verdicts. */
const FAILURES: readonly (readonly [string, string])[] = [
  ["a status, a text and half an OUTFILE", 'echo half > "$OUTFILE"; echo 550 5.7.1 no >&2; exit 2'],
  ["a signal, a text and half an OUTFILE", 'echo half > "$OUTFILE"; echo 550 5.7.1 no >&2; kill -TERM $$; sleep 30'],
  ["SIGKILL", "kill -KILL $$; sleep 30"],
  ["a program that is not there", "exec /nonexistent/filter"],
  ["a program that cannot be executed", "exec /etc/passwd"],
  ["a syntax error", "if"],
];

table("Exit 0", { filter: true }, [
  passes("with texts on standard error and output", "echo 550 5.7.1 no >&2; echo 550 5.7.1 no; exit 0"),
  passes("OUTFILE touched, and still empty", 'touch "$OUTFILE"'),
  passes("OUTFILE deleted", 'rm -f "$OUTFILE"'),
  passes("OUTFILE replaced by an empty file", ': > "$D/new"; mv "$D/new" "$OUTFILE"'),
]);

table("A filter that fails: the message passes, and the log says so", { spawn: "first row", filter: true }, [
  ...FAILURES.map(([name, filter]) => {
    const row = passes(name, filter);
    return {
      ...row,
      play: async (talk: Talk) => {
        await row.play(talk);
        await talk.logged(/error: .*message not checked/);
      },
    };
  }),
]);

table("A filter that fails, with -r: 451 4.3.0", { spawn: "first row", filter: true, options: () => ["-r"] }, [
  ...FAILURES.slice(0, 3).map(([name, filter]) => refuses(name, filter, /^451 4\.3\.0 [ -~]+\r\n$/)),
  passes("exit 0 passes", "exit 0"),
  refuses("exit 1 refuses", "echo 550 5.7.1 no >&2; exit 1", "550 5.7.1 no"),
]);

table("Exit 1 refuses with the last line of standard error", { spawn: "first row", filter: true }, [
  refuses("a text with a code", "echo one >&2; printf '550 5.7.1 virus found' >&2; exit 1", "550 5.7.1 virus found"),
  refuses(
    "a text without one",
    "printf 'Message contains a virus\\r\\n\\n' >&2; exit 1",
    "554 Message contains a virus",
  ),
  refuses(
    "octets of all kinds",
    "printf '550 a\\r250 b\\000\\007\\303\\274\\377\\n' >&2; exit 1",
    /^550 a.250 b[ -~]{1,6}\r\n$/,
  ),
  refuses(
    "nothing; standard output and OUTFILE do not matter",
    'echo new > "$OUTFILE"; echo 550 no; exit 1',
    "554 5.7.1 Content rejected",
  ),
  refuses("hostile variables", 'echo "550 5.7.1 no mail from $SENDER" >&2; exit 1', /^550 5.7.1 no/),
  refuses(
    "3 MB of lines, and then the last one",
    "yes 'noise on standard error' | head -c 3000000 >&2; echo >&2; echo 550 5.7.1 the last >&2; exit 1",
    "550 5.7.1 the last",
  ),
  refuses("3 MB in one line", "head -c 3000000 /dev/zero | tr '\\0' y >&2; exit 1", /^554 y{100,506}\r\n$/),
  refuses("3 MB on standard output", "head -c 3000000 /dev/zero; echo 550 no >&2; exit 1", "550 no"),
  refuses("standard error closed", "exec 2>&-; exit 1", "554 5.7.1 Content rejected"),
]);

table("--allow-discard", { filter: true, options: () => ["--allow-discard"] }, [
  {
    name: "exit 1 with a 2xx: the client hears it, nothing is delivered, the log says so",
    filter: "echo 250 2.0.0 discarded >&2; exit 1",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).raw, "250 2.0.0 discarded\r\n");
      talk.nothingPassed();
      await talk.logged(/discard/i);
      talk.setFilter("exit 0");
      await expectUsable(client);
    },
  },
]);

/** Accidents that end with status 1, and their last word. */
const ACCIDENTS: readonly (readonly [what: string, filter: string])[] = [
  ["set -e", "set -e; false"],
  ["cp on a full disk", 'cp "$EMAIL" /dev/full'],
];

table("--strict-exit", { spawn: "first row", filter: true, options: () => ["--strict-exit"] }, [
  ...ACCIDENTS.map(([what, filter]) => {
    const row = passes(`${what}: the filter has failed`, filter);
    return {
      ...row,
      play: async (talk: Talk) => {
        await row.play(talk);
        await talk.logged(/message not checked reason="filter failed with exit status 1/);
      },
    };
  }),
  refuses("a code refuses", "echo 550 5.7.1 no >&2; exit 1", "550 5.7.1 no"),
]);

const STATUSES = ["10=reject", "20-29=tempfail", "30=discard", "40,50=pass", "60=discard", "60=fail"];

table("--exit-status", {
  spawn: "first row",
  filter: true,
  options: () => STATUSES.map((one) => `--exit-status=${one}`),
}, [
  refuses("reject", "echo no >&2; exit 10", "554 no"),
  refuses("tempfail", "echo 550 5.7.1 no >&2; exit 29", "451 4.7.1 no"),
  {
    name: "discard: 250, nothing is delivered, the log says so",
    filter: 'echo half > "$OUTFILE"; exit 30',
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).raw, "250 2.0.0 Ok: discarded\r\n");
      talk.nothingPassed();
      await talk.logged(/message discarded/);
      talk.setFilter("exit 0");
      await expectUsable(client);
    },
  },
  {
    name: "pass, with an OUTFILE",
    filter: 'echo new > "$OUTFILE"; exit 50',
    play: async (talk) => {
      assert.equal((await deliver(await talk.open())).code, 250);
      talk.passed("new\r\n");
    },
  },
  passes("fail", "echo 550 no >&2; exit 60"),
  {
    name: "what passes may not have changed EMAIL",
    filter: 'echo more >> "$EMAIL"; exit 40',
    play: async (talk) => {
      assert.equal((await deliver(await talk.open())).code, 451);
      talk.nothingPassed();
    },
  },
]);

/** The filter's change to OUTFILE, and the content that downstream gets. */
const OUTFILES: readonly (readonly [string, string, string])[] = [
  [
    "the message with a header before it",
    '{ echo "X-Filter: yes"; cat "$EMAIL"; } > "$OUTFILE"',
    `X-Filter: yes\r\n${CONTENT}`,
  ],
  ["CRLF lines, and dots", "printf '.\\r\\n..\\r\\na\\n.' > \"$OUTFILE\"", ".\r\n..\r\na\r\n.\r\n"],
  ["replaced by rename", 'echo renamed > "$D/new"; mv "$D/new" "$OUTFILE"', "renamed\r\n"],
  ["deleted and written again", 'rm "$OUTFILE"; echo again > "$OUTFILE"', "again\r\n"],
  [
    "edited in place with sed -i",
    'cp "$EMAIL" "$OUTFILE"; sed -i s/line/change/ "$OUTFILE"',
    CONTENT.replace("line", "change"),
  ],
  ["made readable for all", 'echo open > "$OUTFILE"; chmod 644 "$OUTFILE"', "open\r\n"],
  ["100,000 dots", 'yes . | head -n 100000 > "$OUTFILE"', ".\r\n".repeat(100_000)],
];

table("OUTFILE is sent in place of the message", { filter: true, shared: true }, [
  ...OUTFILES.map(([name, filter, expected]): Case => ({
    name,
    filter,
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).raw, "250 2.0.0 queued as 4711\r\n");
      const { wire, text } = talk.downstream.messages[0]!;
      assert.ok(text === expected, `downstream got ${show(text)}`);
      assert.deepEqual(fooledReaders(wire), [], show(wire));
      assert.equal(talk.downstream.messages.length, 1);
    },
  })),
]);

/** Filters that do not end in time; each writes the pids that must be gone afterwards. */
const STUCK: readonly (readonly [string, string, readonly string[]])[] = [
  ["sleeps in a child", 'sleep 300 & echo $! > "$D/p1"; wait', ["p1"]],
  [
    "has a child and a grandchild, which ignore TERM",
    `trap '' TERM; echo $$ > "$D/p1"
sh -c 'trap "" TERM; echo $$ > "$0/p2"; sh -c '\\''trap "" TERM; echo $$ > "$0/p3"; while :; do sleep 0.1; done'\\'' "$0" & while :; do sleep 0.1; done' "$D" &
while :; do sleep 0.1; done`,
    ["p1", "p2", "p3"],
  ],
  ["is stopped", 'echo $$ > "$D/p1"; kill -STOP $$', ["p1"]],
  [
    "has written half an OUTFILE and says 550",
    'echo half > "$OUTFILE"; echo 550 no >&2; echo $$ > "$D/p1"; exec sleep 300',
    ["p1"],
  ],
  ["writes to standard error without end", 'echo $$ > "$D/p1"; while :; do echo 550 noise >&2; done', ["p1"]],
  [
    "ignores TERM and exits 1 when its child dies",
    `trap '' TERM; echo $$ > "$D/p1"; sleep 300; echo 550 no >&2; exit 1`,
    ["p1"],
  ],
];

async function allGone(talk: Talk, names: readonly string[]): Promise<void> {
  const pids = [];
  for (const name of names) pids.push(await talk.pidIn(name));
  try {
    for (const pid of pids) await until(() => !isAlive(pid), () => `the end of process ${pid} of the filter`);
  } finally {
    for (const pid of pids) kill(pid);
  }
}

table("-t: a filter that takes too long is killed, with its children", {
  filter: true,
  options: () => ["-t", "1"],
  together: true,
}, [
  ...STUCK.map(([name, filter, pids]): Case => ({
    name: `one that ${name}: the message passes`,
    filter,
    play: async (talk) => {
      const client = await talk.open();
      const reply = await deliver(client);
      await allGone(talk, pids);
      assert.equal(reply.raw, "250 2.0.0 queued as 4711\r\n");
      talk.passed(CONTENT);
      await talk.logged(/./);
      talk.setFilter("exit 0");
      await expectUsable(client);
    },
  })),
]);

/** Leaves a child behind, whose pid is in `$D/left`. */
const LEFT = 'echo $! > "$D/left"';

/** Writes its pid there, and stays. */
const DAEMON = `sh -c 'echo $$ >>"$0/left"; exec sleep 300' "$D"`;

function leftPids(talk: Talk): number[] {
  return read(`${talk.dir}/left`).split("\n").slice(0, -1).map(Number);
}

async function endLeft(talk: Talk): Promise<void> {
  kill(await talk.pidIn("left"));
}

table("A filter with bad habits", { filter: true }, [
  ...([
    ["a child in the background holds its standard error", `sleep 300 & ${LEFT}; exit 0`],
    ["a daemon of its own session", `setsid sleep 300 & ${LEFT}; exit 0`],
  ] as const).map(([name, filter]): Case => ({
    name: `${name}: the message passes at once`,
    filter,
    play: async (talk) => {
      const client = await talk.open();
      try {
        assert.equal((await deliver(client)).code, 250);
        talk.passed(CONTENT);
      } finally {
        await endLeft(talk);
      }
    },
  })),
  ...[
    ["setsid &", `setsid ${DAEMON} &`],
    ["setsid & with nothing open", `setsid ${DAEMON} >/dev/null 2>&1 &`],
    ["setsid -f", `setsid -f ${DAEMON} >/dev/null 2>&1`],
  ].map(([what, daemon]): Case => ({
    name: `${what}: a daemon is left alone, each time`,
    filter: `${daemon}\nexit 0`,
    play: async (talk) => {
      const client = await talk.open();
      try {
        for (let count = 1; count <= 4; count++) {
          assert.equal((await deliver(client)).code, 250);
          await until(() => leftPids(talk).length === count, () => `daemon ${count}`);
        }
        for (const pid of leftPids(talk)) assert.ok(isAlive(pid), "a daemon was killed");
      } finally {
        for (const pid of leftPids(talk)) kill(pid);
      }
    },
  })),
  {
    name: "what stays in the filter's group is killed, each time",
    filter: `sleep 300 >/dev/null 2>&1 & echo $! >>"$D/left"; exit 0`,
    play: async (talk) => {
      const client = await talk.open();
      try {
        for (let count = 0; count < 4; count++) assert.equal((await deliver(client)).code, 250);
        for (const pid of leftPids(talk)) await until(() => !isAlive(pid), () => `the end of process ${pid}`);
      } finally {
        for (const pid of leftPids(talk)) kill(pid);
      }
    },
  },
  {
    name: "a child in the background holds standard error, and the filter refuses",
    filter: `sleep 300 & ${LEFT}; echo 550 5.7.1 no >&2; exit 1`,
    play: async (talk) => {
      const client = await talk.open();
      try {
        assert.equal((await deliver(client)).raw, "550 5.7.1 no\r\n");
        talk.nothingPassed();
      } finally {
        await endLeft(talk);
      }
    },
  },
  {
    name: "a child in the background writes on after the verdict",
    filter: `(while :; do echo 551 late >&2; sleep 0.01; done) & ${LEFT}; echo 550 5.7.1 no >&2; exit 1`,
    play: async (talk) => {
      const client = await talk.open();
      try {
        assert.match((await deliver(client)).raw, /^55[01] [ -~]+\r\n$/);
        talk.nothingPassed();
        await client.expect(250, "NOOP");
        assert.equal(client.unheard, "");
      } finally {
        await endLeft(talk);
      }
    },
  },
  passes("3 MB on both", "head -c 3000000 /dev/zero >&2 & head -c 3000000 /dev/zero; wait; exit 0"),
  passes("all three closed", "exec <&- >&- 2>&-; exit 0"),
  {
    name: "EMAIL deleted: the message passes whole, or 4xx",
    filter: 'rm -f "$EMAIL"; exit 0',
    play: async (talk) => {
      const client = await talk.open();
      const reply = await deliver(client);
      if (reply.code === 250) talk.passed(CONTENT);
      else assertCode(reply, 451, 452);
      talk.setFilter("exit 0");
      await client.expect(250, "RSET");
      await expectUsable(client);
    },
  },
  {
    name: "EMAIL and OUTFILE moved elsewhere: the message passes whole, or 4xx",
    filter: 'mv "$EMAIL" "$D/moved"; mv "$OUTFILE" "$D/moved2"; exit 0',
    play: async (talk) => {
      const client = await talk.open();
      const reply = await deliver(client);
      if (reply.code === 250) talk.passed(CONTENT);
      else assertCode(reply, 451, 452);
    },
  },
  {
    name: "EMAIL deleted, OUTFILE written: that passes",
    filter: 'echo new > "$OUTFILE"; rm -f "$EMAIL"; exit 0',
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).code, 250);
      talk.passed("new\r\n");
    },
  },
  {
    name: "OUTFILE replaced by a FIFO that nobody writes to: nothing hangs",
    filter: 'rm -f "$OUTFILE"; mkfifo "$OUTFILE"; exit 0',
    play: async (talk) => {
      const client = await talk.open();
      const reply = await deliver(client);
      if (reply.code === 250) talk.passed(CONTENT);
      else assertCode(reply, 421, 451);
    },
  },
  {
    name: "OUTFILE replaced by a directory: nothing hangs",
    filter: 'rm -f "$OUTFILE"; mkdir "$OUTFILE"; exit 0',
    leavesSpool: true,
    play: async (talk) => {
      const client = await talk.open();
      const reply = await deliver(client);
      if (reply.code === 250) talk.passed(CONTENT);
      else assertCode(reply, 421, 451);
      for (const name of listNames(talk.spool)) Deno.removeSync(`${talk.spool}/${name}`, { recursive: true });
    },
  },
  {
    name: "the process group of the filter is its own: it can kill it, and the proxy lives",
    filter: "kill -TERM 0; exit 0",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).code, 250);
      await expectUsable(client);
    },
  },
]);

/** Whole command lines, without the indirection of a filter file: `-c` is given to `sh -c`. */
const WITHOUT_INTERPRETER = decodeURIComponent(
  new URL("../fakes/filter_without_interpreter", import.meta.url).pathname,
);

/** Some are executed without the shell, and the shell is asked for what the system cannot start. */
const COMMANDS: readonly (readonly [string, readonly string[], string | RegExp])[] = [
  ["a program", ["-c", "/bin/false"], "554 5.7.1 Content rejected"],
  ["a program that says no", ["-c", "/usr/bin/env A=b  /usr/bin/test -s nothing"], "554 5.7.1 Content rejected"],
  ["a script without #! and words", ["-c", `${WITHOUT_INTERPRETER} --a=b  c,d`], "550 5.7.1 2 words: --a=b"],
  ["a variable", ["-c", 'grep -c line "$EMAIL" >&2; exit 1'], "554 1"],
  ["a redirection", ["-c", "/bin/echo 550 redirected >&2; exit 1"], "550 redirected"],
  ["a pipeline", ["-c", 'x="a  b"; echo "550 $x" | cat >&2; exit 1'], "550 a  b"],
  ["several lines", ["-c", "echo 550 one >&2\necho 551 two >&2\nexit 1"], "551 two"],
  ["a builtin", ["-c", "exit 1 # exit 0"], "554 5.7.1 Content rejected"],
  ["a program that is not there, with -r", ["-c", "/nonexistent/filter -x", "-r"], /^451 4\.3\.0 /],
  ["a file that cannot be executed, with -r", ["-c", "/etc/passwd", "-r"], /^451 4\.3\.0 /],
  ["a name that is in no PATH, with -r", ["-c", "no_such_program_at_all", "-r"], /^451 4\.3\.0 /],
  ["a blank command", ["-c", " "], /4711/],
  ["no command", [], /4711/],
  ["an empty command after another", ["-c", "false", "-c", ""], /4711/],
];

for (const mode of ["spawn", "listen"] as const) {
  Deno.test(`-c COMMAND (${mode} mode)`, async (test) => {
    // In listen mode each row needs a process of its own, so that a few rows must do.
    for (const [name, options, reply] of mode === "spawn" ? COMMANDS : COMMANDS.filter((_, i) => i % 4 === 0)) {
      await test.step(name, async () => {
        await playAlone(mode, { options: () => options }, {
          name,
          play: async (talk) => {
            const client = await talk.open();
            const heard = await deliver(client);
            if (typeof reply === "string") assert.equal(heard.raw, `${reply}\r\n`);
            else assert.match(heard.raw, reply);
            if (heard.code === 250) talk.passed(CONTENT);
            else talk.nothingPassed();
          },
        });
      });
    }
  });
}

Deno.test("The exit status counts even if the program that started postprox ignores SIGCHLD", async () => {
  const fake = await Server.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  try {
    const args = [
      "--ignore-signal=CHLD",
      ...programWords(),
      fake.operand,
      "-d",
      dir,
      "-c",
      "exit 1",
      "--log=/dev/null",
    ];
    const child = new Deno.Command("/usr/bin/env", { args, stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
    const writer = child.stdin.getWriter();
    const commands = `EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n${CONTENT}.\r\nQUIT\r\n`;
    await writer.write(new TextEncoder().encode(commands));
    const [said] = await Promise.all([new Response(child.stdout).text(), child.status]);
    await writer.close().catch(() => {});
    assert.match(said, /^354 [^\n]*\n554 5\.7\.1 Content rejected\r\n221 /m);
  } finally {
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});
