// What becomes of a message: the filter's exit status, its text, OUTFILE, its time limit, and its bad habits.

import assert from "node:assert/strict";
import { programWords } from "../e2e/program.ts";
import { isAlive, kill } from "../e2e/start.ts";
import { show, until } from "../fakes/client.ts";
import { Downstream } from "../fakes/downstream.ts";
import { fooledReaders } from "./oracle.ts";
import {
  assertCode,
  type Case,
  CONTENT,
  deliver,
  expectUsable,
  listNames,
  playAlone,
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
  ["exit 2", "exit 2"],
  ["exit 3", "exit 3"],
  ["exit 64", "exit 64"],
  ["exit 75", "exit 75"],
  ["exit 77", "exit 77"],
  ["exit 99", "exit 99"],
  ["exit 100", "exit 100"],
  ["exit 126", "exit 126"],
  ["exit 127", "exit 127"],
  ["exit 128", "exit 128"],
  ["exit 255", "exit 255"],
  ["exit 2 with a text", "echo 550 5.7.1 no >&2; exit 2"],
  ["exit 75 with a text", "echo 550 5.7.1 no >&2; exit 75"],
  ["a program that is not there", "exec /nonexistent/filter"],
  ["a program that is not there, not exec'd", "/nonexistent/filter"],
  ["a program that cannot be executed", "exec /etc/passwd"],
  ["a directory", "exec /tmp"],
  ["a syntax error", "if"],
  ["SIGTERM", "kill -TERM $$; sleep 30"],
  ["SIGKILL", "kill -KILL $$; sleep 30"],
  ["SIGSEGV", "kill -SEGV $$; sleep 30"],
  ["SIGHUP", "kill -HUP $$; sleep 30"],
  ["SIGINT", "kill -INT $$; sleep 30"],
  ["SIGPIPE", "kill -PIPE $$; sleep 30"],
  ["SIGTERM with a text", "echo 550 5.7.1 no >&2; kill -TERM $$; sleep 30"],
  ["exit 2 after half an OUTFILE", 'echo half > "$OUTFILE"; exit 2'],
  ["SIGKILL after half an OUTFILE", 'echo half > "$OUTFILE"; kill -KILL $$; sleep 30'],
  ["exit 127 after half an OUTFILE", 'echo half > "$OUTFILE"; exit 127'],
];

table("Exit 0", { filter: true }, [
  passes("passes the message", "exit 0"),
  passes("with a text on standard error", "echo 550 5.7.1 no >&2; exit 0"),
  passes("with a text on standard output", "echo 550 5.7.1 no; exit 0"),
  passes("without a word", ":"),
  passes("OUTFILE touched, and still empty", 'touch "$OUTFILE"'),
  passes("OUTFILE truncated", ': > "$OUTFILE"'),
  passes("OUTFILE deleted", 'rm -f "$OUTFILE"'),
  passes("OUTFILE replaced by an empty file", ': > "$D/new"; mv "$D/new" "$OUTFILE"'),
]);

table("A filter that fails: the message passes", { filter: true }, [
  ...FAILURES.map(([name, filter]) => {
    const row = passes(name, filter);
    return {
      ...row,
      play: async (talk: Talk) => {
        await row.play(talk);
        await talk.logged(/./);
      },
    };
  }),
]);

table("A filter that fails, with -r: 451 4.3.0", { filter: true, options: () => ["-r"] }, [
  ...FAILURES.map(([name, filter]) => {
    const row = refuses(name, filter, /^451 4\.3\.0 [ -~]+\r\n$/);
    return {
      ...row,
      play: async (talk: Talk) => {
        await row.play(talk);
        await talk.logged(/./);
      },
    };
  }),
  passes("exit 0 passes", "exit 0"),
  refuses("exit 1 refuses", "echo 550 5.7.1 no >&2; exit 1", "550 5.7.1 no"),
]);

