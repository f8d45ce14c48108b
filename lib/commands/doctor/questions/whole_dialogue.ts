// Does a dialogue like Postfix's get through postprox, up to RCPT or to the end of a message?
//
// Faults that another question explains are left to it.

import { formatAddress } from "../../../ports/address.ts";
import { keyOf } from "../addresses.ts";
import type { Dialogue, Facts, Stand, Step } from "../facts.ts";
import { hasPathFault } from "./directories.ts";
import { type Answer, joinAnswers, toRun } from "../finding.ts";

export function wholeDialogue(facts: Facts): Answer {
  const { send, stands } = facts;
  const isLost = send !== undefined && !stands.some(({ at }) => at);
  const what = `The test message to ${send} was not sent, because no address of postprox is known: give -l.`;
  return joinAnswers([...stands.map((stand) => judge(facts, stand)), isLost ? { wrong: [{ what }] } : {}]);
}

function judge({ dialogues, looks }: Facts, stand: Stand): Answer {
  const { at, downstream } = stand;
  const dialogue = at && dialogues.get(keyOf(at));
  if (!at || !dialogue || dialogue.failure) return {};
  const place = formatAddress(at);
  const bad = dialogue.steps.find(isRefusal);
  const look = looks.get(stand);
  const cannotStart = stand.wrong !== undefined || look?.startError !== undefined || (look && hasPathFault(look));
  const behind = downstream && dialogues.get(keyOf(downstream));
  if (bad && isExplained(bad, behind, cannotStart)) return {};
  if (bad) {
    const after = bad.command === "" ? "greets with" : `answers ${bad.command} with`;
    return { wrong: [{ what: `postprox at ${place} ${after} ${bad.reply}.`, change: seeLog() }] };
  }
  if (dialogue.lost !== undefined) {
    const last = dialogue.steps.at(-1);
    if (!last && isAway(behind)) return {};
    const when = last === undefined
      ? "gives no greeting"
      : `breaks the dialogue after ${last.command || "its greeting"}`;
    return { wrong: [{ what: `postprox at ${place} ${when}: ${dialogue.lost}.`, change: seeLog() }] };
  }
  const sent = dialogue.sent === undefined ? [] : [`the test message was accepted: ${dialogue.sent}`];
  return {
    right: [`a dialogue through ${place} reaches ${dialogue.sent === undefined ? "RCPT" : "its end"}`, ...sent],
  };
}

function isRefusal({ code }: Step): boolean {
  return code >= 400;
}

function isExplained(bad: Step, behind: Dialogue | undefined, cannotStart = false): boolean {
  if (bad.code === 530 && /STARTTLS/i.test(bad.reply)) return true;
  if (bad.command !== "") return false;
  // The greeting is that of the server behind. Without a connection to it, postprox says 421.
  const first = behind?.steps[0];
  return (isAway(behind) && bad.code === 421) || (first !== undefined && isRefusal(first)) ||
    (cannotStart && /^421 4\.3\.5/.test(bad.reply));
}

/** There is no connection to the server behind, or it gives no greeting. */
function isAway(behind: Dialogue | undefined): boolean {
  if (behind?.failure) return behind.failure.kind !== "denied";
  return behind?.lost !== undefined && behind.steps.length === 0;
}

function seeLog() {
  return toRun("grep -e 'postprox\\[' -e 'smtpd\\[' /var/log/mail.log | tail -20; journalctl -t postprox -n 20");
}
