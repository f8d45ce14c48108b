// The DNS lists that the rules of a rules file ask. Pure.

import type { ListUse } from "../../dns/list.ts";
import type { PatternList, Rule } from "./file.ts";
import type { AddressPattern, DomainPattern, SourcePattern } from "./patterns.ts";

/** All of them. A list may be there more than once. */
export function listsOf(rules: readonly Rule[]): ListUse[] {
  return rules.flatMap(({ sources, froms, tos }) => [
    ...patternsOf(sources).flatMap((pattern) => listIn(pattern, "address")),
    ...[froms, tos].flatMap(patternsOf).flatMap(domainOf).flatMap((domain) => listIn(domain, "domain")),
  ]);
}

function patternsOf<P>({ patterns, except }: PatternList<P>): P[] {
  return [...patterns, ...(except ? patternsOf(except) : [])];
}

function domainOf(pattern: AddressPattern): DomainPattern[] {
  return "domain" in pattern ? [pattern.domain] : "right" in pattern ? [pattern.right] : [];
}

// Such a list is asked about the addresses of name servers.
function listIn(pattern: SourcePattern | DomainPattern, kind: ListUse["kind"]): ListUse[] {
  if (pattern.kind === "servers") return listIn(pattern.host, "address");
  return pattern.kind === "listed" ? [{ kind, zone: pattern.zone, addresses: pattern.addresses }] : [];
}
