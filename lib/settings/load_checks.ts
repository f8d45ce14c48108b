// Loads the checks and restrictions that the settings ask for.

import type { ListUse } from "../dns/list.ts";
import type { DnsOptions } from "../dns/lookups.ts";
import type { Logger } from "../log/logger.ts";
import type { Runtime } from "../ports/runtime.ts";
import { Mistakes, UsageError } from "../ports/start_error.ts";
import type { Restriction } from "../restrictions/restriction.ts";
import type { SessionChecks } from "../session/session.ts";
import { quote } from "../text/quoting.ts";
import type { FilterTurns } from "../wire/turns.ts";
import {
  type CheckRow,
  CHECKS,
  type LoadedRestriction,
  type LoadParts,
  type RestrictionRow,
  RESTRICTIONS,
} from "./catalogue.ts";
import { loadJudge } from "./load_judge.ts";
import type { Settings } from "./settings.ts";

// Filters often wait for a scanner or a disk, so a processor has time for several.
const FILTERS_PER_PROCESSOR = 4;

export interface Checks extends SessionChecks {
  /** How to ask DNS, and the state of each DNS list; absent if nothing asks DNS. */
  readonly dns?: DnsOptions | undefined;
  /** The turns of checks that start programs, in listen mode. */
  readonly filterTurns?: FilterTurns | undefined;
}

/** The parts for checks. Two of them come from the checks that were loaded before, if there were any. */
export interface ChecksParts extends Pick<Checks, "dns" | "filterTurns"> {
  readonly runtime: Runtime;
  readonly logger: Logger;
  /** The mail is only tried out: no copy goes to the quarantine. */
  readonly isTrial?: boolean;
}

/** Loads the checks and restrictions of `settings`. Throws a `StartError`. */
export async function loadChecks(
  { runtime, logger, isTrial = false, ...before }: ChecksParts,
  settings: Settings,
): Promise<Checks> {
  const lists = listsOfChecks(settings);
  const areRestrictions = Object.entries<RestrictionRow>(RESTRICTIONS)
    .some(([name, row]) => row.isAsked(settings[name as keyof typeof RESTRICTIONS]));
  const dns = areRestrictions || lists.length > 0 ? await dnsOf({ logger, dns: before.dns }, settings) : undefined;
  // In spawn mode each message has a process of its own, and Postfix limits their number.
  const count = isTrial || settings.listen.address === undefined ? undefined : filterCount(settings);
  const filterTurns = count === undefined ? undefined : before.filterTurns ?? await newTurns(runtime, count);
  const parts = { runtime, logger, dns, filterTurns, isTrial };
  const mistakes = new Mistakes();
  const loaded = await loadRestrictions(parts, settings, mistakes);
  lists.push(...loaded.flatMap(({ lists }) => lists));
  // A file of rules that cannot be read may ask more lists.
  if (mistakes.isEmpty) await mistakes.of(() => refuseNameOfNoList(settings, lists));
  const made = await mistakes.of(() => loadJudge(parts, settings));
  mistakes.throwAll();
  const judge = made!;
  const all = loaded.flatMap(({ restriction }) => restriction ?? []);
  // Until now, nothing has changed for the checks that were loaded before.
  if (filterTurns && count !== undefined) filterTurns.count = count;
  (dns ?? before.dns)?.lists.use(lists);
  if (!dns || all.length + lists.length === 0) return { judge, filterTurns };
  if (all.length === 0) return { judge, filterTurns, dns };
  return { judge, filterTurns, dns, newAdmission: await loadAdmission(all, dns, settings) };
}

/** How many filters may run at a time in listen mode. */
export function filterCount({ listen: { maxFilters } }: Settings): number {
  return maxFilters ?? FILTERS_PER_PROCESSOR * navigator.hardwareConcurrency;
}

async function newTurns({ clock }: Runtime, count: number): Promise<FilterTurns> {
  const { Turns } = await import("../wire/turns.ts");
  return new Turns(clock, count);
}

async function dnsOf({ logger, dns }: Pick<ChecksParts, "logger" | "dns">, settings: Settings): Promise<DnsOptions> {
  const { ListStates } = await import("../dns/list_states.ts");
  const { server, timeout } = settings.dns;
  return { server, timeout, lists: dns?.lists ?? new ListStates(logger) };
}

function listsOfChecks(settings: Settings): ListUse[] {
  return Object.entries<CheckRow>(CHECKS).flatMap(([name, row]) =>
    row.lists?.(settings[name as keyof typeof CHECKS]) ?? []
  );
}

async function loadAdmission(
  all: readonly Restriction[],
  dns: DnsOptions,
  { judging: { dryRun, bypass } }: Settings,
): Promise<NonNullable<SessionChecks["newAdmission"]>> {
  const [{ restrictions }, { addressSyntax }, { Admission }] = await Promise.all([
    import("../restrictions/chain.ts"),
    import("../restrictions/address_syntax.ts"),
    import("../session/admission.ts"),
  ]);
  const asked = restrictions([addressSyntax, ...all]);
  const restriction = bypass.length > 0
    ? (await import("../restrictions/exempt.ts")).exempting(asked, bypass.flatMap(({ networks }) => networks))
    : asked;
  return (session) => new Admission(restriction, dns, { ...session, dryRun });
}

async function loadRestrictions(
  parts: LoadParts,
  settings: Settings,
  mistakes: Mistakes,
): Promise<LoadedRestriction[]> {
  const loaded: LoadedRestriction[] = [];
  for (const [name, row] of Object.entries<RestrictionRow>(RESTRICTIONS)) {
    const own = settings[name as keyof typeof RESTRICTIONS];
    const made = row.isAsked(own) ? await mistakes.of(() => row.load(own, settings, parts)) : undefined;
    if (made) loaded.push(made);
  }
  return loaded;
}

// If the zone has a typing error, strangers would see the key in the real zone.
function refuseNameOfNoList({ dns }: Settings, lists: LoadedRestriction["lists"]): void {
  const unknown = dns.listNames.find(([named]) => !lists.some(({ zone }) => zone === named));
  if (unknown === undefined) return;
  const [zone] = unknown;
  throw new UsageError(
    `option --list-name: no DNS list ${quote(zone)} is asked: give a zone of --dnsbl, --dnswl, --rhsbl, --url-dnsbl, ` +
      "--url-rhsbl or the rules",
  );
}
