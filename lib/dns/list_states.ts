// The state of each DNS list. All sessions of the process share it.
//
// A list that lists everything is not used (list_watch.ts finds that out). Some lists give an answer that is no
// listing, and they do so for every client. So the log gets one line for each such answer, until the files of rules are
// read again.

import { type NoListing, tell } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import type { ListUse } from "./list.ts";

export class ListStates {
  readonly #logger: Logger;
  #inUse: readonly ListUse[] = [];
  readonly #listAll = new Set<string>();
  /** The answers that the log has: zone and answer. All answers outside 127.0.0.0/8 count as one. */
  readonly #told = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** All lists that options and rules name. A list may stand there more than once. */
  get inUse(): readonly ListUse[] {
    return this.#inUse;
  }

  /** Replaces the lists in use. The state of a list that stays in use is kept. */
  use(lists: readonly ListUse[]): void {
    this.#inUse = lists;
    this.#told.clear();
    const keys = new Set(lists.map(({ kind, zone }) => keyOf(kind, zone)));
    for (const key of this.#listAll) if (!keys.has(key)) this.#listAll.delete(key);
  }

  /** Whether the list in `zone` lists everything, so that it is not used. */
  listsAll(kind: ListUse["kind"], zone: string): boolean {
    return this.#listAll.has(keyOf(kind, zone));
  }

  setListsAll(kind: ListUse["kind"], zone: string, listsAll: boolean): void {
    if (listsAll) this.#listAll.add(keyOf(kind, zone));
    else this.#listAll.delete(keyOf(kind, zone));
  }

  /** Whether it is news to the log that the list in `zone` gives `answer`. The next call says that it is not. */
  isNews(zone: string, answer: string): boolean {
    const news = `${zone} ${answer.startsWith("127.") ? answer : ""}`;
    const isNew = !this.#told.has(news);
    this.#told.add(news);
    return isNew;
  }

  tellNoListing(answer: NoListing): void {
    tell(this.#logger, "noListing", answer);
  }
}

function keyOf(kind: ListUse["kind"], zone: string): string {
  return `${kind} ${zone}`;
}
