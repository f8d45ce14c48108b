// The content: where it ends, what it may hold, and that it arrives as it was sent.
//
// CR LF . CR LF ends a message, in any packets, and nothing else does. Independent readers (oracle.ts) read what
// downstream gets. Each of them takes other bytes for a line end. All must see the same single end of data.

import assert from "node:assert/strict";
import { type Client } from "../rig/client.ts";
import { show, utf8 } from "../rig/octets.ts";
import { fooledReaders, seeded, stuff, unstuff } from "./oracle.ts";
import { type Case, CONTENT, deliver, expectUsable, startMessage, table, type Talk } from "./rig.ts";

/** Says the content and the final dot in one of a few ways. */
type Way = readonly [string, (client: Client, text: string) => Promise<void>];
const WHOLE: Way = ["in one packet", (client, text) => client.say(text)];
const BYTES: Way = ["octet by octet", (client, text) => client.sayOctetByOctet(text)];
const PAIRS: Way = ["in packets of two bytes", (client, text) => client.sayInPieces(text.match(/[^]{1,2}/g) ?? [])];

/** The one message that downstream got; no reader must be fooled by it. */
function theMessage(talk: Talk): string {
  assert.equal(talk.downstream.messages.length, 1, show(talk.downstream.received, 2000));
  const { wire, text } = talk.downstream.messages[0]!;
  assert.deepEqual(fooledReaders(wire), [], show(wire, 2000));
  return text;
}

/** Byte sequences that some server has taken for the end of data. None of them is. */
const NO_ENDS: readonly string[] = [
  "\n.\n",
  "\n.\r\n",
  "\r\n.\n",
  "\r.\r",
  "\r\n.\r",
  "\r\n.\rX",
  "\r.\r\n",
  "\r.\n",
  "\n.\r",
  "\r\n\0.\r\n",
  "\r\n.\0\r\n",
  "\r\n.\r\0\n",
  "\r\0\n.\r\n",
  "\0\r\n\0.\0\r\0\n",
  "\r\n\0\0.\r\n",
  "\n\0.\n",
  "\n.\0\n",
  "\0.\0",
  "\r\r\n.\r\r\n",
  "\r\n.\r\r\n",
  "\r\n\r.\r\n",
  "\r\n.\n\r\n",
  "\n\r.\n\r",
  "\n\n.\n\n",
  "\r\r.\r\r",
  "\r\n .\r\n",
  "\r\n. \r\n",
  "\r\n.\t\r\n",
  "\r\n..\r\n",
  "\r\n...\r\n",
  "\r\n..\n",
  "\n..\r\n",
  "\r..\r",
  "\r\n.\0.\r\n",
  "\r\n.\x1a\r\n",
  "\r\n\x1a.\r\n",
  "\r\n.\x85",
  "\x85.\x85",
  "\x0b.\x0b",
  "\x0c.\x0c",
  "\r\n.x\r\n",
  "\r\n.MAIL FROM:<evil@example.org>\r\n",
  "\r\n\r\n.\r",
  "\r\0.\r\0",
  "\r\n\xff.\r\n",
];
const SMUGGLED = "MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\nsmuggled\r\n";

table("What does not end a message", { shared: true }, [
  ...[WHOLE, BYTES].flatMap(([way, say]) =>
    NO_ENDS.map((sequence): Case => ({
      name: `${show(sequence)} ${way}`,
      play: async (talk) => {
        const client = await talk.open();
        await startMessage(client);
        await say(client, `Subject: x\r\n\r\nbefore${sequence}${SMUGGLED}.\r\n`);
        await client.expect(250);
        const text = theMessage(talk);
        assert.ok(text.startsWith("Subject: x\r\n\r\nbefore"));
        assert.ok(text.endsWith(SMUGGLED), show(text));
        assert.ok(!talk.downstream.lines.includes("MAIL FROM:<evil@example.org>"));
        await client.expect(250, "NOOP");
        assert.equal(client.unheard, "");
      },
    }))
  ),
  // At the very start of the content, and at its end.
  ...["\n.\n", ".\n", ".\r", ".\r\r\n", "\r.\r\n", "\0.\r\n", ".\0\r\n", "\n.\r\n", ".\rX\r\n", "\0\0.\0\r\n"].map((
    sequence,
  ): Case => ({
    name: `${show(sequence)} at the very start`,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say(`${sequence}${SMUGGLED}.\r\n`);
      await client.expect(250);
      assert.ok(theMessage(talk).endsWith(SMUGGLED));
      await client.expect(250, "NOOP");
    },
  })),
  ...["\n", "\r", "\0", "\n.", "\r.", "\0.", ".", "\r\n\0.", "\r\n.\0", "\n\n", "\r\r", "\r\n\r"].map((
    sequence,
  ): Case => ({
    name: `${show(sequence)} before the true end`,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say(`before${sequence}\r\n.\r\n`);
      await client.expect(250);
      assert.ok(theMessage(talk).startsWith("before"));
      await client.expect(250, "NOOP");
    },
  })),
  {
    name: "commands after the true end, in the same packet, are commands",
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say("body\r\n.\r\nNOOP one\r\n.\r\nNOOP two\r\n");
      await client.expect(250);
      await client.expect(250);
      await client.expect(500);
      await client.expect(250);
      talk.passed("body\r\n");
      assert.deepEqual(talk.downstream.lines.slice(-3), ["NOOP one", ".", "NOOP two"]);
    },
  },
  ...Array.from({ length: 4 }, (_, at): Case => ({
    name: `the true end, cut after ${at + 1} bytes`,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      const end = "\r\n.\r\n";
      await client.sayInPieces([`body${end.slice(0, at + 1)}`, end.slice(at + 1)]);
      await client.expect(250);
      talk.passed("body\r\n");
    },
  })),
]);

