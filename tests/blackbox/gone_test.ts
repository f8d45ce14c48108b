// One side goes away, falls silent or is too slow: nothing is delivered twice, nothing is promised, nothing hangs.
//
// Before our final dot a failure is clean (451 or 421); after it the outcome is unknown, which the log says. A client that
// vanishes stops the filter. Time limits are set to a second or less here, and no test measures how long anything took.

import assert from "node:assert/strict";
import { show, until } from "../fakes/client.ts";
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
      ["in the middle of a command", "MAIL FR"],
      ["after MAIL", "MAIL FROM:<a@example.org>\r\n"],
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
      ["at once after the 354", ""],
      ["in the middle of a line", "Subject: x\r\n\r\nhalf a li"],
      ["after a whole line", "Subject: x\r\n\r\na line\r\n"],
      ["after CRLF and dot", "Subject: x\r\n\r\na line\r\n."],
      ["after CRLF, dot and CR", "Subject: x\r\n\r\na line\r\n.\r"],
      ["after LF, dot, LF", "Subject: x\r\n\r\na line\n.\n"],
      ["after QUIT in mid-message", "Subject: x\r\n\r\na line\r\nQUIT\r\n"],
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
      name: `${how} while the filter runs: the filter is stopped, nothing is delivered`,
      filter: WAITS,
      play: async (talk) => {
        const client = await talk.open();
        await startMessage(client);
        await client.say(`${CONTENT}.\r\n`);
        const pid = await talk.pidIn("pid");
        leave(client);
        await filterKilled(pid);
        await downstreamFree(talk);
        talk.nothingPassed();
      },
    },
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
    {
      name: `${how} with one message delivered: that one stays delivered, the next does not come`,
      play: async (talk) => {
        const client = await talk.open();
        assert.equal((await deliver(client)).code, 250);
        await startMessage(client);
        await client.say("half of the second");
        leave(client);
        await downstreamFree(talk);
        talk.passed(CONTENT);
      },
    },
    {
      name: `${how} in an AUTH exchange`,
      play: async (talk) => {
        const client = await talk.open();
        await client.expect(334, "AUTH LOGIN");
        leave(client);
        await downstreamFree(talk);
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
    name: "QUIT that is in the pipe while the filter runs is not gone",
    filter: WAITS,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say(`${CONTENT}.\r\nQUIT\r\n`);
      await talk.pidIn("pid");
      Deno.writeTextFileSync(`${talk.dir}/go`, "");
      await client.expect(250);
      await client.expect(221);
      await client.expectEnd();
      talk.passed(CONTENT);
    },
  },
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
    ["resets", "AUTH+", []],
    ["resets", "RSET", []],
    ["resets", "DATA", []],
    ["resets", "QUIT", []],
  ] as const).map(([how, verb, logs]): Case => ({
    name: `${how} while the reply to ${verb} is awaited: the session ends`,
    script: { [verb]: { then: "silence" } },
    play: async (talk) => {
      const client = verb === "CONNECT" ? await talk.connect() : await talk.open();
      if (verb === "DATA" || verb === ".") {
        await startMessage(client);
        await client.say(`${CONTENT}.\r\n`);
      } else if (verb === "AUTH+") {
        await client.expect(334, "AUTH LOGIN");
        await client.say("c2VjcmV0\r\n");
      } else if (verb !== "CONNECT") await client.say(`${verb === "MAIL" ? "MAIL FROM:<a@example.org>" : verb}\r\n`);
      await talk.downstream.until(({ sessions, messages, lines }) => {
        if (verb === "CONNECT") return sessions.length > 0;
        if (verb === ".") return messages.length === 1;
        return lines.at(-1)?.startsWith(verb === "AUTH+" ? "c2VjcmV0" : verb) ?? false;
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
    ...([
      ["EHLO", "EHLO again"],
      ["HELO", "HELO again"],
      ["XFORWARD", "XFORWARD ADDR=192.0.2.1"],
      ["MAIL", "MAIL FROM:<a@example.org>"],
      ["RCPT", "RCPT TO:<b@example.org>"],
      ["RSET", "RSET"],
      ["NOOP", "NOOP"],
      ["*", "FROB"],
    ] as const).map(([verb, line]): Case => ({
      name: `${then} at ${line}: 421 or 451`,
      play: async (talk) => {
        const client = await talk.open();
        talk.downstream.set(verb, { then });
        assertCode(await client.ask(line), 421, 451);
        client.close();
      },
    })),
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
      name: `${then} at QUIT: the session ends`,
      script: { QUIT: { then } },
      play: async (talk) => {
        const client = await talk.open();
        await client.say("QUIT\r\n");
        assert.match(await client.end(), /^((221|421|451) [^\r\n]*\r\n)?$/);
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
      name: `${then} in the middle of the reply to the dot: 451 and "possible duplicate", and not the half reply`,
      script: { ".": { raw: "250-2.0.0 Ok\r\n250 2.0", then } },
      play: async (talk) => {
        const client = await talk.open();
        assertCode(await deliver(client), 451);
        await talk.logged(/possible duplicate/);
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
  ...["421 4.4.2 fake.example timeout\r\n", "421-4.3.2 going\n421 4.3.2 gone\n"].map((said): Case => ({
    name: `${show(said)} in its own right: the client, which says nothing, hears that`,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<a@example.org>");
      await talk.downstream.last.send(said);
      assert.equal((await client.expect(421)).raw, said.replace(/\r?\n/g, "\r\n"));
      await client.expectEnd();
      await downstreamFree(talk);
    },
  })),
  {
    name: "421 out of the blue while the filter runs: never a 2xx",
    filter: WAITS,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say(`${CONTENT}.\r\n`);
      await talk.pidIn("pid");
      await talk.downstream.last.send("421 4.4.2 fake.example timeout\r\n");
      talk.downstream.last.close();
      Deno.writeTextFileSync(`${talk.dir}/go`, "");
      assertCode(await client.hear(), 421, 451);
      assert.deepEqual(talk.downstream.messages, []);
    },
  },
  {
    name: "a reply out of the blue is not taken for the next command's",
    play: async (talk) => {
      const client = await talk.open();
      await talk.downstream.last.send("250 2.0.0 nobody asked\r\n");
      // Nothing tells when the proxy has read it.
      await new Promise((later) => setTimeout(later, 100));
      talk.downstream.set("MAIL", "550 5.7.1 no");
      const reply = await client.ask("MAIL FROM:<a@example.org>");
      assertCode(reply, 550, 421, 451);
      client.close();
    },
  },
  {
    name: "downstream closes after the EHLO reply, and the client hears of it",
    script: { EHLO: { reply: "250 fake.example", then: "close" } },
    play: async (talk) => {
      const client = await talk.connect();
      await client.expect(220);
      await client.expect(250, "EHLO me");
      await client.say("NOOP\r\n");
      assert.match(await client.end(), /^(4[25]1 [^\r]*\r\n)+$/);
    },
  },
]);

const NOOPS = 3;

table("Keep-alive", { filter: true, options: () => ["--keepalive=0.2"] }, [
  {
    name: "while a slow client sends the message: NOOPs, whose replies nobody hears",
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say("Subject: slow\r\n");
      await talk.downstream.until((fake) => fake.verbs.filter((verb) => verb === "NOOP").length >= NOOPS, "NOOPs");
      assert.equal(client.unheard, "");
      await client.say("\r\nbody\r\n.\r\n");
      assert.match((await client.hear()).raw, /4711/);
      talk.passed("Subject: slow\r\n\r\nbody\r\n");
      await expectUsable(client);
    },
  },
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
  {
    name: "while the client says nothing",
    play: async (talk) => {
      const client = await talk.open();
      await talk.downstream.until((fake) => fake.verbs.filter((verb) => verb === "NOOP").length >= NOOPS, "NOOPs");
      assert.equal(client.unheard, "");
      assert.match((await client.ask("VRFY x")).raw, /^500 5.5.2 unknown to the fake/);
      await expectUsable(client);
    },
  },
  {
    name: "a NOOP that is refused is swallowed, too",
    script: { NOOP: "502 5.5.1 no NOOP here" },
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await talk.downstream.until((fake) => fake.verbs.filter((verb) => verb === "NOOP").length >= NOOPS, "NOOPs");
      await client.say("body\r\n.\r\n");
      assert.match((await client.hear()).raw, /4711/);
    },
  },
  {
    name: "a command that comes while a NOOP waits for its reply is sent after that, and gets its own",
    play: async (talk) => {
      const client = await talk.open();
      const answered = Promise.withResolvers<void>();
      talk.downstream.set("NOOP", { reply: "250 2.0.0 a late NOOP", after: answered.promise });
      await talk.downstream.until((fake) => fake.verbs.includes("NOOP"), "a NOOP");
      await client.say("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n");
      await until(() => true, () => "a turn");
      answered.resolve();
      assert.match((await client.hear()).raw, /sender ok/);
      assert.match((await client.hear()).raw, /recipient ok/);
    },
  },
  {
    name: "a dot that comes while a NOOP waits for its reply: the message gets its own",
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      const answered = Promise.withResolvers<void>();
      talk.downstream.set("NOOP", { reply: "250 2.0.0 a late NOOP", after: answered.promise });
      await talk.downstream.until((fake) => fake.verbs.includes("NOOP"), "a NOOP");
      await client.say("body\r\n.\r\n");
      answered.resolve();
      assert.match((await client.hear()).raw, /4711/);
      talk.passed("body\r\n");
    },
  },
  // Where a NOOP would be taken for something else, none is sent; the fake server sees it if one is.
  {
    name: "never in an AUTH exchange",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(334, "AUTH LOGIN");
      await new Promise((later) => setTimeout(later, 700));
      await client.expect(235, "c2VjcmV0");
      assert.deepEqual(talk.downstream.lines.slice(-2), ["AUTH LOGIN", "c2VjcmV0"]);
    },
  },
  ...["CONNECT", "VRFY", "DATA", "."].map((verb): Case => ({
    name: `never while the reply to ${verb} is awaited`,
    play: async (talk) => {
      talk.downstream.set(verb, {
        ...(verb === "CONNECT"
          ? { reply: "220 late" }
          : verb === "DATA"
          ? { reply: "354 late" }
          : { reply: "250 late" }),
        after: new Promise((later) => setTimeout(later, 700)),
      });
      const client = await talk.open();
      if (verb === "VRFY") assert.equal((await client.ask("VRFY x")).raw, "250 late\r\n");
      assert.equal((await deliver(client)).code, 250);
      talk.passed(CONTENT);
    },
  })),
  {
    name: "downstream answers a NOOP with 421 and goes: never a 2xx",
    script: { NOOP: { reply: "421 4.3.2 tired", then: "close" } },
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await talk.downstream.until((fake) => fake.verbs.includes("NOOP"), "a NOOP");
      await client.say("body\r\n.\r\n");
      assertCode(await client.hear(), 421, 451);
      assert.deepEqual(talk.downstream.messages, []);
    },
  },
]);

