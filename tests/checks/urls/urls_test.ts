// Tests of lib/checks/urls/: which lookups are made for the hosts of URLs, and what follows from the answers.

import assert from "node:assert/strict";
import { parseAllowedNames } from "../../../lib/checks/urls/allowed.ts";
import { namesToAsk } from "../../../lib/checks/urls/listed_host.ts";
import { urlsCheck } from "../../../lib/checks/urls/urls.ts";
import { type DnsList, parseDnsList } from "../../../lib/dns/list.ts";
import { ListStates } from "../../../lib/dns/list_states.ts";
import { messageOf } from "../../../lib/mail/message.ts";
import type { Clock } from "../../../lib/ports/runtime.ts";
import type { Verdict } from "../../../lib/mail/verdict.ts";
import { replyText } from "../../../lib/smtp/reply.ts";
import { bytesOf } from "../../../lib/text/octets.ts";
import { SharedTurn } from "../../../lib/wire/shared_turn.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { FakeLogger } from "../../fakes/logger.ts";
import { type FakeAnswer, FakeResolver } from "../../fakes/resolver.ts";
import { FakeRuntime } from "../../fakes/runtime.ts";
import { settled } from "../../fakes/settled.ts";
import { fillSpool, MAIL, newSpool } from "../../fakes/spool.ts";

interface World {
  readonly dnsbl?: readonly string[];
  readonly rhsbl?: readonly string[];
  readonly allow?: string;
  readonly names?: readonly (readonly [string, string])[];
  readonly answers?: Readonly<Record<string, FakeAnswer>>;
  readonly timeout?: number;
  readonly limit?: number;
  /** Zones that list everything. */
  readonly listsAll?: readonly string[];
  /** Milliseconds that pass after each piece of the message that is searched. */
  readonly pieceTakes?: number;
  readonly abort?: true;
}

/** Other work takes its time whenever it gets a turn. */
class SlowTurn extends SharedTurn {
  readonly #wait: () => Promise<void>;

  constructor(clock: Clock, delay: number) {
    super(clock);
    this.#wait = () => new Promise((resolve) => clock.after(delay, resolve));
  }

  override share(): Promise<void> {
    return this.#wait();
  }
}

interface Judged {
  readonly verdict: Verdict;
  readonly asked: readonly string[];
  readonly notices: readonly string[];
  readonly log: readonly string[];
  /** Milliseconds until the answer. */
  readonly time: number;
}

async function judge(message: string, world: World): Promise<Judged> {
  const clock = new FakeClock();
  const resolver = new FakeResolver(clock);
  for (const [question, answer] of Object.entries(world.answers ?? {})) resolver.answers.set(question, answer);
  const logger = new FakeLogger();
  const lists = new ListStates(logger);
  const parsed = (texts: readonly string[] = []): DnsList[] => texts.map(parseDnsList);
  for (const zone of world.listsAll ?? []) {
    lists.setListsAll("domain", zone, true);
    lists.setListsAll("address", zone, true);
  }
  const { spool, files } = newSpool(new FakeRuntime().files, { named: false });
  await fillSpool(spool, bytesOf(message));
  const check = urlsCheck({ clock, resolver }, { timeout: 5_000, lists }, {
    dnsbl: parsed(world.dnsbl),
    rhsbl: parsed(world.rhsbl),
    allowed: parseAllowedNames(world.allow ?? ""),
    listNames: new Map(world.names),
    timeout: world.timeout ?? 30_000,
    turn: world.pieceTakes === undefined ? new SharedTurn(clock) : new SlowTurn(clock, world.pieceTakes),
  });
  const aborter = new AbortController();
  const notices: string[] = [];
  let verdict: Verdict | undefined;
  const start = clock.now();
  const judging = check.judge(messageOf(MAIL, spool), {
    signal: aborter.signal,
    limit: world.limit ?? 80_000,
    notice: (text) => void notices.push(text),
    files,
  }).then((judged) => verdict = judged);
  await settled();
  if (world.abort) aborter.abort();
  await settled();
  for (let steps = 0; !verdict && steps < 200; steps++) await clock.advance(500);
  await judging;
  const time = clock.now() - start;
  const asked = [...resolver.asked];
  // Lookups that nobody waits for any more end by themselves.
  await clock.advance(60_000);
  assert.equal(clock.pending, 0, "timers are left");
  return { verdict: verdict!, asked, notices, log: logger.lines.map(String), time };
}

