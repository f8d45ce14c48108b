// The rules file, the tar pit and --defer-rcpt-refusals, from outside. XFORWARD names the client of a rule, which needs
// no DNS. In listen mode without XFORWARD the client is 127.0.0.1.

import assert from "node:assert/strict";
import { kill, runProgram, Spawner } from "../e2e/start.ts";
import { show } from "../rig/octets.ts";
import { within } from "../rig/wait.ts";
import { type Case, CONTENT, deliver, expectUsable, startMessage, table, type Talk } from "./rig.ts";

const RULES = `# Each line has a recipient of its own.
noto:192.0.2.0/24 EXCEPT 192.0.2.7:ALL:net@*:550 5.7.1 %I may not write to %T
noto:[2001:db8::]/32:ALL:net@*:550 5.7.1 not %I
noto:*.dial.example:ALL:host@*:451 4.7.1 %H%C later
noto:UNKNOWN:ALL:known@*
noto:ALL:/^[0-9]+@/ <>:from@*:Not from %F
deny:ALL:ALL:deny@*:554 5.7.1 Go away
noto_delay:ALL:ALL:delay@*:550 Slowly
deny_delay:ALL:ALL:delaydeny@*:550 Slowly, and away
debug:ALL:ALL:debug@*
noto:ALL:ALL:debug@*:550 after debug
noto:127.0.0.1:ALL:peer@*:550 from here
allow-filter:ALL:ALL:ALL
`;

function withRules(text: string, ...words: readonly string[]): (dir: string) => readonly string[] {
  return (dir) => {
    Deno.writeTextFileSync(`${dir}/rules`, text);
    return [`--check-rules=${dir}/rules`, "--rules-delay=0.5", "-v", ...words];
  };
}

/** The reply to the RCPT, and whether downstream heard of it. */
interface Row {
  readonly xforward?: string;
  readonly from?: string;
  readonly to: string;
  readonly reply: RegExp;
}

const ROWS: readonly Row[] = [
  { xforward: "ADDR=192.0.2.1", to: "net@mx", reply: /^550 5\.7\.1 192\.0\.2\.1 may not write to <net@mx>\r\n$/ },
  { xforward: "ADDR=192.0.2.7", to: "net@mx", reply: /^250/ },
  { xforward: "ADDR=198.51.100.1", to: "net@mx", reply: /^250/ },
  { xforward: "ADDR=IPv6:2001:db8::1", to: "NET@MX", reply: /^550 5\.7\.1 not 2001:db8::1\r\n$/ },
  { xforward: "NAME=A.Dial.example ADDR=192.0.2.9", to: "host@mx", reply: /^451 4\.7\.1 A\.Dial\.example: later\r\n$/ },
  { xforward: "NAME=mx.example ADDR=192.0.2.9", to: "host@mx", reply: /^250/ },
  {
    xforward: "NAME=[UNAVAILABLE] ADDR=192.0.2.9",
    to: "known@mx",
    reply: /^550 5\.7\.1 Mail from <a@b> to <known@mx> is not accepted from UNKNOWN\[192\.0\.2\.9\]\r\n$/,
  },
  { xforward: "NAME=mx.example ADDR=192.0.2.9", to: "known@mx", reply: /^250/ },
  { from: "42@b", to: "from@mx", reply: /^550 Not from <42@b>\r\n$/ },
  { from: "", to: "from@mx", reply: /^550 Not from <>\r\n$/ },
  { to: "from@mx", reply: /^250/ },
  { to: "debug@mx", reply: /^550 after debug\r\n$/ },
  { to: "anybody@mx", reply: /^250/ },
];

async function startTransaction(talk: Talk, { xforward, from = "a@b" }: Partial<Row> = {}) {
  const client = await talk.open();
  if (xforward) await client.expect(250, `XFORWARD ${xforward}`);
  await client.expect(250, `MAIL FROM:<${from}>`);
  return client;
}

