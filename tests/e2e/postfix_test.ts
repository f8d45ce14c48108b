// postprox in front of a real Postfix: mail from a stranger goes through the before-filter server, the proxy and the
// after-filter server into a Maildir. All four set-ups have the same tests.
//
// One Postfix serves the whole file (postfix_bed.ts). Each test sends mail with its own tag. It finds that tag again in
// the Maildirs, in the files that the filter kept (filter.sh), and in the part of the log since its start. The client
// is 127.0.0.2. Postfix and postprox are 127.0.0.1. Without Postfix or root, each test fails and says so.

import { strict as assert } from "node:assert";
import { processesOf, stop } from "./installed.ts";
import { filesBelow, findProgram, readOctets } from "./postfix.ts";
import { type Bed, closeBed, MODES, openBed, SETUPS, stopListeners } from "./postfix_bed.ts";
import { DOMAIN, REFUSED_BY_CLEANUP } from "./postfix_config.ts";
import {
  alice,
  assertKilled,
  assertNoComplaint,
  assertNothingCame,
  assertOneWhole,
  assertQueued,
  assertTexts,
  BODIES,
  environmentOf,
  FALSE_ENDS,
  header,
  logsOf,
  newTag,
  pick,
  POSTFIX_ENDS,
  refusalOf,
  send,
  sender,
  smuggle,
  usingProxy,
} from "./postfix_mail.ts";
import { CLIENT_ADDRESS, CLIENT_NAME, connect, greet, sendMail } from "./stranger.ts";
import { until } from "../rig/wait.ts";

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
  if (bed !== undefined) await closeBed(bed);
});

function e2e(name: string, test: (bed: Bed) => Promise<void>): void {
  Deno.test(`postfix, ${name}`, async () => {
    if (bed === undefined) throw problem;
    const before = logsOf(bed);
    try {
      await test(bed);
    } catch (error) {
      for (const [file, text] of logsOf(bed)) {
        const news = text.slice(before.get(file)?.length ?? 0);
        if (news !== "") console.error(`--- ${file} meanwhile:\n${news}`);
      }
      throw error;
    }
  });
}

