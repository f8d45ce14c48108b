// Tests of lib/session/message.ts: faults that a dialogue cannot show, such as a full disk.
//
// Any failure before the final dot is a clean 4xx and leaves nothing behind. The session stays usable.

import assert from "node:assert/strict";
import type { Check } from "../../lib/checks/check.ts";
import type { IoErrorKind } from "../../lib/ports/io_error.ts";
import { bytesOf, concat, textOf } from "../../lib/text/octets.ts";
import { Conversation, type ConversationOptions } from "../fakes/conversation.ts";
import type { DiskOperation } from "../fakes/disk.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";

// Twice what a session keeps in memory, and some.
const LARGE = 800_000;
const LINE = `${"x".repeat(98)}\r\n`;
const LARGE_TEXT = LINE.repeat(LARGE / LINE.length);

const RETRY = "451 4.3.0 Message could not be handled, try again later\r\n";
const FULL = "452 4.3.1 Insufficient system storage\r\n";

async function conversation(options: ConversationOptions = {}): Promise<Conversation> {
  const talk = new Conversation(options);
  await talk.start();
  talk.downstream.say("220 mx\r\n");
  await settled();
  talk.client.hear();
  await talk.startNextMessage();
  return talk;
}

/** After a message that was not delivered: RSET is answered, and the session still works. */
async function goOn(talk: Conversation): Promise<void> {
  await settled();
  assert.equal(talk.downstream.hear(), "RSET\r\n");
  talk.downstream.say("250 Ok\r\n");
  await settled();
  talk.runtime.files.mend();
  await talk.startNextMessage();
  talk.client.say("next\r\n.\r\n");
  await settled();
  if (!talk.filtered) return await finish(talk);
  talk.filter.exit(0);
  await finish(talk);
}

async function finish(talk: Conversation): Promise<void> {
  assert.equal(await talk.takeMessage(), "next\r\n.\r\n");
  assert.equal(talk.client.hear(), "250 2.0.0 Taken\r\n");
  await talk.quit();
}

interface Fault {
  readonly operation: DiskOperation;
  readonly kind: IoErrorKind;
  readonly ending?: string;
  readonly after?: number;
  readonly reply: string;
}

// Before the filter runs.
const FAULTS: readonly Fault[] = [
  { operation: "create", kind: "no-space", ending: ".eml", reply: FULL },
  { operation: "create", kind: "denied", ending: ".eml", reply: RETRY },
  { operation: "create", kind: "exists", ending: ".eml", reply: RETRY },
  { operation: "create", kind: "missing", ending: ".out", reply: RETRY },
  { operation: "create", kind: "no-space", ending: ".out", reply: FULL },
  { operation: "create", kind: "denied", ending: ".rcpt", reply: RETRY },
  { operation: "append", kind: "no-space", ending: ".rcpt", reply: FULL },
  { operation: "append", kind: "no-space", reply: FULL },
  { operation: "append", kind: "other", reply: RETRY },
];

Deno.test("a spool that fails refuses the message with a 4xx, runs no filter, and leaves nothing", async () => {
  for (const text of ["small\r\n", LARGE_TEXT]) {
    for (const { reply, operation, kind, ...where } of FAULTS) {
      const talk = await conversation({ filter: true });
      talk.runtime.files.fail(operation, kind, where);
      talk.client.say(`${text}.\r\n`);
      await settled();
      const name = `${operation} ${kind} ${where.ending ?? ""} with ${text.length} octets`;
      assert.equal(talk.client.hear(), reply, name);
      assert.equal(talk.runtime.processes.children.length, 0, name);
      assert.deepEqual(talk.runtime.files.paths, [], name);
      const isSpoolings = text === LARGE_TEXT && (where.ending ?? ".eml") === ".eml";
      const words = isSpoolings ? /cannot spool message/ : /message not checked reason="cannot [^"]*" message=45[12]/;
      assert.match(talk.logger.lines.join("\n"), words, name);
      await goOn(talk);
    }
  }
});

