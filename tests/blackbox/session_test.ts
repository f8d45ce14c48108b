// One conversation: pipelining, several messages, XFORWARD, and what must come before DATA.

import assert from "node:assert/strict";
import { type Client } from "../rig/client.ts";
import { show } from "../rig/octets.ts";
import type { Script } from "../rig/server.ts";
import { assertCode, type Case, CONTENT, deliver, expectUsable, startMessage, table, type Talk } from "./rig.ts";

/** The envelope as the filter saw it, one variable per line. */
const DUMP = `for name in SENDER RECIPIENT RECIPIENTS RECIPIENTCOUNT REMOTEIP HELO; do
  eval "printf '%s=[%s]\\n' $name \\"\\$$name\\""
done > "$D/env.tmp"; mv "$D/env.tmp" "$D/env"`;

/** The variables of the last run of the filter. */
async function seen(talk: Talk): Promise<Record<string, string>> {
  const text = await talk.file("env");
  Deno.removeSync(`${talk.dir}/env`);
  return Object.fromEntries([...text.matchAll(/^(\w+)=\[([^]*?)\]$/gm)].map((match) => [match[1]!, match[2]!]));
}

async function expectSeen(talk: Talk, expected: Record<string, string>): Promise<void> {
  const all = await seen(talk);
  for (const [name, value] of Object.entries(expected)) assert.equal(all[name], value, name);
}

/** Says a dialogue in one packet, byte by byte, and in two packets cut at every place of a few; hears the same replies. */
function pipelined(
  name: string,
  row: { script?: Script; filter?: string; says: string; hears: readonly RegExp[] },
): Case[] {
  const ways: readonly (readonly [string, (client: Client) => Promise<void>])[] = [
    ["in one packet", (client) => client.say(row.says)],
    ["octet by octet", (client) => client.sayOctetByOctet(row.says)],
    ["in packets of seven bytes", (client) => client.sayInPieces(row.says.match(/[^]{1,7}/g) ?? [])],
    ["a line per packet", (client) => client.sayInPieces(row.says.match(/[^\n]*\n/g) ?? [])],
  ];
  return ways.map(([way, say]): Case => ({
    name: `${name}, ${way}`,
    ...(row.script ? { script: row.script } : {}),
    ...(row.filter ? { filter: row.filter } : {}),
    play: async (talk) => {
      const client = await talk.connect();
      await say(client);
      for (const pattern of row.hears) assert.match((await client.hear()).raw, pattern);
      await client.expectEnd();
      if (talk.mode === "spawn") assert.equal(await talk.exitStatus(), 0);
    },
  }));
}

const MAIL = "MAIL FROM:<a@example.org>\r\n";
const RCPT = "RCPT TO:<b@example.org>\r\n";

