// The greeting: the client gets downstream's greeting as it is, or 421 4.3.2 if there is no downstream.

import assert from "node:assert/strict";
import { type Client } from "../rig/client.ts";
import { show } from "../rig/octets.ts";
import { Server } from "../rig/server.ts";
import { freePort, Listening } from "../e2e/start.ts";
import { type Case, expectUsable, table, type Talk } from "./rig.ts";

async function expectGreeting(client: Client, greeting: string): Promise<void> {
  assert.equal(show((await client.hear()).raw, 2000), show(greeting, 2000));
}

/** The whole of what a client hears where downstream cannot be had. */
async function expectNoService(talk: Talk): Promise<void> {
  const client = await talk.connect();
  const reply = await client.expect(421);
  assert.match(reply.raw, /^421 4\.3\.2 [ -~]+\r\n$/);
  assert.ok(!/127\.0\.0\.1|refused|ECONN|\/|os error/i.test(reply.raw), `says too much: ${show(reply.raw)}`);
  await client.expectEnd();
  if (talk.mode === "spawn") assert.notEqual(await talk.exitStatus(), 0);
}

table("The greeting passes unchanged", {}, [
  ...[
    "220 fake.example ESMTP",
    "220 fake.example",
    "220",
    "220 ",
    "220-fake.example ESMTP\r\n220-No UCE\r\n220 be nice",
    "220-\r\n220 ",
    "220 \x80\xff bytes",
    `220 ${"x".repeat(506)}`,
  ].map((greeting): Case => ({
    name: show(greeting, 60),
    script: { CONNECT: greeting },
    play: async (talk) => {
      const client = await talk.connect();
      await expectGreeting(client, `${greeting}\r\n`);
      await client.expect(250, "EHLO client.example");
      await expectUsable(client);
      await client.expect(221, "QUIT");
      await client.expectEnd();
      if (talk.mode === "spawn") assert.equal(await talk.exitStatus(), 0);
    },
  })),
  ...[
    "421 4.3.2 fake.example shuts down",
    "421-4.3.2 fake.example\r\n421 4.3.2 shuts down",
    "450 4.3.2 not now",
    "521 5.3.2 does not accept mail",
    "554 5.7.1 not you",
    "554-5.7.1 not\r\n554-5.7.1 you\r\n554 5.7.1 either",
  ].map((greeting): Case => ({
    name: `${show(greeting, 60)}, then downstream closes`,
    script: { CONNECT: { reply: greeting, then: "close" } },
    play: async (talk) => {
      const client = await talk.connect();
      await expectGreeting(client, `${greeting}\r\n`);
      client.close();
      await talk.downstream.until((fake) => fake.last.gone, "the end of the session");
      assert.ok(talk.downstream.verbs.every((verb) => verb === "QUIT"), show(talk.downstream.received));
    },
  })),
  {
    name: "554, and downstream waits for QUIT: the client can say it",
    script: { CONNECT: "554 5.7.1 not you" },
    play: async (talk) => {
      const client = await talk.connect();
      await expectGreeting(client, "554 5.7.1 not you\r\n");
      await client.say("QUIT\r\n");
      assert.match(await client.end(), /^(221 [^\r]*\r\n)?$/);
    },
  },
  {
    name: "octet by octet",
    script: { CONNECT: { reply: "220-fake.example\r\n220 slow", pieces: 1 } },
    play: async (talk) => {
      const client = await talk.connect();
      await expectGreeting(client, "220-fake.example\r\n220 slow\r\n");
      await expectUsable(client);
    },
  },
  {
    name: "a client that talks before the greeting is heard in order",
    play: async (talk) => {
      const greeted = Promise.withResolvers<void>();
      talk.downstream.set("CONNECT", { reply: "220 late", after: greeted.promise });
      const client = await talk.connect();
      await client.say("EHLO client.example\r\nNOOP\r\n");
      await talk.downstream.until((fake) => fake.sessions.length > 0, "a connection");
      greeted.resolve();
      await expectGreeting(client, "220 late\r\n");
      assert.equal((await client.hear()).lines[0], "fake.example");
      assert.match((await client.hear()).raw, /nothing done/);
    },
  },
  {
    name: "a client that leaves before the greeting",
    play: async (talk) => {
      const greeted = Promise.withResolvers<void>();
      talk.downstream.set("CONNECT", { reply: "220 late", after: greeted.promise });
      const client = await talk.connect();
      await talk.downstream.until((fake) => fake.sessions.length > 0, "a connection");
      client.close();
      greeted.resolve();
    },
  },
]);

