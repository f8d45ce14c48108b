// The content of messages: every sequence that some server has taken for the end of data, and what must become of it.
//
// A sequence is a line start, a dot and a line end, each real or false. All pairs are tried. To a server that is
// fooled, the text after it would be a transaction of its own. The expected result does not come from the codec, but
// from three facts:
//   * A bare LF is a line end and arrives as CRLF. Every other octet arrives as it is.
//   * The dot after CRLF is the sender's dot-stuffing and is removed. Only CRLF . CRLF ends the message.
//   * A bare CR or a NUL can put a dot at a line start for lenient eyes. If they see it alone on its line, it is
//     doubled.

import { RECIPIENT, type Row, SENDER, TAG } from "./row.ts";

/** "true": after CRLF. "line": after a bare LF. "lenient": only for lenient eyes. "none": in mid-line for everyone. */
type Start = "true" | "line" | "lenient" | "none";

/** Before the dot: the octets, what arrives of them, and where the dot then stands. */
const BEFORE: Record<string, readonly [wire: string, arrives: string, start: Start]> = {
  "CRLF": ["\r\n", "\r\n", "true"],
  "LF": ["\n", "\r\n", "line"],
  "CR": ["\r", "\r", "lenient"],
  "NUL": ["\0", "\0", "none"],
  "LF CR": ["\n\r", "\r\n\r", "lenient"],
  "LF LF": ["\n\n", "\r\n\r\n", "line"],
  "CR CR": ["\r\r", "\r\r", "lenient"],
  "CR CR LF": ["\r\r\n", "\r\r\n", "true"],
  "CRLF CR": ["\r\n\r", "\r\n\r", "lenient"],
  "CRLF NUL": ["\r\n\0", "\r\n\0", "lenient"],
  "CRLF NUL NUL": ["\r\n\0\0", "\r\n\0\0", "lenient"],
  "LF NUL": ["\n\0", "\r\n\0", "lenient"],
  "CR NUL": ["\r\0", "\r\0", "lenient"],
  "CR NUL LF": ["\r\0\n", "\r\0\r\n", "line"],
  "NUL CRLF": ["\0\r\n", "\0\r\n", "true"],
  "CR NUL CR LF": ["\r\0\r\n", "\r\0\r\n", "true"],
  "CRLF SP": ["\r\n ", "\r\n ", "none"],
  "VT": ["\x0b", "\x0b", "none"],
  "FF": ["\x0c", "\x0c", "none"],
  "SUB": ["\r\n\x1a", "\r\n\x1a", "none"],
  "NEL": ["\x85", "\x85", "none"],
  "NEL (UTF-8)": ["\xc2\x85", "\xc2\x85", "none"],
  "LINE SEPARATOR (UTF-8)": ["\xe2\x80\xa8", "\xe2\x80\xa8", "none"],
  "overlong LF (UTF-8)": ["\xc0\x8a", "\xc0\x8a", "none"],
};

/** Behind the dot: the octets, what arrives of them, and whether lenient eyes see the dot alone on its line. */
const AFTER: Record<string, readonly [wire: string, arrives: string, alone: boolean]> = {
  "CRLF": ["\r\n", "\r\n", true],
  "LF": ["\n", "\r\n", true],
  "CR": ["\r", "\r", true],
  "LF CR": ["\n\r", "\r\n\r", true],
  "LF LF": ["\n\n", "\r\n\r\n", true],
  "CR CR": ["\r\r", "\r\r", true],
  "CR CR LF": ["\r\r\n", "\r\r\n", true],
  "CR NUL": ["\r\0", "\r\0", true],
  "CR NUL LF": ["\r\0\n", "\r\0\r\n", true],
  "NUL CRLF": ["\0\r\n", "\0\r\n", true],
  "NUL LF": ["\0\n", "\0\r\n", true],
  "NUL CR": ["\0\r", "\0\r", true],
  "NUL NUL CRLF": ["\0\0\r\n", "\0\0\r\n", true],
  "NUL text CRLF": ["\0x\r\n", "\0x\r\n", false],
  "SP CRLF": [" \r\n", " \r\n", false],
  "TAB CRLF": ["\t\r\n", "\t\r\n", false],
  "SUB CRLF": ["\x1a\r\n", "\x1a\r\n", false],
  "dot CRLF": [".\r\n", ".\r\n", false],
  "dot LF": [".\n", ".\r\n", false],
  "NEL": ["\x85", "\x85", false],
  "VT": ["\x0b", "\x0b", false],
};