/** Tells a program in listen mode to read its files again, and waits until it has said what came of it. */
async function reload(talk: Talk, rules: string, outcome: RegExp): Promise<void> {
  Deno.writeTextFileSync(`${talk.dir}/rules`, rules);
  kill(talk.process.pid, "SIGHUP");
  await talk.logged(outcome);
}

table("A rules file at SIGHUP", { options: withRules(RULES), modes: ["listen"] }, [
  {
    name: "the sessions that begin then obey the new rules, those before it the old ones",
    play: async (talk) => {
      const before = await startTransaction(talk);
      await reload(talk, "noto:ALL:ALL:new@*:550 5.7.1 new rules\n", /info: reloaded/);
      await before.expect(250, "RCPT TO:<new@mx>");
      const after = await startTransaction(talk);
      assert.equal((await after.ask("RCPT TO:<new@mx>")).raw, "550 5.7.1 new rules\r\n");
      await after.expect(250, "RCPT TO:<from@mx>");
    },
  },
  {
    name: "a file with an error, or none, leaves the rules as they were",
    play: async (talk) => {
      await (await talk.open()).expect(221, "QUIT");
      await reload(talk, "noto:ALL:ALL:new@*:550 5.7.1 good rules\n", /info: reloaded/);
      await reload(talk, "noto:ALL:ALL\n", /not reloaded.*--check-rules.*rules:1: /);
      Deno.removeSync(`${talk.dir}/rules`);
      kill(talk.process.pid, "SIGHUP");
      await talk.logged(/not reloaded.*missing|not reloaded.*o such file/i);
      const client = await startTransaction(talk);
      assert.equal((await client.ask("RCPT TO:<new@mx>")).raw, "550 5.7.1 good rules\r\n");
    },
  },
]);

table("A rules file", { spawn: "first row", options: withRules(RULES) }, [
  ...ROWS.map((row) => ({
    name: JSON.stringify(row),
    play: async (talk: Talk) => {
      const client = await startTransaction(talk, row);
      const reply = await client.ask(`RCPT TO:<${row.to}>`);
      assert.match(reply.raw, row.reply);
      assert.equal(talk.downstream.verbs.includes("RCPT"), reply.code === 250);
      await client.expect(250, "RSET");
      await expectUsable(client);
      if (reply.code !== 250) await talk.logged(/recipient refused reason="rules: line [0-9]+ of [^"]*rules"/);
    },
  })),
  {
    name: "replies to pipelined commands come in order, and the message reaches those that are allowed",
    play: async (talk) => {
      const client = await talk.open();
      await client.say(
        "MAIL FROM:<1@b>\r\nRCPT TO:<from@mx>\r\nRCPT TO:<one@mx>\r\nRCPT TO:<from@mx>\r\nRCPT TO:<two@mx>\r\nDATA\r\n",
      );
      for (const code of [250, 550, 250, 550, 250, 354]) await client.expect(code);
      await client.say(`${CONTENT}.\r\n`);
      await client.expect(250);
      talk.passed(CONTENT);
      assert.ok(!talk.downstream.received.includes("from@mx"));
    },
  },
  {
    name: "with all recipients refused there is no DATA",
    play: async (talk) => {
      const client = await startTransaction(talk, { from: "1@b" });
      await client.expect(550, "RCPT TO:<from@mx>");
      await client.expect(554, "DATA");
      talk.nothingPassed();
    },
  },
  {
    name: "a recipient without a transaction is downstream's affair",
    play: async (talk) => {
      const client = await talk.open();
      await client.ask("RCPT TO:<deny@mx>");
      assert.ok(talk.downstream.verbs.includes("RCPT"));
    },
  },
  {
    name: "deny says its reply and hangs up",
    play: async (talk) => {
      const client = await startTransaction(talk);
      await client.say("RCPT TO:<deny@mx>\r\nRCPT TO:<more@mx>\r\nQUIT\r\n");
      assert.equal((await client.expect(554)).raw, "554 5.7.1 Go away\r\n");
      await client.expectEnd();
      assert.ok(!talk.downstream.verbs.includes("RCPT"));
    },
  },
  {
    name: "noto_delay and deny_delay wait first",
    play: async (talk) => {
      const client = await startTransaction(talk);
      for (const [to, text] of [["delay", "Slowly"], ["delaydeny", "Slowly, and away"]]) {
        const start = performance.now();
        assert.equal((await client.ask(`RCPT TO:<${to}@mx>`)).raw, `550 ${text}\r\n`);
        const took = performance.now() - start;
        assert.ok(took >= 450, `${took} ms`);
      }
      await client.expectEnd();
    },
  },
  {
    name: "debug logs, with what a stranger says made harmless",
    play: async (talk) => {
      const client = await startTransaction(talk, { from: "\xc2\x9b2J@b" });
      await client.expect(550, "RCPT TO:<debug@mx>");
      await talk.logged(/line 10 of \S+rules matches, going on: client \S+\[\S+\], from <[ -~]+> to <debug@mx>\n/);
    },
  },
  {
    name: "what is no address that a rule would know is refused, and downstream never hears of it",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(501, "MAIL FROM:<\x1b[2J@b>");
      await talk.logged(/sender refused reason="address: no valid mailbox" .*from=<\\x1b\[2J@b> /);
      await client.expect(250, "MAIL FROM:<a@b>");
      await client.expect(501, "RCPT TO:< from@mx>");
      assert.equal(talk.downstream.verbs.includes("RCPT"), false);
    },
  },
  {
    name: "no value makes a second line or a longer one",
    play: async (talk) => {
      const client = await startTransaction(talk, { from: `1${"2".repeat(1500)}@b` });
      const { raw } = await client.ask(`RCPT TO:<from@mx>`);
      assert.ok(!raw.startsWith("2") && raw.length <= 512 && raw.endsWith("\r\n"), show(raw));
      const other = await client.ask(`XFORWARD ADDR=192.0.2.1+0D+0A250`);
      assert.equal(other.code, 250);
      const reply = await client.ask("RCPT TO:<net@mx>");
      assert.match(reply.raw, /^[25]50 [^\r\n]*\r\n$/);
    },
  },
  {
    name: "where XFORWARD is offered and not used, the client is our own peer",
    modes: ["listen"],
    play: async (talk) => {
      const client = await startTransaction(talk);
      assert.equal((await client.ask("RCPT TO:<peer@mx>")).raw, "550 from here\r\n");
      assert.ok(!talk.log.includes("smtpd_authorized_xforward_hosts"));
    },
  },
]);

