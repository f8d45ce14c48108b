// Snapshots for tests: a program that has just started, one minute, a full hour, and an hour full of hostile text.

import {
  BUCKET_BOUNDS,
  type Histogram,
  type Minute,
  MINUTES_KEPT,
  type Refusal,
  REFUSALS_KEPT,
  type Snapshot,
  TEXT_LIMIT,
  type VerdictLabel,
} from "../../lib/metrics/snapshot.ts";

/** 2026-11-29 03:07:42 UTC */
export const NOW = Date.UTC(2026, 10, 29, 3, 7, 42);

const THIS_MINUTE = Math.floor(NOW / 60_000);

const NOTHING: Histogram = { buckets: [...BUCKET_BOUNDS, Infinity].map(() => 0), sum: 0 };

/** The program has just started. */
export const EMPTY: Snapshot = {
  time: NOW,
  startTime: NOW - 2_000,
  build: { version: "1.1.0", runtime: "Deno 2.9.6" },
  messages: [],
  messageBytes: 0,
  sessionsOpen: 0,
  sessionsTotal: 0,
  checkSeconds: {},
  downstreamSeconds: NOTHING,
  checkErrors: {},
  possibleDuplicates: 0,
  filtersRunning: 0,
  filtersWaiting: 0,
  workers: 0,
  workersWanted: 0,
  workerRestarts: 0,
  minutes: [],
  refusals: [],
};

/** It runs for less than a minute, and has one message. */
export const ONE: Snapshot = {
  ...EMPTY,
  startTime: NOW - 30_000,
  messages: [{ verdict: "pass", check: "", count: 1 }],
  messageBytes: 5_210,
  sessionsOpen: 1,
  sessionsTotal: 1,
  checkSeconds: { command: histogram([0, 0, 0, 1]) },
  downstreamSeconds: histogram([0, 1]),
  minutes: [{ minute: THIS_MINUTE, messages: { pass: 1 }, sessions: 1, sessionsOpen: 1 }],
};

function histogram(counts: readonly number[]): Histogram {
  const buckets = NOTHING.buckets.map((_, at) => counts[at] ?? 0);
  return { buckets, sum: buckets.reduce((sum, count, at) => sum + count * (BUCKET_BOUNDS[at - 1] ?? 0), 0) };
}

// A night: calm mail, an hour in which clamd was away for a while, and a wave of spam.
function nightly(at: number): Minute {
  const wave = Math.max(0, 1 - Math.abs(at - 41) / 7);
  const swing = (Math.sin(at * 1.7) + Math.sin(at * 0.43) + 2) / 4;
  const pass = Math.round(70 + 60 * swing);
  const messages = {
    pass: at >= 16 && at <= 19 ? 0 : pass,
    unchecked: at >= 16 && at <= 19 ? pass : 0,
    bypass: at % 7 === 3 ? 4 : 0,
    tag: Math.round(4 * swing),
    reject: Math.round(9 * swing + 85 * wave),
    tempfail: Math.round(12 * wave),
    discard: at % 11 === 5 ? 2 : 0,
    quarantine: Math.round(3 * swing),
  };
  const isNow = at === MINUTES_KEPT - 1;
  const part = isNow ? 0.7 : 1;
  for (const verdict of Object.keys(messages) as VerdictLabel[]) {
    messages[verdict] = Math.round(messages[verdict] * part);
  }
  const sessions = Math.round((60 + 40 * swing + 50 * wave) * part);
  return {
    minute: THIS_MINUTE - MINUTES_KEPT + 1 + at,
    messages,
    sessions,
    sessionsOpen: Math.round(6 + 5 * swing + 22 * wave),
  };
}

const REFUSED: readonly Omit<Refusal, "time">[] = [
  {
    what: "message",
    verdict: "reject",
    check: "clamd",
    reason: "Win.Test.EICAR_HDB-1",
    sender: "billing@invoices.example",
    recipients: 1,
    client: "mail.invoices.example[192.0.2.44]",
    reply: "554 5.7.1 Virus found: Win.Test.EICAR_HDB-1",
  },
  {
    what: "message",
    verdict: "quarantine",
    check: "rspamd",
    reason: "score 18.4 of 15",
    sender: "newsletter+jane.doe=customer.example@bounce.bulk-sender-with-a-long-name.example.net",
    recipients: 12,
    client: "unknown[2001:db8:85a3::8a2e:370:7334]",
    reply: "250 2.0.0 Ok: discarded",
  },
  {
    what: "recipient",
    verdict: "reject",
    check: "rules",
    reason: "ops.rules:14: client is on zen.dnsbl.example (127.0.0.4)",
    sender: "",
    recipients: 0,
    client: "unknown[198.51.100.7]",
    reply: "554 5.7.1 <info@example.org>: Recipient address rejected: Service unavailable; client is on a blocklist",
  },
  {
    what: "message",
    verdict: "tempfail",
    check: "helper",
    reason: "no answer within 30 s",
    sender: "alice@example.com",
    recipients: 2,
    client: "out-3.example.com[203.0.113.9]",
    reply: "451 4.3.0 Message could not be checked, try again later",
  },
  {
    what: "message",
    verdict: "reject",
    check: "urls",
    reason: "pay-now.example is on the list bad-urls.example",
    sender: "support@bank-security.example",
    recipients: 1,
    client: "vps-81.hoster.example[198.51.100.81]",
    reply: "550 5.7.1 The message has a link to a listed host",
  },
  {
    what: "message",
    verdict: "tempfail",
    check: "",
    reason: "cannot write a spool file: No space left on device",
    sender: undefined,
    recipients: 1,
    client: undefined,
    reply: "452 4.3.1 Insufficient system storage",
  },
];

