// --rspamd from outside, with fake ones: what each action does to a message, what rspamd hears of it, and wrong options. Its
// faults are in scanner_faults_test.ts.

import assert from "node:assert/strict";
import { runProgram } from "../e2e/start.ts";
import { fieldsOf, messageIn, RSPAMD } from "../fakes/rspamd.ts";
import { FakeScanner } from "../fakes/scanner.ts";
import { show, utf8 } from "../rig/octets.ts";
import { until } from "../rig/wait.ts";
import { type Case, deliver, expectUsable, table } from "./rig.ts";
import { clientLeaves, faulty } from "./scanner_faults.ts";

/** A message for which the fake rspamd answers so. */
function mailFor(answer: object): string {
  return `${
    answered(answer)
  }\r\nReceived: here\r\nSubject: hello\r\nX-Spam: no\r\nX-Gone: 1\r\nX-Gone: 2\r\n\r\nSubject: body\r\n`;
}

function answered(answer: object): string {
  return utf8(`X-Rspamd: ${JSON.stringify(answer)}`);
}

const REJECT = {
  action: "reject",
  score: 20.5,
  required_score: 15,
  symbols: { GTUBE: { score: 20.5 }, LOW: { score: -1 } },
};

const REJECTED = "550 5.7.1 Spam message rejected\r\n";

/** More than what the program keeps in memory, and than what sockets take at once. */
const LARGE = `Subject: large\r\n\r\n${"A line of a large message.\r\n".repeat(200_000)}`;

let first: FakeScanner;
let second: FakeScanner;
let keeping: FakeScanner;

Deno.test.beforeAll(async () => {
  const answer: typeof RSPAMD.answer = (question) =>
    String(RSPAMD.answer(question)).replace("Connection: close\r\n", "");
  keeping = await FakeScanner.start({ ...RSPAMD, answer, closes: false });
  first = await FakeScanner.start(RSPAMD);
  second = await FakeScanner.start(RSPAMD);
});

Deno.test.afterAll(async () => {
  await first.stop();
  await second.stop();
  await keeping.stop();
});

/** A message that rspamd refuses. */
function refusal(name: string, answer: object, reply: string, log: RegExp): Case {
  return {
    name,
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, mailFor(answer))).raw, reply);
      talk.nothingPassed();
      await talk.logged(log);
      await expectUsable(client);
    },
  };
}

/** A message that rspamd passes, and what has become of its header. */
function passage(name: string, answer: object, header: readonly string[]): Case {
  return {
    name,
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, mailFor(answer))).code, 250);
      talk.passed(`${header.join("\r\n")}\r\n\r\nSubject: body\r\n`);
    },
  };
}

const CHANGES = {
  add_headers: {
    "X-Last": "at the end",
    "X-Top": { value: "on top", order: 0 },
    "X-Two": [{ value: "a", order: 2 }, { value: "für", order: -1 }],
    "X-Folded": "a\r\n\tb\nSubject: c\n\nd",
    "X-No\nName": "x",
  },
  remove_headers: { "X-Gone": 1, "X-Spam": 0, "X-Rspamd": -1 },
};

const CHANGED = [
  "X-Top: on top",
  "Received: here",
  "X-Two: a",
  "Subject: hello",
  "X-Gone: 2",
  "X-Last: at the end",
  `X-Two: ${utf8("für")}`,
  "X-Folded: a",
  "\tb",
  "\tSubject: c",
  "\td",
];

