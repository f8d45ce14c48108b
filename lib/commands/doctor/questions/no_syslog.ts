// Is there a syslog for the log of postprox?

import type { Facts, Look, Stand } from "../facts.ts";
import { type Answer, joinAnswers } from "../finding.ts";
import { setOption } from "../option_places.ts";

export function noSyslog(facts: Facts): Answer {
  return joinAnswers([...facts.looks].map(([stand, look]) => judge(facts, stand, look)));
}

function judge(facts: Facts, stand: Stand, { log }: Look): Answer {
  if (log.kind === "none" || !stand.settings) return {};
  if (log.why === undefined) return { right: [`a syslog takes lines at ${log.path}`] };
  const what = `There is no syslog: ${log.why}. The lines of postprox are lost.`;
  const value = "/var/log/postprox/postprox.log";
  return { wrong: [{ what, change: setOption(facts, stand, { long: "log", value }) }] };
}