table("Pipelining", { spawn: "first row", filter: true }, [
  ...pipelined("a whole session", {
    says: `EHLO me\r\n${MAIL}${RCPT}DATA\r\nSubject: x\r\n\r\nbody\r\n.\r\nQUIT\r\n`,
    hears: [/^220/, /^250-fake/, /sender ok/, /recipient ok/, /^354/, /^250 .*4711/, /^221/],
  }),
  ...pipelined("two messages", {
    script: { ".": ["250 2.0.0 first", "250 2.0.0 second"] },
    says: `EHLO me\r\n${MAIL}${RCPT}DATA\r\none\r\n.\r\n${MAIL}${RCPT}${RCPT}DATA\r\ntwo\r\n.\r\nQUIT\r\n`,
    hears: [
      /^220/,
      /^250-fake/,
      /sender ok/,
      /recipient ok/,
      /^354/,
      /^250 2.0.0 first/,
      /sender ok/,
      /recipient ok/,
      /recipient ok/,
      /^354/,
      /^250 2.0.0 second/,
      /^221/,
    ],
  }),
  ...pipelined("a recipient in the middle is refused", {
    script: { RCPT: ["250 one", "550 5.1.1 two", "250 three"] },
    says: `EHLO me\r\n${MAIL}${RCPT}${RCPT}${RCPT}DATA\r\nbody\r\n.\r\nQUIT\r\n`,
    hears: [/^220/, /^250-fake/, /sender ok/, /^250 one/, /^550 5.1.1 two/, /^250 three/, /^354/, /4711/, /^221/],
  }),
  ...pipelined("all recipients are refused: so is DATA, and no message follows", {
    script: { RCPT: ["550 5.1.1 one", "450 4.2.0 two"] },
    says: `EHLO me\r\n${MAIL}${RCPT}${RCPT}DATA\r\nRSET\r\nQUIT\r\n`,
    hears: [/^220/, /^250-fake/, /sender ok/, /^550 5.1.1 one/, /^450 4.2.0 two/, /^5(03|54)/, /reset/, /^221/],
  }),
  ...pipelined("the filter refuses the first of two", {
    filter: 'grep -q bad "$EMAIL" || exit 0; echo 550 5.7.1 bad >&2; exit 1',
    says: `EHLO me\r\n${MAIL}${RCPT}DATA\r\nbad\r\n.\r\n${MAIL}${RCPT}DATA\r\ngood\r\n.\r\nQUIT\r\n`,
    hears: [
      /^220/,
      /^250-fake/,
      /sender ok/,
      /recipient ok/,
      /^354/,
      /^550 5.7.1 bad\r\n$/,
      /sender ok/,
      /recipient ok/,
      /^354/,
      /4711/,
      /^221/,
    ],
  }),
  ...pipelined("downstream refuses DATA", {
    script: { DATA: "451 4.3.0 no data" },
    says: `EHLO me\r\n${MAIL}${RCPT}DATA\r\nbody\r\n.\r\nNOOP\r\nQUIT\r\n`,
    hears: [
      /^220/,
      /^250-fake/,
      /sender ok/,
      /recipient ok/,
      /^354/,
      /^451 4.3.0 no data\r\n$/,
      /nothing done/,
      /^221/,
    ],
  }),
  ...pipelined("commands of every kind", {
    script: { VRFY: "252 maybe", "*": "500 what" },
    says:
      `HELO me\r\nNOOP\r\nVRFY x\r\nSTARTTLS\r\nFROB\r\nNO\0OP\r\nXFORWARD ADDR=192.0.2.1\r\nRSET\r\nEHLO me\r\nQUIT\r\n`,
    hears: [
      /^220/,
      /^250 fake/,
      /nothing done/,
      /^252 maybe/,
      /^502/,
      /^500 what/,
      /^500/,
      /forwarded/,
      /reset/,
      /^250-fake/,
      /^221/,
    ],
  }),
  {
    name: "200 NOOPs in one packet",
    script: {
      NOOP: (line) => `250 reply to ${line}`,
    },
    play: async (talk) => {
      const client = await talk.open();
      await client.say(Array.from({ length: 200 }, (_, i) => `NOOP ${i}\r\n`).join(""));
      for (let i = 0; i < 200; i++) assert.equal((await client.hear()).raw, `250 reply to NOOP ${i}\r\n`);
    },
  },
  {
    name: "ten messages in one packet",
    script: { ".": (_, session) => `250 2.0.0 message ${session.messages.length}` },
    play: async (talk) => {
      const client = await talk.open();
      const one = (i: number) => `${MAIL}${RCPT}DATA\r\nnumber ${i}\r\n.\r\n`;
      await client.say(Array.from({ length: 10 }, (_, i) => one(i)).join(""));
      for (let i = 0; i < 10; i++) {
        for (const code of [250, 250, 354]) await client.expect(code);
        assert.equal((await client.hear()).raw, `250 2.0.0 message ${i + 1}\r\n`);
      }
      assert.deepEqual(
        talk.downstream.messages.map((m) => m.text),
        Array.from({ length: 10 }, (_, i) => `number ${i}\r\n`),
      );
    },
  },
  {
    name: "commands that follow the dot wait for its reply",
    play: async (talk) => {
      const client = await talk.open();
      const dotted = Promise.withResolvers<void>();
      talk.downstream.set(".", { reply: "250 2.0.0 at last", after: dotted.promise });
      await client.say(`${MAIL}${RCPT}DATA\r\nbody\r\n.\r\nNOOP later\r\nQUIT\r\n`);
      for (const code of [250, 250, 354]) await client.expect(code);
      await talk.downstream.until((fake) => fake.messages.length === 1, "the message");
      assert.ok(!talk.downstream.lines.includes("NOOP later"));
      assert.equal(client.unheard, "");
      dotted.resolve();
      assert.equal((await client.hear()).raw, "250 2.0.0 at last\r\n");
      await client.expect(250);
      await client.expect(221);
      await client.expectEnd();
    },
  },
  {
    name: "a client that closes its writing side after QUIT still hears all",
    modes: ["spawn", "listen"],
    play: async (talk) => {
      const client = await talk.connect();
      await client.say(`EHLO me\r\n${MAIL}${RCPT}DATA\r\nbody\r\n.\r\nQUIT\r\n`);
      client.finish();
      for (const code of [220, 250, 250, 250, 354, 250, 221]) await client.expect(code);
      await client.expectEnd();
      talk.passed("body\r\n");
    },
  },
]);

