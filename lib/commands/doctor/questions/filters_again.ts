// Does the server behind postprox filter its mail again? Then mail goes in a circle.

import { isSamePlace } from "./nothing_listens.ts";
import { inMaster } from "../config_places.ts";
import { type Facts, isPostfix, type Stand } from "../facts.ts";
import { type Answer, type Finding, joinAnswers } from "../finding.ts";
import { nameOf, type Postfix } from "../postfix.ts";

export function filtersAgain({ postfix, stands }: Facts): Answer {
  if (!isPostfix(postfix)) return {};
  return joinAnswers(stands.map((stand) => judge(postfix, stand)));
}

function judge(postfix: Postfix, stand: Stand): Answer {
  const { behind } = stand;
  if (!behind) return {};
  const name = nameOf(behind);
  const wrong: Finding[] = [];
  const proxy = postfix.value("smtpd_proxy_filter", behind);
  if (proxy !== "") {
    wrong.push({
      what: `The server behind postprox, "${name}", filters its mail again: smtpd_proxy_filter is ${proxy}.`,
      change: inMaster(postfix, behind, { name: "smtpd_proxy_filter", value: "" }),
    });
  }
  const filter = postfix.value("content_filter", behind);
  if (filter !== "" && leadsBack(postfix, filter, stand)) {
    wrong.push({
      what: `The server behind postprox, "${name}", sends its mail back to postprox: content_filter is ${filter}.`,
      change: inMaster(postfix, behind, { name: "content_filter", value: "" }),
    });
  }
  return wrong.length > 0 ? { wrong } : { right: [`"${name}" does not filter again`] };
}

/** `TRANSPORT:[HOST]:PORT`, such as `smtp:[127.0.0.1]:10025`. */
function leadsBack(postfix: Postfix, filter: string, { at, downstream }: Stand): boolean {
  const [, hop = ""] = /^[^:]*:(.+)$/.exec(filter) ?? [];
  const to = postfix.address(hop.replace(/^\[([^\]:]*)\]/, "$1"));
  return to !== undefined && [at, downstream].some((own) => own !== undefined && isSamePlace(to, own));
}
