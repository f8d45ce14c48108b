// The search for URLs in messages, without any lookup, on one core.
//
// Its inputs are mail as it comes, and messages that are made to be slow. It counts the time of the processor. Most of the
// inputs are smaller than the bound of decoded text, so that all of them is read. It runs in the process of the benchmarks.

import process from "node:process";
import { UrlSearch } from "../../lib/mime/url_search.ts";
import { bytesOf, concat } from "../../lib/text/octets.ts";
import { takeTurns } from "./compare.ts";
import type { Bar, Claim } from "./findings.ts";
import type { Group } from "./group.ts";

const PIECE = 8_192;
const AT_LEAST = 10;

const SIZE = 2_000_000;

function repeated(unit: string | Uint8Array, size = SIZE): Uint8Array {
  const octets = typeof unit === "string" ? bytesOf(unit) : unit;
  const all = new Uint8Array(size);
  for (let at = 0; at < size; at += octets.length) all.set(octets.subarray(0, Math.min(octets.length, size - at)), at);
  return all;
}

function counted(unit: (count: number) => string, size = SIZE): Uint8Array {
  let text = "";
  for (let count = 0; text.length < size; count++) text += unit(count);
  return bytesOf(text).subarray(0, size);
}

function base64(octets: Uint8Array): Uint8Array {
  let text = "";
  for (let at = 0; at < octets.length; at += 57) {
    text += `${btoa(String.fromCharCode(...octets.subarray(at, at + 57)))}\n`;
  }
  return bytesOf(text);
}

function noise(size: number): Uint8Array {
  const octets = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(octets.subarray(at, at + 65_536));
  return octets;
}

const HTML = "Content-Type: text/html\n\n";
const BASE64 = "Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n";
const QUOTED = "Content-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n";
const PARTS = "Content-Type: multipart/mixed; boundary=b\n\n";
const UTF16 = "Content-Type: text/html; charset=utf-16\n\n\uffff";
const PAGE =
  '<td style="font-family:Arial" width=\'10\'><a href="http://www.foo.example/a?b=c&amp;d=e%20f">hello when</a></td>\n';

const nested = (depth: number) =>
  counted((at) => `Content-Type: multipart/mixed; boundary=b${at}\n\n--b${at}\n`, 48 * depth);
const after = (head: string | Uint8Array, body: Uint8Array) =>
  concat([typeof head === "string" ? bytesOf(head) : head, body]);
const utf16 = (body: Uint8Array) => concat([bytesOf(UTF16.slice(0, -1)), Uint8Array.of(0xff, 0xfe), body]);

const MAIL: Readonly<Record<string, () => Uint8Array>> = {
  "a web page": () => after(HTML, repeated(PAGE)),
  "a web page in base64": () => after(BASE64, base64(repeated(PAGE))),
  "a web page in quoted-printable": () => after(QUOTED, repeated(PAGE.replaceAll("=", "=3D").replace("www", "=\nwww"))),
  "a web page in UTF-16": () => utf16(repeated(PAGE.replace(/./gs, "$&\0"))),
  "plain text": () => after("\n", repeated("The quick brown fox jumps over the lazy dog, when what was this.\n")),
  "an archive in base64": () =>
    after(`${PARTS}--b\nContent-Type: application/zip\nContent-Transfer-Encoding: base64\n\n`, base64(noise(SIZE))),
};