/** What exit 1 leads to: standard error as the argument of printf, and the reply. */
const TEXTS: readonly (readonly [string, string | RegExp])[] = [
  ["550 5.7.1 virus found\\n", "550 5.7.1 virus found"],
  ["550 5.7.1 no final newline", "550 5.7.1 no final newline"],
  ["451 4.7.1 come back later\\n", "451 4.7.1 come back later"],
  ["450 greylisted\\n", "450 greylisted"],
  ["400 lowest\\n", "400 lowest"],
  ["599 highest\\n", "599 highest"],
  ["552 5.3.4 too big\\n", "552 5.3.4 too big"],
  ["no code\\n", "554 no code"],
  ["Message contains a virus\\n", "554 Message contains a virus"],
  ["550\\n", "554 550"],
  ["550-not a blank\\n", "554 550-not a blank"],
  ["5500 four digits\\n", "554 5500 four digits"],
  ["55 two digits\\n", "554 55 two digits"],
  ["5x0 no digits\\n", "554 5x0 no digits"],
  ["5.7.1 enhanced alone\\n", "554 5.7.1 enhanced alone"],
  // Codes that a refusal cannot have.
  ["250 2.0.0 ok\\n", "554 250 2.0.0 ok"],
  ["200 ok\\n", "554 200 ok"],
  ["299 ok\\n", "554 299 ok"],
  ["220 welcome\\n", "554 220 welcome"],
  ["354 go ahead\\n", "554 354 go ahead"],
  ["334 go on\\n", "554 334 go on"],
  ["100 early\\n", "554 100 early"],
  ["600 late\\n", "554 600 late"],
  ["000 zero\\n", "554 000 zero"],
  // Nothing to say.
  ["", "554 5.7.1 Content rejected"],
  ["\\n", "554 5.7.1 Content rejected"],
  ["\\n\\n\\n", "554 5.7.1 Content rejected"],
  ["\\r\\n", "554 5.7.1 Content rejected"],
  // The last line that is not empty.
  ["one\\ntwo\\nthree\\n", "554 three"],
  ["550 first\\n451 last\\n", "451 last"],
  ["550 the line\\n\\n\\n", "550 the line"],
  ["\\n\\n550 the line", "550 the line"],
  ["550 the line\\r\\n", "550 the line"],
  ["550 one\\r\\n551 two\\r\\n\\r\\n", "551 two"],
  // Nothing adds a second line.
  ["550 a\\r250 b\\n", /^550 a.250 b\r\n$/],
  ["550 a\\r\\r250 b", /^550 a[ -~]+b\r\n$/],
  ["550 a\\000b\\n", /^550 a.?b\r\n$/],
  ["550 a\\tb\\n", /^550 a.b\r\n$/],
  ["550 a\\033[31mred\\n", /^550 a.\[31mred\r\n$/],
  ["550 a\\007\\010\\013\\014\\177b\\n", /^550 a.{0,5}b\r\n$/],
  ["550 \\303\\274ber\\n", /^550 [ -~]{1,2}ber\r\n$/],
  ["550 \\377\\376\\n", /^550 [ -~]{0,2}\r\n$/],
  ["\\303\\274ber\\n", /^554 [ -~]{1,2}ber\r\n$/],
  ["550 a\\302\\205b\\n", /^550 a[ -~]{0,2}b\r\n$/],
  ["550 a\\342\\200\\250b\\n", /^550 a[ -~]{0,3}b\r\n$/],
  ["550 .\\n", "550 ."],
  [".\\n", "554 ."],
  ["550 100%% sure\\n", "550 100% sure"],
];

table("Exit 1 refuses with the last line of standard error", { filter: true }, [
  ...TEXTS.map(([text, reply]) => refuses(show(text, 60), `printf '${text}' >&2; exit 1`, reply)),
  refuses("a text on standard output is none", "echo 550 no; exit 1", "554 5.7.1 Content rejected"),
  refuses("OUTFILE does not matter", 'echo new > "$OUTFILE"; echo 550 no >&2; exit 1', "550 no"),
  refuses(
    "the filter's text with hostile variables",
    'echo "550 5.7.1 no mail from $SENDER" >&2; exit 1',
    /^550 5.7.1 no/,
  ),
  ...[507, 508, 509, 600, 5000, 100_000].map((length) =>
    refuses(
      `a text of ${length} characters: one line of at most 512 octets`,
      `printf '550 '  >&2; head -c ${length - 4} /dev/zero | tr '\\0' x >&2; echo >&2; exit 1`,
      length <= 510 ? `550 ${"x".repeat(length - 4)}` : /^550 x{400,506}\r\n$/,
    )
  ),
  refuses(
    "a text without code of 2,000 characters",
    "head -c 2000 /dev/zero | tr '\\0' x >&2; exit 1",
    /^554 x{400,506}\r\n$/,
  ),
  refuses(
    "3 MB of lines, and then the last one",
    "yes 'noise on standard error' | head -c 3000000 >&2; echo >&2; echo 550 5.7.1 the last >&2; exit 1",
    "550 5.7.1 the last",
  ),
  refuses("3 MB in one line", "head -c 3000000 /dev/zero | tr '\\0' y >&2; exit 1", /^554 y{100,506}\r\n$/),
  refuses("3 MB of NULs", "head -c 3000000 /dev/zero >&2; exit 1", /^55[0-9] [ -~]*\r\n$/),
  refuses(
    "3 MB of empty lines",
    "head -c 3000000 /dev/zero | tr '\\0' '\\n' >&2; exit 1",
    /^554 5.7.1 Content rejected\r\n$/,
  ),
  refuses("3 MB on standard output", "head -c 3000000 /dev/zero; echo 550 no >&2; exit 1", "550 no"),
  refuses("standard error closed", "exec 2>&-; exit 1", "554 5.7.1 Content rejected"),
  refuses("standard output closed", "exec >&-; echo 550 no >&2; exit 1", "550 no"),
  ...["421 4.7.0 go away", "421 go"].map((text): Case => ({
    name: `${text}: the client hears it, and the session closes`,
    filter: `echo '${text}' >&2; exit 1`,
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).raw, `${text}\r\n`);
      await client.expectEnd();
      talk.nothingPassed();
    },
  })),
  refuses("421 without a blank is no code", "echo 421 >&2; exit 1", "554 421"),
  {
    name: "downstream sees RSET or QUIT, and no DATA",
    filter: "echo 550 no >&2; exit 1",
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client);
      await talk.downstream.until((fake) => /RSET|QUIT/.test(fake.received), "RSET or QUIT");
      talk.nothingPassed();
    },
  },
  {
    name: "downstream refuses that RSET: the session stays usable, or ends with 421",
    filter: "echo 550 no >&2; exit 1",
    script: { RSET: "502 5.5.1 no" },
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).raw, "550 no\r\n");
      await client.say("MAIL FROM:<next@example.org>\r\n");
      const reply = await client.hear();
      assertCode(reply, 250, 421, 451);
      talk.nothingPassed();
      client.close();
    },
  },
  {
    name: "downstream goes away at that RSET: the client has heard the refusal all the same",
    filter: "echo 550 no >&2; exit 1",
    script: { RSET: { then: "close" } },
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).raw, "550 no\r\n");
      talk.nothingPassed();
      client.close();
    },
  },
]);

