// Asks the lists about the hosts of URLs.
//
// A stranger chooses a host. It may have no address, or its name servers may never answer. That is no failure, and the
// lists are still asked about other hosts. The administrator chooses a list. If a list gives no answer, that is a
// failure.

import type { DnsList } from "../../dns/list.ts";
import { isListed, type Listable } from "../../dns/listing.ts";
import type { Dns } from "../../dns/lookups.ts";
import type { Turns } from "../../wire/turns.ts";
import type { UrlHost } from "../../mime/url_host.ts";
import { IoError } from "../../ports/io_error.ts";
import { parseIp } from "../../text/ip.ts";

export interface UrlLists {
  /** Lists of addresses. */
  readonly dnsbl: readonly DnsList[];
  /** Lists of domains. */
  readonly rhsbl: readonly DnsList[];
}

/** A host, a list that has it, and the entry of that list: the host's name, a name above it, or an address. */
export interface ListedHost {
  readonly host: UrlHost;
  readonly list: DnsList;
  readonly what: Listable;
}

export interface AskingParts {
  readonly dns: Dns;
  /** For lookups in lists. */
  readonly turns: Turns;
  /** Milliseconds to wait for a turn. */
  readonly time: number;
  /** Whether nobody waits any more. */
  isOver(): boolean;
}

// How many hosts are asked about at the same time. The name servers of those whose address is looked up may all be
// silent, for 5 s each.
const NAMES_AT_ONCE = 10;
const ADDRESSES_AT_ONCE = 25;

// Lists have names of two labels. If many people have names below one domain, lists have a few labels more.
const NAMES_LIMIT = 5;

// For each family. A host of many customers has fewer.
const ADDRESSES_LIMIT = 10;

export class HostAsker {
  readonly #hosts: readonly UrlHost[];
  readonly #lists: UrlLists;
  readonly #parts: AskingParts;
  readonly #failures = new Set<string>();
  #known: ListedHost | undefined;

  constructor(hosts: readonly UrlHost[], lists: UrlLists, parts: AskingParts) {
    this.#hosts = hosts;
    this.#lists = lists;
    this.#parts = parts;
  }

  /** The questions that lists have not answered so far. */
  get failures(): readonly string[] {
    return [...this.#failures];
  }

  /** A listed host, if one is known yet. */
  get known(): ListedHost | undefined {
    return this.#known;
  }

  /**
   * The first host, in their order, whose name or number is in a list. If there is none, the first one with an address
   * in a list. The other lookups are then of no use, and do not begin.
   */
  async first(): Promise<ListedHost | undefined> {
    const byName = this.#firstOf(NAMES_AT_ONCE, (host) => this.#askAboutItself(host));
    const byAddress = this.#firstOf(ADDRESSES_AT_ONCE, (host) => this.#askAboutAddresses(host), () => this.#known);
    // This is awaited only if no name is listed.
    byAddress.catch(() => {});
    return await byName ?? await byAddress;
  }

  // The result is known as soon as all hosts before it are known not to be listed.
  async #firstOf(
    atOnce: number,
    ask: (host: UrlHost) => Promise<ListedHost | undefined>,
    isUseless: () => unknown = () => false,
  ): Promise<ListedHost | undefined> {
    const hosts = this.#hosts;
    const { promise, resolve } = Promise.withResolvers<ListedHost | undefined>();
    const found: (ListedHost | "no list has it")[] = [];
    let next = 0;
    let first = 0;
    let last = hosts.length;
    const work = async () => {
      while (next < last && !this.#parts.isOver() && !isUseless()) {
        const at = next++;
        const listed = await ask(hosts[at]!);
        found[at] = listed ?? "no list has it";
        this.#known ??= listed;
        if (listed) last = Math.min(last, at);
        while (found[first] === "no list has it") first++;
        if (first === last) resolve(knownOf(found[last]));
      }
    };
    const workers = Promise.all(Array.from({ length: Math.min(atOnce, hosts.length) }, work));
    return await Promise.race([promise, workers.then(() => knownOf(found[last]))]);
  }

  async #askAboutItself(host: UrlHost): Promise<ListedHost | undefined> {
    const { dnsbl, rhsbl } = this.#lists;
    return host.kind === "ip"
      ? await this.#ask(host, dnsbl, [host.ip])
      : await this.#ask(host, rhsbl, namesToAsk(host.name));
  }

  async #askAboutAddresses(host: UrlHost): Promise<ListedHost | undefined> {
    const { dnsbl } = this.#lists;
    if (host.kind === "ip" || dnsbl.length === 0) return undefined;
    const { name } = host;
    const types = ["A", "AAAA"] as const;
    return await anyOf(types.map(async (type) => await this.#ask(host, dnsbl, await this.#addresses(name, type))));
  }

  async #addresses(name: string, type: "A" | "AAAA"): Promise<Listable[]> {
    try {
      const records = await this.#parts.dns.records(name, type);
      return records.slice(0, ADDRESSES_LIMIT).flatMap((address) => parseIp(address) ?? []);
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      return [];
    }
  }

  async #ask(host: UrlHost, lists: readonly DnsList[], all: readonly Listable[]): Promise<ListedHost | undefined> {
    const asked = lists.flatMap((list) => all.map((what) => ({ host, list, what })));
    return await anyOf(asked.map(async (one) => await this.#isListed(one) ? one : undefined));
  }

  async #isListed({ list, what }: ListedHost): Promise<boolean> {
    const { dns, turns, time } = this.#parts;
    const endTurn = await turns.take(time);
    // It is then too late for all of them.
    if (!endTurn) return false;
    try {
      return await isListed(list, what, dns) ?? false;
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      this.#failures.add(`${list.zone} is of no use: ${error.message}`);
      return false;
    } finally {
      endTurn();
    }
  }
}

function knownOf(found: ListedHost | "no list has it" | undefined): ListedHost | undefined {
  return typeof found === "object" ? found : undefined;
}

/** The first result to come that is not undefined. Undefined if there is none. */
async function anyOf<Result>(all: readonly Promise<Result | undefined>[]): Promise<Result | undefined> {
  const { promise, resolve } = Promise.withResolvers<Result>();
  const each = all.map(async (one) => {
    const result = await one;
    if (result !== undefined) resolve(result);
  });
  return await Promise.race([promise, Promise.all(each).then(() => undefined)]);
}

/**
 * The names to ask a list of domains about: `name`, then the names above it, from five labels down to two. Names
 * between these are left out. Pure.
 */
export function namesToAsk(name: string): string[] {
  const labels = name.split(".");
  const names = [name];
  for (let count = Math.min(labels.length - 1, NAMES_LIMIT); count >= 2; count--) {
    names.push(labels.slice(-count).join("."));
  }
  return names;
}
