// The extensions of downstream that the client may see and use.
//
// The EHLO reply loses keywords that change how content travels. Their commands are refused in any spelling and never
// forwarded. A 3xx that nobody asked for ends the session. AUTH passes, with anything in its lines.

import assert from "node:assert/strict";
import { show } from "../rig/octets.ts";
import { assertCode, type Case, expectUsable, table } from "./rig.ts";

const HIDDEN = ["STARTTLS", "CHUNKING", "BINARYMIME", "BURL", "CHECKPOINT", "XEXCH50", "XCLIENT"];
const PASSED = [
  "PIPELINING",
  "8BITMIME",
  "SMTPUTF8",
  "DSN",
  "AUTH PLAIN LOGIN",
  "AUTH=PLAIN LOGIN",
  "REQUIRETLS",
  "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT",
  "ENHANCEDSTATUSCODES",
  "ETRN",
  "VRFY",
  "EXPN",
  "HELP",
  "SIZE",
  "SIZE 10240000",
  "SIZE 0",
  "DELIVERBY 240",
  "MT-PRIORITY MIXER",
  "LIMITS RCPTMAX=100",
  "NO-SOLICITING",
  "FUTURERELEASE 1 2",
  "X-UNHEARD-OF thing",
  "STARTTLSX",
  "XSTARTTLS",
  "CHUNKINGS 1",
  "XCLIENTS NAME",
  "BURLY",
  "BINARYMIMES",
  "pipelining",
  "8bitMIME",
];

/** An EHLO reply with these lines, the host's first. */
function ehlo(lines: readonly string[]): string {
  return lines.map((line, i) => `250${i === lines.length - 1 ? " " : "-"}${line}`).join("\r\n");
}

const HOST = "fake.example at your service";

/** Where a keyword may stand: lines before it, and after it. */
const PLACES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["only", [], []],
  ["first", [], ["PIPELINING", "DSN"]],
  ["in the middle", ["PIPELINING"], ["DSN"]],
  ["last", ["PIPELINING", "DSN"], []],
];

function ehloCase(name: string, sent: readonly string[], expected: readonly string[], command = "EHLO me"): Case {
  return {
    name,
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.set("EHLO", ehlo(sent));
      const reply = await client.ask(command);
      assert.equal(show(reply.raw, 2000), show(`${ehlo(expected)}\r\n`, 2000));
    },
  };
}

table("Keywords in the EHLO reply", { shared: true }, [
  ...HIDDEN.flatMap((keyword) =>
    PLACES.map(([place, before, after]) =>
      ehloCase(`${keyword} is taken out, ${place}`, [HOST, ...before, keyword, ...after], [HOST, ...before, ...after])
    )
  ),
  ...HIDDEN.flatMap((keyword) => {
    const lower = keyword.toLowerCase();
    const mixed = keyword.split("").map((letter, i) => i % 2 ? letter.toLowerCase() : letter).join("");
    return [lower, mixed, `${keyword} NAME ADDR x=1`, `${keyword} `].map((spelling) =>
      ehloCase(`${show(spelling)} is taken out`, [HOST, "DSN", spelling], [HOST, "DSN"])
    );
  }),
  ehloCase("all hidden ones at once", [HOST, ...HIDDEN], [HOST]),
  ehloCase("hidden and others by turns", [HOST, ...HIDDEN.flatMap((k, i) => [PASSED[i]!, k])], [
    HOST,
    ...PASSED.slice(0, HIDDEN.length),
  ]),
  ehloCase("one keyword twice", [HOST, "STARTTLS", "DSN", "starttls"], [HOST, "DSN"]),
  ...PASSED.map((keyword) => ehloCase(`${keyword} passes`, [HOST, keyword], [HOST, keyword])),
  ehloCase("all others at once", [HOST, ...PASSED], [HOST, ...PASSED]),
  ehloCase("the host line alone", [HOST], [HOST]),
  ehloCase("an empty host line", ["", "DSN", "CHUNKING"], ["", "DSN"]),
  ehloCase("a host of that name is no keyword", ["STARTTLS", "DSN"], ["STARTTLS", "DSN"]),
  ehloCase("a host of that name alone", ["CHUNKING is my name"], ["CHUNKING is my name"]),
  ...["ehlo me", "Ehlo me", " EHLO me", "\tEHLO me", "EHLO\tme", "EHLO", "EHLO  me  ", "EHLO\fme"].map((command) =>
    ehloCase(`in reply to ${show(command)}`, [HOST, "CHUNKING", "DSN", "XCLIENT NAME"], [HOST, "DSN"], command)
  ),
  ...["502 5.5.1 no EHLO here", "550-5.7.1 STARTTLS\r\n550 5.7.1 CHUNKING", "421 4.3.2 going"].map((reply): Case => ({
    name: `${show(reply)} in place of a list passes unchanged`,
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.set("EHLO", reply);
      assert.equal((await client.ask("EHLO me")).raw, `${reply}\r\n`);
      client.close();
    },
  })),
  {
    name: "a list that comes byte by byte",
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.set("EHLO", { reply: ehlo([HOST, "CHUNKING", "DSN", "STARTTLS"]), pieces: 1 });
      assert.equal((await client.ask("EHLO me")).raw, `${ehlo([HOST, "DSN"])}\r\n`);
    },
  },
]);

