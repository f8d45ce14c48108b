// Tests of lib/wire/server_conn.ts: answers whole and in pieces, answers that come early, bounds, ends of a connection.

import assert from "node:assert/strict";
import { bytesOf, LF, textOf } from "../../lib/text/octets.ts";
import { ServerConn, ServerFailure } from "../../lib/wire/server_conn.ts";
import { Peer } from "../rig/peer.ts";
import { settled } from "../fakes/settled.ts";

function newConn(): { conn: ServerConn; peer: Peer } {
  const peer = new Peer();
  return { conn: new ServerConn(peer.conn), peer };
}

function fails(pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof ServerFailure && pattern.test(error.message);
}

Deno.test("ServerConn reads the same in any packets", async () => {
  for (const octetByOctet of [false, true]) {
    const { conn, peer } = newConn();
    peer.octetByOctet = octetByOctet;
    peer.say("one\ntwo");
    peer.say("\n12345rest ");
    peer.say("of it");
    peer.end();
    const line = async () => textOf(await conn.readUntil(LF, 10));
    assert.deepEqual([await line(), await line()], ["one", "two"]);
    assert.equal(textOf(await conn.readCount(5)), "12345");
    assert.equal(textOf(await conn.readToEnd(100)), "rest of it");
    assert.equal(await conn.readSome(), undefined);
    conn.close();
  }
});

Deno.test("ServerConn.readSome waits for nothing that is not there yet", async () => {
  const { conn, peer } = newConn();
  const first = conn.readSome();
  peer.say("ab");
  assert.equal(textOf(await first ?? new Uint8Array()), "ab");
  peer.say("c");
  await settled();
  peer.reset();
  assert.equal(textOf(await conn.readSome() ?? new Uint8Array()), "c");
  await assert.rejects(conn.readSome(), fails(/^broke the connection: /));
  conn.close();
});

Deno.test("ServerConn takes an answer that comes while the question is still being sent", async () => {
  const { conn, peer } = newConn();
  peer.stallWrites();
  const sent = conn.send(bytesOf("a long question"));
  await settled();
  peer.say("no\n");
  assert.equal(await sent, false);
  assert.equal(await conn.send(bytesOf("more of it")), false);
  assert.equal(textOf(await conn.readUntil(LF, 10)), "no");
  conn.keep();
  assert.equal(conn.isReusable, false, "the question is not over");
  conn.close();
});

Deno.test("ServerConn gives what the server said before the connection broke", async () => {
  const { conn, peer } = newConn();
  peer.say("no\n");
  await settled();
  peer.reset();
  await settled();
  assert.equal(await conn.send(bytesOf("question")), false);
  assert.equal(textOf(await conn.readUntil(LF, 10)), "no");
  await assert.rejects(conn.readUntil(LF, 10), fails(/^broke the connection: /));
  conn.close();
});

Deno.test("ServerConn.send goes on while the server is silent", async () => {
  const { conn, peer } = newConn();
  assert.equal(await conn.send(bytesOf("a")), true);
  assert.equal(await conn.send(bytesOf("b")), true);
  assert.equal(peer.hear(), "ab");
  conn.close();
});

Deno.test("an answer has a bound", async () => {
  const long = "x".repeat(100);
  for (
    const read of [
      (conn: ServerConn) => conn.readUntil(LF, 99),
      (conn: ServerConn) => conn.readToEnd(99),
    ]
  ) {
    for (const end of ["\n", ""]) {
      const { conn, peer } = newConn();
      peer.say(long + end);
      peer.end();
      await assert.rejects(read(conn), fails(/^sent more than the 99 octets/));
      conn.close();
    }
  }
  const { conn, peer } = newConn();
  peer.say(`${long}\n`);
  assert.equal((await conn.readUntil(LF, 100)).length, 100);
  conn.close();
});

Deno.test("a server that talks on and on while nobody reads costs no memory", async () => {
  let given = 0;
  const conn = new ServerConn({
    read: (into) => {
      given += into.length;
      return Promise.resolve(into.length);
    },
    write: () => Promise.resolve(),
    close: () => {},
  });
  for (let turn = 0; turn < 10; turn++) await settled();
  assert.ok(given > 0 && given < 65_536, `it has read ${given} octets`);
  const ahead = given;
  assert.equal((await conn.readCount(1_000_000)).length, 1_000_000);
  assert.ok(given > ahead);
  conn.close();
});

Deno.test("ServerConn says how the connection ended", async () => {
  for (
    const [say, end, pattern] of [
      ["", "close", /^closed the connection$/],
      ["half", "close", /^closed the connection in the middle of its answer$/],
      ["", "reset", /^broke the connection: connection reset by peer$/],
    ] as const
  ) {
    const { conn, peer } = newConn();
    if (say !== "") peer.say(say);
    peer[end]();
    await assert.rejects(conn.readUntil(LF, 10), fails(pattern));
    conn.close();
    const other = newConn();
    if (say !== "") other.peer.say(say);
    other.peer[end]();
    await assert.rejects(other.conn.readCount(10), fails(pattern));
    other.conn.close();
  }
  const { conn, peer } = newConn();
  peer.say("half");
  await settled();
  peer.reset();
  await assert.rejects(conn.readToEnd(10), fails(/^broke the connection/), "a reset is no end of an answer");
  conn.close();
});

Deno.test("ServerConn.fail ends every wait, and closes the connection at once", async () => {
  for (
    const wait of [
      (conn: ServerConn) => conn.readUntil(LF, 10),
      (conn: ServerConn) => conn.readCount(10),
      (conn: ServerConn) => conn.readToEnd(10),
      (conn: ServerConn) => conn.send(bytesOf("x")),
    ]
  ) {
    const { conn, peer } = newConn();
    peer.stallWrites();
    const waits = wait(conn);
    await settled();
    conn.fail(new ServerFailure("was late"));
    assert.equal(peer.closed, true);
    await assert.rejects(waits, fails(/^was late$/));
    await assert.rejects(wait(conn), fails(/^was late$/));
  }
});