const SLOW: Readonly<Record<string, () => Uint8Array>> = {
  "only <": () => after(HTML, repeated("<")),
  "only &": () => after(HTML, repeated("&")),
  "only h": () => after(HTML, repeated("h")),
  "only http:": () => after(HTML, repeated("http:")),
  "only www.": () => after(HTML, repeated("www.")),
  "only @": () => after(HTML, repeated("http://a@b@")),
  "only //": () => after(HTML, repeated('"//a.')),
  "quotes that stay open": () => after(HTML, repeated('"http://a\n')),
  "hosts that go on": () => after(HTML, repeated("http://a.b.c.d.e.f.g.h.i.")),
  "one host": () => after(HTML, repeated("http://a.b ")),
  "users that may be hosts": () => after(HTML, repeated("http://a.b,@")),
  "references": () => after(HTML, repeated("&#x68;")),
  "references to wide characters": () => after(HTML, repeated("http://&#128512;")),
  "references that go on": () => after(HTML, repeated("&ampx")),
  "long numbers in references": () => after(HTML, repeated("&#0000000000000000104")),
  "percent signs": () => after(HTML, repeated("%25")),
  "percent signs in hosts": () => after(HTML, counted((at) => `http://%25${at}.${"a".repeat(70)} `)),
  "texts that are no hosts": () => after(HTML, counted((at) => `http://a${at}..b `)),
  "numbers that are no host": () => after(HTML, counted((at) => `http:9${at}99999999 `)),
  "other letters that are no host": () => after(HTML, counted((at) => `http://é${at}..b `, 1_000_000)),
  "other letters in Latin 1": () =>
    after(
      "Content-Type: text/html; charset=iso-8859-15\n\n",
      counted((at) => `http://\x01${at}..b `).map((one) => one === 1 ? 0xe9 : one),
    ),
  "very long hosts": () => after(HTML, counted((at) => `http://${at}.${"é%25.".repeat(350)} `)),
  "noise": () => after(HTML, noise(SIZE)),

  "boundaries": () => after(PARTS, repeated("--b\n")),
  "lines like boundaries": () => after(nested(20), repeated("--\n")),
  "lines that begin like boundaries": () => after(nested(20), repeated("--b1x\n")),
  "deep nesting": () => nested(40_000),
  "empty lines": () => after(nested(10), repeated("\n")),
  "many boundaries": () =>
    after(
      Array.from({ length: 20 }, (_, depth) => {
        const boundaries = Array.from({ length: 20 }, (_, at) =>
          `; boundary=${"a".repeat(100)}${depth}.${at}${"a".repeat(100)}`);
        return `Content-Type: multipart/mixed${boundaries.join("")}\n\n--${"a".repeat(100)}${depth}.0${
          "a".repeat(100)
        }\n`;
      }).join(""),
      repeated(`--${"a".repeat(203)}\n`),
    ),
  "brackets in types": () => repeated(`Content-Type: ${"(".repeat(8000)}\n`),
  "CRs in fields": () => repeated(`Content-Type: ${"\r".repeat(8000)}\n`),
  "encoded messages in each other": () =>
    after(
      "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n".repeat(20),
      repeated("x = y\n"),
    ),
  "short fields": () => repeated("a:\n"),
  "fields of one name": () => repeated("Content-Type: a\n"),
  "folded fields": () => after("Content-Type: a", repeated(" a\n")),
  "parameters": () => repeated(`Content-Type: a${';a="'.repeat(300)}\n`),
  "parameters in parts": () => repeated(`Content-Type: a${";a*0=b".repeat(300)}\n`),
  "lines of a header that are no fields": () => after("a: b\n", repeated("x\n")),
  "one line": () => after(PARTS, repeated("-")),
  "noise in base64": () => after(BASE64, noise(SIZE)),
  "text in base64": () => after(BASE64, repeated("A.\n")),
  "equals signs in quoted-printable": () => after(QUOTED, repeated("=")),
  "characters in quoted-printable": () => after(QUOTED, repeated("=3C", 3 * SIZE)),
  "soft line breaks": () => after(QUOTED, repeated("= \n", 3 * SIZE)),
  "noise in UTF-16": () => utf16(noise(SIZE)),
};

export const urls: Group = {
  name: "urls",
  title: "The search for URLs",
  packages: [],
  run: async ({ pick }) => {
    const size = pick(Infinity, 100_000);
    const all = Object.entries({ ...MAIL, ...SLOW }).map(([name, make]) => ({
      name,
      message: make().subarray(0, size),
    }));
    // The compiler of the runtime has seen each kind of input.
    for (const { message } of all) rateOf(message.subarray(0, 300_000));
    const values = await takeTurns(all, ({ message }) => Promise.resolve(rateOf(message)), pick(5, 1));
    // In each round the slowest input of some.
    const slowest = (names: readonly string[]) =>
      values[0]!.map((_, round) =>
        Math.min(...all.flatMap(({ name }, at) => names.includes(name) ? [values[at]![round]!] : []))
      );
    const claim = (what: string, inputs: typeof MAIL): Claim => ({
      what: `search for URLs: ${what}`,
      values: slowest(Object.keys(inputs)),
      unit: "MB/s",
      wanted: { atLeast: AT_LEAST },
    });
    return [{
      kind: "bars",
      id: "urls",
      title: "Octets of a message in which URLs are searched in a second",
      about:
        "On Deno, one core, messages of 1 to 6 MB; no lookups. The first inputs are mail as it comes. The others are made " +
        "to be slow (`scripts/bench/urls.ts`).",
      unit: "MB/s",
      better: "more",
      claims: [claim("the slowest kind of mail", MAIL), claim("the slowest of all inputs", SLOW)],
      bars: all.map(({ name }, at): Bar => ({ name, values: values[at]!, isOurs: name in MAIL })),
    }];
  },
};

/** MB/s. */
function rateOf(message: Uint8Array): number {
  const search = new UrlSearch();
  const start = processorTime();
  for (let at = 0; at < message.length; at += PIECE) search.push(message.subarray(at, at + PIECE));
  search.end();
  return message.length / 1000 / (processorTime() - start);
}

/** In milliseconds. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
