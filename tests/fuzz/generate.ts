// Makes new inputs: from a grammar, or by a few changes to an old one.
//
// The grammar leads to a phase with a valid dialogue, and continues with something hostile. Both sides, the filter and
// the clock take part. Everything comes from one row of random numbers, so a seed gives always the same input.

import { ON_ERROR } from "../../lib/checks/policy.ts";
import { CAUGHT_BY_RULES, LISTED_CLIENT, URL_HOSTS } from "./checks.ts";
import type { Answer, Cut, Filter, Input, ScanAnswer, ScannerName, Settings, Step } from "./input.ts";

export type Random = () => number;

const HELLO = ["EHLO client.example\r\n", "HELO client\r\n", "ehlo [192.0.2.1]\r\n"];
const MAIL = [
  "MAIL FROM:<a@b>\r\n",
  "MAIL FROM:<> SIZE=100\r\n",
  "mail from: a@b body=8bitmime\r\n",
  " MAIL FROM:<a@b> SIZE=90000\r\n",
];
const RCPT = ["RCPT TO:<c@d>\r\n", "rcpt to:<e@f> NOTIFY=NEVER\r\n", 'RCPT TO:<"x>y"@d>\r\n'];
const AUTH = ["AUTH LOGIN\r\n", "auth plain AGEAYg==\r\n", "AUTH CRAM-MD5\r\n"];

const LISTED = `XFORWARD ADDR=${LISTED_CLIENT} HELO=x+20y\r\n`;
const NOT_LISTED = "XFORWARD ADDR=192.0.2.10 HELO=x+20y\r\n";

const COMMANDS = [
  ...HELLO,
  ...MAIL,
  ...MAIL,
  ...RCPT,
  ...RCPT,
  ...AUTH,
  "DATA\r\n",
  "data \r\n",
  "DATA\r\n",
  "DATA x\r\n",
  "RSET\r\n",
  "rset\r\n",
  "NOOP\r\n",
  "NOOP x\r\n",
  "QUIT\r\n",
  "VRFY a\r\n",
  "HELP\r\n",
  "ETRN x\r\n",
  LISTED,
  NOT_LISTED,
  "XFORWARD NAME=[UNAVAILABLE]\r\n",
  "STARTTLS\r\n",
  "BDAT 10 LAST\r\n",
  "bdat 0\r\n",
  "BURL imap://x\r\n",
  "XCLIENT ADDR=127.0.0.1\r\n",
  "XEXCH50 1 2\r\n",
  "lhlo c\r\n",
  "\tSTARTTLS \r\n",
  "\v\fdata\r\n",
  "\r\n",
  " \r\n",
  "*\r\n",
  "GET / HTTP/1.1\r\n",
  "\xff\xfe\x80\r\n",
  "EHLO a\nMAIL FROM:<x@y>\r\n",
  "NOOP\n",
  "RSET\rQUIT\r\n",
  "NOOP\0\r\n",
  "\n",
  "\r",
  "NOOP\r\r\n",
];

// Pieces of content, over {letter, dot, CR, LF, NUL}, and all that somebody takes for its end.
const CONTENT = [
  "a",
  "Subject: x\r\n",
  "X-Postprox: clamd; x\r\n",
  "x-postprox :\r\n\tfolded\r\n",
  "\r\n",
  ".",
  "..",
  "\r",
  "\n",
  "\0",
  "\n.\n",
  "\n.\r\n",
  "\r\n.\n",
  "\r.\r",
  "\r\n.\r",
  "\r\n.\0\r\n",
  "\r\n\0.\r\n",
  "..\r\n",
  "\r\n..\r\n",
  "\r\n. \r\n",
  "QUIT\r\n",
  "MAIL FROM:<evil@x>\r\nRCPT TO:<y@z>\r\nDATA\r\n",
  CAUGHT_BY_RULES,
  ...URL_HOSTS.map((host) => `\r\nhttp://${host}/ `),
  "\x8a\xff\xe4",
];

const DOT = "\r\n.\r\n";

