// A message of 50 MB through spam filters costs no memory. The test measures the peak of the process from outside.

import assert from "node:assert/strict";
import { httpAnswer } from "../fakes/rspamd.ts";
import { spamdAnswer } from "../fakes/spamd.ts";
import { expectUsable, startMessage, table, type Talk } from "./rig.ts";

const LIMIT = 16_000;

/** Counts what it gets, keeps nothing of it, and answers when all is there. */
class Sink {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #answer: string;
  /** Octets of the last message. */
  size = 0;

  constructor(answer: string) {
    this.#answer = answer;
    void this.#serve();
  }

  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  stop(): void {
    this.#listener.close();
  }

  async #serve(): Promise<void> {
    for await (const conn of this.#listener) void this.#take(conn);
  }

  async #take(conn: Deno.Conn): Promise<void> {
    using _ = conn;
    const room = new Uint8Array(262_144);
    let head = "";
    let size = 0;
    for (let length = Infinity; size < length;) {
      const count = await conn.read(room);
      if (count === null) return;
      if (length !== Infinity) size += count;
      else {
        head += new TextDecoder("latin1").decode(room.subarray(0, count));
        const end = head.indexOf("\r\n\r\n");
        if (end === -1) continue;
        length = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
        size = head.length - end - 4;
      }
    }
    this.size = size;
    await conn.write(new TextEncoder().encode(this.#answer));
  }
}

let rspamd: Sink;
let spamd: Sink;

Deno.test.beforeAll(() => {
  rspamd = new Sink(httpAnswer('{"action":"add header"}'));
  spamd = new Sink(spamdAnswer(1, "X-Spam-Status: No\nSubject: large\n\n"));
});

Deno.test.afterAll(() => {
  rspamd.stop();
  spamd.stop();
});

/** The most memory that the process held so far, in kB. */
function peak({ process }: Talk): number {
  return Number(/VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${process.pid}/status`))![1]);
}

/** Sends a message of so many millions of octets, after it was warmed up by a smaller one. */
async function send(talk: Talk, millions: number): Promise<void> {
  const client = await talk.open();
  await startMessage(client);
  await client.say("Subject: large\r\n\r\n");
  const piece = "A line of a large message, 50 octets of it in all.\r\n".repeat(20_000);
  for (let count = 0; count < millions; count++) await client.say(piece);
  await client.say(".\r\n");
  await client.expect(250);
  await expectUsable(client);
}

table("Memory of spam filters", {
  options: () => [`--rspamd=${rspamd.address}`, `--spamd=${spamd.address}`],
  modes: ["listen"],
}, [{
  name: "50 MB, side by side",
  play: async (talk) => {
    // Whatever any message costs is no cost of this one.
    await send(talk, 8);
    const before = peak(talk);
    await send(talk, 50);
    const grown = peak(talk) - before;
    assert.ok(grown < LIMIT, `the process grew by ${grown} kB, and may by ${LIMIT}`);
  },
}]);
