// Tests of lib/wire/server_pool.ts: the order of servers, shares of the time, rest, kept connections, abort.

import assert from "node:assert/strict";
import { IoError, type IoErrorKind } from "../../lib/ports/io_error.ts";
import type { Address, Conn } from "../../lib/ports/runtime.ts";
import { bytesOf, LF, textOf } from "../../lib/text/octets.ts";
import { type ServerConn, ServerFailure } from "../../lib/wire/server_conn.ts";
import { type Asked, ServerPool } from "../../lib/wire/server_pool.ts";
import { FakeClock } from "../fakes/clock.ts";
import { Peer } from "../rig/peer.ts";
import { settled } from "../fakes/settled.ts";
import { tcp } from "../ports/tcp.ts";

/** A server's behaviour on a connection. An error means that nobody can connect. */
type Does = ((peer: Peer) => void) | IoErrorKind | "no answer";

/** Servers at ports 1, 2, 3 …, each with its own behaviour, and a pool of them. */
class World {
  readonly clock = new FakeClock();
  readonly connects: number[] = [];
  readonly peers: Peer[] = [];
  readonly notices: string[] = [];
  readonly aborter = new AbortController();
  readonly pool: ServerPool;
  does: Does[];

  constructor(...does: Does[]) {
    this.does = does;
    const servers = does.map((_, at) => tcp("s", at + 1));
    const network = { connect: (to: Address, limit: number) => this.#connect(to, limit) };
    this.pool = new ServerPool({ clock: this.clock, network }, { name: "scanner", servers, timeout: 30_000 });
  }

  /** Asks a question, and keeps the connection where `keeps`. */
  ask({ keeps = false, limit = 60_000 } = {}): Promise<Asked<string>> {
    const talk = async (conn: ServerConn) => {
      await conn.send(bytesOf("question\n"));
      const answer = textOf(await conn.readUntil(LF, 100));
      if (answer.startsWith("too large")) throw new ServerFailure("said too large", { isOfMessage: true });
      if (!answer.startsWith("ok")) throw new ServerFailure("answered nonsense");
      if (keeps) conn.keep();
      return answer;
    };
    const { signal } = this.aborter;
    return this.pool.ask(talk, { signal, limit, notice: (text) => void this.notices.push(text) });
  }

  async #connect(to: Address, limit: number): Promise<Conn> {
    const port = to.transport === "tcp" ? to.port : 0;
    this.connects.push(port);
    const does = this.does[port - 1]!;
    if (does === "no answer") {
      await new Promise<void>((resolve) => this.clock.after(limit, resolve));
      throw new IoError("timeout", `cannot connect to s:${port}: no answer within ${limit / 1000} s`);
    }
    if (typeof does === "string") throw new IoError(does, `cannot connect to s:${port}: ${does}`);
    const peer = new Peer();
    this.peers.push(peer);
    does(peer);
    return peer.conn;
  }
}

const says = (text: string) => (peer: Peer) => peer.say(`${text}\n`);
const isSilent = () => {};

Deno.test("ServerPool asks only the first server if that answers", async () => {
  const world = new World(says("ok"), says("ok"));
  assert.deepEqual(await world.ask(), { answer: "ok", server: "s:1" });
  assert.deepEqual(world.connects, [1]);
  assert.deepEqual(world.notices, []);
  assert.equal(world.peers[0]!.closed, true);
  assert.equal(world.clock.pending, 0);
});

Deno.test("ServerPool asks the next server at once when one fails, in any way", async () => {
  const failures: [Does, RegExp][] = [
    ["refused", /because cannot connect to s:1: refused$/],
    ["unknown-host", /because cannot connect to s:1: unknown-host$/],
    ["missing", /because cannot connect to s:1: missing$/],
    [(peer) => peer.close(), /because s:1 closed the connection$/],
    [(peer) => peer.reset(), /because s:1 broke the connection: connection reset by peer$/],
    [(peer) => (peer.say("o"), peer.end()), /because s:1 closed the connection in the middle of its answer$/],
    [says("what?"), /because s:1 answered nonsense$/],
    [(peer) => peer.say("x".repeat(101)), /because s:1 sent more than the 100 octets/],
  ];
  for (const [does, pattern] of failures) {
    const world = new World(does, says("ok"));
    assert.deepEqual(await world.ask(), { answer: "ok", server: "s:2" });
    assert.deepEqual(world.connects, [1, 2]);
    assert.match(world.notices.join(), pattern);
    assert.equal(world.clock.pending, 0);
  }
});

