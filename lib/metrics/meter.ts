// Counts what happens in this process. It is a witness of events, so neither sessions nor checks know of it.
//
//     const meter = new Meter({ build });
//     addWitness(logger, meter.witness);
//     meter.gauges = { sessionsOpen: () => sessions.size };
//     meter.snapshot();
//
// Memory does not grow with the mail: it keeps a number for each pair of verdict and check, 60 minutes, and 50 refusals.
// An event costs a few additions. A snapshot is a copy, so later events do not change it.

import { type EventName, EVENTS, type FactsOf, type Source, type Witness } from "../log/events.ts";
import { textOfError } from "../log/error_text.ts";
import type { Decision, Finding } from "../mail/judgement.ts";
import { type Reply, replyClass, replyText } from "../smtp/reply.ts";
import {
  BUCKET_BOUNDS,
  type Build,
  type Histogram,
  type LastError,
  type Minute,
  MINUTES_KEPT,
  type Refusal,
  REFUSALS_KEPT,
  type Snapshot,
  TEXT_LIMIT,
  type VerdictLabel,
} from "./snapshot.ts";

/** The values that others know, and that are asked for when somebody wants to see them. */
export interface Gauges {
  readonly sessionsOpen: () => number;
  /** The turns of filters; undefined if there are none. */
  readonly filters?: () => FilterTurns | undefined;
  /** Workers that run, and how many should. Only the supervisor has some. */
  readonly workers?: () => { readonly running: number; readonly wanted: number };
}

export interface FilterTurns {
  readonly running: number;
  readonly waiting: number;
  /** How many may run; undefined if another process limits them. */
  readonly count: number | undefined;
}

export interface MeterOptions {
  readonly build: Build;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export class Meter {
  readonly witness: Witness;
  gauges: Gauges = { sessionsOpen: () => 0 };
  /** Called after each event that changes a number. It must not throw. */
  onCount = () => {};
  readonly #build: Build;
  readonly #now: () => number;
  readonly #startTime: number;
  readonly #messages = new Map<string, { verdict: VerdictLabel; check: string; count: number }>();
  readonly #checks = new Map<string, { readonly seconds: Durations; errors: number }>();
  readonly #downstream = new Durations();
  readonly #minutes: MinuteCounts[] = [];
  // The newest comes last.
  readonly #refusals: Refusal[] = [];
  #messageBytes = 0;
  #sessionsTotal = 0;
  #possibleDuplicates = 0;
  #workerRestarts = 0;
  #lastError: LastError | undefined;

  constructor({ build, now = Date.now }: MeterOptions) {
    this.#build = build;
    this.#now = now;
    this.#startTime = now();
    this.witness = this.#newWitness();
  }

  /** Says that these checks may look at mail. Their numbers are shown from now on, with 0 as the first value. */
  expect(checks: readonly string[]): void {
    for (const check of checks) {
      this.#ofCheck(check);
      for (const verdict of ["reject", "tempfail"] as const) this.#ofMessages(verdict, check);
    }
  }

  snapshot(): Snapshot {
    const filters = this.gauges.filters?.();
    const workers = this.gauges.workers?.();
    const checks = [...this.#checks];
    this.#noteOpen();
    return {
      time: this.#now(),
      startTime: this.#startTime,
      build: this.#build,
      messages: Array.from(this.#messages.values(), (one) => ({ ...one })),
      messageBytes: this.#messageBytes,
      sessionsOpen: this.gauges.sessionsOpen(),
      sessionsTotal: this.#sessionsTotal,
      checkSeconds: Object.fromEntries(checks.map(([name, { seconds }]) => [name, seconds.histogram])),
      downstreamSeconds: this.#downstream.histogram,
      checkErrors: Object.fromEntries(checks.map(([name, { errors }]) => [name, errors])),
      possibleDuplicates: this.#possibleDuplicates,
      filtersRunning: filters?.running ?? 0,
      filtersWaiting: filters?.waiting ?? 0,
      filtersLimit: filters?.count,
      workers: workers?.running ?? 0,
      workersWanted: workers?.wanted ?? 0,
      workerRestarts: this.#workerRestarts,
      minutes: this.#minutes.map((one): Minute => ({ ...one, messages: { ...one.messages } })),
      refusals: this.#refusals.toReversed(),
      lastError: this.#lastError,
    };
  }

  #newWitness(): Witness {
    const counting: Witness = {
      connected: () => this.#session(),
      message: (facts, source) => this.#message(facts, source),
      restricted: (facts, source) => this.#restricted(facts, source),
      possibleDuplicate: () => void this.#possibleDuplicates++,
      unheard: () => void this.#possibleDuplicates++,
      workerReplaced: () => void this.#workerRestarts++,
    };
    const heard: Partial<Record<EventName, (facts: unknown, source?: Source) => void>> = {};
    for (const name of Object.keys(EVENTS) as EventName[]) {
      const count = counting[name] as ((facts: unknown, source?: Source) => void) | undefined;
      const isError = EVENTS[name].level === "error";
      if (!count && !isError) continue;
      heard[name] = (facts, source) => {
        count?.(facts, source);
        if (isError) this.#lastError = { time: this.#now(), text: cut(textOfError(name, facts)) };
        this.onCount();
      };
    }
    return heard as Witness;
  }

  #session(): void {
    this.#sessionsTotal++;
    this.#minute.sessions++;
    // The session is not among the open ones before it has told that it began.
    queueMicrotask(() => this.#noteOpen());
  }

  #noteOpen(): void {
    const minute = this.#minute;
    minute.sessionsOpen = Math.max(minute.sessionsOpen, this.gauges.sessionsOpen());
  }

  #message({ size, judgement: { decision, findings }, reply, downstreamTime }: FactsOf<"message">, source?: Source) {
    const verdict = verdictLabel(decision);
    const check = decision.check ?? "";
    this.#ofMessages(verdict, check).count++;
    this.#messageBytes += size;
    const { messages } = this.#minute;
    messages[verdict] = (messages[verdict] ?? 0) + 1;
    for (const [name, time] of timesOf(findings)) this.#ofCheck(name).seconds.add(time / 1000);
    for (const { check, verdict } of findings) {
      const hasFailed = verdict.kind === "unsure" || (verdict.kind === "spoilt" && verdict.failure !== undefined);
      if (hasFailed) this.#ofCheck(check).errors++;
    }
    if (downstreamTime !== undefined) this.#downstream.add(downstreamTime / 1000);
    if ("reply" in decision) this.#refuse({ what: "message", verdict, check, reason: decision.why, reply }, source);
  }