table("Several messages in a session", { spawn: "first row", filter: true }, [
  {
    name: "each has its own envelope",
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD ADDR=192.0.2.1 HELO=first.example");
      await deliver(client, CONTENT, { from: "one@example.org", to: ["r1@example.net", "r2@example.net"] });
      await expectSeen(talk, {
        SENDER: "one@example.org",
        RECIPIENT: "r1@example.net",
        RECIPIENTS: "r1@example.net,r2@example.net",
        RECIPIENTCOUNT: "2",
        REMOTEIP: "192.0.2.1",
        HELO: "first.example",
      });
      await deliver(client, CONTENT, { from: "", to: ["r3@example.net"] });
      await expectSeen(talk, {
        SENDER: "<>",
        RECIPIENT: "r3@example.net",
        RECIPIENTS: "r3@example.net",
        RECIPIENTCOUNT: "1",
        REMOTEIP: "",
        HELO: "",
      });
    },
  },
  ...["RSET", "rset", " RSET ", "EHLO again", "ehlo again", "HELO again", "helo again"].map((line): Case => ({
    name: `${show(line)} forgets the envelope and XFORWARD`,
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD ADDR=192.0.2.1 HELO=first.example");
      await client.expect(250, "MAIL FROM:<one@example.org>");
      await client.expect(250, "RCPT TO:<r1@example.net>");
      await client.expect(250, line);
      assertCode(await client.ask("DATA"), 503, 554);
      await deliver(client, CONTENT, { from: "two@example.org", to: ["r2@example.net"] });
      await expectSeen(talk, {
        SENDER: "two@example.org",
        RECIPIENT: "r2@example.net",
        RECIPIENTS: "r2@example.net",
        RECIPIENTCOUNT: "1",
        REMOTEIP: "",
        HELO: "",
      });
    },
  })),
  {
    name: "a RSET that downstream refuses forgets nothing that counts downstream",
    filter: DUMP,
    script: { RSET: "502 5.5.1 no" },
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<one@example.org>");
      await client.expect(250, "RCPT TO:<r1@example.net>");
      await client.expect(502, "RSET");
      await client.say("DATA\r\n");
      const reply = await client.hear();
      assertCode(reply, 354, 503, 554);
      if (reply.code === 354) {
        await client.say("body\r\n.\r\n");
        await client.hear();
        await expectSeen(talk, { SENDER: "one@example.org", RECIPIENT: "r1@example.net" });
      }
    },
  },
  {
    name: "a new MAIL that downstream accepts begins a new envelope",
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<one@example.org>");
      await client.expect(250, "RCPT TO:<r1@example.net>");
      await client.expect(250, "MAIL FROM:<two@example.org>");
      await client.expect(250, "RCPT TO:<r2@example.net>");
      await client.expect(354, "DATA");
      await client.say("body\r\n.\r\n");
      await client.expect(250);
      await expectSeen(talk, {
        SENDER: "two@example.org",
        RECIPIENT: "r2@example.net",
        RECIPIENTS: "r2@example.net",
        RECIPIENTCOUNT: "1",
      });
    },
  },
  {
    name: "a second MAIL that downstream refuses changes nothing",
    filter: DUMP,
    script: { MAIL: ["250 ok", "503 5.5.1 nested MAIL"] },
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<one@example.org>");
      await client.expect(250, "RCPT TO:<r1@example.net>");
      await client.expect(503, "MAIL FROM:<two@example.org>");
      await client.expect(250, "RCPT TO:<r2@example.net>");
      await client.expect(354, "DATA");
      await client.say("body\r\n.\r\n");
      await client.expect(250);
      await expectSeen(talk, {
        SENDER: "one@example.org",
        RECIPIENT: "r1@example.net",
        RECIPIENTS: "r1@example.net,r2@example.net",
        RECIPIENTCOUNT: "2",
      });
    },
  },
  ...([
    ["the filter refused", "echo 550 no >&2; exit 1", {}],
    ["the filter failed", "exit 3", {}],
    ["downstream refused DATA of", "exit 0", { DATA: ["554 5.5.1 no data", "354 go"] }],
    ["downstream refused the content of", "exit 0", { ".": ["554 5.6.0 no", "250 ok"] }],
  ] as const).map(([what, filter, script]): Case => ({
    name: `nothing is left of a message that ${what}`,
    filter,
    script,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD ADDR=192.0.2.1 HELO=first.example");
      await deliver(client, "first\r\n", { from: "one@example.org", to: ["r1@example.net", "r2@example.net"] });
      assertCode(await client.ask("DATA"), 503, 554);
      talk.setFilter(DUMP);
      const reply = await deliver(client, "second\r\n", { from: "two@example.org", to: ["r3@example.net"] });
      assert.equal(reply.code, 250);
      await expectSeen(talk, {
        SENDER: "two@example.org",
        RECIPIENT: "r3@example.net",
        RECIPIENTS: "r3@example.net",
        RECIPIENTCOUNT: "1",
        REMOTEIP: "",
        HELO: "",
      });
      assert.equal(talk.downstream.messages.at(-1)!.text, "second\r\n");
    },
  })),
  {
    name: "refused and passed by turns, twenty times",
    filter: 'grep -q bad "$EMAIL" || exit 0; echo 550 5.7.1 bad >&2; exit 1',
    play: async (talk) => {
      const client = await talk.open();
      for (let i = 0; i < 10; i++) {
        assert.equal((await deliver(client, `bad ${i}\r\n`)).code, 550);
        assert.equal((await deliver(client, `good ${i}\r\n`)).code, 250);
      }
      assert.deepEqual(
        talk.downstream.messages.map((message) => message.text),
        Array.from({ length: 10 }, (_, i) => `good ${i}\r\n`),
      );
    },
  },
]);

