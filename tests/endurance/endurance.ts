// The cost of postprox in listen mode with much of something: many messages, many connections, a large message, many
// recipients, a client that never ends, more clients than the limit.
//
// Each function makes one load with a bound, and returns its figures beside their bounds. The caller chooses the
// numbers. If a load goes wrong (a reply is missing, a message is refused), the function throws.

import assert from "node:assert/strict";
import { type Client, connectTo } from "../rig/client.ts";
import { Server } from "../rig/server.ts";
import { Listening } from "../e2e/start.ts";
import { until } from "../rig/wait.ts";
import { EnduranceBed, type Figure, type Load } from "./endurance_bed.ts";

const KIB_PER_MB = 1_000_000 / 1024;

/**
 * Nothing may be kept of a message; its envelope alone would be some hundred octets. V8's heap moves by 5 MiB to and fro, which
 * over the 150,000 messages after warm-up looks like up to 35 octets each, so that less cannot be told from nothing.
 */
const OCTETS_PER_MESSAGE = 64;

const KIB_PER_IDLE_CONNECTION = 64;
const MB_PER_LARGE_MESSAGE = 8;

/** A process that has just started grows for reasons of its own: its code is compiled, its heap finds its size. */
const WARM_UP_SHARE = 0.25;

// --- many messages

export interface Series {
  readonly messages: number;
  readonly kib: number;
}

/** Sends `batches` times `load` through one process and looks at its memory after each. */
export async function sendMany(
  load: Load,
  batches: number,
  onBatch: (point: Series) => void = () => {},
): Promise<Figure[]> {
  return await EnduranceBed.using([], async (bed) => {
    const descriptors = bed.descriptors();
    const started = performance.now();
    const series: Series[] = [];
    for (let batch = 1; batch <= batches; batch++) {
      await bed.send(load);
      const point = { messages: batch * load.count, kib: bed.memory() };
      series.push(point);
      onBatch(point);
    }
    const seconds = (performance.now() - started) / 1000;
    const messages = load.count * batches;
    await until(() => bed.descriptors() <= descriptors, "the end of all sessions");
    assert.equal(bed.log(), "", "something was worth a line in the log");
    assert.deepEqual(bed.spooled(), []);
    const warm = series.slice(Math.floor(batches * WARM_UP_SHARE));
    const slope = slopeOf(warm) * 1024;
    const [least, most] = [Math.min, Math.max].map((choose) =>
      (choose(...warm.map(({ kib }) => kib)) / 1024).toFixed(0)
    );
    return [
      {
        name: `${messages} messages: growth after warm-up`,
        value: `${slope.toFixed(1)} octets each, ${least}-${most} MiB`,
        bound: `< ${OCTETS_PER_MESSAGE} octets each`,
        passed: slope < OCTETS_PER_MESSAGE,
        wholeRunOnly: true,
      },
      {
        name: `${messages} messages: all of them accepted`,
        value: `in ${seconds.toFixed(0)} s, ${(messages / seconds).toFixed(0)} a second`,
        bound: "",
        passed: true,
      },
    ];
  });
}

/** KiB per message: the median of the slopes between all pairs of points, which a few odd ones do not move. */
export function slopeOf(series: readonly Series[]): number {
  const slopes = series.flatMap((from, i) =>
    series.slice(i + 1).map((to) => (to.kib - from.kib) / (to.messages - from.messages))
  );
  return slopes.toSorted((a, b) => a - b)[Math.floor(slopes.length / 2)] ?? 0;
}

// --- many connections

/** Clients that were greeted and say nothing. */
export async function holdIdle(count: number, warmUp: number): Promise<Figure[]> {
  return await EnduranceBed.using(["--max-clients", String(count + 100)], async (bed) => {
    await bed.warmUp(warmUp);
    const before = bed.memory();
    const clients: Client[] = [];
    try {
      while (clients.length < count) clients.push(await connectTo(bed));
      for (const client of clients) await client.expect(220);
      const each = (bed.memory() - before) / count;
      return [{
        name: `${count} idle connections: memory`,
        value: `${each.toFixed(1)} KiB each`,
        bound: `< ${KIB_PER_IDLE_CONNECTION} KiB`,
        passed: each < KIB_PER_IDLE_CONNECTION,
      }];
    } finally {
      for (const client of clients) client.close();
    }
  });
}

// --- a large message

/**
 * Three messages of `size` octets, one after the other. V8 lets the room for short-lived objects grow to some 16 MB under
 * any load, small mail or large. If the warm-up is too short, this shows as memory of the large message.
 */
export async function sendLarge(size: number, options: readonly string[], warmUp: number): Promise<Figure[]> {
  return await EnduranceBed.using(options, async (bed) => {
    await bed.warmUp(warmUp);
    const before = bed.memory();
    bed.forgetPeak();
    await bed.send({ count: 3, size, connections: 1 });
    const added = (bed.peak() - before) / KIB_PER_MB;
    assert.equal(bed.log(), "", "something was worth a line in the log");
    assert.deepEqual(bed.spooled(), []);
    const how = options.length === 0 ? "no filter" : options.join(" ");
    return [{
      name: `message of ${size / 1e6} MB, ${how}: memory at most`,
      value: `+${added.toFixed(1)} MB`,
      bound: `< ${MB_PER_LARGE_MESSAGE} MB`,
      passed: added < MB_PER_LARGE_MESSAGE,
    }];
  });
}

// --- many recipients