// CONTRACT, XFORWARD: a first rule that trusts this host must not let the world in.
table("Rules about a client that XFORWARD may not name", {
  spawn: "first row",
  filter: true,
  options: withRules(
    "allow:127.0.0.1 [::1] 127.* KNOWN localhost /./:ALL:ALL\nnoto:UNKNOWN:ALL:unknown@*:550 %H[%I]\nnoto:ALL:ALL:no@*:550 no\n",
  ),
}, [
  ...([
    ["none is offered", { EHLO: "250-fake.example\r\n250 SIZE" }, []],
    ["it is refused", { XFORWARD: "550 5.7.0 not you" }, ["XFORWARD NAME=localhost ADDR=127.0.0.1"]],
  ] as const).map(([name, script, commands]): Case => ({
    name: `${name}: neither address nor name match, the filter's REMOTEIP is blank, the log says why, once`,
    script,
    filter: 'echo "[$REMOTEIP]" > $D/seen; exit 0',
    play: async (talk) => {
      const client = await talk.open();
      for (const command of commands) await client.expect(550, command);
      await client.expect(250, "MAIL FROM:<a@b>");
      assert.equal((await client.ask("RCPT TO:<no@mx>")).raw, "550 no\r\n");
      assert.equal((await client.ask("RCPT TO:<unknown@mx>")).raw, "550 UNKNOWN[UNKNOWN]\r\n");
      await client.expect(250, "RCPT TO:<yes@mx>");
      await client.expect(354, "DATA");
      await client.say(".\r\n");
      await client.expect(250);
      assert.equal(await talk.file("seen"), "[]\n");
      await talk.logged(/client is not known/);
      assert.equal(talk.log.match(/warning: \S+: client is not known: .*smtpd_authorized_xforward_hosts/g)?.length, 1);
      await talk.logged(/message verdict=\S+ .*client=unknown /);
    },
  })),
]);

