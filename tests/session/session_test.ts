// Tests of lib/session/session.ts: its bounds and its last lines of defence. The dialogues test the rest.

import assert from "node:assert/strict";
import { Conversation } from "../fakes/conversation.ts";
import { settled } from "../fakes/settled.ts";

async function greeted(): Promise<Conversation> {
  const talk = new Conversation();
  await talk.start();
  talk.downstream.say("220 mx\r\n");
  await settled();
  talk.client.hear();
  return talk;
}

Deno.test("Session ends with 421 after a hundred lines that are no commands", async () => {
  for (const line of ["\0\r\n", "STARTTLS\r\n", `${"x".repeat(3000)}\r\n`, "DATA\r\n"]) {
    const talk = await greeted();
    talk.client.say(line.repeat(200));
    await settled();
    const replies = talk.client.hear().trimEnd().split("\r\n");
    assert.equal(replies.length, 101);
    assert.equal(replies.at(-1), "421 4.7.0 Too many errors, closing connection");
    assert.ok(replies.slice(0, -1).every((reply) => /^5\d\d /.test(reply)));
    assert.equal(talk.downstream.hear(), "QUIT\r\n");
    await talk.assertOver();
  }
});

Deno.test("Session ends after a 421 to a command, although downstream does not hang up", async () => {
  const talk = await greeted();
  talk.client.say("NOOP\r\nNOOP\r\n");
  await settled();
  talk.downstream.hear();
  talk.downstream.say("421 4.3.2 Going down\r\n");
  await settled();
  assert.equal(talk.client.hear(), "421 4.3.2 Going down\r\n");
  assert.equal(talk.downstream.hear(), "QUIT\r\n");
  await talk.assertOver();
});

Deno.test("Session takes a limited number of recipients and refuses more with 452, without asking", async () => {
  const talk = await greeted();
  const limit = 20_000;
  talk.client.say(`MAIL FROM:<a@b>\r\n${"RCPT TO:<c@d>\r\n".repeat(limit + 2)}`);
  await settled();
  // The fake downstream's answers wait ahead, one packet each, as the proxy asks.
  let asked = 0;
  for (let heard = talk.downstream.hear(); heard !== ""; heard = talk.downstream.hear()) {
    asked++;
    talk.downstream.say("250 Ok\r\n");
    await settled();
  }
  assert.equal(asked, limit + 1);
  assert.ok(
    talk.client.hear().endsWith("250 Ok\r\n452 4.5.3 Too many recipients\r\n452 4.5.3 Too many recipients\r\n"),
  );
  talk.client.end();
  await talk.assertOver();
});

Deno.test("Session.failOnBug ends with 421 and does not mention the bug", async () => {
  const talk = await greeted();
  talk.session.failOnBug();
  await settled();
  assert.equal(talk.client.hear(), "421 4.3.0 Internal error, closing connection\r\n");
  await talk.assertOver();
});

Deno.test("Session with a bug of its own answers 421, and the log has the stack", async () => {
  const talk = new Conversation();
  talk.runtime.network.connect = () => Promise.reject(new TypeError("oops at /secret"));
  await talk.start();
  assert.equal(talk.client.hear(), "421 4.3.0 Internal error, closing connection\r\n");
  assert.equal(talk.end, "ended");
  assert.ok(talk.client.closed);
  assert.match(talk.logger.find(": bug ").join(), /oops at \/secret.*session_test\.ts/);
});

Deno.test("Session with a bug in our own NOOP or RSET answers 421 at once, and the log has the stack", async () => {
  for (const fails of ["write", "read"] as const) {
    for (const command of ["NOOP", "RSET"]) {
      const talk = new Conversation({ filter: true, options: { keepalive: 5_000 } });
      await talk.startMessage();
      talk.client.say(".\r\n");
      await settled();
      const { conn } = talk.downstream;
      const real = { write: conn.write, read: conn.read };
      const oops = () => {
        if (fails === "read") return Promise.reject(new TypeError("oops at /secret"));
        throw new TypeError("oops at /secret");
      };
      if (command === "RSET") {
        conn[fails] = oops;
        talk.filter.exit(1);
        await settled();
      } else {
        talk.filter.exit(1);
        await settled();
        talk.downstream.say("250 Reset\r\n");
        await settled();
        conn[fails] = oops;
        await talk.runtime.clock.advance(5_000);
      }
      // A read that was under way before goes well.
      if (fails === "read") talk.downstream.say("250");
      await settled();
      assert.equal(
        talk.client.hear(),
        "554 5.7.1 Content rejected\r\n421 4.3.0 Internal error, closing connection\r\n",
        `${fails} ${command}`,
      );
      assert.match(talk.logger.find(": bug ").join(), /oops at \/secret.*session_test\.ts/);
      assert.deepEqual(talk.logger.find("lost connection with downstream"), []);
      assert.ok(talk.client.closed && talk.downstream.closed);
      assert.equal(talk.end, "ended");
      Object.assign(conn, real);
    }
  }
});