Deno.test("a disk that fills at the nth write refuses the message with a 4xx, for any n", async () => {
  for (const after of [0, 1, 2]) {
    for (const filter of [false, true]) {
      const talk = await conversation({ filter });
      talk.runtime.files.fail("append", "no-space", { after });
      talk.client.say(`${LARGE_TEXT}MAIL FROM:<evil@b>\r\n.\r\n`);
      await settled();
      assert.equal(talk.downstream.hear(), "RSET\r\n", `after ${after}`);
      assert.equal(talk.client.hear(), FULL);
      talk.downstream.say("250 Ok\r\n");
      await talk.exchange("NOOP", "250 Ok");
      await talk.quit();
      assert.equal(talk.runtime.processes.children.length, 0);
      assert.deepEqual(talk.logger.find("possible duplicate"), []);
    }
  }
});

Deno.test("a message that cannot be read back is not finished, and no final dot is sent", async () => {
  for (const after of [0, 1]) {
    const talk = await conversation();
    talk.runtime.files.fail("read", "other", { after });
    talk.client.say(`${LARGE_TEXT}.\r\n`);
    await settled();
    assert.equal(talk.downstream.hear(), "DATA\r\n");
    talk.downstream.say("354 Go on\r\n");
    await settled();
    const sent = talk.downstream.hear();
    assert.ok(LARGE_TEXT.startsWith(sent));
    assert.ok(talk.downstream.closed, "anything said now would become content");
    assert.equal(talk.client.hear(), RETRY);
    assert.deepEqual(talk.logger.find("possible duplicate"), []);
    talk.client.end();
    await talk.assertOver();
  }
});

Deno.test("a large message reaches downstream byte for byte, with a filter and without", async () => {
  for (const filter of [false, true]) {
    const talk = await conversation({ filter });
    const text = `${LARGE_TEXT}..dots\r\n${"y".repeat(200_000)}\r\n`;
    for (let at = 0; at < text.length; at += 9_973) talk.client.say(text.slice(at, at + 9_973));
    talk.client.say(".\r\n");
    await settled();
    if (filter) talk.filter.exit(0);
    // Not assert.equal, whose report would be as long as the message.
    assert.ok(await talk.takeMessage() === `${text}.\r\n`);
    assert.equal(talk.client.hear(), "250 2.0.0 Taken\r\n");
    await talk.quit();
  }
});

Deno.test("a message that no filter sees has no name on the disk while it is spooled", async () => {
  const talk = await conversation();
  talk.client.say(LARGE_TEXT);
  await settled();
  assert.ok(talk.runtime.files.handles > 0);
  assert.deepEqual(talk.runtime.files.paths, []);
  talk.client.say(".\r\n");
  await talk.takeMessage();
  talk.client.hear();
  await talk.quit();
});

Deno.test("a spool file that cannot be removed does not change the reply", async () => {
  const talk = await conversation({ filter: true });
  talk.runtime.files.fail("remove", "denied");
  talk.client.say("one\r\n.\r\n");
  await settled();
  talk.filter.exit(0);
  assert.equal(await talk.takeMessage(), "one\r\n.\r\n");
  assert.equal(talk.client.hear(), "250 2.0.0 Taken\r\n");
  assert.ok(talk.logger.find("cannot remove a spool file").length > 0);
  for (const path of talk.runtime.files.paths) talk.runtime.files.unlink(path);
  await talk.quit();
});

// A filter's act on its file, and whether that is a change.
const DEEDS: readonly (readonly [what: string, deed: (talk: Conversation, path: string) => void, changes: boolean])[] =
  [
    ["overwrite", ({ runtime: { files } }, path) => files.overwrite(path, files.octetsOf(path).map(() => 0x21)), true],
    ["cut", ({ runtime: { files } }, path) => files.overwrite(path, files.octetsOf(path).subarray(0, 2)), true],
    ["append", ({ runtime: { files } }, path) => files.overwrite(path, concat([files.octetsOf(path), ADDED])), true],
    ["rename", ({ runtime: { files } }, path) => files.replace(path, ADDED), true],
    ["touch", ({ runtime: { files } }, path) => files.overwrite(path, files.octetsOf(path)), false],
    ["unlink", ({ runtime: { files } }, path) => files.unlink(path), false],
  ];
