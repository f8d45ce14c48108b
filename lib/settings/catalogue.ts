// The catalogue of checks and restrictions: a row for each, with its options and how it is loaded.
//
// spawn(8) starts one process for each message. So a row imports its files only when a setting asks for it. It then
// also reads a file that an option names. A mistake in that file throws a `UsageError` with the file's name and the
// line. A file that is missing or cannot be read throws a `TempfailError`.

import type { Check } from "../checks/check.ts";
import type { CheckName } from "../checks/policy.ts";
import type { ListUse } from "../dns/list.ts";
import type { DnsOptions } from "../dns/lookups.ts";
import type { Logger } from "../log/logger.ts";
import { COMMAND, COUNT, FILE, SCORE, SECONDS } from "../options/kinds.ts";
import { flag, option, optional, repeated, type Rows, type ValuesOf } from "../options/table.ts";
import type { Address, Runtime } from "../ports/runtime.ts";
import { UsageError } from "../ports/start_error.ts";
import type { Restriction } from "../restrictions/restriction.ts";
import type { ServerConn } from "../wire/server_conn.ts";
import type { FilterTurns } from "../wire/turns.ts";
import type { GeneralSettings } from "./general.ts";
import { DNS_LIST, exitMeanings, NEXT_COMMAND, scannerAddress } from "./kinds.ts";

/** A row. `Own` is its options. `Made` is what `load` returns. */
interface Row<Own extends Rows, Made> {
  readonly options: Own;
  isAsked(own: ValuesOf<Own>): boolean;
  load(own: ValuesOf<Own>, general: GeneralSettings, parts: LoadParts): Promise<Made>;
}

export interface CheckRow<Own extends Rows = Rows> extends Row<Own, Check | readonly Check[]> {
  /** The name of its checks. */
  readonly name: CheckName;
  /** It starts a program for each message, so its messages wait for their turn. */
  readonly startsPrograms?: true;
  /** The DNS lists that it may ask; absent if it asks none. */
  lists?(own: ValuesOf<Own>): readonly ListUse[];
  /** Its servers, and how to find out whether one is there; absent if it has no servers. */
  readonly servers?: {
    addresses(own: ValuesOf<Own>): readonly Address[];
    loadPing(): Promise<(conn: ServerConn) => Promise<void>>;
  };
}
export type RestrictionRow<Own extends Rows = Rows> = Row<Own, LoadedRestriction>;

export interface LoadParts {
  /** The mail is only tried out. */
  readonly isTrial?: boolean;
  readonly runtime: Runtime;
  readonly logger: Logger;
  /** How to ask DNS. A check that asks DNS lists has it. */
  readonly dns?: DnsOptions | undefined;
  /** The turns of checks that start programs; absent if there is no limit. */
  readonly filterTurns?: FilterTurns | undefined;
}

export interface LoadedRestriction {
  /** Absent if the options restrict nothing. */
  readonly restriction?: Restriction;
  /** The DNS lists that it may ask. */
  readonly lists: readonly ListUse[];
}

// These two let TypeScript infer the types of a row's options.
const check = <Own extends Rows>(row: CheckRow<Own>) => row;
const restriction = <Own extends Rows>(row: RestrictionRow<Own>) => row;

