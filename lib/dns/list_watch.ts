// Looks after the DNS lists of listen mode: each is asked for its test entries (RFC 5782 s.5), at the start and every hour.
//
// A list of addresses that has 127.0.0.1, or one of domains that has INVALID, lists everything, and is not used until it no
// longer does so: lists that are given up often end like that. For this each listing counts, whatever ADDRESSES an option
// or a rule names. A list of addresses has 127.0.0.2; one that has not causes a warning, for its zone may be misspelt. A
// list that gives no answer, or none that is a listing, stays as it is. The log hears of changes.

import { logBug, logListsAgain, logListsEverything, logNoTestEntry } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import type { ListUse } from "./list.ts";
import { hasEntry } from "./listing.ts";
import { type Dns, type DnsOptions, Lookups, type LookupsParts } from "./lookups.ts";

const HOUR = 3_600_000;

interface Entry {
  /** As it stands in the log. */
  readonly shown: string;
  /** Its name in the zone. */
  readonly name: string;
}

/** What no list has. */
const NEVER: Readonly<Record<ListUse["kind"], Entry>> = {
  address: { shown: "127.0.0.1", name: "1.0.0.127" },
  domain: { shown: "INVALID", name: "invalid" },
};

/** What each list of addresses has. */
const ALWAYS: Entry = { shown: "127.0.0.2", name: "2.0.0.127" };

export interface ListWatchParts extends LookupsParts {
  readonly logger: Logger;
}

export class ListWatch {
  readonly #parts: ListWatchParts;
  readonly #options: DnsOptions;
  /** The zones whose test entry was missing when it was last asked for. */
  readonly #incomplete = new Set<string>();
  #round = 0;
  #cancel = () => {};

  constructor(parts: ListWatchParts, options: DnsOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Asks the lists in use now, and from then on every hour. */
  ask(): void {
    const { clock, logger } = this.#parts;
    this.#cancel();
    this.#cancel = clock.after(HOUR, () => this.ask());
    // What answers come to the questions of an earlier round do not count.
    this.#askAll(++this.#round).catch((error) => logBug(logger, error));
  }

  async #askAll(round: number): Promise<void> {
    const dns = new Lookups(this.#parts, this.#options).forRuling();
    const lists = Map.groupBy(this.#options.lists.inUse, ({ kind, zone }) => `${kind} ${zone}`);
    await Promise.all([...lists.values()].map((uses) => this.#askOne(uses, dns, round)));
  }

  async #askOne(uses: readonly ListUse[], dns: Dns, round: number): Promise<void> {
    const { kind, zone } = uses[0]!;
    const addresses = uses.flatMap((use) => use.addresses ?? []);
    const list = { zone, addresses: addresses.length > 0 ? addresses : undefined };
    const [hasNever, hasAlways] = await Promise.all([
      hasEntry(list, NEVER[kind].name, dns),
      kind === "address" ? hasEntry(list, ALWAYS.name, dns) : undefined,
    ]);
    if (round !== this.#round) return;
    if (hasNever !== undefined) this.#takeNever(kind, zone, hasNever);
    if (hasAlways !== undefined) this.#takeAlways(zone, hasAlways);
  }

  #takeNever(kind: ListUse["kind"], zone: string, isThere: boolean): void {
    const { lists } = this.#options;
    if (isThere === lists.listsAll(kind, zone)) return;
    lists.setListsAll(kind, zone, isThere);
    if (isThere) logListsEverything(this.#parts.logger, zone, NEVER[kind].shown);
    else logListsAgain(this.#parts.logger, zone, NEVER[kind].shown);
  }

  #takeAlways(zone: string, isThere: boolean): void {
    if (isThere) this.#incomplete.delete(zone);
    else if (!this.#incomplete.has(zone)) {
      this.#incomplete.add(zone);
      logNoTestEntry(this.#parts.logger, zone, ALWAYS.shown);
    }
  }
}
