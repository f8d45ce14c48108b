// A steady load of clients, which notices everything that a restart can do to one: a connection that is refused, a session
// that breaks, a wait, a message that is lost or delivered twice.
//
// Each client sends one message after another, each in a session of its own, and sends a message again until it has heard
// a 2xx. The server behind postprox is the fake one, which keeps every message.

import { connectTo } from "../rig/client.ts";
import type { Server } from "../rig/server.ts";

export interface Counts {
  /** Messages that were accepted. */
  sent: number;
  /** Connections that could not be made. */
  refused: number;
  /** Sessions that ended before the final dot, or with 4xx or 5xx. */
  broken: number;
  /** Sessions that ended between the final dot and its reply. Their client cannot know whether the message was taken. */
  unknown: number;
  /** The longest time from a connection to the reply to QUIT, in milliseconds. */
  longest: number;
}

export interface Account extends Counts {
  /** Accepted, and not delivered. */
  readonly lost: number;
  /** Deliveries beyond one for each message, and beyond one for each session of unknown outcome. */
  readonly doubled: number;
}

export interface LoadOptions {
  readonly port: number;
  readonly recipient: string;
  readonly clients: number;
  /** Tells the messages of this load from others. */
  readonly mark: string;
}

// A client that was not served tries again after this time, in milliseconds.
const PAUSE = 20;

export class Load {
  readonly counts: Counts = { sent: 0, refused: 0, broken: 0, unknown: 0, longest: 0 };
  /** What the clients heard in place of what they wanted, and how often. */
  readonly complaints = new Map<string, number>();
  readonly #options: LoadOptions;
  readonly #accepted = new Set<string>();
  /** How many sessions of a message had an unknown outcome. */
  readonly #unknown = new Map<string, number>();
  readonly #clients: Promise<void>[];
  #isOver = false;
  #next = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#clients = Array.from({ length: options.clients }, () => this.#run());
  }

  /** Ends the load; gives the account of it. */
  async end(server: Server): Promise<Account> {
    this.#isOver = true;
    await Promise.all(this.#clients);
    const delivered = new Map<string, number>();
    for (const { text } of server.messages) {
      const [, id = ""] = /^Subject: (\S+)\r$/m.exec(text) ?? [];
      if (id.startsWith(this.#options.mark)) delivered.set(id, (delivered.get(id) ?? 0) + 1);
    }
    const lost = [...this.#accepted].filter((id) => !delivered.has(id)).length;
    const tooMany = (id: string, count: number) => Math.max(0, count - 1 - (this.#unknown.get(id) ?? 0));
    const doubled = [...delivered].reduce((sum, [id, count]) => sum + tooMany(id, count), 0);
    return { ...this.counts, lost, doubled };
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const id = `${this.#options.mark}${this.#next++}`;
      while (!await this.#send(id)) await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }

  /** Whether the message was accepted. */
  async #send(id: string): Promise<boolean> {
    const { counts } = this;
    const start = performance.now();
    let failure: "refused" | "broken" | "unknown" = "refused";
    let isAccepted = false;
    try {
      const client = await connectTo({ port: this.#options.port });
      failure = "broken";
      try {
        await client.expect(220);
        await client.expect(250, "EHLO client.example");
        await client.expect(250, `MAIL FROM:<sender@elsewhere.example>`);
        await client.expect(250, `RCPT TO:<${this.#options.recipient}>`);
        await client.expect(354, "DATA");
        await client.say(`Subject: ${id}\r\n\r\nA line.\r\n.\r\n`);
        failure = "unknown";
        const { code, text } = await client.hear();
        // A refusal is a clear answer, unless Postfix has lost postprox just then.
        if (code !== 250 && !text.includes("queue file write error")) failure = "broken";
        if (code !== 250) throw new Error(text);
        isAccepted = true;
        this.#accepted.add(id);
        counts.sent++;
        failure = "broken";
        await client.expect(221, "QUIT");
      } finally {
        client.close();
      }
    } catch (error) {
      counts[failure]++;
      if (failure === "unknown") this.#unknown.set(id, (this.#unknown.get(id) ?? 0) + 1);
      const [what = ""] = (error as Error).message.split("\n");
      const why = `${failure}: ${what}`;
      this.complaints.set(why, (this.complaints.get(why) ?? 0) + 1);
    }
    counts.longest = Math.max(counts.longest, performance.now() - start);
    return isAccepted;
  }
}
