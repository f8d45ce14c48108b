// The faults of the servers of clamd, rspamd and spamd, from outside and as one table for all of them: each fault at each
// point, alone and with a second server, with and without -r, in both modes.
//
// A program plays all faults of one scanner in one conversation. Most of the time passes while it waits
// for a server. So all these programs run side by side.

import assert from "node:assert/strict";
import { CLAMD, EICAR } from "../fakes/clamd.ts";
import { RSPAMD } from "../fakes/rspamd.ts";
import { FakeScanner, type FaultAt, FAULTS_AT, type Protocol } from "../fakes/scanner.ts";
import { SPAMD } from "../fakes/spamd.ts";
import type { Client } from "../rig/client.ts";
import { until } from "../rig/wait.ts";
import { type Case, deliver, expectRecovered, type Mode, Rig, type Talk } from "./rig.ts";

interface Scanner {
  /** Its option too. */
  readonly name: string;
  readonly protocol: Protocol;
  /** A field for which the message is refused or changed. */
  readonly field: string;
  /** The reply to such a message, or the header that it passes with. */
  readonly refused?: string;
  readonly marks?: string;
}

const SCANNERS: readonly Scanner[] = [
  {
    name: "clamd",
    protocol: CLAMD,
    field: `Comments: ${EICAR}\r\n`,
    refused: "550 5.7.1 virus found: Eicar-Test\r\n",
  },
  {
    name: "rspamd",
    protocol: RSPAMD,
    field: 'X-Rspamd: {"action":"reject"}\r\n',
    refused: "550 5.7.1 Spam message rejected\r\n",
  },
  {
    name: "spamd",
    protocol: SPAMD,
    field: "X-Score: 7.5\r\n",
    marks: "X-Spam-Flag: YES\r\nX-Spam-Status: Yes, score=7.5\r\n\ttests=A\r\n",
  },
];

/** A fault of a server, or that there is none. */
type Fault = FaultAt | "refused";

/** More than sockets take at once: a server that does not read on holds up the question. */
const LARGE = "A line of a large message.\r\n".repeat(400_000);

const FAULTS: readonly (readonly [name: string, fault: Fault, body: string])[] = [
  ["no server is there", "refused", "A line.\r\n"],
  ...FAULTS_AT.map((fault) => [`${fault.does} at ${fault.at}`, fault, "A line.\r\n"] as const),
];

const SLOW_AND_LARGE = [
  "slow in a large message",
  { at: "half request", does: "slow", half: 1_000_000 },
  LARGE,
] as const;

async function withFault(server: FakeScanner, fault: Fault, play: () => Promise<void>): Promise<void> {
  if (fault === "refused") await server.stop();
  else server.fault = fault;
  try {
    await play();
  } finally {
    server.isHealthy();
    if (fault === "refused") await server.restart();
    else await server.dropAll();
  }
}

/** The lines of the log about failures after its first `before` characters, once a message has had its outcome. */
async function complaints(talk: Talk, before = 0): Promise<string[]> {
  const lines = () => talk.log.slice(before);
  await until(() => / message verdict=/.test(lines()), () => `the outcome of a message in ${talk.log}`);
  return lines().match(/^.*(?:error|warning): .*$/gm) ?? [];
}

/** The one server has the fault: nobody can tell, the log says so once, and nothing is lost. */
function alone({ name, field }: Scanner, [server]: readonly FakeScanner[], isDeferring: boolean): Case[] {
  const notChecked = new RegExp(`error: \\w+: message not checked reason="${name} could not tell: `);
  // A large message says nothing more with -r.
  return [...FAULTS, ...isDeferring ? [] : [SLOW_AND_LARGE]].map(([fault, what, body]) => ({
    name: `${fault}: ${isDeferring ? "the message is deferred" : "the message passes"}`,
    play: async (talk) => {
      const message = `${field}Subject: x\r\n\r\n${body}`;
      const client = await talk.open();
      await withFault(server!, what, async () => {
        const reply = await deliver(client, message);
        if (isDeferring) {
          assert.equal(reply.raw, "451 4.3.0 Message could not be checked, try again later\r\n");
          talk.nothingPassed();
        } else {
          assert.equal(reply.code, 250);
          assert.equal(talk.downstream.messages.length, 1);
          assert.ok(talk.downstream.messages[0]!.text === message, "it came otherwise");
        }
        const lines = await complaints(talk);
        assert.equal(lines.length, 1, lines.join("\n"));
        assert.match(lines[0]!, notChecked);
      });
      if (!isDeferring) return;
      await expectRecovered(client);
      // The lines about it are not the next case's.
      await talk.logged(/ message verdict=pass /);
    },
  }));
}

