// Tests of lib/session/admission.ts and transaction.ts in a session: what restrictions see, and what checks get.

import assert from "node:assert/strict";
import type { Judge, JudgeOptions } from "../../lib/checks/check.ts";
import type { Restriction } from "../../lib/restrictions/restriction.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { Conversation, type ConversationOptions } from "../fakes/conversation.ts";
import { settled } from "../fakes/settled.ts";

async function greeted(options: ConversationOptions): Promise<Conversation> {
  const talk = new Conversation(options);
  await talk.start();
  talk.downstream.say("220 mx\r\n");
  await settled();
  talk.client.hear();
  return talk;
}

/** A judge that keeps what is asked for. */
function watcher(): { judge: Judge; all: JudgeOptions["asked"][] } {
  const all: JudgeOptions["asked"][] = [];
  const judge: Judge = {
    needsFile: false,
    judge: async (message, { asked, notice }) => {
      assert.ok(Object.isFrozen(message.envelope) && Object.isFrozen(message.envelope.recipients));
      all.push(asked);
      notice("seen by\r\nthe watcher");
      return { decision: { kind: "pass", why: "seen", message }, findings: [], time: 0 };
    },
  };
  return { judge, all };
}

async function sendMessage(talk: Conversation, rcpts: readonly [address: string, reply: string][]): Promise<void> {
  await talk.exchange("MAIL FROM:<a@b>", "250 Ok");
  for (const [address, reply] of rcpts) await talk.exchange(`RCPT TO:<${address}>`, reply);
  talk.client.say("DATA\r\n");
  await settled();
  talk.client.hear();
  talk.client.say(".\r\n");
  await talk.takeMessage();
  assert.equal(talk.client.hear(), "250 2.0.0 Taken\r\n");
}

Deno.test("checks get what the rules ask for, for any recipient that downstream accepted", async () => {
  const rules = `allow-filter:ALL:ALL:filter@mx
allow-extchk:ALL:ALL:extchk@mx
allow-extchk|allow-filter:ALL:ALL:both@mx
`;
  const rows: [string[], string[]][] = [
    [["filter@mx"], ["filter"]],
    [["extchk@mx", "none@mx"], ["extchk"]],
    [["none@mx"], []],
    [["filter@mx", "extchk@mx"], ["filter", "extchk"]],
    [["none@mx", "both@mx"], ["extchk", "filter"]],
  ];
  const { judge, all } = watcher();
  const talk = await greeted({ judge, rules });
  for (const [addresses, expected] of rows) {
    // One that downstream refuses asks for nothing.
    await sendMessage(talk, [...addresses.map((address): [string, string] => [address, "250 Ok"]), [
      "both@mx",
      "550 No",
    ]]);
    assert.deepEqual(all.pop(), new Set(expected), addresses.join());
  }
  assert.equal(talk.logger.find("seen by\\x0d\\x0athe watcher").length, rows.length);
  await talk.quit();
});

Deno.test("without a rules file nobody asks for a content check, so all run", async () => {
  const { judge, all } = watcher();
  const other: Restriction = { name: "other", recipient: async () => ({ kind: "allow" }) };
  for (const options of [{ judge }, { judge, restriction: other }]) {
    const talk = await greeted(options);
    await sendMessage(talk, [["c@mx", "250 Ok"]]);
    assert.deepEqual(all.splice(0), [undefined]);
    await talk.quit();
  }
});

Deno.test("a sender is refused before downstream hears of it, and the session goes on", async () => {
  const seen: unknown[] = [];
  const restriction: Restriction = {
    name: "sender",
    sender: async ({ sender, recipients, client: { helo } }, { client: { address } }) => {
      seen.push([sender, [...recipients], helo, address]);
      return sender === "bad@b" ? { kind: "refuse", why: "bad", reply: formatReply("550 Bad") } : { kind: "allow" };
    },
  };
  const talk = await greeted({ restriction });
  await talk.exchange("XFORWARD ADDR=192.0.2.1 HELO=h", "250 Ok");
  talk.client.say("MAIL FROM:<bad@b>\r\nRCPT TO:<c@d>\r\n");
  await settled();
  assert.equal(talk.downstream.hear(), "RCPT TO:<c@d>\r\n");
  talk.downstream.say("503 MAIL first\r\n");
  await settled();
  assert.equal(talk.client.hear(), "550 Bad\r\n503 MAIL first\r\n");
  await talk.exchange("MAIL FROM:<>", "250 Ok");
  assert.deepEqual(seen, [["bad@b", [], "h", "192.0.2.1"], ["", [], "h", "192.0.2.1"]]);
  assert.equal(talk.logger.find("sender refused reason=bad").length, 1);
  await talk.quit();
});