Deno.test("ServerPool says for each server why there is no answer", async () => {
  const world = new World("refused", says("what?"), isSilent);
  const asked = world.ask();
  await world.clock.advance(30_000);
  assert.deepEqual(await asked, {
    cause: "late",
    why:
      "scanner could not tell: cannot connect to s:1: refused; s:2 answered nonsense; s:3 gave no answer within 30 s",
  });
  assert.deepEqual(world.notices, []);
  assert.equal(world.peers.every((peer) => peer.closed), true);
});

Deno.test("ServerPool gives each server its share of the time that is left", async () => {
  const world = new World(isSilent, "no answer", (peer) => peer.octetByOctet = true);
  const asked = world.ask();
  await world.clock.advance(9_999);
  assert.deepEqual(world.connects, [1]);
  await world.clock.advance(1);
  assert.deepEqual(world.connects, [1, 2]);
  await world.clock.advance(9_999);
  assert.deepEqual(world.connects, [1, 2]);
  await world.clock.advance(1);
  assert.deepEqual(world.connects, [1, 2, 3]);
  // Half of an answer is no answer.
  world.peers[1]!.say("o");
  await world.clock.advance(10_000);
  assert.match(JSON.stringify(await asked), /"late".*s:1 gave no answer within 10 s; .*s:3 gave no answer within 10 s/);
});

Deno.test("ServerPool takes no longer than the message has time left", async () => {
  const world = new World(isSilent, isSilent);
  const asked = world.ask({ limit: 1000 });
  await world.clock.advance(1000);
  assert.deepEqual(await asked, {
    cause: "late",
    why: "scanner could not tell: s:1 gave no answer within 0.5 s; s:2 gave no answer within 0.5 s",
  });
});

Deno.test("a server that failed is not asked first for 30 s, and then by one message", async () => {
  const world = new World("refused", says("ok"));
  await world.ask();
  await world.ask();
  await world.clock.advance(29_999);
  await world.ask();
  assert.deepEqual(world.connects, [1, 2, 2, 2]);
  world.does[0] = isSilent;
  await world.clock.advance(1);
  const slow = world.ask();
  await settled();
  await world.ask();
  assert.deepEqual(world.connects, [1, 2, 2, 2, 1, 2]);
  world.peers.at(-2)!.say("ok\n");
  assert.deepEqual(await slow, { answer: "ok", server: "s:1" });
  world.does[0] = says("ok");
  await world.ask();
  assert.equal(world.connects.at(-1), 1);
});

Deno.test("a server that rests is still asked if no other one answers", async () => {
  const world = new World("refused", says("ok"));
  await world.ask();
  world.does = [says("ok"), "refused"];
  assert.deepEqual(await world.ask(), { answer: "ok", server: "s:1" });
  assert.deepEqual(world.connects, [1, 2, 2, 1]);
});

Deno.test("a failure because of the message gives its server no rest", async () => {
  const world = new World(says("too large"), says("ok"));
  assert.deepEqual(await world.ask(), { answer: "ok", server: "s:2" });
  await world.ask();
  assert.deepEqual(world.connects, [1, 2, 1, 2]);
});

Deno.test("a connection that was kept serves the next message, and is closed when it was idle for 5 s", async () => {
  const world = new World(says("ok 1"));
  await world.ask({ keeps: true });
  const next = world.ask({ keeps: true });
  await settled();
  world.peers[0]!.say("ok 2\n");
  assert.deepEqual(await next, { answer: "ok 2", server: "s:1" });
  assert.deepEqual(world.connects, [1]);
  assert.equal(world.peers[0]!.hear(), "question\nquestion\n");
  await world.clock.advance(4_999);
  assert.equal(world.peers[0]!.closed, false);
  await world.clock.advance(1);
  assert.equal(world.peers[0]!.closed, true);
  assert.equal(world.clock.pending, 0);
});

