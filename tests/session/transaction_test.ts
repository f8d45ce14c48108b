// Tests of lib/session/transaction.ts: whether downstream lets a client say for whom it speaks. The dialogues tell the rest.

import assert from "node:assert/strict";
import { NO_EHLO, Transaction } from "../../lib/session/transaction.ts";
import { bytesOf } from "../../lib/text/octets.ts";
import { parseCommand } from "../../lib/smtp/command.ts";

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

Deno.test("Transaction knows whether XFORWARD could say who the client is", () => {
  for (const { talk, unforwarded } of ROWS) {
    const transaction = new Transaction();
    for (const [line, text] of talk) {
      const command = parseCommand(bytesOf(`${line}\r\n`), bytesOf(line));
      transaction.learn(command, { code: Number(text.slice(0, 3)), bytes: bytesOf(`${text}\r\n`) });
    }
    const where = talk.map(String).join(" | ");
    assert.equal(transaction.envelope.unforwarded, unforwarded, where);
    assert.equal(
      transaction.afterMail(parseCommand(bytesOf("MAIL FROM:<>\r\n"), bytesOf("MAIL FROM:<>"))).unforwarded,
      unforwarded,
    );
    transaction.end();
    assert.equal(transaction.envelope.unforwarded, unforwarded, where);
  }
});