Deno.test("a dry run accepts a sender or recipient that a restriction refuses, at once, and the log says so", async () => {
  const restriction: Restriction = {
    name: "all",
    sender: async () => ({ kind: "refuse", why: "bad sender", reply: formatReply("550 Bad"), delay: 30_000 }),
    recipient: async () => ({ kind: "refuse", why: "bad recipient", reply: formatReply("450 Bad"), ends: true }),
  };
  for (const deferRcptRefusals of [false, true]) {
    const { judge, all } = watcher();
    const talk = await greeted({ restriction, judge, dryRun: true, options: { deferRcptRefusals } });
    await sendMessage(talk, [["c@mx", "250 Ok"]]);
    assert.deepEqual(all, [undefined]);
    const lines = talk.logger.find("would be refused");
    assert.match(lines[0]!, /sender would be refused reason="bad sender" would=reject .*from=<a@b>.*reply="550 Bad"/);
    assert.match(
      lines[1]!,
      /recipient would be refused reason="bad recipient" would=reject .*to=<c@mx> .*reply="450 Bad"/,
    );
    assert.equal(lines.length, 2);
    assert.equal(talk.logger.find(" refused at").length, 0);
    await talk.quit();
  }
});

Deno.test("a recipient is ruled on with those that were accepted before", async () => {
  const seen: string[] = [];
  const restriction: Restriction = {
    name: "recipient",
    recipient: async (recipient, { recipients }) => {
      seen.push(`${recipients.join()} ${recipient}`);
      return recipient === "no@mx" ? { kind: "refuse", why: "no", reply: formatReply("550 No") } : { kind: "allow" };
    },
  };
  const talk = await greeted({ restriction });
  await talk.exchange("MAIL FROM:<a@b>", "250 Ok");
  await talk.exchange("RCPT TO:<1@mx>", "250 Ok");
  await talk.exchange("RCPT TO:<2@mx>", "550 Nobody");
  talk.client.say("RCPT TO:<no@mx>\r\n");
  await settled();
  assert.equal(talk.client.hear(), "550 No\r\n");
  await talk.exchange("RCPT TO:<3@mx>", "250 Ok");
  assert.deepEqual(seen, [" 1@mx", "1@mx 2@mx", "1@mx no@mx", "1@mx 3@mx"]);
  await talk.quit();
});

Deno.test("a restriction that is a bug ends the session with 421, the stack in the log", async () => {
  const restriction: Restriction = { name: "bug", recipient: async () => await Promise.reject(new TypeError("oops")) };
  const talk = await greeted({ restriction });
  await talk.exchange("MAIL FROM:<a@b>", "250 Ok");
  talk.client.say("RCPT TO:<c@mx>\r\n");
  await settled();
  assert.equal(talk.client.hear(), "421 4.3.0 Internal error, closing connection\r\n");
  assert.equal(talk.logger.find("oops").length, 1);
  assert.ok(talk.end && talk.client.closed);
});

Deno.test("while a ruling is awaited, a client can leave and the session can end", async () => {
  for (const how of ["leaves", "resets", "ends", "shutdown", "clock", "bug"] as const) {
    let signal: AbortSignal | undefined;
    const restriction: Restriction = {
      name: "slow",
      recipient: (_recipient, _envelope, context) => {
        signal = context.signal;
        return new Promise(() => {});
      },
    };
    const talk = await greeted({ restriction, options: { sessionTimeout: 100_000 } });
    await talk.exchange("MAIL FROM:<a@b>", "250 Ok");
    talk.client.say("RCPT TO:<c@mx>\r\n");
    await settled();
    assert.equal(signal!.aborted, false);
    if (how === "leaves") talk.client.close();
    if (how === "resets") talk.client.reset();
    if (how === "ends") talk.client.end();
    if (how === "shutdown") talk.session.shutDown();
    if (how === "clock") await talk.runtime.clock.advance(100_000);
    if (how === "bug") talk.session.failOnBug();
    await settled();
    if (how === "leaves" || how === "ends") {
      // It may have closed its sending side alone.
      assert.equal(signal!.aborted, false, how);
      await talk.runtime.clock.advance(2_900);
    }
    assert.equal(signal!.aborted, true, how);
    const last = { shutdown: "421 4.3.2", clock: "421 4.4.2", bug: "421 4.3.0" }[how as "bug"];
    assert.equal(talk.client.hear().slice(0, 9), last ?? "", how);
    await talk.assertOver();
  }
});

Deno.test("downstream that is lost during a ruling is noticed at the next command", async () => {
  const ruled = Promise.withResolvers<void>();
  const restriction: Restriction = {
    name: "slow",
    recipient: async () => (await ruled.promise, { kind: "allow" }),
  };
  const talk = await greeted({ restriction });
  await talk.exchange("MAIL FROM:<a@b>", "250 Ok");
  talk.client.say("RCPT TO:<c@mx>\r\n");
  await settled();
  talk.downstream.close();
  await settled();
  assert.equal(talk.client.hear(), "");
  ruled.resolve();
  await settled();
  assert.equal(talk.client.hear(), "421 4.3.0 Service not available, closing connection\r\n");
  await talk.assertOver();
});