table("--client-timeout", { filter: true, options: () => ["--client-timeout=1"], together: true }, [
  {
    name: "a client that says nothing: 421, close",
    play: async (talk) => {
      const client = await talk.connect();
      await client.expect(220);
      await client.expect(421);
      await client.expectEnd();
      await downstreamFree(talk);
    },
  },
  {
    name: "a client that stops after MAIL: 421, close",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<a@example.org>");
      await client.expect(421);
      await client.expectEnd();
    },
  },
  {
    name: "a client that stops in mid-command: 421, close",
    play: async (talk) => {
      const client = await talk.open();
      await client.say("MAIL FR");
      await client.expect(421);
      await client.expectEnd();
      assert.ok(!talk.downstream.verbs.includes("MAIL"));
    },
  },
  {
    name: "a client that stops in the message: 421, close, nothing is delivered",
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
    name: "a client that waits for its reply is not silent",
    filter: "sleep 1.5",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).code, 250);
      talk.passed(CONTENT);
    },
  },
]);

table("--reply-timeout", { filter: true, options: () => ["--reply-timeout=1"], together: true }, [
  ...([
    ["EHLO", "EHLO me"],
    ["XFORWARD", "XFORWARD ADDR=192.0.2.1"],
    ["MAIL", "MAIL FROM:<a@example.org>"],
    ["NOOP", "NOOP"],
    ["*", "FROB"],
  ] as const).map(([verb, line]): Case => ({
    name: `silence at ${line}: 421 or 451`,
    play: async (talk) => {
      const client = await talk.open();
      talk.downstream.set(verb, { then: "silence" });
      assertCode(await client.ask(line), 421, 451);
      client.close();
    },
  })),
  {
    name: "half a reply, and silence: 421 or 451",
    script: { NOOP: { raw: "250-one\r\n250" } },
    play: async (talk) => {
      const client = await talk.open();
      assertCode(await client.ask("NOOP"), 421, 451);
      client.close();
    },
  },
  {
    name: "silence at DATA: 421 or 451, and no byte of content is sent",
    script: { DATA: { then: "silence" } },
    play: async (talk) => {
      const client = await talk.open();
      assertCode(await deliver(client, "evil: yes\r\n"), 421, 451);
      assert.ok(!talk.downstream.received.includes("evil"));
    },
  },
  {
    name: "silence at QUIT: the session ends",
    script: { QUIT: { then: "silence" } },
    play: async (talk) => {
      const client = await talk.open();
      await client.say("QUIT\r\n");
      assert.match(await client.end(), /^((221|421|451) [^\r\n]*\r\n)?$/);
    },
  },
]);

