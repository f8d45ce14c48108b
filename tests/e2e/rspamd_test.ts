// --rspamd with a real one (rspamd_bed.ts): each action in both modes; then between two servers of a real Postfix, where the
// same message through rspamd's own milter gets the same reply and the same header.

import assert from "node:assert/strict";
import { type Case, CONTENT, deliver, SENDER, table } from "../blackbox/rig.ts";
import { isLeftOut } from "../needs.ts";
import { utf8 } from "../rig/octets.ts";
import { freePorts } from "../rig/ports.ts";
import { install, startListening, stop } from "./installed.ts";
import { createPostfix, type Postfix, USER } from "./postfix.ts";
import { afterFilter, beforeFilter, milterServer, spawnedProxy } from "./postfix_config.ts";
import { alice, newTag, sender } from "./postfix_mail.ts";
import { GTUBE, PASSWORD, Rspamd } from "./rspamd_bed.ts";
import { sendMail } from "./stranger.ts";

let rspamd: Rspamd;
let problem: unknown;

Deno.test.beforeAll(async () => {
  try {
    rspamd = await Rspamd.start();
  } catch (error) {
    problem = error;
  }
});

Deno.test.afterAll(async () => {
  await rspamd?.stop();
});

function need(): void {
  if (problem !== undefined) throw problem;
}

/** A message with these fields at the beginning of its header. */
function mail(fields: readonly string[], body = "A line.\r\n..\r\n"): string {
  const rest = [
    "From: A Sender <sender@elsewhere.example>",
    "Subject: hello",
    "X-Gone: 1",
    "X-Second: 1",
    "X-Gone: 2",
    "X-Second: 2",
    "Message-ID: <1@elsewhere.example>",
    "Date: Thu, 1 Jan 2026 12:00:00 +0000",
  ];
  return [...fields, ...rest, "", body].join("\r\n");
}

/** The outcome of a message, by the field that asks for it. */
const REFUSED: readonly (readonly [name: string, text: string, reply: string, verdict: string])[] = [
  ["GTUBE", mail([], `${GTUBE}\r\n`), "550 5.7.1 Gtube pattern\r\n", "reject"],
  ["a high score", mail(["X-Score: 20.5"]), "550 5.7.1 Spam message rejected\r\n", "reject"],
  ["reject, with a text", mail(["X-Test: reject"]), "550 5.7.1 No thanks, nr. 7\r\n", "reject"],
  ["soft reject", mail(["X-Test: soft reject"]), "451 4.7.1 Come back later\r\n", "defer"],
  ["discard", mail(["X-Test: discard"]), "250 2.0.0 Ok: discarded\r\n", "discard"],
  ["quarantine", mail(["X-Test: quarantine"]), "550 5.7.1 kept\r\n", "reject"],
];

function changed(name: string, text: string, header: (before: string) => string): Case {
  return {
    name,
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, text)).code, 250);
      const [before, ...rest] = text.replace("\r\n..\r\n", "\r\n.\r\n").split("\r\n\r\n");
      talk.passed([header(before!), ...rest].join("\r\n\r\n"));
    },
  };
}

table("Real rspamd", { options: () => (need(), [`--rspamd=${rspamd.normal}`, "-v"]) }, [
  {
    name: "a message passes, and the log has its score and symbols",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, mail(["X-Score: -1.25"]))).code, 250);
      await talk.logged(
        /verdict=pass reason="rspamd at \S+ says no action" .*rspamd_score=-1\.25 rspamd_required_score=\d+ rspamd_symbols=\S*SCORE\(-1\.25\)/,
      );
      assert.equal((await deliver(client, CONTENT)).code, 250);
      assert.equal(talk.downstream.messages[1]?.text, CONTENT);
    },
  },
  ...REFUSED.map(([name, text, reply, verdict]): Case => ({
    name,
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, text.replace(/^(?=\.)/gm, "."))).raw, reply);
      talk.nothingPassed();
      await talk.logged(new RegExp(`message verdict=${verdict} `));
    },
  })),
  changed("greylist passes", mail(["X-Test: greylist"]), (before) => before),
  changed(
    "add header",
    mail(["X-Score: 7", "X-Spam: forged"]),
    (before) => `${before.replace("X-Spam: forged\r\n", "")}\r\nX-Spam: Yes`,
  ),
  changed(
    "rewrite subject",
    mail(["X-Score: 9"]),
    (before) => before.replace("Subject: hello", "Subject: *** SPAM *** hello"),
  ),
  {
    name: "it hears of client, sender and recipients",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD NAME=mx.example ADDR=192.0.2.7 HELO=helo.example");
      const to = ["b@example.net", '"c, d"@example.net'];
      assert.equal((await deliver(client, mail(["X-Test: facts"]), { from: "", to })).code, 250);
      assert.equal((await deliver(client, mail(["X-Test: facts"]))).code, 250);
      const heard = talk.downstream.messages.map(({ text }) => /^X-Facts: (.*)\r$/m.exec(text)?.[1]);
      assert.equal(heard[0], `192.0.2.7 helo.example mx.example <> b@example.net,c, d@example.net`);
      assert.match(heard[1] ?? "", new RegExp(`<${SENDER}> `));
    },
  },
]);

table("Real rspamd's controller", {
  options: (dir) => {
    need();
    Deno.mkdirSync(`${dir}/rules`, { recursive: true });
    Deno.writeTextFileSync(`${dir}/rules/password`, `${PASSWORD}\n`);
    return [`--rspamd=${rspamd.controller}`, `--rspamd-password-file=${dir}/rules/password`, "-v"];
  },
}, [{
  name: "answers with the password",
  play: async (talk) => {
    const client = await talk.open();
    assert.equal((await deliver(client, mail([], `${GTUBE}\r\n`))).raw, "550 5.7.1 Gtube pattern\r\n");
    assert.ok(!talk.log.includes(PASSWORD));
  },
}]);

