// Tests of lib/modes/listen.ts: sessions side by side, a limited number of places, and an end that loses no message.

import assert from "node:assert/strict";
import { chain } from "../../lib/checks/chain.ts";
import { policyOf } from "../../lib/checks/policy.ts";
import { bind } from "../../lib/modes/bind.ts";
import { OwnPlaces } from "../../lib/modes/places.ts";
import { listenMode, type ListenState, type Remade } from "../../lib/modes/listen.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import type { Address } from "../../lib/ports/runtime.ts";
import type { SessionChecks } from "../../lib/session/session.ts";
import { Marks } from "../../lib/spool/mark.ts";
import { bytesOf } from "../../lib/text/octets.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import type { Peer } from "../rig/peer.ts";
import { OPTIONS } from "../fakes/conversation.ts";
import { FakeLogger } from "../fakes/logger.ts";
import type { FakeListener } from "../fakes/network.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";

const ADDRESS = { transport: "tcp", host: "127.0.0.1", port: 10025 } as const;
const DRAIN = 20_000;
const DONE = { isDone: true, needsRestart: [] } as const;
const NOT_DONE = { isDone: false, why: "a mistake" } as const;
const SHUTTING_DOWN = "421 4.3.2 Service shutting down, closing connection\r\n";

class Listening {
  readonly runtime = new FakeRuntime();
  readonly logger = new FakeLogger();
  ready = 0;
  state: ListenState | undefined;
  remake: () => Promise<SessionChecks & Partial<Remade> | undefined> = async () => undefined;
  status: number | undefined;

  failure: unknown;

  async start(maxClients = 10, address: Address = ADDRESS): Promise<void> {
    const parts = {
      runtime: this.runtime,
      logger: this.logger,
      marks: new Marks(this.runtime),
      judge: chain(this.runtime.clock, [], policyOf(OPTIONS)),
      options: OPTIONS,
    };
    const remake = async () => {
      const made = await this.remake();
      return made
        ? { made: { options: OPTIONS, maxClients, drainTimeout: DRAIN, ...made }, outcome: DONE }
        : { outcome: NOT_DONE };
    };
    void listenMode(parts, {
      listen: () => bind(this.runtime, this.logger, address),
      places: new OwnPlaces(maxClients),
      maxClients,
      drainTimeout: DRAIN,
      onReady: (state) => {
        this.ready++;
        this.state = state;
      },
      remake,
    })
      .then((status) => this.status = status, (error) => this.failure = error);
    await settled();
  }

  get listener(): FakeListener {
    return this.runtime.network.listeners[0]!;
  }

  /** A client connects and is greeted; gives its end and downstream's. */
  async client(): Promise<{ client: Peer; server: Peer }> {
    const client = this.listener.client();
    await settled();
    const server = this.runtime.network.servers.at(-1)!;
    server.say("220 mx\r\n");
    await settled();
    assert.equal(client.hear(), "220 mx\r\n");
    return { client, server };
  }
}

async function sendMessage({ client, server }: { client: Peer; server: Peer }): Promise<void> {
  client.say("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n");
  for (const reply of ["250 Ok\r\n", "250 Ok\r\n", "354 Go on\r\n"]) {
    await settled();
    server.say(reply);
  }
  await settled();
  assert.match(server.hear(), /\r\nx\r\n\.\r\n$/);
}

Deno.test("listenMode says that it is ready once, after it has bound", async () => {
  const listening = new Listening();
  await listening.start();
  assert.equal(listening.ready, 1);
  assert.deepEqual(listening.listener.at, ADDRESS);
  const failing = new FakeRuntime();
  failing.network.bindRefusal = "in-use";
  const parts = {
    runtime: failing,
    logger: new FakeLogger(),
    marks: new Marks(failing),
    judge: chain(failing.clock, [], policyOf(OPTIONS)),
    options: OPTIONS,
  };
  await assert.rejects(
    listenMode(parts, {
      listen: () => bind(failing, parts.logger, ADDRESS),
      places: new OwnPlaces(1),
      maxClients: 1,
      drainTimeout: DRAIN,
      onReady: () => assert.fail("is not ready"),
      remake: () => assert.fail("nobody asked"),
    }),
    IoError,
  );
});

/** A network where the first try to bind finds the name taken. */
function takenOnce(listening: Listening): void {
  const { network, files } = listening.runtime;
  const listen = network.listen.bind(network);
  network.listen = async (at) => {
    if (files.paths.includes("/run/postprox")) throw new IoError("in-use", "cannot listen at /run/postprox");
    return await listen(at);
  };
}

