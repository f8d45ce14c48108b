// Makes the checks of a fuzz input, and the judge around them, as the settings of the program make them.

import { chain } from "../../lib/checks/chain.ts";
import type { Check, Judge } from "../../lib/checks/check.ts";
import { clamdCheck } from "../../lib/checks/clamd/clamd.ts";
import { contentRulesCheck } from "../../lib/checks/content_rules/content_rules.ts";
import { parseContentRules } from "../../lib/checks/content_rules/file.ts";
import { bypassing, dryRun, withoutTags } from "../../lib/checks/judges.ts";
import { policyOf } from "../../lib/checks/policy.ts";
import { commandCheck } from "../../lib/checks/program/command.ts";
import { externalChecker } from "../../lib/checks/program/extchk.ts";
import { helperCheck } from "../../lib/checks/program/helper.ts";
import { rspamdCheck } from "../../lib/checks/rspamd/rspamd.ts";
import { spamdCheck } from "../../lib/checks/spamd/spamd.ts";
import { urlsCheck } from "../../lib/checks/urls/urls.ts";
import { parseDnsList } from "../../lib/dns/list.ts";
import { ListStates } from "../../lib/dns/list_states.ts";
import { tell } from "../../lib/log/events.ts";
import type { Logger } from "../../lib/log/logger.ts";
import type { Runtime } from "../../lib/ports/runtime.ts";
import { keeping } from "../../lib/quarantine/keeping.ts";
import { Quarantine } from "../../lib/quarantine/quarantine.ts";
import { addressSyntax } from "../../lib/restrictions/address_syntax.ts";
import { restrictions } from "../../lib/restrictions/chain.ts";
import { exempting } from "../../lib/restrictions/exempt.ts";
import { parseRules } from "../../lib/restrictions/rules/file.ts";
import { listsOf } from "../../lib/restrictions/rules/lists.ts";
import { rulesRestriction } from "../../lib/restrictions/rules/rules.ts";
import { Admission, type AdmissionParts } from "../../lib/session/admission.ts";
import { parseNetwork } from "../../lib/text/network.ts";
import { bytesOf } from "../../lib/text/octets.ts";
import { SharedTurn } from "../../lib/wire/shared_turn.ts";
import type { FakeResolver } from "../fakes/resolver.ts";
import type { ScannerName, Settings } from "./input.ts";
import { SCANNER_PORTS } from "./scanners.ts";

export const QUARANTINE = "/quarantine";

/** All servers of a scanner together have this time. */
export const SCAN_LIMIT = 30_000;

/** The score from spamd that refuses a message. */
export const SPAMD_REJECT = 10;

/** The rule of `contentRules`. */
export const CAUGHT_BY_RULES = "Buy now!";

/** The path of the external checker. */
export const CHECKER = "/usr/lib/checker";

/** The client of `bypass`, which a list has. */
export const LISTED_CLIENT = "192.0.2.9";

const BYPASSED = [parseNetwork(LISTED_CLIENT)!];

const NAMES = "names.list";
const ADDRESSES = "addresses.list";

/** The hosts in URLs: one that a list of names has, one whose address a list has, one in no list, one that fails. */
export const URL_HOSTS = ["listed.example", "address.example", "clean.example", "silent.example"] as const;

/** The rules file of `restricts`. The list has 192.0.2.9, which XFORWARD may name. Only one recipient asks for checks. */
export const RULES = "noto:ALL:ALL:e@f:450 4.7.1 Not now\nnoto:RBL.clients.list:ALL:ALL:550 5.7.1 Not you\n" +
  "allow-filter|allow-extchk:ALL:ALL:c@d\n";

export function fillResolver({ answers }: FakeResolver): void {
  answers.set("9.2.0.192.clients.list A", ["127.0.0.2"]);
  answers.set("listed.example.names.list A", ["127.0.0.2"]);
  answers.set("listed.example.names.list TXT", ["listed"]);
  answers.set("address.example A", ["192.0.2.66"]);
  answers.set("66.2.0.192.addresses.list A", ["127.0.0.2"]);
  answers.set("clean.example A", ["192.0.2.67"]);
  answers.set("silent.example A", ["192.0.2.68"]);
  answers.set("silent.example.names.list A", "silent");
}

interface Parts {
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly filterLimit: number;
}

