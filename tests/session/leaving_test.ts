// The session notices that one side leaves, during any wait for the other side (session.ts, downstream.ts,
// waiting.ts).
//
// A client that resets the connection is gone at once. A client that closed its sending side gets replies for 3 s, and
// longer only if it sent a QUIT before. But nothing is delivered for it. If downstream leaves, even a silent client
// hears of it.

import assert from "node:assert/strict";
import { Conversation, type ConversationOptions } from "../fakes/conversation.ts";
import { settled } from "../fakes/settled.ts";

// A client is not watched before downstream has been slow for a moment.
const MOMENT = 100;

const BYE = "421 4.3.0 Service not available, closing connection\r\n";

async function greeted(options?: ConversationOptions): Promise<Conversation> {
  const talk = new Conversation(options);
  await talk.start();
  talk.downstream.say("220 mx\r\n");
  await settled();
  assert.equal(talk.client.hear(), "220 mx\r\n");
  return talk;
}

/** Downstream is asked something that it does not answer. */
async function asked(...commands: readonly string[]): Promise<Conversation> {
  const talk = await greeted();
  for (const command of commands.slice(0, -1)) {
    await talk.exchange(command, command.startsWith("AUTH") ? "334 more" : "250 Ok");
  }
  talk.client.say(`${commands.at(-1)}\r\n`);
  await settled();
  assert.equal(talk.downstream.hear(), `${commands.at(-1)}\r\n`);
  return talk;
}

async function messageSaid(options?: ConversationOptions): Promise<Conversation> {
  const talk = new Conversation(options);
  await talk.startMessage();
  talk.client.say(`${"x".repeat(200_000)}\r\n.\r\n`);
  await settled();
  return talk;
}

// The wait, its name in the log, and whether it is for a message. A message is not delivered if its client is gone.
const AWAITED: readonly { what: string; doing: string; begin: () => Promise<Conversation>; isMessage?: true }[] = [
  {
    what: "the connection",
    doing: "connecting",
    begin: async () => {
      const talk = new Conversation();
      talk.runtime.network.downstream = "silent";
      await talk.start();
      return talk;
    },
  },
  {
    what: "the greeting",
    doing: "waiting for the greeting",
    begin: async () => {
      const talk = new Conversation();
      await talk.start();
      return talk;
    },
  },
  {
    what: "the rest of the greeting",
    doing: "waiting for the greeting",
    begin: async () => {
      const talk = new Conversation();
      await talk.start();
      talk.downstream.say("220-mx\r\n220 gre");
      await settled();
      return talk;
    },
  },
  ...[
    ["EHLO a"],
    ["HELO a"],
    ["XFORWARD ADDR=192.0.2.1"],
    ["MAIL FROM:<a@b>"],
    ["MAIL FROM:<a@b>", "RCPT TO:<c@d>"],
    ["RSET"],
    ["VRFY a"],
    ["AUTH LOGIN"],
  ].map((commands) => ({
    what: `the reply to ${commands.at(-1)}`,
    doing: commands.at(-1)!.split(" ", 1)[0]!,
    begin: () => asked(...commands),
  })),
  { what: "the reply to a line of AUTH", doing: "AUTH", begin: () => asked("AUTH LOGIN", "bWU=") },
  {
    what: "the reply to our own NOOP, behind which a command waits",
    doing: "HELP",
    begin: async () => {
      const talk = await greeted({ options: { keepalive: 5_000 } });
      await talk.runtime.clock.advance(5_000);
      assert.equal(talk.downstream.hear(), "NOOP\r\n");
      talk.client.say("HELP\r\n");
      await settled();
      return talk;
    },
  },
  {
    what: "the reply to our own RSET, behind which a command waits",
    doing: "MAIL",
    begin: async () => {
      const talk = new Conversation({ filter: true });
      await talk.startMessage();
      talk.client.say(".\r\n");
      await settled();
      talk.filter.exit(1);
      await settled();
      assert.equal(talk.downstream.hear(), "RSET\r\n");
      assert.equal(talk.client.hear(), "554 5.7.1 Content rejected\r\n");
      talk.client.say("MAIL FROM:<a@b>\r\n");
      await settled();
      return talk;
    },
  },
  { what: "the reply to DATA", doing: "DATA", begin: () => messageSaid(), isMessage: true },
  {
    what: "downstream to take the content",
    doing: "DATA",
    begin: async () => {
      const talk = await messageSaid();
      talk.downstream.stallWrites();
      talk.downstream.say("354 Go on\r\n");
      await settled();
      return talk;
    },
    isMessage: true,
  },
  {
    what: "the reply to our own NOOP, behind which DATA waits",
    doing: "DATA",
    begin: async () => {
      const talk = await messageSaid({ filter: true, options: { keepalive: 5_000 } });
      await talk.runtime.clock.advance(5_000);
      assert.equal(talk.downstream.hear(), "NOOP\r\n");
      talk.filter.exit(0);
      await settled();
      return talk;
    },
    isMessage: true,
  },
  {
    what: "the filter",
    doing: "DATA",
    begin: async () => {
      const talk = await messageSaid({ filter: true });
      assert.ok(!talk.filter.isEnded);
      return talk;
    },
    isMessage: true,
  },
];

