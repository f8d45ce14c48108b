// Are the time limits in the right order? The one in front must wait longer than the one behind it.

import type { Settings } from "../../../settings/settings.ts";
import { inMain, inMaster, whereSet } from "../config_places.ts";
import { type Facts, isPostfix, type Stand } from "../facts.ts";
import { type Answer, type Finding, joinAnswers } from "../finding.ts";
import { setOption } from "../option_places.ts";
import { startsPrograms } from "../paths.ts";
import { nameOf, parseTime, type Postfix } from "../postfix.ts";

/** A busy machine is late. In milliseconds. */
const MARGIN = 10_000;

export function timeLimits(facts: Facts): Answer {
  return joinAnswers(facts.stands.map((stand) => judge(facts, stand)));
}

function judge(facts: Facts, stand: Stand): Answer {
  const { settings } = stand;
  if (!settings) return {};
  const wrong = ownLimits(facts, stand, settings);
  const advice: Finding[] = [];
  const { postfix } = facts;
  if (isPostfix(postfix)) {
    wrong.push(...proxyTimeouts(postfix, stand, settings), ...serverTimeout(postfix, stand, settings));
    const spawn = spawnLimit(postfix, stand, settings);
    wrong.push(...spawn.wrong);
    advice.push(...spawn.advice);
  }
  return { wrong, advice, ...wrong.length === 0 ? { right: ["the time limits are in order"] } : {} };
}

/** The limits of postprox among each other. */
function ownLimits(facts: Facts, stand: Stand, settings: Settings): Finding[] {
  const { judging, scanning, session: { messageTimeout }, clamd, rspamd, spamd, urls } = settings;
  const isAsked = clamd.servers.length + rspamd.servers.length + spamd.servers.length + urls.dnsbl.length +
      urls.rhsbl.length > 0;
  const wrong: Finding[] = [];
  const longer = (name: string, time: number) => ({
    what: `The filter may take ${seconds(time)} (${name}), but the message is answered after ` +
      `${seconds(messageTimeout)} (--message-timeout).`,
    change: setOption(facts, stand, { long: "message-timeout", value: String(Math.ceil(time * 1.25 / 1000) + 1) }),
  });
  if (startsPrograms(settings) && judging.timeout > messageTimeout) wrong.push(longer("-t", judging.timeout));
  if (isAsked && scanning.timeout > messageTimeout) wrong.push(longer("--scan-timeout", scanning.timeout));
  return wrong;
}

/** Postfix must not give up before postprox answers. Otherwise the sender tries again, and mail arrives twice. */
function proxyTimeouts(postfix: Postfix, { fronts }: Stand, { session, rules }: Settings): Finding[] {
  const limits: (readonly [name: string, time: number])[] = [
    ["--message-timeout", session.messageTimeout],
    ["--connect-timeout", session.connectTimeout],
    ...rules.file === undefined ? [] : [["--rules-delay", rules.delay] as const],
    ...session.tarpitAfter === 0 ? [] : [["--tarpit-max", session.tarpitMax] as const],
  ];
  const [name, longest] = limits.reduce((one, other) => other[1] > one[1] ? other : one);
  return fronts.flatMap((server) => {
    const patience = parseTime(postfix.value("smtpd_proxy_timeout", server)) ?? 100_000;
    if (patience > longest) return [];
    const value = `${Math.ceil((longest + MARGIN) / 1000)}s`;
    return {
      what: `Time limits are in the wrong order: "${nameOf(server)}" gives up after ${seconds(patience)} ` +
        `(smtpd_proxy_timeout), and postprox may take ${seconds(longest)} (${name}).`,
      change: whereSet(postfix, server, { name: "smtpd_proxy_timeout", value }),
    };
  });
}

/** The server behind must not give up a session before it hears a NOOP. */
function serverTimeout(postfix: Postfix, { behind }: Stand, { session: { keepalive } }: Settings): Finding[] {
  const patience = behind && parseTime(postfix.value("smtpd_timeout", behind));
  if (!behind || patience === undefined || keepalive < patience) return [];
  return [{
    what: `Time limits are in the wrong order: "${nameOf(behind)}" hangs up after ${seconds(patience)} of silence ` +
      `(smtpd_timeout), and postprox sends it a NOOP only after ${seconds(keepalive)} (--keepalive).`,
    change: inMaster(postfix, behind, { name: "smtpd_timeout", value: "300s" }),
  }];
}

/** spawn(8) must not kill a session that is in order. */
function spawnLimit(
  postfix: Postfix,
  { entry }: Stand,
  { session: { messageTimeout, sessionTimeout } }: Settings,
): { wrong: Finding[]; advice: Finding[] } {
  if (!entry) return { wrong: [], advice: [] };
  const name = `${entry.name}_time_limit`;
  const own = postfix.value(name);
  const limit = parseTime(own || postfix.value("command_time_limit")) ?? 1_000_000;
  const change = inMain(postfix, name, `${Math.ceil(sessionTimeout / 1000) + 20}s`);
  const from = own === "" ? "command_time_limit" : name;
  if (limit <= messageTimeout) {
    const what = `Time limits are in the wrong order: spawn(8) kills postprox after ${seconds(limit)} (${from}), ` +
      `and a message alone may take ${seconds(messageTimeout)} (--message-timeout).`;
    return { wrong: [{ what, change }], advice: [] };
  }
  if (limit > sessionTimeout) return { wrong: [], advice: [] };
  const what = `spawn(8) kills a session after ${seconds(limit)} (${from}), even during a message. ` +
    `--session-timeout would end it in good order, but only after ${seconds(sessionTimeout)}.`;
  return { wrong: [], advice: [{ what, change }] };
}

function seconds(milliseconds: number): string {
  return `${milliseconds / 1000} s`;
}