table("Real rspamd's controller, without its password", {
  options: () => (need(), [`--rspamd=${rspamd.controller}`, `--rspamd=${rspamd.normal}`]),
}, [{
  name: "has no opinion, and another one is asked",
  play: async (talk) => {
    const client = await talk.open();
    assert.equal((await deliver(client, mail([], `${GTUBE}\r\n`))).raw, "550 5.7.1 Gtube pattern\r\n");
    await talk.logged(/rspamd at \S+ answered, because \S+ answered with HTTP status 401/);
  },
}]);

// --- with Postfix

Deno.test({
  name: "Real rspamd behind a real Postfix does what its milter does",
  ignore: isLeftOut("rspamd behind Postfix"),
  fn: behindPostfix,
});

/** Messages whose result must be the same. */
const SAME: readonly (readonly [name: string, text: string])[] = [
  ["no action", mail([])],
  ["no X-Spam of a stranger", mail(["X-Score: 7", "X-Spam: a", "X-Spam: b"])],
  ["add header", mail(["X-Score: 7"])],
  ["rewrite subject", mail(["X-Score: 9"])],
  ["rewrite the first subject", mail(["X-Score: 9", "Subject: =?utf-8?q?f=C3=BCr?=\r\n two lines"])],
  ["greylist", mail(["X-Test: greylist"])],
  ...["on top", "behind the first", "before the last", "before all", "behind all", "folded"].map((where) =>
    [`a field ${where}`, mail([`X-Test: ${where}`])] as const
  ),
  ["a long field", mail(["X-Test: long"])],
  ["facts of the client", mail(["X-Test: facts"])],
  ["a signature", mail(["X-Test: dkim"], "a line \r\n.dot\r\n\r\n\r\n")],
  ["octets", mail(["X-Test: dkim"], utf8("für\r\n") + "\xff\x80\r\n")],
  ...REFUSED.filter(([name]) => name !== "quarantine").map(([name, text]) => [name, text] as const),
];

async function behindPostfix(test: Deno.TestContext): Promise<void> {
  need();
  const postfix = createPostfix();
  const [spawnPort = 0, listenPort = 0, afterPort = 0, milterPort = 0, ...befores] = await freePorts(8);
  let listening: number | undefined;
  try {
    const installed = await install(postfix);
    const words = (mode: string) => [
      ...["-d", installed.spool, `--log=${installed.logs}/${mode}.log`, "-v", `--rspamd=${rspamd.normal}`],
      `127.0.0.1:${afterPort}`,
    ];
    const setups = [["spawn", spawnPort], ["listen", listenPort]].flatMap(([mode, proxy]) =>
      [false, true].map((speedAdjust) => ({ mode, proxy: `127.0.0.1:${proxy}`, speedAdjust, port: befores.pop()! }))
    );
    await postfix.start([
      ...setups.map(beforeFilter),
      spawnedProxy(spawnPort, USER, [installed.program, ...words("spawn")]),
      afterFilter(afterPort),
      milterServer(milterPort, rspamd.milter),
    ]);
    listening = await startListening(installed, words("listen"), listenPort);
    for (const [name, text] of SAME) {
      await test.step(name, async () => {
        const wanted = await result(postfix, milterPort, text);
        for (const { mode, speedAdjust, port } of setups) {
          // The rest differs in nothing that rspamd or its answer can see.
          if (speedAdjust && name !== "a field on top") continue;
          assert.deepEqual(await result(postfix, port, text), wanted, `${mode}${speedAdjust ? ", speed_adjust" : ""}`);
        }
      });
    }
  } finally {
    if (listening !== undefined) await stop(listening);
    await postfix.stop();
  }
}

interface Result {
  readonly reply: string;
  /** The delivered message: field by field, and the body. */
  readonly mail?: { readonly header: readonly string[]; readonly body: string };
}

/** Sends a message, and gives what became of it, without what differs each time. */
async function result(postfix: Postfix, port: number, text: string): Promise<Result> {
  const tag = newTag();
  const mark = postfix.log().length;
  const { end } = await sendMail(port, { from: sender(tag), to: [alice(tag)], text });
  assert.doesNotMatch(await postfix.settledLog(mark), /\b(?:fatal|panic): |milter.*(?:error|timeout)/);
  // The milter refuses with 554, and postprox with 550.
  const reply = end.text.replace(/^554 /, "550 ").replace(/ queued as \w+/, "").replace("Ok: discarded", "Ok:")
    .trimEnd();
  const [delivered, ...others] = postfix.delivered(tag);
  assert.deepEqual(others, []);
  if (!delivered) return { reply };
  const [header = "", ...rest] = `${delivered.prepended}${delivered.text}`.split("\r\n\r\n");
  const fields = header.split(/\r\n(?![ \t])/)
    .filter((field) => !/^(?:Return-Path|Delivered-To|X-Original-To|Received):/.test(field))
    .map((field) => field.replaceAll(tag, "TAG"))
    // The time of a signature, and what follows from it.
    .map((field) =>
      field.startsWith("DKIM-Signature:") ? field.replace(/\bt=\d+/, "t=0").replace(/\bb=.*/s, "b=") : field
    );
  return { reply, mail: { header: fields, body: rest.join("\r\n\r\n") } };
}