const ADDED = bytesOf("added\n");

Deno.test("a filter that changes EMAIL and does not refuse is 451, at every size and with any end", async () => {
  const ends: readonly ((talk: Conversation) => void)[] = [
    ({ filter }) => filter.exit(0),
    ({ filter }) => filter.exit(2),
    ({ filter }) => filter.die("SIGSEGV"),
    ({ filter, runtime: { files } }) => {
      files.overwrite(filter.environment["OUTFILE"]!, bytesOf("new\n"));
      filter.exit(0);
    },
  ];
  for (const text of ["small\r\n", LARGE_TEXT]) {
    for (const [what, deed, changes] of DEEDS) {
      for (const [at, end] of ends.entries()) {
        const talk = await conversation({ filter: true });
        talk.client.say(`${text}.\r\n`);
        await settled();
        deed(talk, talk.filter.environment["EMAIL"]!);
        end(talk);
        await settled();
        const name = `${what} of ${text.length} octets, end ${at}`;
        if (!changes) {
          assert.ok(await talk.takeMessage() === `${at === 3 ? "new\r\n" : text}.\r\n`, name);
          assert.equal(talk.client.hear(), "250 2.0.0 Taken\r\n", name);
          await talk.quit();
          continue;
        }
        assert.equal(talk.client.hear(), RETRY, name);
        assert.match(
          talk.logger.lines.join("\n"),
          /^error: [0-9a-f]+: message not delivered: .*--edit-in-place /m,
          name,
        );
        // Its failure is no less one for that.
        const failures = talk.logger.find("message not checked");
        assert.equal(failures.length, at === 1 || at === 2 ? 1 : 0, name);
        for (const failure of failures) assert.match(failure, / message=451 /);
        await goOn(talk);
      }
    }
  }
});

Deno.test("if a filter changes EMAIL and refuses, its refusal counts", async () => {
  for (const text of ["small\r\n", LARGE_TEXT]) {
    const talk = await conversation({ filter: true });
    talk.client.say(`${text}.\r\n`);
    await settled();
    talk.runtime.files.overwrite(talk.filter.environment["EMAIL"]!, ADDED);
    talk.filter.exit(1, "550 5.7.1 no\n");
    await settled();
    assert.equal(talk.client.hear(), "550 5.7.1 no\r\n");
    await goOn(talk);
  }
});

Deno.test("--edit-in-place: the filter's EMAIL is sent after exit 0, and not otherwise", async () => {
  for (const text of ["small\r\n", LARGE_TEXT]) {
    for (const [what, deed, changes] of DEEDS) {
      for (const rejectUnsure of [false, true]) {
        for (const end of [0, 1, 2, "OUTFILE"] as const) {
          const talk = await conversation({
            filter: true,
            filterOptions: { editInPlace: true },
            options: { rejectUnsure },
          });
          talk.client.say(`${text}.\r\n`);
          await settled();
          const { files } = talk.runtime;
          const path = talk.filter.environment["EMAIL"]!;
          assert.equal(files.octetsOf(path).length, text.replaceAll("\r", "").length);
          deed(talk, path);
          const changed = changes && textOf(files.octetsOf(path)).replace(/\n?$/, "\n").replaceAll("\n", "\r\n");
          if (end === "OUTFILE") files.overwrite(talk.filter.environment["OUTFILE"]!, bytesOf("new\n"));
          talk.filter.exit(end === "OUTFILE" ? 0 : end, "550 no\n");
          await settled();
          const name = `${what} of ${text.length} octets, ${end}, -r ${rejectUnsure}`;
          // Without a file there is no opinion.
          const isUnsure = end === 2 || (end === 0 && what === "unlink");
          if (end === 1 || (isUnsure && rejectUnsure)) {
            assert.match(talk.client.hear(), end === 1 ? /^550 no\r/ : /^451 4\.3\.0 /, name);
            await goOn(talk);
            continue;
          }
          const passed = end === "OUTFILE" ? "new\r\n" : end === 0 && changed ? changed : text;
          assert.ok(await talk.takeMessage() === `${passed}.\r\n`, name);
          assert.equal(talk.client.hear(), "250 2.0.0 Taken\r\n", name);
          await talk.quit();
        }
      }
    }
  }
});

