// --clamd with real ones (clamd_bed.ts): first with a fake server downstream, in both modes, over tcp and unix; then under
// load while one of them is killed and started again; then between two servers of a real Postfix.

import assert from "node:assert/strict";
import { crc32, deflateRawSync } from "node:zlib";
import { type Case, CONTENT, deliver, RECIPIENT, SENDER, table } from "../blackbox/rig.ts";
import { EICAR } from "../fakes/clamd.ts";
import { isLeftOut } from "../needs.ts";
import { connectTo } from "../rig/client.ts";
import { octets, spelled } from "../rig/octets.ts";
import { freePorts } from "../rig/ports.ts";
import { Server } from "../rig/server.ts";
import { until } from "../rig/wait.ts";
import { Clamd, FOUND, STREAM_MAX } from "./clamd_bed.ts";
import { install, startListening, stop } from "./installed.ts";
import { createPostfix, USER } from "./postfix.ts";
import { afterFilter, beforeFilter, spawnedProxy } from "./postfix_config.ts";
import { alice, header, newTag, sender } from "./postfix_mail.ts";
import { Listening } from "./start.ts";
import { sendMail } from "./stranger.ts";

let first: Clamd;
let second: Clamd;
let problem: unknown;

Deno.test.beforeAll(async () => {
  try {
    first = await Clamd.start();
    second = await Clamd.start();
  } catch (error) {
    problem = error;
  }
});

Deno.test.afterAll(async () => {
  await first?.stop();
  await second?.stop();
});

function need(): void {
  if (problem !== undefined) throw problem;
}

// --- messages

/** A zip file with one file in it, compressed (PKWARE's APPNOTE s.4.3). */
function zip(name: string, content: string): string {
  const data = spelled(deflateRawSync(octets(content)));
  const u16 = (value: number) => String.fromCharCode(value & 255, value >> 8 & 255);
  const u32 = (value: number) => u16(value & 0xffff) + u16(value >>> 16);
  const sizes = u32(crc32(octets(content))) + u32(data.length) + u32(content.length) + u16(name.length) + u16(0);
  const facts = u16(20) + u16(0) + u16(8) + u32(0) + sizes;
  const local = `PK\x03\x04${facts}${name}${data}`;
  const central = `PK\x01\x02${u16(20)}${facts}${u16(0)}${u16(0)}${u16(0)}${u32(0)}${u32(0)}${name}`;
  return `${local}${central}PK\x05\x06${u32(0)}${u16(1)}${u16(1)}${u32(central.length)}${u32(local.length)}${u16(0)}`;
}

function base64(content: string): string {
  return btoa(content).replace(/.{1,76}/g, "$&\r\n");
}

/** A message with a text and a file, which is encoded already. */
function attached(encoding: string, file: string, name = "eicar.com"): string {
  return `From: a@example.org\r\nTo: b@example.org\r\nSubject: a file\r\nMIME-Version: 1.0\r\n` +
    `Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nsee there\r\n--x\r\n` +
    `Content-Type: application/octet-stream; name="${name}"\r\nContent-Transfer-Encoding: ${encoding}\r\n` +
    `Content-Disposition: attachment; filename="${name}"\r\n\r\n${file}\r\n--x--\r\n`;
}

