// Loads the checks and restrictions that the settings ask for.

import { chain } from "../checks/chain.ts";
import type { Check, Judge } from "../checks/check.ts";
import { policyOf } from "../checks/policy.ts";
import type { DnsOptions } from "../dns/lookups.ts";
import type { Logger } from "../log/logger.ts";
import type { Runtime } from "../ports/runtime.ts";
import { UsageError } from "../ports/start_error.ts";
import type { SessionChecks } from "../session/session.ts";
import { quote } from "../text/quoting.ts";
import { SharedTurn } from "../wire/shared_turn.ts";
import {
  type CheckRow,
  CHECKS,
  type LoadedRestriction,
  type LoadParts,
  type RestrictionRow,
  RESTRICTIONS,
} from "./catalogue.ts";
import type { Settings } from "./settings.ts";

export interface Checks extends SessionChecks {
  /** How to ask DNS, and the state of each DNS list; absent if there are no restrictions. */
  readonly dns?: DnsOptions | undefined;
}

/** The parts for checks. `dns` comes from the checks that were loaded before, if there were any. */
export interface ChecksParts extends Pick<Checks, "dns"> {
  readonly runtime: Runtime;
  readonly logger: Logger;
}

/** Loads the checks and restrictions of `settings`. Throws a `StartError`. */
export async function loadChecks({ runtime, logger, dns }: ChecksParts, settings: Settings): Promise<Checks> {
  const parts = { runtime, logger, dns, turn: new SharedTurn(runtime.clock) };
  const judge = await loadJudge(parts, settings);
  try {
    return { judge, ...await loadAdmission(parts, settings) };
  } catch (error) {
    await judge.retire?.();
    throw error;
  }
}

async function loadJudge(parts: LoadParts, settings: Settings): Promise<Judge> {
  const checks: Check[] = [];
  for (const [name, row] of Object.entries<CheckRow>(CHECKS)) {
    const own = settings[name as keyof typeof CHECKS];
    if (row.isAsked(own)) checks.push(await row.load(own, settings, parts));
  }
  return chain(parts.runtime.clock, checks, policyOf(settings.judging));
}

// Loads the restrictions of `settings`. If there are none, the result is empty.
async function loadAdmission(parts: ChecksParts & LoadParts, settings: Settings): Promise<Omit<Checks, "judge">> {
  const loaded = await loadRestrictions(parts, settings);
  const lists = loaded.flatMap(({ lists }) => lists);
  refuseNameOfNoList(settings, lists);
  const all = loaded.flatMap(({ restriction }) => restriction ?? []);
  if (all.length === 0) return {};
  const [{ restrictions }, { addressSyntax }, { ListStates }, { Admission }] = await Promise.all([
    import("../restrictions/chain.ts"),
    import("../restrictions/address_syntax.ts"),
    import("../dns/list_states.ts"),
    import("../session/admission.ts"),
  ]);
  const restriction = restrictions([addressSyntax, ...all]);
  const states = parts.dns?.lists ?? new ListStates(parts.logger);
  states.use(lists);
  const dns: DnsOptions = { server: settings.dns.server, timeout: settings.dns.timeout, lists: states };
  return { newAdmission: (session) => new Admission(restriction, dns, session), dns };
}

async function loadRestrictions(parts: LoadParts, settings: Settings): Promise<LoadedRestriction[]> {
  const loaded: LoadedRestriction[] = [];
  for (const [name, row] of Object.entries<RestrictionRow>(RESTRICTIONS)) {
    const own = settings[name as keyof typeof RESTRICTIONS];
    if (row.isAsked(own)) loaded.push(await row.load(own, settings, parts));
  }
  return loaded;
}

// If the zone has a typing error, strangers would see the key in the real zone.
function refuseNameOfNoList({ dns }: Settings, lists: LoadedRestriction["lists"]): void {
  const unknown = dns.listNames.find(([named]) => !lists.some(({ zone }) => zone === named));
  if (unknown === undefined) return;
  const [zone] = unknown;
  throw new UsageError(
    `option --list-name: no DNS list ${quote(zone)} is asked: give a zone of --dnsbl, --dnswl, --rhsbl or the rules`,
  );
}