table("A greeting that is not valid", { options: () => ["--connect-timeout=1", "--reply-timeout=1"], together: true }, [
  ...([
    ["354 go ahead\r\n", {}],
    ["334 go on\r\n", {}],
    ["hello\r\n", {}],
    ["\0\0\0\r\n", {}],
    ["-ERR\r\n", {}],
    ["", { then: "close" }],
    ["", { then: "reset" }],
    ["", { then: "silence" }],
    ["22", { then: "close" }],
    ["220 half a line", { then: "close" }],
    ["220 half a line", { then: "reset" }],
    ["220 half a line", {}],
    ["220-half a reply\r\n", { then: "close" }],
    ["220-half a reply\r\n", {}],
    [`220 ${"x".repeat(1_000_000)}\r\n`, {}],
    [`${"220-more\r\n".repeat(200_000)}220 end\r\n`, {}],
  ] as const).map(([raw, step]): Case => ({
    name: `${show(raw, 40)} ${"then" in step ? `and ${step.then}` : ""}: 421, and the connection closes`,
    script: { CONNECT: { raw, ...step } },
    play: async (talk) => {
      const client = await talk.connect();
      const reply = await client.expect(421);
      assert.match(reply.raw, /^421 4\.\d+\.\d+ [ -~]+\r\n$/);
      await client.expectEnd();
    },
  })),
]);

// Nobody listens there.
table("Nobody listens downstream", { operand: () => "127.0.0.1:1" }, [
  { name: "421 4.3.2, and the connection closes", play: expectNoService },
  {
    name: "a whole dialogue in the pipe already: 421 and nothing else",
    play: async (talk) => {
      const client = await talk.connect();
      await client.say("EHLO client.example\r\nMAIL FROM:<a@example.org>\r\nQUIT\r\n");
      await client.expect(421);
      await client.expectEnd();
    },
  },
]);

table("The unix socket downstream does not exist", { operand: (_, dir) => `unix:${dir}/no_such_socket` }, [
  { name: "421 4.3.2, and the connection closes", play: expectNoService },
]);

table("The name downstream does not resolve", { operand: () => "no-such-host.invalid:25" }, [
  { name: "421 4.3.2, and the connection closes", play: expectNoService },
]);

table("Downstream accepts and says nothing", { options: () => ["--connect-timeout=0.5", "--reply-timeout=0.5"] }, [
  {
    name: "421 4.3.2 after the time limit",
    script: { CONNECT: { then: "silence" } },
    play: expectNoService,
  },
]);

Deno.test("Listen mode: downstream comes back, and so does service", async () => {
  const port = await freePort();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  const program = await Listening.start([`127.0.0.1:${port}`, "-d", dir, `--log=${dir}/log`]);
  let server: Server | undefined;
  try {
    const { client } = await program.connect();
    await client.expect(421);
    await client.expectEnd();
    client.close();
    server = await Server.start({ port });
    const again = (await program.connect()).client;
    await again.expect(220);
    again.close();
  } finally {
    await program.stop();
    await server?.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("Downstream on a unix socket (listen mode)", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  const fake = await Server.start({ path: `${dir}/socket` });
  const program = await Listening.start([fake.operand, "-d", dir, `--log=${dir}/log`]);
  try {
    const { client } = await program.connect();
    await client.expect(220);
    await client.expect(250, "EHLO client.example");
    await expectUsable(client);
    await client.expect(221, "QUIT");
    await client.expectEnd();
    client.close();
  } finally {
    await program.stop();
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});
