// Bad replies of downstream: too much, too early, twice, or no reply at all.
//
// postprox believes downstream, but within bounds and never out of step: a reply belongs to the command that it
// answers, or to none. If something is no reply, the client hears our own 421 (451 for a message), and never a 2xx that
// downstream did not say.

import { type Heard, RECIPIENT, type Row, SENDER } from "./row.ts";

const BEGUN: Row["opening"] = [[`MAIL FROM:<${SENDER}>`, 250], [`RCPT TO:<${RECIPIENT}>`, 250]];
const CONTENT = "Subject: mail\r\n\r\nbody\r\n";
const QUEUED = "250 2.0.0 queued as 4711";

interface Told extends Partial<Pick<Row, "opening" | "beforeGreeting" | "closes" | "messages">> {
  readonly says: string;
  readonly hears: readonly Heard[];
  readonly lines?: readonly string[];
  readonly script: NonNullable<Row["script"]>;
}

function row(name: string, { opening = [], lines = [], messages = [], ...told }: Told): Row {
  const all = [...opening.map(([command]) => command), ...lines];
  return { group: "replies", name, opening, messages, cut: [0, 0], lines: all, ...told };
}

/** No reply; where it stands for one, nobody can say which command the next line belongs to. */
const NO_REPLIES: Record<string, string> = {
  "text without a code": "hello there\r\n",
  "an empty line": "\r\n",
  "two digits": "25 ok\r\n",
  "four digits": "2500 ok\r\n",
  "an underscore behind the code": "250_ok\r\n",
  "a blank before the code": " 250 ok\r\n",
  "a 1xx": "150 wait\r\n",
  "a 6xx": "600 what\r\n",
  "a 0xx": "000 nothing\r\n",
  "letters in the code": "2S0 ok\r\n",
  "full-width digits": "\xef\xbc\x92\xef\xbc\x95\xef\xbc\x90 ok\r\n",
  "a NUL in the text": "250 o\0k\r\n",
  "a bare CR in the text": "250 ok\r250 again\r\n",
  "a bare CR before a bare LF": "250 ok\r250 again\n",
  "CR CR LF": "250 ok\r\r\n",
  "a line of two classes": "250-ok\r\n550 no\r\n",
  "octets of TLS": "\x15\x03\x01\x00\x02\x02\x46\r\n",
  "a line of 4097 octets": `250 ${"x".repeat(4091)}\r\n`,
  "1001 lines": `${"250-x\r\n".repeat(1000)}250 x\r\n`,
  "more than 64 KiB": `${`250-${"x".repeat(990)}\r\n`.repeat(70)}250 x\r\n`,
  "a megabyte in one line": `${"2".repeat(1_000_000)}\r\n`,
};

const MALFORMED: readonly Row[] = Object.entries(NO_REPLIES).flatMap(([name, raw]) => [
  row(`${name}, to a command`, {
    says: "NOOP\r\n",
    hears: [421],
    closes: true,
    lines: ["NOOP"],
    script: { NOOP: { raw } },
  }),
  row(`${name}, in place of a greeting`, {
    beforeGreeting: true,
    says: "",
    hears: [421],
    closes: true,
    script: { CONNECT: { raw } },
  }),
  row(`${name}, to DATA: 451, and not one octet of content has been sent`, {
    opening: BEGUN,
    says: `DATA\r\n${CONTENT}.\r\nNOOP\r\n`,
    hears: [354, 451, 421],
    closes: true,
    lines: ["DATA"],
    script: { DATA: { raw } },
  }),
  row(`${name}, to the final dot: 451`, {
    opening: BEGUN,
    says: `DATA\r\n${CONTENT}.\r\nNOOP\r\n`,
    hears: [354, 451, 421],
    closes: true,
    lines: ["DATA"],
    messages: [CONTENT],
    script: { ".": { raw } },
  }),
]);

