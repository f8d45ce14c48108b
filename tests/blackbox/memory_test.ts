// Things that a stranger or a filter can make long cost no memory. The tests measure the peak of the process from
// outside.

import assert from "node:assert/strict";
import { DnsServer } from "../fakes/dns_server.ts";
import { deliver, expectUsable, startMessage, table, type Talk } from "./rig.ts";

const MB = 1000;

/** The most memory that the process held so far, in kB. */
function peak({ process }: Talk): number {
  return Number(/VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${process.pid}/status`))![1]);
}

/** Has the machine code made that comes with any use, and is no cost of what is measured. */
async function warmUp(talk: Talk): ReturnType<Talk["open"]> {
  const client = await talk.open();
  for (let count = 0; count < 200; count++) await client.expect(250, "NOOP");
  await expectUsable(client);
  return client;
}

function assertGrewLess(talk: Talk, before: number, limit: number): void {
  const grown = peak(talk) - before;
  assert.ok(grown < limit, `the process grew by ${grown} kB, and may by ${limit}`);
}

table("Memory", { filter: true }, [
  ...["head -c 100000000 /dev/zero", "yes 'a line of some length' | head -c 100000000"].map((flood) => ({
    name: `100 MB of a filter's standard error: ${flood}`,
    play: async (talk: Talk) => {
      const client = await warmUp(talk);
      const before = peak(talk);
      talk.setFilter(`(${flood}; echo; echo 550 5.7.1 the end) >&2; exit 1`);
      assert.equal((await deliver(client)).raw, "550 5.7.1 the end\r\n");
      assertGrewLess(talk, before, 25 * MB);
    },
  })),
  {
    name: "24 MB of a command line without an end",
    play: async (talk) => {
      const client = await warmUp(talk);
      const before = peak(talk);
      const piece = "x".repeat(1_000_000);
      for (let count = 0; count < 24; count++) await client.say(piece);
      await client.say("\r\n");
      await client.expect(500);
      // An executable with huge pages (--huge-pages) grows in steps of 2 MB.
      assertGrewLess(talk, before, 16 * MB);
      await expectUsable(client);
    },
  },
]);

let dns: DnsServer;

async function withDns(play: () => Promise<void>): Promise<void> {
  // The message is refused, so that no fake server has to take it.
  const listed = ({ name }: { name: string }) => name === "b.example.dbl.test";
  dns = await DnsServer.start((question) => listed(question) ? { records: [{ data: "127.0.0.2" }] } : { code: 3 });
  try {
    await play();
  } finally {
    await dns.close();
  }
}

const LISTS = ["--url-dnsbl=bl.test", "--url-rhsbl=dbl.test"];

/** Parts of a large message, each with its lines. */
const CONTENT: Readonly<Record<string, readonly [head: string, line: string]>> = {
  "a file in base64": [
    "Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsDBBQAAAAI\r\n",
    "QUJDREVG",
  ],
  "text": ["Content-Type: text/html\r\n\r\n", '<a href="http://a.example/x">x</a>'],
};

table("Memory of the search for URLs", {
  modes: ["listen"],
  options: () => [`--dns-server=127.0.0.1:${dns.port}`, ...LISTS],
  around: withDns,
}, [
  ...Object.entries(CONTENT).map(([name, [head, line]]) => ({
    name: `a message of 50 MB: ${name}`,
    play: async (talk: Talk) => {
      const client = await warmUp(talk);
      const send = async (size: number) => {
        await startMessage(client);
        await client.say(
          `Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhttp://b.example/\r\n--b\r\n${head}`,
        );
        const piece = `${line.repeat(3)}\r\n`.repeat(Math.ceil(1_000_000 / (3 * line.length + 2)));
        for (let sent = 0; sent < size; sent += piece.length) await client.say(piece);
        await client.say("\r\n--b--\r\n.\r\n");
        assert.equal((await client.hear()).raw, "550 5.7.1 b.example is listed by dbl.test\r\n");
      };
      // The cost of any message that is larger than the spool keeps in memory.
      await send(3_000_000);
      const before = peak(talk);
      await send(50_000_000);
      assertGrewLess(talk, before, 16 * MB);
    },
  })),
]);

const tagging = () => ["--action=command=tag", "--then=true"];

table("Memory with another header", { modes: ["listen"], options: tagging, filter: true }, [
  ...[["header", "X-Long: x\r\n"], ["body", "some text of a line\r\n"]].map(([part, line = ""]) => ({
    name: `25 MB of ${part}, with a field removed and one added`,
    filter: "exit 1",
    play: async (talk: Talk) => {
      const client = await talk.open();
      const begin = part === "body" ? "Subject: x\r\n\r\n" : "Subject: x\r\n";
      const piece = line.repeat(Math.ceil(1_000_000 / line.length));
      const send = async (pieces: number) => {
        await startMessage(client);
        await client.say(`X-Postprox: old\r\n${begin}`);
        for (let count = 0; count < pieces; count++) await client.say(piece);
        await client.say(".\r\n");
        assert.equal((await client.hear()).code, 250);
      };
      // The cost of any message that is larger than the spool keeps in memory.
      await send(3);
      const before = peak(talk);
      await send(25);
      assertGrewLess(talk, before, 16 * MB);
      const tagged = `X-Postprox: command; Content rejected\r\n${begin}`;
      for (const [at, pieces] of [3, 25].entries()) {
        const { text } = talk.downstream.messages[at]!;
        assert.equal(text.slice(0, tagged.length), tagged);
        assert.equal(text.length, tagged.length + pieces * piece.length);
      }
    },
  })),
]);
