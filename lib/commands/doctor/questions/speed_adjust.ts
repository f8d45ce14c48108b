// Is speed_adjust used with rules for recipients? Then the refusal of one recipient is the refusal of all.

import type { Settings } from "../../../settings/settings.ts";
import { type Facts, isPostfix, type Stand } from "../facts.ts";
import { type Answer, joinAnswers } from "../finding.ts";
import { setFlag } from "../option_places.ts";
import { nameOf, type Postfix, words } from "../postfix.ts";

export function speedAdjust(facts: Facts): Answer {
  const { postfix } = facts;
  if (!isPostfix(postfix)) return {};
  return joinAnswers(facts.stands.map((stand) => judge(facts, postfix, stand)));
}

function judge(facts: Facts, postfix: Postfix, stand: Stand): Answer {
  const { settings } = stand;
  const adjusted = stand.fronts.filter((server) =>
    words(postfix.value("smtpd_proxy_options", server)).includes("speed_adjust")
  );
  if (!settings || adjusted.length === 0) return {};
  const names = adjusted.map((server) => `"${nameOf(server)}"`).join(", ");
  const asked = rulesForRecipients(settings);
  if (asked.length > 0 && !settings.session.deferRcptRefusals) {
    const what =
      `speed_adjust of ${names} is used with rules for recipients (${asked.join(", ")}): Postfix takes the ` +
      "refusal of one recipient for that of the whole message.";
    return { wrong: [{ what, change: setFlag(facts, stand, "defer-rcpt-refusals") }] };
  }
  return { right: [`speed_adjust of ${names} fits the options`] };
}

function rulesForRecipients({ rules, dnsLists, senderDomain }: Settings): string[] {
  return [
    ...rules.file === undefined ? [] : ["--check-rules"],
    ...dnsLists.dnsbl.length === 0 ? [] : ["--dnsbl"],
    ...dnsLists.rhsbl.length === 0 ? [] : ["--rhsbl"],
    ...senderDomain.check ? ["--check-sender-domain"] : [],
  ];
}
