// Would postprox start with its options, and with the files that they name?

import { placeOfEntry } from "../config_places.ts";
import { type Facts, isPostfix, type Stand } from "../facts.ts";
import { type Answer, type Change, joinAnswers, toRun } from "../finding.ts";

export function startOptions(facts: Facts): Answer {
  return joinAnswers(facts.stands.map((stand) => judge(facts, stand)));
}

function judge(facts: Facts, stand: Stand): Answer {
  const why = stand.wrong ?? facts.looks.get(stand)?.startError;
  if (why !== undefined) {
    return { wrong: [{ what: `postprox does not start with ${stand.name}: ${why}.`, change: place(facts, stand) }] };
  }
  if (stand.settings) return { right: [`postprox can start with ${stand.name}`] };
  if (stand.mode !== undefined) return {};
  return { unseen: ["the options of postprox are not known: give them to doctor, or --config=FILE"] };
}

function place({ postfix }: Facts, { source }: Stand): Change {
  if (source.kind === "file") return toRun(`postprox --check-config --config=${source.path}`);
  if (source.kind === "master.cf" && isPostfix(postfix)) {
    return { where: placeOfEntry(postfix, source.entry), lines: [`    ${source.entry.args.join(" ")}`] };
  }
  return { where: "in the options of postprox; --check-config tells more", lines: [] };
}
