// Transparency: a command reaches downstream byte for byte, and its reply comes back byte for byte.
//
// The exceptions are here, too. Command lines that no server should read (bare LF, bare CR, NUL, too long) get a 500
// from the proxy and never reach downstream. Extensions that are hidden from the client are in extensions_test.ts.

import assert from "node:assert/strict";
import type { Script } from "../rig/server.ts";
import { type Client } from "../rig/client.ts";
import { show, utf8 } from "../rig/octets.ts";
import { assertCode, type Case, expectUsable, table } from "./rig.ts";

const VERBS = ["HELO", "EHLO", "XFORWARD", "MAIL", "RCPT", "RSET", "NOOP", "VRFY", "*"];

/** Downstream gives this reply to any command. */
function always(reply: string): Script {
  return Object.fromEntries(VERBS.map((verb) => [verb, reply]));
}

const LINES: readonly string[] = [
  "NOOP",
  "noop",
  "NoOp",
  "NOOP with an argument",
  "NOOP  two  blanks ",
  " NOOP",
  "   NOOP",
  "\tNOOP",
  "NOOP\t",
  "NOOP ",
  "",
  " ",
  "\t \t",
  "VRFY postmaster",
  "vrfy <postmaster@example.org>",
  "EXPN list",
  "HELP",
  "help MAIL",
  "ETRN example.org",
  "ETRN #queue",
  "TURN",
  "SEND FROM:<a@example.org>",
  "SAML FROM:<a@example.org>",
  "SOML FROM:<a@example.org>",
  "FROBNICATE",
  "frobnicate Some  Args=1 <x> \"y\" 'z'",
  "X",
  "XADR foo",
  "XCLIENTS foo",
  "STARTTLSX",
  "BDATA 10",
  "BURLY",
  "DATAX",
  "DATA-",
  "GET / HTTP/1.1",
  "123 456",
  "250 ok",
  ".",
  "..",
  ". NOOP",
  "MAIL:",
  "MAIL",
  "MAIL FROM",
  "MAIL FROM:",
  "MAIL FROM:<sender@example.org>",
  "mail from:<Sender@Example.ORG>",
  "Mail From: <sender@example.org>",
  "MAIL  FROM:<sender@example.org>",
  "MAIL FROM:sender@example.org",
  "MAIL FROM:<>",
  "MAIL FROM:<sender@example.org> SIZE=1000 BODY=8BITMIME",
  "MAIL FROM:<sender@example.org>  SIZE=1000   body=8bitmime ",
  "MAIL FROM:<sender@example.org> RET=HDRS ENVID=QQ314159+2B",
  "MAIL FROM:<sender@example.org> AUTH=<>",
  "MAIL FROM:<sender@example.org> AUTH=e+3Dmc2@example.com",
  "MAIL FROM:<sender@example.org> REQUIRETLS",
  `MAIL FROM:<${utf8("jürgen@exämple.org")}> SMTPUTF8`,
  "MAIL FROM:<\xff\xfe@example.org>",
  'MAIL FROM:<"quoted string"@example.org>',
  'MAIL FROM:<"a\\"b>c"@example.org>',
  "MAIL FROM:<@relay.example,@other.example:user@example.org>",
  "MAIL FROM:<sender@[127.0.0.1]>",
  "MAIL FROM:<sender@[IPv6:::1]>",
  "MAIL FROM:<a@b> FOO=bar UNKNOWN",
  "RCPT TO:<recipient@example.net>",
  "rcpt to:<RECIPIENT@EXAMPLE.net>",
  "RCPT TO: recipient@example.net",
  "RCPT TO:<postmaster>",
  "RCPT TO:<r@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;r+2B@example.net",
  "RCPT TO:<r@example.net> NOTIFY=NEVER",
  "RCPT",
  "HELO client.example",
  "helo client.example",
  "HELO",
  "HELO [127.0.0.1]",
  "EHLO client.example",
  "ehlo [IPv6:::1]",
  "EHLO",
  "EHLO a b c",
  "RSET",
  "rset",
  "RSET now",
  "XFORWARD ADDR=192.0.2.1 NAME=spike.example",
  "xforward addr=192.0.2.1",
  "XFORWARD",
  "XFORWARD FOO=bar HELO=a+2Bb PROTO=ESMTP",
  "\x80\x81\xfe\xff",
  "NOOP \x01\x02\x1b[31m\x7f",
  `NOOP ${"x".repeat(505)}`,
  `NOOP ${"x".repeat(993)}`,
  `MAIL FROM:<sender@example.org> ENVID=${"e".repeat(900)}`,
];

