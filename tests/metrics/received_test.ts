// Tests of lib/metrics/received.ts: our own snapshots come through JSON unchanged, and nothing else comes through.

import assert from "node:assert/strict";
import { addWitness, SessionLog } from "../../lib/log/events.ts";
import { Meter } from "../../lib/metrics/meter.ts";
import { receivedSnapshot } from "../../lib/metrics/received.ts";
import type { Snapshot } from "../../lib/metrics/snapshot.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { FakeLogger } from "../fakes/logger.ts";

/** A snapshot in which nothing is empty. */
function full(): Snapshot {
  const logger = new FakeLogger();
  const meter = new Meter({ build: { version: "1", runtime: "none" } });
  addWitness(logger, meter.witness);
  meter.gauges = { sessionsOpen: () => 1, filters: () => ({ running: 1, waiting: 2, count: 3 }) };
  const envelope = { sender: "a@b", recipients: ["c@d"], client: { address: "192.0.2.7" } };
  const log = new SessionLog(logger, "id", () => ({ envelope }));
  const reply = formatReply("550 no");
  log.tell("message", {
    messageId: undefined,
    size: 3,
    judgement: {
      decision: { kind: "reject", check: "clamd", why: "virus", reply },
      findings: [{ check: "clamd", verdict: { kind: "reject", why: "virus", reply }, time: 4 }],
      time: 4,
    },
    reply,
    downstreamTime: 3,
  });
  log.tell("spoolFailed", { why: "full" });
  return meter.snapshot();
}

const through = (value: unknown) => JSON.parse(JSON.stringify(value));

Deno.test("our own snapshot comes through JSON unchanged", () => {
  const snapshot = full();
  assert.deepEqual(receivedSnapshot(through(snapshot)), snapshot);
  const empty = new Meter({ build: { version: "1", runtime: "none" } }).snapshot();
  assert.deepEqual(through(receivedSnapshot(through(empty))), through(empty));
});

Deno.test("a value that is no snapshot, or in which anything is wrong, is not used", () => {
  for (const value of [undefined, null, 0, "", [], {}, [full()]]) assert.equal(receivedSnapshot(value), undefined);
  for (const name of Object.keys(full())) {
    for (const wrong of [null, "x", -Infinity, [null], [{}], { x: "y" }, true]) {
      assert.equal(receivedSnapshot({ ...full(), [name]: wrong }), undefined, `${name} ${String(wrong)}`);
    }
  }
  const short = { buckets: [1, 2, 3], sum: 1 };
  assert.equal(receivedSnapshot({ ...full(), downstreamSeconds: short }), undefined);
});

Deno.test("a verdict of another version is left out", () => {
  const snapshot = full();
  const seen = receivedSnapshot({
    ...snapshot,
    messages: [...snapshot.messages, { verdict: "other", check: "", count: 1 }],
    refusals: [...snapshot.refusals, { ...snapshot.refusals[0], verdict: "other" }],
    minutes: snapshot.minutes.map((one) => ({ ...one, messages: { ...one.messages, other: 1 } })),
  });
  assert.deepEqual(seen, snapshot);
});