Deno.test("a kept connection is dropped if it ends, or if something comes unasked", async () => {
  for (const end of [(peer: Peer) => peer.close(), (peer: Peer) => peer.reset(), (peer: Peer) => peer.say("ok\n")]) {
    const world = new World(says("ok 1"));
    await world.ask({ keeps: true });
    end(world.peers[0]!);
    await settled();
    assert.equal(world.peers[0]!.closed, true);
    assert.equal(world.clock.pending, 0);
    assert.deepEqual(await world.ask(), { answer: "ok 1", server: "s:1" });
    assert.deepEqual(world.connects, [1, 1]);
  }
});

Deno.test("a dead kept connection is replaced by a new one, once, and that is no failure", async () => {
  const world = new World(says("ok 1"), says("ok 2"));
  await world.ask({ keeps: true });
  const next = world.ask();
  await settled();
  world.peers[0]!.close();
  assert.deepEqual(await next, { answer: "ok 1", server: "s:1" });
  assert.deepEqual(world.connects, [1, 1]);
  assert.deepEqual(world.notices, []);

  const other = new World(says("ok 1"), says("ok 2"));
  await other.ask({ keeps: true });
  other.does[0] = (peer) => peer.reset();
  const asked = other.ask();
  await settled();
  other.peers[0]!.reset();
  assert.deepEqual(await asked, { answer: "ok 2", server: "s:2" });
  assert.deepEqual(other.connects, [1, 1, 2]);
});

Deno.test("a kept connection that is silent, or answers nonsense, is a failure of its server", async () => {
  for (const answers of [isSilent, says("what?"), (peer: Peer) => (peer.say("o"), peer.end())]) {
    const world = new World(says("ok 1"), says("ok 2"));
    await world.ask({ keeps: true });
    const next = world.ask();
    await settled();
    answers(world.peers[0]!);
    await world.clock.advance(15_000);
    assert.deepEqual(await next, { answer: "ok 2", server: "s:2" });
    assert.deepEqual(world.connects, [1, 2]);
  }
});

Deno.test("ServerPool keeps a bounded number of connections", async () => {
  const world = new World(isSilent);
  const asked = Array.from({ length: 20 }, () => world.ask({ keeps: true }));
  await settled();
  for (const peer of world.peers) peer.say("ok\n");
  await Promise.all(asked);
  assert.equal(world.peers.filter((peer) => !peer.closed).length, 16);
  await world.clock.advance(5_000);
  assert.equal(world.peers.filter((peer) => !peer.closed).length, 0);
});

Deno.test("ServerPool closes the connection at once when nobody waits any more", async () => {
  const world = new World(isSilent, says("ok"));
  const asked = world.ask();
  await settled();
  world.aborter.abort();
  assert.equal(world.peers[0]!.closed, true);
  assert.deepEqual(await asked, { cause: "failed", why: "nobody waits for scanner any more" });
  assert.deepEqual(world.connects, [1]);
  assert.equal(world.clock.pending, 0);
  assert.deepEqual(await world.ask(), { cause: "failed", why: "nobody waits for scanner any more" });
  assert.deepEqual(world.connects, [1]);
});

Deno.test("ServerPool closes a connection that comes when nobody waits any more", async () => {
  const clock = new FakeClock();
  const late = Promise.withResolvers<Conn>();
  const pool = new ServerPool({ clock, network: { connect: () => late.promise } }, {
    name: "scanner",
    servers: [tcp("s", 1)],
    timeout: 1000,
  });
  const aborter = new AbortController();
  const asked = pool.ask(() => Promise.reject(new Error("asked")), {
    signal: aborter.signal,
    limit: 1000,
    notice: () => {},
  });
  aborter.abort();
  assert.match(JSON.stringify(await asked), /nobody waits/);
  const peer = new Peer();
  late.resolve(peer.conn);
  await settled();
  assert.equal(peer.closed, true);
});

Deno.test("ServerPool throws errors that are no failure of a server", async () => {
  const world = new World("exhausted", says("ok"));
  await assert.rejects(world.ask(), (error) => error instanceof IoError && error.kind === "exhausted");
  assert.deepEqual(world.connects, [1]);
  const spool = new World(isSilent, says("ok"));
  const asked = spool.pool.ask(() => Promise.reject(new IoError("other", "cannot read")), {
    signal: spool.aborter.signal,
    limit: 1000,
    notice: () => {},
  });
  await assert.rejects(asked, /cannot read/);
  assert.equal(spool.peers[0]!.closed, true);
  assert.equal(spool.clock.pending, 0);
});