/** The names of what stands before the dot, and after it. */
export const STARTS = Object.keys(BEFORE);
export const ENDS = Object.keys(AFTER);

const HEADER = "Subject: hostile\r\n\r\n";
const BODY = `${HEADER}before`;
const LAST = "the last line";

/** A transaction as a server sees it that takes the octets before it for the end of data. */
const SMUGGLED = `MAIL FROM:<smuggled.${TAG}@elsewhere.example>\r\nRCPT TO:<alice+${TAG}.smuggled@e2e.example>\r\n` +
  `DATA\r\nSubject: smuggled\r\n\r\nsmuggled\r\n${LAST}\r\n`;

const OPENING: Row["opening"] = [[`MAIL FROM:<${SENDER}>`, 250], [`RCPT TO:<${RECIPIENT}>`, 250], ["DATA", 354]];
const LINES = OPENING.map(([command]) => command);

/** The row of one message: its content as it is sent, without the end of data, and as it arrives. */
function message(
  group: Row["group"],
  name: string,
  { content, arrives, cut }: { content: string; arrives: string; cut: Row["cut"] },
): Row {
  return {
    group,
    name,
    opening: OPENING,
    says: `${content}.\r\n`,
    cut,
    hears: [250],
    lines: LINES,
    messages: [arrives],
  };
}

function between(before: readonly [string, string, Start], after: readonly [string, string, boolean]): string {
  const [, head, start] = before;
  const [, tail, alone] = after;
  if (start === "true") return head + tail;
  // The second dot stands after the NULs that lenient eyes do not see.
  return head + (start === "lenient" && alone ? tail.replace(/^\0*/, ".$&.") : `.${tail}`);
}

const PAIRS: readonly Row[] = Object.entries(BEFORE).flatMap(([first, before]) =>
  Object.entries(AFTER).map(([second, after]) => {
    const name = `${first} . ${second}`;
    const sequence = `${before[0]}.${after[0]}`;
    const cut = [BODY.length, BODY.length + sequence.length] as const;
    if (before[2] !== "true" || second !== "CRLF") {
      const arrives = `${BODY}${between(before, after)}${SMUGGLED}`;
      return message("end of data", name, { content: BODY + sequence + SMUGGLED, arrives, cut });
    }
    // The one true end: what follows is the client's own next message.
    const next = SMUGGLED.replaceAll("smuggled", "second");
    return {
      ...message("end of data", `${name}, the true one`, { content: BODY + sequence + next, arrives: "", cut }),
      hears: [250, 250, 250, 354, 250],
      lines: [...LINES, ...next.split("\r\n").slice(0, 3)],
      messages: [BODY + before[1], next.slice(next.indexOf("Subject"))],
    };
  })
);