/** Odd, but replies: each reaches the client octet for octet. */
const ODD_REPLIES: Record<string, string> = {
  "a code alone": "250",
  "a code and a blank": "250 ",
  "a code alone behind lines": "250-\r\n250",
  "8-bit text": "250 \x80\xff\x9b",
  "escape sequences": "250 \x1b[31mred\x07",
  "a line of 4096 octets": `250 ${"x".repeat(4090)}`,
  "1000 lines": `${"250-x\r\n".repeat(999)}250 x`,
  "text that looks like another reply": "250-354 go\r\n250 421 bye",
};

const ODD: readonly Row[] = Object.entries(ODD_REPLIES).map(([name, reply]) =>
  row(`${name}, to a command and to the final dot`, {
    opening: BEGUN,
    says: `NOOP\r\nDATA\r\n${CONTENT}.\r\nNOOP\r\n`,
    hears: [reply, 354, reply, reply],
    lines: ["NOOP", "DATA", "NOOP"],
    messages: [CONTENT],
    script: { NOOP: reply, ".": reply },
  })
);

// A sloppy server's bare LF ends a line, and leaves as CRLF.
const SLOPPY: readonly Row[] = [
  row("lines that a bare LF ends, to a command and to the final dot", {
    opening: BEGUN,
    says: `NOOP\r\nDATA\r\n${CONTENT}.\r\nNOOP\r\n`,
    hears: ["250-one\r\n250-two\r\n250 three", 354, "250-one\r\n250-two\r\n250 three", 250],
    lines: ["NOOP", "DATA", "NOOP"],
    messages: [CONTENT],
    script: {
      NOOP: [{ raw: "250-one\n250-two\r\n250 three\n" }, "250 ok"],
      ".": { raw: "250-one\r\n250-two\n250 three\n" },
    },
  }),
  row("a bare LF behind which another reply stands: that is nobody's", {
    says: "NOOP\r\nRSET\r\n",
    hears: [250, 421],
    closes: true,
    lines: ["NOOP"],
    script: { NOOP: { raw: "250 first\n250 second\r\n" } },
  }),
];