/** One transaction with `count` recipients, sent in one go; downstream refuses none. */
export async function addressMany(count: number): Promise<Figure[]> {
  const directory = await Deno.makeTempDir({ prefix: "postprox-endurance-" });
  const downstream = await Server.start();
  try {
    const postprox = await Listening.start([
      "-c",
      "test $RECIPIENTCOUNT = " + count,
      "-d",
      directory,
      downstream.operand,
    ]);
    try {
      const client = await connectTo(postprox);
      await client.expect(220);
      await client.expect(250, "EHLO client.example");
      await client.expect(250, "MAIL FROM:<a@a.example>");
      const recipients = Array.from({ length: count }, (_, i) => `RCPT TO:<r${i}@b.example>`);
      const saying = client.say(recipients.join("\r\n") + "\r\nDATA\r\n");
      for (let i = 0; i < count; i++) await client.expect(250);
      await saying;
      await client.expect(354);
      await client.say("Subject: all\r\n\r\ntext\r\n.\r\n");
      const end = await client.hear();
      await client.expect(221, "QUIT");
      client.close();
      const expected = ["EHLO client.example", "MAIL FROM:<a@a.example>", ...recipients, "DATA", "QUIT"];
      assert.deepEqual(downstream.lines, expected);
      assert.deepEqual(downstream.violations, []);
      return [{
        name: `${count} recipients: one message, reply to it`,
        value: `${end.code}, ${downstream.messages.length} delivered`,
        bound: "250, 1",
        passed: end.code === 250 && downstream.messages.length === 1,
      }];
    } finally {
      await postprox.stop();
    }
  } finally {
    await downstream.stop();
    await Deno.remove(directory, { recursive: true });
  }
}

// --- a client that never ends

/** Clients that say one octet every `interval` milliseconds, in commands and in a message. */
export async function trickle(sessionSeconds: number, interval: number): Promise<Figure[]> {
  const options = ["--session-timeout", String(sessionSeconds)];
  return await EnduranceBed.using(options, async (bed) => {
    return await Promise.all([
      trickleOne(bed, { sessionSeconds, interval, where: "in commands", before: [], text: "NOOP\r\n" }),
      trickleOne(bed, {
        sessionSeconds,
        interval,
        where: "in a message",
        before: ["EHLO client.example", "MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>", "DATA"],
        text: "one octet after the other\r\n",
      }),
    ]);
  });
}

async function trickleOne(
  bed: EnduranceBed,
  { sessionSeconds, interval, where, before, text }: {
    sessionSeconds: number;
    interval: number;
    where: string;
    before: readonly string[];
    text: string;
  },
): Promise<Figure> {
  // Nothing but the end of the session ends this; a limit that does not work must not hang the run.
  const patience = 10 * sessionSeconds * 1000;
  const started = performance.now();
  const client = await connectTo(bed);
  try {
    await client.expect(220);
    for (const command of before) await client.ask(command);
    for (let i = 0; !client.isOver && performance.now() - started < patience; i++) {
      await client.say(text[i % text.length]!);
      await new Promise((resume) => setTimeout(resume, interval));
    }
    const seconds = (performance.now() - started) / 1000;
    const last = client.unheard.split("\r\n").at(-2) ?? "";
    const passed = client.isOver && last.startsWith("421 ");
    return {
      name: `an octet every ${interval / 1000} s ${where}: cut off`,
      value: passed ? `421 after ${seconds.toFixed(1)} s` : `not within ${seconds.toFixed(0)} s: ${last}`,
      bound: `421 after ${sessionSeconds} s`,
      passed: passed && seconds > sessionSeconds * 0.9 && seconds < sessionSeconds + 2 + 2 * interval / 1000,
      wholeRunOnly: passed,
    };
  } finally {
    client.close();
  }
}

// --- more clients than there is room for

/** `beyond` clients more than the limit, at once; then the first client that comes after one has left. */
export async function flood(limit: number, beyond: number): Promise<Figure[]> {
  return await EnduranceBed.using(["--max-clients", String(limit)], async (bed) => {
    const held: Client[] = [];
    try {
      while (held.length < limit) held.push(await connectTo(bed));
      for (const client of held) await client.expect(220);
      const descriptors = bed.descriptors();
      const refused = await Promise.all(Array.from({ length: beyond }, async () => {
        const client = await connectTo(bed);
        try {
          const { code } = await client.hear();
          await client.expectEnd();
          return code;
        } finally {
          client.close();
        }
      }));
      const count = refused.filter((code) => code === 421).length;
      // Those inside have noticed nothing.
      for (const client of held) await client.expect(250, "NOOP");
      await until(() => bed.descriptors() <= descriptors, "the end of the refused connections");

      await held[0]!.expect(221, "QUIT");
      await held[0]!.end();
      const started = performance.now();
      const tries = await served(bed);
      const milliseconds = performance.now() - started;
      return [
        {
          name: `${beyond} clients beyond ${limit}: refused with 421, closed`,
          value: String(count),
          bound: String(beyond),
          passed: count === beyond,
        },
        {
          name: "the next client, after one has left: served",
          value: `at try ${tries}, in ${milliseconds.toFixed(0)} ms`,
          bound: "< 1000 ms",
          passed: milliseconds < 1000,
          wholeRunOnly: true,
        },
      ];
    } finally {
      for (const client of held) client.close();
    }
  });
}

/** Connects until a client is greeted; how many tries that took. */
async function served(bed: EnduranceBed): Promise<number> {
  let tries = 0;
  await until(async () => {
    tries++;
    const client = await connectTo(bed);
    try {
      return (await client.hear()).code === 220 && (await client.ask("QUIT")).code === 221;
    } finally {
      client.close();
    }
  }, "a client to be served after the flood");
  return tries;
}
