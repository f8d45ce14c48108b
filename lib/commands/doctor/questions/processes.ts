// May more SMTP servers run than there are places for their sessions with postprox?

import { entryLine } from "../config_places.ts";
import { type Facts, isPostfix, type Stand } from "../facts.ts";
import { type Answer, joinAnswers } from "../finding.ts";
import { setOption } from "../option_places.ts";
import { nameOf, type Postfix } from "../postfix.ts";

export function processCounts(facts: Facts): Answer {
  const { postfix } = facts;
  if (!isPostfix(postfix)) return {};
  return joinAnswers(facts.stands.map((stand) => judge(facts, postfix, stand)));
}

function judge(facts: Facts, postfix: Postfix, stand: Stand): Answer {
  const { fronts, entry, settings, mode } = stand;
  if (fronts.length === 0) return {};
  const wanted = fronts.reduce((sum, server) => sum + postfix.processes(server), 0);
  const names = fronts.map((server) => `"${nameOf(server)}"`).join(", ");
  if (entry) {
    const places = postfix.processes(entry);
    if (wanted <= places) return { right: ["there are spawn processes for all SMTP servers"] };
    const what = `There are more smtpd than spawn processes: ${names} may have ${count(wanted)}, ` +
      `"${nameOf(entry)}" only ${places}. The others wait, and their mail gets 451 in the end.`;
    const processes = Number.isFinite(wanted) ? String(wanted) : "0";
    return { wrong: [{ what, change: entryLine(postfix, entry, { processes }) }] };
  }
  if (mode !== "listen" || !settings) return {};
  const places = settings.listen.maxClients;
  if (wanted <= places) return { right: ["--max-clients is enough for all SMTP servers"] };
  if (!Number.isFinite(wanted)) return {};
  const what = `There are more SMTP servers than postprox takes clients: ${names} may have ${wanted}, ` +
    `--max-clients is ${places}. The others hear 421.`;
  return { wrong: [{ what, change: setOption(facts, stand, { long: "max-clients", value: String(wanted) }) }] };
}

function count(processes: number): string {
  return Number.isFinite(processes) ? String(processes) : "any number";
}