const saying = (verdict: Verdict) => "reply" in verdict ? replyText(verdict.reply) : verdict.kind;
const body = (text: string) => `Subject: x\n\n${text}\n`;

/** A message of many pieces, with a host in the first one and another one in the last one. */
const LONG = body(`http://first.example/\n${"A line of a long message.\n".repeat(31_500)}http://evil.example/`);

const LISTED = ["127.0.0.2"];

interface Row extends World {
  readonly what: string;
  readonly message: string;
  readonly says: string;
  readonly why?: string;
  /** Milliseconds until the answer. */
  readonly takes?: number;
  /** All lookups, in any order. */
  readonly asks?: readonly string[];
}

const ROWS: readonly Row[] = [
  { what: "no URL", message: body("Hello"), rhsbl: ["dbl.test"], says: "accept", asks: [] },
  {
    what: "a host that a list of domains has",
    message: body("http://evil.example/x"),
    rhsbl: ["dbl.test"],
    answers: { "evil.example.dbl.test A": LISTED, "evil.example.dbl.test TXT": ["see http://dbl.test/"] },
    says: "550 5.7.1 evil.example is listed by dbl.test",
    why: "evil.example is listed by dbl.test: see http://dbl.test/",
    asks: ["evil.example.dbl.test A", "evil.example.dbl.test TXT"],
  },
  {
    what: "one that no list has",
    message: body("http://good.example/x"),
    rhsbl: ["dbl.test", "d2.test"],
    says: "accept",
    why: "no URL list has one of 1 hosts",
    asks: ["good.example.dbl.test A", "good.example.d2.test A"],
  },
  {
    what: "a name above the host",
    message: body("http://a.b.Evil.example/x"),
    rhsbl: ["dbl.test"],
    answers: { "evil.example.dbl.test A": LISTED },
    says: "550 5.7.1 a.b.Evil.example is listed by dbl.test",
    why: "a.b.Evil.example (evil.example) is listed by dbl.test",
    asks: ["a.b.evil.example", "b.evil.example", "evil.example"].map((name) => `${name}.dbl.test A`)
      .concat("evil.example.dbl.test TXT"),
  },
  {
    what: "an address of the host",
    message: body("http://evil.example/x"),
    dnsbl: ["bl.test"],
    answers: { "evil.example A": ["192.0.2.7", "192.0.2.8"], "8.2.0.192.bl.test A": LISTED },
    says: "550 5.7.1 evil.example is listed by bl.test",
    why: "evil.example (192.0.2.8) is listed by bl.test",
    asks: [
      "evil.example A",
      "evil.example AAAA",
      "7.2.0.192.bl.test A",
      "8.2.0.192.bl.test A",
      "8.2.0.192.bl.test TXT",
    ],
  },
  {
    what: "an IPv6 address of the host",
    message: body("http://evil.example/x"),
    dnsbl: ["bl.test"],
    answers: {
      "evil.example AAAA": ["2001:db8::1"],
      [`1.${"0.".repeat(23)}8.b.d.0.1.0.0.2.bl.test A`]: LISTED,
    },
    says: "550 5.7.1 evil.example is listed by bl.test",
    why: "evil.example (2001:db8:0:0:0:0:0:1) is listed by bl.test",
  },
  {
    what: "a host of numbers, in a list of addresses alone",
    message: body("http://3221225985/x"),
    dnsbl: ["bl.test"],
    rhsbl: ["dbl.test"],
    answers: { "1.2.0.192.bl.test A": LISTED },
    says: "550 5.7.1 3221225985 is listed by bl.test",
    why: "3221225985 (192.0.2.1) is listed by bl.test",
    asks: ["1.2.0.192.bl.test A", "1.2.0.192.bl.test TXT"],
  },
  {
    what: "private and loopback addresses, which no list is asked about",
    message: body("http://127.0.0.1/ http://10.1.2.3/ http://[::1]/ http://inside.example/"),
    dnsbl: ["bl.test"],
    answers: { "inside.example A": ["192.168.1.1"] },
    says: "accept",
    asks: ["inside.example A", "inside.example AAAA"],
  },
  {
    what: "a host that has no address, and one whose name servers fail",
    message: body("http://none.example/ http://fails.example/"),
    dnsbl: ["bl.test"],
    answers: { "fails.example A": "other", "fails.example AAAA": "silent" },
    says: "accept",
  },
  {
    what: "answers that do not count",
    message: body("http://evil.example/"),
    rhsbl: ["dbl.test=127.0.1.4-6", "d2.test=127.0.0.0&8", "d3.test=127.0.[0..1].[2;9]"],
    answers: {
      "evil.example.dbl.test A": ["127.0.1.2"],
      "evil.example.d2.test A": ["127.0.0.4"],
      "evil.example.d3.test A": ["127.0.0.3"],
    },
    says: "accept",
  },
  {
    what: "answers that count: a range",
    message: body("http://evil.example/"),
    rhsbl: ["dbl.test=127.0.1.4-6"],
    answers: { "evil.example.dbl.test A": ["127.0.1.2", "127.0.1.5"] },
    says: "550 5.7.1 evil.example is listed by dbl.test",
  },
  {
    what: "answers that count: bits",
    message: body("http://evil.example/"),
    rhsbl: ["d2.test=127.0.0.0&8"],
    answers: { "evil.example.d2.test A": ["127.0.0.12"] },
    says: "550 5.7.1 evil.example is listed by d2.test",
  },
  {
    what: "answers that count: Postfix's pattern",
    message: body("http://evil.example/"),
    rhsbl: ["d3.test=127.0.[0..1].[2;9]"],
    answers: { "evil.example.d3.test A": ["127.0.1.9"] },
    says: "550 5.7.1 evil.example is listed by d3.test",
  },
  {
    what: "answers that are no listing",
    message: body("http://evil.example/"),
    rhsbl: ["dbl.test"],
    answers: { "evil.example.dbl.test A": ["127.255.255.254"], "evil.example.dbl.test TXT": ["open resolver"] },
    says: "accept",
  },
  {
    what: "a list that lists everything",
    message: body("http://evil.example/ http://192.0.2.1/"),
    rhsbl: ["dbl.test"],
    dnsbl: ["bl.test"],
    listsAll: ["dbl.test", "bl.test"],
    answers: { "evil.example.dbl.test A": LISTED, "1.2.0.192.bl.test A": LISTED },
    says: "accept",
  },
  {
    what: "a name for the zone",
    message: body("http://evil.example/"),
    rhsbl: ["key.dbl.test"],
    names: [["key.dbl.test", "the list"]],
    answers: { "evil.example.key.dbl.test A": LISTED, "evil.example.key.dbl.test TXT": ["key.dbl.test says so"] },
    says: "550 5.7.1 evil.example is listed by the list",
    why: "evil.example is listed by key.dbl.test: key.dbl.test says so",
  },
  {
    what: "names that are allowed, and those below them",
    message: body("http://good.example/ http://www.good.example/ http://notgood.example/ http://192.0.2.1/"),
    rhsbl: ["dbl.test"],
    dnsbl: ["bl.test"],
    allow: "# ours\nGood.Example.\n",
    says: "accept",
    asks: [
      "notgood.example.dbl.test A",
      "notgood.example A",
      "notgood.example AAAA",
      "1.2.0.192.bl.test A",
    ],
  },
  {
    what: "a list that gives no answer",
    message: body("http://evil.example/"),
    rhsbl: ["dbl.test"],
    answers: { "evil.example.dbl.test A": "silent" },
    says: "unsure",
    why: "URL list dbl.test is of no use: cannot look up A of evil.example.dbl.test: silent",
  },
  {
    what: "a list that fails, and another one that has the host",
    message: body("http://evil.example/"),
    rhsbl: ["dbl.test", "d2.test"],
    answers: { "evil.example.dbl.test A": "other", "evil.example.d2.test A": LISTED },
    says: "550 5.7.1 evil.example is listed by d2.test",
  },
  {
    what: "the first host in the message",
    message: body("http://a.example/ http://b.example/ http://c.example/"),
    rhsbl: ["dbl.test"],
    answers: { "b.example.dbl.test A": LISTED, "c.example.dbl.test A": LISTED },
    says: "550 5.7.1 b.example is listed by dbl.test",
  },
  {
    what: "very many hosts whose name servers are silent, and one that is listed",
    message: body(Array.from({ length: 99 }, (_, at) => `http://h${at}.example/`).join(" ") + " http://evil.example/"),
    dnsbl: ["bl.test"],
    answers: {
      ...Object.fromEntries(Array.from({ length: 99 }, (_, at) => [`h${at}.example A`, "silent"] as const)),
      "evil.example A": ["192.0.2.7"],
      "7.2.0.192.bl.test A": LISTED,
    },
    says: "550 5.7.1 evil.example is listed by bl.test",
  },
  {
    what: "an address that is listed, and a lookup of the other kind of address without an answer",
    message: body("http://evil.example/ http://silent.example/"),
    dnsbl: ["bl.test"],
    answers: {
      "evil.example A": ["192.0.2.7"],
      "evil.example AAAA": "silent",
      "silent.example A": "silent",
      "7.2.0.192.bl.test A": LISTED,
    },
    says: "550 5.7.1 evil.example is listed by bl.test",
    takes: 0,
  },
  {
    what: "a list that has the host, and one that is silent",
    message: body("http://evil.example/ http://other.example/"),
    rhsbl: ["silent.test", "dbl.test"],
    answers: {
      "evil.example.silent.test A": "silent",
      "other.example.silent.test A": "silent",
      "evil.example.dbl.test A": LISTED,
    },
    says: "550 5.7.1 evil.example is listed by dbl.test",
    takes: 0,
  },
  {
    what: "no time left",
    message: body("http://evil.example/"),
    rhsbl: ["dbl.test"],
    answers: { "evil.example.dbl.test A": "silent" },
    timeout: 2_000,
    says: "unsure",
    why: "URL lists took longer than 2 s",
  },
  {
    what: "less time than that",
    message: body("http://evil.example/"),
    rhsbl: ["dbl.test"],
    answers: { "evil.example.dbl.test A": "silent" },
    limit: 1_000,
    says: "unsure",
    why: "URL lists took longer than the 1 s left of --message-timeout",
  },
  {
    what: "a long search, within its time",
    message: LONG,
    rhsbl: ["dbl.test"],
    answers: { "evil.example.dbl.test A": LISTED },
    pieceTakes: 10,
    says: "550 5.7.1 evil.example is listed by dbl.test",
  },
  {
    what: "a search that the end of its time stops",
    message: LONG,
    rhsbl: ["dbl.test"],
    answers: { "first.example.dbl.test A": LISTED, "evil.example.dbl.test A": LISTED },
    pieceTakes: 100,
    timeout: 2_000,
    says: "unsure",
    why: "URL lists took longer than 2 s",
    takes: 2_000,
    asks: [],
  },
  {
    what: "a search that the end of the message's time stops",
    message: LONG,
    rhsbl: ["dbl.test"],
    pieceTakes: 100,
    limit: 1_000,
    says: "unsure",
    why: "URL lists took longer than the 1 s left of --message-timeout",
    takes: 1_000,
    asks: [],
  },
  {
    what: "a search that ends because nobody waits any more",
    message: LONG,
    rhsbl: ["dbl.test"],
    pieceTakes: 100,
    abort: true,
    says: "unsure",
    takes: 500,
    asks: [],
  },
  {
    what: "a host that is known to be listed when the time is over",
    message: body("http://evil.example/ http://other.example/"),
    rhsbl: ["dbl.test"],
    answers: { "evil.example.dbl.test A": "silent", "other.example.dbl.test A": LISTED },
    timeout: 2_000,
    says: "550 5.7.1 other.example is listed by dbl.test",
  },
];