table("A rules file and a filter command", {
  filter: true,
  options: withRules("noto:ALL:ALL:no@*\nallow:ALL:ALL:ALL\n"),
}, [{
  name: "the filter sees the recipients that are allowed",
  filter: 'echo "$RECIPIENTS" > $D/seen; exit 0',
  play: async (talk) => {
    const client = await startTransaction(talk);
    for (const [to, code] of [["one", 250], ["no", 550], ["two", 250]] as const) {
      await client.expect(code, `RCPT TO:<${to}@mx>`);
    }
    await client.expect(354, "DATA");
    await client.say(".\r\n");
    await client.expect(250);
    assert.equal(await talk.file("seen"), "one@mx,two@mx\n");
  },
}]);

table("--defer-rcpt-refusals", {
  spawn: "first row",
  filter: true,
  options: withRules(
    "noto:ALL:ALL:no@*:550 5.7.1 no\nnoto:ALL:ALL:not@*:550 5.7.1 not\ndeny:ALL:ALL:deny@*:550 deny\n",
    "--defer-rcpt-refusals",
  ),
}, [
  {
    name: "all recipients are taken, the message is refused, and no filter sees it",
    filter: "touch $D/seen; exit 0",
    play: async (talk) => {
      const client = await talk.open();
      const reply = await deliver(client, CONTENT, { to: ["a@mx", "not@mx", "no@mx"] });
      assert.equal(reply.raw, "550 5.7.1 not\r\n");
      talk.nothingPassed();
      assert.equal(talk.downstream.verbs.filter((verb) => verb === "RCPT").length, 3);
      assert.ok(!talk.hasFile("seen"));
      await expectUsable(client);
    },
  },
  {
    name: "deny hangs up after the end of data",
    play: async (talk) => {
      const client = await talk.open();
      const reply = await deliver(client, CONTENT, { to: ["deny@mx"] });
      assert.equal(reply.raw, "550 deny\r\n");
      await client.expectEnd();
      talk.nothingPassed();
    },
  },
  {
    name: "it is forgotten with its transaction",
    play: async (talk) => {
      const client = await talk.open();
      await startMessageBut(client, "no@mx");
      assert.equal((await deliver(client)).code, 250);
      talk.passed(CONTENT);
    },
  },
  {
    name: "a recipient that downstream refuses is refused by that, and nobody else for it",
    script: { RCPT: (line) => line.includes("no@mx") ? "550 Nobody" : "250 Ok" },
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<a@b>");
      assert.equal((await client.ask("RCPT TO:<no@mx>")).raw, "550 Nobody\r\n");
      await client.expect(250, "RCPT TO:<a@mx>");
      await client.expect(354, "DATA");
      await client.say(".\r\n");
      await client.expect(250);
    },
  },
]);

async function startMessageBut(client: Awaited<ReturnType<Talk["open"]>>, to: string): Promise<void> {
  await client.expect(250, "MAIL FROM:<a@b>");
  await client.expect(250, `RCPT TO:<${to}>`);
  await client.expect(250, "RSET");
}

/** The files of a rules file that asks for content checks, and of these. */
function withContentChecks(dir: string): readonly string[] {
  const at = `${dir}/rules`;
  Deno.mkdirSync(at);
  const rules = [
    "noto:ALL:ALL:no@*:550 not here",
    "allow-filter:ALL:ALL:filter@*",
    "allow-extchk:ALL:ALL:extchk@*",
    "allow-extchk|allow-filter:ALL:ALL:both@*",
    "allow:ALL:ALL:none@*",
  ];
  Deno.writeTextFileSync(`${at}/check`, rules.join("\n"));
  Deno.writeTextFileSync(`${at}/filter`, "^Subject: .*spam\n");
  Deno.writeTextFileSync(`${at}/extchk`, '#!/bin/sh\ngrep -q virus "$2" && exit 1\nexit 0\n', { mode: 0o755 });
  return [`--check-rules=${at}/check`, `--filter-rules=${at}/filter`, `--extchk=${at}/extchk`];
}

