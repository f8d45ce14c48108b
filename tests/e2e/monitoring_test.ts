// What is in examples/monitoring/: Prometheus takes it, the alert rules say what they should, and there is no name of a metric
// that postprox does not have.

import assert from "node:assert/strict";
import { formatMetrics } from "../../lib/metrics/text.ts";
import { FULL } from "../metrics/snapshots.ts";

const FOLDER = new URL("../../examples/monitoring/", import.meta.url);

function read(name: string): string {
  return Deno.readTextFileSync(new URL(name, FOLDER));
}

/** Runs promtool in a directory of its own, with these files in it. Returns its output. It fails if promtool does. */
function promtool(args: readonly string[], files: Readonly<Record<string, string>>): string {
  const cwd = Deno.makeTempDirSync({ prefix: "promtool_" });
  try {
    for (const [name, content] of Object.entries(files)) Deno.writeTextFileSync(`${cwd}/${name}`, content);
    const { success, stdout, stderr } = new Deno.Command("promtool", { args: [...args], cwd }).outputSync();
    const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.ok(success, output);
    return output;
  } finally {
    Deno.removeSync(cwd, { recursive: true });
  }
}

Deno.test("Prometheus takes the configuration and the three alert rules", () => {
  const files = { "prometheus.yml": read("prometheus.yml"), "alerts.yml": read("alerts.yml") };
  assert.match(promtool(["check", "config", "prometheus.yml"], files), /SUCCESS: 3 rules found/);
  assert.match(promtool(["check", "rules", "--lint-fatal", "alerts.yml"], files), /SUCCESS: 3 rules found/);
});

Deno.test("the alert rules speak when they should, and are silent when all is well", () => {
  const tests = Deno.readTextFileSync(new URL("alerts_test.yml", import.meta.url));
  promtool(["test", "rules", "alerts_test.yml"], { "alerts.yml": read("alerts.yml"), "alerts_test.yml": tests });
});

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string }[];
}

const dashboard = JSON.parse(read("grafana.json")) as { readonly panels: readonly Panel[] };

/** The variables of the dashboard with values that Grafana may give them. */
function filledIn(expr: string): string {
  return expr.replaceAll("$__rate_interval", "1m0s").replaceAll("$job", ".*").replaceAll("$instance", "mx1|mx2");
}

Deno.test("Prometheus can read each query of the dashboard", () => {
  const queries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => filledIn(expr)));
  assert.ok(queries.length > 15 && queries.every((query) => !query.includes("$")));
  const rules = queries.map((expr, at) => ({ record: `postprox:query_${at}`, expr }));
  // JSON is YAML.
  const file = JSON.stringify({ groups: [{ name: "dashboard", rules }] });
  assert.match(promtool(["check", "rules", "queries.yml"], { "queries.yml": file }), /SUCCESS/);
});

Deno.test("the panels of the dashboard have a title and a text, and do not cover each other", () => {
  const places = new Set<string>();
  const ids = new Set(dashboard.panels.map(({ id }) => id));
  assert.equal(ids.size, dashboard.panels.length);
  for (const { title, description, gridPos: { x, y, w, h } } of dashboard.panels) {
    assert.ok(title && description && x + w <= 24, title);
    for (let row = y; row < y + h; row++) {
      for (let column = x; column < x + w; column++) {
        const place = `${column} ${row}`;
        assert.ok(!places.has(place), `${title} covers another panel`);
        places.add(place);
      }
    }
  }
});

Deno.test("rules, dashboard and document name only metrics that there are", () => {
  const known = new Set([...formatMetrics(FULL, "prometheus").matchAll(/^(postprox_\w+)/gm)].map(([, name]) => name!));
  const document = Deno.readTextFileSync(new URL("../../docs/monitoring.md", import.meta.url));
  const texts = { alerts: read("alerts.yml"), dashboard: read("grafana.json"), document };
  for (const [text, content] of Object.entries(texts)) {
    const named = new Set([...content.matchAll(/\bpostprox_\w+/g)].map(([name]) => name));
    assert.ok(named.size > 4, text);
    // A document may name a histogram as a whole.
    for (const name of named) assert.ok(known.has(name) || known.has(`${name}_bucket`), `${text}: ${name}`);
  }
  // All of them can be seen in the dashboard.
  const families = [...known].filter((name) => !/_(?:sum|count)$/.test(name));
  assert.deepEqual(families.filter((name) => !texts.dashboard.includes(name)), []);
});