Deno.test("an OUTFILE that vanishes or breaks before its delivery is a clean 451", async () => {
  for (const how of ["vanish", "break", "be emptied"] as const) {
    const talk = await conversation({ filter: true });
    talk.client.say("one\r\n.\r\n");
    await settled();
    const { OUTFILE } = talk.filter.environment;
    const { files } = talk.runtime;
    files.overwrite(OUTFILE!, new TextEncoder().encode("new\n"));
    talk.filter.exit(0);
    await settled();
    assert.equal(talk.downstream.hear(), "DATA\r\n");
    if (how === "vanish") files.unlink(OUTFILE!);
    else if (how === "be emptied") files.overwrite(OUTFILE!, new Uint8Array(0));
    else files.fail("read", "other", { ending: ".out" });
    talk.downstream.say("354 Go on\r\n");
    await settled();
    assert.equal(talk.downstream.hear(), "", how);
    assert.equal(talk.client.hear(), RETRY, how);
    assert.deepEqual(talk.logger.find("possible duplicate"), []);
    talk.client.end();
    await talk.assertOver();
  }
});

Deno.test("a check that throws is a bug: 421, the stack in the log, nothing delivered, nothing left", async () => {
  const check = { name: "broken", needsFile: false, judge: () => Promise.reject(new TypeError("oops at /secret")) };
  const talk = await conversation({ check });
  talk.client.say("one\r\n.\r\n");
  await settled();
  assert.equal(talk.client.hear(), "421 4.3.0 Internal error, closing connection\r\n");
  assert.ok(talk.client.closed);
  assert.equal(talk.downstream.hear(), "QUIT\r\n");
  assert.match(talk.logger.find("bug").join(), /oops at \/secret.*message_test\.ts/);
  assert.equal(talk.runtime.clock.pending, 0);
  assert.deepEqual(talk.runtime.files.paths, []);
});

Deno.test("a downstream that takes no content is given up within the message's time, cleanly", async () => {
  const talk = await conversation();
  talk.client.say(`${LARGE_TEXT}.\r\n`);
  await settled();
  assert.equal(talk.downstream.hear(), "DATA\r\n");
  talk.downstream.say("354 Go on\r\n");
  talk.downstream.stallWrites();
  await talk.runtime.clock.advance(89_999);
  assert.equal(talk.client.hear(), "");
  await talk.runtime.clock.advance(1);
  assert.equal(talk.client.hear(), RETRY);
  assert.ok(talk.downstream.closed);
  assert.deepEqual(talk.logger.find("possible duplicate"), []);
  talk.client.end();
  await talk.assertOver();
});

Deno.test("if we have no means to start a filter, the message does not pass", async () => {
  const talk = await conversation({ filter: true });
  talk.runtime.processes.refusal = "exhausted";
  talk.client.say("one\r\n.\r\n");
  await settled();
  assert.equal(talk.client.hear(), RETRY);
  assert.match(
    talk.logger.find("message not checked").join(),
    /cannot run .*message=451 client=unknown from=<a@client\.example>/,
  );
  talk.runtime.processes.refusal = undefined;
  await goOn(talk);
  await talk.assertOver();
});

