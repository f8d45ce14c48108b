// Do servers of Postfix run in a chroot where they cannot see the socket of postprox, or postprox itself?
//
// master(5): the chroot is the queue directory. "-" means no chroot, but yes below compatibility level 1.

import { entryLine } from "../config_places.ts";
import { type Facts, isPostfix, type Stand } from "../facts.ts";
import { type Answer, type Finding, joinAnswers } from "../finding.ts";
import { type Entry, nameOf, type Postfix } from "../postfix.ts";

export function chroot({ postfix, stands }: Facts): Answer {
  if (!isPostfix(postfix)) return {};
  return joinAnswers(stands.map((stand) => judge(postfix, stand)));
}

function judge(postfix: Postfix, { at, fronts, entry }: Stand): Answer {
  const wrong: Finding[] = [];
  if (at?.transport === "unix" && !at.path.startsWith(postfix.inQueue("./").replace(/\.\/$/, ""))) {
    for (const server of fronts.filter((server) => isChrooted(postfix, server))) {
      const what = `"${nameOf(server)}" runs in a chroot, where it does not see ${at.path}.`;
      wrong.push({ what, change: entryLine(postfix, server, { chroot: "n" }) });
    }
  }
  if (entry && isChrooted(postfix, entry)) {
    const what = `"${nameOf(entry)}" runs in a chroot, where it does not see the program of postprox.`;
    wrong.push({ what, change: entryLine(postfix, entry, { chroot: "n" }) });
  }
  return { wrong };
}

function isChrooted(postfix: Postfix, { chroot }: Entry): boolean {
  if (chroot !== "-") return chroot === "y";
  return !(parseFloat(postfix.value("compatibility_level")) >= 1);
}