Deno.test("listenMode takes over the name of a unix socket if nobody listens there any more, and of nothing else", async () => {
  const rows = [
    ["socket", "refused", true],
    ["socket", "accepts", false],
    ["socket", "silent", false],
    ["socket", "denied", false],
    // A FIFO, say.
    ["other", "refused", false],
    ["file", "refused", false],
    ["directory", "refused", false],
  ] as const;
  for (const [kind, downstream, taken] of rows) {
    const listening = new Listening();
    listening.runtime.files.replace("/run/postprox", bytesOf("there"), kind);
    if (kind !== "directory") takenOnce(listening);
    else listening.runtime.network.bindRefusal = "in-use";
    listening.runtime.network.downstream = downstream;
    const started = listening.start(10, { transport: "unix", path: "/run/postprox" });
    await listening.runtime.clock.advance(1000);
    await started;
    assert.equal(listening.ready, taken ? 1 : 0, `${kind} ${downstream}`);
    assert.equal(listening.failure instanceof IoError && listening.failure.kind === "in-use", !taken);
    assert.equal(listening.runtime.files.paths.includes("/run/postprox"), !taken && kind !== "directory");
  }
});

Deno.test("listenMode sends away a client that it accepts at the moment of SIGQUIT", async () => {
  const heard: string[] = [];
  // Somewhere between its connection and its session.
  for (let turns = 0; turns < 10; turns++) {
    const listening = new Listening();
    await listening.start();
    const client = listening.listener.client();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    listening.runtime.signal("SIGQUIT");
    await settled();
    await settled();
    heard.push(client.hear());
    assert.equal(listening.status, 0, `${turns} turns`);
    assert.ok(listening.runtime.network.servers.every((server) => server.closed));
  }
  // One that nobody has accepted yet finds the port closed.
  const accepted = heard.slice(heard.indexOf(SHUTTING_DOWN));
  assert.ok(accepted.length >= 5, heard.join());
  assert.deepEqual(new Set(accepted), new Set([SHUTTING_DOWN]));
});

Deno.test("listenMode keeps sessions apart", async () => {
  const listening = new Listening();
  await listening.start();
  const one = await listening.client();
  const two = await listening.client();
  one.client.say("NOOP one\r\n");
  two.client.say("NOOP two\r\n");
  await settled();
  assert.equal(one.server.hear(), "NOOP one\r\n");
  assert.equal(two.server.hear(), "NOOP two\r\n");
  two.server.say("250 two\r\n");
  await settled();
  assert.equal(two.client.hear(), "250 two\r\n");
  assert.equal(one.client.hear(), "");
});

Deno.test("listenMode: one client too many gets 421 and takes no place; a client that leaves makes room", async () => {
  const listening = new Listening();
  await listening.start(1);
  const { client } = await listening.client();
  for (let count = 0; count < 3; count++) {
    const more = listening.listener.client();
    await settled();
    assert.equal(more.hear(), "421 4.3.2 Too many connections, try again later\r\n");
    assert.ok(more.closed);
  }
  assert.equal(listening.runtime.network.connects.length, 1);
  assert.equal(listening.logger.find("too many clients").length, 3);
  client.end();
  await settled();
  await listening.client();
});

Deno.test("a client too many that takes nothing or is gone does not hold up listenMode", async () => {
  const listening = new Listening();
  await listening.start(1);
  const { client } = await listening.client();
  listening.listener.client().stallWrites();
  listening.listener.client().reset();
  await settled();
  client.end();
  await settled();
  await listening.client();
});

Deno.test("listenMode pauses when an accept fails, and goes on", async () => {
  const listening = new Listening();
  await listening.start();
  listening.listener.fail("other");
  listening.listener.fail("other");
  const client = listening.listener.client();
  await settled();
  assert.equal(listening.logger.find("cannot accept").length, 1, "accepting does not pause");
  await listening.runtime.clock.advance(100);
  assert.equal(listening.logger.find("cannot accept").length, 2);
  assert.equal(listening.runtime.network.servers.length, 0);
  await listening.runtime.clock.advance(100);
  listening.runtime.network.servers[0]!.say("220 mx\r\n");
  await settled();
  assert.equal(client.hear(), "220 mx\r\n");
});