for (const setup of SETUPS) {
  const { name } = setup;

  for (const [what, body] of Object.entries(BODIES)) {
    e2e(`${name}: a message with ${what} arrives byte for byte`, async (bed) => {
      const tag = newTag();
      const text = header("pass", tag) + body;
      const { log } = await send(bed, bed.before(setup), { tag, text, reply: /^250 2\.0\.0 Ok: queued as \w+$/ });
      assertTexts(bed, tag, [text]);
      assertQueued(log, 1);
    });
  }

  e2e(`${name}: the filter and both logs know the original client`, async (bed) => {
    const tag = newTag();
    const text = header("pass", tag) + BODIES["hard lines"];
    const { log } = await send(bed, bed.before(setup), { tag, text });
    assert.match(
      log,
      new RegExp(`/after/smtpd\\[\\d+\\]: \\w+: client=.*, orig_client=unknown\\[${CLIENT_ADDRESS}\\]\\n`),
    );
    const own = `${bed.installed.logs}/${setup.mode}-patient.log`;
    const line = await until(
      () => readOctets(own).match(`.*${sender(tag).replace("+", "\\+")}.*\n`)?.[0],
      "the line of -v",
    );
    const queueId = log.match(/ queued as (\w+)/)?.[1] ?? "no queue id";
    for (const word of [CLIENT_ADDRESS, CLIENT_NAME, alice(tag), `queued as ${queueId}`]) {
      assert.ok(line.includes(word), line);
    }
    const { EMAIL, OUTFILE, ...seen } = environmentOf(bed, tag);
    assert.deepEqual(
      pick(seen, ["REMOTEIP", "REMOTENAME", "QUEUEID", "HELO", "SENDER", "RECIPIENT", "RECIPIENTS", "RECIPIENTCOUNT"]),
      {
        REMOTEIP: CLIENT_ADDRESS,
        // The address has no name, and nothing has an id before the queue.
        REMOTENAME: "",
        QUEUEID: "",
        HELO: CLIENT_NAME,
        SENDER: sender(tag),
        RECIPIENT: alice(tag),
        RECIPIENTS: alice(tag),
        RECIPIENTCOUNT: "1",
      },
    );
    if (setup.mode === "spawn") {
      // As the README describes spawn(8). HOME is there for the tests' own sake, see installed.ts.
      const { dir } = bed.postfix;
      const { PATH, LANG, MAIL_CONFIG, at, umask, stdin } = seen;
      assert.deepEqual([PATH, LANG, MAIL_CONFIG], ["/usr/bin:/bin", "C", `${dir}/etc`]);
      for (const name of ["USER", "LOGNAME", "SHELL", "TERM", "TZ"]) assert.equal(seen[name], undefined, name);
      assert.deepEqual([at, umask, stdin], [`${dir}/queue`, "0077", ""]);
    }
    assert.ok(EMAIL?.startsWith(`${bed.installed.spool}/`), EMAIL);
    assert.ok(OUTFILE?.startsWith(`${bed.installed.spool}/`), OUTFILE);
    const spooled = readOctets(`${bed.installed.seen}/${tag}.eml`);
    assert.match(spooled, new RegExp(`^Received: from ${CLIENT_NAME} \\(unknown \\[${CLIENT_ADDRESS}\\]\\)\n`));
    assert.equal(spooled.slice(-text.replaceAll("\r\n", "\n").length), text.replaceAll("\r\n", "\n"));
  });

  e2e(`${name}: a refused message gets the filter's text, and nothing is queued`, async (bed) => {
    const tag = newTag();
    const reply = `550 5.7.1 The filter does not like ${tag}`;
    const { log } = await send(bed, bed.before(setup), { tag, text: header("refuse", tag) + "no\r\n", reply });
    assertNothingCame(bed, tag, log);
    assert.match(log, new RegExp(`before/smtpd\\[\\d+\\]: proxy-reject: END-OF-MESSAGE: ${reply};`));
  });

  e2e(`${name}: a refusal without a code is a 554`, async (bed) => {
    const tag = newTag();
    const text = header("refuse-plain", tag) + "no\r\n";
    const { log } = await send(bed, bed.before(setup), { tag, text, reply: `554 The filter does not like ${tag}` });
    assertNothingCame(bed, tag, log);
  });

  e2e(`${name}: a changed message arrives changed`, async (bed) => {
    const tag = newTag();
    const head = header("change", tag);
    await send(bed, bed.before(setup), { tag, text: head + "before\r\n", reply: /^250 / });
    const body = "changed by the filter\r\n.a dot\r\n..two dots\r\n.\r\n\r\nno newline at the end\r\n";
    assertTexts(bed, tag, [head + body]);
    const [delivery] = bed.postfix.delivered(tag);
    assert.equal(delivery?.prepended.match(/^Received: /gm)?.length, 2);
  });

  e2e(`${name}: a message passes a failing filter as it was`, async (bed) => {
    const tag = newTag();
    const text = header("fail", tag) + BODIES["hard lines"];
    await send(bed, bed.before(setup), { tag, text, reply: /^250 / });
    assertTexts(bed, tag, [text]);
  });

  e2e(`${name}: a failing filter means 451 with -r`, async (bed) => {
    const tag = newTag();
    const text = header("fail", tag) + "text\r\n";
    const { log } = await send(bed, bed.before(setup, "strict"), { tag, text, reply: /^451 4\.3\.0 / });
    assertNothingCame(bed, tag, log);
  });

  e2e(`${name}: a filter that takes too long is killed, and the message passes`, async (bed) => {
    const tag = newTag();
    const text = header("hang", tag) + "text\r\n";
    await send(bed, bed.before(setup, "hasty"), { tag, text, reply: /^250 / });
    assertTexts(bed, tag, [text]);
    await assertKilled(bed, tag);
  });

  e2e(`${name}: a filter that takes too long is killed, and means 451 with -r`, async (bed) => {
    const tag = newTag();
    const text = header("hang", tag) + "text\r\n";
    const { log } = await send(bed, bed.before(setup, "strict"), { tag, text, reply: /^451 4\.3\.0 / });
    assertNothingCame(bed, tag, log);
    await assertKilled(bed, tag);
  });

  e2e(`${name}: the after-filter server's own refusal of a message is the client's reply`, async (bed) => {
    const tag = newTag();
    const text = `X-After: refuse\r\n${header("pass", tag)}text\r\n`;
    await send(bed, bed.before(setup), { tag, text, reply: REFUSED_BY_CLEANUP });
    assertTexts(bed, tag, []);
  });

  e2e(`${name}: several messages on one session`, async (bed) => {
    const tag = newTag();
    const mark = bed.postfix.log().length;
    const client = await greet(bed.before(setup));
    const replies: number[] = [];
    const orders = ["pass", "refuse", "change", "fail", "pass", "refuse-plain", "pass"];
    try {
      for (const [i, order] of orders.entries()) {
        const text = header(order, `${tag}.${i}`) + "text\r\n";
        replies.push((await client.send({ from: sender(tag), to: [alice(`${tag}.${i}`)], text })).end.code);
      }
      await client.quit();
    } finally {
      client.close();
    }
    assert.deepEqual(replies, [250, 550, 250, 250, 250, 554, 250]);
    const log = await bed.postfix.settledLog(mark);
    assertQueued(log, 5);
    const arrived = bed.postfix.delivered(tag).map(({ recipient }) => recipient).sort();
    assert.deepEqual(arrived, [0, 2, 3, 4, 6].map((i) => alice(`${tag}.${i}`)));
    for (const i of orders.keys()) assert.equal(environmentOf(bed, `${tag}.${i}`).REMOTEIP, CLIENT_ADDRESS);
  });

  e2e(`${name}: several recipients, one of them refused by the before-filter server`, async (bed) => {
    const tag = newTag();
    const text = header("pass", tag) + "text\r\n";
    const mark = bed.postfix.log().length;
    const to = [alice(tag), `nobody+${tag}@${DOMAIN}`, `bob+${tag}@${DOMAIN}`];
    const { recipients, end } = await sendMail(bed.before(setup), { from: sender(tag), to, text });
    assert.equal(end.code, 250, end.text);
    assert.deepEqual(recipients.map(({ text }) => text.slice(0, 9)), ["250 2.1.5", "550 5.1.1", "250 2.1.5"]);
    await bed.postfix.settledLog(mark);
    assert.deepEqual(bed.postfix.delivered(tag).map(({ recipient }) => recipient).sort(), [to[0], to[2]]);
    assertTexts(bed, tag, [text, text]);
    assert.deepEqual(
      pick(environmentOf(bed, tag), ["RECIPIENT", "RECIPIENTS", "RECIPIENTCOUNT"]),
      { RECIPIENT: to[0], RECIPIENTS: `${to[0]},${to[2]}`, RECIPIENTCOUNT: "2" },
    );
  });

  for (const way of ["close", "reset"] as const) {
    e2e(`${name}: a client that is gone in mid-message (${way}) delivers nothing`, async (bed) => {
      const tag = newTag();
      const mark = bed.postfix.log().length;
      const client = await greet(bed.before(setup));
      try {
        await client.expect(250, `MAIL FROM:<${sender(tag)}>`);
        await client.expect(250, `RCPT TO:<${alice(tag)}>`);
        await client.expect(354, "DATA");
        await client.say(header("pass", tag) + "a line\r\n".repeat(5000) + "half a li");
      } finally {
        client[way]();
      }
      const log = await bed.postfix.settledLog(mark);
      assert.match(log, /before\/smtpd\[\d+\]: lost connection after DATA/);
      assertNothingCame(bed, tag, log);
      assert.deepEqual(filesBelow(bed.installed.seen).filter((file) => file.includes(`/${tag}.`)), []);
    });
  }

  e2e(`${name}: no false end of data smuggles a second message in`, async (bed) => {
    const tag = newTag();
    const mark = bed.postfix.log().length;
    await smuggle(bed.before(setup), tag, FALSE_ENDS);
    const log = await bed.postfix.settledLog(mark);
    assertOneWhole(bed, tag);
    assertQueued(log, 1);
  });

  e2e(`${name}: a burst of 40 messages on 8 connections, each delivered exactly once`, async (bed) => {
    const tag = newTag();
    const mark = bed.postfix.log().length;
    const sent = Array.from({ length: 40 }, (_, i) => header("pass", `${tag}.${i}`) + `${crypto.randomUUID()}\r\n`);
    await Promise.all(Array.from({ length: 8 }, async (_, lane) => {
      const client = await greet(bed.before(setup));
      try {
        for (let i = lane; i < sent.length; i += 8) {
          const message = { from: sender(tag), to: [alice(`${tag}.${i}`)], text: sent[i] ?? "" };
          assert.equal((await client.send(message)).end.code, 250, `message ${i}`);
        }
        await client.quit();
      } finally {
        client.close();
      }
    }));
    const log = await bed.postfix.settledLog(mark);
    assertTexts(bed, tag, sent);
    assertQueued(log, 40);
  });

  e2e(`${name}: where the after-filter server is down the client gets 451`, async (bed) => {
    const tag = newTag();
    const mark = bed.postfix.log().length;
    assert.equal((await refusalOf(bed.before(setup, "cut"), tag)).code, 451);
    const log = await bed.postfix.settledLog(mark);
    assertNothingCame(bed, tag, log);
    assert.match(
      log,
      new RegExp(`before/smtpd\\[\\d+\\]: warning: proxy 127\\.0\\.0\\.1:${bed.proxy(setup.mode, "cut")} `),
    );
  });

  e2e(`${name}: all that was done left no spool file and no complaint`, async (bed) => {
    await until(() => filesBelow(bed.installed.spool).length === 0, "an empty spool directory", 5_000);
    assert.deepEqual(bed.postfix.queue(), []);
    assertNoComplaint(bed);
  });
}