const FUZZ_SEED = Number(Deno.env.get("POSTPROX_TEST_SEED") ?? Math.floor(Math.random() * 2 ** 31));

table("Random content over {a, dot, CR, LF, NUL}", { shared: true }, [
  ...[WHOLE, PAIRS].map(([way, say]): Case => ({
    name: `60 messages ${way}, seed ${FUZZ_SEED}`,
    play: async (talk) => {
      const random = seeded(FUZZ_SEED);
      const client = await talk.open();
      for (let round = 0; round < 60; round++) {
        const alphabet = ["a", ".", "\r", "\n", "\0", "\r\n", "\r\n.", ".\r\n"];
        const parts = Array.from({ length: Math.floor(random() * 30) }, () => alphabet[Math.floor(random() * 8)]!);
        const content = `${parts.join("").split("\r\n.\r\n").join("\r\n..\r\n")}a\r\n`.replace(/^\.\r\n/, "..\r\n");
        if (`\r\n${content}`.includes("\r\n.\r\n")) continue;
        talk.downstream.last.forget();
        await startMessage(client);
        await say(client, `${content}.\r\n`);
        await client.expect(250);
        const told = `seed ${FUZZ_SEED}, round ${round}: ${show(content)}`;
        assert.equal(talk.downstream.messages.length, 1, told);
        const { wire, text } = talk.downstream.messages[0]!;
        assert.deepEqual(fooledReaders(wire), [], `${told} became ${show(wire)}`);
        // Whatever was done about CR, LF, NUL and dots, no other byte is lost or added.
        assert.equal(text.replace(/[^a]/g, ""), content.replace(/[^a]/g, ""), told);
        if (!/\0|\r(?!\n)|(?<!\r)\n/.test(content)) assert.equal(text, unstuff(content), told);
      }
    },
  })),
]);

/** Bare LF: what is sent, and what downstream must get as decoded text. */
const BARE_LF: readonly (readonly [string, string])[] = [
  ["a\nb\r\n", "a\r\nb\r\n"],
  ["Subject: x\n\nbody\n\r\n", "Subject: x\r\n\r\nbody\r\n\r\n"],
  ["a\n.b\r\n", "a\r\n.b\r\n"],
  ["a\n\n\nb\r\n", "a\r\n\r\n\r\nb\r\n"],
  ["\n\r\n", "\r\n\r\n"],
  ["a\r\nb\nc\r\n", "a\r\nb\r\nc\r\n"],
  ["a\nb\nc\n\r\n", "a\r\nb\r\nc\r\n\r\n"],
];

table("A bare LF is a line end", { shared: true }, [
  ...[WHOLE, BYTES].flatMap(([way, say]) =>
    BARE_LF.map(([content, expected]): Case => ({
      name: `${show(content)} ${way}`,
      play: async (talk) => {
        const client = await talk.open();
        await startMessage(client);
        await say(client, `${content}.\r\n`);
        await client.expect(250);
        const text = theMessage(talk);
        // A dot after a bare LF is the message's own or a stuffed one; both readings are known.
        assert.ok(text === expected || text === unstuff(expected), show(text));
      },
    }))
  ),
]);

