// The search for URLs against an independent slow reference, and against what is known to stand in a message. Seeded: a
// failure prints the seed, and POSTPROX_FUZZ_SEED plays it again.

import assert from "node:assert/strict";
import { Base64Decoder, QuotedPrintableDecoder } from "../../lib/mime/transfer_codings.ts";
import { UrlFinder } from "../../lib/mime/url_finder.ts";
import { isOdd, parseOddHost, parsePlainHost } from "../../lib/mime/url_host.ts";
import { UrlSearch } from "../../lib/mime/url_search.ts";
import { bytesOf } from "../../lib/text/octets.ts";
import { formatHost, referenceHosts } from "./url_reference.ts";

const SEED = Number(Deno.env.get("POSTPROX_FUZZ_SEED") ?? 1);
const ROUNDS = Number(Deno.env.get("POSTPROX_FUZZ_ROUNDS") ?? 3_000);

/** mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

interface Dice {
  readonly random: () => number;
  readonly upTo: (limit: number) => number;
  readonly pick: <Item>(items: readonly Item[]) => Item;
}

function diceOf(seed: number): Dice {
  const random = randomOf(seed);
  const upTo = (limit: number) => Math.floor(random() * limit);
  return { random, upTo, pick: (items) => items[upTo(items.length)]! };
}

const TOKENS = [
  ...[
    "http",
    "https",
    "ftp",
    "www",
    "h",
    "t",
    "p",
    "HTTP",
    "w",
    "f",
    ":",
    ":",
    "//",
    "//",
    "/",
    "\\",
    "http://",
    "www.",
  ],
  ...[
    "a",
    "b.c",
    ".",
    "evil.example",
    "-",
    "_",
    "@",
    "@",
    ",",
    ";",
    "(",
    ")",
    "?",
    "#",
    "'",
    "'",
    '"',
    '"',
    "<",
    ">",
    "=",
  ],
  ...[
    " ",
    "\n",
    "\t",
    "\r\n",
    "\0",
    "\x01",
    "a%41",
    "\xc3\xa9",
    "\xe3\x80\x82",
    "&",
    "&amp;",
    "&colon;",
    "&sol;",
    "&quot",
  ],
  ...["&#104;", "&#x74", "&#46;", "&period;", "&Tab;", "&commat;", "&copy", "&lt;", "&xyz;", "&#", "href="],
];

Deno.test("UrlFinder finds what the reference finds", () => {
  for (let round = 0; round < ROUNDS; round++) {
    const seed = SEED * 1_000_000 + round;
    const { upTo, pick } = diceOf(seed);
    const text = Array.from({ length: 1 + upTo(25) }, () => pick(TOKENS)).join("");
    const octets = Uint8Array.from(text, (character) => character.charCodeAt(0));
    const found = new Set<string>();
    const finder = new UrlFinder((host) => found.add(String.fromCharCode(...host)));
    for (let at = 0; at < octets.length;) {
      const end = Math.min(octets.length, at + 1 + upTo(9));
      finder.push(octets, at, end);
      at = end;
    }
    finder.end();
    assert.deepEqual([...found].sort(), [...referenceHosts(text)].sort(), `seed ${seed}: ${JSON.stringify(text)}`);
  }
});

// --- hosts that are known, hidden in messages

/** A URL of `host`, written in one of the ways in which a browser takes it for that. */
function disguise(host: string, { random, pick, upTo }: Dice): { text: string; isForAttributes: boolean } {
  const isForAttributes = random() < 0.5;
  const isEncoded = random() < 0.5;
  const reference = (octet: number) =>
    pick([`&#${octet};`, `&#x${octet.toString(16)};`, `&#${"0".repeat(upTo(9))}${octet};`]);
  const write = (text: string, rarely: number, percent: boolean) =>
    Array.from(bytesOf(text), (octet) => {
      if (octet >= 0x80) return percent && isEncoded ? `%${octet.toString(16)}` : String.fromCharCode(octet);
      let written = String.fromCharCode(octet);
      if (random() < rarely) written = written.toUpperCase();
      if (percent && random() < rarely) written = `%${octet.toString(16)}`;
      if (random() < rarely && isForAttributes) written = Array.from(bytesOf(written), reference).join("");
      if (random() < rarely / 4 && isForAttributes) written += pick(["\n", "\t", "\r\n", "&Tab;", "&#10;"]);
      return written;
    }).join("");
  const scheme = write(`${pick(["http", "https", "ftp"])}:`, 0.1, false);
  const slashes = Array.from({ length: upTo(4) }, () => pick(["/", "\\", "/"])).join("");
  const user = pick(["", "", "user@", "user:secret@", "good.example@", "a@b@"]);
  const behind = pick(["/", "/x?y#z", ":80/", "?x", "#", "./", "\\"]);
  return { text: scheme + slashes + user + write(host, 0.15, true) + behind, isForAttributes };
}

