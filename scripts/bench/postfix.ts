// Through Postfix: what a mail system takes with each thing between its two servers (postfix_bed.ts).
//
// Three groups: programs that only pass mail on, or run a filter; programs that ask clamd; programs that ask rspamd. The ways
// of a group take turns with the same load. A load is so large that it takes a way some seconds.

import { Clamd } from "../../tests/e2e/clamd_bed.ts";
import { GTUBE, Rspamd } from "../../tests/e2e/rspamd_bed.ts";
import { EICAR } from "../../tests/fakes/clamd.ts";
import { type Load, startProxy } from "./bed.ts";
import { ratios, takeTurns } from "./compare.ts";
import { type Cost, valuesOf } from "./cost.ts";
import type { Claim, Part } from "./findings.ts";
import type { Bench, Group } from "./group.ts";
import { formatSpread } from "./numbers.ts";
import { amavis } from "./peers/amavis.ts";
import { clamavMilterWith } from "./peers/clamav_milter.ts";
import { clamsmtpWith } from "./peers/clamsmtp.ts";
import { pathOf } from "./peers/program.ts";
import { proxsmtp, proxsmtpWithFile } from "./peers/proxsmtp.ts";
import { rspamdMilterOf } from "./peers/rspamd.ts";
import { socat } from "./peers/socat.ts";
import { type Between, CONNECTIONS, PostfixBed } from "./postfix_bed.ts";
import type { Peer } from "./way.ts";

const SIZE = 5_000;
/** Seconds that one way's turn should take. */
const TURN = 2;
const LEAST = 100;
/** The other numbers of connections. */
const FEWER = [1, 5];

const ALONE = "one smtpd, nothing else";
const STRAIGHT = "smtpd to smtpd";
const STRAIGHT_ADJUSTED = `${STRAIGHT}, speed_adjust`;
const ADJUSTED = ", speed_adjust";
const FILTER = ", -c /bin/true";
const SCAN_VIRUS = ", --clamd";
const SCAN_SPAM = ", --rspamd";

const ABOUT =
  `smtp-source sends messages of 5 kB on ${CONNECTIONS} connections, each message on a new one. A smtpd takes them and passes ` +
  "them to the program, this to a second smtpd, this into the queue, from where discard(8) takes them. A milter has no " +
  "second smtpd. The queue is in memory. Client, servers and program share the processors. ";

export const relays: Group = {
  name: "postfix",
  title: "Through Postfix, without a scanner",
  packages: ["postfix", socat.package, proxsmtp.package, amavis.package],
  run: async (bench) => {
    const betweens: Between[] = [
      { name: STRAIGHT, join: "straight" },
      { name: ALONE, join: "alone" },
      ...ours(bench, "", []),
      ...[socat, proxsmtp, amavis].map((peer): Between => ({ name: peer.name, join: "proxy", peer })),
      ...ours(bench, FILTER, ["-c", "/bin/true"]),
      { name: proxsmtpWithFile.name, join: "proxy", peer: proxsmtpWithFile },
      { name: STRAIGHT_ADJUSTED, join: "straight, speed_adjust" },
      ...ours(bench, ADJUSTED, []).map((between): Between => ({ ...between, join: "proxy, speed_adjust" })),
    ];
    return await measure(bench, betweens, {
      id: "postfix",
      about:
        `${ABOUT}"${STRAIGHT}" has the second smtpd as the filter of the first one, and no program between. "${ALONE}" ` +
        "is a mail server without any filter. ",
      claims: (rateOf) =>
        bench.programs.flatMap(({ runtime }) => [
          ...claim(
            `through Postfix, listen mode on ${runtime}: rate of smtpd to smtpd`,
            [rateOf(nameOf(runtime, "")), rateOf(STRAIGHT)],
            { atLeast: 0.85 },
          ),
          ...claim(`through Postfix, listen mode on ${runtime}: rate of smtpd to smtpd, both with speed_adjust`, [
            rateOf(nameOf(runtime, ADJUSTED)),
            rateOf(STRAIGHT_ADJUSTED),
          ]),
          ...claim(`through Postfix, listen mode on ${runtime}: rate beside ${amavis.name}`, [
            rateOf(nameOf(runtime, "")),
            rateOf(amavis.name),
          ]),
          ...claim(`through Postfix, -c /bin/true on ${runtime}: rate beside proxsmtp`, [
            rateOf(nameOf(runtime, FILTER)),
            rateOf(proxsmtpWithFile.name),
          ]),
        ]),
    });
  },
};

