// Does the server behind postprox accept XFORWARD from it? Without it nobody knows the client.

import { formatAddress } from "../../../ports/address.ts";
import { parseIp } from "../../../text/ip.ts";
import { keyOf } from "../addresses.ts";
import { inMaster } from "../config_places.ts";
import { type Dialogue, type Facts, isPostfix, type Stand } from "../facts.ts";
import { type Answer, joinAnswers, toRun } from "../finding.ts";

const NAME = "smtpd_authorized_xforward_hosts";

export function xforward(facts: Facts): Answer {
  return joinAnswers(facts.stands.map((stand) => judge(facts, stand)));
}

function judge({ postfix, dialogues }: Facts, { downstream, at, behind }: Stand): Answer {
  const direct = downstream && offersXforward(dialogues.get(keyOf(downstream)));
  const offered = direct ?? (at && offersXforward(dialogues.get(keyOf(at))));
  const place = downstream ? formatAddress(downstream) : "the server behind postprox";
  const value = behind && isPostfix(postfix) ? postfix.value(NAME, behind) : undefined;
  const what = `The second server, ${place}, does not accept XFORWARD from postprox: the client is not known, ` +
    `and rules, DNS lists and filters cannot use it. ${NAME} is missing.`;
  if (value === "") return { wrong: [{ what, change: setHosts(postfix, behind!, downstream) }] };
  if (offered === false) {
    const own = value === undefined ? what : `The second server, ${place}, does not offer XFORWARD to this host, ` +
      `although ${NAME} is ${value}: its hosts are others, or Postfix has not read it yet.`;
    if (value === undefined) return { wrong: [{ what: own }] };
    const isGood = value.includes("127.0.0.0/8");
    const change = isGood ? toRun("postfix reload") : setHosts(postfix, behind!, downstream);
    return { wrong: [{ what: own, change }] };
  }
  if (offered) return { right: [`${place} accepts XFORWARD`] };
  return value === undefined ? {} : { right: [`${place} has ${NAME}`] };
}

function setHosts(postfix: Facts["postfix"], behind: NonNullable<Stand["behind"]>, downstream: Stand["downstream"]) {
  if (!isPostfix(postfix)) return undefined;
  const isV6 = downstream?.transport === "tcp" && parseIp(downstream.host)?.length === 16;
  return inMaster(postfix, behind, { name: NAME, value: isV6 ? "127.0.0.0/8,[::1]/128" : "127.0.0.0/8" });
}

/** Undefined: nobody knows. */
function offersXforward(dialogue: Dialogue | undefined): boolean | undefined {
  const ehlo = dialogue?.steps.find(({ command }) => command.startsWith("EHLO "));
  if (ehlo?.code !== 250) return undefined;
  return ehlo.lines?.some((line) => /^XFORWARD(?:\s|$)/i.test(line)) ?? false;
}
