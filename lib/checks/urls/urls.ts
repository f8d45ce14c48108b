// Finds the hosts of the URLs in a message, and looks them up in DNS lists: their addresses in lists of addresses
// (--url-dnsbl), their names in lists of domains (--url-rhsbl). A message with a listed host is refused.
//
// The search for URLs shares the event loop with other work. Hosts are looked up a few at a time. Everything has one
// time limit. A lookup cannot be stopped. When the time is over, nobody waits for the lookups that still run, and they
// end by themselves. The log says which bound of the search was reached.

import type { ListNames } from "../../dns/list_names.ts";
import { listingText } from "../../dns/listing.ts";
import { type Dns, type DnsOptions, Lookups, type LookupsParts } from "../../dns/lookups.ts";
import { Turns } from "../../wire/turns.ts";
import type { Message } from "../../mail/message.ts";
import type { Verdict } from "../../mail/verdict.ts";
import { type Bound, HOSTS_LIMIT, TEXT_LIMIT, UrlSearch } from "../../mime/url_search.ts";
import type { UrlHost } from "../../mime/url_host.ts";
import { DEPTH_LIMIT, PARTS_LIMIT } from "../../mime/parts.ts";
import type { Clock, Turn } from "../../ports/runtime.ts";
import { replyFromText } from "../../smtp/reply.ts";
import { inSlices } from "../../wire/slices.ts";
import type { Check, CheckOptions } from "../check.ts";
import { limitText } from "../time_limit.ts";
import { type AllowedNames, isAllowed } from "./allowed.ts";
import { HostAsker, type ListedHost, type UrlLists } from "./listed_host.ts";

export interface UrlsOptions extends UrlLists {
  readonly allowed: AllowedNames;
  readonly listNames: ListNames;
  /** Milliseconds for a message. */
  readonly timeout: number;
  readonly turn: Turn;
}

// Lookups in lists, for one message.
const LOOKUPS_AT_ONCE = 20;

const BOUNDS: Readonly<Record<Bound, string>> = {
  hosts: `only the first ${HOSTS_LIMIT} hosts count`,
  text: `only the first ${TEXT_LIMIT / 1024 / 1024} MiB of text were read`,
  parts: `only the first ${PARTS_LIMIT} parts were decoded`,
  depth: `parts were decoded only to a depth of ${DEPTH_LIMIT}`,
};

export function urlsCheck(parts: LookupsParts, dns: DnsOptions, options: UrlsOptions): Check {
  const { clock } = parts;
  const { turn, allowed, timeout } = options;
  return {
    name: "urls",
    needsFile: false,
    isScanner: true,
    judge: async (message, { signal, limit, notice }): Promise<Verdict> => {
      const time = Math.min(limit, timeout);
      const waiting = new Waiting(clock, { signal, time });
      try {
        const hosts = await findHosts(message, { turn, waiting, notice });
        const asked = hosts.filter((host) => host.kind === "ip" || !isAllowed(host.name, allowed));
        const lookups = new Lookups(parts, dns).forRuling(time);
        const verdict = await askAbout(asked, options, { dns: lookups, waiting });
        const facts = { urls_hosts: hosts.length };
        if (!verdict) return { kind: "unsure", cause: "late", why: lateText(time, timeout), facts };
        return { ...verdict, facts: { ...facts, ...verdict.facts } };
      } finally {
        waiting.end();
      }
    },
  };
}

function lateText(time: number, timeout: number): string {
  const limit = time < timeout ? { timedOut: time, cutShort: true as const } : { timedOut: time };
  return `URL lists took longer than ${limitText(limit)}`;
}

// --- The search

async function findHosts(
  message: Message,
  { turn, waiting, notice }: { turn: Turn; waiting: Waiting } & Pick<CheckOptions, "notice">,
): Promise<readonly UrlHost[]> {
  const search = new UrlSearch();
  const isOver = () => search.isOver || waiting.isOver;
  for await (const slice of inSlices(message.chunks(), turn, isOver)) {
    if (isOver()) break;
    search.push(slice);
  }
  if (!waiting.isOver) search.end();
  const { reached } = search;
  if (reached.length > 0) notice(`URLs: ${reached.map((bound) => BOUNDS[bound]).join("; ")}`);
  return search.hosts;
}

// --- The lists

// Undefined if the time is over, or nobody waits any more.
async function askAbout(
  hosts: readonly UrlHost[],
  options: UrlsOptions,
  { dns, waiting }: { dns: Dns; waiting: Waiting },
): Promise<Verdict | undefined> {
  if (waiting.isOver) return undefined;
  const { clock, time } = waiting;
  const turns = new Turns(clock, LOOKUPS_AT_ONCE);
  const asker = new HostAsker(hosts, options, { dns, turns, time, isOver: () => waiting.isOver });
  const listed = await waiting.for(asker.first()) ?? asker.known;
  if (listed) {
    const text = await waiting.for(listingText(listed.list.zone, listed.what, dns)) ?? "";
    return refusal(listed, { text, names: options.listNames });
  }
  if (waiting.isOver) return undefined;
  const [failure, ...others] = asker.failures;
  if (failure === undefined) return { kind: "accept", why: `no URL list has one of ${hosts.length} hosts` };
  const more = others.length > 0 ? `, and ${others.length} more` : "";
  return { kind: "unsure", cause: "failed", why: `URL list ${failure}${more}` };
}

function refusal(
  { host: { shown }, list: { zone }, what }: ListedHost,
  { text, names }: { text: string; names: ListNames },
): Verdict {
  const entry = typeof what === "string" ? what : formatIp(what);
  const why = `${shown}${entry === shown.toLowerCase() ? "" : ` (${entry})`} is listed by ${zone}`;
  return {
    kind: "reject",
    why: text === "" ? why : `${why}: ${text}`,
    reply: replyFromText(`550 5.7.1 ${shown} is listed by ${names.get(zone) ?? zone}`),
    facts: { urls_host: shown, urls_list: zone },
  };
}

function formatIp(ip: Uint8Array): string {
  if (ip.length === 4) return ip.join(".");
  return Array.from({ length: 8 }, (_, at) => (ip[2 * at]! << 8 | ip[2 * at + 1]!).toString(16)).join(":");
}

// --- The time

/** The time that somebody waits for the answer: until its limit is over, or `signal` is aborted. */
class Waiting {
  readonly clock: Clock;
  /** Milliseconds. */
  readonly time: number;
  readonly #signal: AbortSignal;
  readonly #over: Promise<void>;
  #end = () => {};
  #isOver = false;

  constructor(clock: Clock, { signal, time }: { signal: AbortSignal; time: number }) {
    this.clock = clock;
    this.time = time;
    this.#signal = signal;
    this.#over = new Promise((resolve) => {
      const stop = () => {
        this.#isOver = true;
        resolve();
      };
      const cancel = clock.after(time, stop);
      if (signal.aborted) stop();
      signal.addEventListener("abort", stop);
      this.#end = () => {
        cancel();
        signal.removeEventListener("abort", stop);
        stop();
      };
    });
  }

  get isOver(): boolean {
    return this.#isOver || this.#signal.aborted;
  }

  /** The result of `work`, or undefined if nobody waits any more. */
  async for<Result>(work: Promise<Result>): Promise<Result | undefined> {
    return await Promise.race([work, this.#over.then(() => undefined)]);
  }

  end(): void {
    this.#end();
  }
}