Deno.test("listenMode ends idle sessions with 421 at SIGQUIT and at a second signal, and ends with 0", async () => {
  for (const signals of [["SIGQUIT"], ["SIGTERM", "SIGTERM"], ["SIGINT", "SIGTERM"], ["SIGTERM", "SIGQUIT"]] as const) {
    const listening = new Listening();
    await listening.start();
    const one = await listening.client();
    const two = await listening.client();
    for (const signal of [...signals, ...signals]) listening.runtime.signal(signal);
    await settled();
    assert.equal(one.client.hear(), SHUTTING_DOWN);
    assert.equal(two.client.hear(), SHUTTING_DOWN);
    assert.ok(listening.listener.closed);
    assert.equal(listening.status, 0);
    const lines = listening.logger.find("shutting down signal=");
    assert.equal(lines.length, signals.length);
    for (const [at, signal] of signals.entries()) assert.match(lines[at]!, new RegExp(`signal=${signal} sessions=2`));
  }
});

Deno.test("listenMode: after SIGTERM and SIGINT sessions go on, nobody new is accepted, and the last one ends it", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const listening = new Listening();
    await listening.start();
    const one = await listening.client();
    const two = await listening.client();
    listening.runtime.signal(signal);
    await settled();
    assert.ok(listening.listener.closed);
    for (const session of [one, two]) {
      await sendMessage(session);
      session.server.say("250 Taken\r\n");
      await settled();
      assert.ok(session.client.hear().endsWith("\r\n250 Taken\r\n"));
    }
    one.client.end();
    await listening.runtime.clock.advance(DRAIN - 1);
    assert.equal(two.client.hear(), "");
    assert.equal(listening.status, undefined);
    two.client.end();
    await settled();
    assert.equal(listening.status, 0);
    assert.equal(listening.logger.find("drain timeout is over").length, 0);
  }
});

Deno.test("listenMode: sessions that outlast the time of the drain get 421", async () => {
  const listening = new Listening();
  await listening.start();
  const { client } = await listening.client();
  listening.runtime.signal("SIGTERM");
  await listening.runtime.clock.advance(DRAIN - 1);
  assert.equal(client.hear(), "");
  await listening.runtime.clock.advance(1);
  assert.equal(client.hear(), SHUTTING_DOWN);
  assert.equal(listening.status, 0);
  assert.equal(listening.logger.find("421 sessions=1").length, 1);
});

Deno.test("listenMode: a reload sets the time of the drain, and a drain begins no reload", async () => {
  const listening = new Listening();
  await listening.start();
  const { client } = await listening.client();
  listening.remake = async () => ({ ...refusing("550 first"), drainTimeout: 1000 });
  listening.runtime.signal("SIGHUP");
  await settled();
  listening.runtime.signal("SIGTERM");
  listening.remake = () => assert.fail("nobody asked");
  listening.runtime.signal("SIGHUP");
  assert.equal(listening.logger.reopened, 2);
  await listening.runtime.clock.advance(1000);
  assert.equal(client.hear(), SHUTTING_DOWN);
  assert.equal(listening.status, 0);
  assert.deepEqual(listening.logger.find("error: bug"), []);
});

Deno.test("listenMode waits for a message past the point of no return, but only for a grace", async () => {
  for (const answers of [true, false]) {
    const listening = new Listening();
    await listening.start();
    const session = await listening.client();
    await sendMessage(session);
    listening.runtime.signal("SIGQUIT");
    await listening.runtime.clock.advance(5000);
    assert.equal(listening.status, undefined);
    if (answers) {
      session.server.say("250 Taken\r\n");
      await settled();
      assert.ok(session.client.hear().endsWith(`\r\n250 Taken\r\n${SHUTTING_DOWN}`));
    } else {
      await listening.runtime.clock.advance(5000);
      assert.match(session.client.hear(), /\r\n451 [^\r]*\r\n421 [^\r]*\r\n$/);
    }
    assert.equal(listening.status, 0);
  }
});

Deno.test("listenMode obeys a signal that comes before its address is bound", async () => {
  const listening = new Listening();
  const { network } = listening.runtime;
  const listen = network.listen.bind(network);
  const bound = Promise.withResolvers<void>();
  network.listen = async (at) => {
    await bound.promise;
    return await listen(at);
  };
  await listening.start();
  listening.runtime.signal("SIGTERM");
  bound.resolve();
  await settled();
  assert.ok(listening.listener.closed);
  assert.equal(listening.status, 0);
});

Deno.test("listenMode serves a client that it accepted as SIGTERM came", async () => {
  const served: boolean[] = [];
  // Somewhere between its connection and its session.
  for (let turns = 0; turns < 10; turns++) {
    const listening = new Listening();
    await listening.start();
    const client = listening.listener.client();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    listening.runtime.signal("SIGTERM");
    await settled();
    const server = listening.runtime.network.servers[0];
    server?.say("220 mx\r\n");
    await settled();
    assert.equal(client.hear(), server ? "220 mx\r\n" : "");
    assert.equal(listening.status, server ? undefined : 0);
    client.end();
    await settled();
    assert.equal(listening.status, 0);
    served.push(server !== undefined);
  }
  // One that nobody has accepted yet finds the port closed.
  const first = served.indexOf(true);
  assert.ok(first >= 0 && first <= 5 && served.slice(first).every(Boolean), served.join());
});

