// Command lines: false line ends, lines without end, octets of other protocols, and extensions that were hidden.
//
// tests/blackbox/commands_test.ts and extensions_test.ts try every spelling. These rows are the attacks: a second
// command inside a first one, and text after a command that changes how the rest is read.

import { type Heard, RECIPIENT, type Row, SENDER, TAG } from "./row.ts";

const MAIL = `MAIL FROM:<${SENDER}>`;
const RCPT = `RCPT TO:<${RECIPIENT}>`;
const EVIL = `MAIL FROM:<smuggled.${TAG}@elsewhere.example>`;
const EVIL_RCPT = `RCPT TO:<alice+${TAG}.smuggled@e2e.example>`;

/** The longest command line, its CRLF included, and the longest line in an AUTH exchange. */
const COMMAND_LIMIT = 2048;
const AUTH_LIMIT = 12288;

interface Told {
  readonly opening?: Row["opening"];
  readonly says: string;
  readonly hears: readonly Heard[];
  readonly lines?: readonly string[];
  readonly messages?: readonly string[];
  readonly closes?: true;
  readonly script?: NonNullable<Row["script"]>;
}

function row(group: Row["group"], name: string, { opening = [], lines = [], messages = [], ...told }: Told): Row {
  // Cut around the first octet that is not plain text.
  // deno-lint-ignore no-control-regex
  const odd = Math.max(0, told.says.search(/[\x00-\x1f]/));
  const cut = [Math.max(0, odd - 1), Math.min(told.says.length, odd + 6)] as const;
  return { group, name, opening, lines: [...opening.map(([command]) => command), ...lines], messages, cut, ...told };
}

/** Texts in place of CRLF between two commands. */
const NO_LINE_ENDS: Record<string, string> = {
  "LF": "\n",
  "CR": "\r",
  "LF CR": "\n\r",
  "CR CR LF": "\r\r\n",
  "CR NUL LF": "\r\0\n",
  "NUL": "\0",
  "NUL CRLF": "\0\r\n",
};

const SPLIT: readonly Row[] = Object.entries(NO_LINE_ENDS).flatMap(([name, end]) => {
  // None of it is a line end, so the whole is one bad line. With a true CRLF after it, each line is one.
  const isEnd = end.endsWith("\r\n");
  return [
    row("commands", `NOOP ${name} MAIL: no second command`, {
      says: `NOOP${end}${EVIL}\r\nNOOP\r\n`,
      hears: isEnd ? [500, 250, 250] : [500, 250],
      lines: isEnd ? [EVIL, "NOOP"] : ["NOOP"],
    }),
    row("commands", `MAIL ${name} RCPT ${name} DATA: no transaction`, {
      says: `${EVIL}${end}${EVIL_RCPT}${end}DATA${end}smuggled${end}.${end}QUIT\r\nNOOP\r\n`,
      hears: isEnd ? [500, 500, 500, 500, 500, 221] : [500, 250],
      lines: isEnd ? ["QUIT"] : ["NOOP"],
      ...isEnd ? { closes: true } : {},
    }),
    row("commands", `DATA ${name}: no content follows`, {
      opening: [[MAIL, 250], [RCPT, 250]],
      says: `DATA${end}smuggled\r\n.\r\nRSET\r\n`,
      hears: isEnd ? [500, 500, 500, 250] : [500, 500, 250],
      lines: isEnd ? ["smuggled", ".", "RSET"] : [".", "RSET"],
    }),
  ];
});