const MINUTES = Array.from({ length: MINUTES_KEPT }, (_, at) => nightly(at));

const SINCE_START: readonly (readonly [VerdictLabel, string, number])[] = [
  ["pass", "", 1_204_311],
  ["unchecked", "", 2_488],
  ["bypass", "", 3_377],
  ["tag", "rspamd", 20_118],
  ["reject", "clamd", 902],
  ["reject", "rspamd", 88_120],
  ["reject", "urls", 4_031],
  ["tempfail", "helper", 377],
  ["discard", "filter-rules", 201],
  ["quarantine", "rspamd", 9_422],
];

/** A full hour of a busy server. */
export const FULL: Snapshot = {
  ...EMPTY,
  startTime: NOW - 11.3 * 86_400_000,
  messages: SINCE_START.map(([verdict, check, count]) => ({ verdict, check, count })),
  messageBytes: 91_200_441_120,
  sessionsOpen: 9,
  sessionsTotal: 1_022_871,
  checkSeconds: {
    "filter-rules": histogram([1_300_000, 2_000]),
    clamd: histogram([120_000, 700_000, 410_000, 70_000, 9_000, 1_000, 120]),
    rspamd: histogram([0, 2_000, 90_000, 400_000, 610_000, 180_000, 20_000, 3_000, 400, 30, 4]),
    urls: histogram([400_000, 500_000, 300_000, 80_000, 9_000, 2_200, 900, 100]),
    helper: histogram([0, 0, 20_000, 800_000, 400_000, 60_000, 10_000, 9_000, 4_000, 1_200, 500, 377]),
  },
  downstreamSeconds: histogram([0, 10_000, 400_000, 600_000, 150_000, 40_000, 9_000, 1_100, 300, 90, 8, 3]),
  checkErrors: { clamd: 412, helper: 377 },
  possibleDuplicates: 3,
  filtersRunning: 5,
  filtersWaiting: 0,
  filtersLimit: 8,
  workers: 4,
  workersWanted: 4,
  workerRestarts: 2,
  minutes: MINUTES,
  refusals: Array.from({ length: REFUSALS_KEPT }, (_, at) => ({
    ...REFUSED[at % REFUSED.length]!,
    time: NOW - 9_000 - at * 41_000,
  })),
};

/** What a stranger may send to become markup, to hide, to turn text around, or to make the page wide. */
export const HOSTILE_TEXTS: readonly string[] = [
  `<script>document.title = "owned"</script>`,
  `"><img src=x onerror=alert(1)>`,
  `</td></tr></table><h1>All is well</h1>`,
  `' onmouseover='alert(1)`,
  `</style><style>*{display:none}</style>`,
  `<!-- `,
  `]]></svg><iframe src="https://evil.example/">`,
  `&lt;b&gt;&#60;i&#62;`,
  `<meta http-equiv=refresh content="0;url=https://evil.example/">`,
  `user\u202egpj.exe@\u2066evil\u2069.example`,
  `\u0627\u0644\u0639\u0631\u0628\u064a\u0629@\u05d3\u05d5\u05d2\u05de\u05d4.example`,
  `zero\u200bwidth\u2060\ufeff\u00ad@\u3164.example`,
  `\x00\x07\x1b[31mred\x1b[0m\r\nX: y\x7f\x9b`,
  `z${"\u0301\u0321\u034f".repeat(80)}@zalgo.example`,
  `\ud800 half \udc00 pairs`,
  `\u{e0041}\u{e0042}\u{1f468}\u200d\u{1f469} tags`,
  "x".repeat(TEXT_LIMIT),
  "\u202e".repeat(TEXT_LIMIT),
  "\ufdfd".repeat(TEXT_LIMIT),
  "W ".repeat(TEXT_LIMIT / 2),
  "\\".repeat(TEXT_LIMIT),
];

/** Strangers have filled everything that they can fill. */
export const HOSTILE: Snapshot = {
  ...FULL,
  refusals: Array.from({ length: REFUSALS_KEPT }, (_, at) => {
    const text = (shift: number) => HOSTILE_TEXTS[(at + shift) % HOSTILE_TEXTS.length]!;
    return {
      time: NOW - at * 1_000,
      what: "message",
      verdict: "reject",
      check: text(4),
      reason: text(0),
      sender: text(1),
      recipients: 1_000_000,
      client: text(2),
      reply: text(3),
    };
  }),
  checkErrors: Object.fromEntries(HOSTILE_TEXTS.map((text) => [text, 1_000_000_000])),
  lastError: { time: NOW - 61_000, text: HOSTILE_TEXTS.join(" ") },
};
