// Tests of lib/session/transaction.ts: whether downstream allows XFORWARD. The dialogues test the rest.

import assert from "node:assert/strict";
import { NO_EHLO, Transaction } from "../../lib/session/transaction.ts";
import { bytesOf } from "../../lib/text/octets.ts";
import { parseCommand } from "../../lib/smtp/command.ts";
import { Dialogue, type Phase } from "../../lib/smtp/dialogue.ts";

const OFFER = "250-mx\r\n250 XFORWARD NAME ADDR";
const ROWS: readonly {
  talk: readonly (readonly [command: string, reply: string])[];
  unforwarded: string | undefined;
}[] = [
  { talk: [], unforwarded: NO_EHLO },
  { talk: [["HELO a", "250 mx"]], unforwarded: NO_EHLO },
  { talk: [["EHLO a", "502 What?"]], unforwarded: NO_EHLO },
  { talk: [["EHLO a", OFFER]], unforwarded: undefined },
  { talk: [["ehlo a", "250-mx\r\n250-DSN\r\n250-xforward\r\n250 SIZE"]], unforwarded: undefined },
  { talk: [["EHLO a", "250-mx\r\n250 PIPELINING"]], unforwarded: "downstream offers no XFORWARD" },
  // The first line is a name, and a longer word another extension.
  { talk: [["EHLO a", "250 XFORWARD"]], unforwarded: "downstream offers no XFORWARD" },
  { talk: [["EHLO a", "250-XFORWARD\r\n250 XFORWARDED"]], unforwarded: "downstream offers no XFORWARD" },
  // It holds for the session, until another EHLO.
  { talk: [["EHLO a", OFFER], ["HELO a", "250 mx"]], unforwarded: undefined },
  { talk: [["EHLO a", OFFER], ["RSET", "250 Ok"], ["MAIL FROM:<>", "250 Ok"]], unforwarded: undefined },
  { talk: [["EHLO a", OFFER], ["EHLO a", "250 mx"]], unforwarded: "downstream offers no XFORWARD" },
  { talk: [["EHLO a", "250 mx"], ["EHLO a", OFFER]], unforwarded: undefined },
  // A refusal does for good.
  {
    talk: [["EHLO a", OFFER], ["XFORWARD ADDR=192.0.2.1", "501 5.5.4 Bad"], ["MAIL FROM:<>", "250 Ok"], [
      "EHLO a",
      OFFER,
    ]],
    unforwarded: "downstream refused XFORWARD: 501 5.5.4 Bad",
  },
  {
    talk: [["EHLO a", OFFER], ["XFORWARD ADDR=192.0.2.1", "451 Later"], ["XFORWARD ADDR=192.0.2.1", "250 Ok"]],
    unforwarded: "downstream refused XFORWARD: 451 Later",
  },
];

interface Talk {
  readonly dialogue: Dialogue;
  readonly transaction: Transaction;
  /** Downstream answers `line` with `text`. */
  hear(line: string, text: string): void;
}

function newTalk(): Talk {
  const dialogue = new Dialogue();
  dialogue.move("connected");
  dialogue.move("greeted");
  const transaction = new Transaction(dialogue);
  const hear = (line: string, text: string) =>
    transaction.learn(parseCommand(bytesOf(`${line}\r\n`), bytesOf(line)), {
      code: Number(text.slice(0, 3)),
      bytes: bytesOf(`${text}\r\n`),
    });
  return { dialogue, transaction, hear };
}

Deno.test("Transaction knows whether XFORWARD could say who the client is", () => {
  for (const { talk, unforwarded } of ROWS) {
    const { dialogue, transaction, hear } = newTalk();
    for (const [line, text] of talk) hear(line, text);
    const where = talk.map(String).join(" | ");
    assert.equal(transaction.envelope.unforwarded, unforwarded, where);
    assert.equal(
      transaction.afterMail(parseCommand(bytesOf("MAIL FROM:<>\r\n"), bytesOf("MAIL FROM:<>"))).unforwarded,
      unforwarded,
    );
    dialogue.move("started");
    transaction.end("dropped");
    assert.equal(transaction.envelope.unforwarded, unforwarded, where);
  }
});

const REPLIES: readonly { said: string; phase: Phase; recipients: readonly string[] }[] = [
  { said: "MAIL FROM:<a@b> 2, RCPT TO:<c@d> 2", phase: "rcpt", recipients: ["c@d"] },
  { said: "MAIL FROM:<a@b> 2, RCPT TO:<c@d> 5, RCPT TO:<e@f> 4", phase: "mail", recipients: [] },
  { said: "MAIL FROM:<a@b> 2, RCPT TO:<c@d> 5, RCPT TO:<e@f> 2, RCPT TO:<g@h> 5", phase: "rcpt", recipients: ["e@f"] },
  { said: "MAIL FROM:<a@b> 2, RCPT TO:<c@d> 3", phase: "mail", recipients: [] },
  { said: "MAIL FROM:<a@b> 5, RCPT TO:<c@d> 2", phase: "idle", recipients: [] },
  { said: "RCPT TO:<c@d> 2", phase: "idle", recipients: [] },
  // CONTRACT, several messages: a refused RSET, EHLO or MAIL forgets nothing.
  { said: "MAIL FROM:<a@b> 2, RCPT TO:<c@d> 2, RSET 5", phase: "rcpt", recipients: ["c@d"] },
  { said: "MAIL FROM:<a@b> 2, RCPT TO:<c@d> 2, EHLO x 5", phase: "rcpt", recipients: ["c@d"] },
  { said: "MAIL FROM:<a@b> 2, RCPT TO:<c@d> 2, MAIL FROM:<x@y> 5", phase: "rcpt", recipients: ["c@d"] },
  { said: "MAIL FROM:<a@b> 2, RCPT TO:<c@d> 2, MAIL FROM:<x@y> 2", phase: "mail", recipients: [] },
  { said: "MAIL FROM:<a@b> 2, RCPT TO:<c@d> 2, RSET 2, RCPT TO:<e@f> 2", phase: "idle", recipients: [] },
  {
    said: "MAIL FROM:<a@b> 2, NOOP 2, AUTH x 3, AUTH x 2, RCPT TO:<c@d> 2, VRFY x 5",
    phase: "rcpt",
    recipients: ["c@d"],
  },
];

Deno.test("Transaction learns from replies that accept a command, and from no other", () => {
  for (const { said, phase, recipients } of REPLIES) {
    const { dialogue, transaction, hear } = newTalk();
    for (const step of said.split(", ")) hear(step.slice(0, -2), `${step.slice(-1)}50 text`);
    assert.equal(dialogue.phase, phase, said);
    assert.deepEqual(transaction.envelope.recipients, recipients, said);
  }
});

Deno.test("Transaction keeps the envelope of a delivered message until the client says one more command", () => {
  const { dialogue, transaction, hear } = newTalk();
  for (const line of ["MAIL FROM:<a@b>", "RCPT TO:<c@d>"]) hear(line, "250 Ok");
  dialogue.move("started");
  const delivered = () => transaction.delivered?.recipients;
  assert.equal(delivered(), undefined);
  transaction.end("delivered");
  assert.deepEqual(delivered(), ["c@d"]);
  assert.deepEqual(transaction.envelope.recipients, []);
  dialogue.move("heard");
  assert.equal(delivered(), undefined);
});
