// Tests of lib/smtp/path.ts: the paths of MAIL FROM and RCPT TO (RFC 5321 s.4.1.2) and the parameters after them.
//
// The proxy reads paths to know, not to judge. So most rows show what it understands, and few what it does not.

import assert from "node:assert/strict";
import { isUnmistakable } from "../../lib/smtp/mailbox.ts";
import { parsePath, readAddress } from "../../lib/smtp/path.ts";
import { seeded } from "../blackbox/oracle.ts";

interface Row {
  text: string;
  keyword?: "FROM" | "TO";
  address: string;
  parameters?: Record<string, string>;
}

const ROWS: readonly Row[] = [
  // RFC 5321 s.4.1.1.2 and s.4.1.1.3: keyword, colon, path in angle brackets.
  { text: " FROM:<a@example.org>", address: "a@example.org" },
  { text: " TO:<b@example.org>", keyword: "TO", address: "b@example.org" },
  { text: " TO:<Postmaster>", keyword: "TO", address: "Postmaster" },
  { text: " FROM:<a@[IPv6:2001:db8::1]>", address: "a@[IPv6:2001:db8::1]" },

  // s.2.4: the keyword in any case; the local part keeps its case.
  { text: " from:<MixedCase@Example.ORG>", address: "MixedCase@Example.ORG" },
  { text: " tO:<b@c>", keyword: "TO", address: "b@c" },

  // s.4.5.5: the null reverse-path.
  { text: " FROM:<>", address: "" },
  { text: " FROM:<> BODY=8BITMIME", address: "", parameters: { BODY: "8BITMIME" } },

  // Blanks that s.3.3 forbids and everybody meets.
  { text: "FROM:<a@b>", address: "a@b" },
  { text: "\tFROM : \t<a@b>", address: "a@b" },
  { text: "  FROM:   a@b  ", address: "a@b" },

  // Without brackets the path ends at the next blank.
  { text: " FROM:a@b", address: "a@b" },
  { text: " FROM:a@b SIZE=10", address: "a@b", parameters: { SIZE: "10" } },

  // s.4.1.2, Quoted-string: brackets, blanks and backslashes in a quoted local part are text.
  { text: ` FROM:<"a>b"@c> SIZE=1`, address: `"a>b"@c`, parameters: { SIZE: "1" } },
  { text: ` FROM:<"a b"@c>`, address: `"a b"@c` },
  { text: ` FROM:<"a\\"> SIZE=9"@c>`, address: `"a\\"> SIZE=9"@c` },
  { text: ` FROM:<"a\\\\"@c> X`, address: `"a\\\\"@c`, parameters: { X: "" } },
  { text: ` FROM:<a\\>b@c>`, address: `a\\>b@c` },

  // s.4.1.1.3: a source route is left out.
  { text: " TO:<@one.example,@two.example:a@b>", keyword: "TO", address: "a@b" },
  { text: " TO:<@one.example:a@[IPv6:::1]>", keyword: "TO", address: "a@[IPv6:::1]" },
  // Neither a quoted local part nor an address literal is one.
  { text: ` TO:<"@x:"@y>`, keyword: "TO", address: `"@x:"@y` },
  { text: " TO:<a@[IPv6:::1]>", keyword: "TO", address: "a@[IPv6:::1]" },

  // RFC 6531 s.3.3: UTF-8 in both halves.
  { text: " FROM:<jürgen@müller.example> SMTPUTF8", address: "jürgen@müller.example", parameters: { SMTPUTF8: "" } },

  // s.4.1.1.11: parameters with and without values; keywords in any case, values as they are.
  {
    text: " FROM:<a@b> SIZE=1000 BODY=8BITMIME REQUIRETLS",
    address: "a@b",
    parameters: { SIZE: "1000", BODY: "8BITMIME", REQUIRETLS: "" },
  },
  { text: " FROM:<a@b> size=5 Ret=hdrs", address: "a@b", parameters: { SIZE: "5", RET: "hdrs" } },
  { text: " FROM:<a@b>  SIZE=5\t X-Y= ", address: "a@b", parameters: { SIZE: "5", "X-Y": "" } },
  { text: " FROM:<a@b> AUTH=<> ENVID=a=b", address: "a@b", parameters: { AUTH: "<>", ENVID: "a=b" } },
  {
    text: " TO:<a@b> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+2Bb@c",
    keyword: "TO",
    address: "a@b",
    parameters: { NOTIFY: "SUCCESS,FAILURE", ORCPT: "rfc822;a+2Bb@c" },
  },
  // The blank before the first one may be missing.
  { text: " FROM:<a@b>SIZE=5", address: "a@b", parameters: { SIZE: "5" } },
  // Names that an object has of its own are parameters like any other.
  { text: " FROM:<a@b> __proto__=1 constructor", address: "a@b", parameters: { ["__PROTO__"]: "1", CONSTRUCTOR: "" } },
];

