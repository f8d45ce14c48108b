// Does postprox listen where main.cf points? Does an SMTP server of Postfix lead to postprox at all?

import { formatAddress } from "../../../ports/address.ts";
import type { Address } from "../../../ports/runtime.ts";
import { proxyFilter } from "../../postfix_config/postfix_lines.ts";
import { keyOf, leadsTo } from "../addresses.ts";
import { inMain, whereSet } from "../config_places.ts";
import { type Facts, type Front, isPostfix, type Stand } from "../facts.ts";
import { type Answer, type Change, type Finding, joinAnswers, toRun } from "../finding.ts";
import { nameOf, type Postfix } from "../postfix.ts";

export function nothingListens(facts: Facts): Answer {
  const { postfix, stands, strayFronts } = facts;
  if (!isPostfix(postfix)) return joinAnswers(stands.map((stand) => listens(facts, stand, undefined)));
  const answers = stands.map((stand) => listens(facts, stand, postfix));
  const stray = strayFronts.flatMap((front) => strayAnswer(facts, front, postfix));
  const isLed = stands.some(({ fronts }) => fronts.length > 0);
  const wrong = strayFronts.length === 0 && !isLed ? [nobodyLeads(facts, postfix)] : [];
  const places = strayFronts.map(({ at }) => formatAddress(at)).join(", ");
  const isUnclear = stray.length === 0 && strayFronts.length > 0 && !isLed;
  const unseen = isUnclear ? [`which of these is postprox: ${places}: give -l with its address`] : [];
  return joinAnswers([...answers, ...stray, { wrong, unseen }]);
}

function listens(facts: Facts, { at, fronts, mode }: Stand, postfix: Postfix | undefined): Answer {
  if (!at) return {};
  const failure = facts.dialogues.get(keyOf(at))?.failure;
  const place = formatAddress(at);
  if (!failure) return { right: [`postprox listens at ${place}`] };
  if (failure.kind === "denied") return { unseen: [notAllowed(place)] };
  const points = fronts.length > 0 ? `, where smtpd_proxy_filter ${ofServers(fronts)} points` : "";
  const start = mode === "spawn" ? toRun("postfix start || postfix reload") : toRun("systemctl start postprox");
  const elsewhere = postfix && fronts.length > 0 ? toPointThere(facts, { at, servers: fronts }, postfix) : undefined;
  const what = `Nothing listens at ${place}${points}: ${failure.why}.`;
  return { wrong: [{ what, change: elsewhere ?? start }] };
}

/** These servers have a proxy that is no postprox that we know. */
function strayAnswer(facts: Facts, front: Front, postfix: Postfix): Answer[] {
  const failure = facts.dialogues.get(keyOf(front.at))?.failure;
  const waiting = waitingStand(facts);
  if (!failure && !waiting) return [];
  const place = formatAddress(front.at);
  const change = toPointThere(facts, front, postfix);
  const points = `smtpd_proxy_filter ${ofServers(front.servers)}`;
  if (!failure) {
    const what = `No SMTP server of Postfix leads to postprox at ${
      formatAddress(waiting!.at!)
    }: ${points} is ${place}.`;
    return [{ wrong: [{ what, change }] }];
  }
  if (failure.kind === "denied") return [{ unseen: [notAllowed(place)] }];
  const what = `Nothing listens at ${place}, where ${points} points: ${failure.why}.`;
  return [{ wrong: [{ what, change: change ?? toRun("systemctl start postprox") }] }];
}

/** A postprox to which no server leads. */
function waitingStand({ stands }: Facts): Stand | undefined {
  return stands.find((stand) => stand.at && stand.fronts.length === 0);
}

/** Lets the servers point to the postprox to which none leads. */
function toPointThere(facts: Facts, { at, servers }: Front, postfix: Postfix): Change | undefined {
  const waiting = waitingStand(facts)?.at;
  if (!waiting || isSamePlace(waiting, at)) return undefined;
  return whereSet(postfix, servers[0]!, { name: "smtpd_proxy_filter", value: proxyFilterOf(waiting, postfix) });
}

function notAllowed(place: string): string {
  return `${place}: only root and Postfix may connect there`;
}

function nobodyLeads({ stands }: Facts, postfix: Postfix): Finding {
  const at = stands.find((stand) => stand.at)?.at;
  const what = at
    ? `No SMTP server of Postfix leads to postprox at ${formatAddress(at)}: all mail passes unchecked.`
    : "No SMTP server of Postfix leads to postprox: smtpd_proxy_filter is not set, or is that of another program.";
  const value = at ? proxyFilterOf(at, postfix) : "127.0.0.1:10025";
  return { what, change: inMain(postfix, "smtpd_proxy_filter", value) };
}

function proxyFilterOf(at: Address, postfix: Postfix): string {
  const queue = `${postfix.value("queue_directory") || "/var/spool/postfix"}/`;
  if (at.transport === "unix" && at.path.startsWith(queue)) return `unix:${at.path.slice(queue.length)}`;
  return proxyFilter(at);
}

function ofServers(servers: Front["servers"]): string {
  return `of ${servers.map((server) => `"${nameOf(server)}"`).join(", ")}`;
}

/** Whether two addresses are the same place. */
export function isSamePlace(one: Address, other: Address): boolean {
  return leadsTo(one, other) || leadsTo(other, one);
}