const WITH_VIRUS: Readonly<Record<string, string>> = {
  plain: `From: a@example.org\r\nSubject: text\r\n\r\n${EICAR}\r\n`,
  "plain, after a dot": `From: a@example.org\r\nSubject: text\r\n\r\n..\r\n${EICAR}\r\n`,
  "a plain part": attached("7bit", EICAR),
  base64: attached("base64", base64(EICAR)),
  "quoted-printable": attached(
    "quoted-printable",
    EICAR.replace(/[=$]/g, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase()}`),
  ),
  "a zip file": attached("base64", base64(zip("eicar.com", EICAR)), "eicar.zip"),
  "a message in a message": attached("7bit", "x").replace(
    /application\/octet-stream[^\r]*\r\n[^\r]*\r\n[^\r]*\r\n\r\nx/,
    `message/rfc822\r\n\r\n${attached("base64", base64(EICAR)).replaceAll("x", "y")}`,
  ),
};

/** Base64 of octets that nobody has seen, so that a message has this size. */
function large(size: number): string {
  return attached(
    "base64",
    `${"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg==\r\n".repeat(size / 70)}`,
  );
}

for (const transport of ["tcp", "unix"] as const) {
  table(`Real clamd over ${transport}`, { options: () => (need(), [`--clamd=${first[transport]}`, "-v"]) }, [
    {
      name: "a clean message passes",
      play: async (talk) => {
        const client = await talk.open();
        for (const content of [CONTENT, attached("base64", base64("clean")), large(STREAM_MAX * 0.9)]) {
          assert.equal((await deliver(client, content)).code, 250);
        }
        await talk.logged(/message verdict=pass reason="clamd found nothing"/);
        assert.doesNotMatch(talk.log, /not checked/);
      },
    },
    ...Object.entries(WITH_VIRUS).map(([name, content]): Case => ({
      name: `a virus is found: ${name}`,
      play: async (talk) => {
        const client = await talk.open();
        assert.equal((await deliver(client, content)).raw, FOUND);
        talk.nothingPassed();
      },
    })),
    {
      name: "a message over StreamMaxLength is no opinion",
      play: async (talk) => {
        const client = await talk.open();
        for (const size of [STREAM_MAX * 1.1, STREAM_MAX * 4]) {
          const { length } = talk.log;
          assert.equal((await deliver(client, large(size))).code, 250);
          await until(() => /message not checked reason="clamd could not tell/.test(talk.log.slice(length)), "the log");
          assert.match(
            talk.log.slice(length),
            /takes no message of \d+ octets, see StreamMaxLength in its clamd\.conf/,
          );
        }
        // It says nothing of the server.
        assert.equal((await deliver(client, WITH_VIRUS["base64"])).raw, FOUND);
      },
    },
  ]);
}

table("Real clamd with -r", { options: () => (need(), [`--clamd=${first.tcp}`, "-r"]) }, [{
  name: "a message over StreamMaxLength is deferred",
  play: async (talk) => {
    const client = await talk.open();
    assert.equal((await deliver(client, large(STREAM_MAX * 2))).code, 451);
    talk.nothingPassed();
    assert.equal((await deliver(client)).code, 250);
  },
}]);

// The spool has LF line ends, and RFC 5322 has CRLF.
Deno.test("Real clamd finds the same with either kind of line ends", async () => {
  need();
  for (const [name, content] of Object.entries({ ...WITH_VIRUS, clean: attached("base64", base64("clean")) })) {
    const { answer } = await first.ask(content);
    assert.equal((await first.ask(content.replaceAll("\r\n", "\n"))).answer, answer, name);
    assert.match(answer, name === "clean" ? /^stream: OK/ : /FOUND/, name);
  }
});

// --- under load

/** Sends messages one after the other, every second one with a virus, until `isOver`; counts the replies. */
async function sendAll(port: number, isOver: () => boolean, heard: Map<string, number>): Promise<void> {
  const client = await connectTo({ port });
  try {
    await client.expect(220);
    await client.expect(250, "EHLO client.example");
    for (let at = 0; !isOver(); at++) {
      await client.expect(250, `MAIL FROM:<${SENDER}>`);
      await client.expect(250, `RCPT TO:<${RECIPIENT}>`);
      await client.expect(354, "DATA");
      const content = at % 2 === 0 ? CONTENT : WITH_VIRUS["base64"]!;
      await client.say(`${content}.\r\n`);
      const what = `${at % 2 === 0 ? "clean" : "virus"} ${(await client.hear()).raw.slice(0, 9)}`;
      heard.set(what, (heard.get(what) ?? 0) + 1);
    }
    await client.expect(221, "QUIT");
  } finally {
    client.close();
  }
}

/** Has ten clients send while `play` runs; what they heard. */
async function underLoad(options: readonly string[], play: (heard: () => number) => Promise<void>) {
  const downstream = await Server.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  const program = await Listening.start([...options, "-d", dir, `--log=${dir}/log`, downstream.operand]);
  const heard = new Map<string, number>();
  let over = false;
  try {
    const clients = Array.from({ length: 10 }, () => sendAll(program.port, () => over, heard));
    try {
      await play(() => [...heard.values()].reduce((sum, count) => sum + count, 0));
    } finally {
      over = true;
      await Promise.all(clients);
    }
    const texts = downstream.sessions.flatMap(({ messages }) => messages.map(({ text }) => text));
    return { heard, texts, log: Deno.readTextFileSync(`${dir}/log`) };
  } finally {
    await program.stop();
    await downstream.stop();
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("Real clamd is killed and started again under load, and the other one stands in: no message goes unchecked", async () => {
  await using first = await Clamd.start();
  await using second = await Clamd.start();
  const { heard, texts, log } = await underLoad([`--clamd=${first.tcp}`, `--clamd=${second.unix}`], async (count) => {
    const more = async () => {
      const before = count();
      await until(() => count() >= before + 100, "more messages");
    };
    await more();
    await first.kill();
    await more();
    await first.restart();
    await more();
    await second.kill();
    await more();
    await second.restart();
    await more();
  });
  assert.deepEqual([...heard.keys()].sort(), ["clean 250 2.0.0", "virus 550 5.7.1"], log);
  assert.ok(texts.every((text) => !text.includes("base64")), "a virus was delivered");
  assert.equal(texts.length, heard.get("clean 250 2.0.0"));
  assert.doesNotMatch(log, /not checked/);
  assert.match(log, /clamd at \S+ answered, because /);
});

Deno.test("The only real clamd is killed and started again under load with -r: messages wait, and none goes unchecked", async () => {
  await using first = await Clamd.start();
  const { heard, texts, log } = await underLoad([`--clamd=${first.unix}`, "-r"], async (count) => {
    const more = async () => {
      const before = count();
      await until(() => count() >= before + 100, "more messages");
    };
    await more();
    await first.kill();
    await more();
    await first.restart();
    await more();
  });
  assert.deepEqual(
    [...heard.keys()].sort(),
    ["clean 250 2.0.0", "clean 451 4.3.0", "virus 451 4.3.0", "virus 550 5.7.1"],
    log,
  );
  assert.ok(texts.every((text) => !text.includes("base64")), "a virus was delivered");
  assert.equal(texts.length, heard.get("clean 250 2.0.0"));
});

// --- with Postfix

Deno.test({
  name: "Real clamd behind a real Postfix, spawn and listen, plain and speed_adjust",
  ignore: isLeftOut("clamd behind Postfix"),
  fn: behindPostfix,
});

async function behindPostfix(test: Deno.TestContext): Promise<void> {
  need();
  const postfix = createPostfix();
  const [spawnPort = 0, listenPort = 0, afterPort = 0, ...befores] = await freePorts(7);
  let listening: number | undefined;
  try {
    const installed = await install(postfix);
    const words = (mode: string, scanner: string) => [
      ...["-d", installed.spool, `--log=${installed.logs}/${mode}.log`, "-v", `--clamd=${scanner}`],
      `127.0.0.1:${afterPort}`,
    ];
    const setups = [["spawn", spawnPort], ["listen", listenPort]].flatMap(([mode, proxy]) =>
      [false, true].map((speedAdjust) => ({ mode, proxy: `127.0.0.1:${proxy}`, speedAdjust, port: befores.pop()! }))
    );
    await postfix.start([
      ...setups.map(beforeFilter),
      spawnedProxy(spawnPort, USER, [installed.program, ...words("spawn", first.unix)]),
      afterFilter(afterPort),
    ]);
    listening = await startListening(installed, words("listen", first.tcp), listenPort);
    for (const { mode, speedAdjust, port } of setups) {
      await test.step(`${mode}${speedAdjust ? ", speed_adjust" : ""}`, async () => {
        for (const [name, body, code] of [["clean", "text\r\n", 250], ["virus", `${EICAR}\r\n`, 550]] as const) {
          const tag = newTag();
          const mark = postfix.log().length;
          const text = header(name, tag) + body;
          const { end } = await sendMail(port, { from: sender(tag), to: [alice(tag)], text });
          assert.equal(end.code, code, end.text);
          if (code === 550) assert.equal(`${end.text}\r\n`, FOUND);
          assert.doesNotMatch(await postfix.settledLog(mark), /\b(?:fatal|panic): /);
          assert.deepEqual(postfix.delivered(tag).map((mail) => mail.text), code === 250 ? [text] : []);
        }
      });
    }
  } finally {
    if (listening !== undefined) await stop(listening);
    await postfix.stop();
  }
}