/** In the order in which they are asked. */
export const RESTRICTIONS = {
  senderDomain: restriction({
    options: {
      check: flag({
        long: "check-sender-domain",
        group: "checks",
        help: "refuse a sender that is not a valid address, or whose domain has no MX and no address",
      }),
    },
    isAsked: ({ check }) => check,
    load: async () => {
      const { senderDomainRestriction } = await import("../restrictions/sender_domain.ts");
      return { restriction: senderDomainRestriction(), lists: [] };
    },
  }),

  rules: restriction({
    options: {
      file: optional({
        long: "check-rules",
        kind: FILE,
        group: "checks",
        help: "allow or refuse each recipient by the rules in FILE (see postprox(8))",
      }),
      delay: option({
        long: "rules-delay",
        kind: SECONDS,
        default: 30_000,
        group: "checks",
        help: "wait this long before a refusal by deny_delay or noto_delay (default {default})",
      }),
    },
    isAsked: ({ file }) => file !== undefined,
    load: async ({ file = "", delay }, { dns }, { runtime }) => {
      const [{ readRules }, { parseRules }, { listsOf }, { rulesRestriction }, { textOf }] = await Promise.all([
        import("./named_file.ts"),
        import("../restrictions/rules/file.ts"),
        import("../restrictions/rules/lists.ts"),
        import("../restrictions/rules/rules.ts"),
        import("../text/octets.ts"),
      ]);
      const rules = await readRules(runtime, "--check-rules", file, (content) => parseRules(textOf(content)));
      const listNames = new Map(dns.listNames);
      return {
        restriction: rulesRestriction(rules, { file, delay, turn: runtime.turn, listNames }),
        lists: listsOf(rules),
      };
    },
  }),

  dnsLists: restriction({
    options: {
      dnsbl: repeated({
        long: "dnsbl",
        kind: DNS_LIST,
        group: "checks",
        help: "refuse recipients of a client listed in ZONE; with ADDRESSES (such as 127.0.0.2-11), only these " +
          "answers count; may be repeated",
      }),
      dnswl: repeated({
        long: "dnswl",
        kind: DNS_LIST,
        group: "checks",
        help: "let no --dnsbl refuse a client listed in ZONE; may be repeated",
      }),
      rhsbl: repeated({
        long: "rhsbl",
        kind: DNS_LIST,
        group: "checks",
        help: "refuse recipients when ZONE has the domain of the sender; may be repeated",
      }),
    },
    isAsked: ({ dnsbl, dnswl, rhsbl }) => dnsbl.length + dnswl.length + rhsbl.length > 0,
    load: async (own, { dns }) => {
      const lists: ListUse[] = [
        ...[...own.dnsbl, ...own.dnswl].map((list) => ({ kind: "address", ...list }) as const),
        ...own.rhsbl.map((list) => ({ kind: "domain", ...list }) as const),
      ];
      if (own.dnsbl.length + own.rhsbl.length === 0) return { lists };
      const { dnsListRestriction } = await import("../restrictions/dns_list.ts");
      return { restriction: dnsListRestriction({ ...own, listNames: new Map(dns.listNames) }), lists };
    },
  }),
};

