// --metrics before the real Prometheus: promtool finds no fault in either format, and Prometheus scrapes what mail did.

import assert from "node:assert/strict";
import { freePort, Listening } from "./start.ts";
import { ask } from "../rig/http.ts";
import { Server } from "../rig/server.ts";
import { until } from "../rig/wait.ts";
import { CONTENT, deliver } from "../blackbox/rig.ts";

const MESSAGES = 3;

interface Bed {
  readonly dir: string;
  readonly port: number;
}

/** The program after some mail, one message of which its filter has refused. */
async function withProgram(body: (bed: Bed) => Promise<void>): Promise<void> {
  const fake = await Server.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  Deno.mkdirSync(`${dir}/spool`);
  const port = await freePort();
  const filter = "case $SENDER in bad*) echo '550 no' >&2; exit 1;; esac";
  const args = [fake.operand, "-d", `${dir}/spool`, `--log=${dir}/log`, `--metrics=${port}`, "-c", filter];
  try {
    const program = await Listening.start(args);
    try {
      const { client } = await program.connect();
      await client.expect(220);
      await client.expect(250, "EHLO client.example");
      for (let count = 0; count < MESSAGES; count++) assert.equal((await deliver(client)).code, 250);
      assert.equal((await deliver(client, CONTENT, { from: "bad@example.org" })).code, 550);
      await body({ dir, port });
      client.close();
    } finally {
      await program.stop();
    }
  } finally {
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("promtool finds nothing to complain about", () =>
  withProgram(async ({ port }) => {
    const { body } = await ask({ port }, "/metrics");
    const child = new Deno.Command("promtool", {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(body));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.deepEqual([code, said], [0, ""]);
  }));

Deno.test("Prometheus scrapes OpenMetrics, and knows what mail did", () =>
  withProgram(async ({ dir, port }) => {
    const listen = await freePort();
    Deno.writeTextFileSync(
      `${dir}/prometheus.yml`,
      `global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: postprox
    static_configs:
      - targets: ["127.0.0.1:${port}"]
`,
    );
    const prometheus = new Deno.Command("prometheus", {
      args: [
        `--config.file=${dir}/prometheus.yml`,
        `--storage.tsdb.path=${dir}/prometheus`,
        `--web.listen-address=127.0.0.1:${listen}`,
        "--log.level=warn",
      ],
      env: { GOMAXPROCS: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const query = async (expression: string) => {
        const url = `http://127.0.0.1:${listen}/api/v1/query?query=${encodeURIComponent(expression)}`;
        const answer = await fetch(url).then((response) => response.json()).catch(() => undefined);
        const found = answer?.data?.result?.[0]?.value?.[1];
        return found === undefined ? undefined : Number(found);
      };
      const seen = (expression: string) => until(() => query(expression), expression);
      assert.equal(await seen('up{job="postprox"} == 1'), 1);
      assert.equal(await seen('postprox_messages_total{verdict="pass"}'), MESSAGES);
      assert.equal(await seen('postprox_messages_total{verdict="reject",check="command"}'), 1);
      assert.equal(await seen('postprox_check_seconds_count{check="command"}'), MESSAGES + 1);
      assert.equal(await seen('postprox_downstream_seconds_bucket{le="+Inf"}'), MESSAGES);
      assert.equal(await seen("postprox_sessions_open"), 1);
      assert.equal(await seen("postprox_build_info"), 1);
      // Only OpenMetrics tells the unit, and the bound of a bucket as 1.0.
      assert.equal(await seen('postprox_check_seconds_bucket{le="1.0"}'), MESSAGES + 1);
    } finally {
      prometheus.kill("SIGTERM");
      await prometheus.status;
    }
  }));