/** A downstream server may answer so, and the client must hear it. */
const REPLIES: readonly string[] = [
  "250 ok",
  "250",
  "250 ",
  "250 2.0.0 with  two  blanks ",
  "200 ok",
  "211 system status",
  "214-help\r\n214-more help\r\n214 end of help",
  "250-first\r\n250 second",
  "250-\r\n250 ",
  "250-\r\n250-\r\n250",
  "251 user not local; will forward",
  "252 2.0.0 cannot verify",
  "299 unheard of",
  "250 " + "x".repeat(506),
  "250 " + "x".repeat(996),
  "250 tabs\tand \x80\xff bytes " + utf8("für alle"),
  "250-354 in a text\r\n250 421 in a text",
  Array.from({ length: 99 }, (_, i) => `250-line ${i}\r\n`).join("") + "250 the end",
  "450 4.2.0 later",
  "450-4.2.0 later\r\n450 4.2.0 and later",
  "451 4.3.0 broken",
  "452 4.3.1 full",
  "454 4.7.0 temporary",
  "499 unheard of",
  "500 5.5.2 syntax",
  "501 5.1.7 bad",
  "502 5.5.1 no",
  "503 5.5.1 order",
  "504 5.5.4 parameter",
  "521 does not accept mail",
  "530 5.7.0 authenticate",
  "535-5.7.8 no\r\n535 5.7.8 never",
  "550 5.1.1 no such user",
  "552 5.3.4 too big",
  "553 5.1.3 name",
  "554 5.7.1 refused",
  "555 5.5.4 parameters",
  "599 unheard of",
];

async function expectVerbatim(client: Client, line: string, reply: string): Promise<void> {
  const heard = await client.ask(line);
  assert.equal(show(heard.raw, 2000), show(`${reply}\r\n`, 2000));
}

table("Commands pass unchanged", { shared: true }, [
  ...LINES.map((line, number): Case => ({
    name: show(line, 70),
    script: always(`250-reply ${number}\r\n250 2.0.0 end of ${number}`),
    play: async (talk) => {
      const client = await talk.open().catch(() => talk.connect().then((fresh) => fresh.expect(220).then(() => fresh)));
      await expectVerbatim(client, line, `250-reply ${number}\r\n250 2.0.0 end of ${number}`);
      assert.equal(show(talk.downstream.lines.at(-1)!), show(line));
    },
  })),
]);

table("Replies pass unchanged", { shared: true }, [
  ...REPLIES.flatMap((reply): Case[] =>
    ["NOOP", "MAIL FROM:<a@example.org>", "HELO client.example"].map((line) => ({
      name: `${show(reply, 60)} to ${line}`,
      play: async (talk) => {
        const client = await talk.open();
        talk.downstream.script = always(reply);
        await expectVerbatim(client, line, reply);
      },
    }))
  ),
  ...REPLIES.filter((reply) => reply.startsWith("2")).map((reply): Case => ({
    name: `${show(reply, 60)} to RCPT`,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<a@example.org>");
      talk.downstream.script = always(reply);
      await expectVerbatim(client, "RCPT TO:<b@example.org>", reply);
    },
  })),
  {
    name: "a reply that comes byte by byte",
    script: { NOOP: { reply: "250-slow\r\n250-and\r\n250 steady", pieces: 1 } },
    play: async (talk) => await expectVerbatim(await talk.open(), "NOOP", "250-slow\r\n250-and\r\n250 steady"),
  },
  {
    name: "a reply that is cut between CR and LF",
    script: { NOOP: { reply: "250-ab\r\n250 cd", pieces: 7 } },
    play: async (talk) => await expectVerbatim(await talk.open(), "NOOP", "250-ab\r\n250 cd"),
  },
]);