table("SIZE in the EHLO reply, with a limit of ours", { options: () => ["--max-message-size=5000"], shared: true }, [
  ehloCase("a higher one is lowered", [HOST, "SIZE 10240000", "DSN"], [HOST, "SIZE 5000", "DSN"]),
  ehloCase("a higher one is lowered, last", [HOST, "DSN", "SIZE 10240000"], [HOST, "DSN", "SIZE 5000"]),
  ehloCase("a higher one is lowered, only", [HOST, "SIZE 5001"], [HOST, "SIZE 5000"]),
  ehloCase("a lower one stays", [HOST, "SIZE 4999"], [HOST, "SIZE 4999"]),
  ehloCase("the same one stays", [HOST, "SIZE 5000"], [HOST, "SIZE 5000"]),
  ehloCase("0, which says that there is none, is lowered", [HOST, "SIZE 0"], [HOST, "SIZE 5000"]),
  ehloCase("one without a number is lowered", [HOST, "SIZE"], [HOST, "SIZE 5000"]),
  ehloCase("a number of 30 digits is lowered", [HOST, `SIZE ${"9".repeat(30)}`], [HOST, "SIZE 5000"]),
  ehloCase("with hidden keywords around it", [HOST, "CHUNKING", "SIZE 9000", "BURL"], [HOST, "SIZE 5000"]),
]);

/** Commands of hidden extensions: refused with 502, and downstream never sees them. */
const REFUSED: readonly string[] = [
  "LHLO client.example",
  "lhlo client.example",
  " LhLo\tclient.example ",
  "\vLHLO",
  "STARTTLS",
  "starttls",
  "StartTLS",
  " STARTTLS",
  "\tSTARTTLS",
  "   STARTTLS   ",
  "STARTTLS ",
  "STARTTLS\t",
  "STARTTLS now",
  "STARTTLS\fnow",
  "\vSTARTTLS",
  "BURL imap://user@example.org/box;uid=1 LAST",
  "burl imap://x",
  "BURL",
  "XCLIENT ADDR=192.0.2.1",
  "XCLIENT NAME=localhost ADDR=127.0.0.1 LOGIN=root",
  "xclient addr=192.0.2.1",
  "  XcLiEnT addr=192.0.2.1",
  "XCLIENT\tADDR=192.0.2.1",
  "XCLIENT\vADDR=192.0.2.1",
  "XCLIENT",
  "XEXCH50 1024 2",
  "xexch50 1024 2",
];

