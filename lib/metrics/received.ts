// A snapshot that came from another process as JSON. Pure.
//
// After an upgrade the processes of a service may be of different versions for a while. So a snapshot that looks otherwise
// than ours is not used, and a verdict that we do not know is left out.

import { BUCKET_BOUNDS, type Snapshot, VERDICT_LABELS } from "./snapshot.ts";

const LABELS: ReadonlySet<unknown> = new Set(VERDICT_LABELS);

type Fits = (value: unknown) => boolean;

const isNumber: Fits = (value) => typeof value === "number" && Number.isFinite(value);
const isText: Fits = (value) => typeof value === "string";
const orNone = (fits: Fits): Fits => (value) => value === undefined || fits(value);
const listOf = (fits: Fits): Fits => (value) => Array.isArray(value) && value.every(fits);
const valuesOf = (fits: Fits): Fits => (value) => isObject(value) && Object.values(value).every(fits);
const shaped = (shape: Readonly<Record<string, Fits>>): Fits => (value) =>
  isObject(value) && Object.entries(shape).every(([name, fits]) => fits(value[name]));

const isHistogram = shaped({
  buckets: (value) => listOf(isNumber)(value) && (value as unknown[]).length === BUCKET_BOUNDS.length + 1,
  sum: isNumber,
});

const fitsSnapshot = shaped({
  time: isNumber,
  startTime: isNumber,
  build: shaped({ version: isText, runtime: isText }),
  messages: listOf(shaped({ verdict: isText, check: isText, count: isNumber })),
  messageBytes: isNumber,
  sessionsOpen: isNumber,
  sessionsTotal: isNumber,
  checkSeconds: valuesOf(isHistogram),
  downstreamSeconds: isHistogram,
  checkErrors: valuesOf(isNumber),
  possibleDuplicates: isNumber,
  filtersRunning: isNumber,
  filtersWaiting: isNumber,
  filtersLimit: orNone(isNumber),
  workers: isNumber,
  workersWanted: isNumber,
  workerRestarts: isNumber,
  minutes: listOf(
    shaped({ minute: isNumber, messages: valuesOf(isNumber), sessions: isNumber, sessionsOpen: isNumber }),
  ),
  refusals: listOf(shaped({
    time: isNumber,
    what: isText,
    verdict: isText,
    check: isText,
    reason: isText,
    sender: orNone(isText),
    recipients: isNumber,
    client: orNone(isText),
    reply: isText,
  })),
  lastError: orNone(shaped({ time: isNumber, text: isText })),
});

/** The snapshot that `value` is; undefined if it is none of ours. */
export function receivedSnapshot(value: unknown): Snapshot | undefined {
  if (!fitsSnapshot(value)) return undefined;
  const snapshot = value as Snapshot;
  const isKnown = ({ verdict }: { readonly verdict: unknown }) => LABELS.has(verdict);
  return {
    ...snapshot,
    messages: snapshot.messages.filter(isKnown),
    minutes: snapshot.minutes.map((one) => ({
      ...one,
      messages: Object.fromEntries(Object.entries(one.messages).filter(([verdict]) => LABELS.has(verdict))),
    })),
    refusals: snapshot.refusals.filter(isKnown),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