const LONG: readonly Row[] = [
  row("commands", "a line of the longest length", {
    says: `NOOP ${"x".repeat(COMMAND_LIMIT - 7)}\r\nNOOP\r\n`,
    hears: [250, 250],
    lines: [`NOOP ${"x".repeat(COMMAND_LIMIT - 7)}`, "NOOP"],
  }),
  row("commands", "a line that is one octet too long", {
    says: `NOOP ${"x".repeat(COMMAND_LIMIT - 6)}\r\nNOOP\r\n`,
    hears: [500, 250],
    lines: ["NOOP"],
  }),
  ...[5000, 2 * AUTH_LIMIT, 1_000_000].map((length) =>
    row("commands", `a line of ${length} octets: one 500, and its end is no command`, {
      says: `NOOP ${"x".repeat(length)} ${EVIL}\r\nNOOP\r\n`,
      hears: [500, 250],
      lines: ["NOOP"],
    })
  ),
  row("commands", "commands behind bare LFs at the end of an over-long line", {
    says: `NOOP ${"x".repeat(40_000)}\n${EVIL}\n${EVIL_RCPT}\nDATA\nsmuggled\n.\n\r\nNOOP\r\n`,
    hears: [500, 250],
    lines: ["NOOP"],
  }),
  row("commands", "an over-long MAIL in a transaction that goes on", {
    opening: [[MAIL, 250]],
    says: `RCPT TO:<${"x".repeat(30_000)}@e2e.example>\r\n${RCPT}\r\nRSET\r\n`,
    hears: [500, 250, 250],
    lines: [RCPT, "RSET"],
  }),
  row("commands", "CR at the very limit, LF behind it", {
    says: `NOOP ${"x".repeat(AUTH_LIMIT - 6)}\r\nNOOP\r\n`,
    hears: [500, 250],
    lines: ["NOOP"],
  }),
  row("commands", "100 empty lines", {
    says: "\r\n".repeat(100),
    hears: Array<number>(100).fill(500),
    lines: Array<string>(100).fill(""),
  }),
  row("commands", "101 bad lines: 421", {
    says: "\0\r\n".repeat(150),
    hears: [...Array<number>(100).fill(500), 421],
    closes: true,
  }),
  row("commands", "200 commands in one packet, each with its reply", {
    says: "NOOP\r\n".repeat(200),
    hears: Array<number>(200).fill(250),
    lines: Array<string>(200).fill("NOOP"),
  }),
];

/** Every octet that a command line may hold. Most of them are in no command. */
const BINARY = Array.from({ length: 255 }, (_, i) => String.fromCharCode(i + 1)).join("").replace(/[\r\n]/g, "");

const BINARIES: readonly Row[] = [
  row("commands", "every octet but CR, LF and NUL, as an argument", {
    says: `NOOP ${BINARY}\r\nNOOP\r\n`,
    hears: [250, 250],
    lines: [`NOOP ${BINARY}`, "NOOP"],
  }),
  row("commands", "every octet, NUL included", {
    says: `NOOP ${BINARY}\0\r\nNOOP\r\n`,
    hears: [500, 250],
    lines: ["NOOP"],
  }),
  row("commands", "a TLS hello in place of a command", {
    says: "\x16\x03\x01\x00\x2e\x01\x00\x00\x2a\x03\x03\r\n\x00\x00\r\nNOOP\r\n",
    hears: [500, 500, 250],
    lines: ["NOOP"],
  }),
  row("commands", "an HTTP request with a transaction for a body", {
    says: `POST / HTTP/1.1\r\nHost: e2e.example\r\n\r\n${EVIL}\r\nRSET\r\n`,
    hears: [500, 500, 500, 250, 250],
    lines: ["POST / HTTP/1.1", "Host: e2e.example", "", EVIL, "RSET"],
    // Real servers hang up here, as they should: to the proxy it is a command like others.
    script: {},
  }),
  row("commands", "the signature of the PROXY protocol, version 2", {
    says: "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\r\nNOOP\r\n",
    hears: [500, 500, 500, 500, 250],
    lines: ["", "", "NOOP"],
  }),
  row("commands", "hostile xtext in XFORWARD goes on as it is, still encoded", {
    says: "XFORWARD NAME=x+0D+0ARSET+00 HELO=+0A.+0D+0A\r\nNOOP\r\n",
    hears: [250, 250],
    lines: ["XFORWARD NAME=x+0D+0ARSET+00 HELO=+0A.+0D+0A", "NOOP"],
  }),
  row("commands", "an address with a dot line in it", {
    says: `MAIL FROM:<"\n.\n"@elsewhere.example>\r\nNOOP\r\n`,
    hears: [500, 250],
    lines: ["NOOP"],
  }),
  row("commands", "commands behind QUIT in its packet", {
    says: `QUIT\r\n${EVIL}\r\n`,
    hears: [221],
    closes: true,
    lines: ["QUIT"],
  }),
  row("commands", "content before DATA's reply, with all recipients refused: nothing of it is a message", {
    opening: [[MAIL, 250]],
    says: `RCPT TO:<nobody@nowhere.example>\r\nDATA\r\nsmuggled\r\n.\r\nRSET\r\n`,
    hears: [550, 554, 500, 500, 250],
    lines: ["RCPT TO:<nobody@nowhere.example>", "smuggled", ".", "RSET"],
    script: { RCPT: "550 5.1.1 not here" },
  }),
];

