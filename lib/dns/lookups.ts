// DNS for one session: what was asked once is known until its end, failures too, and two who ask at once share a lookup.
//
// Names in mail are a stranger's, and so may their name servers be, slow or silent by intent. Lookups of them have a time
// of their own in each ruling, and beyond it fail: they can neither hold up a session nor keep it from asking the DNS
// lists, which are the administrator's. A list that is silent again and again is not asked any more in this session.
//
// How long one lookup takes, and how many are under way in the process, is bounded by the resolver. What a session keeps
// is bounded here, since its commands are a stranger's: of many answers the oldest are forgotten first, and one that is
// long is not kept.

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

/** What a ruling may ask. */
export interface Dns {
  /**
   * The records of `type` at `name`, as `Resolver.resolve` gives them; throws `IoError` when they could not be found out.
   * `list` is the zone of the DNS list that is asked, where one is.
   */
  records(name: string, type: RecordType, options?: { readonly list?: string }): Promise<readonly string[]>;
  /** What the process knows of its DNS lists. */
  readonly lists: ListStates;
}

// More than the client, its sender and a hundred recipients make in a dozen lists.
const ANSWERS_LIMIT = 200;

/** Characters; a hundred host names of usual length. */
const KEPT_LIMIT = 4096;

const SILENCES_LIMIT = 3;

// Milliseconds in one ruling, after which no lookup begins. With the last ones, and as much again for the name of a client
// that XFORWARD does not tell, 60 s: Postfix waits 100 s for the reply to a command.
const NAMES_TIME = 10_000;
const LISTS_TIME = 25_000;

export class Lookups {
  readonly #parts: LookupsParts;
  readonly #options: DnsOptions;
  readonly #answers = new Map<string, Promise<readonly string[]>>();
  /** By list; those since its last answer, where several at once are one. */
  readonly #silences = new Map<string, number>();

  constructor(parts: LookupsParts, options: DnsOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** DNS for one ruling, with all its time before it. */
  forRuling(): Dns {
    const { clock } = this.#parts;
    const names = new Allowance(clock, NAMES_TIME);
    const lists = new Allowance(clock, LISTS_TIME);
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
    if (time.isSpent) throw new IoError("timeout", `${type} of ${name}: not asked, for others took too long`);
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
      throw new IoError("timeout", `${type} of ${name}: not asked, for the last ${silences} had no answer`);
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

/** Some time, of which goes what passes while at least one lookup is under way. */
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
