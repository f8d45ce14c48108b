// Does the server behind postprox force TLS? postprox speaks none, so no mail would pass.

import { formatAddress } from "../../../ports/address.ts";
import { keyOf } from "../addresses.ts";
import { inMaster } from "../config_places.ts";
import { type Facts, isPostfix, type Stand } from "../facts.ts";
import { type Answer, type Finding, joinAnswers } from "../finding.ts";
import { type Entry, nameOf, type Postfix } from "../postfix.ts";

export function innerTls(facts: Facts): Answer {
  return joinAnswers(facts.stands.map((stand) => judge(facts, stand)));
}

function judge({ postfix, dialogues }: Facts, { at, downstream, behind }: Stand): Answer {
  if (behind && isPostfix(postfix)) {
    const wrong = forced(postfix, behind);
    if (wrong.length > 0) return { wrong };
  }
  const places = [at, downstream].flatMap((address) => address ? [address] : []);
  const demands = places.find((address) =>
    dialogues.get(keyOf(address))?.steps.some(({ code, reply }) => code === 530 && /STARTTLS/i.test(reply))
  );
  if (demands) {
    const place = downstream ? formatAddress(downstream) : "the server behind postprox";
    const change = behind && isPostfix(postfix)
      ? inMaster(postfix, behind, { name: "smtpd_tls_security_level", value: "none" })
      : undefined;
    return {
      wrong: [{ what: `TLS is forced on the inner hop: ${place} wants STARTTLS, and postprox speaks no TLS.`, change }],
    };
  }
  return behind ? { right: [`"${nameOf(behind)}" does not force TLS`] } : {};
}

function forced(postfix: Postfix, behind: Entry): Finding[] {
  const level = postfix.value("smtpd_tls_security_level", behind);
  const wrong: Finding[] = [];
  const add = (name: string, value: string, off: string) =>
    wrong.push({
      what: `TLS is forced on the inner hop, and postprox speaks no TLS: ${name} of "${nameOf(behind)}" is ${value}.`,
      change: inMaster(postfix, behind, { name, value: off }),
    });
  if (!["", "none", "may"].includes(level)) add("smtpd_tls_security_level", level, "none");
  // smtpd_tls_security_level has precedence over it.
  if (level === "" && postfix.value("smtpd_enforce_tls", behind) === "yes") add("smtpd_enforce_tls", "yes", "no");
  if (postfix.value("smtpd_tls_wrappermode", behind) === "yes") add("smtpd_tls_wrappermode", "yes", "no");
  return wrong;
}