const RAW = [
  "",
  "{} a\r\n{} b\r\n",
  "{}-half\r\n",
  "{} half",
  "{}\r",
  "{} bare\n",
  "{}-bare\n{} b\r\n",
  "{} a\n{} b\n",
  "{} a\rb\r\n",
  "{} nul\0\r\n",
  "2",
  "\r\n",
  "HTTP/1.1 200 OK\r\n\r\n",
  "{}-one\r\n550 two\r\n",
  "250-one\r\n251 two\r\n",
  "{}\r\n",
  "{}-\r\n{} \r\n",
  "150 early\r\n",
  "650 late\r\n",
  "354 go on\r\n250 done\r\n",
  "250 done\r\n354 go on\r\n",
  "2500 x\r\n",
  "{}_x\r\n",
  "421 bye\r\n",
  "{} \xe4\xff\r\n",
];

const CODES = [
  200,
  220,
  221,
  235,
  250,
  250,
  251,
  300,
  334,
  350,
  354,
  354,
  399,
  421,
  421,
  450,
  451,
  452,
  500,
  503,
  550,
  554,
];

const REQUESTS = [
  "greeting",
  "EHLO",
  "HELO",
  "MAIL",
  "RCPT",
  "DATA",
  "DATA",
  "dot",
  "dot",
  "RSET",
  "NOOP",
  "QUIT",
  "AUTH",
  "line",
  "XFORWARD",
];

const DELAYS = [1, 50, 150, 1000, 4000, 20_000, 31_000, 61_000, 80_000, 89_000, 95_000, 199_000, 205_000];

const PASSES = [
  1,
  99,
  101,
  1000,
  5000,
  29_000,
  31_000,
  59_000,
  61_000,
  80_000,
  91_000,
  199_000,
  201_000,
  299_000,
  301_000,
];

const ACTIONS = ["tempfail", "discard", "quarantine", "tag", "log"] as const;
const MEANINGS = ["reject", "tempfail", "discard", "pass", "fail"] as const;

const SCANNERS = ["clamd", "rspamd", "spamd", "urls"] as const;
const GIFTS: Readonly<Record<ScannerName, readonly ScanAnswer["gives"][]>> = {
  clamd: ["clean", "caught", "caught", "error", "nonsense", "silence", "refusal"],
  rspamd: [
    "clean",
    "caught",
    "later",
    "discard",
    "quarantine",
    "marked",
    "marked",
    "error",
    "nonsense",
    "silence",
    "refusal",
  ],
  spamd: ["clean", "caught", "marked", "marked", "error", "nonsense", "silence", "refusal"],
};

const STDERR = [
  "",
  "no\n",
  "550 5.7.1 no\n",
  "451 later\n",
  "421 go away\n",
  "250 fine\n",
  "354 go on\n",
  "550\n",
  "550 a\r\n250 b\r\n",
  "550 a\n  \n\n",
  "\xe4\0\x1b[1m\n",
  "550 \xff\x00\r250 x",
  `550 ${"x".repeat(600)}\n`,
];

export function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random() * from.length)]!;
}

export function chance(probability: number, random: Random): boolean {
  return random() < probability;
}

/** A new input. */
export function generate(random: Random): Input {
  const settings = randomSettings(random);
  const steps: Step[] = [];
  const rounds = chance(0.25, random) ? 2 : 1;
  for (let round = 0; round < rounds; round++) {
    // Checks look at whole messages.
    const { scanners, contentRules, helper, extchk, then, bypass } = settings;
    const isWhole = (scanners || contentRules || helper || extchk || then || bypass) && chance(0.6, random);
    const parts = leadTo(isWhole ? 5 : Math.floor(random() * 7), random);
    if ((settings.restricts || bypass) && parts.length > 1 && chance(0.5, random)) {
      parts.splice(1, 0, pick([LISTED, LISTED, NOT_LISTED], random));
    }
    steps.push(...packets(parts, random));
    for (let count = Math.floor(random() * 4); count > 0; count--) steps.push(hostile(random));
    if (chance(0.5, random)) steps.push(...packets([content(random) + DOT], random));
  }
  for (let count = Math.floor(random() * 4); count > 0; count--) steps.push(hostile(random));
  const mx = chance(0.4, random)
    ? []
    : Array.from({ length: 1 + Math.floor(random() * 2) }, () => randomAnswer(random));
  const programs = Number(settings.filter ?? 0) + Number(settings.extchk ?? 0) + (settings.then ?? 0);
  const some = Math.floor(random() * (programs + 2));
  const filters = programs > 0 ? Array.from({ length: some }, () => randomFilter(random)) : [];
  return { settings, steps, mx, filters, ...randomScans(settings, random) };
}