/** Recipients, and what becomes of a message with spam, of one with a virus, and of one with both. */
const ASKED: readonly (readonly [to: string, spam: number, virus: number, both: number])[] = [
  ["none", 250, 250, 250],
  ["anybody", 250, 250, 250],
  ["filter", 550, 250, 550],
  ["extchk", 250, 552, 552],
  ["both", 550, 552, 550],
  // The strictest set runs for all.
  ["none filter", 550, 250, 550],
  ["filter extchk", 550, 552, 550],
  ["anybody none", 250, 250, 250],
];

table("Content checks that a rules file asks for", { spawn: "first row", options: withContentChecks }, [
  ...ASKED.map(([to, ...codes]) => ({
    name: `${to}: ${codes.join(", ")}`,
    play: async (talk: Talk) => {
      const client = await talk.open();
      const addresses = to.split(" ").map((name) => `${name}@mx`);
      for (const [at, words] of ["spam", "virus", "spam virus"].entries()) {
        const reply = await deliver(client, `Subject: ${words}\r\n\r\ntext\r\n`, { to: addresses });
        assert.equal(reply.code, codes[at], `${words}: ${reply.raw}`);
        assert.equal((await deliver(client, CONTENT, { to: addresses })).code, 250);
      }
    },
  })),
  {
    name: "a recipient that is refused asks for nothing",
    script: { RCPT: (line) => line.includes("both@") ? "550 Nobody" : "250 Ok" },
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<a@b>");
      for (const [to, code] of [["no", 550], ["both", 550], ["none", 250]] as const) {
        await client.expect(code, `RCPT TO:<${to}@mx>`);
      }
      await client.expect(354, "DATA");
      await client.say("Subject: spam\r\n\r\nvirus\r\n.\r\n");
      await client.expect(250);
    },
  },
]);

const TAR_PIT = ["--tarpit-after=2", "--tarpit-delay=0.4", "--tarpit-multiplier=2", "--tarpit-max=1"];

table("The tar pit", { options: () => TAR_PIT, together: true }, [
  {
    name: "each command after so many RCPT waits longer, up to the cap",
    play: async (talk) => {
      const client = await talk.open();
      const timed = async (what: () => Promise<unknown>): Promise<number> => {
        const start = performance.now();
        await what();
        return performance.now() - start;
      };
      await client.expect(250, "MAIL FROM:<a@b>");
      await client.expect(250, "RCPT TO:<1@mx>");
      await client.expect(250, "RCPT TO:<2@mx>");
      for (const least of [400, 800, 1000]) {
        const took = await timed(() => client.expect(250, "RCPT TO:<3@mx>"));
        assert.ok(took >= least - 20, `${took} ms for ${least}`);
      }
      assert.ok(await timed(() => client.expect(354, "DATA")) >= 980);
      await client.say(CONTENT.repeat(1000) + ".\r\n");
      await client.expect(250);
      await talk.logged(/tar pit: further commands of this session wait recipients=2 peer=127\.0\.0\.1 from=<a@b>/);
      assert.equal(talk.log.match(/tar pit/g)!.length, 1);
    },
  },
  {
    name: "a session that has few recipients knows nothing of it",
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say(".\r\n");
      await client.expect(250);
      await client.expect(221, "QUIT");
      assert.ok(!talk.log.includes("tar pit"));
    },
  },
  {
    name: "a client that leaves it is let go at once",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<a@b>");
      for (let count = 0; count < 4; count++) await client.expect(250, "RCPT TO:<1@mx>");
      await client.say("RCPT TO:<2@mx>\r\n");
      client.close();
    },
  },
]);

