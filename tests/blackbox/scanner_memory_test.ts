// A message of 50 MB through scanners costs no memory. The tests measure the peak of the process from outside.

import assert from "node:assert/strict";
import { DnsServer } from "../fakes/dns_server.ts";
import { httpAnswer } from "../fakes/rspamd.ts";
import { MailSink, Sink } from "../fakes/sink.ts";
import { spamdAnswer } from "../fakes/spamd.ts";
import { deliver, table, type Talk } from "./rig.ts";

/** In kB. */
const LIMIT = 16_000;

let sink: Sink;

/** A message is refused, so that it costs the test no time at the mail server. */
const FILTERS: readonly (readonly [option: string, answer: string, more: readonly string[]])[] = [
  ["--rspamd", httpAnswer('{"action":"reject"}'), []],
  ["--spamd", spamdAnswer(15, "Subject: large\n\n"), ["--spamd-reject=5"]],
];

/** The most memory that the process held so far, in kB. */
function peak({ process }: Talk): number {
  return Number(/VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${process.pid}/status`))![1]);
}

const LINE = "A line of a large message.\r\n";

/** Sends a message of 50 MB by `send`, after some that warm the program up. It may cost no memory. */
async function costsNothing(talk: Talk, send: (size: number) => Promise<void>): Promise<void> {
  // The machine code that comes with use is made, and buffers have their size.
  for (let warm = 0; warm < 5; warm++) await send(3_000_000);
  const before = peak(talk);
  await send(50_000_000);
  const grown = peak(talk) - before;
  assert.ok(grown < LIMIT, `the process grew by ${grown} kB, and may by ${LIMIT}`);
}

for (const [option, answer, more] of FILTERS) {
  table(`${option} and a message of 50 MB`, {
    options: () => [`${option}=${sink.address}`, ...more],
    modes: ["listen"],
    around: async (play) => {
      sink = new Sink(answer);
      try {
        await play();
      } finally {
        await sink.stop();
      }
    },
  }, [{
    name: "costs no memory",
    play: async (talk) => {
      const client = await talk.open();
      await costsNothing(talk, async (size) => {
        const reply = await deliver(client, `Subject: large\r\n\r\n${LINE.repeat(size / LINE.length)}`);
        assert.equal(reply.raw, "550 5.7.1 Spam message rejected\r\n");
        assert.ok(sink.size > 0.9 * size);
      });
    },
  }]);
}

let clamd: Sink;
let rspamd: Sink;
let dns: DnsServer;
let mail: MailSink;

table("Scanners side by side and a message of 50 MB", {
  options: () => [
    `--clamd=${clamd.address}`,
    `--rspamd=${rspamd.address}`,
    "--url-rhsbl=dbl.test",
    `--dns-server=127.0.0.1:${dns.port}`,
  ],
  operand: () => mail.address,
  around: async (play) => {
    clamd = new Sink("stream: OK\0", "frames");
    rspamd = new Sink(httpAnswer('{"action":"add header","symbols":{}}'));
    dns = await DnsServer.start(() => ({ code: 3 }));
    mail = new MailSink();
    try {
      await play();
    } finally {
      await Promise.all([clamd.stop(), rspamd.stop(), dns.close(), mail.stop()]);
    }
  },
}, [{
  name: "passes, with another header, and costs no memory",
  play: async (talk) => {
    const client = await talk.open();
    await costsNothing(talk, async (size) => {
      const text = LINE.repeat(size / LINE.length);
      const reply = await deliver(client, `Subject: large\r\n\r\nhttp://a.example/\r\n${text}`);
      assert.equal(reply.code, 250);
      assert.ok(Math.min(clamd.size, rspamd.size) > 0.9 * size);
      assert.match(mail.beginning, /^Subject: large\r\nX-Spam: Yes\r\n/);
      assert.ok(mail.size > text.length);
      assert.ok(dns.questions.length > 0, "no host was looked up");
    });
  },
}]);