table("--rspamd", { options: () => [`--rspamd=${first.address}`, "-v"] }, [
  {
    name: "a message passes, and rspamd has heard of it",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD NAME=mx.example ADDR=IPv6:2001:db8::1 HELO=helo.example IDENT=4ABC");
      const reply = await deliver(client, "a\r\n..b\r\n", { from: "", to: ["b@example.net", "c@example.net"] });
      assert.equal(reply.code, 250);
      talk.passed("a\r\n.b\r\n");
      const question = first.questions.at(-1)!;
      assert.equal(new TextDecoder().decode(messageIn(question)), "a\r\n.b\r\n");
      assert.deepEqual(fieldsOf(question).slice(5), [
        "IP: 2001:db8::1",
        "Helo: helo.example",
        "Hostname: mx.example",
        "From: <>",
        "Queue-Id: 4ABC",
        "Rcpt: b@example.net",
        "Rcpt: c@example.net",
      ]);
      await talk.logged(
        /message verdict=pass reason="rspamd at 127\.0\.0\.1:\d+ says no action" .*rspamd_score=0\.5 rspamd_required_score=15 /,
      );
    },
  },
  refusal(
    "reject",
    REJECT,
    REJECTED,
    /verdict=reject .*rspamd_score=20\.5 .*rspamd_symbols="?GTUBE\(20\.5\),LOW\(-1\)/,
  ),
  refusal(
    "reject, with a text",
    { ...REJECT, messages: { smtp_message: "Gtube\r\n250 pattern" } },
    "550 5.7.1 Gtube 250 pattern\r\n",
    /verdict=reject /,
  ),
  refusal("soft reject", { action: "soft reject" }, "451 4.7.1 Try again later\r\n", /verdict=defer /),
  refusal(
    "soft reject, with a text",
    { action: "soft reject", messages: { smtp_message: "Greylisted" } },
    "451 4.7.1 Greylisted\r\n",
    /verdict=defer /,
  ),
  refusal("discard", { action: "discard" }, "250 2.0.0 Ok: discarded\r\n", /message discarded /),
  refusal("quarantine, without a place for it", { action: "quarantine" }, REJECTED, /verdict=reject /),
  passage("no action, with changes of the header", { action: "no action", milter: CHANGES }, CHANGED),
  passage("greylist passes", { action: "greylist", milter: CHANGES }, CHANGED),
  passage("add header", { action: "add header", milter: { remove_headers: { "X-Rspamd": 0 } } }, [
    "Received: here",
    "Subject: hello",
    "X-Gone: 1",
    "X-Gone: 2",
    "X-Spam: Yes",
  ]),
  passage(
    "rewrite subject",
    {
      action: "rewrite subject",
      subject: "=?UTF-8?Q?***?= hello",
      milter: { remove_headers: { "X-Rspamd": 0, "X-Gone": 0 }, add_headers: { "X-A": "b" } },
      "dkim-signature": "v=1;\n\tb=c",
    },
    ["Received: here", "DKIM-Signature: v=1;", "\tb=c", "Subject: =?UTF-8?Q?***?= hello", "X-Spam: no", "X-A: b"],
  ),
  {
    name: "a large message passes whole, with another header",
    play: async (talk) => {
      const client = await talk.open();
      const mark = answered({ action: "add header" });
      assert.equal((await deliver(client, `${mark}\r\n${LARGE}`)).code, 250);
      const expected = `${mark}\r\nSubject: large\r\nX-Spam: Yes\r\n${LARGE.slice(LARGE.indexOf("\r\n") + 2)}`;
      assert.ok(talk.downstream.messages[0]?.text === expected, "it came otherwise");
    },
  },
  clientLeaves(() => first),
]);

table("Several --rspamd", { options: () => [`--rspamd=${first.address}`, `--rspamd=${second.address}`] }, [
  faulty(() => first, { at: "reply", does: "nonsense", says: "HTTP/1.1 500 Oops\r\n\r\n" }, {
    name: "the second one answers where the first one fails",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, mailFor(REJECT))).raw, REJECTED);
      talk.nothingPassed();
      await talk.logged(/rspamd at 127\.0\.0\.1:\d+ answered, because 127\.0\.0\.1:\d+ answered with HTTP status 500/);
    },
  }),
]);

table("A --rspamd that keeps its connections", {
  options: () => [`--rspamd=${keeping.address}`],
}, [{
  name: "holds up no process, and serves the next message on the same one",
  play: async (talk) => {
    const before = keeping.connections;
    const client = await talk.open();
    assert.equal((await deliver(client)).code, 250);
    assert.equal((await deliver(client, mailFor(REJECT))).raw, REJECTED);
    assert.equal(keeping.connections, before + 1);
    await client.expect(221, "QUIT");
    if (talk.mode === "spawn") {
      assert.equal(await talk.exitStatus(), 0);
      await until(() => keeping.open === 0, "the end of the connection");
    }
  },
}]);

