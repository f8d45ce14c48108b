// Has each server of each scanner look at a small message, as mail would.
//
// The servers are asked one by one, because the next server would hide that one is away. DNS lists are asked for their
// test entries (RFC 5782 s.5).

import type { Check, CheckOptions } from "../../../checks/check.ts";
import type { ListUse } from "../../../dns/list.ts";
import { ListStates } from "../../../dns/list_states.ts";
import { hasEntry } from "../../../dns/listing.ts";
import { Lookups } from "../../../dns/lookups.ts";
import type { Logger } from "../../../log/logger.ts";
import { type Message, messageOf } from "../../../mail/message.ts";
import { formatAddress } from "../../../ports/address.ts";
import { IoError } from "../../../ports/io_error.ts";
import type { Address, Runtime } from "../../../ports/runtime.ts";
import { StartError } from "../../../ports/start_error.ts";
import { CHECKS, type LoadParts } from "../../../settings/catalogue.ts";
import type { Settings } from "../../../settings/settings.ts";
import { SpoolFiles } from "../../../spool/files.ts";
import { bytesOf } from "../../../text/octets.ts";
import type { Look, ScannerLook } from "../facts.ts";

/** A scanner that needs longer for this message is of no use. */
const SCAN_LIMIT = 15_000;

/** Errors of checks are in their verdicts. */
const NO_LOG: Logger = { verbosity: 0, write: () => {}, reopen: () => {}, flush: () => Promise.resolve() };

/** `isForeign`: the settings are those of a process, which may send a password anywhere. */
export async function askScanners(
  runtime: Runtime,
  settings: Settings,
  { text, isForeign }: { readonly text: string; readonly isForeign: boolean },
): Promise<Pick<Look, "scanners" | "notAsked">> {
  const parts = { runtime, logger: NO_LOG, isTrial: true };
  const { clamd, rspamd, spamd } = settings;
  const hasPassword = isForeign && rspamd.passwordFile !== undefined;
  const one = (address: Address) => ({ servers: [address] });
  const asked = [
    ...clamd.servers.map((at) => ask("clamd", at, () => CHECKS.clamd.load(one(at), settings, parts))),
    ...(hasPassword ? [] : rspamd.servers).map((at) =>
      ask("rspamd", at, () => CHECKS.rspamd.load({ ...rspamd, ...one(at) }, settings, parts))
    ),
    ...spamd.servers.map((at) => ask("spamd", at, () => CHECKS.spamd.load({ ...spamd, ...one(at) }, settings, parts))),
  ];
  const scanners = asked.map(async ({ name, at, load }) => {
    const why = await whyNoAnswer(runtime, load, messageFrom(text));
    return { name, server: formatAddress(at), why };
  });
  const looks = await Promise.all([...scanners, ...askLists(parts, settings)]);
  const notAsked = "rspamd was not asked, because a process that runs does not get a password sent: give its options";
  return { scanners: looks, ...hasPassword ? { notAsked } : {} };
}

type Load = () => Promise<Check | readonly Check[]>;

function ask(name: string, at: Address, load: Load) {
  return { name, at, load };
}

async function whyNoAnswer({ files, pid, turn }: Runtime, load: Load, message: Message): Promise<string | undefined> {
  const options: CheckOptions = {
    signal: new AbortController().signal,
    limit: SCAN_LIMIT,
    notice: () => {},
    // A scanner needs no file.
    files: new SpoolFiles(files, { directory: "/nonexistent", name: String(pid), turn }),
  };
  try {
    const [check] = [await load()].flat();
    const verdict = await check!.judge(message, options);
    return verdict.kind === "unsure" ? verdict.why.replace(/^\w+ could not tell: /, "") : undefined;
  } catch (error) {
    if (error instanceof StartError || error instanceof IoError) return error.message;
    throw error;
  }
}

function messageFrom(text: string): Message {
  const octets = bytesOf(text);
  const mail = {
    id: "doctor",
    envelope: Object.freeze({ sender: "", recipients: Object.freeze(["postmaster"]) }),
    client: { facts: {}, address: undefined },
  };
  return messageOf(mail, {
    size: octets.length,
    lineEnds: "lf",
    crLines: 0,
    chunks: async function* () {
      yield octets;
    },
    file: () => Promise.reject(new IoError("other", "there is no file")),
  });
}

/** The entry that no list may have, and the one that each list of addresses must have. */
const TEST_ENTRIES = {
  address: { never: "1.0.0.127", always: "2.0.0.127" },
  domain: { never: "invalid", always: undefined },
} as const;

function askLists({ runtime, logger }: LoadParts, { dns, dnsLists, urls }: Settings): Promise<ScannerLook>[] {
  const named: ListUse[] = [
    ...[...dnsLists.dnsbl, ...dnsLists.dnswl, ...urls.dnsbl].map((list) => ({ kind: "address", ...list }) as const),
    ...[...dnsLists.rhsbl, ...urls.rhsbl].map((list) => ({ kind: "domain", ...list }) as const),
  ];
  const lists = new Map(named.map((list) => [`${list.kind} ${list.zone}`, list]));
  const lookups = new Lookups(runtime, { ...dns, lists: new ListStates(logger) }).forRuling();
  return [...lists.values()].map(async (list) => {
    const { kind, zone } = list;
    const { never, always } = TEST_ENTRIES[kind];
    const [hasNever, hasAlways] = await Promise.all([
      hasEntry(list, never, lookups),
      always === undefined ? undefined : hasEntry(list, always, lookups),
    ]);
    const why = hasNever === undefined
      ? "gives no answer that counts"
      : hasNever
      ? `lists everything, even ${kind === "address" ? "127.0.0.1" : "INVALID"}`
      : hasAlways === false
      ? "does not list its test entry 127.0.0.2"
      : undefined;
    return { name: "the DNS list", server: zone, why, isHarmless: hasNever !== true };
  });
}
