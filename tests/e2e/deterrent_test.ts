// A rules file with all its effects, behind a real Postfix: what a stranger hears, what arrives, and what Postfix logs.
// Each with and without speed_adjust, with and without --defer-rcpt-refusals, in both modes.
//
// Without Postfix or root, each test fails and says so.

import { strict as assert } from "node:assert";
import { freePorts } from "../rig/ports.ts";
import { install, startListening } from "./installed.ts";
import { createPostfix, type Postfix, USER } from "./postfix.ts";
import { cleanUp } from "./postfix_bed.ts";
import { afterFilter, beforeFilter, DOMAIN, spawnedProxy } from "./postfix_config.ts";
import { header } from "./postfix_mail.ts";
import type { Replies } from "../rig/client.ts";
import { CLIENT_ADDRESS, greet, sendMail } from "./stranger.ts";

const RULES = `noto:${CLIENT_ADDRESS}:ALL:bob+no*@${DOMAIN}:550 5.7.1 No %I
noto_delay:UNKNOWN EXCEPT 192.0.2.0/24:ALL:bob+slow*@${DOMAIN}:450 4.7.1 Slowly
deny:ALL:/^(bad|worse)@/:ALL:554 5.7.1 Not from %F
noto:${CLIENT_ADDRESS.replace(/\.[0-9]+$/, ".1")}:ALL:ALL:550 The client is Postfix
allow-filter|allow-extchk:ALL:ALL:bob+*.content@${DOMAIN}
allow:ALL:ALL:ALL
`;

const FILTER_RULES = "# a word\nbanned *word\n";

// It has to be called as the Spammer Deterrent page says, with the sender's address and its client's.
const CHECKER = `#!/bin/sh
[ "$1 $3 $4 $5 $6 $7" = "-s -a ${CLIENT_ADDRESS} -f sender@elsewhere.example -t" ] || exit 9
grep -q refused "$2" && exit 1
sed -i s/changeable/changed/ "$2"
`;

interface Setup {
  readonly name: string;
  readonly mode: "spawn" | "listen";
  readonly speedAdjust: boolean;
  readonly defers: boolean;
}

const SETUPS: readonly Setup[] = (["spawn", "listen"] as const).flatMap((mode) =>
  [false, true].flatMap((speedAdjust) =>
    [false, true].map((defers) => ({
      mode,
      speedAdjust,
      defers,
      name: [mode, ...speedAdjust ? ["speed_adjust"] : [], ...defers ? ["--defer-rcpt-refusals"] : []].join(", "),
    }))
  )
);

interface Bed {
  readonly postfix: Postfix;
  readonly ports: ReadonlyMap<Setup, number>;
}

let bed: Bed | undefined;
let problem: unknown;

Deno.test.beforeAll(async () => {
  try {
    bed = await openBed();
  } catch (error) {
    problem = error;
  }
});

Deno.test.afterAll(async () => {
  if (bed) await cleanUp(bed.postfix);
});

async function openBed(): Promise<Bed> {
  const postfix = createPostfix();
  try {
    const installed = await install(postfix);
    const rules = `${postfix.dir}/rules`;
    Deno.writeTextFileSync(rules, RULES);
    Deno.writeTextFileSync(`${postfix.dir}/filter_rules`, FILTER_RULES);
    Deno.writeTextFileSync(`${postfix.dir}/checker`, CHECKER);
    Deno.chmodSync(`${postfix.dir}/checker`, 0o755);
    const free = await freePorts(2 * SETUPS.length + 1);
    const after = free.pop()!;
    const entries = [afterFilter(after)];
    const ports = new Map<Setup, number>();
    const listeners: [words: string[], port: number][] = [];
    for (const setup of SETUPS) {
      const [before, proxy] = [free.pop()!, free.pop()!];
      const words = [
        "-v",
        ...["-d", installed.spool, `--log=${installed.logs}/${proxy}.log`],
        ...[`--check-rules=${rules}`, "--rules-delay=0.5"],
        ...[`--filter-rules=${postfix.dir}/filter_rules`, `--extchk=${postfix.dir}/checker`],
        ...setup.defers ? ["--defer-rcpt-refusals"] : [],
        `127.0.0.1:${after}`,
      ];
      entries.push(beforeFilter({ port: before, proxy: `127.0.0.1:${proxy}`, speedAdjust: setup.speedAdjust }));
      if (setup.mode === "spawn") entries.push(spawnedProxy(proxy, USER, [installed.program, ...words]));
      else listeners.push([words, proxy]);
      ports.set(setup, before);
    }
    await postfix.start(entries);
    for (const [words, port] of listeners) await startListening(installed, words, port);
    return { postfix, ports };
  } catch (error) {
    await cleanUp(postfix).catch(() => {}); // Why it began is what matters.
    throw error;
  }
}

let tags = 0;