/** `input` with one to four changes, some of them taken from `other`. */
export function mutate(input: Input, other: Input, random: Random): Input {
  let { settings, steps, mx, filters, scans } = input;
  for (let count = 1 + Math.floor(random() * 4); count > 0; count--) {
    const at = Math.floor(random() * (steps.length + 1));
    const step = steps[at];
    switch (Math.floor(random() * 15)) {
      case 0:
        steps = steps.toSpliced(at, 1);
        break;
      case 1:
        steps = steps.toSpliced(at, 0, hostile(random));
        break;
      case 2:
        if (step) steps = steps.toSpliced(at, 0, step);
        break;
      case 3:
        steps = [...steps.slice(0, at), ...other.steps.slice(Math.floor(random() * other.steps.length))];
        break;
      case 4:
      case 5:
      case 6:
        if (step?.do === "say") steps = steps.with(at, { ...step, text: mutateText(step.text, random) });
        break;
      case 7:
        if (step) steps = steps.with(at, { ...step, rush: !step.rush });
        break;
      case 8:
        if (step?.do === "say") steps = steps.with(at, { ...step, cut: randomCut(random) });
        break;
      case 9:
        mx = mx.length > 0 && chance(0.3, random) ? mx.slice(1) : [...mx, randomAnswer(random)];
        break;
      case 10:
        mx = other.mx;
        break;
      case 11:
        settings = chance(0.5, random) ? randomSettings(random) : other.settings;
        break;
      case 12:
        filters = chance(0.5, random) ? [randomFilter(random), ...filters.slice(1)] : other.filters;
        break;
      case 13:
        if (step) steps = steps.toSpliced(at, 0, ...packets(leadTo(Math.floor(random() * 7), random), random));
        break;
      case 14:
        scans = chance(0.5, random) ? randomScans(settings, random).scans : other.scans;
        break;
    }
  }
  // Inputs that grow and grow only grow slower.
  const kept = scans ? { scans: scans.slice(0, 8) } : {};
  return { settings, steps: steps.slice(0, 16), mx: mx.slice(0, 6), filters: filters.slice(0, 6), ...kept };
}

// A valid dialogue up to a phase: greeting, idle, mail, rcpt, in DATA, after the dot, in AUTH.
function leadTo(phase: number, random: Random): string[] {
  if (phase === 0) return [];
  const parts = [pick(HELLO, random)];
  if (phase === 6) return [...parts, pick(AUTH, random)];
  if (phase >= 2) parts.push(pick(MAIL, random));
  if (phase >= 3) { for (let count = 1 + Math.floor(random() * 2); count > 0; count--) parts.push(pick(RCPT, random)); }
  if (phase >= 4) parts.push("DATA\r\n");
  if (phase >= 5) parts.push(content(random) + DOT);
  return parts;
}

function packets(parts: readonly string[], random: Random): Step[] {
  const manner = random();
  if (manner < 0.4) return parts.map((text) => ({ do: "say", text }));
  if (manner < 0.7) return [{ do: "say", text: parts.join("") }];
  return [{ do: "say", text: parts.join(""), cut: randomCut(random) }];
}

function content(random: Random): string {
  let text = "";
  for (let count = Math.floor(random() * 8); count > 0; count--) text += pick(CONTENT, random);
  return text;
}

