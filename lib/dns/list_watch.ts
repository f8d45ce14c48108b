// Watches the DNS lists of listen mode. It asks each list for its test entries (RFC 5782 s.5), at the start and every
// hour.
//
// A list of addresses must not have 127.0.0.1, and a list of domains must not have INVALID. If it has, it lists
// everything: abandoned lists often end like that. It is not used as long as it does so. ADDRESSES of options and rules
// do not matter for this. A list of addresses must have 127.0.0.2. If it has not, the log gets a warning, because the
// zone may be misspelt. A list that gives no answer, or one that is no listing, keeps its state. The log gets each
// change.

import { tell } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import type { ListUse } from "./list.ts";
import { hasEntry } from "./listing.ts";
import { type Dns, type DnsOptions, Lookups, type LookupsParts } from "./lookups.ts";

const HOUR = 3_600_000;

interface Entry {
  /** The log shows it like this. */
  readonly shown: string;
  /** Its name in the zone. */
  readonly name: string;
}

/** The entry that no list may have. */
const NEVER: Readonly<Record<ListUse["kind"], Entry>> = {
  address: { shown: "127.0.0.1", name: "1.0.0.127" },
  domain: { shown: "INVALID", name: "invalid" },
};

/** The entry that each list of addresses must have. */
const ALWAYS: Entry = { shown: "127.0.0.2", name: "2.0.0.127" };

export interface ListWatchParts extends LookupsParts {
  readonly logger: Logger;
}

export class ListWatch {
  readonly #parts: ListWatchParts;
  #options: DnsOptions;
  /** The zones without their test entry at the last try. */
  readonly #incomplete = new Set<string>();
  #round = 0;
  #cancel = () => {};

  constructor(parts: ListWatchParts, options: DnsOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Asks the lists in use now, and then every hour. After a reload, `options` are those that hold from now on. */
  ask(options: DnsOptions = this.#options): void {
    this.#options = options;
    const { clock, logger } = this.#parts;
    this.#cancel();
    this.#cancel = clock.after(HOUR, () => this.ask());
    // Late answers of an earlier round do not count.
    this.#askAll(++this.#round).catch((error) => tell(logger, "bug", { error }));
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
    tell(this.#parts.logger, isThere ? "listsEverything" : "listsAgain", { zone, entry: NEVER[kind].shown });
  }

  #takeAlways(zone: string, isThere: boolean): void {
    if (isThere) this.#incomplete.delete(zone);
    else if (!this.#incomplete.has(zone)) {
      this.#incomplete.add(zone);
      tell(this.#parts.logger, "noTestEntry", { zone, entry: ALWAYS.shown });
    }
  }
}
