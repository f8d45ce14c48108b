// Tests of the client and the fake server themselves: a strict reader that sees no faults is worse than no reader.

import assert from "node:assert/strict";
import { Conversation } from "../fakes/conversation.ts";
import { settled } from "../fakes/settled.ts";
import { Client, connectTo, parseReply } from "./client.ts";
import { octets } from "./octets.ts";
import { Peer } from "./peer.ts";
import { type Script, Server } from "./server.ts";
import { pipeWire } from "./wire.ts";

const MAIL = { from: "a@client.example", to: ["b@mx.example", "c@mx.example"], text: "one\r\n.two\r\n" };

async function sendMail(client: Client): Promise<number> {
  await client.expect(220);
  await client.expect(250, "EHLO client.example");
  const { end } = await client.send(MAIL);
  await client.expect(221, "QUIT");
  await client.expectEnd();
  client.close();
  return end.code;
}

function assertTaken({ messages, violations, verbs }: Server): void {
  assert.deepEqual(messages.map(({ text, wire }) => ({ text, wire })), [
    { text: MAIL.text, wire: "one\r\n..two\r\n.\r\n" },
  ]);
  assert.deepEqual(verbs.slice(-5), ["MAIL", "RCPT", "RCPT", "DATA", "QUIT"]);
  assert.deepEqual(violations, []);
}

Deno.test("client and server speak over TCP and over a unix socket", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  for (const server of [await Server.start(), await Server.start({ path: `${dir}/socket` })]) {
    assert.equal(await sendMail(await connectTo(server.address)), 250);
    assertTaken(server);
    await server.stop();
  }
  Deno.removeSync(dir, { recursive: true });
});

Deno.test("client and server speak in memory, with a session between them", async () => {
  const talk = new Conversation();
  await talk.start();
  const server = new Server();
  server.serve(talk.downstream);
  assert.equal(await sendMail(new Client(talk.client)), 250);
  assertTaken(server);
  await talk.assertOver();
});

Deno.test("a client speaks to a program on pipes", async () => {
  const child = new Deno.Command("sh", {
    args: ["-c", `printf '220 mx\\r\\n'; read -r line; printf '250 %s\\n' "$line"`],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const client = new Client(pipeWire(child));
  await client.expect(220);
  assert.equal((await client.ask("EHLO client.example")).text, "250 EHLO client.example");
  client.close();
  await client.expectEnd();
  await child.status;
});

/** A client's packets, and the server's complaints about them. */
const OFFENCES: readonly (readonly [says: readonly string[], script: Script, violations: readonly RegExp[]])[] = [
  [["NOOP\r\n", "NOOP\r\n"], {}, []],
  [["NO", "OP\r\n"], {}, []],
  [["NOOP\r\nNOOP\r\n"], {}, [/^"NOOP\\r\\n" came before the reply to "NOOP\\r\\n"$/]],
  [["NOOP\r\n", "NOOP\r\n"], { CONNECT: { after: new Promise(() => {}) } }, [/reply to ""/, /reply to ""/]],
  [["NOOP\n"], {}, [/^an illegal command line: "NOOP\\n"$/]],
  [["NO\rOP\r\n"], {}, [/^an illegal command line/]],
  [["NO\0OP\r\n"], {}, [/^an illegal command line/]],
  [["NOOP"], {}, [/^an unfinished command line: "NOOP"$/]],
  [["DATA\r\n", "one\n.\nNO\0OP\r.\r\n", "\r\n.\r\n", "NOOP\r\n"], {}, []],
  [["DATA\r\n", ".\r", "\nNOOP\r\n"], {}, [/^"NOOP\\r\\n" came before the reply to "\.\\r\\n"$/]],
  [["DATA\r\n", "one\r\n"], { DATA: "250 taken" }, []],
  [["NOOP\r\n", "one\r\n"], { NOOP: "354 go on" }, [/^NOOP got a 354, and content follows$/]],
  [["AUTH LOGIN\r\n", "dXNlcg==\r\n", "NOOP\r\n"], {}, []],
];

Deno.test("the server tells of each thing that a correct client never does", async () => {
  for (const [says, script, violations] of OFFENCES) {
    const server = new Server();
    server.script = script;
    const peer = new Peer();
    server.serve(peer);
    await settled();
    for (const packet of says) {
      await peer.conn.write(octets(packet));
      await settled();
    }
    peer.conn.close();
    const found = server.violations;
    assert.equal(found.length, violations.length, `${says}: ${found}`);
    for (const [at, violation] of violations.entries()) assert.match(found[at]!, violation);
  }
});

Deno.test("parseReply takes a reply only where all of it is legal", () => {
  for (const text of ["", "250", "250 Ok", "250 Ok\r", "250-a\r\n", "250-a\r\n250-b\r\n"]) {
    assert.equal(parseReply(text), undefined, text);
  }
  for (const text of ["250 a\r\n", "250\r\n", "250-a\r\n250 b\r\n"]) {
    assert.equal(parseReply(`${text}250 next\r\n`)?.raw, text);
  }
  for (const text of ["250 a\n", "25 a\r\n", "250+a\r\n", "250 a\rb\r\n", "250-a\r\n251 b\r\n", "\r\n"]) {
    assert.throws(() => parseReply(text), text);
  }
});