/** Makes a quarantine that outlives the case. */
function withQuarantine(dir: string): string[] {
  Deno.mkdirSync(`${dir}/rules/quarantine`, { recursive: true });
  return [`--rspamd=${first.address}`, `--quarantine=${dir}/rules/quarantine`];
}

table("--rspamd and --quarantine", { options: withQuarantine }, [
  {
    name: "what rspamd wants in quarantine is there, and was not delivered",
    play: async (talk) => {
      const client = await talk.open();
      const message = mailFor({ action: "quarantine", messages: { smtp_message: "for strangers" } });
      assert.equal((await deliver(client, message)).code, 250);
      talk.nothingPassed();
      const names = Array.from(Deno.readDirSync(`${talk.dir}/rules/quarantine`), ({ name }) => name);
      const [copy] = names.filter((name) => name.endsWith(".eml"));
      assert.equal(names.length, 2);
      assert.equal(Deno.readTextFileSync(`${talk.dir}/rules/quarantine/${copy}`), message.replaceAll("\r\n", "\n"));
    },
  },
]);

/** Writes the file with a password that is named in the options. */
function withPassword(text: string): (dir: string) => string[] {
  return (dir) => {
    Deno.mkdirSync(`${dir}/rules`, { recursive: true });
    Deno.writeTextFileSync(`${dir}/rules/password`, text);
    return [`--rspamd=${first.address}`, `--rspamd-password-file=${dir}/rules/password`, "-vv"];
  };
}

table("--rspamd-password-file", { options: withPassword("\ufeff s3cret-\u00e4 \r\nanother line\n") }, [
  {
    name: "rspamd hears the password, and nobody else does",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, mailFor(REJECT))).raw, REJECTED);
      assert.ok(fieldsOf(first.questions.at(-1)!).includes("Password: s3cret-\u00e4"));
      first.fault = { at: "reply", does: "nonsense", says: "HTTP/1.1 401 Unauthorized\r\n\r\n" };
      assert.equal((await deliver(client)).code, 250);
      first.isHealthy();
      await talk.logged(/answered with HTTP status 401/);
      assert.ok(!talk.log.includes("s3cret"), talk.log);
    },
  },
]);

Deno.test("Wrong options of rspamd are refused at start, with what would be right", async () => {
  const dir = await Deno.makeTempDir();
  for (
    const [name, text] of [["empty", ""], ["blank", " \nsecond line\n"], ["control", "a\tb\n"], [
      "long",
      "x".repeat(1001),
    ]]
  ) {
    await Deno.writeTextFile(`${dir}/${name}`, text!);
  }
  const asked = "--rspamd=127.0.0.1:11333";
  for (
    const [words, wanted, complaint] of [
      [["--rspamd=127.0.0.1"], 64, '"127.0.0.1" has no port'],
      [["--rspamd="], 64, '"" names no host'],
      [["--rspamd=http://127.0.0.1:11333"], 64, "is no server address"],
      [[`--rspamd-password-file=${dir}/empty`], 64, "give --rspamd=ADDRESS too"],
      [[asked, "--rspamd-password-file="], 64, '"" names no file'],
      [
        [asked, `--rspamd-password-file=${dir}/empty`],
        64,
        "has no password: give a file with the password on its first line",
      ],
      [[asked, `--rspamd-password-file=${dir}/blank`], 64, "has no password"],
      [[asked, `--rspamd-password-file=${dir}/control`], 64, "control characters"],
      [[asked, `--rspamd-password-file=${dir}/long`], 64, "more than 1000 characters"],
      [[asked, `--rspamd-password-file=${dir}/none`], 75, "give a file that can be read"],
      [[asked, `--rspamd-password-file=${dir}`], 75, "give a file that can be read"],
    ] as const
  ) {
    const { status, stdout, stderr } = await runProgram(["--log=/dev/null", "127.0.0.1:1", ...words]);
    assert.equal(status, wanted, `${words}: ${stderr}`);
    assert.equal(stdout, "");
    assert.match(stderr, /^postprox: option --[^\n]+\n$/);
    assert.ok(stderr.includes(complaint), `${show(stderr)} does not say ${complaint}`);
  }
});