/** XFORWARD commands, downstream's replies to them, and what the filter sees as REMOTEIP and HELO. */
const XFORWARDS: readonly (readonly [string, readonly string[], readonly string[], string, string])[] = [
  ["one command", ["XFORWARD ADDR=192.0.2.1 HELO=spike.example"], [], "192.0.2.1", "spike.example"],
  ["in lower case", ["xforward addr=192.0.2.1 helo=spike.example"], [], "192.0.2.1", "spike.example"],
  ["blanks around", ["  XFORWARD   ADDR=192.0.2.1   HELO=spike.example "], [], "192.0.2.1", "spike.example"],
  ["ADDR alone", ["XFORWARD ADDR=192.0.2.1"], [], "192.0.2.1", ""],
  ["HELO alone", ["XFORWARD HELO=spike.example"], [], "", "spike.example"],
  [
    "all that Postfix sends",
    [
      "XFORWARD NAME=spike.example ADDR=192.0.2.1 PORT=4711 PROTO=ESMTP HELO=spike IDENT=4AbC SOURCE=REMOTE",
    ],
    [],
    "192.0.2.1",
    "spike",
  ],
  [
    "two commands merge",
    ["XFORWARD NAME=n ADDR=192.0.2.1", "XFORWARD HELO=spike.example"],
    [],
    "192.0.2.1",
    "spike.example",
  ],
  ["the last value counts", ["XFORWARD ADDR=192.0.2.1 HELO=one", "XFORWARD ADDR=192.0.2.2"], [], "192.0.2.2", "one"],
  ["an IPv6 address", ["XFORWARD ADDR=IPv6:2001:db8::1"], [], "2001:db8::1", ""],
  ["an IPv6 address, prefix in capitals", ["XFORWARD ADDR=IPV6:2001:db8::1"], [], "2001:db8::1", ""],
  ["an IPv6 address, prefix in lower case", ["XFORWARD ADDR=ipv6:2001:db8::1"], [], "2001:db8::1", ""],
  ["an IPv6 address without prefix", ["XFORWARD ADDR=2001:db8::1"], [], "2001:db8::1", ""],
  ["[UNAVAILABLE] is unknown", ["XFORWARD ADDR=[UNAVAILABLE] HELO=[UNAVAILABLE]"], [], "", ""],
  ["[TEMPUNAVAIL] is unknown", ["XFORWARD ADDR=[TEMPUNAVAIL] HELO=[TEMPUNAVAIL]"], [], "", ""],
  ["[UNAVAILABLE] takes a value back", ["XFORWARD ADDR=192.0.2.1", "XFORWARD ADDR=[UNAVAILABLE]"], [], "", ""],
  ["[unavailable] in one, a value in the other", ["XFORWARD ADDR=192.0.2.1 HELO=[UNAVAILABLE]"], [], "192.0.2.1", ""],
  ["xtext", ["XFORWARD HELO=a+2Bb"], [], "", "a+b"],
  ["xtext: a blank", ["XFORWARD HELO=a+20b"], [], "", "a b"],
  ["xtext: control characters", ["XFORWARD HELO=a+0D+0Ab+00+1B+7F+C2+9Bc"], [], "", "a??b????c"],
  ["control characters as they are", ["XFORWARD HELO=a\x1b[2J\x7f"], [], "", "a?[2J?"],
  ["xtext: =", ["XFORWARD HELO=a+3Db"], [], "", "a=b"],
  ["xtext: all of it", ["XFORWARD HELO=+41+42+43"], [], "", "ABC"],
  ["xtext in ADDR", ["XFORWARD ADDR=+31+39+32.0.2.1"], [], "192.0.2.1", ""],
  ["xtext: shell text", ["XFORWARD HELO=+24(touch+20x)`id`;+22+27"], [], "", "$(touch x)`id`;\"'"],
  ["a value with = in it", ["XFORWARD HELO=a=b"], [], "", "a=b"],
  ["an address literal", ["XFORWARD HELO=[192.0.2.1]"], [], "", "[192.0.2.1]"],
  ["unknown attributes do not matter", ["XFORWARD FOO=bar ADDR=192.0.2.1 BAZ HELO=x"], [], "192.0.2.1", "x"],
  ["names that only end the same", ["XFORWARD XADDR=192.0.2.9 EHELO=x"], [], "", ""],
  ["refused by downstream: does not count", ["XFORWARD ADDR=192.0.2.1 HELO=x"], ["550 5.7.0 not you"], "", ""],
  ["refused with 4xx: does not count", ["XFORWARD ADDR=192.0.2.1 HELO=x"], ["450 4.7.0 later"], "", ""],
  [
    "the second is refused: the first counts",
    ["XFORWARD ADDR=192.0.2.1 HELO=one", "XFORWARD ADDR=192.0.2.2 HELO=two"],
    ["250 ok", "501 5.5.4 no"],
    "192.0.2.1",
    "one",
  ],
  [
    "the first is refused: the second counts",
    ["XFORWARD ADDR=192.0.2.1 HELO=one", "XFORWARD ADDR=192.0.2.2"],
    ["501 5.5.4 no", "250 ok"],
    "192.0.2.2",
    "",
  ],
  ["the client's own EHLO name is not the sender's", [], [], "", ""],
  ["cut to 99 characters", [`XFORWARD HELO=${"h".repeat(150)}`], [], "", "h".repeat(99)],
  ["99 characters are not cut", [`XFORWARD HELO=${"h".repeat(99)}`], [], "", "h".repeat(99)],
  ["cut after decoding", [`XFORWARD HELO=${"+41".repeat(150)}`], [], "", "A".repeat(99)],
];

