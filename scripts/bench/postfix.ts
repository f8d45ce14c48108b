// Through Postfix: what a mail system takes with each thing between its two servers (postfix_bed.ts).
//
// Three groups: programs that only pass mail on, or run a filter; programs that ask clamd; programs that ask rspamd.

import { Clamd } from "../../tests/e2e/clamd_bed.ts";
import { GTUBE, Rspamd } from "../../tests/e2e/rspamd_bed.ts";
import { EICAR } from "../../tests/fakes/clamd.ts";
import { bareRelay, bareRelayName, bareScanner, bareScannerName } from "./bare_programs.ts";
import { startProxy } from "./bed.ts";
import type { Bench, Group } from "./group.ts";
import { amavis } from "./peers/amavis.ts";
import { clamavMilterWith } from "./peers/clamav_milter.ts";
import { clamsmtpWith } from "./peers/clamsmtp.ts";
import { pathOf } from "./peers/program.ts";
import { proxsmtp, proxsmtpWithFile } from "./peers/proxsmtp.ts";
import { rspamdMilterOf } from "./peers/rspamd.ts";
import { socat } from "./peers/socat.ts";
import { type Between, CONNECTIONS } from "./postfix_bed.ts";
import { claim, FEWER, measure, missing, STRAIGHT } from "./postfix_turns.ts";
import type { Peer } from "./way.ts";

const ALONE = "one smtpd, nothing else";
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
      ...bench.programs.map(({ runtime }) => bound(bareRelay(bench, runtime))),
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
        "is a mail server without any filter. A bare relay passes octets on (`scripts/bench/bare/relay.ts`). ",
      claims: (rateOf) =>
        bench.programs.flatMap(({ runtime }) => [
          ...claim(
            `through Postfix, listen mode on ${runtime}: rate of smtpd to smtpd`,
            [rateOf(nameOf(runtime, "")), rateOf(STRAIGHT)],
            { atLeast: 0.85, bound: [`a bare relay on ${runtime}`, rateOf(bareRelayName(runtime))] },
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
    const betweens: Between[] = [
      { name: STRAIGHT, join: "straight" },
      ...bench.programs.map(({ runtime }) => bound(bareScanner(bench, runtime, unix))),
      ...ours(bench, SCAN_VIRUS, [`--clamd=${clamd.unix}`]).map((between) => ({ ...between, refuses: EICAR })),
      { name: beside[0].name, join: "proxy", peer: beside[0], refuses: EICAR },
      { name: beside[1].name, join: "milter", peer: beside[1], refuses: EICAR },
    ];
    return await measure(bench, betweens, {
      id: "postfix-clamd",
      grows: true,
      scanners: [clamd.pid],
      about: `${ABOUT}All ask one clamd, whose database has one signature. Each refused a message with it. ` +
        "clamsmtpd writes line by line, and so it waits 40 ms in each message for an acknowledgement of TCP (Nagle's " +
        "algorithm). The queue of its new connections is short (listen(2) with 5), so that some of them wait for seconds " +
        "and some for ever. proxsmtpd is the same in both. A bare relay that asks clamd holds each " +
        "message back until clamd has answered, and does nothing else (`scripts/bench/bare/scan.ts`): that is the bound. ",
      claims: (rateOf) =>
        bench.programs.flatMap(({ runtime }) =>
          [CONNECTIONS, ...FEWER].flatMap((connections) =>
            beside.flatMap(({ name }, at) =>
              claim(
                `through Postfix, --clamd on ${runtime}, connections: ${connections}: rate beside ${name}`,
                [rateOf(nameOf(runtime, SCAN_VIRUS), connections), rateOf(name, connections)],
                {
                  atLeast: at === 0 ? 3 : 1,
                  bound: [
                    `a bare relay that asks clamd, on ${runtime}`,
                    rateOf(bareScannerName(runtime), connections),
                  ],
                },
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
                { atLeast: 0.9, bound: [`${STRAIGHT}, without a scanner`, rateOf(STRAIGHT, connections)] },
              )
            )
          ),
      });
    } finally {
      await rspamd.stop();
    }
  },
};

/** A program that nobody would use. */
function bound(peer: Peer): Between {
  return { name: peer.name, join: "proxy", peer, isBound: true };
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