Deno.test("listenMode opens the log again at SIGHUP and goes on", async () => {
  const listening = new Listening();
  await listening.start();
  listening.runtime.signal("SIGHUP");
  assert.equal(listening.logger.reopened, 1);
  await listening.client();
});

/** A judge that refuses everything with `text`. */
function refusing(text: string): SessionChecks {
  const reply = formatReply(text);
  const decision = { kind: "reject", why: "test", reply } as const;
  return { judge: { needsFile: false, judge: async () => ({ decision, findings: [], time: 0 }) } };
}

/** The reply to a message that a check refuses. */
async function refusalOf({ client, server }: { client: Peer; server: Peer }): Promise<string> {
  client.say("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n");
  for (let count = 0; count < 2; count++) {
    await settled();
    server.say("250 Ok\r\n");
  }
  await settled();
  return client.hear().split("\r\n").at(-2)!;
}

Deno.test("listenMode loads the checks again at SIGHUP, for the sessions after it", async () => {
  const listening = new Listening();
  await listening.start();
  const before = await listening.client();
  listening.remake = async () => refusing("550 first");
  listening.runtime.signal("SIGHUP");
  await settled();
  assert.equal(await refusalOf(await listening.client()), "550 first");
  await sendMessage(before);
  // If it cannot be made, everything stays as it was.
  listening.remake = async () => undefined;
  listening.runtime.signal("SIGHUP");
  await settled();
  assert.equal(await refusalOf(await listening.client()), "550 first");
});

Deno.test("listenMode obeys the last of several SIGHUPs, however long each one takes, and survives a bug in one", async () => {
  const listening = new Listening();
  await listening.start();
  const slow = Promise.withResolvers<SessionChecks>();
  const remakes = [() => Promise.reject(new TypeError("oops")), () => slow.promise, async () => refusing("550 last")];
  listening.remake = () => remakes.shift()!();
  for (let count = 0; count < 3; count++) listening.runtime.signal("SIGHUP");
  await settled();
  assert.equal(listening.logger.find("oops").length, 1);
  slow.resolve(refusing("550 slow"));
  await settled();
  assert.equal(await refusalOf(await listening.client()), "550 last");
});

Deno.test("listenMode: who asks for a reload hears of its own, when the next session has what it made", async () => {
  const listening = new Listening();
  await listening.start();
  const slow = Promise.withResolvers<SessionChecks>();
  const remakes = [
    () => slow.promise,
    async () => undefined,
    () => Promise.reject(new TypeError("oops")),
    async () => refusing("550 last"),
  ];
  listening.remake = () => remakes.shift()!();
  const heard: unknown[] = [];
  // The first is another's.
  listening.runtime.signal("SIGHUP");
  for (let count = 0; count < 3; count++) void listening.state!.reload().then((outcome) => heard.push(outcome));
  await settled();
  assert.deepEqual(heard, []);
  slow.resolve(refusing("550 slow"));
  await settled();
  assert.deepEqual(heard, [NOT_DONE, { isDone: false, why: "internal error: see the log" }, DONE]);
  assert.equal(await refusalOf(await listening.client()), "550 last");
  assert.equal(listening.logger.reopened, 4);
});

Deno.test("listenMode: a reload while postprox ends is not done, also one that has begun before", async () => {
  const listening = new Listening();
  await listening.start();
  await listening.client();
  const slow = Promise.withResolvers<SessionChecks>();
  listening.remake = () => slow.promise;
  const begun = listening.state!.reload();
  await settled();
  listening.runtime.signal("SIGTERM");
  const next = listening.state!.reload();
  listening.remake = () => assert.fail("nobody asked");
  slow.resolve(refusing("550 slow"));
  const ends = { isDone: false, why: "postprox ends" };
  assert.deepEqual([await begun, await next], [ends, ends]);
  await listening.runtime.clock.advance(DRAIN);
});

Deno.test("listenMode logs an error that nothing caught, and serves on", async () => {
  const listening = new Listening();
  await listening.start();
  const { client, server } = await listening.client();
  listening.runtime.bug(new TypeError("oops"));
  assert.equal(listening.logger.find("oops").length, 1);
  client.say("NOOP\r\n");
  await settled();
  assert.equal(server.hear(), "NOOP\r\n");
  assert.equal(listening.runtime.out + listening.runtime.err, "");
});
