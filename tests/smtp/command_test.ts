// Tests of lib/smtp/command.ts: which command a line is.
//
// It is total: any line is a command. Its octets stay as they came, because they go downstream.

import assert from "node:assert/strict";
import { parseCommand, shownVerb, type Verb } from "../../lib/smtp/command.ts";
import { octets, SEED, seeded, spelled } from "../rig/octets.ts";

// A verb that is missing here does not pass the type check.
const VERBS = Object.keys(
  {
    HELO: 0,
    EHLO: 0,
    LHLO: 0,
    MAIL: 0,
    RCPT: 0,
    DATA: 0,
    RSET: 0,
    QUIT: 0,
    AUTH: 0,
    XFORWARD: 0,
    STARTTLS: 0,
    BDAT: 0,
    BURL: 0,
    XCLIENT: 0,
    XEXCH50: 0,
    OTHER: 0,
  } satisfies Record<Verb, 0>,
) as Verb[];

const ROWS: readonly { line: string; verb: Verb; argument: string }[] = [
  // RFC 5321 s.2.4: verbs in any case. The argument is what follows, blanks included.
  { line: "MAIL FROM:<a@b>", verb: "MAIL", argument: " FROM:<a@b>" },
  { line: "mail from:<a@b>", verb: "MAIL", argument: " from:<a@b>" },
  { line: "dAtA", verb: "DATA", argument: "" },
  { line: "EHLO  host ", verb: "EHLO", argument: "  host " },
  { line: "\tlhlo host", verb: "LHLO", argument: " host" },
  { line: "XFORWARD HELO=a", verb: "XFORWARD", argument: " HELO=a" },

  // smtpd_token.c: what isspace() says is white space, before and after the verb.
  { line: "  DATA", verb: "DATA", argument: "" },
  { line: "\tBDAT 5 LAST", verb: "BDAT", argument: " 5 LAST" },
  { line: "\v\f STARTTLS\t", verb: "STARTTLS", argument: "\t" },
  { line: "DATA\v", verb: "DATA", argument: "\v" },
  { line: "BDAT\f5", verb: "BDAT", argument: "\f5" },
  { line: "\rDATA\r", verb: "DATA", argument: "\r" },

  // Quotes and brackets are part of a word, as in Postfix, which knows no such command either.
  { line: `"XCLIENT" ADDR=192.0.2.1`, verb: "OTHER", argument: " ADDR=192.0.2.1" },
  { line: "<BDAT> 5", verb: "OTHER", argument: " 5" },
  { line: `"MAIL FROM"`, verb: "OTHER", argument: ` FROM"` },

  // Anything else is OTHER and has its argument just the same.
  { line: "NOOP", verb: "OTHER", argument: "" },
  { line: "VRFY postmaster", verb: "OTHER", argument: " postmaster" },
  { line: "OTHER", verb: "OTHER", argument: "" },
  { line: "", verb: "OTHER", argument: "" },
  { line: "   ", verb: "OTHER", argument: "" },
  // No verb begins or ends another one, and no punctuation ends a verb.
  { line: "DATAX", verb: "OTHER", argument: "" },
  { line: "XDATA", verb: "OTHER", argument: "" },
  { line: "DAT A", verb: "OTHER", argument: " A" },
  { line: "DATA:", verb: "OTHER", argument: "" },
  { line: "MAIL:FROM:<a@b>", verb: "OTHER", argument: "" },
  { line: "BDAT=5", verb: "OTHER", argument: "" },
  // 0xa0 is white space to Unicode, and no white space to an SMTP server. Nor does folding lead from there to ASCII.
  { line: "DATA\xa0x", verb: "OTHER", argument: "" },
  { line: "\xa0DATA", verb: "OTHER", argument: "" },
  { line: "\xff\xfe\x80", verb: "OTHER", argument: "" },
  { line: "constructor", verb: "OTHER", argument: "" },
  { line: "__proto__ x", verb: "OTHER", argument: " x" },

  // RFC 6531: the argument is UTF-8; what is not is replaced.
  { line: "MAIL FROM:<j\xc3\xbcrgen@b>", verb: "MAIL", argument: " FROM:<jürgen@b>" },
  { line: "RCPT TO:<\xe9@b>", verb: "RCPT", argument: " TO:<\ufffd@b>" },
];

Deno.test("parseCommand finds verb and argument", () => {
  for (const row of ROWS) {
    const bytes = octets(row.line);
    const { verb, argument } = parseCommand(bytes, bytes);
    assert.deepEqual({ verb, argument }, { verb: row.verb, argument: row.argument }, JSON.stringify(row.line));
  }
});

Deno.test("parseCommand knows every verb in upper, lower and mixed case", () => {
  for (const verb of VERBS) {
    const mixed = verb.slice(0, 1) + verb.slice(1).toLowerCase();
    for (const spelling of [verb, verb.toLowerCase(), mixed]) {
      const bytes = octets(` ${spelling} x`);
      assert.deepEqual(parseCommand(bytes, bytes), { verb, raw: bytes, argument: " x" }, spelling);
    }
  }
});

Deno.test("parseCommand keeps the line as received", () => {
  for (const row of ROWS) {
    const raw = octets(`${row.line}\r\n`);
    const command = parseCommand(raw, raw.subarray(0, row.line.length));
    assert.equal(command.raw, raw);
    assert.equal(spelled(command.raw), `${row.line}\r\n`);
    assert.equal(command.argument, row.argument, "the line end is no part of the argument");
  }
});

Deno.test("parseCommand is total", () => {
  const random = seeded(SEED);
  const alphabet = octets(`dataBDAT "<>\\\t\v:\x00\xa0\xc3\xff`);
  for (let run = 0; run < 20_000; run++) {
    const bytes = Uint8Array.from({ length: Math.floor(random() * 9) }, () => {
      return alphabet[Math.floor(random() * alphabet.length)]!;
    });
    const where = `seed ${SEED}, run ${run}: ${JSON.stringify(spelled(bytes))}`;
    let verb: Verb | undefined;
    assert.doesNotThrow(() => verb = parseCommand(bytes, bytes).verb, where);
    assert.ok(verb && VERBS.includes(verb), where);
    // The plain spelling is never missed: white space, the word, white space or the end.
    const plain = /^[\t-\r ]*(DATA|BDAT)(?![^\t-\r ])/i.exec(spelled(bytes));
    if (plain) assert.equal(verb, plain[1]!.toUpperCase(), where);
  }
});

Deno.test("shownVerb is the verb as it came, in capitals and bounded", () => {
  for (
    const [line, shown] of [
      ["NOOP", "NOOP"],
      ["  vrfy postmaster", "VRFY"],
      ["mail FROM:<a@b>", "MAIL"],
      ["a\x1b[2Jb c", "A\x1b[2JB"],
      ["\xe9t\xe9", "\ufffdT\ufffd"],
      ["j\xc3\xbc", "Jü"],
      ["", "an empty line"],
      [" \t ", "an empty line"],
      ["x".repeat(20), "X".repeat(20)],
      ["x".repeat(2000), `${"X".repeat(20)}...`],
    ] as const
  ) {
    const raw = octets(`${line}\r\n`);
    assert.equal(shownVerb(parseCommand(raw, octets(line))), shown, JSON.stringify(line));
  }
});