function checksOf({ runtime, logger, filterLimit }: Parts, settings: Settings, turn: SharedTurn): Check[] {
  const checks: Check[] = [];
  if (settings.contentRules) {
    const rules = parseContentRules(bytesOf(`${CAUGHT_BY_RULES}\n`));
    checks.push(contentRulesCheck(runtime.clock, rules, { file: "rules", timeout: filterLimit, turn }));
  }
  const scanners = settings.scanners ?? [];
  const options = (name: ScannerName) => ({
    servers: SCANNER_PORTS[name].slice(0, settings.twoServers ? 2 : 1)
      .map((port) => ({ transport: "tcp", host: "127.0.0.1", port }) as const),
    timeout: SCAN_LIMIT,
    turn,
  });
  if (scanners.includes("clamd")) checks.push(clamdCheck(runtime, options("clamd")));
  if (scanners.includes("rspamd")) checks.push(rspamdCheck(runtime, { ...options("rspamd"), password: undefined }));
  if (scanners.includes("spamd")) checks.push(spamdCheck(runtime, { ...options("spamd"), reject: SPAMD_REJECT }));
  if (scanners.includes("urls")) checks.push(urls(runtime, logger, turn));
  if (settings.extchk) checks.push(externalChecker(runtime, { path: CHECKER, timeout: filterLimit }));
  const filter = {
    command: "filter",
    timeout: filterLimit,
    allowDiscard: settings.allowDiscard ?? false,
    strictExit: settings.strictExit ?? false,
    exitStatus: new Map(settings.exitStatus),
    editInPlace: settings.editInPlace ?? false,
  };
  const then = Array.from({ length: settings.then ?? 0 }, () => commandCheck(runtime, filter));
  if (!settings.filter) return [...checks, ...then];
  if (!settings.helper) return [...checks, commandCheck(runtime, filter), ...then];
  const { clock, processes } = runtime;
  const onLine = (text: string) => tell(logger, "helperSaid", { text });
  const onFailure = (why: string, pause: number) => tell(logger, "helperFailed", { why, pause });
  return [...checks, helperCheck({ clock, processes, onLine, onFailure }, { ...filter, count: 1 }), ...then];
}

function urls(runtime: Runtime, logger: Logger, turn: SharedTurn): Check {
  const [dnsbl, rhsbl] = [[parseDnsList(ADDRESSES)], [parseDnsList(NAMES)]];
  const lists = new ListStates(logger);
  lists.use([
    ...dnsbl.map((list) => ({ kind: "address", ...list }) as const),
    ...rhsbl.map((list) => (
      { kind: "domain", ...list } as const
    )),
  ]);
  const options = { dnsbl, rhsbl, allowed: new Set<string>(), listNames: new Map(), timeout: SCAN_LIMIT, turn };
  return urlsCheck(runtime, { timeout: 5_000, lists }, options);
}

/** The judge of a session. `onJudge` is called with each message. */
export function judgeOf(parts: Parts, settings: Settings, onJudge: () => void): Judge {
  const { action, onError, quarantine } = settings;
  const turn = new SharedTurn(parts.runtime.clock);
  const checks = checksOf(parts, settings, turn);
  const { clock } = parts.runtime;
  const forAll = <Value>(value: Value | undefined) =>
    new Map(value === undefined ? [] : checks.map(({ name }) => [name, value]));
  const policy = policyOf({
    rejectUnsure: settings.rejectUnsure ?? false,
    dryRun: settings.dryRun ?? false,
    actions: forAll(action === "quarantine" && !quarantine ? "discard" : action),
    onError: forAll(onError),
    keeps: quarantine ?? false,
  });
  const inner = chain(clock, checks, policy, turn);
  const bypassed = settings.bypass
    ? bypassing(settings.dryRun ? dryRun(inner) : inner, BYPASSED)
    : settings.dryRun
    ? dryRun(inner)
    : inner;
  const tried = action === "tag" && !settings.dryRun ? withoutTags(bypassed, turn) : bypassed;
  const kept = quarantine && !settings.dryRun
    ? keeping(tried, new Quarantine(parts.runtime, QUARANTINE), clock)
    : tried;
  return {
    ...kept,
    judge: (message, options) => {
      onJudge();
      return kept.judge(message, options);
    },
  };
}

/** What looks at senders and recipients. */
export function admissionOf({ runtime: { clock }, logger }: Parts, { dryRun = false, bypass = false }: Settings) {
  const rules = parseRules(RULES);
  const lists = new ListStates(logger);
  lists.use(listsOf(rules));
  const options = { file: "rules", delay: 30_000, turn: new SharedTurn(clock), listNames: new Map() };
  const all = restrictions([addressSyntax, rulesRestriction(rules, options)]);
  const restriction = bypass ? exempting(all, BYPASSED) : all;
  return (parts: Omit<AdmissionParts, "dryRun">) =>
    new Admission(restriction, { timeout: 5_000, lists }, { ...parts, dryRun });
}
