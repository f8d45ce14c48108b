// The filter command's environment, its two files, its descriptors.

import assert from "node:assert/strict";
import { programWords } from "../e2e/program.ts";
import { Spawner } from "../e2e/start.ts";
import { show, utf8 } from "../rig/octets.ts";
import { Server } from "../rig/server.ts";
import { type Case, CONTENT, deliver, RECIPIENT, SENDER, table, type Talk } from "./rig.ts";

/** Writes the whole environment to `$D/env`, NUL after each variable. */
const DUMP = 'env -0 > "$D/env.tmp"; mv "$D/env.tmp" "$D/env"';

async function environment(talk: Talk): Promise<Record<string, string>> {
  const text = await talk.file("env");
  return Object.fromEntries(
    text.split("\0").filter((entry) => entry.includes("=")).map((entry) => {
      const at = entry.indexOf("=");
      return [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}

/** MAIL lines, and what SENDER is then. */
const SENDERS: readonly (readonly [string, string])[] = [
  ["MAIL FROM:<sender@example.org>", "sender@example.org"],
  ["mail from:<sender@example.org>", "sender@example.org"],
  ["MAIL FROM: <sender@example.org>", "sender@example.org"],
  ["MAIL  FROM:<sender@example.org>", "sender@example.org"],
  [" MAIL FROM:<sender@example.org> ", "sender@example.org"],
  ["MAIL FROM:sender@example.org", "sender@example.org"],
  ["MAIL FROM:<Sender@EXAMPLE.org>", "Sender@EXAMPLE.org"],
  ["MAIL FROM:<>", "<>"],
  ["mail from: <>", "<>"],
  ["MAIL FROM:<> BODY=8BITMIME", "<>"],
  ["MAIL FROM:<> SIZE=100 RET=HDRS", "<>"],
  ["MAIL FROM:<sender@example.org> SIZE=100 BODY=8BITMIME", "sender@example.org"],
  ["MAIL FROM:<sender@example.org> AUTH=<> ENVID=<x@y>", "sender@example.org"],
  ["MAIL FROM:<postmaster>", "postmaster"],
  ["MAIL FROM:<a+tag=x/y@example.org>", "a+tag=x/y@example.org"],
  ["MAIL FROM:<sender@[192.0.2.1]>", "sender@[192.0.2.1]"],
  ['MAIL FROM:<"two words"@example.org>', '"two words"@example.org'],
  ['MAIL FROM:<"a>b"@example.org>', '"a>b"@example.org'],
  ['MAIL FROM:<"a\\"b"@example.org>', '"a\\"b"@example.org'],
  // Hostile text is text.
  ["MAIL FROM:<$(touch${IFS}x)@example.org>", "$(touch${IFS}x)@example.org"],
  ["MAIL FROM:<`id`@example.org>", "`id`@example.org"],
  ["MAIL FROM:<a;reboot;@example.org>", "a;reboot;@example.org"],
  ["MAIL FROM:<a|b&c@example.org>", "a|b&c@example.org"],
  ["MAIL FROM:<'a'@example.org>", "'a'@example.org"],
  ["MAIL FROM:<a\\nb@example.org>", "a\\nb@example.org"],
  ["MAIL FROM:<*?[a]@example.org>", "*?[a]@example.org"],
  ["MAIL FROM:<-rf@example.org>", "-rf@example.org"],
  ["MAIL FROM:<%s%n@example.org>", "%s%n@example.org"],
  [`MAIL FROM:<${utf8("jürgen@exämple.org")}> SMTPUTF8`, utf8("jürgen@exämple.org")],
  // No addresses, but a lenient server accepts them.
  ['MAIL FROM:<a"b@example.org> SIZE=5', 'a"b@example.org'],
  ["MAIL FROM:<a>b@example.org>", "a>b@example.org"],
  ["MAIL FROM:<a@example.org", "<a@example.org"],
  // Cut to 99 characters.
  [`MAIL FROM:<${"s".repeat(99)}>`, "s".repeat(99)],
  [`MAIL FROM:<${"s".repeat(100)}>`, "s".repeat(99)],
  [`MAIL FROM:<${"s".repeat(300)}@example.org>`, "s".repeat(99)],
];

table("SENDER", { filter: true, shared: true }, [
  ...SENDERS.map(([line, expected]): Case => ({
    name: show(line, 70),
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, line);
      await client.expect(250, `RCPT TO:<${RECIPIENT}>`);
      await client.expect(354, "DATA");
      await client.say("body\r\n.\r\n");
      await client.expect(250);
      assert.equal((await environment(talk))["SENDER"], expected);
    },
  })),
]);

const RECIPIENTS: readonly (readonly [string, string])[] = [
  ["RCPT TO:<recipient@example.net>", "recipient@example.net"],
  ["rcpt to:<Recipient@Example.NET>", "Recipient@Example.NET"],
  ["RCPT TO: <recipient@example.net>", "recipient@example.net"],
  ["RCPT TO:recipient@example.net", "recipient@example.net"],
  ["RCPT TO:<recipient@example.net> NOTIFY=NEVER ORCPT=rfc822;other@example.net", "recipient@example.net"],
  ["RCPT TO:<postmaster>", "postmaster"],
  ['RCPT TO:<"two words"@example.net>', '"two words"@example.net'],
  ["RCPT TO:<$(id)@example.net>", "$(id)@example.net"],
  [`RCPT TO:<${"r".repeat(99)}>`, "r".repeat(99)],
  [`RCPT TO:<${"r".repeat(120)}@example.net>`, "r".repeat(99)],
];

table("RECIPIENT", { filter: true, shared: true }, [
  ...RECIPIENTS.map(([line, expected]): Case => ({
    name: show(line, 70),
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, `MAIL FROM:<${SENDER}>`);
      await client.expect(250, line);
      await client.expect(354, "DATA");
      await client.say("body\r\n.\r\n");
      await client.expect(250);
      const env = await environment(talk);
      assert.equal(env["RECIPIENT"], expected);
      assert.equal(env["RECIPIENTCOUNT"], "1");
    },
  })),
  {
    name: "the first of several; RECIPIENTS has them all, in order",
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client, CONTENT, { to: ["c@example.net", "a@example.net", "b@example.net"] });
      const env = await environment(talk);
      assert.equal(env["RECIPIENT"], "c@example.net");
      assert.equal(env["RECIPIENTS"], "c@example.net,a@example.net,b@example.net");
      assert.equal(env["RECIPIENTCOUNT"], "3");
    },
  },
  {
    name: "RECIPIENTS longer than 99 characters, not longer than 500 bytes: whole",
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      const to = Array.from({ length: 20 }, (_, i) => `recipient${i}@example.net`);
      await deliver(client, CONTENT, { to });
      assert.equal((await environment(talk))["RECIPIENTS"], to.join(","));
    },
  },
  {
    name: "RECIPIENTS of exactly 500 bytes: whole",
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      const to = [...Array.from({ length: 9 }, (_, i) => `${i}${"r".repeat(49)}`), "x".repeat(41)];
      assert.equal(to.join(",").length, 500);
      await deliver(client, CONTENT, { to });
      assert.equal((await environment(talk))["RECIPIENTS"], to.join(","));
    },
  },
  ...[501, 502, 503, 504, 5000].map((length): Case => ({
    name: `RECIPIENTS of ${length} bytes: cut to 500, ending in ...`,
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      const to: string[] = [];
      for (let left = length; left > 0;) {
        const size = left > 101 ? 50 : left > 51 ? Math.floor(left / 2) : left;
        to.push(`${to.length}`.padEnd(size, "r"));
        left -= size + 1;
      }
      assert.equal(to.join(",").length, length);
      await deliver(client, CONTENT, { to });
      const env = await environment(talk);
      const value = env["RECIPIENTS"]!;
      assert.ok(value.length <= 500, `${value.length} bytes`);
      assert.ok(value.endsWith("..."), value.slice(-20));
      assert.ok(to.join(",").startsWith(value.slice(0, -3)), value);
      assert.ok(value.length > 400, `${value.length} bytes`);
      assert.equal(env["RECIPIENTCOUNT"], String(to.length));
    },
  })),
]);