/** One character for each octet. */
function bodyWith(hosts: readonly string[], dice: Dice): string {
  const { pick } = dice;
  return hosts.map((host) => {
    const { text, isForAttributes } = disguise(host, dice);
    const quote = pick(['"', "'"]);
    const written = isForAttributes ? `<a href=${quote}${text}${quote}>` : text;
    return `${pick(["Hello", "<p>", "&amp;", "100 %", "x=y", "a@b.example", "see:"])} ${written} ${
      pick(["", "bye\n", "\n"])
    }`;
  }).join("");
}

function encoded(body: string, { pick, upTo }: Dice): string {
  const text = pick(["", "", "text/html", "text/plain; charset=utf-8", "application/octet-stream", "nonsense"]);
  const type = text === "" ? "" : `Content-Type: ${text}\n`;
  const coding = (name: string) => `Content-Transfer-Encoding: ${name}\n\n`;
  switch (upTo(5)) {
    case 0:
      return `${type}${coding(pick(["base64", "BASE64", "base64 ;x"]))}${
        btoa(body).replace(/.{60}/g, `$&${pick(["\n", "\r\n", " \n"])}`)
      }`;
    case 1: {
      const written = body.replace(/[^ -<>-~\n]/g, (one) => `=${one.charCodeAt(0).toString(16).padStart(2, "0")}`);
      return `${type}${coding("quoted-printable")}${written.replace(/(?:=[0-9a-f]{2}|[^=]){20}/g, "$&=\n")}`;
    }
    case 2: {
      const units = new TextDecoder().decode(Uint8Array.from(body, (one) => one.charCodeAt(0)));
      const isLittle = pick([true, false]);
      const octets = Array.from(`\ufeff${units}`.split(""), (one) => {
        const [high, low] = [String.fromCharCode(one.charCodeAt(0) >> 8), String.fromCharCode(one.charCodeAt(0) & 255)];
        return isLittle ? low + high : high + low;
      }).join("");
      return `Content-Type: text/html; charset=utf-16\n${coding("base64")}${btoa(octets).replace(/.{72}/g, "$&\n")}`;
    }
    default:
      return `${type}\n${body}`;
  }
}

function wrapped(hosts: readonly string[], dice: Dice, depth = 0): string {
  const { random, pick, upTo } = dice;
  if (depth > 4 || random() < 0.3) return encoded(bodyWith(hosts, dice), dice);
  if (random() < 0.3) {
    const inner = wrapped(hosts, dice, depth + 1);
    return random() < 0.5
      ? `Content-Type: message/rfc822\n\n${inner}`
      : `Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n${btoa(inner).replace(/.{76}/g, "$&\n")}`;
  }
  const boundary = `${pick(["b", "=_", "----"])}${depth}${upTo(1000)}`;
  const cut = upTo(hosts.length + 1);
  const parts = [hosts.slice(0, cut), hosts.slice(cut)].map((some) => wrapped(some, dice, depth + 1));
  const declared = pick([`"${boundary}"`, `"${boundary}"; charset=x`]);
  const lines = parts.map((part) => `--${boundary}${pick(["", " "])}\n${part}\n`).join("");
  return `Content-Type: multipart/${pick(["mixed", "related"])}; boundary=${declared}\n\n${lines}` +
    pick(["", `--${boundary}--\nbye\n`]);
}

