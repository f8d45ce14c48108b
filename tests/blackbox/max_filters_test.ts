// --max-filters: no more filters run at a time, in whatever crowd, the others wait in order, and nobody is forgotten.
//
// A client's wait is that of its place in the queue. The test counts in filters and answers, because a busy machine makes each
// of them slower: when a client is answered, the filters before its own have begun, and only few after it.
//
// The crowd on an executable is smaller, because each gate has that test once more. POSTPROX_TEST_CLIENTS is the size of the
// crowd, and POSTPROX_TEST_FIGURES=yes prints how long the clients waited.

import assert from "node:assert/strict";
import type { Client } from "../rig/client.ts";
import { until } from "../rig/wait.ts";
import { CONTENT, deliver, read, startMessage, table, type Talk } from "./rig.ts";

const CLIENTS = Number(Deno.env.get("POSTPROX_TEST_CLIENTS") ?? (Deno.env.has("POSTPROX") ? 100 : 500));
const HELD = 4;
const FILTER_TIME = 50;
const PRINTS = Deno.env.get("POSTPROX_TEST_FIGURES") === "yes";

/** A client may be answered after so many of those that came later: the message goes downstream before the answer. */
const LATER_FIRST = 80;

/** So many filters may begin between the end of a client's filter and its answer, for half of the clients. */
const LATE = 20;

/** Writes when it begins and when it ends. */
const TOLD = (body: string) => `echo "+ $SENDER" >> $D/times; ${body}; echo "- $SENDER" >> $D/times`;

/** The lines that the filters have written so far. */
function times(talk: Talk): string[] {
  return read(`${talk.dir}/times`).split("\n").filter((line) => line !== "");
}

table("--max-filters", { filter: true, modes: ["listen"], options: () => [`--max-filters=${HELD}`] }, [
  {
    name:
      `${CLIENTS} clients at once: no more than ${HELD} filters run at a time, in order, and each client is answered`,
    filter: TOLD(`sleep ${FILTER_TIME / 1000}`),
    play: async (talk) => {
      const clients: Client[] = [];
      const sent: number[] = [];
      for (let at = 0; at < CLIENTS; at++) {
        const client = await talk.open();
        await startMessage(client, { from: `${at}@example.org` });
        clients.push(client);
      }
      const witness = await talk.open();
      for (const client of clients) {
        sent.push(performance.now());
        await client.say(`${CONTENT}.\r\n`);
        // Then the program has taken that message before the next.
        for (let times = 0; times < 3; times++) await witness.expect(250, "NOOP");
      }
      const begun = () => times(talk).filter((line) => line.startsWith("+")).map((line) => parseInt(line.slice(2)));
      let answered = 0;
      const answers = await Promise.all(clients.map(async (client, at) => {
        await client.expect(250);
        return { place: answered++, waited: performance.now() - sent[at]!, begun: begun().length };
      }));
      assert.equal(talk.downstream.messages.length, CLIENTS);
      let [running, most] = [0, 0];
      for (const line of times(talk)) most = Math.max(most, running += line.startsWith("+") ? 1 : -1);
      assert.equal(most, HELD);
      const order = begun();
      assert.equal(order.length, CLIENTS);
      // Only those that run beside it can begin a moment later than one that came after them.
      order.forEach((one, at) => assert.ok(one < at + HELD, `${one} began as number ${at}: ${order}`));
      const first = sent[0]!;
      answers.forEach(({ place, waited, begun }, at) => {
        assert.ok(begun > at - HELD, `${at} was answered when only ${begun} filters had begun`);
        assert.ok(place < at + HELD + LATER_FIRST, `${at} was answered as number ${place}`);
        // No filter ends sooner than its time, so nobody can be answered before its turn.
        const turns = Math.floor(at / HELD) + 1;
        const since = sent[at]! - first + waited;
        assert.ok(since >= turns * FILTER_TIME, `${at} was answered ${since} ms after the first`);
      });
      const beside = answers.map(({ begun }, at) => begun - at).sort((one, other) => one - other);
      const median = beside[Math.floor(beside.length / 2)]!;
      assert.ok(median < HELD + LATE, `clients are answered when ${median} more filters than their place have begun`);
      if (PRINTS) {
        const last = answers.at(-1)!.waited + sent.at(-1)! - first;
        console.log(
          `${CLIENTS} clients, ${HELD} filters of ${FILTER_TIME} ms: all answered in ${(last / 1000).toFixed(1)} s, ` +
            `${(last / (CLIENTS / HELD)).toFixed(0)} ms for each ${HELD}; the longest wait ` +
            `${(Math.max(...answers.map(({ waited }) => waited)) / 1000).toFixed(1)} s; when a client is answered, ` +
            `${beside[0]} to ${beside.at(-1)} more filters than its place have begun, ` +
            `the median is ${median}; at most ${
              Math.max(...answers.map(({ place }, at) => place - at))
            } later ones came first`,
        );
      }
    },
  },
]);

table("--max-filters=1", {
  filter: true,
  modes: ["listen"],
  options: (dir) => ["--max-filters=1", `--then=. ${dir}/filter`],
}, [
  {
    name: "a client that leaves no longer waits, and its filter never runs",
    filter: TOLD("while [ $SENDER = held@example.org ] && [ ! -e $D/go ]; do sleep 0.02; done"),
    play: async (talk) => {
      const [held, gone, last] = [await talk.open(), await talk.open(), await talk.open()];
      await startMessage(held, { from: "held@example.org" });
      await held.say(`${CONTENT}.\r\n`);
      await until(() => times(talk).length === 1, () => "the first filter");
      for (const [client, from] of [[gone, "gone@example.org"], [last, "last@example.org"]] as const) {
        await startMessage(client, { from });
        await client.say(`${CONTENT}.\r\n`);
      }
      // Then both wait, or their filters have begun.
      const witness = await talk.open();
      for (let times = 0; times < 10; times++) await witness.expect(250, "NOOP");
      gone.close();
      await talk.downstream.until((fake) => fake.sessions.some((one) => one.gone), "the end of its session");
      assert.equal(times(talk).length, 1);
      Deno.writeTextFileSync(`${talk.dir}/go`, "");
      await held.expect(250);
      await last.expect(250);
      assert.ok(times(talk).every((line) => !line.includes("gone@")), String(times(talk)));
      // Each of the two filters of a message has a turn of its own.
      assert.equal(times(talk).length, 8);
    },
  },
]);

table("--max-filters=1 and a filter that never ends", {
  filter: true,
  modes: ["listen"],
  options: () => ["--max-filters=1", "--message-timeout=2", "-t", "100"],
}, [
  {
    name: "a message that waits too long gets 451, also without -r, and the log says why",
    filter: "echo > $D/runs; while :; do sleep 0.05; done",
    play: async (talk) => {
      const [first, second] = [await talk.open(), await talk.open()];
      await startMessage(first);
      await startMessage(second);
      await first.say(`${CONTENT}.\r\n`);
      await talk.file("runs");
      const reply = await second.say(`${CONTENT}.\r\n`).then(() => second.hear());
      assert.equal(reply.code, 451);
      assert.match(reply.text, /^451 4\.3\.0 /);
      // This one's filter was late, and it passes.
      await first.expect(250);
      await talk.logged(
        /message not checked reason="[^"]*: the message waited [0-9.]+ s for its turn \(--max-filters=1\)"/,
      );
      assert.equal(talk.downstream.messages.length, 1);
      talk.setFilter("exit 0");
      await first.expect(250, "RSET");
      assert.equal((await deliver(second)).code, 250);
    },
  },
]);
