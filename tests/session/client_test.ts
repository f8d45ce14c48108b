// Tests of lib/session/client.ts: replies to pipelined commands leave together, and lines have a bound.

import assert from "node:assert/strict";
import { Client, translateClientError } from "../../lib/session/client.ts";
import { ClientLost, SmtpError } from "../../lib/session/smtp_error.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { LineConn } from "../../lib/wire/line_conn.ts";
import { FakeClock } from "../fakes/clock.ts";
import { Peer } from "../rig/peer.ts";

const OK = formatReply("250 Ok");

function newClient(): { client: Client; peer: Peer; clock: FakeClock } {
  const clock = new FakeClock();
  const peer = new Peer();
  return {
    client: new Client(new LineConn(peer.conn, clock, { translate: translateClientError }), clock, 1000),
    peer,
    clock,
  };
}

Deno.test("Client.say holds back replies if another command has come already, and sends them in one packet", async () => {
  const { client, peer } = newClient();
  peer.say("NOOP 1\r\nNOOP 2\r\nNOOP 3\r\n");
  for (let count = 0; count < 3; count++) {
    assert.equal((await client.nextCommand())!.verb, "OTHER");
    assert.equal(peer.writes.length, 0);
    await client.say(OK);
  }
  assert.equal(peer.writes.length, 1);
  assert.equal(peer.hear(), "250 Ok\r\n".repeat(3));
  client.close();
});

Deno.test("Client sends held replies before it waits, also for the rest of a half command", async () => {
  const { client, peer } = newClient();
  peer.say("NOOP\r\nNO");
  await client.nextCommand();
  await client.say(OK);
  const next = client.nextCommand();
  peer.say("OP\r\n");
  assert.equal((await next)!.verb, "OTHER");
  assert.equal(peer.hear(), "250 Ok\r\n");
  client.close();
});

Deno.test("Client.nextCommand refuses a line that is too long, in step with the next", async () => {
  for (const octetByOctet of [false, true]) {
    for (
      const [length, verb] of [[2048, "OTHER"], [2049, "TOO-LONG"], [12_288, "TOO-LONG"], [50_000, "TOO-LONG"]] as const
    ) {
      const { client, peer } = newClient();
      peer.octetByOctet = octetByOctet;
      peer.say(`${"x".repeat(length - 2)}\r\nQUIT\r\n`);
      assert.equal((await client.nextCommand())!.verb, verb, `${length}`);
      assert.equal((await client.nextCommand())!.verb, "QUIT", `${length}`);
      client.close();
    }
  }
});

Deno.test("Client takes AUTH and its answers up to 12288 octets (RFC 4954 s.4)", async () => {
  for (const [length, taken] of [[12_288, true], [12_289, false]] as const) {
    const { client, peer } = newClient();
    peer.say(`AUTH ${"x".repeat(length - 7)}\r\n${"y".repeat(length - 2)}\r\nQUIT\r\n`);
    assert.equal((await client.nextCommand())!.verb, taken ? "AUTH" : "TOO-LONG");
    const line = await client.nextAuthLine();
    assert.equal("verb" in line ? line.verb : line.length, taken ? length : "TOO-LONG");
    assert.equal((await client.nextCommand())!.verb, "QUIT");
    client.close();
  }
});

Deno.test("Client tells how its connection ends", async () => {
  const silent = newClient();
  const late = assert.rejects(async () => await silent.client.nextCommand(), (error) => error instanceof SmtpError);
  await silent.clock.advance(1000);
  await late;
  silent.client.close();

  const reset = newClient();
  reset.peer.reset();
  await assert.rejects(async () => await reset.client.nextCommand(), ClientLost);
  await assert.rejects(async () => await reset.client.say(OK), ClientLost);
  reset.client.close();

  // The end of input is no failure where a command may be missing, and one inside AUTH or a message.
  const ended = newClient();
  ended.peer.end();
  assert.equal(await ended.client.nextCommand(), null);
  await assert.rejects(ended.client.nextAuthLine(), ClientLost);
  await assert.rejects(ended.client.nextContent(), ClientLost);
  ended.client.close();
});

Deno.test("Client.say gives up on a client that takes nothing", async () => {
  const { client, peer, clock } = newClient();
  peer.stallWrites();
  const saying = assert.rejects(async () => await client.say(OK), (error) => error instanceof SmtpError);
  await clock.advance(1000);
  await saying;
  assert.ok(peer.closed);
  client.close();
});