table("--bare-newline=reject", { spawn: "first row", options: () => ["--bare-newline=reject"], filter: true }, [
  ...[
    "a\nb\r\n",
    "\n\r\n",
    "a\n.\nMAIL FROM:<evil@example.org>\r\n",
    "a\n.\r\nMAIL FROM:<evil@example.org>\r\n",
    "a\r\n.\nMAIL FROM:<evil@example.org>\r\n",
    "a\rb\r\n",
    "a\r.\rb\r\n",
    "a\r\r\n",
    `${"long line\r\n".repeat(20_000)}a\nb\r\n`,
    `a\nb\r\n${"long line\r\n".repeat(20_000)}`,
  ].map((content): Case => ({
    name: `${show(content, 60)}: 550 5.5.2 at the true end, no filter, and the session goes on`,
    filter: 'touch "$D/ran"',
    play: async (talk) => {
      const client = await talk.open();
      const reply = await deliver(client, content);
      assert.match(reply.raw, /^550 5\.5\.2 [^\r]+\r\n$/);
      assert.ok(!talk.hasFile("ran"));
      talk.nothingPassed();
      await expectUsable(client);
    },
  })),
  {
    name: "a message of CRLF lines passes",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, "a\r\n..b\r\n\0c\r\n\r\n")).code, 250);
      talk.passed("a\r\n.b\r\n\0c\r\n\r\n");
      await expectUsable(client);
    },
  },
]);

table("--bare-newline=accept", { spawn: "first row", options: () => ["--bare-newline=accept"] }, [
  {
    name: "a bare LF passes as CRLF",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, "a\nb\r\n")).code, 250);
      talk.passed("a\r\nb\r\n");
    },
  },
]);

/** Every byte but CR, LF and NUL. */
const ALL_BYTES = Array.from({ length: 255 }, (_, i) => String.fromCharCode(i + 1)).join("").replace(/[\r\n]/g, "");

/** Messages of CRLF lines, as they are meant (not stuffed). */
const TEXTS: readonly (readonly [string, string])[] = [
  ["an ordinary message", CONTENT],
  ["an empty message", ""],
  ["headers and no body", "Subject: x\r\nFrom: <a@example.org>\r\n"],
  ["headers, an empty line and no body", "Subject: x\r\n\r\n"],
  ["one empty line", "\r\n"],
  ["many empty lines", "\r\n".repeat(500)],
  ["empty lines at the end", "Subject: x\r\n\r\nbody\r\n\r\n\r\n\r\n"],
  ["empty lines at the start", "\r\n\r\n\r\nbody\r\n"],
  ["a dot", ".\r\n"],
  ["two dots", "..\r\n"],
  ["lines of dots", Array.from({ length: 20 }, (_, i) => `${".".repeat(i)}\r\n`).join("")],
  ["a dot before text", "a\r\n.b\r\n..c\r\n. d\r\n"],
  ["dots in the middle of lines", "a.b\r\n.\r\nc.\r\nd..\r\n"],
  ["blanks and tabs at line ends", "a \r\nb\t\r\n \r\n\t\r\n"],
  ["a From line", "From sender Thu Jan  1 00:00:00 1970\r\nSubject: x\r\n\r\nFrom here\r\n>From there\r\n"],
  ["UTF-8", utf8("Subject: grüße\r\n\r\nПривет, 世界\r\n")],
  ["every byte but CR, LF and NUL", `${ALL_BYTES}\r\n`],
  ["every byte, one per line", ALL_BYTES.split("").map((byte) => `x${byte}x\r\n`).join("")],
  ["NUL inside lines", "a\0b\r\na\0\0\0b\r\n"],
  ["NUL at line starts and ends", "\0a\r\nb\0\r\n\0\r\n"],
  ["lines that look like commands", "QUIT\r\nRSET\r\nDATA\r\nMAIL FROM:<a@example.org>\r\nBDAT 10 LAST\r\n"],
  ["lines that look like replies", "250 ok\r\n354 go\r\n421 bye\r\n"],
  ["a line of 998 bytes", `${"x".repeat(998)}\r\n`],
  ["a line of 1 MB", `short\r\n${"x".repeat(1_000_000)}\r\nshort\r\n`],
  ["a line of 1 MB of dots", `${".".repeat(1_000_000)}\r\n`],
  ["a line of 300 kB of 8-bit bytes", `${ALL_BYTES.repeat(1200)}\r\n`],
  ["5 MB of lines", "0123456789 abcdefghijklmnopqrstuvwxyz 0123456789 abcdefghijklmnopqrst\r\n".repeat(70_000)],
  ["200,000 lines of one dot", ".\r\n".repeat(200_000)],
  ["200,000 empty lines", "\r\n".repeat(200_000)],
  // A dot, a CR or an LF at the places where programs cut their buffers.
  ...[1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072].flatMap((size) =>
    [-3, -2, -1, 0, 1].map((shift): [string, string] => [
      `a dot line around byte ${size}${shift < 0 ? shift : `+${shift}`}`,
      `${"x".repeat(size + shift - 2)}\r\n.\r\n..\r\nend\r\n`,
    ])
  ),
];

