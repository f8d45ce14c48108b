// Tests of lib/modes/bind.ts: it listens at each address of a name or at none, and no address waits for another.

import assert from "node:assert/strict";
import { bind } from "../../lib/modes/bind.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import type { Listener } from "../../lib/ports/runtime.ts";
import { FakeLogger } from "../fakes/logger.ts";
import type { FakeListener } from "../fakes/network.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";

const AT_NAME = { transport: "tcp", host: "name.example", port: 10025 } as const;

class Binding {
  readonly runtime = new FakeRuntime();
  readonly logger = new FakeLogger();

  constructor(addresses: readonly string[]) {
    this.runtime.network.hosts.set(AT_NAME.host, addresses);
  }

  bind(): Promise<Listener> {
    return bind(this.runtime, this.logger, AT_NAME);
  }

  /** Those that are open, with what each is bound to. */
  get open(): Map<string, FakeListener> {
    const open = this.runtime.network.listeners.filter((listener) => !listener.closed);
    return new Map(open.map((listener) => [listener.at.transport === "tcp" ? listener.at.host : "", listener]));
  }
}

Deno.test("bind listens at each address of a name, once", async () => {
  const binding = new Binding(["127.0.0.1", "::1", "127.0.0.1"]);
  const listener = await binding.bind();
  assert.deepEqual([...binding.open.keys()], ["127.0.0.1", "::1"]);
  for (const address of ["::1", "127.0.0.1", "::1", "::1"]) {
    const accepting = listener.accept();
    binding.open.get(address)!.client(address);
    assert.equal((await accepting).peer, address);
  }
  assert.deepEqual(binding.logger.lines, []);
});

Deno.test("bind takes an address as it is, and looks up no name", async () => {
  const runtime = new FakeRuntime();
  for (const host of ["127.0.0.1", "::1", "0.0.0.0", "fe80::1%eth0"]) {
    await bind(runtime, new FakeLogger(), { transport: "tcp", host, port: 10025 });
    assert.deepEqual(runtime.network.listeners.at(-1)!.at, { transport: "tcp", host, port: 10025 });
  }
});

Deno.test("bind listens nowhere if one address is taken or does not exist", async () => {
  const rows:
    readonly (readonly [addresses: readonly string[], prepare: (runtime: FakeRuntime) => void, kind: string])[] = [
      [["127.0.0.1", "::1"], ({ network }) => network.taken.add("::1"), "in-use"],
      [["::1", "127.0.0.1"], ({ network }) => network.taken.add("127.0.0.1"), "in-use"],
      // It may come a moment later.
      [["127.0.0.1", "192.0.2.1"], ({ network }) => network.bindable = new Set(["127.0.0.1"]), "unreachable"],
      [["127.0.0.1", "2001:db8::1"], ({ network }) => network.bindable = new Set(["127.0.0.1", "::1"]), "unreachable"],
      // No IPv6, and nothing else.
      [["::1"], ({ network }) => network.bindable = new Set(["127.0.0.1"]), "unreachable"],
      [[], () => {}, "unknown-host"],
      [["127.0.0.1"], ({ network }) => network.hosts.clear(), "unknown-host"],
    ];
  for (const [addresses, prepare, kind] of rows) {
    const binding = new Binding(addresses);
    prepare(binding.runtime);
    await assert.rejects(binding.bind(), (error) => error instanceof IoError && error.kind === kind, `${addresses}`);
    assert.deepEqual([...binding.open.keys()], [], `${addresses}`);
  }
});

Deno.test("bind leaves out an IPv6 address if the host has no IPv6, and says so", async () => {
  const binding = new Binding(["::1", "2001:db8::1", "127.0.0.1"]);
  binding.runtime.network.bindable = new Set(["127.0.0.1"]);
  await binding.bind();
  assert.deepEqual([...binding.open.keys()], ["127.0.0.1"]);
  assert.equal(binding.logger.lines.length, 2);
  for (const line of binding.logger.lines) {
    assert.match(line, /postprox leaves out an address, because this host has no IPv6/);
  }
});

Deno.test("a busy address does not make the clients of another one wait", async () => {
  const binding = new Binding(["127.0.0.1", "::1"]);
  const listener = await binding.bind();
  for (let count = 0; count < 100; count++) binding.open.get("127.0.0.1")!.client("busy");
  for (let count = 0; count < 3; count++) binding.open.get("::1")!.client("quiet");
  const heard: (string | undefined)[] = [];
  for (let count = 0; count < 10; count++) heard.push((await listener.accept()).peer);
  assert.equal(heard.filter((peer) => peer === "quiet").length, 3, `${heard}`);
});

Deno.test("an accept that fails is reported once, and the next one is tried", async () => {
  const binding = new Binding(["127.0.0.1", "::1"]);
  const listener = await binding.bind();
  binding.open.get("::1")!.fail("exhausted");
  await assert.rejects(listener.accept(), (error) => error instanceof IoError && error.kind === "exhausted");
  binding.open.get("::1")!.client("next");
  assert.equal((await listener.accept()).peer, "next");
});

Deno.test("close ends all listeners, and loses no connection that was accepted before", async () => {
  const binding = new Binding(["127.0.0.1", "::1"]);
  const listener = await binding.bind();
  const addresses = [...binding.open.keys()];
  for (const one of binding.open.values()) one.client(one.at.transport === "tcp" ? one.at.host : "");
  await settled();
  const accepting = listener.accept();
  listener.close();
  const accepted = [await accepting, await listener.accept()].map(({ peer }) => peer);
  assert.deepEqual(accepted.sort(), addresses.sort());
  for (let count = 0; count < 2; count++) {
    await assert.rejects(listener.accept(), (error) => error instanceof IoError && error.kind === "closed");
  }
  assert.deepEqual([...binding.open.keys()], []);
});

Deno.test("close ends an accept that waits on several addresses", async () => {
  const listener = await new Binding(["127.0.0.1", "::1"]).bind();
  const accepting = listener.accept();
  listener.close();
  await assert.rejects(accepting, (error) => error instanceof IoError && error.kind === "closed");
});