for (const mode of MODES) {
  e2e(`${mode}: a recipient that the after-filter server refuses is refused at once`, async (bed) => {
    const tag = newTag();
    const text = header("pass", tag) + "text\r\n";
    const to = [`carol+${tag}@${DOMAIN}`, `bob+${tag}@${DOMAIN}`];
    const setup = { mode, speedAdjust: false };
    const mark = bed.postfix.log().length;
    const { recipients, end } = await sendMail(bed.before(setup), { from: sender(tag), to, text });
    await bed.postfix.settledLog(mark);
    assert.match(recipients[0]!.text, /^554 5\.7\.1 .*Not after the filter$/);
    assert.deepEqual([...recipients.slice(1), end].map(({ code }) => code), [250, 250]);
    assert.deepEqual(bed.postfix.delivered(tag).map(({ recipient }) => recipient), [to[1]]);
    assert.equal(environmentOf(bed, tag).RECIPIENTS, to[1]);
  });

  e2e(`${mode}: no false end of data gets through from a client that speaks to the proxy itself`, async (bed) => {
    const tag = newTag();
    const mark = bed.postfix.log().length;
    await smuggle(bed.proxy(mode), tag, [...FALSE_ENDS, ...POSTFIX_ENDS]);
    const log = await bed.postfix.settledLog(mark);
    assertOneWhole(bed, tag);
    assertQueued(log, 1);
  });

  e2e(`${mode}: Postfix that gives up says 451, the filter is stopped and nothing is delivered`, async (bed) => {
    const tag = newTag();
    const text = header("hang", tag) + "text\r\n";
    const reply = /^451 4\.3\.0 Error: queue file write error$/;
    const { log } = await send(bed, bed.beforeImpatient(mode), { tag, text, reply });
    assertNothingCame(bed, tag, log);
    await assertKilled(bed, tag);
  });

  e2e(`${mode}: SIGQUIT in mid-message means 4xx, nothing is delivered, no spool file is left`, async (bed) => {
    const tag = newTag();
    const mark = bed.postfix.log().length;
    await usingProxy(bed, { mode, speedAdjust: false }, async (port, pid) => {
      const client = await greet(port);
      try {
        await client.expect(250, `MAIL FROM:<${sender(tag)}>`);
        await client.expect(250, `RCPT TO:<${alice(tag)}>`);
        await client.expect(354, "DATA");
        await client.say(header("pass", tag) + "a line\r\n".repeat(50_000));
        await until(() => filesBelow(bed.installed.spool).length > 0, "a spool file");
        await stop(await pid());
        await until(() => filesBelow(bed.installed.spool).length === 0, "an empty spool directory", 5_000);
        await client.say("the last line\r\n.\r\n");
        assert.match((await client.hear()).text, /^4\d\d /);
      } finally {
        client.close();
      }
    });
    assertNothingCame(bed, tag, await bed.postfix.settledLog(mark));
  });

  e2e(`${mode}: SIGQUIT while the filter runs means 4xx, the filter is stopped, no spool file is left`, async (bed) => {
    const tag = newTag();
    const mark = bed.postfix.log().length;
    await usingProxy(bed, { mode, speedAdjust: false }, async (port, pid) => {
      const message = { from: sender(tag), to: [alice(tag)], text: header("hang", tag) + "text\r\n" };
      const client = await greet(port);
      const reply = client.send(message).then(({ end }) => end.text).finally(() => client.close());
      await until(
        () => filesBelow(bed.installed.seen).some((file) => file.endsWith(`/${tag}.pids`)),
        "the filter at work",
      );
      await stop(await pid());
      assert.match(await reply, /^4\d\d /);
      await assertKilled(bed, tag);
      await until(() => filesBelow(bed.installed.spool).length === 0, "an empty spool directory", 5_000);
    });
    assertNothingCame(bed, tag, await bed.postfix.settledLog(mark));
  });

  e2e(`${mode}: SMTPUTF8 and the DSN parameters get through`, async (bed) => {
    const tag = newTag();
    const mark = bed.postfix.log().length;
    const text = header("pass", tag) + "text\r\n";
    const utf8 = `bob+${tag}.d\xc3\xbc`;
    const client = await greet(bed.before({ mode, speedAdjust: false }));
    try {
      await client.expect(250, `MAIL FROM:<${utf8}@${DOMAIN}> SMTPUTF8 BODY=8BITMIME RET=HDRS ENVID=id-${tag}`);
      await client.expect(250, `RCPT TO:<${alice(tag)}> NOTIFY=SUCCESS ORCPT=rfc822;first-${tag}@elsewhere.example`);
      await client.expect(354, "DATA");
      await client.say(`${text}.\r\n`);
      await client.expect(250);
      await client.quit();
    } finally {
      client.close();
    }
    await bed.postfix.settledLog(mark);
    assert.equal(environmentOf(bed, tag).SENDER, `${utf8}@${DOMAIN}`);
    const [notice, delivery] = [utf8, alice(tag)].map((to) =>
      bed.postfix.delivered(tag).find(({ recipient }) => recipient.startsWith(to))
    );
    assert.equal(delivery?.text, text);
    assert.equal(delivery?.prepended.match(/ with UTF8SMTP\b/g)?.length, 2, delivery?.prepended);
    assert.match(notice?.text ?? "", new RegExp(`\r\nOriginal-Envelope-Id: id-${tag}\r\n`));
    assert.match(notice?.text ?? "", new RegExp(`\r\nOriginal-Recipient: rfc822;first-${tag}@elsewhere.example\r\n`));
  });

  e2e(`${mode}: smtp-source`, async (bed) => {
    const tag = newTag();
    const mark = bed.postfix.log().length;
    const server = `127.0.0.1:${bed.before({ mode, speedAdjust: false })}`;
    const args = ["-s", "4", "-m", "20", "-l", "5120", "-f", sender(tag), "-t", alice(tag), server];
    const output = await new Deno.Command(findProgram("smtp-source"), { args }).output();
    assert.ok(output.success, new TextDecoder().decode(output.stderr));
    const log = await bed.postfix.settledLog(mark);
    assertQueued(log, 20);
    assert.equal(bed.postfix.delivered(tag).length, 20);
  });
}

