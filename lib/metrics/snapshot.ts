// What is known of a process at one moment: the data behind the metrics and the status page.
//
// Plain data, so that it survives JSON: a worker sends its snapshot to the supervisor, which sums them. Times of day are in
// milliseconds since 1970. Durations are in seconds. Counters grow from the start of the process.
//
// Texts that come from strangers stand here as they came. Whoever shows them escapes them. Whoever keeps them bounds them:
// a snapshot has at most `MINUTES_KEPT` minutes and `REFUSALS_KEPT` refusals, and each text has at most `TEXT_LIMIT`
// characters.

/** The values of the label `verdict`: what became of a message. First the four ways to pass, then the four others. */
export const VERDICT_LABELS = [
  /** Checked and delivered, also when a check changed it. */
  "pass",
  /** A check refused it. It was delivered with a field that says so. */
  "tag",
  /** No check looks at mail of this client. */
  "bypass",
  /** Delivered although no check looked at it, or none could decide. */
  "unchecked",
  "reject",
  "tempfail",
  "discard",
  "quarantine",
] as const;

export type VerdictLabel = typeof VERDICT_LABELS[number];

export const MINUTES_KEPT = 60;
export const REFUSALS_KEPT = 50;

/** In characters. Enough for the longest address (RFC 5321 s.4.5.3.1) and for a reply line. */
export const TEXT_LIMIT = 600;

/** The upper bounds of the buckets of each histogram, in seconds. A last bucket has no bound. */
export const BUCKET_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;

export interface Snapshot {
  /** When the snapshot was made. */
  readonly time: number;
  /** When the program started. With workers: the supervisor. */
  readonly startTime: number;
  readonly build: Build;
  /** Messages that had an outcome. Each pair of verdict and check stands here at most once. */
  readonly messages: readonly MessageCount[];
  /** Octets of the content of these messages. */
  readonly messageBytes: number;
  readonly sessionsOpen: number;
  readonly sessionsTotal: number;
  /** How long each check took for a message, by its name. */
  readonly checkSeconds: Readonly<Record<string, Histogram>>;
  /** How long downstream took to answer for a message, from our final dot to its reply. */
  readonly downstreamSeconds: Histogram;
  /** How often a check could not decide, by its name. */
  readonly checkErrors: Readonly<Record<string, number>>;
  readonly possibleDuplicates: number;
  /** Filters that run now, and messages that wait for one to end (--max-filters). */
  readonly filtersRunning: number;
  readonly filtersWaiting: number;
  /** --max-filters, over all workers. Absent if there is no limit. */
  readonly filtersLimit?: number | undefined;
  /** Workers that run now. 0 without --workers. */
  readonly workers: number;
  /** How many should run. 0 without --workers. */
  readonly workersWanted: number;
  readonly workerRestarts: number;
  /** The last hour, the oldest minute first. A minute in which nothing happened may be missing. */
  readonly minutes: readonly Minute[];
  /** The newest first. */
  readonly refusals: readonly Refusal[];
  /** The last line of the log with the level error, if there was one. */
  readonly lastError?: LastError | undefined;
}

export interface Build {
  readonly version: string;
  /** The runtime and its version, as in "Deno 2.9.6". */
  readonly runtime: string;
}

export interface MessageCount {
  readonly verdict: VerdictLabel;
  /** The check that decided so. Empty if none did. */
  readonly check: string;
  readonly count: number;
}

export interface Histogram {
  /** How many durations were in each bucket: one number for each of `BUCKET_BOUNDS`, and one more. Not cumulative. */
  readonly buckets: readonly number[];
  readonly sum: number;
}

export interface Minute {
  /** The time of its start, divided by 60,000: a whole number. */
  readonly minute: number;
  readonly messages: Readonly<Partial<Record<VerdictLabel, number>>>;
  /** Sessions that began. */
  readonly sessions: number;
  /** The most sessions that were open at one time. A sum over workers may be too high, because their peaks may differ. */
  readonly sessionsOpen: number;
}

/** A message, a sender or a recipient that was refused. */
export interface Refusal {
  readonly time: number;
  readonly what: "message" | "sender" | "recipient";
  /** What became of it. `reject` and `tempfail` for senders and recipients. */
  readonly verdict: VerdictLabel;
  /** The check or the restriction that refused it. Empty if postprox itself could not handle it. */
  readonly check: string;
  /** Why, in the words of the log. */
  readonly reason: string;
  /** Undefined: not known. Empty: the null sender. */
  readonly sender?: string | undefined;
  /** How many recipients it had. */
  readonly recipients: number;
  /** The name and the address of the client, as in the log. Absent if they are not known. */
  readonly client?: string | undefined;
  /** The reply that the client got, its lines joined as in the log. */
  readonly reply: string;
}

export interface LastError {
  readonly time: number;
  /** Its words and its reason. */
  readonly text: string;
}

/** Whether mail can be taken: what `/healthz` says. */
export interface Health {
  /** What is wrong, one sentence each. Empty: all is well. */
  readonly faults: readonly string[];
}