for (const { what, doing, begin, isMessage } of AWAITED) {
  for (const how of ["reset", "end", "close"] as const) {
    Deno.test(`a client that leaves (${how}) while it waits for ${what} holds nothing`, async () => {
      const talk = await begin();
      const { clock } = talk.runtime;
      await clock.advance(MOMENT);
      talk.client[how]();
      await settled();
      if (how !== "reset" && !isMessage) {
        assert.equal(talk.end, undefined, "it may have closed its sending side alone");
        await clock.advance(2_899);
        assert.equal(talk.end, undefined);
        await clock.advance(1);
      }
      assert.equal(talk.end, "ended");
      const [line] = talk.logger.find("lost connection with client");
      const shown = doing.includes(" ") ? `"${doing}"` : doing;
      assert.ok(line?.includes(` doing=${shown} reason="client left`), `${line}`);
      assert.deepEqual(talk.logger.find("possible duplicate"), []);
      assert.doesNotMatch(talk.downstreamHeard, /\r\n\.\r\n$/);
      // A connection that comes too late is closed then.
      if (what === "the connection") await clock.advance(30_000);
      await talk.assertOver();
    });
  }
}

Deno.test("a client that has closed its sending side hears its outstanding replies within 3 s", async () => {
  const talk = new Conversation();
  await talk.start();
  talk.client.say("EHLO a\r\nNOOP\r\nNOOP\r\n");
  talk.client.end();
  await talk.runtime.clock.advance(MOMENT);
  talk.downstream.say("220 mx\r\n");
  await settled();
  assert.equal(talk.client.hear(), "220 mx\r\n");
  assert.equal(talk.downstream.hear(), "EHLO a\r\n");
  talk.downstream.say("250 mx\r\n");
  await settled();
  assert.equal(talk.downstream.hear(), "NOOP\r\n");
  await talk.runtime.clock.advance(2_000);
  talk.downstream.say("250 one\r\n");
  await settled();
  assert.equal(talk.downstream.hear(), "NOOP\r\n");
  await talk.runtime.clock.advance(899);
  assert.equal(talk.end, undefined);
  await talk.runtime.clock.advance(1);
  assert.equal(talk.end, "ended");
  assert.equal(talk.client.hear(), "250 mx\r\n250 one\r\n");
  await talk.assertOver();
});

Deno.test("a client that has closed its sending side and is answered is let go at once", async () => {
  const talk = await greeted();
  talk.client.say("NOOP\r\n");
  talk.client.end();
  await settled();
  talk.downstream.say("250 Ok\r\n");
  await settled();
  assert.equal(talk.client.hear(), "250 Ok\r\n");
  assert.equal(talk.end, "ended");
  talk.downstream.hear();
  await talk.assertOver();
});

Deno.test("a QUIT that the client sent before it closed its sending side is answered, and everything before it", async () => {
  for (const quit of ["QUIT", " quit ", "QUIT\t"]) {
    const talk = new Conversation();
    await talk.start();
    talk.client.say(`NOOP\r\nVRFY a\r\n${quit}\r\n`);
    talk.client.end();
    const { clock } = talk.runtime;
    await clock.advance(9_000);
    talk.downstream.say("220 mx\r\n");
    for (const [command, reply] of [["NOOP", "250 one"], ["VRFY a", "252 two"], [quit, "221 Bye"]] as const) {
      await settled();
      assert.equal(talk.downstream.hear(), `${command}\r\n`);
      await clock.advance(9_000);
      talk.downstream.say(`${reply}\r\n`);
    }
    await settled();
    assert.equal(talk.client.hear(), "220 mx\r\n250 one\r\n252 two\r\n221 Bye\r\n");
    await talk.assertOver();
  }
});

