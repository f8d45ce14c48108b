// From the options to what looks at mail: the restrictions of a session and the check of its messages.
//
// What a run does not use is not loaded, since spawn(8) starts one process for each message. A file that is named on the
// command line is read here; one with a mistake throws a `UsageError` with its name and line, and one that is missing or
// cannot be read a `TempfailError`.

import { chain } from "./checks/chain.ts";
import type { Check } from "./checks/check.ts";
import type { Restriction } from "./restrictions/restriction.ts";
import { SharedTurn } from "./wire/shared_turn.ts";
import type { ListUse } from "./dns/list.ts";
import type { DnsOptions } from "./dns/lookups.ts";
import { type Logger } from "./log/logger.ts";
import { quote } from "./text/quoting.ts";
import { type Options, orTempfail, TempfailError, UsageError } from "./options/options.ts";
import type { Runtime } from "./ports/runtime.ts";
import type { SessionChecks } from "./session/session.ts";
import { textOf } from "./text/octets.ts";

export interface Checks extends SessionChecks {
  /** How DNS is asked, and what is known of its lists; absent where there are no restrictions. */
  readonly dns?: DnsOptions | undefined;
}

/** What checks are made of. `dns` is that of the checks before, where there were any. */
export interface ChecksParts extends Pick<Checks, "dns"> {
  readonly runtime: Runtime;
  readonly logger: Logger;
}

/** What `options` want to look at mail. */
export async function checksOf({ runtime, logger, dns }: ChecksParts, options: Options): Promise<Checks> {
  const parts = { runtime, logger, dns, turn: new SharedTurn(runtime.clock) };
  return { check: await checkOf(parts, options), ...await admissionOf(parts, options) };
}

interface Parts extends ChecksParts {
  readonly turn: SharedTurn;
}

// Who asks the restrictions that `options` want; empty where they want none.
async function admissionOf(parts: Parts, options: Options): Promise<Omit<Checks, "check">> {
  const { all, lists } = await restrictionsOf(parts, options);
  refuseNameOfNoList(options, lists);
  if (all.length === 0) return {};
  const [{ restrictions }, { addressSyntax }, { ListStates }, { Admission }] = await Promise.all([
    import("./restrictions/chain.ts"),
    import("./restrictions/address_syntax.ts"),
    import("./dns/list_states.ts"),
    import("./session/admission.ts"),
  ]);
  const restriction = restrictions([addressSyntax, ...all]);
  const states = parts.dns?.lists ?? new ListStates(parts.logger);
  states.use(lists);
  const dns: DnsOptions = { server: options.dnsServer, timeout: options.dnsTimeout, lists: states };
  return { newAdmission: (session) => new Admission(restriction, dns, session), dns };
}

// With a typing error in the zone, strangers would hear the key that it holds.
function refuseNameOfNoList({ listNames }: Options, lists: readonly ListUse[]): void {
  const unknown = [...listNames.keys()].find((name) => !lists.some(({ zone }) => zone === name));
  if (unknown === undefined) return;
  throw new UsageError(
    `option --list-name: no DNS list ${quote(unknown)} is asked: give a zone of --dnsbl, --dnswl, --rhsbl or the rules`,
  );
}

interface Restrictions {
  readonly all: readonly Restriction[];
  /** The DNS lists that they ask. */
  readonly lists: readonly ListUse[];
}

async function restrictionsOf(parts: Parts, options: Options): Promise<Restrictions> {
  const { checkSenderDomain, checkRules, dnsbl, dnswl, rhsbl } = options;
  const all: Restriction[] = [];
  const lists: ListUse[] = [
    ...[...dnsbl, ...dnswl].map((list) => ({ kind: "address", ...list }) as const),
    ...rhsbl.map((list) => ({ kind: "domain", ...list }) as const),
  ];
  if (checkSenderDomain) {
    const { senderDomainRestriction } = await import("./restrictions/sender_domain.ts");
    all.push(senderDomainRestriction());
  }
  if (checkRules !== undefined) {
    const { restriction, listsOfRules } = await rules(parts, checkRules, options);
    all.push(restriction);
    lists.push(...listsOfRules);
  }
  if (dnsbl.length + rhsbl.length > 0) {
    const { dnsListRestriction } = await import("./restrictions/dns_list.ts");
    all.push(dnsListRestriction(options));
  }
  return { all, lists };
}

async function rules(
  { runtime, turn }: Parts,
  file: string,
  { rulesDelay: delay, listNames }: Options,
): Promise<{ restriction: Restriction; listsOfRules: readonly ListUse[] }> {
  const [{ parseRules }, { listsOf }, { rulesRestriction }] = await Promise.all([
    import("./restrictions/rules/file.ts"),
    import("./restrictions/rules/lists.ts"),
    import("./restrictions/rules/rules.ts"),
  ]);
  const parse = (content: Uint8Array) => parseRules(textOf(content));
  const all = await parsed(runtime, "--check-rules", { file, parse });
  return { restriction: rulesRestriction(all, { file, delay, turn, listNames }), listsOfRules: listsOf(all) };
}

// The check that `options` want: the cheap ones come first, and the command has the last word.
async function checkOf(parts: Parts, options: Options): Promise<Check> {
  const { runtime } = parts;
  const checks: Check[] = [];
  if (options.filterRules !== undefined) checks.push(await contentRules(parts, options.filterRules, options.timeout));
  if (options.extchk !== undefined) checks.push(await checker(runtime, options.extchk, options.timeout));
  if (options.command !== "") {
    const { commandCheck } = await import("./checks/program/command.ts");
    checks.push(commandCheck(runtime, options));
  }
  return chain(runtime.clock, checks);
}

async function contentRules({ runtime, turn }: Parts, file: string, timeout: number): Promise<Check> {
  const [{ parseContentRules }, { contentRulesCheck }] = await Promise.all([
    import("./checks/content_rules/file.ts"),
    import("./checks/content_rules/content_rules.ts"),
  ]);
  const rules = await parsed(runtime, "--filter-rules", { file, parse: parseContentRules });
  return contentRulesCheck(runtime.clock, rules, { file, timeout, turn });
}

/** What `parse` makes of a file that `option` names. */
async function parsed<Rules>(
  runtime: Runtime,
  option: string,
  { file, parse }: { file: string; parse: (content: Uint8Array) => Rules },
): Promise<Rules> {
  const [{ RulesError }, { readSmallFile }] = await Promise.all([
    import("./text/line_error.ts"),
    import("./ports/small_file.ts"),
  ]);
  const content = await orTempfail(option, readSmallFile(runtime.files, file), () => "give a file that can be read");
  try {
    return parse(content);
  } catch (error) {
    if (!(error instanceof RulesError)) throw error;
    throw new UsageError(`option ${option}: ${file}:${error.line}: ${error.message}`);
  }
}

async function checker(runtime: Runtime, file: string, timeout: number): Promise<Check> {
  const facts = await orTempfail("--extchk", runtime.files.stat(file), () => "give a file that can be executed");
  if (facts.kind !== "file" || !facts.executable) {
    throw new TempfailError(
      `option --extchk: ${quote(file)} cannot be executed: give a program, such as a script with x set`,
    );
  }
  const { externalChecker } = await import("./checks/program/extchk.ts");
  // Without a slash it would be looked for in PATH.
  return externalChecker(runtime, { path: file.includes("/") ? file : `./${file}`, timeout });
}