export const virusScanners: Group = {
  name: "postfix-clamd",
  title: "Through Postfix, with clamd",
  packages: ["postfix", "clamav-daemon", "clamsmtp", "clamav-milter"],
  run: async (bench) => {
    if (!pathOf("clamd")) return missing(bench, "clamd", "clamav-daemon");
    await using clamd = await Clamd.start();
    const unix = clamd.unix.replace(/^unix:/, "");
    const beside = [clamsmtpWith(unix), clamavMilterWith(unix)] as const;
    const betweens = [
      { name: STRAIGHT, join: "straight" } as const,
      ...ours(bench, SCAN_VIRUS, [`--clamd=${clamd.unix}`]).map((between) => ({ ...between, refuses: EICAR })),
      { name: beside[0].name, join: "proxy", peer: beside[0], refuses: EICAR } as const,
      { name: beside[1].name, join: "milter", peer: beside[1], refuses: EICAR } as const,
    ];
    return await measure(bench, betweens, {
      id: "postfix-clamd",
      grows: true,
      scanners: [clamd.pid],
      about: `${ABOUT}All ask one clamd, whose database has one signature. Each refused a message with it. ` +
        "clamsmtpd writes line by line, and so it waits 40 ms in each message for an acknowledgement of TCP (Nagle's " +
        "algorithm). The same is true of proxsmtpd. ",
      claims: (rateOf) =>
        bench.programs.flatMap(({ runtime }) =>
          [CONNECTIONS, ...FEWER].flatMap((connections) =>
            beside.flatMap(({ name }, at) =>
              claim(
                `through Postfix, --clamd on ${runtime}, connections: ${connections}: rate beside ${name}`,
                [rateOf(nameOf(runtime, SCAN_VIRUS), connections), rateOf(name, connections)],
                { atLeast: at === 0 ? 3 : 1, without: rateOf(STRAIGHT, connections) },
              )
            )
          )
        ),
    });
  },
};

export const spamScanners: Group = {
  name: "postfix-rspamd",
  title: "Through Postfix, with rspamd",
  packages: ["postfix", "rspamd"],
  run: async (bench) => {
    if (!pathOf("rspamd")) return missing(bench, "rspamd", "rspamd");
    const rspamd = await Rspamd.start();
    try {
      const milter = rspamdMilterOf(rspamd);
      const betweens = [
        { name: STRAIGHT, join: "straight" } as const,
        ...ours(bench, SCAN_SPAM, [`--rspamd=${rspamd.normal}`]).map((between) => ({ ...between, refuses: GTUBE })),
        { name: milter.name, join: "milter", peer: milter, refuses: GTUBE } as const,
      ];
      return await measure(bench, betweens, {
        id: "postfix-rspamd",
        grows: true,
        scanners: [rspamd.pid],
        about:
          `${ABOUT}One rspamd with one process for postprox and one for its own milter, and a few rules. Each refused ` +
          "the test message of all spam filters. ",
        claims: (rateOf) =>
          bench.programs.flatMap(({ runtime }) =>
            [CONNECTIONS, ...FEWER].flatMap((connections) =>
              claim(
                `through Postfix, --rspamd on ${runtime}, connections: ${connections}: rate beside ${milter.name}`,
                [rateOf(nameOf(runtime, SCAN_SPAM), connections), rateOf(milter.name, connections)],
                { atLeast: 0.9, without: rateOf(STRAIGHT, connections) },
              )
            )
          ),
      });
    } finally {
      await rspamd.stop();
    }
  },
};

/** The rates of a way, one of each round; undefined if it was not measured. */
type RateOf = (name: string, connections?: number) => readonly number[] | undefined;

interface Plan {
  readonly id: string;
  readonly about: string;
  readonly scanners?: readonly number[];
  /** It is also measured with fewer connections. */
  readonly grows?: true;
  readonly claims: (rateOf: RateOf) => readonly Claim[];
}

interface Turn {
  readonly name: string;
  readonly load: Load;
}