Deno.test("a QUIT inside a message's content is no QUIT that waits", async () => {
  const talk = new Conversation({ filter: true });
  await talk.startMessage();
  talk.client.say("one\r\nQUIT\r\n.\r\nNOOP\r\n");
  talk.client.end();
  await settled();
  assert.deepEqual(talk.runtime.processes.children, []);
  assert.equal(talk.downstream.hear(), "QUIT\r\n");
  await talk.assertOver();
});

Deno.test("if downstream does not answer a QUIT, we answer, if the client has closed its sending side", async () => {
  for (const ends of ["before", "after"] as const) {
    const talk = await greeted();
    talk.client.say("QUIT\r\n");
    if (ends === "before") talk.client.end();
    await settled();
    assert.equal(talk.downstream.hear(), "QUIT\r\n");
    await talk.runtime.clock.advance(MOMENT);
    if (ends === "after") talk.client.end();
    await talk.runtime.clock.advance(9_999);
    assert.equal(talk.client.hear(), "");
    await talk.runtime.clock.advance(1);
    assert.equal(talk.client.hear(), "221 2.0.0 Bye\r\n");
    await talk.assertOver();
  }
});

Deno.test("a QUIT is waited for as long as any reply while the client stays, and no more when it is reset", async () => {
  for (const resets of [false, true]) {
    const talk = await asked("QUIT");
    await talk.runtime.clock.advance(299_999);
    assert.equal(talk.end, undefined);
    if (resets) talk.client.reset();
    else await talk.runtime.clock.advance(1);
    await settled();
    assert.equal(talk.client.hear(), resets ? "" : "221 2.0.0 Bye\r\n");
    await talk.assertOver();
  }
});