const BEGUN: Row["opening"] = [[MAIL, 250], [RCPT, 250]];
const WHOLE = "Subject: mail\r\n\r\nbody\r\nthe last line\r\n";

const HIDDEN: readonly Row[] = [
  ...[
    "LHLO client.example",
    "STARTTLS",
    "XCLIENT ADDR=127.0.0.1 LOGIN=root",
    "XEXCH50 22 2",
    "BURL imap://elsewhere.example/x LAST",
  ].flatMap((
    command,
  ) => [
    row("hidden extensions", `${command}, and commands in its packet`, {
      says: `${command}\r\nNOOP\r\n`,
      hears: [502, 250],
      lines: ["NOOP"],
    }),
    row("hidden extensions", `${command} in a transaction, which goes on`, {
      opening: BEGUN,
      says: `${command}\r\nDATA\r\n${WHOLE}.\r\n`,
      hears: [502, 354, 250],
      lines: ["DATA"],
      messages: [WHOLE],
    }),
  ]),
  row("hidden extensions", "STARTTLS and a TLS hello in its packet", {
    says: "STARTTLS\r\n\x16\x03\x01\x00\x2e\x01\r\nNOOP\r\n",
    hears: [502, 500, 250],
    lines: ["NOOP"],
  }),
  row("hidden extensions", "XEXCH50 and its block, which is not read as content", {
    opening: BEGUN,
    says: `XEXCH50 22 2\r\n0123456789abcdefghij\r\nRSET\r\n`,
    hears: [502, 500, 250],
    lines: ["0123456789abcdefghij", "RSET"],
  }),
  ...["BDAT 60 LAST", "BDAT 0 LAST", "bdat 99999999999999999999", "BDAT", "BDAT -1 LAST", "\tBDAT\t60"].map((command) =>
    row("hidden extensions", `${JSON.stringify(command)}: its chunk is never read as commands`, {
      opening: BEGUN,
      says: `${command}\r\nRSET\r\n${EVIL}\r\n${EVIL_RCPT}\r\nDATA\r\nsmuggled\r\n.\r\n`,
      hears: [502],
      closes: true,
    })
  ),
  row("hidden extensions", "MAIL with BODY=BINARYMIME, and DATA all the same: no content begins", {
    says: `MAIL FROM:<${SENDER}> BODY=BINARYMIME\r\nDATA\r\nbinary\r\n.\r\nRSET\r\n`,
    hears: [555, 503, 500, 500, 250],
    lines: ["binary", ".", "RSET"],
  }),
  row("hidden extensions", "DATA with an argument", {
    opening: BEGUN,
    says: "DATA LAST\r\nsmuggled\r\n.\r\nRSET\r\n",
    hears: [501, 500, 500, 250],
    lines: ["smuggled", ".", "RSET"],
  }),
  row("hidden extensions", "a spelling of DATA that only downstream knows", {
    opening: BEGUN,
    says: "XDATA\r\nsmuggled\r\n.\r\n",
    hears: [421],
    closes: true,
    lines: ["XDATA"],
    script: { "*": "354 go ahead" },
  }),
  row("hidden extensions", "AUTH, whose answer looks like a message", {
    says: "AUTH LOGIN\r\nDATA\r\n.\r\nNOOP\r\n",
    hears: [334, 334, 235, 250],
    lines: ["AUTH LOGIN", "DATA", ".", "NOOP"],
    script: { "AUTH+": ["334 more", "235 2.7.0 welcome"] },
  }),
  row("hidden extensions", "AUTH, whose answer holds a bare LF: cancelled", {
    says: `AUTH LOGIN\r\nabc\n${EVIL}\r\nNOOP\r\n`,
    hears: [334, 500, 250],
    lines: ["AUTH LOGIN", "*", "NOOP"],
    script: { "AUTH+": "501 5.7.0 cancelled" },
  }),
  row("hidden extensions", "AUTH, whose answer is too long: cancelled", {
    says: `AUTH LOGIN\r\n${"x".repeat(AUTH_LIMIT)}\r\nNOOP\r\n`,
    hears: [334, 500, 250],
    lines: ["AUTH LOGIN", "*", "NOOP"],
    script: { "AUTH+": "501 5.7.0 cancelled" },
  }),
];

export const COMMAND_ROWS: readonly Row[] = [...SPLIT, ...LONG, ...BINARIES, ...HIDDEN];
