// Tests of lib/checks/spamd/made_header.ts: which part of a header of spamd's a message gets.

import assert from "node:assert/strict";
import { usableHeader } from "../../../lib/checks/spamd/made_header.ts";
import { bytesOf, textOf } from "../../../lib/text/octets.ts";

const PLAIN = "Received: a\n\tb\nSubject: hi\nX-Spam-Flag: NO\nX-Spam-Status: forged,\n  by a stranger\n" +
  "X-Spam-Prev-Subject: old\nContent-Type: text/plain\n\nbody\n";
const MARKS = "X-Spam-Flag: YES\nX-Spam-Status: Yes, score=9\n\ttests=A\n";

interface Row {
  readonly name: string;
  readonly made: string;
  readonly own?: string;
  /** Undefined: it is no header. */
  readonly header?: string;
}

const ROWS: readonly Row[] = [
  // Unchanged, except the empty line.
  { name: "plain", made: `${MARKS}Subject: hi\n\n`, header: `${MARKS}Subject: hi\n` },
  { name: "no empty line", made: "A: b\n", header: "A: b\n" },
  { name: "no line end", made: "A: b", header: "A: b\n" },
  { name: "CR LF", made: "A: b\r\n\tc\r\nD: e\r\n\r\n", header: "A: b\n\tc\nD: e\n" },
  { name: "a bare CR stays", made: "A: b\rc\r\r\n\r\n", header: "A: b\rc\r\n" },
  { name: "what is behind the empty line is not looked at", made: "A: b\n\nno field\n", header: "A: b\n" },

  // The header of another message: with a report and the old one as its parts.
  {
    name: "report_safe",
    made: `Received: from localhost by scanner\nSubject: [SPAM] hi\n\tthere\n${MARKS}MIME-Version: 1.0\n` +
      'Content-Type: multipart/mixed; boundary="x"\nSubject: second\n\n',
    own: PLAIN,
    header:
      `${MARKS}Received: a\n\tb\nSubject: [SPAM] hi\n\tthere\nX-Spam-Prev-Subject: old\nContent-Type: text/plain\n`,
  },
  {
    name: "report_safe, and a message without a subject and a line end",
    made: `${MARKS}Subject: [SPAM]\nContent-Type: Multipart/Mixed; boundary=x\n\n`,
    own: "A: b",
    header: `${MARKS}A: b\n`,
  },
  {
    name: "report_safe, and two subjects",
    made: `${MARKS}Subject: new\nContent-Type: multipart/mixed; boundary=x\n\n`,
    own: "Subject: one\nSubject: two\n three\n\n",
    header: `${MARKS}Subject: new\nSubject: two\n three\n`,
  },
  {
    name: "report_safe, without a subject",
    made: `${MARKS}Content-Type: multipart/mixed; boundary=x\n\n`,
    own: "Subject: one\r\n\r\n",
    header: `${MARKS}Subject: one\n`,
  },
  {
    name: "report_safe, and a message with parts of its own",
    made: `${MARKS}Content-Type: multipart/mixed; boundary="report"\n\n`,
    own: 'Content-Type: multipart/mixed; boundary="own"\n\n',
    header: `${MARKS}Content-Type: multipart/mixed; boundary="own"\n`,
  },
  {
    name: "the message's own parts, folded otherwise",
    made: `${MARKS}Content-Type: Multipart/Alternative;\n\tboundary="x"\n\n`,
    own: 'X-Spam-Flag: NO\nContent-Type: multipart/alternative; boundary="x"\n\n',
    header: `${MARKS}Content-Type: Multipart/Alternative;\n\tboundary="x"\n`,
  },

  // Lines that SpamAssassin takes for a part of the header, and we do not.
  {
    name: "no empty line in the message",
    made: `${MARKS}Subject: hi\nthis is body\nand this\n\n`,
    own: "Subject: hi\nthis is body\nand this\nand more\n\nlast\n",
    header: `${MARKS}Subject: hi\n`,
  },
  { name: "a line that is no field", made: `${MARKS}no field\n\n`, own: PLAIN },
  { name: "a line that is no field, and nothing known of the message", made: `${MARKS}no field\n\n` },

  // No header at all.
  { name: "empty", made: "" },
  { name: "an empty line", made: "\n" },
  { name: "text", made: "Hello world\n\n" },
  { name: "a continuation of nothing", made: " A: b\n\n" },
  { name: "octets", made: "\0\x01\xff\n" },
];

Deno.test("a header that spamd made", () => {
  for (const { name, made, own, header } of ROWS) {
    const found = finish(usableHeader(bytesOf(made), own === undefined ? undefined : bytesOf(own)));
    assert.equal(found && textOf(found), header, name);
  }
});

Deno.test("a long header of spamd is looked at in slices, and is the same", () => {
  for (const { name, made, own, header } of ROWS) {
    if (header === undefined) continue;
    // Long enough that each field may begin in another slice.
    for (const long of ["A: b\n".repeat(5000), `A: ${"b".repeat(8181)}\n`, `A: ${"b\n ".repeat(9000)}\n`]) {
      const work = usableHeader(bytesOf(long + made), own === undefined ? undefined : bytesOf(long + own));
      const isOther = /boundary/.test(made) && /report_safe/.test(name);
      const expected: string = isOther ? MARKS + long + header.slice(MARKS.length) : long + header;
      assert.equal(textOf(finish(work)!), expected, name);
    }
  }
});

function finish<Made>(work: Generator<void, Made>): Made {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}