Deno.test("urlsCheck asks lists about the hosts of URLs", async (test) => {
  for (const { what, message, says, why, asks, takes, ...world } of ROWS) {
    await test.step(what, async () => {
      const { verdict, asked, time } = await judge(message, world);
      assert.equal(saying(verdict), says);
      if (takes !== undefined) assert.equal(time, takes);
      if (why !== undefined) assert.equal(verdict.why, why);
      if (asks) assert.deepEqual([...asked].sort(), [...asks].sort());
    });
  }
});

Deno.test("urlsCheck says what it found in fields of the log", async () => {
  const { verdict } = await judge(body("http://a.example/ http://b.example/"), {
    rhsbl: ["dbl.test"],
    answers: { "b.example.dbl.test A": LISTED },
  });
  assert.deepEqual(verdict.facts, { urls_hosts: 2, urls_host: "b.example", urls_list: "dbl.test" });
});

Deno.test("urlsCheck logs once that a list gives no listing, with its text", async () => {
  const { log } = await judge(body("http://a.example/ http://b.example/"), {
    rhsbl: ["dbl.test"],
    answers: {
      "a.example.dbl.test A": ["127.255.255.254"],
      "b.example.dbl.test A": ["127.255.255.254"],
      "a.example.dbl.test TXT": ["open resolver"],
      "b.example.dbl.test TXT": ["open resolver"],
    },
  });
  assert.equal(log.length, 1, log.join("\n"));
  assert.match(log[0]!, /answer=127\.255\.255\.254 text="open resolver"/);
});