table("XFORWARD", { spawn: "first row", filter: true, env: { REMOTEIP: "203.0.113.9", HELO: "inherited.example" } }, [
  ...XFORWARDS.map(([name, lines, replies, remoteIp, helo]): Case => ({
    name,
    filter: DUMP,
    ...(replies.length > 0 ? { script: { XFORWARD: replies } } : {}),
    play: async (talk) => {
      const client = await talk.open();
      for (const [i, line] of lines.entries()) {
        const reply = await client.ask(line);
        if (replies.length > 0) assert.equal(reply.raw, `${replies[i]}\r\n`);
        assert.equal(talk.downstream.lines.at(-1), line);
      }
      assert.equal((await deliver(client)).code, 250);
      await expectSeen(talk, { REMOTEIP: remoteIp, HELO: helo });
    },
  })),
  ...([
    ["MAIL", "MAIL FROM:<refused@example.org>", "550 5.7.1 no"],
    ["RCPT", "RCPT TO:<refused@example.net>", "503 5.5.1 no"],
    ["VRFY", "VRFY x", "252 maybe"],
    ["NOOP", "NOOP", "250 ok"],
  ] as const).map(([verb, line, reply]): Case => ({
    name: `${line}, answered ${reply.slice(0, 3)}, leaves it as it is`,
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD ADDR=192.0.2.1 HELO=spike.example");
      talk.downstream.set(verb, reply);
      await client.ask(line);
      talk.downstream.script = {};
      assert.equal((await deliver(client)).code, 250);
      await expectSeen(talk, { REMOTEIP: "192.0.2.1", HELO: "spike.example" });
    },
  })),
  ...["XFORWARD HELO=a+", "XFORWARD HELO=a+2", "XFORWARD HELO=a+ZZ", "XFORWARD HELO=", "XFORWARD =x", "XFORWARD ADDR"]
    .map((
      line,
    ): Case => ({
      name: `malformed: ${line}: forwarded as it is, and the message passes`,
      filter: DUMP,
      play: async (talk) => {
        const client = await talk.open();
        await client.expect(250, line);
        assert.equal(talk.downstream.lines.at(-1), line);
        assert.equal((await deliver(client)).code, 250);
        await seen(talk);
      },
    })),
]);

