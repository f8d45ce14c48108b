// Tests of lib/wire/line_conn.ts: lines across packets, limits of time, reading ahead, interruption, ends of input.

import assert from "node:assert/strict";
import { IoError, type IoErrorKind } from "../../lib/ports/io_error.ts";
import type { Conn } from "../../lib/ports/runtime.ts";
import { bytesOf, textOf } from "../../lib/text/octets.ts";
import { LineConn } from "../../lib/wire/line_conn.ts";
import { FakeClock } from "../fakes/clock.ts";
import { Peer } from "../rig/peer.ts";
import { settled } from "../fakes/settled.ts";

interface Wire {
  readonly clock: FakeClock;
  readonly peer: Peer;
  readonly conn: LineConn;
  /** A time on the clock that is so many milliseconds away. */
  due(milliseconds?: number): number;
  /** The text of the next line. */
  line(milliseconds?: number): Promise<string | null>;
}

function newConn(translate: (error: unknown) => unknown = (error) => error): Wire {
  const clock = new FakeClock();
  const peer = new Peer("192.0.2.1");
  const conn = new LineConn(peer.conn, clock, { translate });
  const due = (milliseconds = 1000) => clock.now() + milliseconds;
  const line = async (milliseconds?: number) => {
    const read = await conn.readLine(100, due(milliseconds));
    return read && textOf(read.bytes);
  };
  return { clock, peer, conn, due, line };
}

function isKind(kind: IoErrorKind): (error: unknown) => boolean {
  return (error) => error instanceof IoError && error.kind === kind;
}

Deno.test("LineConn.readLine gives the same lines in any packets", async () => {
  for (const octetByOctet of [false, true]) {
    const { conn, line, peer } = newConn();
    peer.octetByOctet = octetByOctet;
    peer.say("one\r\ntwo\r\n\r");
    peer.say("\nthree\r\n");
    assert.deepEqual([await line(), await line(), await line(), await line()], [
      "one",
      "two",
      "",
      "three",
    ]);
    conn.close();
  }
});

Deno.test("LineConn.readLine gives null at the end of input, and drops an unfinished line there", async () => {
  const { conn, line, peer } = newConn();
  peer.say("one\r\nhalf");
  peer.end();
  assert.equal(await line(), "one");
  assert.equal(await line(), null);
  assert.equal(await line(), null);
  conn.close();
});

Deno.test("LineConn.readLine throws the connection's error when all is read", async () => {
  const { conn, line, peer } = newConn();
  const reading = line();
  peer.reset();
  await assert.rejects(reading, isKind("reset"));
  await assert.rejects(line(), isKind("reset"));
  assert.ok(conn.ended instanceof IoError);
  conn.close();
});

Deno.test("LineConn.readLine throws a timeout when it is due, and no octet delays that", async () => {
  const { clock, conn, line, peer } = newConn();
  const reading = line(1000);
  let failed = false;
  reading.catch(() => failed = true);
  await clock.advance(500);
  peer.say("o");
  await clock.advance(499);
  assert.ok(!failed);
  await clock.advance(1);
  await assert.rejects(reading, isKind("timeout"));
  // Late octets are not lost: they are the beginning of the next line.
  peer.say("ne\r\n");
  assert.equal(await line(), "one");
  conn.close();
  assert.equal(clock.pending, 0);
});

Deno.test("LineConn.readLine takes a line that a bare LF ends if nothing follows for a while", async () => {
  for (const [then, expected] of [["", "one"], ["two\r\n", "one\ntwo"]] as const) {
    const { clock, conn, due, peer } = newConn();
    const reading = conn.readLine(100, due(60_000));
    peer.say("one\n");
    await settled();
    if (then) peer.say(then);
    await clock.advance(5_000);
    const read = await reading;
    assert.ok(read?.spoilt);
    assert.equal(textOf(read.bytes), expected);
    conn.close();
  }
});

Deno.test("LineConn translates its errors for its owner", async () => {
  class Lost extends Error {}
  const { clock, conn, due, line, peer } = newConn((error) => new Lost(error instanceof IoError ? error.kind : "?"));
  const reading = assert.rejects(line(), new Lost("timeout"));
  await clock.advance(1000);
  await reading;
  peer.reset();
  await assert.rejects(line(), new Lost("reset"));
  await assert.rejects(async () => await conn.write(bytesOf("x"), due()), new Lost("reset"));
  conn.close();
});

Deno.test("LineConn.write closes the connection when the peer takes nothing within its patience", async () => {
  const { clock, conn, due, peer } = newConn();
  peer.stallWrites();
  const writing = assert.rejects(async () => await conn.write(bytesOf("x"), due()), isKind("timeout"));
  await clock.advance(999);
  assert.ok(!peer.closed);
  await clock.advance(1);
  await writing;
  assert.ok(peer.closed);
  conn.close();
  assert.equal(clock.pending, 0);
});