/** A path as long as a command line may be. */
const LONGEST = `${"s".repeat(1900)}@example.org`;

table("REMOTENAME, QUEUEID, SESSIONID, SENDERADDRESS and RECIPIENTSFILE", {
  filter: true,
  env: { REMOTENAME: "stale", QUEUEID: "stale", SESSIONID: "stale", SENDERADDRESS: "stale", RECIPIENTSFILE: "/stale" },
  options: () => ["-v"],
}, [
  {
    name: "are what is known of the message, and of no other",
    filter: `${DUMP}; cat "$RECIPIENTSFILE" >"$D/recipients"`,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD NAME=mx.example ADDR=192.0.2.1 IDENT=4xYz+2D1");
      const to = ["b@example.net", "c@example.net"];
      await deliver(client, CONTENT, { from: LONGEST, to });
      const env = await environment(talk);
      assert.equal(env["REMOTENAME"], "mx.example");
      assert.equal(env["QUEUEID"], "4xYz-1");
      assert.equal(env["SENDERADDRESS"], LONGEST);
      assert.equal(env["SENDER"], LONGEST.slice(0, 99));
      assert.equal(await talk.file("recipients"), "b@example.net\nc@example.net\n");
      await talk.logged(new RegExp(`: ${env["SESSIONID"]}: message `));
      assert.match(env["SESSIONID"]!, /^[0-9a-f]{10}$/);
      assert.throws(() => Deno.lstatSync(env["RECIPIENTSFILE"]!), Deno.errors.NotFound);
      Deno.removeSync(`${talk.dir}/env`);
      await deliver(client, CONTENT, { from: "" });
      const next = await environment(talk);
      assert.deepEqual([next["REMOTENAME"], next["QUEUEID"], next["SENDERADDRESS"]], ["", "", "<>"]);
      assert.equal(next["SESSIONID"], env["SESSIONID"]);
    },
  },
  {
    name: "what the client in front does not know is blank",
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.1 IDENT=[UNAVAILABLE]");
      await deliver(client);
      const env = await environment(talk);
      assert.deepEqual([env["REMOTENAME"], env["QUEUEID"], env["REMOTEIP"]], ["", "", "192.0.2.1"]);
    },
  },
  {
    name: "the file is private, in the directory of -d, and may be removed",
    filter: 'stat -c "%a %F %h" "$RECIPIENTSFILE" >"$D/mode.tmp"; dirname "$RECIPIENTSFILE" >>"$D/mode.tmp"; ' +
      'rm "$RECIPIENTSFILE"; mv "$D/mode.tmp" "$D/mode"',
    play: async (talk) => {
      assert.equal((await deliver(await talk.open())).code, 250);
      assert.equal(await talk.file("mode"), `600 regular file 1\n${talk.spool}\n`);
    },
  },
  {
    name: "20,000 recipients are all there",
    filter: 'cp "$RECIPIENTSFILE" "$D/recipients"',
    play: async (talk) => {
      const client = await talk.open();
      const to = Array.from({ length: 20_000 }, (_, at) => `recipient${at}@example.net`);
      await client.expect(250, "MAIL FROM:<a@example.org>");
      for (let at = 0; at < to.length; at += 500) {
        await client.say(to.slice(at, at + 500).map((one) => `RCPT TO:<${one}>\r\n`).join(""));
        for (let reply = 0; reply < 500; reply++) await client.expect(250);
      }
      await client.expect(354, "DATA");
      await client.say(`${CONTENT}.\r\n`);
      await client.expect(250);
      assert.ok(await talk.file("recipients") === to.map((one) => `${one}\n`).join(""));
    },
  },
]);