table("Fidelity", { filter: true }, [{
  name: "one session carries all of these, and each arrives byte for byte",
  filter: 'cp "$EMAIL" "$D/email"',
  play: async (talk) => {
    const client = await talk.open();
    for (const [name, text] of TEXTS) {
      talk.downstream.last.forget();
      await startMessage(client);
      await client.say(`${stuff(text)}.\r\n`);
      await client.expect(250);
      const message = talk.downstream.messages[0]!;
      assert.ok(message.text === text, `${name}: sent ${show(text)}, downstream got ${show(message.text)}`);
      if (!text.includes("\0")) {
        assert.ok(message.wire === `${stuff(text)}.\r\n`, `${name}: on the wire ${show(message.wire)}`);
      }
      const spooled = text === "" ? "" : await talk.file("email");
      assert.ok(spooled === text.replaceAll("\r\n", "\n"), `${name}: the filter saw ${show(spooled)}`);
      Deno.removeSync(`${talk.dir}/email`);
    }
  },
}]);

const TRICKLE = `Subject: trickle\r\n\r\n${"0123456789\r\n".repeat(800)}`;

table("Content that comes in the least convenient packets", {}, [
  {
    name: "9,600 octets, one by one",
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.sayOctetByOctet(`${TRICKLE}.\r\n`);
      await client.expect(250);
      assert.equal(theMessage(talk), TRICKLE);
      await expectUsable(client);
    },
  },
  ...[4090, 4091, 4092, 4093, 4094, 4095, 4096, 4097].map((count): Case => ({
    name: `two octets, and then ${count} times a dot behind a bare CR, which becomes two, and one more`,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.sayInPieces(["a\r", `${".\r".repeat(count)}x`, "\r\n.\r\n"]);
      await client.expect(250);
      assert.equal(talk.downstream.messages.length, 1);
      await expectUsable(client);
    },
  })),
]);

table("Fidelity, one by one", { shared: true }, [
  ...TEXTS.filter(([, text]) => text.length < 200_000).map(([name, text]): Case => ({
    name,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say(`${stuff(text)}.\r\n`);
      await client.expect(250);
      assert.ok(
        theMessage(talk) === text,
        `sent ${show(text)}, downstream got ${show(talk.downstream.messages[0]!.text)}`,
      );
    },
  })),
  ...TEXTS.filter(([, text]) => text.length < 2_000).map(([name, text]): Case => ({
    name: `${name}, byte by byte`,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.sayOctetByOctet(`${stuff(text)}.\r\n`);
      await client.expect(250);
      assert.ok(
        theMessage(talk) === text,
        `sent ${show(text)}, downstream got ${show(talk.downstream.messages[0]!.text)}`,
      );
    },
  })),
  {
    name: "a client that stuffs more lines than it must: one dot is taken from each",
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say(".one\r\n..two\r\n...three\r\n.\r\n");
      await client.expect(250);
      assert.equal(theMessage(talk), "one\r\n.two\r\n..three\r\n");
    },
  },
  {
    name: "a message in 3,000 small packets",
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      const pieces = Array.from({ length: 3000 }, (_, i) => `piece ${i}${i % 7 === 6 ? "\r\n" : ","}`);
      for (const piece of pieces) await client.say(piece);
      await client.say("\r\n.\r\n");
      await client.expect(250);
      assert.equal(theMessage(talk), `${pieces.join("")}\r\n`);
    },
  },
]);

table("A limit on the size of messages", {
  spawn: "first row",
  filter: true,
  options: () => ["--max-message-size=5000"],
}, [
  {
    name: "a larger message: 552 after its end, no filter, and the session goes on",
    filter: 'touch "$D/ran"',
    play: async (talk) => {
      const client = await talk.open();
      const reply = await deliver(client, "0123456789abcdef\r\n".repeat(5000));
      assert.match(reply.raw, /^552 5\.3\.4 /);
      assert.ok(!talk.hasFile("ran"));
      talk.nothingPassed();
      await expectUsable(client);
    },
  },
  {
    name: "a smaller message passes",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, "0123456789abcd\r\n".repeat(300))).code, 250);
      talk.passed("0123456789abcd\r\n".repeat(300));
    },
  },
  {
    name: "MAIL with SIZE over the limit is refused, or the message is",
    play: async (talk) => {
      const client = await talk.open();
      const reply = await client.ask("MAIL FROM:<a@example.org> SIZE=6000");
      if (reply.code === 250) {
        await client.expect(250, "RCPT TO:<b@example.org>");
        await client.expect(354, "DATA");
        await client.say(`${"0123456789abcd\r\n".repeat(375)}.\r\n`);
        await client.expect(552);
      } else {
        assert.equal(reply.code, 552);
      }
      talk.nothingPassed();
    },
  },
]);