/** One of two servers has the fault, the one that is asked first: the other one answers. */
function failOver({ name, field, refused, marks = "" }: Scanner, servers: readonly FakeScanner[]): Case[] {
  const answered = new RegExp(`${name} at 127\\.0\\.0\\.1:\\d+ answered, because `);
  return FAULTS.map(([fault, what, body], at) => ({
    name: `${fault}: the other one answers`,
    play: async (talk) => {
      const message = `${field}Subject: x\r\n\r\n${body}`;
      const client = await talk.open();
      // Who has failed is asked last, for a while. So it is the other one's turn to fail.
      const [faulty, other] = at % 2 === 0 ? servers : servers.toReversed();
      await withFault(faulty!, what, async () => {
        const { reply, lines, tries } = await deliverInTime(talk, { client, message, server: other! });
        if (refused === undefined) {
          assert.equal(reply.code, 250);
          assert.ok(talk.downstream.messages.at(-1)?.text === `${marks}${message}`, "it came otherwise");
        } else assert.equal(reply.raw, refused);
        if (tries > 1) return;
        assert.equal(talk.downstream.messages.length, refused === undefined ? 1 : 0);
        assert.equal(lines.length, 1, lines.join("\n"));
        assert.match(lines[0]!, answered);
      });
    },
  }));
}

interface InTime {
  readonly client: Client;
  readonly message: string;
  readonly server: FakeScanner;
}

/** On a busy machine a server may be late that has no fault. A sender then tries again, and so does this. */
async function deliverInTime(talk: Talk, { client, message, server: { address } }: InTime) {
  for (let tries = 1;; tries++) {
    const before = talk.log.length;
    const reply = await deliver(client, message);
    const lines = await complaints(talk, before);
    const isLate = lines.some((line) => line.includes(`${address} gave no answer within`));
    if (!isLate || tries === 20) return { reply, lines, tries };
  }
}

/** A program, and all that is played with it. */
interface Lane {
  readonly mode: Mode;
  readonly scanner: Scanner;
  readonly isDeferring: boolean;
  readonly count: 1 | 2;
}

const LANES: readonly Lane[] = SCANNERS.flatMap((scanner) =>
  (["spawn", "listen"] as const).flatMap((mode) =>
    [false, true].flatMap((isDeferring) => ([1, 2] as const).map((count) => ({ mode, scanner, isDeferring, count })))
  )
);

async function playLane(test: Deno.TestContext, { mode, scanner, isDeferring, count }: Lane): Promise<void> {
  const servers = await Promise.all(Array.from({ length: count }, () => FakeScanner.start(scanner.protocol)));
  const words = [
    ...servers.map(({ address }) => `--${scanner.name}=${address}`),
    // A fault that is told by time alone is over then. The other server has the second half.
    `--scan-timeout=${count === 1 ? 0.4 : 3}`,
    ...isDeferring ? ["-r"] : [],
  ];
  const rig = await Rig.start(mode, { options: () => [...words, "-v"], shared: true });
  const title = `${scanner.name}${count === 1 ? "" : ", two servers"}${isDeferring ? ", -r" : ""}, ${mode} mode`;
  try {
    for (const row of count === 1 ? alone(scanner, servers, isDeferring) : failOver(scanner, servers)) {
      await test.step({
        name: `${title}: ${row.name}`,
        fn: () => rig.play(row),
        sanitizeOps: false,
        sanitizeResources: false,
        sanitizeExit: false,
      });
    }
  } finally {
    await rig.stop();
    for (const server of servers) await server.stop();
  }
}

Deno.test("Faults of scanners", async (test) => {
  const ends = await Promise.allSettled(LANES.map((lane) => playLane(test, lane)));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
});
