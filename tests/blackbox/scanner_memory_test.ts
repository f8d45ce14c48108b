// A message of 50 MB through spam filters costs no memory. The test measures the peak of the process from outside.

import assert from "node:assert/strict";
import { httpAnswer } from "../fakes/rspamd.ts";
import { spamdAnswer } from "../fakes/spamd.ts";
import { deliver, table, type Talk } from "./rig.ts";

/** In kB. */
const LIMIT = 16_000;

/** Counts what it gets, keeps nothing of it, and answers when all is there. */
class Sink {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #answer: string;
  readonly #served: Promise<void>;
  /** Octets of the last message. */
  size = 0;

  constructor(answer: string) {
    this.#answer = answer;
    this.#served = this.#serve();
  }

  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  async stop(): Promise<void> {
    this.#listener.close();
    await this.#served;
  }

  async #serve(): Promise<void> {
    const taken: Promise<void>[] = [];
    for await (const conn of this.#listener) taken.push(this.#take(conn));
    await Promise.all(taken);
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
      const send = async (size: number) => {
        const line = "A line of a large message.\r\n";
        const reply = await deliver(client, `Subject: large\r\n\r\n${line.repeat(size / line.length)}`);
        assert.equal(reply.raw, "550 5.7.1 Spam message rejected\r\n");
        assert.ok(sink.size > 0.9 * size);
      };
      // The machine code that comes with use is made, and buffers have their size.
      for (let warm = 0; warm < 5; warm++) await send(3_000_000);
      const before = peak(talk);
      await send(50_000_000);
      const grown = peak(talk) - before;
      assert.ok(grown < LIMIT, `the process grew by ${grown} kB, and may by ${LIMIT}`);
    },
  }]);
}