const OUT_OF_TURN: readonly Row[] = [
  row("two replies to one command: the second is nobody's", {
    says: "NOOP\r\nRSET\r\n",
    hears: [250, 421],
    closes: true,
    lines: ["NOOP"],
    script: { NOOP: { raw: "250 first\r\n250 second\r\n" } },
  }),
  row("two replies to MAIL: a refused recipient is not taken for accepted", {
    says: `MAIL FROM:<${SENDER}>\r\nRCPT TO:<${RECIPIENT}>\r\nDATA\r\n`,
    hears: [250, 421],
    closes: true,
    lines: [`MAIL FROM:<${SENDER}>`],
    script: { MAIL: { raw: "250 ok\r\n250 ok\r\n" }, RCPT: "550 no" },
  }),
  row("two greetings", {
    beforeGreeting: true,
    says: "EHLO client.example\r\n",
    hears: [220, 421],
    closes: true,
    script: { CONNECT: { raw: "220 one\r\n220 two\r\n" } },
  }),
  row("a 250 behind the 354 in its packet is not the reply to the message", {
    opening: BEGUN,
    says: `DATA\r\n${CONTENT}.\r\n`,
    hears: [354, 451],
    lines: ["DATA"],
    script: { DATA: { raw: "354 go\r\n250 queued already\r\n" } },
  }),
  row("half a reply behind the 354", {
    opening: BEGUN,
    says: `DATA\r\n${CONTENT}.\r\n`,
    hears: [354, 451],
    lines: ["DATA"],
    script: { DATA: { raw: "354 go\r\n250 que" } },
  }),
  row("two replies to the final dot: the second is not the reply to what follows", {
    opening: BEGUN,
    says: `DATA\r\n${CONTENT}.\r\nNOOP\r\n`,
    hears: [354, QUEUED, 421],
    closes: true,
    lines: ["DATA"],
    messages: [CONTENT],
    script: { ".": { raw: `${QUEUED}\r\n550 no, not this one\r\n` } },
  }),
  row("a 250 to DATA: no content is sent", {
    opening: BEGUN,
    says: `DATA\r\n${CONTENT}.\r\n`,
    hears: [354, 451],
    lines: ["DATA"],
    script: { DATA: "250 done" },
  }),
  ...["354 go on", "334 what", "300 well"].map((reply) =>
    row(`${reply.slice(0, 3)} to the final dot: 451, the outcome is not known`, {
      opening: BEGUN,
      says: `DATA\r\n${CONTENT}.\r\n`,
      hears: [354, 451],
      lines: ["DATA"],
      messages: [CONTENT],
      script: { ".": reply },
    })
  ),
  ...["DATA", "."].flatMap((verb) =>
    (["close", "reset"] as const).map((then) =>
      row(`nothing but a ${then} in reply to ${verb === "." ? "the final dot" : verb}: 451`, {
        opening: BEGUN,
        says: `DATA\r\n${CONTENT}.\r\n`,
        hears: [354, 451],
        lines: ["DATA"],
        messages: verb === "." ? [CONTENT] : [],
        script: { [verb]: { then } },
      })
    )
  ),
  row("half a reply to the final dot, and then the end: never a 250", {
    opening: BEGUN,
    says: `DATA\r\n${CONTENT}.\r\n`,
    hears: [354, 451],
    lines: ["DATA"],
    messages: [CONTENT],
    script: { ".": { raw: "250 2.0.0 ok", then: "close" } },
  }),
  row("half a reply of several lines to the final dot, and then the end", {
    opening: BEGUN,
    says: `DATA\r\n${CONTENT}.\r\n`,
    hears: [354, 451],
    lines: ["DATA"],
    messages: [CONTENT],
    script: { ".": { raw: "250-2.0.0 ok\r\n", then: "close" } },
  }),
  ...["354 go on", "334 what"].map((reply) =>
    row(`${reply.slice(0, 3)} to a command that asks for none: content does not get past the filter`, {
      opening: BEGUN,
      says: `NOOP\r\n${CONTENT}.\r\n`,
      hears: [421],
      closes: true,
      lines: ["NOOP"],
      script: { NOOP: reply },
    })
  ),
  row("421 to a command, and the end: it is the client's reply", {
    says: "NOOP\r\nNOOP\r\n",
    hears: ["421 4.3.2 going"],
    closes: true,
    lines: ["NOOP"],
    script: { NOOP: { reply: "421 4.3.2 going", then: "close" } },
  }),
  row("a message refused at its final dot, octet by octet", {
    opening: BEGUN,
    says: `DATA\r\n${CONTENT}.\r\nNOOP\r\n`,
    hears: [354, "550-5.7.1 no\r\n550 5.7.1 really", 250],
    lines: ["DATA", "NOOP"],
    messages: [CONTENT],
    script: { ".": { reply: "550-5.7.1 no\r\n550 5.7.1 really", pieces: 1 } },
  }),
];

/** EHLO replies that hide a hidden keyword, or that flood. */
const KEYWORDS: readonly Row[] = [
  row("an EHLO reply of 900 keywords, every second one hidden", {
    says: "EHLO again\r\n",
    hears: [`${"250-fake\r\n"}${"250-DSN\r\n".repeat(449)}250 DSN`],
    lines: ["EHLO again"],
    script: { EHLO: `250-fake\r\n${"250-DSN\r\n250-chunking\r\n".repeat(449)}250-DSN\r\n250 STARTTLS` },
  }),
  row("hidden keywords in odd spellings", {
    says: "EHLO again\r\n",
    hears: ["250-fake\r\n250 DSN"],
    lines: ["EHLO again"],
    script: { EHLO: "250-fake\r\n250-StartTLS\r\n250-XCLIENT NAME ADDR\r\n250-DSN\r\n250-BINARYMIME\r\n250 BURL imap" },
  }),
  row("a 354 to EHLO", {
    says: "EHLO again\r\nsmuggled\r\n",
    hears: [421],
    closes: true,
    lines: ["EHLO again"],
    script: { EHLO: "354 go" },
  }),
];

export const REPLY_ROWS: readonly Row[] = [...MALFORMED, ...ODD, ...SLOPPY, ...OUT_OF_TURN, ...KEYWORDS];
