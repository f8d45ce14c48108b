// Tests of lib/wire/line_conn.ts: lines across packets, limits of time, reading ahead, interruption, ends of input.

import assert from "node:assert/strict";
import { IoError, type IoErrorKind } from "../../lib/runtime/io_error.ts";
import { bytesOf, textOf } from "../../lib/smtp/bytes.ts";
import { LineConn } from "../../lib/wire/line_conn.ts";
import { FakeClock } from "../fakes/clock.ts";
import { connPair, type Peer } from "../fakes/conn_pair.ts";
import { settled } from "../fakes/settled.ts";

function newConn(translate?: (error: unknown) => unknown): { clock: FakeClock; peer: Peer; conn: LineConn } {
  const clock = new FakeClock();
  const pair = connPair("192.0.2.1");
  return { clock, peer: pair.peer, conn: new LineConn(pair.conn, clock, translate) };
}

function isKind(kind: IoErrorKind): (error: unknown) => boolean {
  return (error) => error instanceof IoError && error.kind === kind;
}

async function line(conn: LineConn, patience = 1000): Promise<string | null> {
  const read = await conn.readLine(100, patience);
  return read && textOf(read.bytes);
}

Deno.test("LineConn.readLine gives the same lines whatever the packets", async () => {
  for (const octetByOctet of [false, true]) {
    const { conn, peer } = newConn();
    peer.octetByOctet = octetByOctet;
    peer.say("one\r\ntwo\r\n\r");
    peer.say("\nthree\r\n");
    assert.deepEqual([await line(conn), await line(conn), await line(conn), await line(conn)], [
      "one",
      "two",
      "",
      "three",
    ]);
    conn.close();
  }
});

Deno.test("LineConn.readLine gives null at the end of input, and drops an unfinished line there", async () => {
  const { conn, peer } = newConn();
  peer.say("one\r\nhalf");
  peer.end();
  assert.equal(await line(conn), "one");
  assert.equal(await line(conn), null);
  assert.equal(await line(conn), null);
  conn.close();
});

Deno.test("LineConn.readLine throws what the connection said when it breaks, once all is read", async () => {
  const { conn, peer } = newConn();
  const reading = line(conn);
  peer.reset();
  await assert.rejects(reading, isKind("reset"));
  await assert.rejects(line(conn), isKind("reset"));
  assert.ok(conn.gone);
  conn.close();
});

Deno.test("LineConn.readLine throws a timeout when its patience is over, and each octet starts it anew", async () => {
  const { clock, conn, peer } = newConn();
  const reading = line(conn, 1000);
  let failed = false;
  reading.catch(() => failed = true);
  await clock.advance(999);
  peer.say("o");
  await clock.advance(999);
  assert.ok(!failed);
  await clock.advance(1);
  await assert.rejects(reading, isKind("timeout"));
  // What comes too late is not lost: it is the beginning of the next line.
  peer.say("ne\r\n");
  assert.equal(await line(conn), "one");
  conn.close();
  assert.equal(clock.pending, 0);
});

Deno.test("LineConn translates its errors for its owner", async () => {
  class Lost extends Error {}
  const { clock, conn, peer } = newConn((error) => new Lost(error instanceof IoError ? error.kind : "?"));
  const reading = assert.rejects(line(conn), new Lost("timeout"));
  await clock.advance(1000);
  await reading;
  peer.reset();
  await assert.rejects(line(conn), new Lost("reset"));
  await assert.rejects(conn.write(bytesOf("x"), 1000), new Lost("reset"));
  conn.close();
});

Deno.test("LineConn.write closes the connection when the peer takes nothing within its patience", async () => {
  const { clock, conn, peer } = newConn();
  peer.stallWrites();
  const writing = assert.rejects(conn.write(bytesOf("x"), 1000), isKind("timeout"));
  await clock.advance(999);
  assert.ok(!peer.closed);
  await clock.advance(1);
  await writing;
  assert.ok(peer.closed);
  conn.close();
  assert.equal(clock.pending, 0);
});

Deno.test("LineConn.interrupt ends the wait and every later one; writing still works", async () => {
  const { conn, peer } = newConn();
  const reason = new Error("enough");
  const reading = assert.rejects(line(conn), reason);
  await settled();
  conn.interrupt(reason);
  await reading;
  conn.interrupt(new Error("a later reason"));
  peer.say("one\r\n");
  await assert.rejects(line(conn), reason);
  await assert.rejects(conn.readChunk(1000), reason);
  assert.throws(() => conn.takeLine(100), reason);
  await conn.write(bytesOf("bye\r\n"), 1000);
  assert.equal(peer.hear(), "bye\r\n");
  conn.close();
});

Deno.test("LineConn.watch notices that the peer has left, unless it left octets behind", async () => {
  for (
    const [left, leaves, expected] of [
      ["", "end", true],
      ["", "reset", true],
      ["QUIT\r\n", "end", false],
      ["QU", "end", false],
    ] as const
  ) {
    const { conn, peer } = newConn();
    let gone = false;
    conn.watch(() => gone = true);
    await settled();
    assert.ok(!gone);
    if (left) peer.say(left);
    peer[leaves]();
    await settled();
    assert.equal(gone, expected, `${left} ${leaves}`);
    assert.equal(conn.gone, expected, `${left} ${leaves}`);
    if (left === "QUIT\r\n") assert.equal(await line(conn), "QUIT");
    conn.close();
  }
});

Deno.test("LineConn.watch calls at once when the peer left before", async () => {
  const { conn, peer } = newConn();
  peer.end();
  assert.equal(await line(conn), null);
  let gone = 0;
  conn.watch(() => gone++);
  assert.equal(gone, 1);
  conn.close();
});

Deno.test("LineConn.watch stops reading ahead when the peer talks on and on", async () => {
  const { conn, peer } = newConn();
  let reads = 0;
  const read = peer.conn.read;
  peer.conn.read = (into) => (reads++, read(into));
  for (let count = 0; count < 1000; count++) peer.say("x".repeat(1000));
  conn.watch();
  await settled();
  assert.ok(reads < 40, `${reads} reads`);
  conn.close();
});

Deno.test("LineConn gives content that was read ahead, and then the commands behind it", async () => {
  const { conn, peer } = newConn();
  peer.say("DATA\r\nabc");
  assert.equal(await line(conn), "DATA");
  const chunk = await conn.readChunk(1000);
  assert.equal(textOf(chunk!), "abc");
  conn.consume(1);
  assert.equal(textOf((await conn.readChunk(1000))!), "bc");
  conn.consume(2);
  assert.ok(!conn.hasInput);
  peer.say("de\r\nNOOP\r\n");
  assert.ok(textOf((await conn.readChunk(1000))!).startsWith("de\r\n"));
  conn.consume(4);
  assert.equal(await line(conn), "NOOP");
  peer.end();
  assert.equal(await conn.readChunk(1000), null);
  conn.close();
});

Deno.test("LineConn never has two reads under way, however waits, watches and timeouts mix", async () => {
  // The peer in memory throws when there are two.
  const { clock, conn, peer } = newConn();
  conn.watch();
  const one = assert.rejects(line(conn, 10), isKind("timeout"));
  await clock.advance(10);
  await one;
  conn.watch();
  conn.watch();
  const two = line(conn);
  peer.say("x\r\n");
  assert.equal(await two, "x");
  conn.close();
  await settled();
});
