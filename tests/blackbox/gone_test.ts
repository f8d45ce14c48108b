// One side leaves, falls silent or is too slow: nothing is delivered twice, nothing is promised, nothing hangs.
//
// Before our final dot a failure is clean (451 or 421). After it the outcome is unknown, and the log says so. A client
// that vanishes stops the filter. These tests show how real sockets and real filters end, and that each time limit can
// be set. tests/dialogs/ has the limits themselves and all places where a connection may end. No test measures how long
// anything takes.

import assert from "node:assert/strict";
import { until } from "../rig/wait.ts";
import { isAlive, kill } from "../e2e/start.ts";
import { assertCode, type Case, CONTENT, deliver, expectUsable, startMessage, table, type Talk } from "./rig.ts";

/** A filter that says its pid and then waits for the file `go`, or to be killed. */
const WAITS = `echo $$ > "$D/pid.tmp"; mv "$D/pid.tmp" "$D/pid"
while [ ! -e "$D/go" ]; do sleep 0.05; done`;

/** Every session that the proxy has with downstream is over. */
async function downstreamFree(talk: Talk): Promise<void> {
  await talk.downstream.until((fake) => fake.sessions.every((session) => session.gone), "the proxy to close");
}

async function filterKilled(pid: number): Promise<void> {
  try {
    await until(() => !isAlive(pid), () => `the end of the filter, process ${pid}`);
  } finally {
    kill(pid);
  }
}

const LEAVE: readonly (readonly ["closes" | "resets", (client: { close(): void; reset(): void }) => void])[] = [
  ["closes", (client) => client.close()],
  ["resets", (client) => client.reset()],
];

table("The client vanishes", { filter: true }, [
  ...LEAVE.flatMap(([how, leave]): Case[] => [
    ...([
      ["before the greeting is heard", ""],
      ["after RCPT", "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n"],
    ] as const).map(([when, says]): Case => ({
      name: `${how} ${when}: downstream is let go`,
      play: async (talk) => {
        const client = await talk.connect();
        if (says !== "") {
          await client.expect(220);
          await client.say(says);
          await talk.downstream.until((fake) => fake.lines.length >= says.split("\r\n").length - 1, "the commands");
        }
        leave(client);
        if (talk.mode === "spawn") await talk.exitStatus();
        await downstreamFree(talk);
        talk.nothingPassed();
      },
    })),
    ...([
      ["in the middle of a line", "Subject: x\r\n\r\nhalf a li"],
      ["in a message of 300 kB", "0123456789\r\n".repeat(25_000)],
    ] as const).map(([when, content]): Case => ({
      name: `${how} in DATA, ${when}: nothing is delivered, no filter runs`,
      filter: 'touch "$D/ran"',
      play: async (talk) => {
        const client = await talk.open();
        await startMessage(client);
        await client.say(content);
        leave(client);
        if (talk.mode === "spawn") await talk.exitStatus();
        await downstreamFree(talk);
        assert.ok(!talk.hasFile("ran"));
        talk.nothingPassed();
      },
    })),
    {
      // Again and again, since what is late may be the filter's start or the news that the client has gone.
      name: `${how} right after the dot, eight times: the filter is stopped or never runs, nothing is delivered`,
      filter: WAITS,
      play: async (talk) => {
        for (let round = 0; round < 8; round++) {
          const client = await talk.open();
          await startMessage(client);
          await client.say(`${CONTENT}.\r\n`);
          leave(client);
          if (talk.mode === "spawn") await talk.exitStatus();
          await downstreamFree(talk);
          if (talk.hasFile("pid")) {
            await filterKilled(await talk.pidIn("pid"));
            Deno.removeSync(`${talk.dir}/pid`);
          }
        }
        talk.nothingPassed();
      },
    },
    {
      name: `${how} while a filter with children that ignore TERM runs: all are stopped`,
      filter: `trap '' TERM; sh -c 'trap "" TERM; echo $$ > "$0/child"; while :; do sleep 0.1; done' "$D" & ${WAITS}`,
      play: async (talk) => {
        const client = await talk.open();
        await startMessage(client);
        await client.say(`${CONTENT}.\r\n`);
        const pids = [await talk.pidIn("pid"), await talk.pidIn("child")];
        leave(client);
        for (const pid of pids) await filterKilled(pid);
        await downstreamFree(talk);
        talk.nothingPassed();
      },
    },
  ]),
  ...LEAVE.map(([how, leave]): Case => ({
    name: `${how} while downstream answers the dot: delivered once, and the session ends`,
    play: async (talk) => {
      const client = await talk.open();
      const answered = Promise.withResolvers<void>();
      talk.downstream.set(".", { reply: "250 2.0.0 too late", after: answered.promise });
      await startMessage(client);
      await client.say(`${CONTENT}.\r\n`);
      await talk.downstream.until((fake) => fake.messages.length === 1, "the message");
      leave(client);
      answered.resolve();
      if (talk.mode === "spawn") await talk.exitStatus();
      await downstreamFree(talk);
      talk.passed(CONTENT);
    },
  })),
  {
    name: "QUIT that comes while the filter runs is not gone",
    filter: WAITS,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say(`${CONTENT}.\r\n`);
      await talk.pidIn("pid");
      await client.say("QUIT\r\n");
      Deno.writeTextFileSync(`${talk.dir}/go`, "");
      await client.expect(250);
      await client.expect(221);
      await client.expectEnd();
      talk.passed(CONTENT);
    },
  },
  {
    name: "a whole next message in the pipe while the filter runs is not gone",
    filter: WAITS,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      const second = `MAIL FROM:<two@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n${
        "more\r\n".repeat(20_000)
      }.\r\n`;
      await client.say(`${CONTENT}.\r\n`);
      const saying = client.say(second);
      await talk.pidIn("pid");
      Deno.writeTextFileSync(`${talk.dir}/go`, "");
      for (const code of [250, 250, 250, 354, 250]) await client.expect(code);
      await saying;
      assert.equal(talk.downstream.messages.length, 2);
    },
  },
]);

