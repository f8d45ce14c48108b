// Tests of lib/session/downstream.ts: its bounds, how it says QUIT, and what it does not take for a reply.

import assert from "node:assert/strict";
import { Downstream } from "../../lib/session/downstream.ts";
import { DownstreamLost } from "../../lib/session/smtp_error.ts";
import { bytesOf, textOf } from "../../lib/text/octets.ts";
import { LineConn } from "../../lib/wire/line_conn.ts";
import { FakeClock } from "../fakes/clock.ts";
import { Peer } from "../rig/peer.ts";
import { settled } from "../fakes/settled.ts";

interface Talk {
  readonly clock: FakeClock;
  readonly peer: Peer;
  readonly downstream: Downstream;
}

async function newTalk(): Promise<Talk> {
  const clock = new FakeClock();
  const peer = new Peer();
  const downstream = new Downstream(new LineConn(peer.conn, clock, { holds: "replies" }), clock, {
    replyTimeout: 300_000,
    keepalive: 60_000,
  });
  peer.say("220 mx\r\n");
  await downstream.greeting(clock.now() + 1000);
  return { clock, peer, downstream };
}

async function ask({ clock, downstream, peer }: Talk, reply: string): Promise<string> {
  const asking = downstream.ask(bytesOf("NOOP\r\n"));
  asking.catch(() => {});
  await settled();
  peer.say(reply);
  // A line that a bare LF ends is one when nothing follows it for a while.
  await clock.advance(5_000);
  return textOf((await asking).bytes);
}

Deno.test("Downstream.ask returns any legal reply octet by octet", async () => {
  const replies = [
    "250 Ok\r\n",
    "250\r\n",
    "250-one\r\n250-\r\n250 \r\n",
    "250-one\r\n251 two\r\n",
    `250 ${"x".repeat(4000)}\r\n`,
    `${"250-line\r\n".repeat(999)}250 end\r\n`,
    "550 5.1.1 \u00e4\r\n",
  ];
  for (const octetByOctet of [false, true]) {
    const talk = await newTalk();
    talk.peer.octetByOctet = octetByOctet;
    for (const reply of replies) assert.equal(await ask(talk, reply), reply);
    await talk.downstream.leave();
  }
});

Deno.test("Downstream.ask understands lines that a bare LF ends, and returns them with CRLF", async () => {
  const replies = [
    "250 Ok\n",
    "250\n",
    "250-one\n250-two\r\n250 three\n",
    "250-one\r\n250 two\n",
    `250 ${"x".repeat(4000)}\n`,
  ];
  for (const octetByOctet of [false, true]) {
    const talk = await newTalk();
    talk.peer.octetByOctet = octetByOctet;
    for (const reply of replies) assert.equal(await ask(talk, reply), reply.replace(/\r?\n/g, "\r\n"));
    await talk.downstream.leave();
  }
});

Deno.test("Downstream.ask takes nothing else for a reply, and is lost then", async () => {
  const garbage = [
    "\r\n",
    "Ok\r\n",
    "25\r\n",
    "2500 x\r\n",
    "250_x\r\n",
    "150 x\r\n",
    "650 x\r\n",
    "250-one\r\n550 two\r\n",
    "\n",
    "250 a\rb\r\n",
    "250 a\rb\n",
    "250 a\r\r\n",
    "250 a\0b\r\n",
    `250 ${"x".repeat(5000)}\r\n`,
    "250-line\r\n".repeat(1001),
    `250-${"x".repeat(4000)}\r\n`.repeat(20),
  ];
  for (const reply of garbage) {
    const talk = await newTalk();
    await assert.rejects(ask(talk, reply), DownstreamLost, JSON.stringify(reply.slice(0, 40)));
    assert.ok(talk.downstream.isLost);
    assert.ok(talk.peer.closed);
    await assert.rejects(talk.downstream.ask(bytesOf("NOOP\r\n")), DownstreamLost);
    await talk.downstream.leave();
    assert.equal(talk.clock.pending, 0);
  }
});

Deno.test("Downstream.ask never waits longer than its limit, even if the reply trickles", async () => {
  for (const piece of ["2", "250-line\r\n"]) {
    const talk = await newTalk();
    let failed = false;
    const asking = talk.downstream.ask(bytesOf("NOOP\r\n"), talk.clock.now() + 60_000).catch(() => failed = true);
    for (let count = 0; count < 70; count++) {
      if (count < 3 || piece.length > 1) talk.peer.say(piece);
      await talk.clock.advance(1_000);
    }
    assert.ok(failed, `a reply that comes as ${JSON.stringify(piece)}`);
    await asking;
    await talk.downstream.leave();
  }
});

Deno.test("Downstream.leave says QUIT, waits for nothing and closes", async () => {
  const talk = await newTalk();
  talk.peer.hear();
  await talk.downstream.leave();
  assert.equal(talk.peer.hear(), "QUIT\r\n");
  assert.ok(talk.peer.closed);
  assert.equal(talk.clock.pending, 0);
});

Deno.test("a downstream that takes nothing does not hold up Downstream.leave", async () => {
  const talk = await newTalk();
  talk.peer.stallWrites();
  const leaving = talk.downstream.leave();
  await talk.clock.advance(1000);
  await leaving;
  assert.ok(talk.peer.closed);
});

Deno.test("Downstream.leave says no QUIT while a reply is owed to a NOOP", async () => {
  const talk = await newTalk();
  await talk.clock.advance(60_000);
  assert.equal(talk.peer.hear(), "NOOP\r\n");
  await talk.downstream.leave();
  assert.equal(talk.peer.hear(), "");
  assert.ok(talk.peer.closed);
});

Deno.test("Downstream.abandon closes without a word, and keeps the first reason", async () => {
  const talk = await newTalk();
  talk.downstream.abandon("the first reason");
  talk.downstream.abandon("another");
  assert.equal(talk.peer.hear(), "");
  assert.ok(talk.peer.closed);
  await assert.rejects(talk.downstream.ask(bytesOf("NOOP\r\n")), /the first reason/);
  talk.downstream.reset();
  await talk.downstream.leave();
  assert.equal(talk.clock.pending, 0);
});
