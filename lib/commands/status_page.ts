// The status page of --metrics, as a response. It is made at most ten times a second, however many clients ask for it.
//
// The code of the page is loaded when somebody wants to see it.

import type { Response } from "../metrics/http.ts";
import type { Snapshot } from "../metrics/snapshot.ts";
import { IoError } from "../ports/io_error.ts";
import type { Clock, Files } from "../ports/runtime.ts";
import { readTextFile } from "../ports/small_file.ts";

// A page takes about 2 ms. So a flood of clients takes 2 % of the time of the event loop. In milliseconds.
const FRESH = 100;

export interface PageFacts {
  readonly snapshot: Snapshot;
  readonly faults: readonly string[];
}

export class StatusPage {
  readonly #runtime: { readonly clock: Clock; readonly files: Pick<Files, "open"> };
  readonly #facts: () => Promise<PageFacts>;
  #made: { readonly time: number; readonly response: Promise<Response> } | undefined;

  /** Asks `facts` for what the page shows. */
  constructor(runtime: { clock: Clock; files: Pick<Files, "open"> }, facts: () => Promise<PageFacts>) {
    this.#runtime = runtime;
    this.#facts = facts;
  }

  response(): Promise<Response> {
    const time = this.#runtime.clock.now();
    if (this.#made && time - this.#made.time < FRESH) return this.#made.response;
    const response = this.#make();
    this.#made = { time, response };
    return response;
  }

  async #make(): Promise<Response> {
    const { PAGE_FIELDS, PAGE_TYPE, renderPage } = await import("../metrics/page/page.ts");
    const { snapshot, faults } = await this.#facts();
    const host = await this.#hostName();
    const body = renderPage(snapshot, { faults }, { host, utcOffset: -new Date().getTimezoneOffset() });
    return { status: 200, type: PAGE_TYPE, body, fields: PAGE_FIELDS };
  }

  // Linux's. Without it the page has no name of a host.
  async #hostName(): Promise<string | undefined> {
    try {
      return (await readTextFile(this.#runtime.files, "/proc/sys/kernel/hostname")).trim();
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      return undefined;
    }
  }
}