table("--allow-discard", { filter: true, options: () => ["--allow-discard"] }, [
  ...["250 2.0.0 discarded", "250 ok", "200 ok", "299 ok"].map((text): Case => ({
    name: `exit 1 with ${text}: the client hears it, nothing is delivered, the log says so`,
    filter: `echo '${text}' >&2; exit 1`,
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).raw, `${text}\r\n`);
      talk.nothingPassed();
      await talk.logged(/discard/i);
      talk.setFilter("exit 0");
      await expectUsable(client);
    },
  })),
  refuses("550 is still a refusal", "echo 550 no >&2; exit 1", "550 no"),
  refuses("a text without a code is still a refusal", "echo ok >&2; exit 1", "554 ok"),
  refuses("354 is still none", "echo 354 go >&2; exit 1", "554 354 go"),
  refuses("nothing is still a refusal", "exit 1", "554 5.7.1 Content rejected"),
  passes("exit 0 with a 2xx text passes", "echo 250 discarded >&2; exit 0"),
  passes("exit 2 with a 2xx text passes", "echo 250 discarded >&2; exit 2"),
]);

/** Accidents that end with status 1, and their last word. */
const ACCIDENTS: readonly (readonly [what: string, filter: string])[] = [
  ["set -e", "set -e; false"],
  ["cp on a full disk", 'cp "$EMAIL" /dev/full'],
  ["a traceback", "echo 'ValueError: 550 is no number' >&2; exit 1"],
  ["nothing said", "exit 1"],
];