/** The mistake in a file, and the text on standard error after its name. */
const WRONG: readonly (readonly [text: string, complaint: string])[] = [
  ["allow:ALL:ALL:ALL\nfoo:ALL:ALL:ALL\n", `:2: action "foo" is not known: give allow, `],
  [
    "# only this\n\nallow:ALL:ALL\n",
    ":3: 3 of the 4 fields of a rule: a rule is one line, ACTION:SOURCES:FROMS:TOS[:XXX",
  ],
  ["noto:192.0.2.0/33:ALL:ALL\n", `:1: "192.0.2.0/33" is no network: give ADDRESS/BITS`],
  ["allow:TRUSTED:ALL:ALL\n", `:1: "TRUSTED" means a side of a firewall that is not here: give your own networks`],
  ["allow:ALL:ALL:*@a.example EXCEPT ALL\n", ":1: EXCEPT leaves nothing of TOS: "],
  ["noto:ALL:/(/:ALL\n", `:1: regular expression "(": `],
  ["noto:ALL:ALL:ALL:250 Ok\n", ":1: code 250 of the message refuses nothing: give one that begins with 4 or 5"],
];

Deno.test("A wrong rules file: one line with its name, line, reason and remedy, status 64", async (test) => {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  const file = `${dir}/rules`;
  try {
    for (const [text, complaint] of WRONG) {
      for (const mode of [[], ["-l", "127.0.0.1:1"], ["-l", "127.0.0.1:1", "--foreground"]]) {
        await test.step(`${complaint} ${mode.join(" ")}`, async () => {
          Deno.writeTextFileSync(file, text);
          const words = ["--log=/dev/null", "127.0.0.1:1", `--check-rules=${file}`, ...mode];
          const { status, stdout, stderr } = await runProgram(words);
          assert.equal(status, 64, stderr);
          assert.equal(stdout, "");
          assert.match(stderr, /^[^\n]+\n$/);
          assert.ok(stderr.startsWith(`postprox: option --check-rules: ${file}${complaint}`), stderr);
        });
      }
    }
    for (const missing of [`${dir}/none`, dir, ""]) {
      await test.step(`no such file: ${missing}`, async () => {
        const { status, stderr } = await runProgram(["--log=/dev/null", "127.0.0.1:1", `--check-rules=${missing}`]);
        assert.equal(status, missing === "" ? 64 : 75, stderr);
        assert.match(
          stderr,
          /^postprox: option --check-rules: [^\n]+: give (?:a file that can be read|the path of one)\n$/,
        );
        assert.ok(stderr.includes(missing), stderr);
      });
    }
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("A wrong rules file under spawn(8): 421 4.3.5 and nothing else", async () => {
  const spawner = await Spawner.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  try {
    Deno.writeTextFileSync(`${dir}/rules`, "foo\n");
    await spawner.use([`--log=${dir}/log`, "127.0.0.1:1", `--check-rules=${dir}/rules`]);
    const { client, process } = await spawner.connect();
    assert.equal((await client.hear()).raw, "421 4.3.5 Server configuration error\r\n");
    await client.expectEnd();
    client.close();
    assert.notEqual(await within(process.ended, () => "the end of the program"), 0);
    assert.ok(Deno.readTextFileSync(`${dir}/log`).includes(`${dir}/rules:1: 1 of the 4 fields`));
  } finally {
    await spawner.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("Wrong values of the tar pit", async (test) => {
  for (
    const [word, named] of [
      ["--tarpit-after=-1", /"-1" is no whole number: give one from 0 to/],
      ["--tarpit-after=1.5", /"1\.5" is no whole number/],
      ["--tarpit-delay=0", /"0" is no time limit/],
      ["--tarpit-multiplier=0.5", /"0\.5" is no factor: give a number from 1 to 9999, such as 1\.5/],
      ["--tarpit-multiplier=x", /"x" is no factor/],
      ["--tarpit-max=", /"" is no time limit/],
      ["--rules-delay=soon", /"soon" is no time limit/],
      ["--defer-rcpt-refusals=yes", /takes no value/],
    ] as const
  ) {
    await test.step(word, async () => {
      const { status, stderr } = await runProgram(["--log=/dev/null", "127.0.0.1:1", word]);
      assert.equal(status, 64, stderr);
      assert.match(stderr, named);
    });
  }
});