table("Downstream's last words", {}, [
  {
    name: "the reply to QUIT passes, and both sides close",
    script: { QUIT: { reply: "221-2.0.0 see you\r\n221 2.0.0 bye now", then: "close" } },
    play: async (talk) => {
      const client = await talk.open();
      await expectVerbatim(client, "QUIT", "221-2.0.0 see you\r\n221 2.0.0 bye now");
      await client.expectEnd();
      if (talk.mode === "spawn") assert.equal(await talk.exitStatus(), 0);
    },
  },
  {
    name: "quit in lower case, with blanks",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(221, " quit ");
      await client.expectEnd();
      assert.equal(talk.downstream.lines.at(-1), " quit ");
    },
  },
  {
    name: "QUIT at once after the greeting",
    play: async (talk) => {
      const client = await talk.connect();
      await client.expect(220);
      await client.expect(221, "QUIT");
      await client.expectEnd();
      if (talk.mode === "spawn") assert.equal(await talk.exitStatus(), 0);
    },
  },
  {
    name: "downstream answers QUIT and does not close: the client's connection still ends",
    script: { QUIT: "221 2.0.0 bye" },
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(221, "QUIT");
      await client.expectEnd();
    },
  },
  ...["NOOP", "MAIL FROM:<a@example.org>", "FROB"].map((line): Case => ({
    name: `421 to ${line} passes, and the session ends`,
    script: Object.fromEntries(
      ["NOOP", "MAIL", "*"].map((verb) => [verb, { reply: "421-4.3.2 fake\r\n421 4.3.2 shuts down", then: "close" }]),
    ),
    play: async (talk) => {
      const client = await talk.open();
      await expectVerbatim(client, line, "421-4.3.2 fake\r\n421 4.3.2 shuts down");
      await client.expectEnd();
    },
  })),
]);

/** Bad bytes inside a command line. Each is one line, ends with CRLF, and gets one 500. */
const BAD_LINES: readonly string[] = [
  "NOOP\0",
  "\0NOOP",
  "NO\0OP",
  "\0",
  "NOOP \0\0\0",
  "NOOP\rNOOP",
  "NOOP\r",
  "\rNOOP",
  "\r",
  "NO\rOP",
  "NOOP \r\r\r",
  "MAIL FROM:<a\r@example.org>",
  "MAIL FROM:<a\0@example.org>",
  "RCPT TO:<a@example.org>\rDATA",
  "EHLO client\0.example",
  "EHLO client\r.example",
  "XFORWARD ADDR=192.0.2.1\0",
  "QUIT\0",
  "QUIT\r",
  "DATA\0",
  "DATA\r",
  "RSET\r\0",
];

table("Command lines that are never forwarded", { shared: true }, [
  ...BAD_LINES.map((line): Case => ({
    name: `${show(line, 60)}: one 500, and the session goes on`,
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.last.forget();
      await client.expect(500, line);
      await client.expect(250, "NOOP");
      assert.deepEqual(talk.downstream.lines, ["NOOP"]);
      assert.equal(client.unheard, "");
    },
  })),
  ...BAD_LINES.slice(0, 12).map((line): Case => ({
    name: `${show(line, 60)} byte by byte`,
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.last.forget();
      await client.sayOctetByOctet(`${line}\r\nNOOP\r\n`);
      await client.expect(500);
      await client.expect(250);
      assert.deepEqual(talk.downstream.lines, ["NOOP"]);
    },
  })),
  ...["NOOP", "noop args", "MAIL FROM:<a@example.org>", "QUIT", "DATA", "", "FROB"].map((line): Case => ({
    name: `${show(line)} with a bare LF: a 500 at once, which helps who types by hand`,
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.last.forget();
      await client.say(`${line}\n`);
      const reply = await client.expect(500);
      assert.match(reply.raw, /CR|nc -C/, "the text says what is missing");
      await client.expect(250, "NOOP");
      assert.deepEqual(talk.downstream.lines, ["NOOP"]);
    },
  })),
  {
    name: "many bare LF lines, then a good one",
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.last.forget();
      for (let i = 0; i < 5; i++) {
        await client.say(`NOOP ${i}\n`);
        await client.expect(500);
      }
      await client.expect(250, "NOOP");
      assert.deepEqual(talk.downstream.lines, ["NOOP"]);
    },
  },
  ...["NOOP\nMAIL FROM:<a@example.org>\r\n", "NOOP\n\nNOOP\r\n", "\nNOOP\r\n", "RSET\r\nNOOP\nNOOP\r\n"].map((
    text,
  ): Case => ({
    name: `${show(text)}: the same replies whole and byte by byte, and no LF reaches downstream`,
    play: async (talk) => {
      const client = await talk.open();
      const heard: string[] = [];
      for (const say of [() => client.say(text), () => client.sayOctetByOctet(text)]) {
        talk.downstream.set("RSET", "250 reset");
        await say();
        await client.say("HELP\r\n");
        const codes: number[] = [];
        talk.downstream.set("HELP", "214 help");
        talk.downstream.set("*", "214 help");
        for (let code = 0; code !== 214;) codes.push(code = (await client.hear()).code);
        heard.push(codes.join(" "));
        await client.expect(250, "RSET");
      }
      assert.equal(heard[0], heard[1]);
      assert.match(heard[0]!, /500/);
      assert.ok(!/[^\r]\n/.test(talk.downstream.received), show(talk.downstream.received));
    },
  })),
]);

