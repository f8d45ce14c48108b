// Is the server behind postprox there, and does it take postprox's sessions?

import { formatAddress } from "../../../ports/address.ts";
import { secondServer as secondServerEntry } from "../../postfix_config/postfix_lines.ts";
import { isOnlyLocal, keyOf } from "../addresses.ts";
import { inMaster } from "../config_places.ts";
import { type Facts, isPostfix, type Stand } from "../facts.ts";
import { type Answer, type Change, type Finding, joinAnswers, toRun } from "../finding.ts";

export function secondServer(facts: Facts): Answer {
  return joinAnswers(facts.stands.map((stand) => judge(facts, stand)));
}

function judge(facts: Facts, stand: Stand): Answer {
  const { postfix, dialogues } = facts;
  const { downstream, behind, settings } = stand;
  if (!downstream) {
    const what =
      "the server behind postprox is not known: give HOST:PORT, or the options of postprox, or --config=FILE";
    return settings || stand.wrong !== undefined ? {} : { unseen: [what] };
  }
  const place = formatAddress(downstream);
  const dialogue = dialogues.get(keyOf(downstream));
  const wrong: Finding[] = [];
  if (behind && isPostfix(postfix) && postfix.value("smtpd_upstream_proxy_protocol", behind) !== "") {
    wrong.push({
      what: `The server behind postprox, ${place}, waits for a proxy protocol, which postprox does not speak.`,
      change: inMaster(postfix, behind, { name: "smtpd_upstream_proxy_protocol", value: "" }),
    });
  }
  const { failure, lost, steps = [] } = dialogue ?? {};
  if (failure?.kind === "denied") return { wrong, unseen: [`${place}: only root and Postfix may connect there`] };
  if (failure) {
    const isMissing = isPostfix(postfix) && !behind && isOnlyLocal(downstream);
    const what = `The server behind postprox, ${place}, is not reachable: ${failure.why}.`;
    wrong.push({ what, change: isMissing ? addEntry(stand, postfix.directory) : behind ? start() : undefined });
    return { wrong };
  }
  const [greeting] = steps;
  if (greeting && greeting.code >= 400) {
    const change = isPostfix(postfix) && behind
      ? inMaster(postfix, behind, { name: "smtpd_client_connection_count_limit", value: "0" })
      : undefined;
    wrong.push({ what: `The server behind postprox, ${place}, turns the session away: ${greeting.reply}.`, change });
  } else if (!greeting && lost !== undefined && wrong.length === 0) {
    wrong.push({ what: `The server behind postprox, ${place}, gives no greeting: ${lost}.`, change: undefined });
  }
  const unseen = isPostfix(postfix) && !behind && wrong.length === 0
    ? [`${place} is no entry of this Postfix's master.cf, so only its replies were looked at`]
    : [];
  return wrong.length > 0 ? { wrong } : { right: [`the server behind postprox answers at ${place}`], unseen };
}

function addEntry({ downstream }: Stand, directory: string): Change {
  const lines = secondServerEntry(downstream!).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return { where: `add to ${directory}/master.cf, then run "postfix reload":`, lines };
}

function start(): Change {
  return toRun("postfix start || postfix reload");
}