Deno.test("a client that takes no replies takes no time from the filter, and gets nothing past it", async () => {
  for (const stalls of [20_000, 82_000]) {
    const talk = new Conversation({ filter: true });
    await talk.start();
    talk.downstream.say("220 mx\r\n");
    await settled();
    talk.client.hear();
    await talk.exchange("MAIL FROM:<a@b>", "250 Ok");
    await talk.exchange("RCPT TO:<c@d>", "250 Ok");
    talk.client.stallWrites();
    talk.client.say("DATA\r\none\r\n.\r\n");
    await settled();
    assert.equal(talk.runtime.processes.children.length, 1);
    talk.filter.exit(stalls > 30_000 ? 0 : 1, "550 spam\n");
    await settled();
    for (let time = 0; time < stalls; time += 41_000) {
      await talk.runtime.clock.advance(Math.min(stalls, 41_000));
      if (talk.downstream.hear() === "NOOP\r\n") talk.downstream.say("250 Ok\r\n");
    }
    talk.client.takeWrites();
    await settled();
    const reply = stalls > 30_000 ? RETRY : "550 spam\r\n";
    assert.equal(talk.client.hear(), `354 End data with <CR><LF>.<CR><LF>\r\n${reply}`);
    assert.equal(talk.downstream.hear(), "RSET\r\n");
    talk.client.close();
    talk.downstream.close();
    await talk.assertOver();
  }
});

Deno.test("a signal to end does not wait for a client that takes no replies: its message leaves the spool at once", async () => {
  for (const filter of ["runs", "has ended"]) {
    const talk = new Conversation({ filter: true });
    await talk.start();
    talk.downstream.say("220 mx\r\n");
    await settled();
    talk.client.hear();
    await talk.exchange("MAIL FROM:<a@b>", "250 Ok");
    await talk.exchange("RCPT TO:<c@d>", "250 Ok");
    talk.client.stallWrites();
    talk.client.say("DATA\r\none\r\n.\r\n");
    await settled();
    if (filter === "has ended") talk.filter.exit(0);
    await settled();
    assert.notDeepEqual(talk.runtime.files.paths, []);
    talk.session.shutDown();
    await settled();
    assert.deepEqual(talk.runtime.files.paths, [], filter);
    assert.ok(talk.filter.isEnded);
    talk.client.takeWrites();
    await settled();
    assert.match(talk.client.hear(), /^354 [^\r]*\r\n421 4\.3\.2 [^\r]*\r\n$/);
    await talk.assertOver();
  }
});

Deno.test("a signal to end while the last of a message is written to a slow disk: 421, no filter, and nothing left", async () => {
  const talk = await conversation({ filter: true });
  talk.client.say(LARGE_TEXT);
  await settled();
  talk.runtime.files.stallAppends();
  talk.client.say("end\r\n.\r\n");
  await settled();
  talk.session.shutDown();
  talk.runtime.files.takeAppends();
  await settled();
  assert.equal(talk.client.hear(), "421 4.3.2 Service shutting down, closing connection\r\n");
  assert.deepEqual(talk.runtime.processes.children, []);
  assert.equal(talk.downstream.hear(), "QUIT\r\n");
  await talk.assertOver();
});

Deno.test("a signal to end before the final dot does not wait for downstream's replies, and is no duplicate", async () => {
  for (const owed of ["the reply to DATA", "to take the content"]) {
    const talk = await conversation();
    talk.client.say(`${LARGE_TEXT}.\r\n`);
    await settled();
    assert.equal(talk.downstream.hear(), "DATA\r\n");
    if (owed === "to take the content") {
      talk.downstream.stallWrites();
      talk.downstream.say("354 Go on\r\n");
      await settled();
    }
    talk.session.shutDown();
    await settled();
    assert.equal(talk.client.hear(), "421 4.3.2 Service shutting down, closing connection\r\n", owed);
    assert.ok(talk.downstream.closed, owed);
    assert.deepEqual(talk.logger.find("possible duplicate"), []);
    assert.deepEqual(talk.logger.find("lost connection with downstream"), []);
    await talk.assertOver();
  }
});

