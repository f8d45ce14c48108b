// --metrics: what mail does to the numbers, what /healthz says, and that no HTTP client harms mail.

import assert from "node:assert/strict";
import { CLAMD, EICAR } from "../fakes/clamd.ts";
import { FakeScanner, type Protocol } from "../fakes/scanner.ts";
import { freePort, Listening, runProgram } from "../e2e/start.ts";
import { ask, askRaw, connectHttp, type HttpAddress } from "../rig/http.ts";
import { until, within } from "../rig/wait.ts";
import {
  assertCode,
  type Bed,
  CONTENT,
  deliver,
  expectUsable,
  startMessage,
  table,
  type Talk,
  withBed,
} from "./rig.ts";

const at = (talk: Talk): HttpAddress => ({ path: `${talk.dir}/metrics` });

/** The samples of /metrics, by their names with labels. */
async function samples(where: HttpAddress): Promise<ReadonlyMap<string, number>> {
  const { status, body } = await ask(where, "/metrics");
  assert.equal(status, 200);
  const lines = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.replace(/ [^ ]*$/, ""), Number(line.replace(/^.* /, ""))]));
}

/** How much each sample has grown, without those that have not. */
function growth(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Record<string, number> {
  const grown = [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(grown.filter(([name, value]) => value !== 0 && !/_seconds_(?:bucket|sum)/.test(name)));
}

async function grown(talk: Talk, body: () => Promise<void>): Promise<Record<string, number>> {
  const before = await samples(at(talk));
  await body();
  return growth(before, await samples(at(talk)));
}

table("--metrics", {
  filter: true,
  modes: ["listen"],
  options: (dir) => [
    `--metrics=unix:${dir}/metrics`,
    "--max-message-size=1000",
    "--allow-discard",
    "--max-filters=1",
  ],
}, [
  {
    name: "each outcome of a message counts under its verdict, and downstream's and the filter's time",
    filter: "case $SENDER in reject*) echo no >&2; exit 1;; defer*) echo 451 later >&2; exit 1;; " +
      "drop*) echo 250 ok >&2; exit 1;; fail*) kill -9 $$;; change*) { echo X: y; cat $EMAIL; } > $OUTFILE;; esac",
    play: async (talk) => {
      const client = await talk.open();
      const send = (who: string, content = CONTENT) =>
        deliver(client, content, { from: who === "" ? "" : `${who}@[192.0.2.1]` });
      const seen = await grown(talk, async () => {
        assertCode(await send("pass"), 250);
        assertCode(await send("change"), 250);
        assertCode(await send("reject"), 550, 554);
        assertCode(await send("defer"), 451);
        assertCode(await send("drop"), 250);
        assertCode(await send("fail"), 250);
        assertCode(await send("large", `${CONTENT}${"x".repeat(2000)}\r\n`), 552);
      });
      const { postprox_message_bytes_total: bytes, ...counts } = seen;
      assert.ok(bytes! > 7 * CONTENT.length + 2000, String(bytes));
      assert.deepEqual(counts, {
        'postprox_messages_total{verdict="pass",check=""}': 2,
        'postprox_messages_total{verdict="unchecked",check=""}': 1,
        'postprox_messages_total{verdict="reject",check="command"}': 1,
        'postprox_messages_total{verdict="tempfail",check="command"}': 1,
        'postprox_messages_total{verdict="discard",check="command"}': 1,
        'postprox_messages_total{verdict="reject",check=""}': 1,
        'postprox_check_seconds_count{check="command"}': 6,
        'postprox_check_errors_total{check="command"}': 1,
        // Three messages went downstream.
        postprox_downstream_seconds_count: 3,
      });
    },
  },
  {
    name: "downstream's refusal is not ours, and a message without an outcome does not count",
    script: { ".": "554 no" },
    play: async (talk) => {
      const client = await talk.open();
      const seen = await grown(talk, async () => {
        assertCode(await deliver(client, CONTENT, { from: "" }), 554);
        await startMessage(client, { from: "" });
        await client.say("Subject: half");
        client.close();
        await talk.downstream.until((fake) => fake.sessions.every((one) => one.gone), "the end of the session");
      });
      assert.equal(seen['postprox_messages_total{verdict="pass",check=""}'], 1);
      assert.equal(seen["postprox_downstream_seconds_count"], 1);
      assert.equal(Object.keys(seen).filter((name) => name.startsWith("postprox_messages_total")).length, 1);
    },
  },
  {
    name: "sessions that are open, filters that run, and messages that wait for one",
    filter: "while [ ! -e $D/go ]; do sleep 0.02; done",
    play: async (talk) => {
      const before = await samples(at(talk));
      const clients = [await talk.open(), await talk.open(), await talk.open()];
      for (const client of clients.slice(0, 2)) {
        await startMessage(client, { from: "" });
        await client.say(`${CONTENT}.\r\n`);
      }
      const gauges = ["postprox_sessions_open", "postprox_filters_running", "postprox_filters_waiting"];
      const now = async () => String(await samples(at(talk)).then((seen) => gauges.map((name) => seen.get(name))));
      await until(async () => await now() === "3,1,1", "3,1,1");
      Deno.writeTextFileSync(`${talk.dir}/go`, "");
      for (const client of clients.slice(0, 2)) await client.expect(250);
      for (const client of clients) client.close();
      await until(async () => await now() === "0,0,0", "0,0,0");
      const seen = growth(before, await samples(at(talk)));
      assert.equal(seen["postprox_sessions_total"], 3);
    },
  },
  {
    name: "a possible duplicate counts",
    script: { ".": { then: "close", reply: "" } },
    play: async (talk) => {
      const seen = await grown(talk, async () => {
        const client = await talk.open();
        assertCode(await deliver(client, CONTENT, { from: "" }), 451);
      });
      assert.equal(seen["postprox_possible_duplicates_total"], 1);
    },
  },
  {
    name: "each client gets the format that it accepts",
    play: async (talk) => {
      const open = await ask(at(talk), "/metrics", {
        accept: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
      });
      assert.equal(open.fields.get("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
      assert.match(open.body, /\n# EOF\n$/);
      for (const accept of [undefined, "*/*", "text/plain", "text/html,*/*;q=0.8"]) {
        const text = await ask(at(talk), "/metrics", accept === undefined ? {} : { accept });
        assert.equal(text.fields.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        assert.doesNotMatch(text.body, /# EOF/);
      }
      assert.match(open.body, /^postprox_build_info\{version="[0-9.]+",runtime="(?:Deno|Bun) [0-9.]+"\} 1$/m);
    },
  },
  {
    name: "GET and HEAD, 404, 405, 400, 414, 431, and each answer ends the connection",
    play: async (talk) => {
      const head = await ask(at(talk), "/metrics", { method: "HEAD" });
      assert.deepEqual([head.status, head.body], [200, ""]);
      assert.ok(Number(head.fields.get("content-length")) > 1000);
      assert.equal(head.fields.get("connection"), "close");
      assert.equal((await ask(at(talk), "/nowhere")).status, 404);
      const post = await ask(at(talk), "/metrics", { method: "POST" });
      assert.deepEqual([post.status, post.fields.get("allow")], [405, "GET, HEAD"]);
      assert.equal((await askRaw(at(talk), "EHLO mx\r\n")).status, 400);
      assert.equal((await askRaw(at(talk), "GET /metrics HTTP/1.1\r\n\r\n")).status, 400);
      assert.equal((await askRaw(at(talk), `GET /${"x".repeat(100_000)}`)).status, 414);
      assert.equal((await askRaw(at(talk), `GET / HTTP/1.1\r\n${"X: yyyyyyyyyyyyy\r\n".repeat(5000)}`)).status, 431);
      assert.equal((await askRaw(at(talk), "GET /healthz HTTP/1.0\r\n\r\n")).status, 200);
      const client = await talk.open();
      await expectUsable(client);
    },
  },
  {
    name: "the status page shows a refusal with its reason, and nothing of a stranger in it is markup",
    filter: "echo 'no <b>bold</b>' >&2; exit 1",
    play: async (talk) => {
      const client = await talk.open();
      assertCode(await deliver(client, CONTENT, { from: '"<script>alert(1)</script>"@example.org' }), 550, 554);
      const { status, fields, body } = await ask(at(talk), "/");
      assert.equal(status, 200);
      assert.equal(fields.get("content-type"), "text/html; charset=utf-8");
      assert.match(fields.get("content-security-policy")!, /^default-src 'none';/);
      assert.match(body, /^<!DOCTYPE html>/);
      assert.match(body, /&lt;script&gt;alert\(1\)/);
      assert.doesNotMatch(body, /<script|<b>bold/);
      assert.equal((await ask(at(talk), "/", { method: "HEAD" })).body, "");
    },
  },
  {
    name: "100 silent HTTP clients, one more, and a flood do not delay mail",
    play: async (talk) => {
      const silent: Deno.Conn[] = [];
      try {
        for (let count = 0; count < 100; count++) silent.push(await connectHttp(at(talk)));
        const more = await ask(at(talk), "/metrics");
        assert.equal(more.status, 503);
        const client = await talk.open();
        await expectUsable(client);
      } finally {
        for (const conn of silent) conn.close();
      }
      const again = async () => (await ask(at(talk), "/metrics")).status === 200;
      await until(again, () => "room for one more client");
      const flood = Array.from({ length: 150 }, () => ask(at(talk), "/metrics").catch(() => undefined));
      const client = await talk.open();
      await expectUsable(client);
      await within(Promise.all(flood), "the flood");
    },
  },
]);

interface MetricsBed extends Bed {
  readonly http: { readonly port: number };
  readonly args: readonly string[];
}

async function withMetrics(body: (bed: MetricsBed) => Promise<void>): Promise<void> {
  await withBed(async ({ fake, dir }) => {
    const port = await freePort();
    const args = [fake.operand, "-d", `${dir}/spool`, `--log=${dir}/log`, `--metrics=${port}`];
    await body({ fake, dir, http: { port }, args });
  });
}

/** Starts the program, and waits until it takes mail. The port is open a moment earlier. */
async function start({ http, args }: MetricsBed, ...options: string[]): Promise<Listening> {
  const program = await Listening.start([...args, ...options]);
  await until(async () => (await ask(http, "/nowhere")).status === 404, "the pages");
  const { client } = await program.connect();
  await client.expect(220);
  await client.expect(221, "QUIT");
  client.close();
  return program;
}

/** The three scanners: a question PING, and its answer. */
const PINGS: Readonly<Record<string, Protocol>> = {
  clamd: {
    ...CLAMD,
    answer: (question) => String.fromCharCode(...question) === "zPING\0" ? "PONG\0" : CLAMD.answer(question),
  },
  rspamd: lines("GET /ping ", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\npong\r\n"),
  spamd: lines("PING SPAMC/", "SPAMD/1.5 0 PONG\r\n"),
};

function lines(beginning: string, answer: string): Protocol {
  const end = (text: string) => text.indexOf("\r\n\r\n");
  return {
    lengthOf: (received) => {
      const at = end(String.fromCharCode(...received));
      return at === -1 ? undefined : at + 4;
    },
    answer: (question) => String.fromCharCode(...question).startsWith(beginning) ? answer : "wrong\r\n\r\n",
    closes: true,
  };
}

Deno.test("/healthz asks next hop and scanners once in 5 s, and says in plain words what does not answer", () =>
  withMetrics(async (bed) => {
    const { fake, http } = bed;
    await using clamd = await FakeScanner.start(PINGS["clamd"]!);
    await using rspamd = await FakeScanner.start(PINGS["rspamd"]!);
    await using spamd = await FakeScanner.start(PINGS["spamd"]!);
    const scanners = [`--clamd=${clamd.address}`, `--rspamd=${rspamd.address}`, `--spamd=${spamd.address}`];
    const program = await start(bed, ...scanners);
    try {
      const before = fake.sessions.length;
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(http, "/healthz")));
      for (const { status, body } of answers) assert.deepEqual([status, body], [200, "ok: mail can be taken\n"]);
      assert.equal(fake.sessions.length - before, 1);
      assert.deepEqual([clamd.connections, rspamd.connections, spamd.connections], [1, 1, 1]);

      clamd.fault = { at: "connect", does: "close" };
      spamd.fault = { at: "reply", does: "nonsense" };
      fake.script = { CONNECT: "421 4.3.2 not now" };
      // The old answer holds for 5 s.
      const sick = await until(async () => {
        const answer = await ask(http, "/healthz");
        return answer.status === 503 && answer;
      }, "a 503");
      const [hop, first, last, ...rest] = sick.body.trimEnd().split("\n");
      assert.match(hop!, /^the next hop 127\.0\.0\.1:[0-9]+ takes no mail: it said 421 4\.3\.2 not now$/);
      assert.match(first!, /^clamd could not tell: 127\.0\.0\.1:[0-9]+ closed the connection$/);
      assert.match(last!, /^spamd could not tell: 127\.0\.0\.1:[0-9]+ answered PING with /);
      assert.deepEqual(rest, []);
    } finally {
      await program.stop();
    }
  }));

Deno.test("the virus of a message counts for its check, which had a 0 before", () =>
  withMetrics(async ({ args, http }) => {
    await using clamd = await FakeScanner.start(PINGS["clamd"]!);
    const program = await Listening.start([...args, `--clamd=${clamd.address}`]);
    try {
      const name = 'postprox_messages_total{verdict="reject",check="clamd"}';
      assert.equal((await samples(http)).get(name), 0);
      const { client } = await program.connect();
      await client.expect(220);
      await client.expect(250, "EHLO client.example");
      assertCode(await deliver(client, `Subject: x\r\n\r\n${EICAR}\r\n`), 550);
      client.close();
      assert.equal((await samples(http)).get(name), 1);
    } finally {
      await program.stop();
    }
  }));

Deno.test("--metrics at a port that is taken is a start error, before anybody is served", () =>
  withMetrics(async ({ args, http, dir }) => {
    const taken = Deno.listen({ hostname: "127.0.0.1", port: http.port });
    const listen = await freePort();
    try {
      const { status, stdout, stderr } = await runProgram([...args, "-l", String(listen), "--foreground"]);
      assert.equal(status, 75);
      assert.equal(stdout, "");
      assert.match(stderr, /^postprox: option --metrics: [^\n]*: give an address of this host and a free port\n$/);
    } finally {
      taken.close();
    }
    const path = `${dir}/no/such/place`;
    const { status, stderr } = await runProgram([args[0]!, "-l", String(listen), `--metrics=unix:${path}`]);
    assert.equal(status, 75);
    assert.match(stderr, /^postprox: option --metrics: [^\n]*: give a path in a writable directory/);
  }));

Deno.test("/healthz says that postprox shuts down, as long as sessions go on", () =>
  withMetrics(async (bed) => {
    const program = await start(bed);
    try {
      const { client } = await program.connect();
      await client.expect(220);
      Deno.kill(program.process.pid, "SIGTERM");
      const down = await until(async () => {
        const answer = await ask(bed.http, "/healthz");
        return answer.status === 503 && answer;
      }, "a 503");
      assert.equal(down.body, "postprox is shutting down\n");
      await client.expect(250, "NOOP");
      assert.equal((await samples(bed.http)).get("postprox_sessions_open"), 1);
      client.close();
    } finally {
      await program.stop();
    }
  }));

Deno.test("SIGHUP lets /healthz ask what the configuration file says now", () =>
  withMetrics(async (bed) => {
    const { http, dir, fake } = bed;
    await using clamd = await FakeScanner.start(PINGS["clamd"]!);
    Deno.writeTextFileSync(`${dir}/conf`, "verbose = 1\n");
    const program = await start(bed, `--config=${dir}/conf`);
    try {
      assert.equal((await ask(http, "/healthz")).status, 200);
      clamd.fault = { at: "connect", does: "close" };
      Deno.writeTextFileSync(`${dir}/conf`, `verbose = 1\nclamd = ${clamd.address}\n`);
      Deno.kill(program.process.pid, "SIGHUP");
      const sick = await until(async () => {
        const answer = await ask(http, "/healthz");
        return answer.status === 503 && answer;
      }, "a 503");
      assert.match(sick.body, /^clamd could not tell: /);
      assert.ok(fake.sessions.length >= 2);
      assert.equal((await samples(http)).get('postprox_check_errors_total{check="clamd"}'), 0);
    } finally {
      await program.stop();
    }
  }));