// CONTRACT, a client that leaves: downstream hangs, and no session is held for that. One that was reset is gone at once, one
// that has closed within 3 s.
table("The client vanishes while downstream hangs", { together: true }, [
  ...([
    ["closes", "CONNECT", []],
    ["closes", "MAIL", []],
    ["closes", ".", ["possible duplicate"]],
    ["resets", "CONNECT", []],
    ["resets", "DATA", []],
  ] as const).map(([how, verb, logs]): Case => ({
    name: `${how} while the reply to ${verb} is awaited: the session ends`,
    script: { [verb]: { then: "silence" } },
    play: async (talk) => {
      const client = verb === "CONNECT" ? await talk.connect() : await talk.open();
      if (verb === "DATA" || verb === ".") {
        await startMessage(client);
        await client.say(`${CONTENT}.\r\n`);
      } else if (verb === "MAIL") await client.say("MAIL FROM:<a@example.org>\r\n");
      await talk.downstream.until(({ sessions, messages, lines }) => {
        if (verb === "CONNECT") return sessions.length > 0;
        if (verb === ".") return messages.length === 1;
        return lines.at(-1)?.startsWith(verb) ?? false;
      }, "the question");
      LEAVE.find(([name]) => name === how)![1](client);
      if (talk.mode === "spawn") await talk.exitStatus();
      await downstreamFree(talk);
      for (const line of logs) await talk.logged(new RegExp(line));
      if (verb !== "DATA" && verb !== ".") talk.nothingPassed();
    },
  })),
]);

const GO: readonly ("close" | "reset")[] = ["close", "reset"];