table("--strict-exit", { filter: true, options: () => ["--strict-exit"] }, [
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
  refuses("a temporary one, too", "echo 451 4.7.1 later >&2; exit 1", "451 4.7.1 later"),
]);

table("--strict-exit and -r", { filter: true, options: () => ["--strict-exit", "-r"] }, [
  ...ACCIDENTS.map(([what, filter]) => refuses(`${what}: 451`, filter, /^451 4\.3\.0 [ -~]+\r\n$/)),
  refuses("a code refuses", "echo 550 5.7.1 no >&2; exit 1", "550 5.7.1 no"),
]);

const STATUSES = [
  "10=reject",
  "20-29=tempfail",
  "30=discard",
  "40,50=pass",
  "1=fail",
  "25=fail",
  "60=fail",
  "60=discard",
];

table("--exit-status", { filter: true, options: () => STATUSES.map((one) => `--exit-status=${one}`) }, [
  refuses("reject with a code", "echo 550 5.7.1 no >&2; exit 10", "550 5.7.1 no"),
  refuses("reject with a text", "echo no >&2; exit 10", "554 no"),
  refuses("reject without a word", "exit 10", "554 5.7.1 Content rejected"),
  refuses("tempfail without a word", "exit 20", /^451 4\.7\.1 [ -~]+\r\n$/),
  refuses("tempfail is never permanent", "echo 550 5.7.1 no >&2; exit 29", "451 4.7.1 no"),
  refuses("tempfail with a code of its own", "echo 450 4.2.0 later >&2; exit 24", "450 4.2.0 later"),
  ...[30, 60].map((status): Case => ({
    name: `discard with ${status}, without --allow-discard: 250, nothing is delivered, the log says so`,
    filter: `echo half > "$OUTFILE"; exit ${status}`,
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).raw, "250 2.0.0 Ok: discarded\r\n");
      talk.nothingPassed();
      await talk.logged(/message discarded/);
      talk.setFilter("exit 0");
      await expectUsable(client);
    },
  })),
  passes("pass", "echo 550 no >&2; exit 40"),
  {
    name: "pass with an OUTFILE",
    filter: 'echo new > "$OUTFILE"; exit 50',
    play: async (talk) => {
      assert.equal((await deliver(await talk.open())).code, 250);
      talk.passed("new\r\n");
    },
  },
  ...[1, 25, 51, 126, 127].map((status) => passes(`${status} has failed`, `echo 550 no >&2; exit ${status}`)),
  passes("0 passes", "exit 0"),
  {
    name: "what passes may not have changed EMAIL",
    filter: 'echo more >> "$EMAIL"; exit 40',
    play: async (talk) => {
      assert.equal((await deliver(await talk.open())).code, 451);
      talk.nothingPassed();
    },
  },
]);

table("--exit-status=1=reject and --strict-exit", {
  filter: true,
  options: () => ["--strict-exit", "--exit-status=1=reject"],
}, [refuses("the setting has precedence", "exit 1", "554 5.7.1 Content rejected")]);