function hostile(random: Random): Step {
  const rush = chance(0.2, random) ? { rush: true } : {};
  const kind = random();
  if (kind < 0.45) {
    let text = "";
    for (let count = 1 + Math.floor(random() * 3); count > 0; count--) text += pick(COMMANDS, random);
    return { do: "say", text: chance(0.2, random) ? mutateText(text, random) : text, ...rush };
  }
  if (kind < 0.6) return { do: "say", text: content(random) + (chance(0.5, random) ? DOT : ""), ...rush };
  if (kind < 0.61) return flood(random);
  if (kind < 0.75) return { do: "pass", ms: pick(PASSES, random), ...rush };
  if (kind < 0.85) return { do: pick(["end", "close", "reset", "stall", "take"] as const, random), ...rush };
  if (kind < 0.87) return { do: pick(["shut down", "abandon"] as const, random), ...rush };
  if (kind < 0.93) {
    return { do: "mx says", text: pick(RAW, random).replaceAll("{}", String(pick(CODES, random))), ...rush };
  }
  return { do: pick(["mx ends", "mx closes", "mx resets", "mx stalls", "mx takes"] as const, random), ...rush };
}

// Much of something: lines, refusals, octets without a line end, content.
function flood(random: Random): Step {
  const [text, times] = pick(
    [
      ["NOOP\r\n", 25],
      ["STARTTLS\r\n", 102],
      ["x", 2046],
      ["x", 2047],
      ["x", 13_000],
      ["AUTH ", 2500],
      ["a\n", 1000],
      [`${"x".repeat(1000)}\r\n`, 20],
      ["..\r\n", 30],
    ] as const,
    random,
  );
  return { do: "say", text, times };
}

function mutateText(text: string, random: Random): string {
  const at = Math.floor(random() * (text.length + 1));
  const letter = pick(["\r", "\n", "\0", ".", "a", " ", "\xff", "\r\n", ".\r\n", "\t", "-"], random);
  switch (Math.floor(random() * 4)) {
    case 0:
      return text.slice(0, at) + letter + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1);
    case 2:
      return text.slice(0, at) + letter + text.slice(at + 1);
    default:
      return text.slice(0, at) + pick(chance(0.5, random) ? COMMANDS : CONTENT, random) + text.slice(at);
  }
}

function randomCut(random: Random): Cut {
  const wait = chance(0.3, random) ? { wait: true } : {};
  return { length: pick([1, 2, 5, 20], random), seed: 1 + Math.floor(random() * 1e6), ...wait };
}

function randomAnswer(random: Random): Answer {
  const to = chance(0.8, random) ? pick(REQUESTS, random) : Math.floor(random() * 8);
  const cut = chance(0.3, random) ? { cut: randomCut(random) } : {};
  const then = chance(0.15, random) ? { then: pick(["ends", "closes", "resets", "stalls"] as const, random) } : {};
  const delay = chance(0.3, random) ? { delay: pick(DELAYS, random) } : {};
  const kind = random();
  if (kind < 0.4) return { to, code: pick(CODES, random), ...cut, ...then, ...delay };
  if (kind < 0.6) return { to, lines: 1 + Math.floor(random() * 4), ...cut, ...then, ...delay };
  if (kind < 0.61) return { to, raw: "{}-flood\r\n".repeat(1001), ...then, ...delay };
  if (kind < 0.64) return { to, raw: `{} ${"x".repeat(5000)}\r\n`, ...then, ...delay };
  return { to, raw: pick(RAW, random), ...cut, ...then, ...delay };
}

function randomFilter(random: Random): Filter {
  const delay = chance(0.4, random) ? { delay: pick(DELAYS.slice(0, 8), random) } : {};
  const outfile = chance(0.3, random)
    ? { outfile: content(random), renames: chance(0.3, random) }
    : chance(0.2, random)
    ? { copies: true }
    : {};
  const stderr = chance(0.7, random) ? { stderr: pick(STDERR, random), times: pick([1, 1, 2, 300], random) } : {};
  const odd = chance(0.1, random) ? { outfileIs: pick(["directory", "missing"] as const, random) } : {};
  const email = chance(0.1, random) ? { email: pick(["missing", "changed", "cut"] as const, random) } : {};
  const wrong = chance(0.1, random) ? { wrong: pick(["id", "nonsense"] as const, random) } : {};
  const more = chance(0.1, random) ? { ignoresTerm: true, leavesStderrOpen: chance(0.5, random) } : {};
  const rest = { ...delay, ...outfile, ...stderr, ...odd, ...email, ...more, ...wrong };
  const kind = random();
  if (kind < 0.35) return { exit: 0, ...rest };
  if (kind < 0.7) return { exit: 1, ...rest };
  if (kind < 0.8) return { exit: pick([2, 75, 126, 127, 255], random), ...rest };
  if (kind < 0.87) return { signal: "SIGSEGV", ...rest };
  if (kind < 0.93) return { refused: true };
  return { hangs: true, ...rest };
}