/** Ways to come to DATA without an accepted recipient: lines, and what downstream says to them. */
const NO_RECIPIENT: readonly (readonly [string, readonly string[], Script])[] = [
  ["nothing at all", [], {}],
  ["no RCPT", ["MAIL FROM:<a@example.org>"], {}],
  ["RCPT refused with 550", ["MAIL FROM:<a@example.org>", "RCPT TO:<b@x>"], { RCPT: "550 5.1.1 no" }],
  ["RCPT refused with 450", ["MAIL FROM:<a@example.org>", "RCPT TO:<b@x>"], { RCPT: "450 4.2.0 later" }],
  ["all of three refused", ["MAIL FROM:<a@example.org>", "RCPT TO:<b@x>", "RCPT TO:<c@x>", "RCPT TO:<d@x>"], {
    RCPT: ["550 5.1.1 no", "450 4.2.0 later", "554-5.7.1 no\r\n554 5.7.1 no"],
  }],
  ["MAIL refused, RCPT refused", ["MAIL FROM:<a@example.org>", "RCPT TO:<b@x>"], { MAIL: "550 no", RCPT: "503 no" }],
  ["RSET after RCPT", ["MAIL FROM:<a@example.org>", "RCPT TO:<b@x>", "RSET"], {}],
  ["EHLO after RCPT", ["MAIL FROM:<a@example.org>", "RCPT TO:<b@x>", "EHLO again"], {}],
  ["HELO after RCPT", ["MAIL FROM:<a@example.org>", "RCPT TO:<b@x>", "HELO again"], {}],
  ["a new MAIL after RCPT", ["MAIL FROM:<a@example.org>", "RCPT TO:<b@x>", "MAIL FROM:<c@example.org>"], {}],
];