table("Hidden extensions, used anyway", { shared: true }, [
  ...REFUSED.map((line): Case => ({
    name: `${show(line)}: 502, and downstream never sees it`,
    script: { "*": "220 2.0.0 as you wish" },
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.last.forget();
      await client.expect(502, line);
      await client.expect(250, "NOOP");
      assert.deepEqual(talk.downstream.lines, ["NOOP"]);
    },
  })),
  ...[
    "BODY=BINARYMIME",
    "body=BinaryMIME",
    "SIZE=100 BODY=BINARYMIME SMTPUTF8",
    "TRANSID=<1@example.org>",
    "transid=x",
  ].map((parameters): Case => ({
    name: `MAIL with ${parameters}: 555, and downstream never sees it`,
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.last.forget();
      await client.expect(555, `MAIL FROM:<a@example.org> ${parameters}`);
      await client.expect(503, "DATA");
      await client.expect(250, "MAIL FROM:<a@example.org> BODY=8BITMIME");
      assert.deepEqual(talk.downstream.lines, ["MAIL FROM:<a@example.org> BODY=8BITMIME"]);
    },
  })),
  {
    name: "words that only look so pass: in an address, in another command",
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.last.forget();
      const lines = ['MAIL FROM:<"x BODY=BINARYMIME "@example.org> BODY=7BIT', "RCPT TO:<b@example.org> TRANSID=x"];
      for (const line of lines) await client.expect(250, line);
      assert.deepEqual(talk.downstream.lines, lines);
    },
  },
  {
    name: "in the middle of a transaction, which goes on",
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.last.forget();
      await client.expect(250, "MAIL FROM:<a@example.org>");
      await client.expect(502, "STARTTLS");
      await client.expect(250, "RCPT TO:<b@example.org>");
      await client.expect(502, "XCLIENT NAME=x");
      await client.expect(354, "DATA");
      await client.say("Subject: x\r\n\r\nbody\r\n.\r\n");
      await client.expect(250);
      talk.passed("Subject: x\r\n\r\nbody\r\n");
      assert.deepEqual(talk.downstream.verbs, ["MAIL", "RCPT", "DATA"]);
    },
  },
]);

table("BDAT", { spawn: "first row" }, [
  ...[
    "BDAT 10 LAST",
    "bdat 10 LAST",
    "BDAT 10",
    "BDAT 0 LAST",
    "BDAT",
    " BDAT 10",
    "\tBdat 99999999999999999999",
    "BDAT\t10",
    "BDAT\f10",
  ].map((line): Case => ({
    name: `${show(line)}: 502, and the connection closes; the chunk is never read as commands`,
    script: { "*": "250 2.0.0 as you wish" },
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.last.forget();
      await client.expect(250, "MAIL FROM:<a@example.org>");
      await client.expect(250, "RCPT TO:<b@example.org>");
      await client.say(`${line}\r\nMAIL FROM:<evil@example.org>\r\nNOOP\r\n`);
      await client.expect(502);
      await client.expectEnd();
      await talk.downstream.until((fake) => fake.last.gone, "the end of the session");
      const rest = talk.downstream.verbs.slice(2).filter((verb) => verb !== "RSET" && verb !== "QUIT");
      assert.deepEqual(rest, [], "what downstream saw after RCPT");
    },
  })),
  {
    name: "the chunk in a packet of its own",
    play: async (talk) => {
      const client = await talk.open();
      await client.say("BDAT 30 LAST\r\n");
      await client.expect(502);
      await client.say("MAIL FROM:<evil@example.org>\r\n");
      await client.expectEnd();
      await talk.downstream.until((fake) => fake.last.gone, "the end of the session");
      assert.ok(!talk.downstream.received.includes("evil"));
    },
  },
]);