/** What the filter makes of OUTFILE, and what downstream gets. */
const OUTFILES: readonly (readonly [string, string, string])[] = [
  ["LF lines", "printf 'Subject: new\\n\\nbody\\n' > \"$OUTFILE\"", "Subject: new\r\n\r\nbody\r\n"],
  ["CRLF lines", "printf 'Subject: new\\r\\n\\r\\nbody\\r\\n' > \"$OUTFILE\"", "Subject: new\r\n\r\nbody\r\n"],
  ["LF and CRLF lines", "printf 'a\\nb\\r\\nc\\n' > \"$OUTFILE\"", "a\r\nb\r\nc\r\n"],
  ["no final newline", "printf 'Subject: new\\n\\nbody' > \"$OUTFILE\"", "Subject: new\r\n\r\nbody\r\n"],
  ["CRLF lines, no final newline", "printf 'a\\r\\nb' > \"$OUTFILE\"", "a\r\nb\r\n"],
  ["one byte", 'printf x > "$OUTFILE"', "x\r\n"],
  ["one empty line", 'echo > "$OUTFILE"', "\r\n"],
  ["one empty CRLF line", "printf '\\r\\n' > \"$OUTFILE\"", "\r\n"],
  ["empty lines at the end", "printf 'a\\n\\n\\n' > \"$OUTFILE\"", "a\r\n\r\n\r\n"],
  ["a dot", "printf '.\\n' > \"$OUTFILE\"", ".\r\n"],
  ["a dot without newline", 'printf . > "$OUTFILE"', ".\r\n"],
  ["dots", "printf '.\\n..\\n.a\\nb.\\n.\\n' > \"$OUTFILE\"", ".\r\n..\r\n.a\r\nb.\r\n.\r\n"],
  ["dots, CRLF", "printf '.\\r\\n..\\r\\n.\\r\\n' > \"$OUTFILE\"", ".\r\n..\r\n.\r\n"],
  ["ends with a dot", "printf 'a\\n.' > \"$OUTFILE\"", "a\r\n.\r\n"],
  ["8-bit bytes", "printf '\\200\\377\\n' > \"$OUTFILE\"", "\x80\xff\r\n"],
  [
    "SMTP commands",
    "printf 'QUIT\\n.\\nMAIL FROM:<evil@example.org>\\n' > \"$OUTFILE\"",
    "QUIT\r\n.\r\nMAIL FROM:<evil@example.org>\r\n",
  ],
  [
    "the message with a header before it",
    '{ echo "X-Filter: yes"; cat "$EMAIL"; } > "$OUTFILE"',
    `X-Filter: yes\r\n${CONTENT}`,
  ],
  ["a copy of the message", 'cp "$EMAIL" "$OUTFILE"', CONTENT],
  ["replaced by rename", 'echo renamed > "$D/new"; mv "$D/new" "$OUTFILE"', "renamed\r\n"],
  [
    "replaced by rename, in the same directory",
    'echo renamed > "$OUTFILE.new"; mv "$OUTFILE.new" "$OUTFILE"',
    "renamed\r\n",
  ],
  ["deleted and written anew", 'rm "$OUTFILE"; echo anew > "$OUTFILE"', "anew\r\n"],
  [
    "edited in place with sed -i",
    'cp "$EMAIL" "$OUTFILE"; sed -i s/line/change/ "$OUTFILE"',
    CONTENT.replace("line", "change"),
  ],
  ["appended to twice", 'echo a >> "$OUTFILE"; echo b >> "$OUTFILE"', "a\r\nb\r\n"],
  ["made readable for all", 'echo open > "$OUTFILE"; chmod 644 "$OUTFILE"', "open\r\n"],
  ["a long line", "head -c 200000 /dev/zero | tr '\\0' z > \"$OUTFILE\"", `${"z".repeat(200_000)}\r\n`],
  [
    "1 MB of lines",
    "yes 'a line of the new text' | head -n 40000 > \"$OUTFILE\"",
    "a line of the new text\r\n".repeat(40_000),
  ],
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
  ...["a\\r.\\rb\\n", "a\\n\\000.\\nb\\n", "a\\r.\\r\\nMAIL FROM:<evil@x>\\n", "\\r\\n.\\r", "\\000.\\000\\n"].map((
    text,
  ): Case => ({
    name: `${show(text)} fools no server`,
    filter: `printf '${text}' > "$OUTFILE"`,
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client);
      assert.equal(talk.downstream.messages.length, 1);
      assert.deepEqual(fooledReaders(talk.downstream.messages[0]!.wire), [], show(talk.downstream.messages[0]!.wire));
    },
  })),
]);

