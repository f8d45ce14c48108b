// Measures the search for URLs in messages, without any lookup: `deno task bench:urls`.
//
// It counts the time of the processor, so that other programs do not matter much. Its inputs are HTML mail as it comes,
// and messages that are made to be slow. For each it prints the best rate of several rounds, and the longest time that a
// piece of 8 kB took in the best of them: other work waits that long. It ends with status 1 if an input is slower than
// 10 MB/s, on one core. Most of the inputs are smaller than the bound of decoded text, so that all of them is read.

import process from "node:process";
import { UrlSearch } from "../../lib/mime/url_search.ts";
import { bytesOf, concat } from "../../lib/text/octets.ts";

const ROUNDS = 7;
const PIECE = 8_192;
const SLOWEST = 10;

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

/** HTML mail, and then what is made to be slow. */
const INPUTS: Readonly<Record<string, () => Uint8Array>> = {
  "a web page": () => after(HTML, repeated(PAGE)),
  "a web page in base64": () => after(BASE64, base64(repeated(PAGE))),
  "a web page in quoted-printable": () => after(QUOTED, repeated(PAGE.replaceAll("=", "=3D").replace("www", "=\nwww"))),
  "a web page in UTF-16": () => utf16(repeated(PAGE.replace(/./gs, "$&\0"))),
  "plain text": () => after("\n", repeated("The quick brown fox jumps over the lazy dog, when what was this.\n")),
  "an archive in base64": () =>
    after(`${PARTS}--b\nContent-Type: application/zip\nContent-Transfer-Encoding: base64\n\n`, base64(noise(SIZE))),

  "<": () => after(HTML, repeated("<")),
  "&": () => after(HTML, repeated("&")),
  "h": () => after(HTML, repeated("h")),
  "http:": () => after(HTML, repeated("http:")),
  "www.": () => after(HTML, repeated("www.")),
  "@": () => after(HTML, repeated("http://a@b@")),
  "//": () => after(HTML, repeated('"//a.')),
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

interface Measured {
  /** MB/s. */
  readonly rate: number;
  /** Milliseconds. */
  readonly longest: number;
}

function measure(message: Uint8Array): Measured {
  let best: Measured = { rate: 0, longest: Infinity };
  for (let round = 0; round < ROUNDS; round++) {
    const search = new UrlSearch();
    let longest = 0;
    const start = processorTime();
    let before = start;
    for (let at = 0; at < message.length; at += PIECE) {
      search.push(message.subarray(at, at + PIECE));
      const now = processorTime();
      longest = Math.max(longest, now - before);
      before = now;
    }
    search.end();
    const rate = message.length / 1000 / (processorTime() - start);
    best = { rate: Math.max(best.rate, rate), longest: Math.min(best.longest, longest) };
  }
  return best;
}

/** In milliseconds. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

// The compiler of the runtime has seen each kind of input.
for (const input of Object.values(INPUTS)) measure(input().subarray(0, 300_000));
let slowest = Infinity;
for (const [name, input] of Object.entries(INPUTS)) {
  const { rate, longest } = measure(input());
  slowest = Math.min(slowest, rate);
  console.log(`${name.padEnd(40)} ${rate.toFixed(0).padStart(6)} MB/s, ${longest.toFixed(2).padStart(6)} ms`);
}
console.log(`\nslowest: ${slowest.toFixed(0)} MB/s; wanted: ${SLOWEST} MB/s or more`);
if (slowest < SLOWEST) Deno.exitCode = 1;
