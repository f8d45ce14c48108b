// --spamd with a real SpamAssassin (spamd_bed.ts): ham and spam in both modes, over tcp and unix; messages that are hard on
// their header; then between two servers of a real Postfix.

import assert from "node:assert/strict";
import { type Case, CONTENT, deliver, table } from "../blackbox/rig.ts";
import { isLeftOut } from "../needs.ts";
import { utf8 } from "../rig/octets.ts";
import { freePorts } from "../rig/ports.ts";
import { install, startListening, stop } from "./installed.ts";
import { createPostfix, USER } from "./postfix.ts";
import { afterFilter, beforeFilter, spawnedProxy } from "./postfix_config.ts";
import { alice, header, newTag, sender } from "./postfix_mail.ts";
import { GTUBE } from "./rspamd_bed.ts";
import { Spamd } from "./spamd_bed.ts";
import { sendMail } from "./stranger.ts";

let tcp: Spamd;
let unix: Spamd;
let reporting: Spamd;
let problem: unknown;

Deno.test.beforeAll(async () => {
  try {
    tcp = await Spamd.start();
    unix = await Spamd.start({ unix: true });
    reporting = await Spamd.start({ reportSafe: 1 });
  } catch (error) {
    problem = error;
  }
});

Deno.test.afterAll(async () => {
  await tcp?.stop();
  await unix?.stop();
  await reporting?.stop();
});

function need(): void {
  if (problem !== undefined) throw problem;
}

const REJECTED = "550 5.7.1 Spam message rejected\r\n";
const SPAM =
  `From: a@example.org\r\nSubject: offer\r\nX-Spam-Flag: NO\r\nContent-Type: text/plain\r\n\r\n${GTUBE}\r\n.\r\n`;

/** What SpamAssassin puts on top of a message with these tests and this score. */
function marks(score: string, tests: string, stars: number): string {
  const isSpam = Number(score) >= 5;
  const report = isSpam ? "X-Spam-Flag: YES\r\n" : "";
  return `${report}X-Spam-Status: ${isSpam ? "Yes" : "No"}, score=${score} required=5.0 tests=${tests}\r\n` +
    (stars > 0 ? `X-Spam-Level: ${"*".repeat(stars)}\r\n` : "X-Spam-Level: \r\n");
}

const HAM = marks("0.0", "none", 0);

/** The fields that show what SpamAssassin did, without its report. */
function unfolded(text: string): string {
  return text.replace(/^X-Spam-Checker-Version: .*\r\n(?:\t.*\r\n)*/m, "").replace(
    /^X-Spam-Report: .*\r\n(?:\t.*\r\n)*/m,
    "",
  ).replace(/(?<=^X-Spam-Status: [^\r]*)\r\n\t/gm, " ");
}

function passes(name: string, text: string, expected: string): Case {
  return {
    name,
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, text.replace(/^(?=\.)/gm, "."))).code, 250);
      assert.equal(talk.downstream.messages.length, 1);
      assert.equal(unfolded(talk.downstream.messages[0]!.text), expected, talk.log);
      assert.doesNotMatch(talk.log, /not checked/);
    },
  };
}

const LARGE = `Subject: large\r\n\r\n${"A line of a large message.\r\n".repeat(20_000)}`;
const MARKED_SPAM = marks("1000.0", "GTUBE", 50) +
  SPAM.replace("X-Spam-Flag: NO\r\n", "").replace("Subject: offer", "Subject: [SPAM] offer");

for (const transport of ["tcp", "unix"] as const) {
  const server = () => (need(), transport === "tcp" ? tcp.address : unix.address);
  table(`Real spamd over ${transport}`, { options: () => [`--spamd=${server()}`, "-v"] }, [
    passes("ham", CONTENT, HAM + CONTENT),
    passes("good ham", `X-Test: nice\r\n${CONTENT}`, `${marks("-3.2", "NICE", 0)}X-Test: nice\r\n${CONTENT}`),
    passes(
      "spam passes, marked",
      SPAM,
      MARKED_SPAM.replace("text/plain\r\n", "text/plain\r\nX-Spam-Prev-Subject: offer\r\n"),
    ),
    // Headers that are hard to take apart.
    passes("no header", "\r\nbody\r\n", `${HAM}Subject: \r\n\r\nbody\r\n`),
    passes("no body", "Subject: x\r\n", `${HAM}Subject: x\r\n`),
    passes("an empty body", "Subject: x\r\n\r\n", `${HAM}Subject: x\r\n\r\n`),
    passes("an empty message", "", `${HAM}Subject: \r\n`),
    passes(
      "folded",
      "Subject: x\r\n\ty\r\nX: y\r\n  z\r\n\r\nb\r\n",
      `${HAM}Subject: x\r\n\ty\r\nX: y\r\n  z\r\n\r\nb\r\n`,
    ),
    passes(
      "octets",
      `Subject: ${utf8("für")}\xff\r\n\r\n\xff\0\r\n`,
      `${HAM}Subject: ${utf8("für")}\xff\r\n\r\n\xff\0\r\n`,
    ),
    passes(
      "body lines in place of the empty line",
      "Subject: x\r\none\r\ntwo\r\n\r\nthree\r\n",
      `${HAM}Subject: x\r\n\r\none\r\ntwo\r\n\r\nthree\r\n`,
    ),
    passes(
      "many body lines in place of it",
      `Subject: x\r\n${"line\r\n".repeat(9)}`,
      `${HAM}Subject: x\r\n\r\n${"line\r\n".repeat(9)}`,
    ),
    passes(
      "a field between lines that are no fields",
      "A: b\r\nnone\r\nC: d\r\n\r\ne\r\n",
      `${HAM}A: b\r\n\r\nnone\r\nC: d\r\n\r\ne\r\n`,
    ),
    passes(
      "Return-Path first",
      "Return-Path: <a@b>\r\nSubject: b\r\n\r\nc\r\n",
      `Return-Path: <a@b>\r\n${HAM}Subject: b\r\n\r\nc\r\n`,
    ),
    passes(
      "a long header",
      `Subject: x\r\n${"X-Field: text of it\r\n".repeat(5000)}\r\nb\r\n`,
      `${HAM}Subject: x\r\n${"X-Field: text of it\r\n".repeat(5000)}\r\nb\r\n`,
    ),
    passes("a large message", LARGE, HAM + LARGE),
  ]);
}