table("Over-long command lines", { spawn: "first row" }, [
  ...[["100 kB", 100_000], ["1 MB", 1_000_000]].map(([size, length]): Case => ({
    name: `${size}: one 500, the rest of the line is dropped, and the session goes on`,
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.last.forget();
      await client.say(`NOOP ${"x".repeat(Number(length))}\r\n`);
      await client.expect(500);
      await client.expect(250, "NOOP");
      assert.deepEqual(talk.downstream.lines, ["NOOP"]);
      await expectUsable(client);
    },
  })),
  {
    name: "the tail of an over-long line is never read as a command",
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.last.forget();
      const commands = "MAIL FROM:<evil@example.org> RCPT TO:<evil@example.org> DATA QUIT ".repeat(3000);
      await client.say(`NOOP ${commands}\r\nRSET\r\n`);
      await client.expect(500);
      await client.expect(250);
      assert.deepEqual(talk.downstream.lines, ["RSET"]);
    },
  },
  {
    name: "in a packet with good lines before and after",
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.last.forget();
      await client.say(`NOOP 1\r\nNOOP ${"y".repeat(200_000)}\r\nNOOP 2\r\n`);
      await client.expect(250);
      await client.expect(500);
      await client.expect(250);
      assert.deepEqual(talk.downstream.lines, ["NOOP 1", "NOOP 2"]);
    },
  },
  {
    name: "with NULs and bare CRs in it: still one 500",
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.last.forget();
      await client.say(`NOOP ${"z\0\r".repeat(40_000)}\r\nRSET\r\n`);
      await client.expect(500);
      await client.expect(250);
      assert.deepEqual(talk.downstream.lines, ["RSET"]);
    },
  },
  {
    name: "errors of a session are bounded: 421 in the end",
    play: async (talk) => {
      const client = await talk.open();
      let last = 0;
      for (let round = 0; round < 100 && last !== 421; round++) {
        await client.say("NO\0OP\r\n".repeat(50));
        for (let i = 0; i < 50 && last !== 421; i++) last = (await client.hear()).code;
      }
      assert.equal(last, 421);
      await client.end();
    },
  },
]);

table("Downstream answers nonsense", { spawn: "first row" }, [
  ...([
    ["no reply line at all", "hello there\r\n"],
    ["a code of two digits", "25 ok\r\n"],
    ["a code of four digits", "2500 ok\r\n"],
    ["a code below 200", "099 ok\r\n"],
    ["a code above 599", "999 ok\r\n"],
    ["no blank after the code", "250ok\r\n"],
    ["letters for digits", "2x0 ok\r\n"],
    ["an empty line", "\r\n"],
    ["binary bytes", "\x00\x01\x02\xff\r\n"],
    ["an endless line", `250 ${"x".repeat(1_000_000)}\r\n`],
    ["an endless number of lines", `${"250-more\r\n".repeat(200_000)}250 end\r\n`],
  ] as const).map(([what, raw]): Case => ({
    name: `${what}: the client hears a legal reply, not a 2xx, and nothing hangs`,
    script: { NOOP: { raw } },
    play: async (talk) => {
      const client = await talk.open();
      await client.say("NOOP\r\n");
      assertCode(await client.hear(), 421, 451);
      client.close();
    },
  })),
]);