/** More than one dot or one line end: the octets, and what arrives of them. */
const OTHERS: readonly (readonly [name: string, wire: string, arrives: string])[] = [
  ["NUL CRLF NUL . NUL CR NUL LF", "\0\r\n\0.\0\r\0\n", "\0\r\n\0.\0.\r\0\r\n"],
  ["CRLF . NUL . CRLF", "\r\n.\0.\r\n", "\r\n\0..\r\n"],
  ["CRLF . CR . CRLF", "\r\n.\r.\r\n", "\r\n\r..\r\n"],
  ["CRLF . CR . CR", "\r\n.\r.\r", "\r\n\r..\r"],
  ["CRLF . LF . CRLF", "\r\n.\n.\r\n", "\r\n\r\n.\r\n"],
  ["CRLF . LF . LF", "\r\n.\n.\n", "\r\n\r\n.\r\n"],
  ["LF . LF . LF", "\n.\n.\n", "\r\n.\r\n.\r\n"],
  ["LF . CRLF . LF", "\n.\r\n.\n", "\r\n.\r\n\r\n"],
  ["CR . CR . CR", "\r.\r.\r", "\r..\r..\r"],
  ["CR . . CR", "\r..\r", "\r..\r"],
  ["LF . . LF", "\n..\n", "\r\n..\r\n"],
  ["LF . . CRLF", "\n..\r\n", "\r\n..\r\n"],
  ["CRLF CR . CR LF", "\r\n\r.\r\n", "\r\n\r..\r\n"],
  ["CRLF . CR CR CR LF", "\r\n.\r\r\r\n", "\r\n\r\r\r\n"],
  ["CRLF . CR then a command", "\r\n.\rNOOP\r\n", "\r\n\rNOOP\r\n"],
  ["CRLF . then a command", "\r\n.RSET\r\n", "\r\nRSET\r\n"],
  ["CRLF . LF then CRLF", "\r\n.\n\r\n", "\r\n\r\n\r\n"],
  ["LF . LF, all lines before it with a bare LF", "\nline\nline\n.\n", "\r\nline\r\nline\r\n.\r\n"],
  ["LF . CRLF behind a header with a bare LF", "\nX: y\n\nbody\n.\r\n", "\r\nX: y\r\n\r\nbody\r\n.\r\n"],
  ["CR . CR, all lines before it with a bare CR", "\rline\rline\r.\r", "\rline\rline\r..\r"],
  ["CRLF . in UTF-16", "\r\0\n\0.\0\r\0\n\0", "\r\0\r\n\0.\0.\r\0\r\n\0"],
  ["CRLF . CRLF with the high bit set", "\x8d\x8a.\x8d\x8a", "\x8d\x8a.\x8d\x8a"],
];

const MORE: readonly Row[] = OTHERS.map(([name, wire, arrives]) =>
  message("end of data", name, {
    content: BODY + wire + SMUGGLED,
    arrives: BODY + arrives + SMUGGLED,
    cut: [BODY.length, BODY.length + wire.length],
  })
);

/** LF . LF where programs end their buffers. */
const AT_BUFFERS: readonly Row[] = [1024, 2048, 4096, 8192, 16384, 65536, 131072].flatMap((size) =>
  ([["LF . LF", "\n.\n", "\r\n.\r\n"], ["CRLF . CR", "\r\n.\r", "\r\n\r"], [
    "CR . CRLF",
    "\r.\r\n",
    "\r..\r\n",
  ]] as const)
    .map(([name, wire, arrives]) => {
      const filler = `${HEADER}${`${"x".repeat(72)}\r\n`.repeat(2000)}`.slice(0, size - 1).replace(
        /[\r\n]{1,2}$/,
        "xx",
      );
      return message("end of data", `${name} around octet ${size}`, {
        content: filler + wire + SMUGGLED,
        arrives: filler + arrives + SMUGGLED,
        cut: [filler.length, filler.length + wire.length],
      });
    })
);

/** The very first octets of the content: DATA's own CRLF stands before them. */
const FIRST: readonly Row[] = [
  ...Object.entries(AFTER).filter(([name]) => name !== "CRLF").map(([name, [wire, arrives]]) =>
    message("start and end of the content", `. ${name} first`, {
      content: `.${wire}${SMUGGLED}`,
      arrives: arrives + SMUGGLED,
      cut: [0, wire.length + 1],
    })
  ),
  ...([
    ["LF . LF", "\n.\n", "\r\n.\r\n"],
    ["LF . CRLF", "\n.\r\n", "\r\n.\r\n"],
    ["CR . CR", "\r.\r", "\r..\r"],
    ["CR . CRLF", "\r.\r\n", "\r..\r\n"],
    ["NUL . CRLF", "\0.\r\n", "\0..\r\n"],
    ["NUL . NUL LF", "\0.\0\n", "\0.\0.\r\n"],
    ["CR NUL LF . CRLF", "\r\0\n.\r\n", "\r\0\r\n.\r\n"],
  ] as const).map(([name, wire, arrives]) =>
    message("start and end of the content", `${name} first`, {
      content: wire + SMUGGLED,
      arrives: arrives + SMUGGLED,
      cut: [0, wire.length],
    })
  ),
  {
    ...message("start and end of the content", "the true end first: an empty message", {
      content: "",
      arrives: "",
      cut: [0, 3],
    }),
    says: ".\r\nNOOP\r\n",
    hears: [250, 250],
    lines: [...LINES, "NOOP"],
  },
];