Deno.test("the outcome of a message whose final dot is out is awaited 3 s more when the client leaves", async () => {
  for (const how of ["reset", "close", "end"] as const) {
    for (const reply of ["250 Taken", "550 No", undefined]) {
      const talk = await messageSaid();
      talk.downstream.say("354 Go on\r\n");
      await settled();
      assert.match(talk.downstream.hear(), /\r\n\.\r\n$/);
      talk.client[how]();
      await talk.runtime.clock.advance(2_999);
      assert.equal(talk.end, undefined);
      if (reply) talk.downstream.say(`${reply}\r\n`);
      else await talk.runtime.clock.advance(1);
      await settled();
      assert.equal(talk.end, "ended");
      const lines = talk.logger.find("possible duplicate");
      assert.equal(lines.length, reply === "550 No" ? 0 : 1, `${how} ${reply}`);
      if (!reply) assert.match(lines[0]!, /outcome of the message downstream is not known reason="client left/);
      await talk.assertOver();
    }
  }
});

Deno.test("a signal to end changes nothing while a client that has left is awaited", async () => {
  const talk = await messageSaid();
  talk.downstream.say("354 Go on\r\n");
  await settled();
  talk.client.reset();
  await talk.runtime.clock.advance(1_000);
  talk.session.shutDown();
  await talk.runtime.clock.advance(2_000);
  assert.equal(talk.end, "ended");
  await talk.assertOver();
});

// --- downstream leaves

const FAREWELL = "421-4.4.2 mx has waited\r\n421 4.4.2 long enough\r\n";

const LEAVES: readonly { how: string; leave: (talk: Conversation) => void | Promise<void>; hears: string }[] = [
  { how: "421", leave: ({ downstream }) => downstream.say(FAREWELL), hears: FAREWELL },
  {
    how: "421 and the end",
    leave: ({ downstream }) => {
      downstream.say(FAREWELL);
      downstream.close();
    },
    hears: FAREWELL,
  },
  {
    how: "421 in pieces",
    leave: async ({ downstream }) => {
      for (const piece of ["4", "21-4.4.2 mx has waited\n", "421 4.4.2 long enough", "\r\n"]) {
        downstream.say(piece);
        await settled();
      }
    },
    hears: FAREWELL,
  },
  { how: "closing", leave: ({ downstream }) => downstream.close(), hears: BYE },
  { how: "a reset", leave: ({ downstream }) => downstream.reset(), hears: BYE },
  {
    how: "half a 421 and the end",
    leave: ({ downstream }) => {
      downstream.say("421-4.4.2 mx\r\n421 4.4");
      downstream.close();
    },
    hears: BYE,
  },
  {
    how: "a reply to nothing and the end",
    leave: ({ downstream }) => {
      downstream.say("250 Ok\r\n");
      downstream.close();
    },
    hears: BYE,
  },
];

const SILENT: readonly { when: string; begin: () => Promise<Conversation> }[] = [
  { when: "after the greeting", begin: () => greeted() },
  {
    when: "in a transaction",
    begin: async () => {
      const talk = await greeted();
      await talk.exchange("MAIL FROM:<a@b>", "250 Ok");
      return talk;
    },
  },
  {
    when: "with half a command",
    begin: async () => {
      const talk = await greeted();
      talk.client.say("NO");
      await settled();
      return talk;
    },
  },
  {
    when: "in AUTH",
    begin: async () => {
      const talk = await greeted();
      await talk.exchange("AUTH LOGIN", "334 more");
      return talk;
    },
  },
  {
    when: "after a message",
    begin: async () => {
      const talk = await messageSaid();
      assert.match(await talk.takeMessage("250 Taken\r\n"), /\r\n\.\r\n$/);
      assert.equal(talk.client.hear(), "250 Taken\r\n");
      return talk;
    },
  },
  {
    when: "while our own NOOP is answered",
    begin: async () => {
      const talk = await greeted({ options: { keepalive: 5_000 } });
      await talk.runtime.clock.advance(5_000);
      assert.equal(talk.downstream.hear(), "NOOP\r\n");
      return talk;
    },
  },
];

for (const { when, begin } of SILENT) {
  for (const { how, leave, hears } of LEAVES) {
    // There it is no reply to nothing.
    if (when.includes("NOOP") && how.startsWith("a reply")) continue;
    Deno.test(`downstream that leaves (${how}) reaches a client that is silent ${when}`, async () => {
      const talk = await begin();
      await leave(talk);
      await settled();
      assert.equal(talk.client.hear(), hears);
      assert.equal(talk.downstream.hear(), "");
      const doing = when === "in AUTH" ? "AUTH" : '"waiting for a command"';
      assert.match(talk.logger.find("lost connection with downstream").join(), new RegExp(`doing=${doing} reason=`));
      await talk.assertOver();
    });
  }
}

Deno.test("downstream that leaves in its reply to our own RSET reaches the client after the reply to its message", async () => {
  for (const early of [false, true]) {
    const talk = new Conversation({ filter: true });
    await talk.startMessage();
    if (early) talk.client.stallWrites();
    talk.client.say(".\r\n");
    await settled();
    talk.filter.exit(1);
    await settled();
    assert.equal(talk.downstream.hear(), "RSET\r\n");
    talk.downstream.say("421 4.3.2 going\r\n");
    await settled();
    talk.client.takeWrites();
    await settled();
    assert.equal(talk.client.hear(), "554 5.7.1 Content rejected\r\n421 4.3.2 going\r\n");
    await talk.assertOver();
  }
});

Deno.test("downstream's 421 that crosses the client's command is the reply to that command", async () => {
  const talk = await greeted();
  talk.downstream.say("421 4.4.2 timeout\r\n");
  talk.client.say("NOOP\r\n");
  await settled();
  assert.equal(talk.client.hear(), "421 4.4.2 timeout\r\n");
  await talk.assertOver();
});

Deno.test("downstream that leaves while a client sends its message: 451 to that, and a QUIT is answered", async () => {
  for (const said of ["421 4.4.2 timeout\r\n", ""]) {
    const talk = new Conversation();
    await talk.startMessage();
    talk.client.say("one\r\n");
    talk.downstream.say(said);
    talk.downstream.close();
    await settled();
    assert.equal(talk.client.hear(), "");
    talk.client.say(".\r\n");
    await settled();
    assert.equal(talk.client.hear(), "451 4.3.0 Message could not be handled, try again later\r\n");
    talk.client.say("QUIT\r\n");
    await settled();
    assert.equal(talk.client.hear(), "221 2.0.0 Bye\r\n");
    await talk.assertOver();
  }
});

Deno.test("commands that are under way when downstream leaves get their replies, and a QUIT gets ours", async () => {
  const talk = await greeted();
  talk.client.say("NOOP\r\nQUIT\r\n");
  await settled();
  assert.equal(talk.downstream.hear(), "NOOP\r\n");
  talk.downstream.say("250 Ok\r\n");
  talk.downstream.close();
  await settled();
  assert.equal(talk.client.hear(), "250 Ok\r\n221 2.0.0 Bye\r\n");
  await talk.assertOver();
});