table("Real spamd and --spamd-reject", {
  options: () => (need(), [`--spamd=${tcp.address}`, "--spamd-reject=7.6", "-v"]),
}, [
  {
    name: "GTUBE is refused",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, SPAM.replace("\r\n.\r\n", "\r\n..\r\n"))).raw, REJECTED);
      talk.nothingPassed();
      await talk.logged(/message verdict=reject .*spamd_score=1000 spamd_required_score=5 /);
    },
  },
  {
    name: "a lower score is not",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, `X-Test: seven\r\n${CONTENT}`)).code, 250);
      assert.match(talk.downstream.messages[0]!.text, /^X-Spam-Flag: YES\r$/m);
      await talk.logged(/spamd_score=7\.5 /);
    },
  },
]);

table("Real spamd with report_safe", { options: () => (need(), [`--spamd=${reporting.address}`, "-v"]) }, [
  passes("ham", CONTENT, HAM + CONTENT),
  passes("spam keeps its body, and the header for it", SPAM, MARKED_SPAM),
]);

// --- with Postfix

Deno.test({
  name: "Real spamd behind a real Postfix, spawn and listen, plain and speed_adjust",
  ignore: isLeftOut("spamd behind Postfix"),
  fn: behindPostfix,
});

async function behindPostfix(test: Deno.TestContext): Promise<void> {
  need();
  const postfix = createPostfix();
  const [spawnPort = 0, listenPort = 0, afterPort = 0, ...befores] = await freePorts(7);
  let listening: number | undefined;
  try {
    const installed = await install(postfix);
    const words = (mode: string, address: string) => [
      ...[
        "-d",
        installed.spool,
        `--log=${installed.logs}/${mode}.log`,
        "-v",
        `--spamd=${address}`,
        "--spamd-reject=15",
      ],
      `127.0.0.1:${afterPort}`,
    ];
    const setups = [["spawn", spawnPort], ["listen", listenPort]].flatMap(([mode, proxy]) =>
      [false, true].map((speedAdjust) => ({ mode, proxy: `127.0.0.1:${proxy}`, speedAdjust, port: befores.pop()! }))
    );
    await postfix.start([
      ...setups.map(beforeFilter),
      spawnedProxy(spawnPort, USER, [installed.program, ...words("spawn", unix.address)]),
      afterFilter(afterPort),
    ]);
    listening = await startListening(installed, words("listen", tcp.address), listenPort);
    for (const { mode, speedAdjust, port } of setups) {
      await test.step(`${mode}${speedAdjust ? ", speed_adjust" : ""}`, async () => {
        for (const [name, body, code] of [["ham", "text\r\n", 250], ["spam", `${GTUBE}\r\n`, 550]] as const) {
          const tag = newTag();
          const mark = postfix.log().length;
          const text = header(name, tag) + body;
          const { end } = await sendMail(port, { from: sender(tag), to: [alice(tag)], text });
          assert.equal(end.code, code, end.text);
          if (code === 550) assert.equal(`${end.text}\r\n`, REJECTED);
          assert.doesNotMatch(await postfix.settledLog(mark), /\b(?:fatal|panic): /);
          const delivered = postfix.delivered(tag);
          assert.equal(delivered.length, code === 250 ? 1 : 0);
          for (const mail of delivered) {
            // SpamAssassin's fields stand above that of the first server.
            const whole = mail.prepended + mail.text;
            assert.match(
              whole,
              /\r\nX-Spam-Status: No, score=0\.0 required=5\.0 tests=none\r\nX-Spam-Level: *\r\nReceived: /,
            );
            assert.ok(whole.endsWith(text));
          }
        }
      });
    }
  } finally {
    if (listening !== undefined) await stop(listening);
    await postfix.stop();
  }
}
