// Loads the judge of messages that the settings ask for: its checks, and the policy for them.

import { chain } from "../checks/chain.ts";
import type { Check, Judge } from "../checks/check.ts";
import { type CheckName, policyOf, type PolicyOptions } from "../checks/policy.ts";
import type { Runtime } from "../ports/runtime.ts";
import { Mistakes, orTempfail, UsageError } from "../ports/start_error.ts";
import { type CheckRow, CHECKS, type LoadParts } from "./catalogue.ts";
import type { ForCheck } from "./kinds.ts";
import type { Settings } from "./settings.ts";

/** Loads the checks of `settings`. Starts nothing. Throws a `StartError`. */
export async function loadJudge(parts: LoadParts, settings: Settings): Promise<Judge> {
  const asked = askedChecks(settings);
  const mistakes = new Mistakes();
  const options = await mistakes.of(() => policyOptions(settings, new Set(asked.map(({ row }) => row.name))));
  const keeping = await mistakes.of(() => loadQuarantine(parts, settings));
  const checks: Check[] = [];
  for (const { row, own } of asked) {
    const made = [await mistakes.of(() => row.load(own, settings, parts)) ?? []].flat();
    checks.push(...row.startsPrograms ? await inTurns(made, parts) : made);
  }
  mistakes.throwAll();
  const [policy, quarantined] = [options!, keeping!];
  const judge = chain(parts.runtime.clock, checks, policyOf(policy), parts.runtime.turn);
  const { dryRun, bypass } = settings.judging;
  const tags = !dryRun && [...policy.actions.values()].includes("tag");
  if (!dryRun && !tags && bypass.length === 0) return quarantined(judge);
  const judges = await import("../checks/judges.ts");
  const tried = dryRun ? judges.dryRun(judge) : judge;
  const bypassed = bypass.length > 0 ? judges.bypassing(tried, bypass.flatMap(({ networks }) => networks)) : tried;
  return quarantined(tags ? judges.withoutTags(bypassed, parts.runtime.turn) : bypassed);
}

/** The checks that `settings` ask for, in the order in which they judge. */
export function askedChecks(settings: Settings) {
  return Object.entries<CheckRow>(CHECKS)
    .map(([part, row]) => ({ row, own: settings[part as keyof typeof CHECKS] }))
    .filter(({ row, own }) => row.isAsked(own));
}

async function inTurns(
  checks: readonly Check[],
  { runtime: { clock }, filterTurns }: LoadParts,
): Promise<readonly Check[]> {
  if (!filterTurns) return checks;
  const { inTurn } = await import("../checks/program/in_turn.ts");
  return checks.map((check) => inTurn(clock, check, filterTurns));
}

// If a quarantine cannot be used, the start fails. That is also so in a dry run, which keeps nothing.
async function loadQuarantine(
  { runtime, isTrial }: LoadParts,
  settings: Settings,
): Promise<(judge: Judge) => Judge> {
  const { quarantine: { directory }, spool, judging: { dryRun } } = settings;
  if (directory === undefined) return (judge) => judge;
  const { refuseBelowSpool } = await import("../quarantine/below_spool.ts");
  refuseBelowSpool(directory, spool.directory);
  await checkQuarantine(runtime, settings);
  const [{ Quarantine }, { keeping }] = await Promise.all([
    import("../quarantine/quarantine.ts"),
    import("../quarantine/keeping.ts"),
  ]);
  return (judge) => dryRun || isTrial ? judge : keeping(judge, new Quarantine(runtime, directory), runtime.clock);
}

/** Throws a `StartError` if this process cannot keep messages in the quarantine that `settings` ask for. */
export async function checkQuarantine(
  { files }: Pick<Runtime, "files">,
  { quarantine: { directory }, listen }: Settings,
): Promise<void> {
  if (directory === undefined) return;
  const { checkQuarantineDirectory } = await import("../quarantine/store.ts");
  const check = checkQuarantineDirectory(files, directory, { mayWait: listen.address !== undefined });
  await orTempfail("--quarantine", check, () => "give a directory that can be written");
}

function policyOptions(
  { judging, quarantine: { directory } }: Settings,
  names: ReadonlySet<CheckName>,
): PolicyOptions & Required<Pick<PolicyOptions, "actions">> {
  const { rejectUnsure, dryRun } = judging;
  const actions = byCheck("--action", judging.actions, names);
  const onError = byCheck("--on-error", judging.onErrors, names);
  const [kept] = [...actions].find(([, action]) => action === "quarantine") ?? [];
  const keeps = directory !== undefined;
  if (kept && !keeps) {
    throw new UsageError(`option --action: ${kept}=quarantine needs a quarantine: give --quarantine=DIR`);
  }
  return { rejectUnsure, actions, onError, dryRun, keeps };
}

// The settings of an option for each check. Only checks that look at mail may have one. The last setting of a check
// counts.
function byCheck<Value>(
  option: string,
  settings: readonly ForCheck<Value>[],
  names: ReadonlySet<CheckName>,
): Map<CheckName, Value> {
  const values = new Map<CheckName, Value>();
  for (const [check, value] of settings) {
    if (!names.has(check)) {
      const hint = names.size > 0 ? `give one of ${[...names].join(", ")}, or ` : "";
      throw new UsageError(
        `option ${option}: no check ${check} looks at mail: ${hint}ask for it with --${optionFor(check)}`,
      );
    }
    values.set(check, value);
  }
  return values;
}

// The first option of a check asks for it.
function optionFor(name: CheckName): string {
  const row = Object.values<CheckRow>(CHECKS).find((row) => row.name === name);
  return Object.values(row?.options ?? {})[0]?.long ?? "command";
}
