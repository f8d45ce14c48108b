// Tests of lib/modes/health.ts: how often it asks, and what it says about each thing that does not work.

import assert from "node:assert/strict";
import { pingClamd } from "../../lib/checks/clamd/ping.ts";
import { pingRspamd } from "../../lib/checks/rspamd/ping.ts";
import { pingSpamd } from "../../lib/checks/spamd/ping.ts";
import { Health, nextHopProbe, type Probe, scannerProbe, spoolProbe } from "../../lib/modes/health.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";
import { tcp } from "../ports/tcp.ts";
import type { Peer } from "../rig/peer.ts";

/** The answer of a probe to what its server does. */
async function answer(
  runtime: FakeRuntime,
  { ask }: Probe,
  does?: (peer: Peer) => void,
): Promise<string | undefined> {
  const asked = ask();
  await settled();
  const peer = runtime.network.servers.at(-1);
  if (peer) does?.(peer);
  await runtime.clock.advance(4_000);
  return await asked;
}

Deno.test("Health asks once in 5 s, however many want to know", async () => {
  const { clock } = new FakeRuntime();
  let asked = 0;
  const health = new Health(clock, async () => [{ name: "x", ask: async () => `fault ${++asked}` }]);
  const answers = await Promise.all([health.faults(), health.faults()]);
  assert.deepEqual(answers, [["fault 1"], ["fault 1"]]);
  await clock.advance(4_999);
  assert.deepEqual(await health.faults(), ["fault 1"]);
  await clock.advance(1);
  assert.deepEqual(await health.faults(), ["fault 2"]);
  assert.equal(clock.pending, 0);
});

Deno.test("Health asks all at once, and names one that never answers or cannot be asked", async () => {
  const { clock } = new FakeRuntime();
  const health = new Health(clock, async () => [
    { name: "the disk", ask: () => new Promise(() => {}) },
    { name: "clamd", ask: async () => undefined },
    { name: "spamd", ask: () => Promise.reject(new IoError("exhausted", "too many open files")) },
  ]);
  const faults = health.faults();
  await clock.advance(3_499);
  assert.equal(clock.pending, 1);
  await clock.advance(1);
  assert.deepEqual(await faults, [
    "the disk did not answer within 3 s",
    "spamd cannot be asked: too many open files",
  ]);
});

Deno.test("the next hop has to greet, and hears QUIT", async () => {
  const runtime = new FakeRuntime();
  const probe = nextHopProbe(runtime, tcp("mx", 25));
  assert.equal(await answer(runtime, probe, (peer) => peer.say("220-hello\r\n220 mx\r\n")), undefined);
  const [peer] = runtime.network.servers;
  assert.equal(peer!.hear(), "QUIT\r\n");
  assert.ok(peer!.closed);
  assert.equal(runtime.clock.pending, 0);
  const name = "the next hop mx:25";
  const faults: [(peer: Peer) => void, string][] = [
    [(peer) => peer.say("554 5.3.2 no\r\n"), `${name} takes no mail: it said 554 5.3.2 no`],
    [(peer) => peer.say("421 4.3.2 later\r\n"), `${name} takes no mail: it said 421 4.3.2 later`],
    [(peer) => peer.say("what?\r\n"), `${name} does not answer: `],
    [(peer) => peer.close(), `${name} does not answer: downstream closed the connection`],
    [(peer) => peer.reset(), `${name} does not answer: connection reset by peer`],
    [() => {}, `${name} does not answer: downstream was `],
    [(peer) => peer.say("220-endless\r\n".repeat(10_000)), `${name} does not answer: `],
  ];
  for (const [does, words] of faults) {
    const fault = await answer(runtime, probe, does);
    assert.ok(fault?.startsWith(words), fault);
    assert.ok(runtime.network.servers.at(-1)!.closed);
    assert.equal(runtime.clock.pending, 0);
  }
  runtime.network.downstream = "refused";
  assert.equal(await answer(runtime, probe), `${name} does not answer: cannot connect: refused`);
  runtime.network.downstream = "silent";
  assert.equal(await answer(runtime, probe), `${name} does not answer: no connection`);
  assert.equal(runtime.network.connects.at(-1)!.limit, 3_000);
});

const PINGS = [
  {
    name: "clamd",
    ping: pingClamd,
    question: /^zPING\0$/,
    good: ["PONG\0"],
    bad: [["PONGO\0", 'answered PING with "PONGO"'], ["UNKNOWN COMMAND\0", "answered PING with"]],
  },
  {
    name: "spamd",
    ping: pingSpamd,
    question: /^PING SPAMC\/1\.5\r\n\r\n$/,
    good: ["SPAMD/1.5 0 PONG\r\n", "SPAMD/1.1 0 PONG\n"],
    bad: [["SPAMD/1.0 76 Bad header line\r\n", "answered PING with"], ["220 mx\r\n", 'answered PING with "220 mx"']],
  },
  {
    name: "rspamd",
    ping: pingRspamd,
    question: /^GET \/ping HTTP\/1\.1\r\nHost: rspamd\r\n[^]*\r\n\r\n$/,
    good: [
      "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npong\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npong\r\n0\r\n\r\n",
    ],
    bad: [
      ["HTTP/1.1 404 Not found\r\nContent-Length: 0\r\n\r\n", "answered GET /ping with HTTP status 404"],
      [`HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n${"x".repeat(2000)}`, "answered GET /ping as rspamd never does"],
      ["SSH-2.0-x\r\n", "sent no HTTP response"],
    ],
  },
] as const;

for (const { name, ping, question, good, bad } of PINGS) {
  Deno.test(`${name} is asked whether it is there`, async () => {
    const runtime = new FakeRuntime();
    const probe = scannerProbe(runtime, { name, servers: [tcp("s", 1)], ping });
    for (const says of good) {
      for (const octetByOctet of [false, true]) {
        const fault = await answer(runtime, probe, (peer) => {
          peer.octetByOctet = octetByOctet;
          assert.match(peer.hear(), question);
          peer.say(says);
        });
        assert.equal(fault, undefined, says);
        assert.ok(runtime.network.servers.at(-1)!.closed);
      }
    }
    for (const [says, words] of bad) {
      const fault = await answer(runtime, probe, (peer) => peer.say(says));
      assert.ok(fault?.startsWith(`${name} could not tell: s:1 ${words}`), fault);
    }
    assert.match((await answer(runtime, probe))!, /could not tell: s:1 gave no answer within 3 s/);
    assert.match((await answer(runtime, probe, (peer) => peer.close()))!, /s:1 closed the connection/);
    runtime.network.downstream = "refused";
    assert.equal(await answer(runtime, probe), `${name} could not tell: cannot connect: refused`);
    assert.equal(runtime.clock.pending, 0);
  });
}

Deno.test("a scanner works if one of its servers answers", async () => {
  const runtime = new FakeRuntime();
  const probe = scannerProbe(runtime, { name: "clamd", servers: [tcp("s", 1), tcp("s", 2)], ping: pingClamd });
  const asked = probe.ask();
  await settled();
  runtime.network.servers[0]!.close();
  await settled();
  runtime.network.servers[1]!.say("PONG\0");
  assert.equal(await asked, undefined);
});

Deno.test("the spool directory has to take a file", async () => {
  const runtime = new FakeRuntime();
  const probe = spoolProbe(runtime, "/spool");
  const before = await probe.ask();
  assert.match(before!, /^the spool directory cannot be used: /);
});
