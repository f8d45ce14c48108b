// What the process knows of its DNS lists; all its sessions share it.
//
// A list that lists everything is not used (list_watch.ts finds that out). A list that gives answers which are no listings
// does so for each client: the log has one line about each such answer, until the files of rules are read again.

import { logNoListing, type NoListing } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import type { ListUse } from "./list.ts";

export class ListStates {
  readonly #logger: Logger;
  #inUse: readonly ListUse[] = [];
  readonly #listAll = new Set<string>();
  /** What the log was told: a zone and an answer, where all answers outside of 127.0.0.0/8 are one. */
  readonly #told = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** All lists that options and rules name, as often as they do. */
  get inUse(): readonly ListUse[] {
    return this.#inUse;
  }

  /** Those that are used from now on. What is known of one that is used again stays known. */
  use(lists: readonly ListUse[]): void {
    this.#inUse = lists;
    this.#told.clear();
    const keys = new Set(lists.map(({ kind, zone }) => keyOf(kind, zone)));
    for (const key of this.#listAll) if (!keys.has(key)) this.#listAll.delete(key);
  }

  /** Whether the list in `zone` lists everything, and so is not used. */
  listsAll(kind: ListUse["kind"], zone: string): boolean {
    return this.#listAll.has(keyOf(kind, zone));
  }

  setListsAll(kind: ListUse["kind"], zone: string, listsAll: boolean): void {
    if (listsAll) this.#listAll.add(keyOf(kind, zone));
    else this.#listAll.delete(keyOf(kind, zone));
  }

  /** Whether the log does not know yet that the list in `zone` gives `answer`. It counts as told from now on. */
  isNews(zone: string, answer: string): boolean {
    const news = `${zone} ${answer.startsWith("127.") ? answer : ""}`;
    const isNew = !this.#told.has(news);
    this.#told.add(news);
    return isNew;
  }

  tellNoListing(answer: NoListing): void {
    logNoListing(this.#logger, answer);
  }
}

function keyOf(kind: ListUse["kind"], zone: string): string {
  return `${kind} ${zone}`;
}