/** The octets right before the true end. */
const FINAL: readonly Row[] = ([
  ["CR", "\r", "\r\r\n"],
  ["LF", "\n", "\r\n\r\n"],
  ["NUL", "\0", "\0\r\n"],
  ["CR NUL", "\r\0", "\r\0\r\n"],
  ["CRLF . CR", "\r\n.\r", "\r\n\r\r\n"],
  ["CRLF . LF", "\r\n.\n", "\r\n\r\n\r\n"],
  ["CRLF . NUL", "\r\n.\0", "\r\n\0\r\n"],
  ["CRLF NUL .", "\r\n\0.", "\r\n\0..\r\n"],
  ["CRLF CR", "\r\n\r", "\r\n\r\r\n"],
  ["LF .", "\n.", "\r\n.\r\n"],
  ["LF . CR", "\n.\r", "\r\n.\r\r\n"],
  ["LF . LF", "\n.\n", "\r\n.\r\n\r\n"],
  ["CR .", "\r.", "\r..\r\n"],
  ["CR . NUL", "\r.\0", "\r.\0.\r\n"],
  ["CR . CR", "\r.\r", "\r..\r\r\n"],
  ["dot", ".", ".\r\n"],
] as const).map(([name, wire, arrives]) =>
  message("start and end of the content", `${name} last`, {
    content: `${BODY}${wire}\r\n`,
    arrives: `${BODY}${arrives}`,
    cut: [BODY.length, BODY.length + wire.length + 5],
  })
);

const DOTS: readonly Row[] = ([
  ["a stuffed dot alone", "..\r\n", ".\r\n"],
  ["two stuffed dots", "...\r\n", "..\r\n"],
  ["a stuffed dot before text", "..x\r\n", ".x\r\n"],
  ["a dot that was not stuffed before text", ".x\r\n", "x\r\n"],
  ["a dot and a blank, not stuffed", ". \r\n", " \r\n"],
  ["stuffed dots on every line", "..\r\n..\r\n..\r\n", ".\r\n.\r\n.\r\n"],
  ["a line of 1000 dots", `${".".repeat(1000)}\r\n`, `${".".repeat(999)}\r\n`],
  ["dots in mid-line and at line ends", "a.b\r\nc.\r\nd..\r\n", "a.b\r\nc.\r\nd..\r\n"],
  ["a dot behind a bare LF", "a\n.b\r\n", "a\r\n.b\r\n"],
  ["two dots behind a bare LF", "a\n..b\r\n", "a\r\n..b\r\n"],
  ["a dot behind a bare CR, before text", "a\r.b\r\n", "a\r.b\r\n"],
  ["a dot between NULs in mid-line", "a\0.\0b\r\n", "a\0.\0b\r\n"],
  ["a dot behind NUL at a line start, before text", "\0.b\r\n", "\0.b\r\n"],
  ["a full stop of another script", "\xe3\x80\x82\r\n", "\xe3\x80\x82\r\n"],
  ["a dot with the high bit set", "\xae\r\n", "\xae\r\n"],
  ["an encoded dot, which is text", "=2E\r\n", "=2E\r\n"],
  ["an overlong dot (UTF-8)", "\xc0\xae\r\n", "\xc0\xae\r\n"],
] as const).map(([name, wire, arrives]) =>
  message("dots", name, {
    content: `${HEADER}${wire}${LAST}\r\n`,
    arrives: `${HEADER}${arrives}${LAST}\r\n`,
    cut: [HEADER.length, HEADER.length + Math.min(wire.length, 8)],
  })
);

export const CONTENT_ROWS: readonly Row[] = [...PAIRS, ...MORE, ...AT_BUFFERS, ...FIRST, ...FINAL, ...DOTS];