for (const speedAdjust of [false, true]) {
  const name = speedAdjust ? "speed_adjust" : "plain";

  e2e(`${name}: while the proxy is down the client gets 451, and a proxy that comes is used`, async (bed) => {
    const tag = newTag();
    const mark = bed.postfix.log().length;
    const port = bed.beforeLate(speedAdjust);
    assert.match((await refusalOf(port, tag)).text, /^451 4\.3\.0 Error: queue file write error$/);
    const log = await bed.postfix.settledLog(mark);
    assertNothingCame(bed, tag, log);
    const warning = `warning: connect to proxy filter 127.0.0.1:${bed.latePort}: Connection refused`;
    assert.ok(log.includes(warning), log);

    const text = header("pass", tag) + "text\r\n";
    await usingProxy(bed, { mode: "listen", speedAdjust }, async (port) => {
      await send(bed, port, { tag, text, reply: /^250 / });
    });
    assertTexts(bed, tag, [text]);
  });
}

e2e("spawn on a UNIX-domain socket", async (bed) => {
  const tag = newTag();
  const text = header("pass", tag) + BODIES["hard lines"];
  await send(bed, bed.unixPort, { tag, text, reply: /^250 / });
  assertTexts(bed, tag, [text]);
  assert.equal(environmentOf(bed, tag).REMOTEIP, CLIENT_ADDRESS);
});