// How the scanners of `settings` deviate, most of them at the first message.
function randomScans({ scanners = [] }: Settings, random: Random): { scans?: readonly ScanAnswer[] } {
  const names = scanners.filter((name) => name !== "urls");
  if (names.length === 0) return {};
  return { scans: Array.from({ length: 1 + Math.floor(random() * 4) }, () => randomScan(pick(names, random), random)) };
}

function randomScan(of: ScannerName, random: Random): ScanAnswer {
  const gives = pick(GIFTS[of], random);
  if (gives === "refusal") return { of, gives };
  if (gives === "nonsense" && chance(0.3, random)) return { of, gives, isEarly: true };
  const delay = chance(0.3, random) ? { delay: pick(DELAYS.slice(0, 8), random) } : {};
  const cut = chance(0.2, random) ? { cut: pick([0, 1, 5, 20, 60], random) } : {};
  const then = chance(0.3, random) ? { then: pick(["resets", "waits"] as const, random) } : {};
  return { of, gives, ...delay, ...cut, ...then };
}

function randomFilterKind(random: Random): Settings {
  if (chance(0.4, random)) return {};
  return { filter: true, ...chance(0.25, random) ? { helper: true } : {} };
}

function randomSettings(random: Random): Settings {
  return {
    ...randomFilterKind(random),
    ...chance(0.2, random) ? { contentRules: true } : {},
    ...chance(0.15, random) ? { restricts: true } : {},
    ...chance(0.12, random) ? { extchk: true } : {},
    ...chance(0.12, random) ? { then: pick([1, 1, 2], random) } : {},
    ...chance(0.1, random) ? { bypass: true } : {},
    ...chance(0.15, random) ? { twoServers: true } : {},
    ...chance(0.35, random) ? { scanners: SCANNERS.filter(() => chance(0.4, random)) } : {},
    ...chance(0.2, random) ? { quarantine: true } : {},
    ...chance(0.3, random) ? { rejectUnsure: true } : {},
    ...chance(0.2, random) ? { rejectBareNewline: true } : {},
    ...chance(0.3, random) ? { allowDiscard: true } : {},
    ...chance(0.3, random) ? { editInPlace: true } : {},
    ...chance(0.2, random) ? { strictExit: true } : {},
    ...chance(0.3, random) ? { exitStatus: [[pick([1, 2, 75, 255], random), pick(MEANINGS, random)]] } : {},
    ...chance(0.3, random) ? { action: pick(ACTIONS, random) } : {},
    ...chance(0.15, random) ? { onError: pick(ON_ERROR, random) } : {},
    ...chance(0.1, random) ? { dryRun: true } : {},
    ...chance(0.15, random) ? { maxMessageSize: pick([0, 3, 50, 60_000], random) } : {},
    ...chance(0.1, random) ? { sessionTimeout: pick([20_000, 70_000, 200_000], random) } : {},
    ...chance(0.2, random) ? { keepalive: pick([10_000, 50_000, 100_000], random) } : {},
    ...chance(0.01, random) ? { connect: pick(["silent", "refused"] as const, random) } : {},
    ...chance(0.1, random) ? { filterTimeout: pick([1000, 85_000, 200_000], random) } : {},
    ...chance(0.1, random) ? { verbose: true } : {},
    ...chance(0.1, random) ? { clientOctets: true } : {},
    ...chance(0.1, random) ? { mxOctets: true } : {},
  };
}