/** Filters that do not end in time; each writes the pids that must be gone afterwards. */
const STUCK: readonly (readonly [string, string, readonly string[]])[] = [
  ["sleeps", 'echo $$ > "$D/p1"; exec sleep 300', ["p1"]],
  ["sleeps in a child", 'sleep 300 & echo $! > "$D/p1"; wait', ["p1"]],
  ["loops", 'echo $$ > "$D/p1"; while :; do :; done', ["p1"]],
  ["ignores TERM", `trap '' TERM; echo $$ > "$D/p1"; while :; do sleep 0.1; done`, ["p1"]],
  [
    "has a child and a grandchild, which ignore TERM",
    `trap '' TERM; echo $$ > "$D/p1"
sh -c 'trap "" TERM; echo $$ > "$0/p2"; sh -c '\\''trap "" TERM; echo $$ > "$0/p3"; while :; do sleep 0.1; done'\\'' "$0" & while :; do sleep 0.1; done' "$D" &
while :; do sleep 0.1; done`,
    ["p1", "p2", "p3"],
  ],
  ["is stopped", 'echo $$ > "$D/p1"; kill -STOP $$', ["p1"]],
  ["has closed all its output", 'exec >&- 2>&-; echo $$ > "$D/p1"; sleep 300', ["p1"]],
  ["has written half an OUTFILE", 'echo half > "$OUTFILE"; echo $$ > "$D/p1"; exec sleep 300', ["p1"]],
  ["says 550 first", 'echo 550 no >&2; echo $$ > "$D/p1"; exec sleep 300', ["p1"]],
  ["writes to standard error without end", 'echo $$ > "$D/p1"; while :; do echo 550 noise >&2; done', ["p1"]],
  ["writes to standard output without end", 'echo $$ > "$D/p1"; exec yes', ["p1"]],
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

table("-t with -r: 451", { filter: true, options: () => ["-r", "-t", "1"], together: true }, [
  ...STUCK.slice(0, 5).map(([name, filter, pids]): Case => ({
    name: `one that ${name}: 451 4.3.0`,
    filter,
    play: async (talk) => {
      const client = await talk.open();
      const reply = await deliver(client);
      await allGone(talk, pids);
      assert.match(reply.raw, /^451 4\.3\.0 /);
      talk.nothingPassed();
      talk.setFilter("exit 0");
      await expectUsable(client);
    },
  })),
]);

/** Leaves a child behind, whose pid is in `$D/left`. */
const LEFT = 'echo $! > "$D/left"';

async function endLeft(talk: Talk): Promise<void> {
  kill(await talk.pidIn("left"));
}

table("A filter with bad habits", { filter: true }, [
  ...([
    ["a child in the background holds its standard error", `sleep 300 & ${LEFT}; exit 0`],
    ["a child in the background holds all but standard error", `sleep 300 2>&- & ${LEFT}; exit 0`],
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
  passes("3 MB on standard error", "head -c 3000000 /dev/zero >&2; exit 0"),
  passes("3 MB on standard output", "head -c 3000000 /dev/zero; exit 0"),
  passes("3 MB on both", "head -c 3000000 /dev/zero >&2 & head -c 3000000 /dev/zero; wait; exit 0"),
  passes("standard error closed", "exec 2>&-; exit 0"),
  passes("standard output closed", "exec >&-; exit 0"),
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
  refuses("both deleted, exit 1", 'rm -f "$EMAIL" "$OUTFILE"; echo 550 no >&2; exit 1', "550 no"),
  passes("OUTFILE deleted, exit 2", 'rm -f "$OUTFILE"; exit 2'),
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

const COMMANDS: readonly (readonly [string, readonly string[], string | RegExp])[] = [
  ["true", ["-c", "true"], /4711/],
  ["/bin/true", ["-c", "/bin/true"], /4711/],
  ["false", ["-c", "false"], "554 5.7.1 Content rejected"],
  ["/bin/false", ["-c", "/bin/false"], "554 5.7.1 Content rejected"],
  ["/usr/bin/env with words", ["-c", "/usr/bin/env A=b  /usr/bin/test -s nothing"], "554 5.7.1 Content rejected"],
  ["a script without #!", ["-c", WITHOUT_INTERPRETER], "550 5.7.1 0 words: "],
  ["a script without #! and words", ["-c", `${WITHOUT_INTERPRETER} --a=b  c,d`], "550 5.7.1 2 words: --a=b"],
  ["a path and a variable", ["-c", '/bin/test -s "$EMAIL"'], /4711/],
  ["a path and a quoted word", ["-c", "/bin/test 'a b' = a\\ b"], /4711/],
  ["a path and a redirection", ["-c", "/bin/echo 550 redirected >&2; exit 1"], "550 redirected"],
  ["exit 1", ["-c", "exit 1"], "554 5.7.1 Content rejected"],
  ["exit 2", ["-c", "exit 2"], /4711/],
  ["exit 2 with -r", ["-c", "exit 2", "-r"], /^451 4\.3\.0 /],
  [":", ["-c", ":"], /4711/],
  ["a blank command", ["-c", " "], /4711/],
  ["a program that is not there", ["-c", "/nonexistent/filter"], /4711/],
  ["a program that is not there, with -r", ["-c", "/nonexistent/filter", "-r"], /^451 4\.3\.0 /],
  ["a program that is not there, with arguments, with -r", ["-c", "/nonexistent/filter -x", "-r"], /^451 4\.3\.0 /],
  ["a name that is in no PATH, with -r", ["-c", "no_such_program_at_all", "-r"], /^451 4\.3\.0 /],
  ["a file that cannot be executed, with -r", ["-c", "/etc/passwd", "-r"], /^451 4\.3\.0 /],
  ["a directory, with -r", ["-c", "/tmp", "-r"], /^451 4\.3\.0 /],
  ["a syntax error, with -r", ["-c", "if (", "-r"], /^451 4\.3\.0 /],
  ["a pipeline", ["-c", "echo 550 piped | cat >&2; exit 1"], "550 piped"],
  ["quotes and variables", ["-c", 'x="a  b"; echo "550 $x" >&2; exit 1'], "550 a  b"],
  ["$EMAIL", ["-c", 'grep -c line "$EMAIL" >&2; exit 1'], "554 1"],
  ["$EMAIL as an argument of a plain command", ["-c", "grep -q line $EMAIL"], /4711/],
  ["a plain command that says no", ["-c", "grep -q nowhere $EMAIL"], "554 5.7.1 Content rejected"],
  ["an assignment before a command", ["-c", "X=1 false"], "554 5.7.1 Content rejected"],
  ["several lines", ["-c", "echo 550 one >&2\necho 551 two >&2\nexit 1"], "551 two"],
  ["a comment", ["-c", "exit 1 # exit 0"], "554 5.7.1 Content rejected"],
  ["not", ["-c", "! true"], "554 5.7.1 Content rejected"],
  ["a subshell", ["-c", "(exit 1)"], "554 5.7.1 Content rejected"],
  ["in the background", ["-c", "false &"], /4711/],
  ["a shell keyword", ["-c", "while false; do :; done"], /4711/],
  ["a tilde", ["-c", "test ~ != '~'"], /4711/],
  ["braces", ["-c", "{ false; }"], "554 5.7.1 Content rejected"],
  ["a backslash", ["-c", "test a\\ b = 'a b'"], /4711/],
  ["a pattern", ["-c", "test /et[c] = /etc"], /4711/],
  ["$$ and arithmetic", ["-c", "test $((1+1)) = 2"], /4711/],
  ["a builtin: cd", ["-c", "cd /"], /4711/],
  ["a builtin: test", ["-c", "test -s nothing"], "554 5.7.1 Content rejected"],
  ["a builtin: exec", ["-c", "exec false"], "554 5.7.1 Content rejected"],
  ["a builtin: ulimit", ["-c", "ulimit -c 0"], /4711/],
  ["no command", [], /4711/],
  ["an empty command", ["-c", ""], /4711/],
  ["the last of two commands", ["-c", "false", "-c", "true"], /4711/],
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

Deno.test("The exit status counts also where whoever started the program ignores SIGCHLD", async () => {
  const fake = await Downstream.start();
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