// The write before the last one waits. Any end meanwhile must hold back the final dot.
Deno.test("anything that ends a message while its content is under way holds back the final dot, up to the last write", async () => {
  const rows: readonly {
    what: string;
    comesToPass: (talk: Conversation) => void | Promise<void>;
    hears: string;
    /** The write that waits is given up. */
    cut: boolean;
  }[] = [
    { what: "the client closes", comesToPass: ({ client }) => client.close(), hears: "", cut: true },
    { what: "the client resets", comesToPass: ({ client }) => client.reset(), hears: "", cut: true },
    { what: "time runs short", comesToPass: ({ runtime }) => runtime.clock.advance(82_000), hears: RETRY, cut: false },
  ];
  for (const { what, comesToPass, hears, cut } of rows) {
    const talk = await conversation();
    // Two reads of what is in memory.
    talk.client.say(`${LINE.repeat(2_000)}.\r\n`);
    await settled();
    assert.equal(talk.downstream.hear(), "DATA\r\n");
    talk.downstream.stallWrites();
    talk.downstream.say("354 Go on\r\n");
    await settled();
    await comesToPass(talk);
    await settled();
    talk.downstream.takeWrites();
    await settled();
    const got = talk.downstream.hear();
    assert.ok((cut || got.length > 100_000) && !got.endsWith("\r\n.\r\n"), `${what}: ${got.length} octets`);
    assert.equal(talk.client.hear(), hears, what);
    assert.ok(talk.downstream.closed);
    assert.deepEqual(talk.logger.find("possible duplicate"), []);
    talk.client.end();
    await talk.assertOver();
  }
});

// Things that may delay the reply to the client, from its final dot on.
const DELAYS: readonly { name: string; filter?: boolean; hold: (talk: Conversation) => Promise<void> }[] = [
  {
    name: "downstream answers neither a NOOP nor DATA",
    filter: true,
    hold: async ({ filter, downstream, runtime: { clock } }) => {
      await clock.advance(60_000);
      assert.equal(downstream.hear(), "NOOP\r\n");
      filter.exit(0);
    },
  },
  {
    name: "downstream's reply to DATA comes octet by octet",
    hold: async ({ downstream, runtime: { clock } }) => {
      for (const octet of "354 Go on, but slo") {
        await clock.advance(5_000);
        downstream.say(octet);
      }
    },
  },
  {
    name: "downstream takes some content and then nothing",
    hold: async ({ downstream, runtime: { clock } }) => {
      downstream.stallWrites();
      downstream.say("354 Go on\r\n");
      await clock.advance(80_000);
      downstream.takeWrites();
      downstream.stallWrites();
    },
  },
  {
    name: "downstream takes the final dot late and does not answer",
    hold: async ({ downstream, runtime: { clock } }) => {
      downstream.say("354 Go on\r\n");
      for (let write = 0; write < 3; write++) {
        downstream.stallWrites();
        await clock.advance(29_000);
        downstream.takeWrites();
        await settled();
      }
    },
  },
  {
    name: "downstream's reply to the final dot comes line by line",
    hold: async ({ downstream, runtime: { clock } }) => {
      downstream.say("354 Go on\r\n");
      await settled();
      for (let second = 0; second < 90; second += 10) {
        downstream.say("250-still\r\n");
        await clock.advance(10_000);
      }
    },
  },
];

Deno.test("the reply to the final dot comes within 90 s, whatever is slow", async () => {
  const late: string[] = [];
  for (const { name, filter, hold } of DELAYS) {
    const talk = await conversation(filter === undefined ? {} : { filter, filterOptions: { timeout: 80_000 } });
    const { clock } = talk.runtime;
    talk.client.say(`${LARGE_TEXT}.\r\n`);
    await settled();
    const start = clock.now();
    await hold(talk);
    await clock.advance(start + 90_000 - clock.now());
    const reply = talk.client.hear();
    if (reply === "") late.push(name);
    else assert.match(reply, /^451 /, name);
    talk.client.close();
    talk.downstream.close();
    await clock.advance(400_000);
  }
  assert.deepEqual(late, []);
});

Deno.test("a message's log line names verdict, envelope and reply, and no text in it can start a line", async () => {
  const talk = new Conversation();
  await talk.start();
  talk.downstream.say("220 mx\r\n");
  await settled();
  talk.client.hear();
  await talk.exchange("XFORWARD HELO=evil+0D+0Aerror: ADDR=192.0.2.1 NAME=x+00y", "250 Ok");
  await talk.startNextMessage();
  talk.client.say("one\r\n.\r\n");
  await talk.takeMessage("250 2.0.0 Ok\r\n");
  const [line] = talk.logger.find(": message ");
  assert.match(line!, /^info: [0-9a-f]{10}: message verdict=unchecked reason="no check was asked for" /);
  for (const part of ["from=<a@client.example>", "to=<b@mx.example>", "nrcpt=1", "size=5", 'reply="250 2.0.0 Ok"']) {
    assert.ok(line!.includes(part), `${part} in ${line}`);
  }
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(line!, /[\x00-\x1f]/);
  talk.client.hear();
  await talk.quit();
});