Deno.test("UrlSearch finds the hosts that are hidden in a message, and no other", () => {
  for (let round = 0; round < ROUNDS / 3; round++) {
    const seed = SEED * 1_000_000 + round;
    const dice = diceOf(seed);
    const hosts = Array.from(
      { length: 1 + dice.upTo(8) },
      (_, at) =>
        dice.pick([`h${at}.example`, `www.h${at}.co.example`, `bücher${at}.example`, `${dice.upTo(256)}.0.2.${at}`]),
    );
    const message = `Subject: x\n${wrapped(hosts, dice)}`;
    const octets = Uint8Array.from(message, (character) => character.charCodeAt(0));
    const search = new UrlSearch();
    for (let at = 0; at < octets.length;) {
      const end = Math.min(octets.length, at + 1 + dice.upTo(200));
      search.push(octets.slice(at, end));
      at = end;
    }
    search.end();
    if (search.reached.length > 0) continue;
    const expected = new Set(hosts.map((host) => new URL(`http://${host}`).hostname));
    // A URL that goes on in an attribute may end before that in plain text, and so may a user.
    const isBeginning = (one: string) => one === "good.example" || hosts.some((host) => isShorter(one, host));
    const found = search.hosts.map(formatHost).filter((host) => expected.has(host) || !isBeginning(host));
    assert.deepEqual(found.sort(), [...expected].sort(), `seed ${seed}: ${JSON.stringify(message)}`);
  }
});

/** Whether `one` is the beginning of `host`, in A-labels. */
function isShorter(one: string, host: string): boolean {
  return Array.from(host, (_, end) => host.slice(0, end)).some((beginning) => {
    try {
      return new URL(`http://${beginning}`).hostname.replace(/\.$/, "") === one;
    } catch {
      return false;
    }
  });
}

// --- messages that make no sense

const SCRAPS = [
  ...["Content-Type: ", "content-transfer-encoding:", "Subject: x", "multipart/mixed; ", "boundary=b", 'boundary="c"'],
  ...["message/rfc822", "text/html; charset=utf-16", "image/gif", "base64", "quoted-printable", "multipart/digest; "],
  ...[
    "--b",
    "--c",
    "--b--",
    "--",
    "-",
    "\n",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\0",
    "\xff\xfe",
    "\xfe\xff",
    " ",
    "\t",
    ":",
    ";",
  ],
  ...[
    "=",
    "=3D",
    "=\n",
    "aHR0cDovL2EuZXhhbXBsZS8=",
    "aHR0cDovL2IuZXhhbXBsZS8g\n",
    "http://c.example/",
    "www.d.example ",
  ],
  ...[
    '<a href="http://e&#46;exam\nple">',
    "h\0t\0t\0p\0:\0/\0f\0.\0g\0h\0",
    "\xc3\xa9",
    "x".repeat(40),
    "From me",
    "(",
    '"',
  ],
];

Deno.test("UrlSearch finds the same however a message is cut, and whatever it is", () => {
  for (let round = 0; round < ROUNDS; round++) {
    const seed = SEED * 1_000_000 + round;
    const { upTo, pick } = diceOf(seed);
    const text = Array.from({ length: 1 + upTo(60) }, () => pick(SCRAPS)).join("");
    const octets = Uint8Array.from(text, (character) => character.charCodeAt(0));
    const hosts = (cut: () => number) => {
      const search = new UrlSearch();
      for (let at = 0; at < octets.length;) {
        const end = Math.min(octets.length, at + cut());
        search.push(octets.slice(at, end));
        at = end;
      }
      search.end();
      return [...search.hosts.map(formatHost), ...search.reached];
    };
    const whole = hosts(() => octets.length);
    assert.deepEqual(hosts(() => 1 + upTo(40)), whole, `seed ${seed}: ${JSON.stringify(text)}`);
    assert.deepEqual(hosts(() => 1), whole, `seed ${seed}: ${JSON.stringify(text)}`);
  }
});

