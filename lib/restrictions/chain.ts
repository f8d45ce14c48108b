// Several restrictions as one. The first refusal wins. The content checks that they ask for are joined.

import type { Restriction, RestrictionContext, Ruling } from "./restriction.ts";

/** A restriction that asks `restrictions` in their order. */
export function restrictions(all: readonly Restriction[]): Restriction {
  return {
    name: "restrictions",
    sender: (envelope, context) => ask(all, context, async (one) => one.sender?.(envelope, context)),
    recipient: (recipient, envelope, context) =>
      ask(all, context, async (one) => one.recipient?.(recipient, envelope, context)),
  };
}

async function ask(
  all: readonly Restriction[],
  { signal }: RestrictionContext,
  rule: (one: Restriction) => Promise<Ruling | undefined>,
): Promise<Ruling> {
  let allowed: Ruling = { kind: "allow" };
  for (const one of all) {
    const ruling = signal.aborted ? undefined : await rule(one);
    if (ruling?.kind === "refuse") return { ...ruling, why: `${one.name}: ${ruling.why}` };
    if (!ruling?.contentChecks) continue;
    allowed = { kind: "allow", contentChecks: [...allowed.contentChecks ?? [], ...ruling.contentChecks] };
  }
  return allowed;
}
