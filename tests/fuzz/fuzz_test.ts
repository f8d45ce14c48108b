// The short form of the fuzz, which `deno task fuzz` runs at length: a few thousand inputs of one seed, earlier
// findings, and proof that the judge sees errors.
//
// POSTPROX_TEST_SEED chooses other inputs.

import assert from "node:assert/strict";
import { SEED } from "../rig/octets.ts";
import { Campaign, tryInput } from "./campaign.ts";
import { tryCodec } from "./codec.ts";
import { readCorpus } from "./corpus.ts";
import { type Input, NO_INPUT, type Step } from "./input.ts";
import { judge, standing } from "./judge.ts";
import { type Played, playInput } from "./world.ts";

const INPUTS = 3000;
const TEXTS = 10_000;

Deno.test("DotDecoder and DotEncoder agree with the slow ones on inputs of a seed", () => {
  for (let number = 0; number < TEXTS; number++) tryCodec(SEED * 1_000_003 + number);
});

for (const { name, about, input } of readCorpus()) {
  Deno.test(`fuzz: ${name}: ${about}`, async () => {
    assert.deepEqual((await tryInput(input)).complaints, []);
  });
}

Deno.test("fuzz: a session keeps its promises, whatever both sides do", async () => {
  const campaign = new Campaign(SEED, readCorpus().map(({ input }) => input));
  for (let count = 0; count < INPUTS; count++) {
    const failure = await campaign.next();
    if (!failure) continue;
    const { number, complaints, input } = failure;
    assert.fail(`seed ${SEED}, input ${number}: ${complaints.join("; ")}\n${JSON.stringify(input)}`);
  }
  assert.ok(campaign.progress.features > 500, `only ${campaign.progress.features} features met`);
});

// --- the judge itself

const DIALOGUE: Step[] = ["EHLO c\r\n", "MAIL FROM:<a@b>\r\n", "RCPT TO:<c@d>\r\n", "DATA\r\n", "x\r\n.\r\n"].map((
  text,
) => (
  { do: "say", text }
));

const FILTERED: Input = { ...NO_INPUT, settings: { filter: true }, steps: DIALOGUE };

Deno.test("fuzz: the judge accepts a plain dialogue, and finds its message in the features", async () => {
  for (const input of [{ ...NO_INPUT, steps: DIALOGUE }, FILTERED, CHECKED, PROGRAMS]) {
    const { complaints, features } = await tryInput(input);
    assert.deepEqual(complaints, []);
    assert.ok(features.some((feature) => feature.endsWith(": dot 2")), features.join());
  }
});

// A change to the record of a dialogue that went well, and the complaint that the judge must make.
const FORGERIES: readonly [what: string, forge: (played: Played) => void, complaint: RegExp][] = [
  ["a reply is missing", (played) => played.heard = played.heard.replace(/250 r2\r\n/, ""), /expected/],
  ["a reply is too many", (played) => played.heard += "250 r99\r\n", /more than it asked for/],
  [
    "replies change places",
    (played) => played.heard = played.heard.replace(/(250 r2\r\n)(250 r3\r\n)/, "$2$1"),
    /expected/,
  ],
  [
    "a 250 of our own",
    (played) => played.heard = played.heard.replace(/(354.*\r\n)250 r\d+/, "$1250 Ok"),
    /2xx|expected/,
  ],
  ["a text that is no reply", (played) => played.heard = played.heard.replace("250 r2", "2500 r2"), /no reply/],
  ["a hidden keyword", (played) => played.heard = played.heard.replace("250-DSN", "250-CHUNKING"), /expected/],
  ["a command changes", (played) => forgeRequest(played, /^MAIL/, (text) => text.toLowerCase()), /does not hear/],
  ["content changes", (played) => forgeRequest(played, /^x/, (text) => `y${text}`), /downstream gets/],
  ["a second end of data", (played) => forgeRequest(played, /^x/, (text) => `${text}.\r\n`), /downstream gets/],
  ["a command of its own", (played) => forgeRequest(played, /^RSET/, () => "BDAT 1\r\n"), /does not hear/],
  ["the filter sees something else", (played) => forgeRun(played, { email: "y\n" }), /the command sees/],
  ["DATA before the verdict", (played) => forgeRun(played, { endStamp: 1e9 }), /before the verdict/],
  ["DATA after a refusal", (played) => forgeRun(played, { end: { exit: 1 } }), /554 expected/],
  ["a failed filter under -r", (played) => {
    forgeRun(played, { end: { exit: 2 } });
    Object.assign(played.input, { settings: { filter: true, rejectUnsure: true } });
  }, /451 expected/],
  [
    "a false alarm",
    (played) => played.log.write("error", { words: "possible duplicate" }),
    /possible duplicates in the log/,
  ],
];

// A clean message, and one that is discarded.
const CHECKED: Input = {
  ...NO_INPUT,
  settings: { scanners: ["clamd", "rspamd", "spamd", "urls"], quarantine: true, rejectUnsure: true },
  steps: [
    ...DIALOGUE.slice(0, -1),
    "x: y\r\n\r\nhttp://clean.example/\r\n.\r\n",
    ...DIALOGUE.slice(1, -1),
    "spam\r\n.\r\n",
  ]
    .map((step): Step => typeof step === "string" ? { do: "say", text: step } : step),
  scans: [{ of: "rspamd", gives: "clean" }, { of: "rspamd", gives: "discard" }],
};

