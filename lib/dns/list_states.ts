// What the process knows of its DNS lists; all its sessions share it.
//
// A list that gives answers which are no listings does so for each client. The log has one line about each such answer.

import { logNoListing, type NoListing } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";

export class ListStates {
  readonly #logger: Logger;
  /** What the log was told: a zone and an answer, where all answers outside of 127.0.0.0/8 are one. */
  readonly #told = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
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
