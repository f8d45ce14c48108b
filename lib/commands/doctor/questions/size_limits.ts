// Do Postfix in front, postprox and the server behind it have the same limit of a message's size?

import { keyOf } from "../addresses.ts";
import { inMain, inMaster, whereSet } from "../config_places.ts";
import { type Dialogue, type Facts, isPostfix, type Stand } from "../facts.ts";
import { type Answer, type Finding, joinAnswers } from "../finding.ts";
import { setOption } from "../option_places.ts";
import { nameOf, type Postfix } from "../postfix.ts";

const NAME = "message_size_limit";

export function sizeLimits(facts: Facts): Answer {
  const { postfix } = facts;
  if (!isPostfix(postfix)) return {};
  return joinAnswers(facts.stands.map((stand) => judge(facts, postfix, stand)));
}

function judge(facts: Facts, postfix: Postfix, stand: Stand): Answer {
  const { fronts, behind, downstream, settings } = stand;
  if (fronts.length === 0) return {};
  const own = settings?.session.maxMessageSize;
  const last = behind
    ? limitOf(postfix.value(NAME, behind))
    : announced(downstream && facts.dialogues.get(keyOf(downstream)));
  const wrong = fronts.flatMap((server): Finding[] => {
    const first = limitOf(postfix.value(NAME, server));
    const name = nameOf(server);
    if (own !== undefined && own !== first) {
      return [{
        what: `Size limits differ: "${name}" takes messages of up to ${octets(first)} (${NAME}), ` +
          `postprox of up to ${octets(own)} (--max-message-size).`,
        change: own > first && Number.isFinite(first)
          ? setOption(facts, stand, { long: "max-message-size", value: String(first) })
          : whereSet(postfix, server, { name: NAME, value: String(own) }),
      }];
    }
    if (last === undefined || last >= first) return [];
    return [{
      what: `Size limits differ: "${name}" takes messages of up to ${octets(first)}, ` +
        `the server behind postprox only of up to ${octets(last)} (${NAME}).`,
      change: behind ? whereBehind(postfix, behind, first) : inMain(postfix, NAME, String(last)),
    }];
  });
  return wrong.length > 0 ? { wrong } : { right: ["the size limits fit"] };
}

function whereBehind(postfix: Postfix, behind: NonNullable<Stand["behind"]>, first: number) {
  return inMaster(postfix, behind, { name: NAME, value: String(Number.isFinite(first) ? first : 0) });
}

/** 0 is no limit. */
function limitOf(text: string): number {
  return Number(text) > 0 ? Number(text) : Infinity;
}

/** The limit that a server announces (RFC 1870 s.3); undefined if it announces none. */
function announced(dialogue: Dialogue | undefined): number | undefined {
  const ehlo = dialogue?.steps.find(({ command }) => command.startsWith("EHLO "));
  const size = ehlo?.lines?.map((line) => /^SIZE\s+([0-9]+)/i.exec(line)?.[1]).find((size) => size !== undefined);
  return size === undefined ? undefined : limitOf(size);
}

function octets(limit: number): string {
  return Number.isFinite(limit) ? `${limit} octets` : "any size";
}