table("DATA without an accepted recipient", { spawn: "first row", filter: true }, [
  ...NO_RECIPIENT.map(([name, lines, script]): Case => ({
    name: `${name}: 503 or 554, no filter, nothing spooled, and the session goes on`,
    script,
    filter: "touch $D/ran",
    play: async (talk) => {
      const client = await talk.open();
      for (const line of lines) await client.ask(line);
      assertCode(await client.ask("DATA"), 503, 554);
      assert.deepEqual(talk.spooled(), []);
      await client.expect(250, "NOOP");
      assert.ok(!talk.hasFile("ran"));
      talk.nothingPassed();
      talk.downstream.script = {};
      await client.expect(250, "RSET");
      await expectUsable(client);
    },
  })),
]);

table("DATA", { spawn: "first row", filter: true }, [
  {
    name: "354 is ours: downstream sees no DATA before the verdict",
    filter: 'echo yes > "$D/running"; while [ ! -e "$D/go" ]; do sleep 0.05; done',
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      assert.ok(!talk.downstream.verbs.includes("DATA"));
      await client.say("body\r\n.\r\n");
      await talk.file("running");
      assert.ok(!talk.downstream.verbs.includes("DATA"));
      Deno.writeTextFileSync(`${talk.dir}/go`, "");
      await client.expect(250);
      talk.passed("body\r\n");
    },
  },
  ...([
    ["451", "451 4.3.0 no data now"],
    ["452", "452 4.3.1 full"],
    ["500", "500 5.5.2 what"],
    ["503", "503 5.5.1 no recipients"],
    ["554", "554 5.5.1 no valid recipients"],
    ["554 in several lines", "554-5.5.1 no\r\n554-5.5.1 valid\r\n554 5.5.1 recipients"],
  ] as const).map(([name, reply]): Case => ({
    name: `downstream refuses DATA with ${name}: that is the reply to the message, and no byte of it is sent`,
    script: { DATA: reply },
    play: async (talk) => {
      const client = await talk.open();
      const heard = await deliver(client, "QUIT\r\nMAIL FROM:<evil@example.org>\r\n");
      assert.equal(heard.raw, `${reply}\r\n`);
      assert.ok(!talk.downstream.received.includes("evil"));
      assert.deepEqual(talk.downstream.messages, []);
      talk.downstream.script = {};
      await expectUsable(client);
    },
  })),
  {
    name: "downstream refuses DATA with 421: the client hears it, and the session ends",
    script: { DATA: { reply: "421 4.3.2 going down", then: "close" } },
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).raw, "421 4.3.2 going down\r\n");
      await client.expectEnd();
      assert.deepEqual(talk.downstream.messages, []);
    },
  },
  ...(["250 2.0.0 already done", "220 hello", "200"] as const).map((reply): Case => ({
    name: `downstream answers DATA with ${reply}: never a 2xx for the client, and no byte of content is sent`,
    script: { DATA: reply },
    play: async (talk) => {
      const client = await talk.open();
      const heard = await deliver(client, "evil: yes\r\n");
      assertCode(heard, 421, 450, 451, 452, 454, 554);
      client.close();
      await talk.downstream.until((fake) => fake.last.gone, "the end of the session");
      assert.ok(!talk.downstream.received.includes("evil"));
    },
  })),
  {
    name: "no byte of content is sent before downstream's 354",
    play: async (talk) => {
      const client = await talk.open();
      const answered = Promise.withResolvers<void>();
      talk.downstream.set("DATA", { reply: "354 at last", after: answered.promise });
      await startMessage(client);
      await client.say("evil: yes\r\n.\r\n");
      await talk.downstream.until((fake) => fake.verbs.includes("DATA"), "DATA");
      assert.ok(!talk.downstream.received.includes("evil"));
      answered.resolve();
      await client.expect(250);
      talk.passed("evil: yes\r\n");
    },
  },
  ...(["close", "reset"] as const).map((then): Case => ({
    name: `downstream goes (${then}) at DATA: 4xx, and no byte of content is sent`,
    script: { DATA: { then } },
    play: async (talk) => {
      const client = await talk.open();
      assertCode(await deliver(client, "evil: yes\r\n"), 421, 451);
      assert.ok(!talk.downstream.received.includes("evil"));
    },
  })),
  {
    name: "only accepted recipients count",
    filter: DUMP,
    script: { RCPT: ["550 5.1.1 no", "250 ok", "450 4.2.0 later", "251 will forward", "252 cannot say"] },
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<a@example.org>");
      for (const [i, code] of [550, 250, 450, 251, 252].entries()) {
        await client.expect(code, `RCPT TO:<r${i}@example.net>`);
      }
      await client.expect(354, "DATA");
      await client.say("body\r\n.\r\n");
      await client.expect(250);
      await expectSeen(talk, {
        RECIPIENT: "r1@example.net",
        RECIPIENTS: "r1@example.net,r3@example.net,r4@example.net",
        RECIPIENTCOUNT: "3",
      });
    },
  },
  {
    name: "a recipient twice counts twice",
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      await deliver(client, CONTENT, { to: ["r@example.net", "r@example.net"] });
      await expectSeen(talk, { RECIPIENTS: "r@example.net,r@example.net", RECIPIENTCOUNT: "2" });
    },
  },
  {
    name: "a thousand recipients",
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      await client.say("MAIL FROM:<a@example.org>\r\n" + "RCPT TO:<r@example.net>\r\n".repeat(1000));
      for (let i = 0; i < 1001; i++) await client.expect(250);
      await client.expect(354, "DATA");
      await client.say("body\r\n.\r\n");
      await client.expect(250);
      await expectSeen(talk, { RECIPIENTCOUNT: "1000" });
    },
  },
  {
    name: "RCPT accepted without MAIL: the sender is unknown, which is not the null sender",
    filter: DUMP,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "RCPT TO:<r@example.net>");
      const reply = await client.ask("DATA");
      assertCode(reply, 354, 503, 554);
      if (reply.code !== 354) return;
      await client.say("body\r\n.\r\n");
      await client.expect(250);
      await expectSeen(talk, { SENDER: "", RECIPIENT: "r@example.net" });
    },
  },
]);

