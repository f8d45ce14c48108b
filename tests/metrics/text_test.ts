// Tests of lib/metrics/text.ts: both formats line by line, and who gets which.

import assert from "node:assert/strict";
import { Meter } from "../../lib/metrics/meter.ts";
import type { Snapshot } from "../../lib/metrics/snapshot.ts";
import { formatMetrics, wantedFormat } from "../../lib/metrics/text.ts";

const EMPTY = new Meter({ build: { version: "1.1.0", runtime: "Deno 2" }, now: () => 6_000_000 }).snapshot();
const SNAPSHOT: Snapshot = {
  ...EMPTY,
  messages: [{ verdict: "pass", check: "", count: 3 }, { verdict: "reject", check: 'a"\\\n', count: 1 }],
  messageBytes: 12,
  checkSeconds: { clamd: { buckets: [1, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1], sum: 301.5 } },
  checkErrors: { clamd: 4 },
  sessionsOpen: 2,
};

function section(text: string, name: string): string[] {
  const lines = text.split("\n");
  const from = lines.indexOf(lines.find((line) => line.startsWith(`# TYPE ${name} `))!);
  const to = lines.findIndex((line, at) =>
    at > from && (line.startsWith("# TYPE ") || line === "" || line === "# EOF")
  );
  return lines.slice(from, to);
}

Deno.test("a counter has its family and its unit in OpenMetrics, and one name in Prometheus's format", () => {
  const open = formatMetrics(SNAPSHOT, "openmetrics");
  assert.deepEqual(section(open, "postprox_message_bytes"), [
    "# TYPE postprox_message_bytes counter",
    "# UNIT postprox_message_bytes bytes",
    "# HELP postprox_message_bytes Octets of the content of these messages.",
    "postprox_message_bytes_total 12",
  ]);
  const text = formatMetrics(SNAPSHOT, "prometheus");
  assert.deepEqual(section(text, "postprox_message_bytes_total"), [
    "# TYPE postprox_message_bytes_total counter",
    "# HELP postprox_message_bytes_total Octets of the content of these messages.",
    "postprox_message_bytes_total 12",
  ]);
  assert.match(open, /\n# EOF\n$/);
  assert.doesNotMatch(text, /# EOF|# UNIT/);
  assert.match(text, /[^\n]\n$/);
});

Deno.test("each verdict has a sample, also before the first message", () => {
  const lines = section(formatMetrics(SNAPSHOT, "prometheus"), "postprox_messages_total").slice(2);
  assert.deepEqual(lines, [
    'postprox_messages_total{verdict="pass",check=""} 3',
    'postprox_messages_total{verdict="reject",check="a\\"\\\\\\n"} 1',
    ...["tag", "bypass", "unchecked", "reject", "tempfail", "discard", "quarantine"].map((verdict) =>
      `postprox_messages_total{verdict="${verdict}",check=""} 0`
    ),
  ]);
});

Deno.test("the buckets of a histogram grow, and their bounds are written as each format wants", () => {
  const bounds = {
    prometheus: ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "300"],
    openmetrics: [
      "0.005",
      "0.01",
      "0.025",
      "0.05",
      "0.1",
      "0.25",
      "0.5",
      "1.0",
      "2.5",
      "5.0",
      "10.0",
      "30.0",
      "60.0",
      "300.0",
    ],
  };
  const counts = [1, 1, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 5];
  for (const format of ["prometheus", "openmetrics"] as const) {
    const lines = section(formatMetrics(SNAPSHOT, format), "postprox_check_seconds").filter((line) =>
      !line.startsWith("#")
    );
    assert.deepEqual(lines, [
      ...[...bounds[format], "+Inf"].map((le, at) =>
        `postprox_check_seconds_bucket{check="clamd",le="${le}"} ${counts[at]}`
      ),
      'postprox_check_seconds_sum{check="clamd"} 301.5',
      'postprox_check_seconds_count{check="clamd"} 5',
    ]);
  }
});

Deno.test("the build is an info, which Prometheus's format knows as a gauge", () => {
  const sample = 'postprox_build_info{version="1.1.0",runtime="Deno 2"} 1';
  const open = section(formatMetrics(SNAPSHOT, "openmetrics"), "postprox_build");
  assert.deepEqual([open[0], open.at(-1)], ["# TYPE postprox_build info", sample]);
  const text = section(formatMetrics(SNAPSHOT, "prometheus"), "postprox_build_info");
  assert.deepEqual([text[0], text.at(-1)], ["# TYPE postprox_build_info gauge", sample]);
});

Deno.test("both formats have the metrics of the manual, once each", () => {
  const names = [
    "postprox_messages_total",
    "postprox_message_bytes_total",
    "postprox_sessions_open",
    "postprox_sessions_total",
    "postprox_check_seconds",
    "postprox_downstream_seconds",
    "postprox_check_errors_total",
    "postprox_possible_duplicates_total",
    "postprox_filters_running",
    "postprox_filters_waiting",
    "postprox_worker_restarts_total",
    "postprox_build_info",
  ];
  const text = formatMetrics(SNAPSHOT, "prometheus");
  assert.deepEqual([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name), names);
  const samples = (text: string) =>
    text.split("\n").filter((line) => /^\w/.test(line)).map((line) => line.replace('.0"', '"'));
  assert.deepEqual(samples(formatMetrics(SNAPSHOT, "openmetrics")), samples(text));
});

const ACCEPTS: readonly (readonly [accept: string | undefined, isOpen: boolean])[] = [
  [undefined, false],
  ["", false],
  ["*/*", false],
  ["text/plain", false],
  ["text/html,application/xhtml+xml,*/*;q=0.8", false],
  ["application/*", false],
  ["application/openmetrics-text", true],
  ["Application/OpenMetrics-Text; Version=1.0.0", true],
  ['application/openmetrics-text; version="1.0.0"; charset=utf-8', true],
  // Prometheus 2.42, and 3.
  [
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    true,
  ],
  [
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3",
    true,
  ],
  ["application/openmetrics-text;q=0,text/plain", false],
  ["application/openmetrics-text;q=x", false],
  ["application/openmetrics-text;q=0.4,text/plain;q=0.5", false],
  ["application/openmetrics-text;version=2.0.0", false],
  [";;,=,q=;;;,application/", false],
];

Deno.test("only who asks for OpenMetrics gets it", () => {
  for (const [accept, isOpen] of ACCEPTS) {
    assert.equal(wantedFormat(accept), isOpen ? "openmetrics" : "prometheus", accept);
  }
});