/** In the order in which they judge: cheap ones first, and the command last. */
export const CHECKS = {
  filterRules: check({
    name: "filter-rules",
    options: {
      file: optional({
        long: "filter-rules",
        kind: FILE,
        group: "checks",
        help: "refuse a message with a line that matches a regular expression in FILE (see postprox(8))",
      }),
    },
    isAsked: ({ file }) => file !== undefined,
    load: async ({ file = "" }, { judging: { timeout } }, { runtime }) => {
      const [{ readRules }, { parseContentRules }, { contentRulesCheck }] = await Promise.all([
        import("./named_file.ts"),
        import("../checks/content_rules/file.ts"),
        import("../checks/content_rules/content_rules.ts"),
      ]);
      const rules = await readRules(runtime, "--filter-rules", file, parseContentRules);
      return contentRulesCheck(runtime.clock, rules, { file, timeout, turn: runtime.turn });
    },
  }),

  clamd: check({
    name: "clamd",
    options: {
      servers: repeated({
        long: "clamd",
        kind: scannerAddress("127.0.0.1:3310", "unix:/run/clamav/clamd.ctl"),
        group: "scanners",
        help: "have clamd at ADDRESS look for viruses; may be repeated: the next one is asked when one fails",
      }),
    },
    isAsked: ({ servers }) => servers.length > 0,
    servers: {
      addresses: ({ servers }) => servers,
      loadPing: async () => (await import("../checks/clamd/ping.ts")).pingClamd,
    },
    load: async ({ servers }, { scanning: { timeout } }, { runtime }) => {
      const { clamdCheck } = await import("../checks/clamd/clamd.ts");
      return clamdCheck(runtime, { servers, timeout });
    },
  }),

  rspamd: check({
    name: "rspamd",
    options: {
      servers: repeated({
        long: "rspamd",
        kind: scannerAddress("127.0.0.1:11333", "unix:/run/rspamd/normal.sock"),
        group: "scanners",
        help: "have rspamd at ADDRESS judge each message; may be repeated: the next one is asked when one fails",
      }),
      passwordFile: optional({
        long: "rspamd-password-file",
        kind: FILE,
        group: "scanners",
        help: "send rspamd the password that is the first line of FILE",
      }),
    },
    isAsked: ({ servers, passwordFile }) => servers.length > 0 || passwordFile !== undefined,
    servers: {
      addresses: ({ servers }) => servers,
      loadPing: async () => (await import("../checks/rspamd/ping.ts")).pingRspamd,
    },
    load: async ({ servers, passwordFile }, { scanning: { timeout } }, { runtime }) => {
      if (servers.length === 0) {
        throw new UsageError("option --rspamd-password-file: no rspamd is asked: give --rspamd=ADDRESS too");
      }
      const [{ readPassword }, { rspamdCheck }] = await Promise.all([
        import("./named_file.ts"),
        import("../checks/rspamd/rspamd.ts"),
      ]);
      const password = passwordFile === undefined
        ? undefined
        : await readPassword(runtime, "--rspamd-password-file", passwordFile);
      return rspamdCheck(runtime, { servers, timeout, password, turn: runtime.turn });
    },
  }),

  spamd: check({
    name: "spamd",
    options: {
      servers: repeated({
        long: "spamd",
        kind: scannerAddress("127.0.0.1:783", "unix:/run/spamd.sock"),
        group: "scanners",
        help:
          "have SpamAssassin's spamd at ADDRESS score each message; may be repeated: the next one is asked when one fails",
      }),
      reject: optional({
        long: "spamd-reject",
        kind: SCORE,
        group: "scanners",
        help: "refuse a message with a score of SCORE or more from spamd (default: only mark it)",
      }),
    },
    isAsked: ({ servers, reject }) => servers.length > 0 || reject !== undefined,
    servers: {
      addresses: ({ servers }) => servers,
      loadPing: async () => (await import("../checks/spamd/ping.ts")).pingSpamd,
    },
    load: async ({ servers, reject }, { scanning: { timeout } }, { runtime }) => {
      if (servers.length === 0) {
        throw new UsageError("option --spamd-reject: no spamd is asked: give --spamd=ADDRESS too");
      }
      const { spamdCheck } = await import("../checks/spamd/spamd.ts");
      return spamdCheck(runtime, { servers, timeout, reject, turn: runtime.turn });
    },
  }),

  urls: check({
    name: "urls",
    options: {
      dnsbl: repeated({
        long: "url-dnsbl",
        kind: DNS_LIST,
        group: "scanners",
        help: "refuse a message if ZONE lists an address of a host in one of its URLs; with ADDRESSES (such as " +
          "127.0.0.2-11), only these answers count; may be repeated",
      }),
      rhsbl: repeated({
        long: "url-rhsbl",
        kind: DNS_LIST,
        group: "scanners",
        help: "refuse a message if ZONE has the name of a host in one of its URLs, or a name above it; may be repeated",
      }),
      allow: optional({
        long: "url-allow",
        kind: FILE,
        group: "scanners",
        help: "look up no host in a URL that FILE names, and none below it (one name in each line)",
      }),
    },
    isAsked: ({ dnsbl, rhsbl, allow }) => dnsbl.length + rhsbl.length > 0 || allow !== undefined,
    lists: ({ dnsbl, rhsbl }) => [
      ...dnsbl.map((list) => ({ kind: "address", ...list }) as const),
      ...rhsbl.map((list) => ({ kind: "domain", ...list }) as const),
    ],
    load: async ({ dnsbl, rhsbl, allow }, general, { runtime, dns }) => {
      if (!dns || dnsbl.length + rhsbl.length === 0) {
        throw new UsageError(
          "option --url-allow: no list is asked about hosts in URLs: give --url-dnsbl or --url-rhsbl as well",
        );
      }
      const [{ urlsCheck }, { parseAllowedNames }, { readRules }, { textOf }] = await Promise.all([
        import("../checks/urls/urls.ts"),
        import("../checks/urls/allowed.ts"),
        import("./named_file.ts"),
        import("../text/octets.ts"),
      ]);
      const allowed = allow === undefined
        ? new Set<string>()
        : await readRules(runtime, "--url-allow", allow, (content) => parseAllowedNames(textOf(content)));
      const { scanning: { timeout } } = general;
      const listNames = new Map(general.dns.listNames);
      return urlsCheck(runtime, dns, { dnsbl, rhsbl, allowed, listNames, timeout, turn: runtime.turn });
    },
  }),

  extchk: check({
    name: "extchk",
    startsPrograms: true,
    options: {
      program: optional({
        long: "extchk",
        kind: FILE,
        group: "checks",
        help: "have the program FILE judge each message (see postprox(8))",
      }),
    },
    isAsked: ({ program }) => program !== undefined,
    load: async ({ program = "" }, { judging: { timeout } }, { runtime }) => {
      const [{ findProgram }, { externalChecker }] = await Promise.all([
        import("./named_file.ts"),
        import("../checks/program/extchk.ts"),
      ]);
      return externalChecker(runtime, { path: await findProgram(runtime, "--extchk", program), timeout });
    },
  }),

  helper: check({
    name: "helper",
    options: {
      command: option({
        long: "helper",
        kind: COMMAND,
        default: "",
        group: "filter",
        help: "with -l: like -c, but start COMMAND once and ask it about one message after another (see postprox(8))",
      }),
      count: option({
        long: "helpers",
        kind: COUNT,
        default: 2,
        group: "filter",
        help: "run so many programs of --helper side by side (default {default})",
      }),
    },
    isAsked: ({ command }) => command !== "",
    load: async ({ command, count }, { judging: { timeout }, programs }, { runtime, logger }) => {
      const [{ helperCheck }, { tell }] = await Promise.all([
        import("../checks/program/helper.ts"),
        import("../log/events.ts"),
      ]);
      const { clock, processes } = runtime;
      return helperCheck(
        {
          clock,
          processes,
          onLine: (text) => tell(logger, "helperSaid", { text }),
          onFailure: (why, pause) => tell(logger, "helperFailed", { why, pause }),
        },
        { command, count, ...programs, exitStatus: exitMeanings(programs.exitStatuses), timeout },
      );
    },
  }),

  command: check({
    name: "command",
    startsPrograms: true,
    options: {
      command: option({
        short: "c",
        long: "command",
        kind: COMMAND,
        default: "",
        group: "filter",
        help: "run COMMAND with sh -c for each message; without it all mail passes",
      }),
      then: repeated({
        long: "then",
        kind: NEXT_COMMAND,
        group: "filter",
        help: "like -c, but run COMMAND after it, with the message as it is then; may be repeated",
      }),
    },
    isAsked: ({ command, then }) => command !== "" || then.length > 0,
    load: async ({ command, then }, { judging: { timeout }, programs }, { runtime }) => {
      const { commandCheck } = await import("../checks/program/command.ts");
      const options = { ...programs, exitStatus: exitMeanings(programs.exitStatuses), timeout };
      const commands = command === "" ? then : [command, ...then];
      return commands.map((command) => commandCheck(runtime, { command, ...options }));
    },
  }),
};
