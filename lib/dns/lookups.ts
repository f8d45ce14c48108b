// DNS for one session. It keeps answers and failures until the session ends. Two questions for the same thing at once
// share a lookup.
//
// Names in mail come from strangers. Their name servers may belong to strangers, too, and may be slow or silent on
// purpose. So each ruling has a limited time for such lookups, and after it they fail. They can neither hold up a
// session nor keep it from asking the DNS lists, which the administrator chose. A session stops asking a list that
// stays silent again and again.
//
// The resolver limits the time of one lookup, and the number of lookups at once in the process. The answers that a
// session keeps are limited here, because a stranger's commands cause them. The oldest are forgotten first, and a long
// one is not kept.

import { IoError } from "../ports/io_error.ts";
import type { Clock, NameServer, RecordType, Resolver } from "../ports/runtime.ts";
import type { ListStates } from "./list_states.ts";

export interface DnsOptions {
  readonly server?: NameServer | undefined;
  /** Milliseconds for one lookup. */
  readonly timeout: number;
  readonly lists: ListStates;
}

export interface LookupsParts {
  readonly clock: Clock;
  readonly resolver: Resolver;
}

/** DNS as a ruling sees it. */
export interface Dns {
  /**
   * The records of `type` at `name`, as `Resolver.resolve` gives them. Throws `IoError` if the lookup fails. `list` is
   * the zone of a DNS list, if one is asked.
   */
  records(name: string, type: RecordType, options?: { readonly list?: string }): Promise<readonly string[]>;
  /** The state of the DNS lists, shared by the process. */
  readonly lists: ListStates;
}

// The client, its sender and a hundred recipients cause fewer lookups than this in a dozen lists.
const ANSWERS_LIMIT = 200;

/** In characters: a hundred host names of usual length. */
const KEPT_LIMIT = 4096;

const SILENCES_LIMIT = 3;

// Milliseconds in one ruling. After these no lookup begins. The last lookups may take longer, and the name of a client
// without XFORWARD takes as much again. That makes 60 s. Postfix waits 100 s for the reply to a command.
const NAMES_TIME = 10_000;
const LISTS_TIME = 25_000;

export class Lookups {
  readonly #parts: LookupsParts;
  readonly #options: DnsOptions;
  readonly #answers = new Map<string, Promise<readonly string[]>>();
  /** For each list, the silences since its last answer. Several at once count as one. */
  readonly #silences = new Map<string, number>();

  constructor(parts: LookupsParts, options: DnsOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** DNS for one ruling, with all of its time left. `time`: milliseconds for names, and as many for lists. */
  forRuling(time?: number): Dns {
    const { clock } = this.#parts;
    const names = new Allowance(clock, time ?? NAMES_TIME);
    const lists = new Allowance(clock, time ?? LISTS_TIME);
    return {
      lists: this.#options.lists,
      records: (name, type, { list } = {}) =>
        list === undefined
          ? this.#records(name, type, { time: names, ask: () => this.#ask(name, type, { isList: false }) })
          : this.#records(name, type, { time: lists, ask: () => this.#askList(name, type, list) }),
    };
  }

  async #records(
    name: string,
    type: RecordType,
    { time, ask }: { time: Allowance; ask: () => Promise<readonly string[]> },
  ): Promise<readonly string[]> {
    const question = `${type} ${name.toLowerCase()}`;
    const known = this.#answers.get(question);
    if (known) return known;
    if (time.isSpent) throw new IoError("timeout", `${type} of ${name}: not asked, because others took too long`);
    const answer = time.spend(ask());
    this.#answers.set(question, answer);
    if (this.#answers.size > ANSWERS_LIMIT) this.#answers.delete(this.#answers.keys().next().value!);
    const records = await answer;
    if (records.join("").length > KEPT_LIMIT) this.#answers.delete(question);
    return records;
  }

  async #askList(name: string, type: RecordType, list: string): Promise<readonly string[]> {
    const silences = this.#silences.get(list) ?? 0;
    if (silences >= SILENCES_LIMIT) {
      throw new IoError("timeout", `${type} of ${name}: not asked, because the last ${silences} lookups had no answer`);
    }
    try {
      const records = await this.#ask(name, type, { isList: true });
      this.#silences.delete(list);
      return records;
    } catch (error) {
      if (error instanceof IoError && error.kind === "timeout") this.#silences.set(list, silences + 1);
      throw error;
    }
  }

  #ask(name: string, type: RecordType, { isList }: { isList: boolean }): Promise<readonly string[]> {
    const { timeout: limit, server } = this.#options;
    return this.#parts.resolver.resolve(name, type, { limit, server, isList });
  }
}

/** A limited time. It runs while at least one lookup is under way. */
class Allowance {
  readonly #clock: Clock;
  #left: number;
  #underWay = 0;
  #since = 0;

  constructor(clock: Clock, time: number) {
    this.#clock = clock;
    this.#left = time;
  }

  get isSpent(): boolean {
    return this.#left <= (this.#underWay === 0 ? 0 : this.#clock.now() - this.#since);
  }

  async spend<Result>(work: Promise<Result>): Promise<Result> {
    if (this.#underWay++ === 0) this.#since = this.#clock.now();
    try {
      return await work;
    } finally {
      if (--this.#underWay === 0) this.#left -= this.#clock.now() - this.#since;
    }
  }
}
