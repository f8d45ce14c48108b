// Tests of lib/commands/quarantine/release.ts on a disk that fails, and under SIGKILL and power failures at each of its
// operations. tests/blackbox/quarantine_command_test.ts has the effects of servers on a release.

import assert from "node:assert/strict";
import { Report } from "../../../lib/commands/output/report.ts";
import { release } from "../../../lib/commands/quarantine/release.ts";
import type { Conn } from "../../../lib/ports/runtime.ts";
import { Quarantine } from "../../../lib/quarantine/quarantine.ts";
import { type DiskOperation, Killed } from "../../fakes/disk.ts";
import { FakeRuntime } from "../../fakes/runtime.ts";
import { DIRECTORY, entries, LIMIT, message, WHY } from "../../quarantine/kept.ts";
import { Peer } from "../../rig/peer.ts";
import { type Script, Server } from "../../rig/server.ts";

/** A quarantine in memory with one message for two recipients, and a server. */
class Bench {
  readonly runtime = new FakeRuntime();
  readonly disk = this.runtime.files;
  readonly server = new Server();
  id = "";

  static async with(script: Script = {}): Promise<Bench> {
    const bench = new Bench();
    bench.server.script = script;
    bench.disk.mkdir(DIRECTORY);
    bench.id = await new Quarantine(bench.runtime, DIRECTORY).keep(message(), WHY, LIMIT);
    return bench;
  }

  /** Releases the message. Gives the status, or undefined if the process was killed. */
  async release(): Promise<number | undefined> {
    const { runtime } = this;
    const report = new Report(runtime.stdio, runtime.stdio.conn(), false);
    const connect = async (): Promise<Conn> => {
      const peer = new Peer();
      this.server.serve(peer);
      return peer.conn;
    };
    const place = { files: this.disk, directory: DIRECTORY, report, now: 0 };
    const times = { connectTimeout: 1000, replyTimeout: 1000, dotTimeout: 1000, sessionTimeout: 1000, keepalive: 1000 };
    const options = { server: { transport: "tcp", host: "mx", port: 25 }, ...times } as const;
    const ports = {
      clock: runtime.clock,
      files: this.disk,
      network: Object.assign(Object.create(runtime.network), { connect }),
    };
    try {
      await release({ place, ports, options }, [this.id]);
      return report.status;
    } catch (error) {
      if (error instanceof Killed) return undefined;
      throw error;
    }
  }

  get arrived(): number {
    return this.server.messages.length;
  }

  /** The message's part in the quarantine. */
  async state(): Promise<"gone" | "kept" | "marked" | "others"> {
    const [entry, ...more] = await entries(this.disk);
    assert.deepEqual(more, []);
    if (!entry) return "gone";
    assert.ok("record" in entry, `damaged: ${JSON.stringify(entry)}`);
    const { attempt, recipients } = entry.record;
    return attempt ? "marked" : recipients.length === 1 ? "others" : "kept";
  }
}

/** Servers: how many messages it takes, and the state that a release leaves if nothing goes wrong. */
const SERVERS: readonly (readonly [what: string, script: Script, arrives: number, status: number, state: string])[] = [
  ["takes all", {}, 1, 0, "gone"],
  ["refuses one recipient", { RCPT: ["250 ok", "550 no"] }, 1, 1, "others"],
  ["refuses the message", { ".": "554 no" }, 0, 1, "kept"],
  ["refuses all", { MAIL: "554 no" }, 0, 1, "kept"],
];

// A message that is refused at its end has still come to the server.
function delivered(bench: Bench, arrives: number): number {
  return Math.min(bench.arrived, arrives);
}

Deno.test("a release leaves what the server's replies say", async () => {
  for (const [what, script, arrives, status, state] of SERVERS) {
    const bench = await Bench.with(script);
    assert.equal(await bench.release(), status, what);
    assert.deepEqual([delivered(bench, arrives), await bench.state()], [arrives, state], what);
    assert.equal(bench.disk.handles, 0);
  }
});

/** This must hold after any end of a release. */
async function holds(bench: Bench, arrives: number, what: string): Promise<void> {
  bench.disk.mend();
  const state = await bench.state();
  const isDelivered = delivered(bench, arrives) === 1;
  if (!isDelivered) assert.notEqual(state, "gone", `${what}: the message is lost`);
  if (isDelivered) {
    assert.notEqual(state, "kept", `${what}: it was delivered, and list does not say that it may have been`);
  }
  assert.equal(bench.arrived <= 1, true);
  // It can be released again, or is done.
  bench.server.reset();
  assert.equal(await bench.release(), state === "gone" ? 1 : 0, what);
  assert.equal(await bench.state(), "gone");
}

const STEPS = 100;

Deno.test("killed or without power at each operation of a release: kept, or delivered, and list tells the truth", async () => {
  for (const [what, script, arrives] of SERVERS) {
    for (const end of ["kill", "lost", "kept"] as const) {
      let isDone = false;
      for (let count = 0; !isDone; count++) {
        assert.ok(count < STEPS);
        const bench = await Bench.with(script);
        bench.disk.killAfter(count);
        isDone = await bench.release() !== undefined;
        if (end === "kill") bench.disk.restart();
        else bench.disk.cutPower(end);
        await holds(bench, arrives, `${what}, ${end} after ${count}`);
      }
    }
  }
});

/** Operations of the disk, and the ending of their path. The name of the host is no loss. */
const OPERATIONS: readonly (readonly [DiskOperation, string])[] = [
  ...(["create", "append", "sync", "rename", "syncDirectory", "remove", "read", "lstat"] as const).map((operation) =>
    [operation, ""] as const
  ),
  ["open", ".eml"],
  ["open", ".json"],
];

Deno.test("whatever operation of the disk fails, the message is kept or delivered, and the status is 1", async () => {
  for (const [what, script, arrives, good] of SERVERS) {
    for (const [operation, ending] of OPERATIONS) {
      for (let after = 0, isOver = false; !isOver; after++) {
        assert.ok(after < STEPS);
        const bench = await Bench.with(script);
        bench.disk.fail(operation, "other", { after, ending });
        const before = bench.disk.operations.length;
        const status = await bench.release();
        const where = `${what}, ${operation} after ${after}`;
        isOver = bench.disk.operations.slice(before).filter((deed) =>
          deed.startsWith(`${operation} `) && deed.endsWith(ending)
        ).length <= after;
        assert.equal(status, isOver ? good : 1, where);
        assert.equal(bench.disk.handles, 0, where);
        await holds(bench, arrives, where);
      }
    }
  }
});