table("The environment", {
  filter: true,
  env: {
    POSTPROX_TEST_MARK: "inherited $HOME `id`",
    SENDER: "stale@example.org",
    RECIPIENT: "stale@example.org",
    REMOTEIP: "203.0.113.9",
    HELO: "stale.example",
    EMAIL: "/stale",
    OUTFILE: "/stale",
  },
}, [
  {
    name: "is inherited, and the proxy's own values are in place of inherited ones",
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client);
      const env = await environment(talk);
      assert.equal(env["POSTPROX_TEST_MARK"], "inherited $HOME `id`");
      assert.ok(env["PATH"]);
      assert.equal(env["SENDER"], SENDER);
      assert.equal(env["RECIPIENT"], RECIPIENT);
      assert.equal(env["REMOTEIP"], "");
      assert.equal(env["HELO"], "");
      assert.ok(env["EMAIL"]?.startsWith(`${talk.spool}/`), env["EMAIL"]);
      assert.ok(env["OUTFILE"]?.startsWith(`${talk.spool}/`), env["OUTFILE"]);
      assert.notEqual(env["EMAIL"], env["OUTFILE"]);
    },
  },
  {
    name: "an address that is not UTF-8 does no harm",
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<\xff\xfe\x80@example.org>");
      await client.expect(250, "RCPT TO:<\xe4@example.net>");
      await client.expect(354, "DATA");
      await client.say("body\r\n.\r\n");
      await client.expect(250);
      talk.passed("body\r\n");
      assert.match((await environment(talk))["SENDER"]!, /@example\.org$/);
    },
  },
  {
    name: "standard input is /dev/null, standard output goes nowhere",
    filter: 'readlink /proc/self/fd/0 > "$D/stdin"; cat > "$D/read"; echo 250 from the filter; echo 550 no',
    play: async (talk) => {
      const client = await talk.open();
      assert.match((await deliver(client)).raw, /4711/);
      assert.equal((await talk.file("stdin")).trim(), "/dev/null");
      assert.equal(Deno.readTextFileSync(`${talk.dir}/read`), "");
      assert.equal(client.unheard, "");
    },
  },
  {
    name: "no descriptor but standard error leads anywhere: no socket of the proxy is open in the filter",
    filter: 'ls -l /proc/self/fd > "$D/fds.tmp"; mv "$D/fds.tmp" "$D/fds"',
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client);
      const open = (await talk.file("fds")).split("\n").filter((line) => line.includes("->") && !/ 2 -> /.test(line));
      assert.deepEqual(open.filter((line) => line.includes("socket:")), []);
      assert.deepEqual(open.filter((line) => line.includes(talk.downstream.operand)), []);
    },
  },
]);