Deno.test("Session closes its client and downstream, even if the explanation of its end fails", async () => {
  for (const broken of ["log", "client", "both"] as const) {
    const talk = await greeted();
    const oops = () => {
      throw new TypeError("oops");
    };
    if (broken !== "client") talk.logger.write = oops;
    if (broken !== "log") talk.client.conn.write = oops;
    talk.session.shutDown();
    await settled();
    assert.equal(talk.end, "ended", broken);
    assert.ok(talk.client.closed && talk.downstream.closed, broken);
    assert.equal(talk.client.hear(), broken === "log" ? "421 4.3.2 Service shutting down, closing connection\r\n" : "");
    if (broken === "client") assert.match(talk.logger.find(": bug ").join(), /oops/);
    assert.equal(talk.runtime.clock.pending, 0);
  }
});

Deno.test("Session closes its client even if it cannot say QUIT to downstream", async () => {
  const talk = await greeted();
  talk.downstream.conn.write = () => Promise.reject(new TypeError("oops"));
  talk.client.end();
  await settled();
  assert.equal(talk.end, "ended");
  assert.ok(talk.client.closed && talk.downstream.closed);
  assert.match(talk.logger.find(": bug ").join(), /oops/);
});

Deno.test("Session gives the connection and the greeting one time limit", async () => {
  const talk = new Conversation();
  const { network, clock } = talk.runtime;
  const { connect } = network;
  network.connect = async (to, limit) => {
    await new Promise<void>((resolve) => clock.after(20_000, resolve));
    return await connect.call(network, to, limit);
  };
  await talk.start();
  await clock.advance(20_000);
  talk.downstream.say("220-mx\r\n");
  await clock.advance(9_999);
  assert.equal(talk.client.hear(), "");
  await clock.advance(1);
  assert.equal(talk.client.hear(), "421 4.3.2 Service not available, try again later\r\n");
  assert.equal(talk.end, "unreachable");
  assert.match(
    talk.logger.find("downstream not reachable").join(),
    /127\.0\.0\.1:10026 reason="no greeting within 30 s"/,
  );
  await talk.assertOver();
});

Deno.test("A message that trickles in does not move Session's clock", async () => {
  const talk = new Conversation({ options: { sessionTimeout: 1_000_000, keepalive: 10_000_000 } });
  await talk.startMessage();
  for (let count = 0; count < 9; count++) {
    talk.client.say("x\r\n");
    await talk.runtime.clock.advance(100_000);
  }
  assert.equal(talk.client.hear(), "");
  await talk.runtime.clock.advance(100_000);
  assert.equal(talk.client.hear(), "421 4.4.2 Session took too long, closing connection\r\n");
  await talk.assertOver();
});

Deno.test("Session's clock does not cut off a message past the point of no return", async () => {
  const talk = new Conversation({ options: { sessionTimeout: 50_000 } });
  await talk.startMessage();
  talk.client.say("x\r\n.\r\n");
  await settled();
  talk.downstream.say("354 Go on\r\n");
  await settled();
  talk.downstream.hear();
  await talk.runtime.clock.advance(50_000);
  assert.equal(talk.client.hear(), "");
  talk.downstream.say("250 Taken\r\n");
  await settled();
  assert.equal(
    talk.client.hear(),
    "250 Taken\r\n421 4.4.2 Session took too long, closing connection\r\n",
  );
  await talk.assertOver();
});

Deno.test("Session that is shut down does not wait for downstream's reply to a DATA", async () => {
  const talk = new Conversation();
  await talk.startMessage();
  talk.client.say("x\r\n.\r\n");
  await settled();
  assert.equal(talk.downstream.hear(), "DATA\r\n");
  talk.session.shutDown();
  await settled();
  assert.match(talk.client.hear(), /^421 [^\r]*\r\n$/);
  assert.deepEqual(talk.logger.find("possible duplicate"), []);
  await talk.assertOver();
});

Deno.test("Session that is shut down waits for the reply to a final dot, but only for a grace", async () => {
  const talk = new Conversation();
  await talk.startMessage();
  talk.client.say("x\r\n.\r\n");
  await settled();
  talk.downstream.say("354 Go on\r\n");
  await settled();
  talk.session.shutDown();
  await talk.runtime.clock.advance(9_999);
  assert.equal(talk.client.hear(), "");
  await talk.runtime.clock.advance(1);
  assert.match(talk.client.hear(), /^451 [^\r]*\r\n421 [^\r]*\r\n$/);
  assert.equal(talk.logger.find("possible duplicate").length, 1);
  await talk.assertOver();
});

Deno.test("Session has its own id in each of its lines", async () => {
  const ids = new Set<string>();
  for (let count = 0; count < 20; count++) {
    const talk = await greeted();
    talk.client.end();
    await talk.assertOver();
    const found = new Set(talk.logger.lines.map((line) => /^\w+: ([0-9a-f]{10}): /.exec(line)?.[1]));
    assert.equal(found.size, 1);
    for (const id of found) ids.add(id!);
  }
  assert.equal(ids.size, 20);
});
