// The text of the metrics, in the two formats that Prometheus and its relatives read. Pure.
//
// OpenMetrics 1.0 and Prometheus's text format 0.0.4 differ in little: OpenMetrics has units, an end, the type `info`, and
// names a counter without its `_total`. The samples are the same, so a change of the format changes no series. Only the
// bounds of buckets are written as the format wants them: `1.0` in the one, `1` in the other. Prometheus takes them for two.

import { BUCKET_BOUNDS, type Histogram, type Snapshot, VERDICT_LABELS } from "./snapshot.ts";

export type MetricsFormat = "openmetrics" | "prometheus";

export const CONTENT_TYPES: Readonly<Record<MetricsFormat, string>> = {
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
};

type Labels = Readonly<Record<string, string>>;

interface Family {
  /** In OpenMetrics. A counter has `_total` behind it, and an info `_info`. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram" | "info";
  readonly unit?: "seconds" | "bytes";
  readonly help: string;
  readonly samples: (snapshot: Snapshot) => readonly Sample[];
}

type Sample = readonly [labels: Labels, value: number | Histogram];

const one = (value: number | Histogram): readonly Sample[] => [[{}, value]];

const FAMILIES: readonly Family[] = [
  {
    name: "postprox_messages",
    type: "counter",
    help: "Messages that had an outcome, by what postprox decided and by the check that decided it.",
    samples: messageSamples,
  },
  {
    name: "postprox_message_bytes",
    type: "counter",
    unit: "bytes",
    help: "Octets of the content of these messages.",
    samples: ({ messageBytes }) => one(messageBytes),
  },
  {
    name: "postprox_sessions_open",
    type: "gauge",
    help: "Sessions that are open now.",
    samples: ({ sessionsOpen }) => one(sessionsOpen),
  },
  {
    name: "postprox_sessions",
    type: "counter",
    help: "Sessions that began.",
    samples: ({ sessionsTotal }) => one(sessionsTotal),
  },
  {
    name: "postprox_check_seconds",
    type: "histogram",
    unit: "seconds",
    help: "How long each check took for a message.",
    samples: ({ checkSeconds }) => Object.entries(checkSeconds).map(([check, seconds]) => [{ check }, seconds]),
  },
  {
    name: "postprox_downstream_seconds",
    type: "histogram",
    unit: "seconds",
    help: "How long the next hop took to answer for a message, from its final dot to the reply.",
    samples: ({ downstreamSeconds }) => one(downstreamSeconds),
  },
  {
    name: "postprox_check_errors",
    type: "counter",
    help: "How often a check could not decide.",
    samples: ({ checkErrors }) => Object.entries(checkErrors).map(([check, count]) => [{ check }, count]),
  },
  {
    name: "postprox_possible_duplicates",
    type: "counter",
    help: "Messages that the next hop may have, and of which the client may not know that.",
    samples: ({ possibleDuplicates }) => one(possibleDuplicates),
  },
  {
    name: "postprox_filters_running",
    type: "gauge",
    help: "Filters that run now.",
    samples: ({ filtersRunning }) => one(filtersRunning),
  },
  {
    name: "postprox_filters_waiting",
    type: "gauge",
    help: "Messages that wait until a filter may run (--max-filters).",
    samples: ({ filtersWaiting }) => one(filtersWaiting),
  },
  {
    name: "postprox_worker_restarts",
    type: "counter",
    help: "Workers that another one has replaced (--workers).",
    samples: ({ workerRestarts }) => one(workerRestarts),
  },
  {
    name: "postprox_build",
    type: "info",
    help: "The version of postprox, and the runtime that it runs on.",
    samples: ({ build: { version, runtime } }) => [[{ version, runtime }, 1]],
  },
];

/** All metrics of `snapshot`. */
export function formatMetrics(snapshot: Snapshot, format: MetricsFormat): string {
  const lines = FAMILIES.flatMap((family) => familyLines(family, snapshot, format));
  return [...lines, ...format === "openmetrics" ? ["# EOF"] : [], ""].join("\n");
}

// The first value of each series should be a 0. Then a rate can be computed from the first message on.
function messageSamples({ messages }: Snapshot): readonly Sample[] {
  const byNone = new Set(messages.filter(({ check }) => check === "").map(({ verdict }) => verdict));
  const missing = VERDICT_LABELS.filter((verdict) => !byNone.has(verdict)).map((verdict) => ({
    verdict,
    check: "",
    count: 0,
  }));
  return [...messages, ...missing].map(({ verdict, check, count }) => [{ verdict, check }, count]);
}

function familyLines({ name, type, unit, help, samples }: Family, snapshot: Snapshot, format: MetricsFormat): string[] {
  const ending = type === "counter" ? "_total" : type === "info" ? "_info" : "";
  const isOpen = format === "openmetrics";
  const shown = isOpen ? name : `${name}${ending}`;
  const head = [`# TYPE ${shown} ${isOpen || type !== "info" ? type : "gauge"}`];
  if (isOpen && unit) head.push(`# UNIT ${shown} ${unit}`);
  head.push(`# HELP ${shown} ${help}`);
  const lines = samples(snapshot).flatMap(([labels, value]) =>
    typeof value === "number"
      ? [sampleLine(`${name}${ending}`, labels, value)]
      : histogramLines(name, labels, value, format)
  );
  return [...head, ...lines];
}

function histogramLines(
  name: string,
  labels: Labels,
  { buckets, sum }: Histogram,
  format: MetricsFormat,
): string[] {
  let count = 0;
  const lines = buckets.map((inBucket, at) => {
    count += inBucket;
    return sampleLine(`${name}_bucket`, { ...labels, le: boundText(BUCKET_BOUNDS[at], format) }, count);
  });
  return [...lines, sampleLine(`${name}_sum`, labels, sum), sampleLine(`${name}_count`, labels, count)];
}

function boundText(bound: number | undefined, format: MetricsFormat): string {
  if (bound === undefined) return "+Inf";
  return format === "openmetrics" && Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

function sampleLine(name: string, labels: Labels, value: number): string {
  const inside = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`).join(",");
  return `${name}${inside === "" ? "" : `{${inside}}`} ${value}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/** The format for a client with this Accept field (RFC 9110 s.12.5.1). Only who asks for OpenMetrics gets it. */
export function wantedFormat(accept: string | undefined): MetricsFormat {
  let open = 0;
  let text = 0;
  for (const range of (accept ?? "").split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const valueOf = (name: string) =>
      parameters.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1).replace(/^"(.*)"$/, "$1");
    const given = Number(valueOf("q") ?? 1);
    const weight = Number.isFinite(given) ? given : 0;
    const version = valueOf("version") ?? "1.0.0";
    if (type === "application/openmetrics-text" && version === "1.0.0") open = Math.max(open, weight);
    else if (type === "text/plain") text = Math.max(text, weight);
  }
  return open > 0 && open >= text ? "openmetrics" : "prometheus";
}
