// --rspamd with a real one (rspamd_bed.ts): each action in both modes; then between two servers of a real Postfix, where the
// same message through rspamd's own milter gets the same reply and the same header.

import assert from "node:assert/strict";
import { type Case, CONTENT, deliver, SENDER, table } from "../blackbox/rig.ts";
import { isLeftOut } from "../needs.ts";
import { utf8 } from "../rig/octets.ts";
import { freePorts } from "../rig/ports.ts";
import { install, startListening, stop } from "./installed.ts";
import {
  createPostfix,
  filesBelow,
  groupOfUser,
  makeDirectory,
  type Postfix,
  readOctets,
  USER,
  userId,
} from "./postfix.ts";
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
  ...REFUSED.map(([name, text]) => [name, text] as const),
];

/**
 * Replies of a Postfix with the milter, and what is right in their place. All other replies must be the same, and so must
 * all that is delivered, and that nothing is.
 */
const OTHER_REPLIES: readonly (readonly [names: RegExp, milter: RegExp, ours: string])[] = [
  // The milter's code for mail that is refused for good. postprox has one for all its checks, 550.
  [/./, /^554 5\.7\.1 /, "550 5.7.1 "],
  // Postfix has given the message the id of a queue before the milter drops it or has it held. postprox drops it, or keeps it
  // itself, before any queue has it. So there is no id, and the text says so.
  [/^(?:discard|quarantine)$/, /^250 2\.0\.0 Ok: queued as ID$/, "250 2.0.0 Ok: discarded"],
];

async function behindPostfix(test: Deno.TestContext): Promise<void> {
  need();
  const postfix = createPostfix();
  const [spawnPort = 0, listenPort = 0, afterPort = 0, milterPort = 0, ...befores] = await freePorts(8);
  let listening: number | undefined;
  try {
    const installed = await install(postfix);
    // Without it `quarantine` is a refusal (the tables above).
    const quarantine = `${postfix.dir}/quarantine`;
    makeDirectory(quarantine, { uid: userId(USER), gid: groupOfUser(USER), mode: 0o700 });
    const words = (mode: string) => [
      ...["-d", installed.spool, `--log=${installed.logs}/${mode}.log`, "-v", `--rspamd=${rspamd.normal}`],
      `--quarantine=${quarantine}`,
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
        const { reply, held, ...wanted } = await result(postfix, milterPort, text);
        // Postfix keeps a message in its queue `hold`, and postprox in its quarantine.
        assert.equal(held, name === "quarantine" ? 1 : 0);
        const [, said, ours = ""] = OTHER_REPLIES.find(([names, said]) => names.test(name) && said.test(reply)) ?? [];
        for (const { mode, speedAdjust, port } of setups) {
          // The rest differs in nothing that rspamd or its answer can see.
          if (speedAdjust && name !== "a field on top") continue;
          const before = keptAs("quarantine", quarantine);
          const { held: _, ...got } = await result(postfix, port, text);
          const same = { reply: said ? reply.replace(said, ours) : reply, ...wanted };
          assert.deepEqual(got, same, `${mode}${speedAdjust ? ", speed_adjust" : ""}`);
          assert.equal(keptAs("quarantine", quarantine) - before, held, "messages that are kept");
        }
      });
    }
  } finally {
    if (listening !== undefined) await stop(listening);
    await postfix.stop();
  }
}

/** How many messages are in the quarantine for this outcome. */
function keptAs(outcome: string, quarantine: string): number {
  const records = filesBelow(quarantine).filter((file) => file.endsWith(".json"));
  return records.filter((file) => JSON.parse(readOctets(file)).outcome === outcome).length;
}

interface Result {
  readonly reply: string;
  /** How many messages Postfix holds. */
  readonly held: number;
  /** The delivered message: field by field, and the body. */
  readonly mail?: { readonly header: readonly string[]; readonly body: string };
}

/** Sends a message, and gives what became of it, without what differs each time. */
async function result(postfix: Postfix, port: number, text: string): Promise<Result> {
  const tag = newTag();
  const mark = postfix.log().length;
  const { end } = await sendMail(port, { from: sender(tag), to: [alice(tag)], text });
  // Nobody would deliver them, and the queue would never be empty.
  const held = filesBelow(`${postfix.dir}/queue/hold`);
  for (const file of held) Deno.removeSync(file);
  assert.doesNotMatch(await postfix.settledLog(mark), /\b(?:fatal|panic): |milter.*(?:error|timeout)/);
  const reply = end.text.replace(/ queued as \w+/, " queued as ID").trimEnd();
  const [delivered, ...others] = postfix.delivered(tag);
  assert.deepEqual(others, []);
  if (!delivered) return { reply, held: held.length };
  const whole = `${delivered.prepended.replaceAll("\n", "\r\n")}${delivered.text}`;
  const [header = "", ...rest] = whole.split("\r\n\r\n");
  const fields = header.split(/\r\n(?![ \t])/)
    .map((field) => field.replaceAll(tag, "TAG"))
    // That of the server behind postprox, which is the server in front where there is a milter.
    .filter((field) => !field.startsWith("Received: from mail.e2e.example "))
    // That of the server in front has the time, and an id only where it queues the message.
    .map((field) => field.replace(/^(Received: from stranger\.example ).*/s, "$1"))
    // The time of a signature, and what follows from it, but not how it is folded.
    .map((field) => field.replace(/^(DKIM-Signature:.*?;\s*t=)\d+/s, "$1TIME"))
    .map((field) =>
      field.replace(
        /^(DKIM-Signature:.*?;\s*b=)(.*)/s,
        (_, start: string, data: string) => start + data.replace(/[^\s;]/g, "x"),
      )
    );
  return { reply, held: held.length, mail: { header: fields, body: rest.join("\r\n\r\n") } };
}