Deno.test("urlsCheck says which bounds were reached, in one line", async () => {
  const urls = Array.from({ length: 101 }, (_, at) => `http://h${at}.example/`).join(" ");
  const { notices } = await judge(`Content-Type: multipart/mixed; boundary=b\n\n${"--b\n\n".repeat(51)}${urls}`, {
    rhsbl: ["dbl.test"],
  });
  assert.deepEqual(notices, ["URLs: only the first 50 parts were decoded; only the first 100 hosts count"]);
});

Deno.test("urlsCheck ends when nobody waits any more", async () => {
  const { verdict, asked } = await judge(body("http://a.example/ http://b.example/"), {
    rhsbl: ["dbl.test"],
    answers: { "a.example.dbl.test A": "silent", "b.example.dbl.test A": "silent" },
    abort: true,
  });
  assert.equal(verdict.kind, "unsure");
  assert.ok(asked.length <= 2);
});

Deno.test("namesToAsk gives at most five names, that of two labels among them", () => {
  const rows: readonly [name: string, names: readonly string[]][] = [
    ["a.example", ["a.example"]],
    ["b.a.example", ["b.a.example", "a.example"]],
    ["5.4.3.2.example", ["5.4.3.2.example", "4.3.2.example", "3.2.example", "2.example"]],
    ["6.5.4.3.2.1", ["6.5.4.3.2.1", "5.4.3.2.1", "4.3.2.1", "3.2.1", "2.1"]],
    ["9.8.7.6.5.4.3.2.1", ["9.8.7.6.5.4.3.2.1", "5.4.3.2.1", "4.3.2.1", "3.2.1", "2.1"]],
  ];
  for (const [name, names] of rows) assert.deepEqual(namesToAsk(name), names);
});

Deno.test("parseAllowedNames says which line is no name", () => {
  assert.deepEqual([...parseAllowedNames("a.example\n\n # x\n B.Example # ours\nbücher.example\ncom\n")], [
    "a.example",
    "b.example",
    "xn--bcher-kva.example",
    "com",
  ]);
  const wrong = ["*.example.org", ".example.org", "a b", "192.0.2.1", "http://a.example/", "a@b.example", "[::1]"];
  for (const line of wrong) {
    assert.throws(() => parseAllowedNames(`ok.example\n${line}\n`), { line: 2, message: /is no name of a host: give/ });
  }
});