const FORGED_CHECKS: typeof FORGERIES = [
  ["clamd finds something", (played) => played.scans[0]!.gives = "caught", /550 expected/],
  ["a scanner fails", (played) => played.scans[0]!.gives = "error", /451 expected/],
  ["a scanner is too slow", (played) => played.scans[1]!.endTime! += 40_000, /451 expected/],
  ["a scanner sees something else", (played) => played.scans[0]!.content = "y\n", /clamd is asked about/],
  ["a scanner is not asked", (played) => (played.scans as unknown[]).shift(), /clamd did not look/],
  ["a host is listed", (played) => {
    played.sent = played.sent.replace("clean.example", "listed.example");
    for (const scan of played.scans) scan.content = scan.content!.replace("clean.example", "listed.example");
  }, /550 expected/],
  [
    "a field of spamd is missing",
    (played) => forgeRequest(played, /^X-Spam/, (text) => text.slice(20)),
    /downstream gets/,
  ],
  ["nothing is kept", (played) => played.kept = [], /no copy/],
  ["too much is kept", (played) => played.kept = [...played.kept, ...played.kept], /the quarantine has/],
  ["the wrong message is kept", (played) => Object.assign(played.kept[0]!, { email: "x\n" }), /the quarantine has/],
];

// A message that a checker and two commands change, and one of a client that is not checked.
const PROGRAMS: Input = {
  ...NO_INPUT,
  settings: { scanners: ["clamd"], twoServers: true, extchk: true, filter: true, then: 1, bypass: true },
  steps: [
    ...DIALOGUE,
    { do: "say", text: "XFORWARD ADDR=192.0.2.9 HELO=x+20y\r\n" },
    ...DIALOGUE.slice(1),
  ],
  filters: [{ exit: 0, outfile: "checked\n" }, { exit: 0, outfile: "a\n" }, { exit: 0, outfile: "b\n" }],
  scans: [{ of: "clamd", gives: "nonsense" }],
};

const FORGED_PROGRAMS: typeof FORGERIES = [
  ["the checker sees something else", (played) => forgeRun(played, { email: "y\n" }), /the extchk sees/],
  ["the checker refuses", (played) => forgeRun(played, { end: { exit: 1 } }), /552 expected/],
  [
    "the checker fails, and has changed the message",
    (played) => forgeRun(played, { end: { exit: 2 } }),
    /451 expected/,
  ],
  ["the checker fails", (played) => forgeRun(played, { end: { exit: 2 }, emailLeft: "x\n" }), /the command sees|451/],
  ["the checker is not asked", (played) => played.filters.shift(), /no extchk looks/],
  [
    "a command sees what came",
    (played) => played.filters[1] = { ...played.filters[1]!, email: "x\n" },
    /the command sees/,
  ],
  ["the last command is not asked", (played) => played.filters.splice(2, 1), /no command looks/],
  ["an earlier version is delivered", (played) => forgeRequest(played, /^b/, () => "a\r\n.\r\n"), /downstream gets/],
  ["no other server is asked", (played) => (played.scans as unknown[]).splice(1), /clamd did not look/],
  ["another server is asked", (played) => played.scans[0]!.gives = "clean", /another clamd is asked/],
  ["the same server is asked", (played) => Object.assign(played.scans[1]!, { port: 3310 }), /the same clamd/],
  ["a client that is checked is not", (played) => {
    played.sent = played.sent.replace("192.0.2.9", "192.0.2.8");
    played.mx!.requests.find(({ text }) => /^XFORWARD/.test(text))!.text = "XFORWARD ADDR=192.0.2.8 HELO=x+20y\r\n";
  }, /clamd did not look/],
];

// A client that is listed, and after RSET one that is not known.
const RESTRICTED: Input = {
  ...NO_INPUT,
  settings: { restricts: true },
  steps: [
    "EHLO c\r\n",
    "XFORWARD ADDR=192.0.2.9 HELO=x+20y\r\n",
    "MAIL FROM:<a@b>\r\n",
    "RCPT TO:<c@d>\r\n",
    "RSET\r\n",
  ]
    .map((text): Step => ({ do: "say", text })),
};

const FORGED_RULINGS: typeof FORGERIES = [
  [
    "a listed client is not refused",
    (played) => played.heard = played.heard.replace(/550 .*\r\n/, "250 r9\r\n"),
    /550 expected/,
  ],
  ["a recipient that no rule refuses", (played) => {
    played.sent = played.sent.replace("192.0.2.9", "192.0.2.8");
    played.mx!.requests.find(({ text }) => /^XFORWARD/.test(text))!.text = "XFORWARD ADDR=192.0.2.8 HELO=x+20y\r\n";
  }, /does not hear/],
];

function forgeRequest({ mx }: Played, which: RegExp, forge: (text: string) => string): void {
  const request = mx!.requests.find(({ text }) => which.test(text))!;
  request.text = forge(request.text);
}

function forgeRun({ filters }: Played, change: Partial<Played["filters"][number]>): void {
  Object.assign(filters[0]!, change);
}

Deno.test("fuzz: the judge sees each forgery", async () => {
  for (
    const [input, forgeries] of [
      [FILTERED, FORGERIES],
      [CHECKED, FORGED_CHECKS],
      [PROGRAMS, FORGED_PROGRAMS],
      [RESTRICTED, FORGED_RULINGS],
    ] as const
  ) {
    for (const [what, forge, complaint] of forgeries) {
      const played = await playInput(structuredClone(input), standing);
      assert.deepEqual(judge(played).complaints, [], what);
      forge(played);
      assert.match(judge(played).complaints.join("; "), complaint, what);
    }
  }
});