Deno.test("a large message gives others their turns while it comes, even if it is not kept", async () => {
  for (
    const [size, maxMessageSize, wanted] of [[200_000, undefined, 0], [3e6, undefined, 5], [3e6, 1000, 5]] as const
  ) {
    const runtime = new FakeRuntime();
    let turns = 0;
    runtime.turn = { share: async () => void turns++ };
    const talk = await conversation({ runtime, options: { maxMessageSize } });
    talk.client.say(`${"A line of a large message.\r\n".repeat(size / 28)}.\r\n`);
    await settled();
    assert.ok(wanted === 0 ? turns === 0 : turns >= wanted, `${turns} turns for ${size}`);
    if (maxMessageSize === undefined) {
      await talk.takeMessage();
      talk.client.hear();
      await talk.quit();
    } else {
      assert.match(talk.client.hear(), /^552 /);
      await goOn(talk);
    }
  }
});

Deno.test("a message's log line has its Message-ID, at any size and with any outcome", async () => {
  const header = "Received: by x\r\nmessage-id:\r\n <a=b@c>\r\nSubject: x\r\n\r\n";
  const rows: readonly { content: string; options?: ConversationOptions; logged: RegExp }[] = [
    { content: `${header}text\r\n`, logged: / verdict=unchecked .* nrcpt=1 message_id="<a=b@c>" size=59 / },
    { content: header + LARGE_TEXT, logged: / verdict=unchecked .* message_id="<a=b@c>" / },
    {
      content: header + LARGE_TEXT,
      options: { options: { maxMessageSize: 1000 } },
      logged: / verdict=refused reason="too large" .* message_id="<a=b@c>" /,
    },
    // In the header, and of the message itself.
    { content: "\r\nMessage-ID: <a@b>\r\n", logged: / nrcpt=1 size=/ },
    { content: `${"a:\r\n".repeat(20_000)}Message-ID: <a@b>\r\n${LARGE_TEXT}`, logged: / message_id=<a@b> / },
    // Beyond the octets in which it is looked for.
    { content: `${"a:\r\n".repeat(30_000)}Message-ID: <a@b>\r\n${LARGE_TEXT}`, logged: / nrcpt=1 size=/ },
  ];
  for (const { content, options = {}, logged } of rows) {
    const talk = await conversation(options);
    // In packets that tear it.
    for (let at = 0; at < content.length; at += at < 100 ? 10 : 60_000) {
      talk.client.say(content.slice(at, at + (at < 100 ? 10 : 60_000)));
      await settled();
    }
    talk.client.say(".\r\n");
    await settled();
    if (!options.options) await talk.takeMessage();
    assert.match(talk.logger.find(": message ").join(), logged);
    talk.client.hear();
    talk.client.close();
    talk.downstream.close();
    await talk.assertOver();
  }
});

Deno.test("if a check cannot read the message, the log says so, and the reply is 451 even without -r", async () => {
  const check: Check = {
    name: "reads",
    needsFile: false,
    judge: async (message) => {
      for await (const _chunk of message.chunks());
      return { kind: "accept", why: "read" };
    },
  };
  const talk = await conversation({ check });
  talk.runtime.files.fail("read", "other");
  talk.client.say(`${LARGE_TEXT}.\r\n`);
  await settled();
  assert.equal(talk.client.hear(), RETRY);
  assert.match(
    talk.logger.find("message not checked").join(),
    /reason="cannot read [^"]*" message=451 client=unknown from=/,
  );
  assert.deepEqual(talk.logger.find("cannot spool"), []);
  await goOn(talk);
});