table("A 3xx that nobody asked for", { spawn: "first row" }, [
  {
    name: "to QUIT: 421 or 221, and the session is over",
    script: { QUIT: "354 go ahead" },
    play: async (talk) => {
      const client = await talk.open();
      await client.say("QUIT\r\nsmuggled\r\n.\r\n");
      assertCode(await client.hear(), 221, 421);
      await client.expectEnd();
      assert.ok(!talk.downstream.received.includes("smuggled"));
    },
  },
  ...([
    ["NOOP", "NOOP", "354 go ahead"],
    ["VRFY", "VRFY someone", "354 go ahead"],
    ["*", "XDATA", "354 go ahead"],
    ["*", "xdata now", "334 go on"],
    ["*", "DATAX", "354-go\r\n354 ahead"],
    ["*", "TURN", "300 what now"],
    ["*", "FROB", "399 well"],
    ["*", "", "354 go ahead"],
    ["HELO", "HELO client.example", "354 go ahead"],
    ["EHLO", "EHLO again", "354 go ahead"],
    ["EHLO", "EHLO again", "354-fake\r\n354 CHUNKING"],
    ["RSET", "RSET", "354 go ahead"],
    ["XFORWARD", "XFORWARD ADDR=192.0.2.1", "354 go ahead"],
    ["MAIL", "MAIL FROM:<b@example.org>", "354 go ahead"],
    ["RCPT", "RCPT TO:<c@example.org>", "354 go ahead"],
    ["RCPT", "RCPT TO:<c@example.org>", "334 go on"],
  ] as const).map(([verb, line, reply]): Case => ({
    name: `${show(reply)} to ${show(line)}: 421, and no content gets past the filter`,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<a@example.org>");
      await client.expect(250, "RCPT TO:<b@example.org>");
      talk.downstream.set(verb, reply);
      await client.say(`${line}\r\nSubject: past the filter\r\n\r\nsmuggled\r\n.\r\nQUIT\r\n`);
      await client.expect(421);
      await client.expectEnd();
      await talk.downstream.until((fake) => fake.last.gone, "the end of the session");
      assert.ok(!talk.downstream.received.includes("smuggled"), show(talk.downstream.received));
      await talk.logged(/3[0-9][0-9]/);
    },
  })),
]);

// However DATA is spelled: either it is not the command, or the filter sees the message.
table("Spellings of DATA", { spawn: "first row", filter: true }, [
  ...["DATA", "data", "Data", " DATA", "\tDATA", "DATA ", "DATA\t", "  data  ", "\fDATA", "DATA\v"].map((
    line,
  ): Case => ({
    name: `${show(line)} is DATA`,
    filter: "echo 550 5.7.1 seen >&2; exit 1",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<a@example.org>");
      await client.expect(250, "RCPT TO:<b@example.org>");
      await client.expect(354, line);
      await client.say("body\r\n.\r\n");
      assert.equal((await client.hear()).raw, "550 5.7.1 seen\r\n");
      talk.nothingPassed();
      client.close();
    },
  })),
  ...['"DATA"', "<DATA>", "<data>", "DATA now", "DATA <>", "DATA:", "DATA;", "D ATA", "\\DATA", "DATA\x7f"].map((
    line,
  ): Case => ({
    name: `${show(line)} leads nobody past the filter`,
    filter: "echo 550 5.7.1 seen >&2; exit 1",
    script: { "*": "354 go ahead", DATA: "354 go ahead" },
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<a@example.org>");
      await client.expect(250, "RCPT TO:<b@example.org>");
      await client.say(`${line}\r\nsmuggled\r\n.\r\nQUIT\r\n`);
      const said = await client.end();
      const forwarded = talk.downstream.lines.indexOf(line);
      const after = forwarded < 0 ? [] : talk.downstream.verbs.slice(forwarded + 1);
      assert.deepEqual(after.filter((verb) => verb !== "QUIT" && verb !== "RSET"), [], "after downstream's 354");
      assert.deepEqual(talk.downstream.messages, []);
      if (said.startsWith("354")) assert.match(said, /^354[^\r]*\r\n550 5\.7\.1 seen\r\n/);
    },
  })),
]);

