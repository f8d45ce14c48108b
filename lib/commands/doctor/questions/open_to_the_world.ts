// Can strangers reach postprox, or the server behind it? That server trusts this host, so it would be an open relay.

import { formatAddress } from "../../../ports/address.ts";
import type { Address } from "../../../ports/runtime.ts";
import { isOnlyLocal } from "../addresses.ts";
import { entryLine } from "../config_places.ts";
import { type Facts, isPostfix, type Stand } from "../facts.ts";
import { type Answer, joinAnswers } from "../finding.ts";
import { setOption } from "../option_places.ts";
import { type Entry, nameOf, type Postfix } from "../postfix.ts";

export function openToTheWorld(facts: Facts): Answer {
  const { postfix, stands } = facts;
  const answers: Answer[] = [];
  for (const stand of stands) {
    if (isPostfix(postfix) && stand.behind) {
      answers.push(entryAnswer(postfix, stand.behind, "The server behind postprox"));
    }
    if (isPostfix(postfix) && stand.entry) answers.push(entryAnswer(postfix, stand.entry, "postprox"));
    answers.push(listenAnswer(facts, stand));
  }
  return joinAnswers(answers);
}

function entryAnswer(postfix: Postfix, entry: Entry, who: string): Answer {
  const open = postfix.addresses(entry).filter((at) => !isOnlyLocal(at));
  if (open.length === 0) return { right: [`only this host reaches "${nameOf(entry)}"`] };
  const [at] = open;
  const name = at?.transport === "tcp" ? `127.0.0.1:${at.port}` : entry.name;
  const what = `${who}, "${nameOf(entry)}", is open to the world: it listens at ${open.map(shown).join(", ")}, ` +
    "and relays everything that comes from there unless a firewall prevents it.";
  return { wrong: [{ what, change: entryLine(postfix, entry, { name }) }] };
}

function listenAnswer(facts: Facts, stand: Stand): Answer {
  const at = stand.settings?.listen.address;
  if (!at || isOnlyLocal(at) || at.transport !== "tcp") return {};
  const what = `postprox is open to the world: it listens at ${shown(at)}. Without a firewall this is an open relay.`;
  return { wrong: [{ what, change: setOption(facts, stand, { long: "listen", value: `127.0.0.1:${at.port}` }) }] };
}

function shown(at: Address): string {
  return formatAddress(at);
}