e2e("spawn with wrong options: a stranger hears 421 4.3.5 and nothing else", async (bed) => {
  const mark = bed.postfix.log().length;
  const client = await connect(bed.misconfiguredPort);
  try {
    assert.match(await client.end(), /^421 4\.3\.5 [^\r\n]*\r\n$/);
  } finally {
    client.close();
  }
  const warning = `warning: command ${bed.installed.program} exit status 64\n`;
  await until(() => bed.postfix.log(mark).includes(warning), "the exit status in Postfix's log");
});

e2e("the after-filter server, without a proxy, does fall for a false end of data", async (bed) => {
  const tag = newTag();
  const mark = bed.postfix.log().length;
  await smuggle(bed.afterPort, tag, [...FALSE_ENDS, ...POSTFIX_ENDS]);
  await bed.postfix.settledLog(mark);
  const count = bed.postfix.delivered(tag).length;
  assert.ok(count > 1, `${count} messages: the tests of smuggling could not fail`);
});

e2e("at the end listen mode goes by SIGQUIT, and neither process nor spool file is left", async (bed) => {
  await stopListeners(bed);
  await until(() => processesOf(bed.postfix).size === 0, "the end of all that postprox started", 10_000).catch(
    (error) => {
      throw new Error(`${error}: ${[...processesOf(bed.postfix).values()]}`);
    },
  );
  assert.deepEqual(filesBelow(bed.installed.spool), []);
  assert.deepEqual(bed.postfix.queue(), []);
  assertNoComplaint(bed);
});