interface Sent extends Replies {
  /** Postfix's. */
  readonly log: string;
  /** The recipients that it was delivered to. */
  readonly delivered: readonly string[];
  readonly texts: readonly string[];
}

/** Sends a message to the mailboxes of `to`, each with a tag of this message after it. */
async function send(setup: Setup, to: readonly string[], text = "text"): Promise<Sent> {
  if (!bed) throw problem;
  const { postfix, ports } = bed;
  const tag = `d${++tags}`;
  const mark = postfix.log().length;
  const addresses = to.map((name) =>
    `${name.includes("+") ? `${name}-${tag}` : name.replace(/$|(?=\.)/, `+${tag}`)}@${DOMAIN}`
  );
  const replies = await sendMail(ports.get(setup)!, {
    from: "sender@elsewhere.example",
    to: addresses,
    text: `${header("pass", tag)}${text}\r\n`,
  });
  const log = await postfix.settledLog(mark);
  const mails = postfix.delivered(tag);
  const delivered = mails.map(({ recipient }) => recipient.replace(/[+-]d.*/, ""));
  return { ...replies, log, delivered: delivered.sort(), texts: mails.map(({ text }) => text) };
}

for (const setup of SETUPS) {
  const { name, speedAdjust, defers } = setup;

  Deno.test(`rules, ${name}: mail that no rule refuses arrives`, async () => {
    const { recipients, end, delivered } = await send(setup, ["alice", "bob"]);
    assert.ok(recipients.every(({ code }) => code === 250));
    assert.match(end.text, /^250 2\.0\.0 Ok: queued as /);
    assert.deepEqual(delivered, ["alice", "bob"]);
  });

  Deno.test(`rules, ${name}: one recipient of two is refused`, async () => {
    const { recipients, end, delivered, log } = await send(setup, ["alice", "bob+no"]);
    const refusal = `550 5.7.1 No ${CLIENT_ADDRESS}`;
    if (!speedAdjust && !defers) {
      // The sender learns who it is.
      assert.equal(recipients[0]!.code, 250);
      assert.equal(recipients[1]!.text, refusal);
      assert.equal(end.code, 250);
      assert.deepEqual(delivered, ["alice"]);
    } else {
      // One reply for all.
      assert.ok(recipients.every(({ code }) => code === 250), recipients.map(({ text }) => text).join("\n"));
      assert.equal(end.text, refusal);
      assert.deepEqual(delivered, []);
    }
    // Postfix takes a refusal in its replay for a fault of the proxy.
    const warns = /warning: proxy \S+ rejected "RCPT TO:<bob\+no/.test(log);
    assert.equal(warns, !defers, log);
  });

  Deno.test(`rules, ${name}: noto_delay waits, and its 4xx is the reply`, async () => {
    const start = performance.now();
    const { recipients, end, delivered } = await send(
      setup,
      ["bob+slow"].concat(speedAdjust || defers ? [] : ["alice"]),
    );
    assert.ok(performance.now() - start >= 500);
    const replies = [...recipients, end].map(({ text }) => text);
    assert.ok(replies.includes("450 4.7.1 Slowly"), replies.join("\n"));
    assert.deepEqual(delivered, speedAdjust || defers ? [] : ["alice"]);
  });

  Deno.test(`rules, ${name}: content rules and the external checker look at mail to one of two`, async () => {
    const rows: readonly [text: string, end: RegExp, ends: RegExp][] = [
      ["a BANNED  word", /^550 5\.7\.1 Content rejected$/, /^$/],
      ["to be refused", /^552 5\.7\.1 Content rejected$/, /^$/],
      ["changeable", /^250 /, /\r\nchanged\r\n$/],
    ];
    for (const [text, end, ends] of rows) {
      const seen = await send(setup, ["alice", "bob.content"], text);
      assert.match(seen.end.text, end, text);
      assert.equal(seen.texts.length, end.test("250 ") ? 2 : 0, text);
      for (const arrived of seen.texts) assert.match(arrived, ends);
      const unseen = await send(setup, ["alice", "bob"], text);
      assert.equal(unseen.end.code, 250);
      assert.ok(unseen.texts.every((arrived) => arrived.endsWith(`\r\n${text}\r\n`)));
      assert.deepEqual(unseen.delivered, ["alice", "bob"]);
    }
  });

  Deno.test(`rules, ${name}: deny`, async () => {
    if (!bed) throw problem;
    const client = await greet(bed.ports.get(setup)!);
    try {
      await client.expect(250, "MAIL FROM:<bad@elsewhere.example>");
      const rcpt = (await client.ask(`RCPT TO:<alice@${DOMAIN}>`)).text;
      if (!speedAdjust && !defers) return assert.equal(rcpt, "554 5.7.1 Not from <bad@elsewhere.example>");
      await client.expect(354, "DATA");
      await client.say(".\r\n");
      assert.equal((await client.hear()).text, "554 5.7.1 Not from <bad@elsewhere.example>");
    } finally {
      client.close();
    }
  });
}
