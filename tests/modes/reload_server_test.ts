// Tests of lib/modes/reload_server.ts: who may ask, the answers, and its bounds.

import assert from "node:assert/strict";
import { openReloadServer, type ReloadServer } from "../../lib/modes/reload_server.ts";
import type { ReloadOutcome } from "../../lib/modes/reload_words.ts";
import { FakeLogger } from "../fakes/logger.ts";
import type { FakeListener } from "../fakes/network.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";
import type { Peer } from "../rig/peer.ts";

const DIRECTORY = "/run/postprox";
const DONE = '{"isDone":true,"needsRestart":[]}\n';

class World {
  readonly runtime = new FakeRuntime();
  readonly logger = new FakeLogger();
  /** The reloads that have begun; each ends with the outcome that it gets. */
  readonly reloads: PromiseWithResolvers<ReloadOutcome>[] = [];
  server: ReloadServer | undefined;

  constructor() {
    this.runtime.variables["RUNTIME_DIRECTORY"] = DIRECTORY;
    this.runtime.files.mkdir(DIRECTORY);
  }

  async open(): Promise<void> {
    this.server = await openReloadServer(this.runtime, this.logger);
  }

  async serve(): Promise<void> {
    await this.open();
    this.server!.serve(() => {
      this.reloads.push(Promise.withResolvers<ReloadOutcome>());
      return this.reloads.at(-1)!.promise;
    });
  }

  get listener(): FakeListener {
    return this.runtime.network.listeners[0]!;
  }

  async ask(question: string, { octetByOctet = false } = {}): Promise<Peer> {
    const peer = this.listener.client();
    peer.octetByOctet = octetByOctet;
    peer.say(question);
    await settled();
    return peer;
  }
}

Deno.test("the socket is for its owner, and there is none without a directory that only few can change", async () => {
  const world = new World();
  await world.open();
  assert.deepEqual(world.listener.at, { transport: "unix", path: "/run/postprox/reload.sock" });
  assert.equal(world.listener.mode, 0o600);
  await world.server!.close();
  assert.ok(world.listener.closed);

  const rows: readonly [(world: World) => void, readonly string[]][] = [
    [({ runtime }) => delete runtime.variables["RUNTIME_DIRECTORY"], []],
    [({ runtime }) => runtime.files.openToEverybody(DIRECTORY), ["every user can change /run/postprox"]],
    [({ runtime }) => runtime.variables["RUNTIME_DIRECTORY"] = "/run/none", ["/run/none"]],
    [({ runtime }) => runtime.network.bindRefusal = "denied", ["cannot listen: denied"]],
  ];
  for (const [change, words] of rows) {
    const world = new World();
    change(world);
    await world.open();
    assert.equal(world.server, undefined);
    assert.equal(world.runtime.network.listeners.length, 0);
    assert.equal(world.logger.lines.length, words.length);
    for (const word of words) assert.equal(world.logger.find(word).length, 1, word);
    for (const line of world.logger.lines) assert.match(line, /^warning: postprox reload gets no answer/);
  }
});

Deno.test("each question has the answer of its own reload, also one octet at a time", async () => {
  const world = new World();
  await world.serve();
  const one = await world.ask("reload\n");
  const other = await world.ask("reload 4711\n", { octetByOctet: true });
  assert.equal(world.reloads.length, 2);
  world.reloads[1]!.resolve({ isDone: false, why: "a mistake\nanother one" });
  await settled();
  assert.equal(one.hear(), "");
  assert.equal(other.hear(), '{"isDone":false,"why":"a mistake\\nanother one"}\n');
  assert.ok(other.closed);
  world.reloads[0]!.resolve({ isDone: true, needsRestart: [] });
  await settled();
  assert.equal(one.hear(), DONE);
  assert.ok(one.closed);
  assert.equal(world.runtime.clock.pending, 0);
});

Deno.test("questions that come before the start has ended wait for it", async () => {
  const world = new World();
  await world.open();
  const early = await world.ask("reload\n");
  assert.equal(early.hear(), "");
  world.server!.serve(async () => ({ isDone: true, needsRestart: [] }));
  await settled();
  assert.equal(early.hear(), DONE);
});

Deno.test("a question for another process, and one that is none, reload nothing", async () => {
  const world = new World();
  await world.serve();
  assert.equal((await world.ask("reload 4712\n")).hear(), '{"pid":4711}\n');
  for (const question of ["restart\n", "\n", "x".repeat(64), "reload 4711 now\n"]) {
    const peer = await world.ask(question);
    assert.match(peer.hear(), /^{"isDone":false,"why":"the service is of another version/, question);
    assert.ok(peer.closed);
  }
  assert.deepEqual(world.reloads, []);
});

Deno.test("a client that says nothing, leaves, or takes nothing ends in time, without a line of the log", async () => {
  const world = new World();
  await world.serve();
  const silent = await world.ask("reloa");
  const gone = await world.ask("reloa");
  gone.close();
  const deaf = world.listener.client();
  deaf.stallWrites();
  deaf.say("reload\n");
  const impatient = await world.ask("reload\n");
  impatient.reset();
  await settled();
  assert.ok(gone.closed && !silent.closed);
  // A reload may take longer.
  await world.runtime.clock.advance(5000);
  assert.ok(silent.closed && !deaf.closed);
  for (const reload of world.reloads) reload.resolve({ isDone: true, needsRestart: [] });
  await settled();
  assert.ok(impatient.closed && !deaf.closed);
  await world.runtime.clock.advance(5000);
  assert.ok(deaf.closed);
  assert.equal(world.runtime.clock.pending, 0);
  assert.deepEqual(world.logger.lines, []);
});

Deno.test("8 clients wait at a time, others hear so, and then there is room again", async () => {
  const world = new World();
  await world.serve();
  for (let count = 0; count < 8; count++) await world.ask("reload\n");
  assert.equal(
    (await world.ask("reload\n")).hear(),
    '{"isDone":false,"why":"8 others wait for a reload: try again"}\n',
  );
  assert.equal(world.reloads.length, 8);
  for (const reload of world.reloads) reload.resolve({ isDone: true, needsRestart: [] });
  await settled();
  await world.ask("reload\n");
  assert.equal(world.reloads.length, 9);
});

Deno.test("an accept that fails is tried again", async () => {
  const world = new World();
  await world.serve();
  world.listener.fail("exhausted");
  await settled();
  await world.runtime.clock.advance(100);
  await world.ask("reload\n");
  assert.equal(world.reloads.length, 1);
});