/** The client hears downstream's reply to the final dot. */
table("The reply to the message", { spawn: "first row", filter: true }, [
  ...[
    "250 2.0.0 Ok: queued as 4711",
    "250",
    "250 ",
    "250-2.0.0 Ok\r\n250-2.0.0 queued\r\n250 2.0.0 as 4711",
    "251 forwarded",
    `250 ${"x".repeat(506)}`,
    "250 \x80\xff",
    "450 4.7.1 greylisted",
    "451 4.3.0 local error",
    "452 4.3.1 full",
    "550 5.7.1 spam",
    "550-5.7.1 spam\r\n550-5.7.1 eggs\r\n550 5.7.1 and spam",
    "552 5.3.4 too big",
    "554 5.6.0 no",
    "571 no",
  ].map((reply): Case => ({
    name: `${show(reply, 60)} passes unchanged, and the session goes on`,
    script: { ".": [reply, "250 2.0.0 next"] },
    play: async (talk) => {
      const client = await talk.open();
      assert.equal(show((await deliver(client)).raw, 2000), show(`${reply}\r\n`, 2000));
      await expectUsable(client);
    },
  })),
  {
    name: "421 passes unchanged, and the session ends",
    script: { ".": { reply: "421 4.3.2 going down", then: "close" } },
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).raw, "421 4.3.2 going down\r\n");
      await client.expectEnd();
    },
  },
  {
    name: "250 is not said before downstream has said it",
    play: async (talk) => {
      const client = await talk.open();
      const said = Promise.withResolvers<void>();
      talk.downstream.set(".", { reply: "250 2.0.0 done", after: said.promise });
      await startMessage(client);
      await client.say("body\r\n.\r\n");
      await talk.downstream.until((fake) => fake.messages.length === 1, "the message");
      assert.equal(client.unheard, "");
      said.resolve();
      assert.equal((await client.hear()).raw, "250 2.0.0 done\r\n");
    },
  },
  ...["354 more", "334 more", "150 wait", "hello", "2500 ok", ""].map((raw): Case => ({
    name: `${show(raw)} after the dot: 4xx, never a 2xx`,
    script: { ".": { raw: `${raw}\r\n` } },
    play: async (talk) => {
      const client = await talk.open();
      assertCode(await deliver(client), 421, 451);
      client.close();
    },
  })),
]);