table("--dot-timeout", { filter: true, options: () => ["--dot-timeout=1"], together: true }, [
  {
    name: "silence after the dot: 451, and the log says possible duplicate",
    script: { ".": { then: "silence" } },
    play: async (talk) => {
      const client = await talk.open();
      assertCode(await deliver(client), 451);
      await talk.logged(/possible duplicate/);
      client.close();
    },
  },
]);

table("--message-timeout", { filter: true, options: () => ["--message-timeout=1.5", "-t", "100"], together: true }, [
  {
    name: "a filter that runs longer is stopped, and the client hears a reply",
    filter: WAITS,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say(`${CONTENT}.\r\n`);
      const pid = await talk.pidIn("pid");
      const reply = await client.hear();
      assertCode(reply, 250, 421, 451);
      await filterKilled(pid);
      assert.equal(talk.downstream.messages.length, reply.code === 250 ? 1 : 0);
    },
  },
  {
    name: "downstream that is silent after the dot: 451, and the log says possible duplicate",
    script: { ".": { then: "silence" } },
    play: async (talk) => {
      const client = await talk.open();
      assertCode(await deliver(client), 451);
      await talk.logged(/possible duplicate/);
      client.close();
    },
  },
  {
    name: "downstream that is silent at DATA: 421 or 451",
    script: { DATA: { then: "silence" } },
    play: async (talk) => {
      const client = await talk.open();
      assertCode(await deliver(client, "evil: yes\r\n"), 421, 451);
      assert.ok(!talk.downstream.received.includes("evil"));
      client.close();
    },
  },
  {
    name: "the time that the client needs for the message does not count",
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say("Subject: slow\r\n");
      await new Promise((later) => setTimeout(later, 1700));
      await client.say("\r\nbody\r\n.\r\n");
      await client.expect(250);
    },
  },
]);

