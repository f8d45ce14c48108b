// The bounds of the search for URLs, and what it remembers of hosts.

import assert from "node:assert/strict";
import { HOSTS_LIMIT, TEXT_LIMIT, UrlSearch } from "../../lib/mime/url_search.ts";
import { bytesOf } from "../../lib/text/octets.ts";
import { formatHost } from "./url_reference.ts";

function search(message: string): UrlSearch {
  const search = new UrlSearch();
  const octets = bytesOf(message);
  for (let at = 0; at < octets.length; at += 4096) search.push(octets.subarray(at, at + 4096));
  search.end();
  return search;
}

const urls = (count: number) => Array.from({ length: count }, (_, at) => `http://h${at}.example/\n`).join("");
const part = (text: string) => `--b\nContent-Transfer-Encoding: base64\n\n${btoa(text)}\n`;
const parts = (texts: readonly string[]) =>
  `Content-Type: multipart/mixed; boundary=b\n\n${texts.map(part).join("")}--b--\n`;
const LAST = "http://last.example/";

interface Row {
  readonly what: string;
  readonly message: string;
  readonly reached: readonly string[];
  /** Whether the last URL is found. */
  readonly found: boolean;
}

const nested = (depth: number) =>
  Array.from({ length: depth }, (_, at) => `Content-Type: multipart/mixed; boundary=b${at}\n\n--b${at}\n`).join("") +
  `Content-Transfer-Encoding: base64\n\n${btoa(LAST)}\n`;

const encoded = (times: number): string =>
  times === 0
    ? `Subject: x\n\n${LAST}\n`
    : `Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n${btoa(encoded(times - 1))}\n`;

const ROWS: readonly Row[] = [
  { what: "as many hosts as there may be", message: `\n${urls(99)}${LAST}`, reached: [], found: true },
  { what: "a host more", message: `\n${urls(100)}${LAST}`, reached: ["hosts"], found: false },
  { what: "one host again and again", message: `\n${urls(1).repeat(2000)}${LAST}`, reached: [], found: true },
  {
    what: "texts that are no hosts",
    message: `\n${"http://a..b/ http://x/ http:999999999999 ".repeat(999)}${LAST}`,
    reached: [],
    found: true,
  },
  {
    what: "very many odd spellings of nothing",
    message: `\n${Array.from({ length: 1001 }, (_, at) => `http://%${at}/`).join(" ")} ${LAST}`,
    reached: ["hosts"],
    found: false,
  },
  {
    what: "as much text as there may be",
    message: `\n${" ".repeat(TEXT_LIMIT - LAST.length)}${LAST}`,
    reached: [],
    found: true,
  },
  { what: "an octet more", message: `\n${" ".repeat(TEXT_LIMIT)} ${LAST}`, reached: ["text"], found: false },
  {
    what: "a picture that is larger than all text may be",
    message: parts([`\0${"x".repeat(TEXT_LIMIT + 1)}`, LAST]).replace("--b\n", "--b\nContent-Type: image/x\n"),
    reached: [],
    found: true,
  },
  { what: "as many parts as there may be", message: parts([...Array(49).fill("x"), LAST]), reached: [], found: true },
  {
    what: "a part more is not decoded",
    message: parts([...Array(50).fill("x"), LAST]),
    reached: ["parts"],
    found: false,
  },
  {
    what: "but it is read as it stands there",
    message: `${parts(Array(51).fill("x"))}\n--b\n\n${LAST}`,
    reached: ["parts"],
    found: true,
  },
  {
    what: "messages in a digest are no parts of their own",
    message: `Content-Type: multipart/digest; boundary=b\n\n${"--b\n\nSubject: x\n\ntext\n".repeat(49)}--b\n\n` +
      `Content-Transfer-Encoding: base64\n\n${btoa(LAST)}\n`,
    reached: [],
    found: true,
  },
  { what: "a message that is encoded twice", message: encoded(2), reached: [], found: true },
  { what: "a message that is encoded again and again", message: encoded(4), reached: ["depth"], found: false },
  { what: "as deep as it may be", message: nested(20), reached: [], found: true },
  { what: "deeper is not decoded", message: nested(21), reached: ["depth"], found: false },
];

Deno.test("UrlSearch has bounds, and says which it has reached", async (test) => {
  for (const { what, message, reached, found } of ROWS) {
    await test.step(what, () => {
      const { hosts, reached: bounds } = search(message);
      assert.deepEqual(bounds, reached);
      assert.equal(hosts.map(formatHost).includes("last.example"), found, `${hosts.length} hosts`);
      assert.ok(hosts.length <= HOSTS_LIMIT);
    });
  }
});

Deno.test("UrlSearch keeps the first spelling of a host, in the order of the message", () => {
  const { hosts } = search(
    "\nhttp://WWW.b.example/ http://www.B.example. http://3221225985 http://192.0.2.1 http://%61.example " +
      "http://[2001:DB8::1]:80/",
  );
  assert.deepEqual(hosts.map(({ shown }) => shown), ["WWW.b.example", "3221225985", "a.example", "[2001:DB8::1]"]);
});