  // A refusal that waits for the end of data is one of the message.
  #restricted({ ruling: { why, reply }, recipient, deferred, would }: FactsOf<"restricted">, source?: Source): void {
    if (deferred || would) return;
    const what = recipient === undefined ? "sender" : "recipient";
    const verdict = replyClass(reply) === 5 ? "reject" : "tempfail";
    this.#refuse({ what, verdict, check: "", reason: why, reply }, source);
  }

  #refuse(
    { reason, reply, ...refusal }: Pick<Refusal, "what" | "verdict" | "check" | "reason"> & { readonly reply: Reply },
    source?: Source,
  ): void {
    const { peer, envelope } = source?.subject() ?? {};
    const { address, name = "unknown" } = envelope?.client ?? {};
    if (this.#refusals.length === REFUSALS_KEPT) this.#refusals.shift();
    this.#refusals.push({
      time: this.#now(),
      ...refusal,
      reason: cut(reason),
      sender: envelope?.sender === undefined ? undefined : cut(envelope.sender),
      recipients: envelope?.recipients.length ?? 0,
      client: address === undefined ? peer : cut(`${name}[${address}]`),
      reply: cut(replyText(reply)),
    });
  }

  #ofMessages(verdict: VerdictLabel, check: string) {
    return ofKey(this.#messages, `${verdict} ${check}`, () => ({ verdict, check, count: 0 }));
  }

  #ofCheck(name: string) {
    return ofKey(this.#checks, name, () => ({ seconds: new Durations(), errors: 0 }));
  }

  // The counts of this minute. If the clock was set back, minutes that have not come yet are forgotten.
  get #minute(): MinuteCounts {
    const minute = Math.floor(this.#now() / 60_000);
    const minutes = this.#minutes;
    while (minutes.length > 0 && minutes.at(-1)!.minute > minute) minutes.pop();
    const last = minutes.at(-1);
    if (last?.minute === minute) return last;
    const begun = { minute, messages: {}, sessions: 0, sessionsOpen: this.gauges.sessionsOpen() };
    minutes.push(begun);
    while (minutes[0]!.minute <= minute - MINUTES_KEPT) minutes.shift();
    return begun;
  }
}

interface MinuteCounts {
  minute: number;
  messages: Partial<Record<VerdictLabel, number>>;
  sessions: number;
  sessionsOpen: number;
}

class Durations {
  readonly #buckets = new Array<number>(BUCKET_BOUNDS.length + 1).fill(0);
  #sum = 0;

  /** `seconds` is never negative, because a sum must not go back. */
  add(seconds: number): void {
    const at = BUCKET_BOUNDS.findIndex((bound) => seconds <= bound);
    this.#buckets[at === -1 ? BUCKET_BOUNDS.length : at]!++;
    this.#sum += Math.max(0, seconds);
  }

  get histogram(): Histogram {
    return { buckets: [...this.#buckets], sum: this.#sum };
  }
}

/** The label of a decision. If postprox cannot handle a message, the reply says whether that is for good. */
export function verdictLabel(decision: Decision): VerdictLabel {
  switch (decision.kind) {
    case "replace":
      return "pass";
    case "defer":
      return "tempfail";
    case "refused":
      return replyClass(decision.reply) === 5 ? "reject" : "tempfail";
    default:
      return decision.kind;
  }
}

// Checks of one name, such as commands, count as one.
function timesOf(findings: readonly Finding[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const { check, time } of findings) times.set(check, (times.get(check) ?? 0) + time);
  return times;
}

function cut(text: string): string {
  return text.slice(0, TEXT_LIMIT);
}

function ofKey<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make());
  return value;
}
