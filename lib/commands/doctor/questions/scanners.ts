// Does each scanner answer?

import type { Facts, Look, ScannerLook } from "../facts.ts";
import { type Answer, type Finding, joinAnswers, toRun } from "../finding.ts";

export function scanners({ looks }: Facts): Answer {
  return joinAnswers([...looks.values()].map(judge));
}

function judge({ scanners, notAsked }: Look): Answer {
  const failed = scanners.filter(({ why }) => why !== undefined);
  const answered = scanners.filter(({ why }) => why === undefined);
  return {
    wrong: failed.filter(({ isHarmless }) => !isHarmless).map(finding),
    advice: failed.filter(({ isHarmless }) => isHarmless).map(finding),
    right: answered.map(({ name, server }) => `${name} ${name.startsWith("the") ? server : `at ${server}`} answers`),
    unseen: notAsked === undefined ? [] : [notAsked],
  };
}

/** Debian's names of the services. */
const SERVICES: Readonly<Record<string, string>> = {
  clamd: "clamav-daemon",
  rspamd: "rspamd",
  spamd: "spamassassin",
};

function finding({ name, server, why }: ScannerLook): Finding {
  const service = SERVICES[name];
  if (service === undefined) return { what: `The DNS list ${server} ${why}: take it out, or ask another resolver.` };
  const said = why!.includes(server) ? why : `${server}: ${why}`;
  return { what: `${name} could not tell: ${said}.`, change: toRun(`systemctl restart ${service}`) };
}