const NO_PATH: readonly { text: string; keyword?: "FROM" | "TO" }[] = [
  // No keyword, another one, or no colon.
  { text: "" },
  { text: " " },
  { text: " <a@b>" },
  { text: " FROM" },
  { text: " FROM <a@b>" },
  { text: " TO:<a@b>" },
  { text: " FROM:<a@b>", keyword: "TO" },
  { text: " XFROM:<a@b>" },
  { text: " FROMX:<a@b>" },
  { text: " SIZE=1 FROM:<a@b>" },
  // Nothing after it.
  { text: " FROM:" },
  { text: " FROM:  " },
  // More after the bracket than a parameter: it may be the address that a server takes.
  { text: " FROM:<a@b>,<c@d>" },
  { text: " FROM:<a@b>:c@d;" },
  { text: " FROM:<a@b>(c)" },
  { text: " FROM:<a@b>>" },
  // A bracket that is never closed, or only inside quotes or after a backslash.
  { text: " FROM:<" },
  { text: " FROM:<a@b SIZE=10" },
  { text: ` FROM:<"a>@b` },
  { text: " FROM:<a@b\\>" },
  { text: " FROM:<a@b\\" },
];

Deno.test("parsePath finds the address and the parameters", () => {
  for (const row of ROWS) {
    const read = parsePath(row.text, row.keyword ?? "FROM");
    const expected = { address: row.address, parameters: Object.entries(row.parameters ?? {}) };
    const found = read && { address: read.address, parameters: [...read.parameters] };
    assert.deepEqual(found, expected, JSON.stringify(row.text));
  }
});

Deno.test("parsePath gives undefined for a text that can be no path", () => {
  for (const row of NO_PATH) {
    assert.equal(parsePath(row.text, row.keyword ?? "FROM"), undefined, JSON.stringify(row.text));
  }
});

Deno.test("readAddress gives the address that parsePath finds, or else the text, which no rule can take for a mailbox", () => {
  for (const row of ROWS) assert.equal(readAddress(row.text, row.keyword ?? "FROM"), row.address);
  for (const row of NO_PATH) {
    const address = readAddress(row.text, row.keyword ?? "FROM");
    assert.ok(address === undefined || !isUnmistakable(address), JSON.stringify([row.text, address]));
  }
  const rows: readonly [text: string, address: string | undefined][] = [
    [' FROM:<a"b@x> SIZE=5', 'a"b@x'],
    [' FROM:<a"b@x>', 'a"b@x'],
    [" FROM:<a>b@x>", "a>b@x"],
    [" FROM:<<a@x>>", "<a@x>"],
    [" FROM:<a@b> >", "a@b"],
    [" FROM:<a@b>X", "<a@b>X"],
    [" FROM:<a@b", "<a@b"],
    [" FROM:<", "<"],
    [" FROM:", undefined],
    [" SIZE=5", undefined],
  ];
  for (const [text, address] of rows) assert.equal(readAddress(text, "FROM"), address, text);
});

Deno.test("readAddress finds no mailbox if parsePath finds none, for any text", () => {
  const random = seeded(4711);
  for (let run = 0; run < 50_000; run++) {
    const text = Array.from(
      { length: 1 + Math.floor(random() * 14) },
      () => PIECES[Math.floor(random() * PIECES.length)],
    );
    const path = ` FROM:<${text.join("")}`;
    if (parsePath(path, "FROM")) continue;
    const address = readAddress(path, "FROM") ?? "";
    assert.ok(!isUnmistakable(address) && address !== "postmaster", JSON.stringify([path, address]));
  }
});

const PIECES = ["a", "b.c", "@", "@", "<", ">", ">", '"', "\\", " ", "=", ":", ",", "postmaster", "SIZE=1"];