table("--message-timeout, and a filter that runs into it", {
  filter: true,
  options: () => ["--message-timeout=5", "-t", "100"],
  together: true,
}, [
  {
    name: "the message passes as it came, as when -t is over, and the session goes on",
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
        /message not checked reason="filter ran longer than the [0-9.]{1,5} s left of --message-timeout and/,
      );
      assert.doesNotMatch(talk.log, /lost connection/);
      talk.setFilter("exit 0");
      await expectUsable(client);
    },
  },
]);

table("--session-timeout", { options: () => ["--session-timeout=1.5"], together: true }, [
  {
    name: "a trickle of commands does not recharge it: 421, close",
    play: async (talk) => {
      const client = await talk.open();
      let code = 250;
      for (let round = 0; code === 250 && round < 400; round++) {
        await new Promise((later) => setTimeout(later, 50));
        code = (await client.ask("NOOP")).code;
      }
      assert.equal(code, 421);
      await client.expectEnd();
    },
  },
  {
    name: "a trickle of content does not recharge it: 421, close, nothing is delivered",
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
  {
    name: "a trickle of bytes in a command line does not recharge it: 421, close",
    play: async (talk) => {
      const client = await talk.open();
      await client.say("NOOP ");
      for (let round = 0; !client.isOver && client.unheard === "" && round < 400; round++) {
        await client.say("x");
        await new Promise((later) => setTimeout(later, 50));
      }
      await client.expect(421);
      await client.end();
      assert.ok(!talk.downstream.verbs.includes("NOOP"), show(talk.downstream.received));
    },
  },
]);
