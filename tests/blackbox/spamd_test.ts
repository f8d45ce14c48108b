// --spamd from outside, with fake ones: the header that spamd makes, --spamd-reject, two scanners on one message, and wrong
// options. Its faults are in scanner_faults_test.ts.

import assert from "node:assert/strict";
import { runProgram } from "../e2e/start.ts";
import { RSPAMD } from "../fakes/rspamd.ts";
import { FakeScanner } from "../fakes/scanner.ts";
import { SPAMD } from "../fakes/spamd.ts";
import { show } from "../rig/octets.ts";
import { until } from "../rig/wait.ts";
import { CONTENT, deliver, expectUsable, table } from "./rig.ts";
import { clientLeaves, faulty } from "./scanner_faults.ts";

const SPAM = "X-Score: 7.5\r\nSubject: hello\r\n\r\nX-Score: body\r\n";
const MARKED = `X-Spam-Flag: YES\r\nX-Spam-Status: Yes, score=7.5\r\n\ttests=A\r\n${SPAM}`;
const REJECTED = "550 5.7.1 Spam message rejected\r\n";

const SPAM_TO_BOTH = `X-Rspamd: {"action":"add header"}\r\n${SPAM}`;
const MARKED_BY_BOTH = MARKED.replace(SPAM, SPAM_TO_BOTH).replace("\r\n\r\n", "\r\nX-Spam: Yes\r\n\r\n");

/** More than what the program keeps in memory, and than what sockets take at once. */
const LARGE = `Subject: large\r\n\r\n${"A line of a large message.\r\n".repeat(200_000)}`;

let first: FakeScanner;
let second: FakeScanner;
let rspamd: FakeScanner;

Deno.test.beforeAll(async () => {
  first = await FakeScanner.start(SPAMD);
  second = await FakeScanner.start(SPAMD);
  rspamd = await FakeScanner.start(RSPAMD);
});

Deno.test.afterAll(async () => {
  for (const server of [first, second, rspamd]) await server.stop();
});

table("--spamd", { options: () => [`--spamd=${first.address}`, "-v"] }, [
  {
    name: "a message passes with the header that spamd made of it",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).code, 250);
      talk.passed(`X-Spam-Status: No, score=0.1\r\n\ttests=A\r\n${CONTENT}`);
      await talk.logged(
        /message verdict=pass reason="spamd at 127\.0\.0\.1:\d+ gives it a score of 0\.1" .*spamd_score=0\.1 spamd_required_score=5 /,
      );
    },
  },
  {
    name: "spam passes too, marked",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, SPAM)).code, 250);
      talk.passed(MARKED);
    },
  },
  {
    name: "a large message passes whole, with another header",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, LARGE)).code, 250);
      assert.ok(talk.downstream.messages[0]?.text === `X-Spam-Status: No, score=0.1\r\n\ttests=A\r\n${LARGE}`);
    },
  },
  clientLeaves(() => first),
]);

table("--spamd-reject", { options: () => [`--spamd=${first.address}`, "--spamd-reject=7.5", "-v"] }, [
  {
    name: "a score of that or more is refused",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, SPAM)).raw, REJECTED);
      talk.nothingPassed();
      await talk.logged(/message verdict=reject .*spamd_score=7\.5 /);
      await expectUsable(client);
    },
  },
  {
    name: "a lower score is not",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, SPAM.replace("7.5", "7.4"))).code, 250);
      talk.passed(MARKED.replaceAll("7.5", "7.4"));
    },
  },
]);

table("--rspamd and --spamd", { options: () => [`--rspamd=${rspamd.address}`, `--spamd=${first.address}`] }, [
  {
    name: "what both want in the header is there",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, SPAM_TO_BOTH)).code, 250);
      talk.passed(MARKED_BY_BOTH);
    },
  },
  {
    name: "each is asked while the other still thinks",
    play: async (talk) => {
      const servers = [rspamd, first];
      const asked = servers.map(({ questions }) => questions.length);
      const areAsked = () => servers.every(({ questions }, at) => questions.length > asked[at]!);
      for (const server of servers) server.patience = () => until(areAsked, "the question to the other scanner");
      try {
        const client = await talk.open();
        assert.equal((await deliver(client, SPAM_TO_BOTH)).code, 250);
        talk.passed(MARKED_BY_BOTH);
      } finally {
        for (const server of servers) server.patience = undefined;
      }
    },
  },
  faulty(() => first, { at: "reply", does: "silent" }, {
    name: "a refusal of one does not wait for the other",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, `X-Rspamd: {"action":"reject"}\r\n${SPAM}`)).raw, REJECTED);
      await until(() => first.open === 0, "the end of the connection to spamd");
      talk.nothingPassed();
    },
  }),
]);

table("Several --spamd", { options: () => [`--spamd=${first.address}`, `--spamd=${second.address}`] }, [
  faulty(() => first, { at: "reply", does: "nonsense", says: "SPAMD/1.1 69 EX_UNAVAILABLE\r\n\r\n" }, {
    name: "the second one answers where the first one fails",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, SPAM)).code, 250);
      talk.passed(MARKED);
      await talk.logged(/spamd at 127\.0\.0\.1:\d+ answered, because 127\.0\.0\.1:\d+ answered 69 EX_UNAVAILABLE/);
    },
  }),
]);

Deno.test("Wrong options of spamd are refused at start, with what would be right", async () => {
  const asked = "--spamd=127.0.0.1:783";
  for (
    const [words, complaint] of [
      [["--spamd=127.0.0.1"], '"127.0.0.1" has no port'],
      [["--spamd=unix:"], '"unix:" has no path'],
      [["--spamd-reject=15"], "give --spamd=ADDRESS too"],
      [
        [asked, "--spamd-reject="],
        '"" is no score: give a number of 6 digits and 3 decimals at most, such as 15 or 7.5',
      ],
      [[asked, "--spamd-reject=high"], '"high" is no score'],
      [[asked, "--spamd-reject=1,5"], '"1,5" is no score'],
    ] as const
  ) {
    const { status, stdout, stderr } = await runProgram(["--log=/dev/null", "127.0.0.1:1", ...words]);
    assert.equal(status, 64, `${words}: ${stderr}`);
    assert.equal(stdout, "");
    assert.match(stderr, /^postprox: option --[^\n]+\n$/);
    assert.ok(stderr.includes(complaint), `${show(stderr)} does not say ${complaint}`);
  }
});