table("Downstream goes away", { filter: true }, [
  ...GO.flatMap((then): Case[] => [
    {
      name: `${then} at MAIL: 421 or 451`,
      script: { MAIL: { then } },
      play: async (talk) => {
        const client = await talk.open();
        assertCode(await client.ask("MAIL FROM:<a@example.org>"), 421, 451);
        client.close();
      },
    },
    {
      name: `${then} in the middle of a reply: 421 or 451, and not the half reply`,
      script: { NOOP: { raw: "250-half\r\n250 ha", then } },
      play: async (talk) => {
        const client = await talk.open();
        assertCode(await client.ask("NOOP"), 421, 451);
        client.close();
      },
    },
    {
      name: `${then} while nothing is asked: the client, which says nothing, hears 421 4.3.0`,
      play: async (talk) => {
        const client = await talk.open();
        talk.downstream.last[then]();
        assert.match((await client.expect(421)).raw, /^421 4\.3\.0 /);
        await client.expectEnd();
        if (talk.mode === "spawn") await talk.exitStatus();
      },
    },
    {
      name: `${then} while the message comes: 421 or 451`,
      play: async (talk) => {
        const client = await talk.open();
        await startMessage(client);
        await client.say("Subject: x\r\n");
        talk.downstream.last[then]();
        await client.say("\r\nbody\r\n.\r\n");
        assertCode(await client.hear(), 421, 451);
        assert.deepEqual(talk.downstream.messages, []);
      },
    },
    {
      name: `${then} while the filter runs: 421 or 451`,
      filter: WAITS,
      play: async (talk) => {
        const client = await talk.open();
        await startMessage(client);
        await client.say(`${CONTENT}.\r\n`);
        const pid = await talk.pidIn("pid");
        talk.downstream.last[then]();
        Deno.writeTextFileSync(`${talk.dir}/go`, "");
        assertCode(await client.hear(), 421, 451);
        await filterKilled(pid);
        assert.deepEqual(talk.downstream.messages, []);
      },
    },
    {
      name: `${then} in the middle of the content: 421 or 451, and no word of a duplicate`,
      script: { CONTENT: { at: 100_000, then } },
      play: async (talk) => {
        const client = await talk.open();
        assertCode(await deliver(client, "0123456789 0123456789\r\n".repeat(200_000)), 421, 451);
        assert.deepEqual(talk.downstream.messages, []);
      },
    },
    {
      name: `${then} after the final dot: 451, and the log says "possible duplicate"`,
      script: { ".": { then } },
      play: async (talk) => {
        const client = await talk.open();
        assertCode(await deliver(client), 451);
        await talk.logged(/possible duplicate/);
        assert.equal(talk.downstream.messages.length, 1);
      },
    },
    {
      name: `${then} right after a good reply to the dot: the client has its 250`,
      script: { ".": { reply: "250 2.0.0 queued", then } },
      play: async (talk) => {
        const client = await talk.open();
        // A reset may overtake the reply.
        const reply = await deliver(client);
        if (then === "close") assert.equal(reply.raw, "250 2.0.0 queued\r\n");
        else assertCode(reply, 250, 451);
        client.close();
      },
    },
  ]),
]);

const NOOPS = 3;

table("Keep-alive", { filter: true, options: () => ["--keepalive=0.2"] }, [
  {
    name: "while a slow filter works",
    filter: WAITS,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say(`${CONTENT}.\r\n`);
      await talk.downstream.until((fake) => fake.verbs.filter((verb) => verb === "NOOP").length >= NOOPS, "NOOPs");
      assert.equal(client.unheard, "");
      Deno.writeTextFileSync(`${talk.dir}/go`, "");
      assert.match((await client.hear()).raw, /4711/);
      talk.passed(CONTENT);
      await expectUsable(client);
    },
  },
]);

table("Each time limit can be set", { filter: true, together: true }, [
  {
    name: "--client-timeout: a client that stops in the message: 421, close, nothing is delivered",
    options: ["--client-timeout=1"],
    filter: 'touch "$D/ran"',
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say("Subject: x\r\n\r\nhalf");
      await client.expect(421);
      await client.expectEnd();
      assert.ok(!talk.hasFile("ran"));
      talk.nothingPassed();
    },
  },
  {
    name: "--reply-timeout: silence at DATA: 421 or 451, and no byte of content is sent",
    options: ["--reply-timeout=1"],
    script: { DATA: { then: "silence" } },
    play: async (talk) => {
      const client = await talk.open();
      assertCode(await deliver(client, "evil: yes\r\n"), 421, 451);
      assert.ok(!talk.downstream.received.includes("evil"));
    },
  },
  {
    name: "--dot-timeout: silence after the dot: 451, and the log says possible duplicate",
    options: ["--dot-timeout=1"],
    script: { ".": { then: "silence" } },
    play: async (talk) => {
      const client = await talk.open();
      assertCode(await deliver(client), 451);
      await talk.logged(/possible duplicate/);
      client.close();
    },
  },
  {
    name:
      "--message-timeout: a filter that runs into it: the message passes as it came, as when -t is over, and the session goes on",
    // The filter has to be dead within a tenth of it, on a slow machine, too.
    options: ["--message-timeout=20", "-t", "100"],
    filter: WAITS,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say(`${CONTENT}.\r\n`);
      const pid = await talk.pidIn("pid");
      await client.expect(250);
      await filterKilled(pid);
      talk.passed(CONTENT);
      await talk.logged(
        /message not checked reason="filter ran longer than the [0-9.]{1,6} s left of --message-timeout and/,
      );
      assert.doesNotMatch(talk.log, /lost connection/);
      talk.setFilter("exit 0");
      await expectUsable(client);
    },
  },
  {
    name: "--session-timeout: a trickle of content does not recharge it: 421, close, nothing is delivered",
    options: ["--session-timeout=1.5"],
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      for (let round = 0; !client.isOver && client.unheard === "" && round < 400; round++) {
        await client.say("x");
        await new Promise((later) => setTimeout(later, 50));
      }
      await client.expect(421);
      await client.end();
      talk.nothingPassed();
    },
  },
]);