// --- the pieces

function decode(kind: typeof Base64Decoder | typeof QuotedPrintableDecoder, text: string, { upTo }: Dice): string {
  let decoded = "";
  const sink = {
    push: (octets: Uint8Array, start: number, end: number) => {
      for (let at = start; at < end; at++) decoded += String.fromCharCode(octets[at]!);
    },
  };
  const decoder = new kind(sink);
  const octets = Uint8Array.from(text, (character) => character.charCodeAt(0));
  for (let at = 0; at < octets.length;) {
    const end = Math.min(octets.length, at + 1 + upTo(20));
    decoder.push(octets, at, end);
    at = end;
  }
  decoder.end();
  return decoded;
}

Deno.test("Base64Decoder decodes as atob does, whatever stands between", () => {
  for (let round = 0; round < ROUNDS; round++) {
    const dice = diceOf(SEED * 1_000_000 + round);
    const { upTo, pick } = dice;
    const pieces = Array.from(
      { length: upTo(8) },
      () => pick(["QUJD", "aHR0", "A", "=", "\n", " ", ".", "-", "/+9z", "QQ=="]),
    );
    const expected = pieces.join("").replace(/[^A-Za-z0-9+/=]/g, "").split("=")
      .map((part) => atob(part.length % 4 === 1 ? part.slice(0, -1) : part)).join("");
    assert.equal(decode(Base64Decoder, pieces.join(""), dice), expected, JSON.stringify(pieces));
  }
});

Deno.test("QuotedPrintableDecoder decodes as two regular expressions do", () => {
  for (let round = 0; round < ROUNDS; round++) {
    const dice = diceOf(SEED * 1_000_000 + round);
    const { upTo, pick } = dice;
    const text = Array.from(
      { length: upTo(12) },
      () => pick(["=", "=4", "=41", "=3D", "=3d", "\n", " ", "\t", "\r\n", "x", "=\n"]),
    )
      .join("");
    const expected = text.replace(/=[ \t\r]*$/, "").replace(
      /=(?:([0-9A-Fa-f]{2})|[ \t\r]*\n)/g,
      (_, hex) => hex ? String.fromCharCode(parseInt(hex, 16)) : "",
    );
    // Blanks after a `=` that ends no line are one.
    const blanks = (written: string) => written.replace(/=[ \t\r]+/g, "= ");
    assert.equal(blanks(decode(QuotedPrintableDecoder, text, dice)), blanks(expected), JSON.stringify(text));
  }
});

Deno.test("A host is read as the runtime's URL reads it", () => {
  for (let round = 0; round < ROUNDS; round++) {
    const { upTo, pick } = diceOf(SEED * 1_000_000 + round);
    const text = Array.from(
      { length: 1 + upTo(6) },
      () =>
        pick([
          "a",
          "Ex",
          ".",
          ".",
          "0x",
          "0",
          "7",
          "9",
          "255",
          "256",
          "example",
          "-",
          "%41",
          "%2e",
          "ü",
          "Ü",
          "。",
          "４",
          "xn--",
        ]),
    )
      .join("");
    let expected: string | undefined;
    try {
      expected = new URL(`http://${text}/`).hostname.replace(/\.$/, "");
    } catch {
      // It is no host.
    }
    // Hosts that DNS cannot have, and wrong A-labels, are another matter.
    const isName = expected !== undefined &&
      /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\.[a-z](?:[a-z0-9-]*[a-z0-9])?$|^(?:[0-9]+\.){3}[0-9]+$/
        .test(expected);
    if (!isName || text.startsWith(".") || /xn--/i.test(text)) continue;
    const octets = bytesOf(text);
    const hosts = isOdd(octets)
      ? parseOddHost(octets, () => "")
      : [parsePlainHost(octets)].flatMap((host) => host ?? []);
    assert.ok(hosts.map(formatHost).includes(expected!), `${text} is ${expected}, not ${hosts.map(formatHost)}`);
  }
});