Deno.test("LineConn.write leaves no limit behind when all is written", async () => {
  const { clock, conn, due, peer } = newConn();
  await conn.write(bytesOf("x"), due());
  await clock.advance(2000);
  assert.ok(!peer.closed);
  await conn.write(bytesOf("y"), due());
  assert.equal(peer.hear(), "xy");
  conn.close();
});

Deno.test("LineConn.interrupt ends the wait and every later one; writing still works", async () => {
  const { conn, due, line, peer } = newConn();
  const reason = new Error("enough");
  const reading = assert.rejects(line(), reason);
  await settled();
  conn.interrupt(reason);
  await reading;
  conn.interrupt(new Error("a later reason"));
  peer.say("one\r\n");
  await assert.rejects(line(), reason);
  await assert.rejects(conn.readChunk(due()), reason);
  assert.throws(() => conn.takeLine(100), reason);
  await conn.write(bytesOf("bye\r\n"), due());
  assert.equal(peer.hear(), "bye\r\n");
  conn.close();
});

Deno.test("LineConn.watch reports all octets and the end; the octets still wait to be taken", async () => {
  for (
    const [left, leaves, ended] of [
      ["", "end", "closed"],
      ["", "reset", "reset"],
      ["QUIT\r\n", "end", "closed"],
      ["QU", "end", "closed"],
    ] as const
  ) {
    const { conn, line, peer } = newConn();
    let arrivals = 0;
    conn.watch(() => arrivals++);
    await settled();
    assert.equal(arrivals, 0);
    assert.equal(conn.ended, undefined);
    if (left) peer.say(left);
    await settled();
    assert.equal(arrivals, left ? 1 : 0);
    assert.equal(textOf(conn.peek()), left);
    assert.equal(conn.hasLine, left === "QUIT\r\n");
    peer[leaves]();
    await settled();
    assert.equal(arrivals, left ? 2 : 1);
    const how: unknown = conn.ended;
    assert.equal(how instanceof IoError ? how.kind : how, ended);
    if (left === "QUIT\r\n") assert.equal(await line(), "QUIT");
    conn.close();
  }
});

Deno.test("LineConn.watch reports nothing any more if a connection is read or closed", async () => {
  for (const how of ["read", "close"] as const) {
    const { conn, line, peer } = newConn();
    conn.watch(() => assert.fail("told"));
    if (how === "close") conn.close();
    else void line().catch(() => {});
    peer.say("x\r\n");
    peer.end();
    await settled();
    conn.close();
  }
});

Deno.test("LineConn: a read's error that is no IoError stays as it is, because it is a bug", async () => {
  const { conn, line, peer } = newConn();
  peer.conn.read = () => Promise.reject(new TypeError("oops"));
  await assert.rejects(line(), TypeError);
  assert.ok(conn.ended instanceof TypeError);
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

Deno.test("LineConn gives content that was read ahead, and then the commands after it", async () => {
  const { conn, due, line, peer } = newConn();
  peer.say("DATA\r\nabc");
  assert.equal(await line(), "DATA");
  const chunk = await conn.readChunk(due());
  assert.equal(textOf(chunk!), "abc");
  conn.consume(1);
  assert.equal(textOf((await conn.readChunk(due()))!), "bc");
  conn.consume(2);
  assert.ok(!conn.hasInput);
  peer.say("de\r\nNOOP\r\n");
  assert.ok(textOf((await conn.readChunk(due()))!).startsWith("de\r\n"));
  conn.consume(4);
  assert.equal(await line(), "NOOP");
  peer.end();
  assert.equal(await conn.readChunk(due()), null);
  conn.close();
});

Deno.test("LineConn never has two reads under way, in any mix of waits, watches and timeouts", async () => {
  // The peer in memory throws when there are two.
  const { clock, conn, line, peer } = newConn();
  conn.watch();
  const one = assert.rejects(line(10), isKind("timeout"));
  await clock.advance(10);
  await one;
  conn.watch();
  conn.watch();
  const two = line();
  peer.say("x\r\n");
  assert.equal(await two, "x");
  conn.close();
  await settled();
});

Deno.test("LineConn keeps no large buffer for a peer that idles after large content", async () => {
  const rooms: number[] = [];
  const chunks = [64 * 1024, 512 * 1024, 512 * 1024];
  const conn: Conn = {
    read: (into) => {
      rooms.push(into.buffer.byteLength);
      const count = chunks.shift();
      return count === undefined ? new Promise(() => {}) : Promise.resolve(Math.min(count, into.length));
    },
    write: () => Promise.resolve(),
    close: () => {},
  };
  const line = new LineConn(conn, new FakeClock());
  for (let count = 0; count < 3; count++) line.consume((await line.readChunk(1000))!.length);
  assert.ok(rooms.at(-1)! > 100_000, String(rooms));
  line.watch();
  assert.ok(rooms.at(-1)! <= 8192, String(rooms));
  line.close();
});