table("AUTH", { spawn: "first row" }, [
  {
    name: "in one command",
    script: { AUTH: "235 2.7.0 welcome" },
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(235, "AUTH PLAIN AGFiYwBkZWY=");
      assert.equal(talk.downstream.lines.at(-1), "AUTH PLAIN AGFiYwBkZWY=");
      await expectUsable(client);
    },
  },
  {
    name: "refused",
    script: { AUTH: "535 5.7.8 no" },
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(535, "AUTH PLAIN AGFiYwBkZWY=");
      await expectUsable(client);
    },
  },
  ...["AUTH LOGIN", "auth login", " Auth LOGIN ", "AUTH\tLOGIN"].map((line): Case => ({
    name: `${show(line)}: two questions, two answers, verbatim`,
    script: { AUTH: "334 VXNlcm5hbWU6", "AUTH+": ["334 UGFzc3dvcmQ6", "235 2.7.0 welcome"] },
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await client.ask(line)).raw, "334 VXNlcm5hbWU6\r\n");
      assert.equal((await client.ask("dXNlcg==")).raw, "334 UGFzc3dvcmQ6\r\n");
      assert.equal((await client.ask("c2VjcmV0")).raw, "235 2.7.0 welcome\r\n");
      assert.deepEqual(talk.downstream.lines.slice(-3), [line, "dXNlcg==", "c2VjcmV0"]);
      await expectUsable(client);
    },
  })),
  ...[
    "QUIT",
    "DATA",
    "RSET",
    "STARTTLS",
    "BDAT 10 LAST",
    "XCLIENT ADDR=192.0.2.1",
    "MAIL FROM:<a@example.org>",
    "EHLO x",
    "AUTH",
    "*",
    "",
    " ",
    "=",
    ".",
    "x".repeat(12_286),
  ].map((line): Case => ({
    name: `an answer that looks like ${show(line, 40)} passes`,
    script: { "AUTH+": ["334 more", "235 2.7.0 welcome"] },
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(334, "AUTH XOAUTH2");
      await client.expect(334, line);
      await client.expect(235, line);
      assert.deepEqual(talk.downstream.lines.slice(-2), [line, line]);
      await expectUsable(client);
    },
  })),
  {
    name: "cancelled with *",
    script: { "AUTH+": "501 5.7.0 cancelled" },
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(334, "AUTH PLAIN");
      await client.expect(501, "*");
      await client.expect(502, "STARTTLS");
      await expectUsable(client);
    },
  },
  {
    name: "after the exchange, a hidden command is refused again, and DATA is DATA again",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(334, "AUTH PLAIN");
      await client.expect(235, "AGFiYwBkZWY=");
      await client.expect(502, "XCLIENT NAME=x");
      await expectUsable(client);
      assert.ok(!talk.downstream.verbs.includes("XCLIENT"));
    },
  },
  {
    name: "a refused question ends the exchange: the next line is a command",
    script: { "AUTH+": "535 5.7.8 no" },
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(334, "AUTH PLAIN");
      await client.expect(535, "wrong");
      await client.expect(502, "STARTTLS");
      await client.expect(221, "QUIT");
      await client.expectEnd();
    },
  },
  {
    name: "all in one packet",
    script: { "AUTH+": ["334 UGFzc3dvcmQ6", "235 2.7.0 welcome"] },
    play: async (talk) => {
      const client = await talk.open();
      await client.say("AUTH LOGIN\r\nQUIT\r\nDATA\r\nNOOP\r\nQUIT\r\n");
      for (const code of [334, 334, 235, 250, 221]) await client.expect(code);
      await client.expectEnd();
      assert.deepEqual(talk.downstream.lines.slice(-5), ["AUTH LOGIN", "QUIT", "DATA", "NOOP", "QUIT"]);
    },
  },
  {
    name: "downstream goes away in the exchange",
    script: { "AUTH+": { then: "close" } },
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(334, "AUTH PLAIN");
      await client.say("AGFiYwBkZWY=\r\n");
      assertCode(await client.hear(), 421, 451);
    },
  },
]);