table("The filter's process", { filter: true }, [
  {
    name: "has the default action for SIGPIPE, as a shell script expects",
    filter: 'grep SigIgn /proc/self/status > "$D/signals.tmp"; mv "$D/signals.tmp" "$D/signals"',
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client);
      const ignored = BigInt(`0x${/SigIgn:\s+([0-9a-f]+)/.exec(await talk.file("signals"))![1]}`);
      assert.equal(ignored & (1n << 12n), 0n);
    },
  },
  {
    name: "has no signal blocked",
    filter: 'grep SigBlk /proc/self/status > "$D/signals.tmp"; mv "$D/signals.tmp" "$D/signals"',
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client);
      assert.match(await talk.file("signals"), /SigBlk:\s+0+\n/);
    },
  },
]);

/** The client's text between DATA and the dot, and the content of EMAIL. */
const FILES: readonly (readonly [string, string, string])[] = [
  ["CRLF becomes LF", "Subject: x\r\n\r\nbody\r\n", "Subject: x\n\nbody\n"],
  ["dot-stuffing is undone", "..\r\n..two\r\n...\r\n", ".\n.two\n..\n"],
  ["empty lines at the end stay", "x\r\n\r\n\r\n", "x\n\n\n"],
  ["8-bit bytes", "\x80\xff\xfe\r\n", "\x80\xff\xfe\n"],
  ["NUL", "a\0b\r\n", "a\0b\n"],
  ["a bare LF", "a\nb\r\n", "a\nb\n"],
  ["a long line", `${"x".repeat(300_000)}\r\n`, `${"x".repeat(300_000)}\n`],
  ["a From line", "From x\r\n>From y\r\n", "From x\n>From y\n"],
];

table("EMAIL and OUTFILE", { filter: true, shared: true }, [
  ...FILES.map(([name, content, expected]): Case => ({
    name: `EMAIL: ${name}`,
    filter: 'cp "$EMAIL" "$D/email"',
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, content)).code, 250);
      assert.equal(show(await talk.file("email")), show(expected));
    },
  })),
  {
    name: "an empty message is an empty file",
    filter: '[ -f "$EMAIL" ] && [ ! -s "$EMAIL" ] && echo empty > "$D/email"',
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, "")).code, 250);
      assert.equal(await talk.file("email"), "empty\n");
      talk.passed("");
    },
  },
  {
    name: "EMAIL is a file of mode 0600 in the directory of -d",
    filter: 'stat -c "%a %F" "$EMAIL" > "$D/mode.tmp"; dirname "$EMAIL" >> "$D/mode.tmp"; mv "$D/mode.tmp" "$D/mode"',
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client);
      const [mode, dir] = (await talk.file("mode")).split("\n");
      assert.equal(mode, "600 regular file");
      assert.ok(dir === talk.spool || dir!.startsWith(`${talk.spool}/`), dir);
    },
  },
  {
    name: "OUTFILE is there, a file, empty, and private",
    filter: 'stat -c "%a %s %F" "$OUTFILE" > "$D/mode.tmp"; mv "$D/mode.tmp" "$D/mode"',
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client);
      assert.equal(await talk.file("mode"), "600 0 regular empty file\n");
    },
  },
  {
    name: "all are gone after the message",
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client);
      const env = await environment(talk);
      for (const name of ["EMAIL", "OUTFILE", "RECIPIENTSFILE"]) {
        assert.throws(() => Deno.lstatSync(env[name]!), Deno.errors.NotFound, name);
      }
    },
  },
  {
    name: "nobody else's files: two messages have two names",
    filter: 'echo "$EMAIL" >> "$D/names"',
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client);
      await deliver(client);
      const names = (await talk.file("names")).trim().split("\n");
      assert.equal(names.length, 2);
    },
  },
]);

Deno.test("EMAIL, OUTFILE and RECIPIENTSFILE are private under any umask", async () => {
  const fake = await Server.start();
  const spawner = await Spawner.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  try {
    const words = ["sh", "-c", 'umask 0; exec "$@"', "sh", ...programWords()];
    const filter = 'echo 550 $(stat -c %a "$EMAIL" "$OUTFILE" "$RECIPIENTSFILE") >&2; exit 1';
    await spawner.useCommand([...words, fake.operand, "-d", dir, "--log=/dev/null", "-c", filter]);
    const { client } = await spawner.connect();
    await client.expect(220);
    assert.equal((await deliver(client)).raw, "550 600 600 600\r\n");
    client.close();
  } finally {
    await spawner.stop();
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});