async function measure(bench: Bench, betweens: readonly Between[], plan: Plan): Promise<Part[]> {
  if (Deno.uid() !== 0 || !pathOf("postfix")) return missing(bench, "a real Postfix, and root", "postfix");
  const { directory, note } = bench;
  const bed = await PostfixBed.start(betweens, { directory, note, scanners: plan.scanners ?? [] });
  const turns: Turn[] = [];
  let costs: Cost[][];
  try {
    for (const connections of [CONNECTIONS, ...plan.grows ? FEWER : []]) {
      for (const name of bed.names) turns.push({ name, load: await loadFor(bench, bed, { name, connections }) });
    }
    costs = await takeTurns(turns, ({ name, load }) => bed.costOf(name, load), bench.pick(5, 1));
  } finally {
    await bed.stop();
  }
  const valuesFor = (figure: keyof Cost) => (name: string, connections = CONNECTIONS) => {
    const at = turns.findIndex((turn) => turn.name === name && turn.load.connections === connections);
    return at < 0 ? undefined : valuesOf(costs[at]!, figure);
  };
  const [rateOf, cpuOf] = [valuesFor("rate"), valuesFor("cpu")];
  const bars = (valuesOf: (name: string) => readonly number[]) =>
    bed.names.map((name) => ({ name, values: valuesOf(name), isOurs: name.startsWith("postprox") }));
  const parts: Part[] = [
    {
      kind: "bars",
      id: `${plan.id}-rate`,
      title: `Rate at which Postfix takes mail, of the rate of ${STRAIGHT}`,
      about: plan.about,
      unit: `share of the rate of ${STRAIGHT}`,
      better: "more",
      claims: plan.claims(rateOf),
      bars: bars((name) => ratios(rateOf(name)!, rateOf(STRAIGHT)!)),
    },
    {
      kind: "bars",
      id: `${plan.id}-cpu`,
      title: "Processor time of the whole mail system for a message",
      about:
        "The same run: all processes of Postfix until the queue is empty, of the program and its filters, and of the " +
        "scanner.",
      unit: "ms of CPU for a message",
      better: "less",
      claims: [],
      bars: bars((name) => cpuOf(name)!),
    },
  ];
  if (!plan.grows) return parts;
  const growth: Part = {
    kind: "lines",
    id: `${plan.id}-connections`,
    title: "Rate by connections",
    about: "The same run, with fewer connections too. With one connection the rate shows how long a message takes.",
    unit: "messages/s",
    better: "more",
    claims: [],
    x: { title: "connections", isSize: false },
    lines: bed.names.map((name) => ({
      name,
      points: [...FEWER, CONNECTIONS].map((x) => ({ x, values: rateOf(name, x)! })),
    })),
  };
  return [...parts, growth];
}

/** Warms up, and finds how many messages take some seconds. */
async function loadFor(
  bench: Bench,
  bed: PostfixBed,
  { name, connections }: { readonly name: string; readonly connections: number },
): Promise<Load> {
  const load = { size: SIZE, connections, count: bench.pick(LEAST, CONNECTIONS) };
  if (bench.isShort) return load;
  await bed.costOf(name, load);
  const { rate } = await bed.costOf(name, { ...load, count: connections === CONNECTIONS ? 4 * LEAST : LEAST });
  return { ...load, count: Math.max(LEAST, Math.round(rate * TURN / LEAST) * LEAST) };
}

/** postprox in listen mode, on each runtime. */
function ours(bench: Bench, suffix: string, options: readonly string[]): Between[] {
  return bench.programs.map(({ runtime, words }) => {
    const peer: Peer = {
      name: nameOf(runtime, suffix),
      package: "postprox",
      start: (directory, downstream) => startProxy(downstream, ["-d", directory, ...options], words),
    };
    return { name: peer.name, join: "proxy", peer };
  });
}

function nameOf(runtime: string, suffix: string): string {
  return `postprox, ${runtime}${suffix}`;
}

interface Aim {
  readonly atLeast?: number;
  /** The rates without any program between the servers: none can be better. */
  readonly without?: readonly number[] | undefined;
}

/** A claim about the ratio of two rates; none if one of them was not measured. */
function claim(
  what: string,
  [values, beside]: readonly (readonly number[] | undefined)[],
  { atLeast, without }: Aim = {},
): Claim[] {
  if (!values || !beside) return [];
  return [{
    what,
    values: ratios(values, beside),
    unit: "times",
    ...atLeast === undefined ? {} : { wanted: { atLeast } },
    ...without ? { bound: `${STRAIGHT}, without a scanner: ${formatSpread(ratios(without, beside))}` } : {},
  }];
}

function missing(bench: Bench, what: string, debian: string): never[] {
  bench.note(`left out: it needs ${what}: apt-get install ${debian}`);
  return [];
}
