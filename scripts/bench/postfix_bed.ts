// A real Postfix on both sides, for benchmarks: smtpd, what stands between, smtpd, the queue, discard(8).
//
// All ways share one Postfix and its second server, and each has a first server of its own. A way counts only after a
// message has come through it into a mailbox, and one that its scanner must refuse was refused. It is Postfix as it ships,
// with four exceptions: the queue is in memory if there is a /dev/shm, so that no disk hides the cost of anything else; new
// mail does not wait for the queue manager (in_flow_delay); there is no limit of connections for our one client; and all mail
// of the load goes to discard(8). It needs root.

import { strict as assert } from "node:assert";
import { createPostfix, type Postfix } from "../../tests/e2e/postfix.ts";
import { afterFilter, beforeFilter, milterServer } from "../../tests/e2e/postfix_config.ts";
import { alice, sender } from "../../tests/e2e/postfix_mail.ts";
import { sendMail } from "../../tests/e2e/stranger.ts";
import { freePort } from "../../tests/rig/ports.ts";
import { until } from "../../tests/rig/wait.ts";
import { type Load, send } from "./bed.ts";
import type { Cost } from "./cost.ts";
import { processorTime } from "./processor_time.ts";
import type { Peer, Way } from "./way.ts";

/** The most connections of a load. */
export const CONNECTIONS = 20;

/** What stands between the two servers. */
export interface Between {
  readonly name: string;
  /** How the first server knows it. "straight": its filter is the second server. "alone": there is no second server. */
  readonly join: "straight" | "alone" | "milter" | "proxy" | "proxy, speed_adjust" | "straight, speed_adjust";
  /** Where nothing else stands, it is not there. */
  readonly peer?: Peer;
  /** It is there for a bound, and nobody would use it. */
  readonly isBound?: true;
  /** A line for which it refuses a message. */
  readonly refuses?: string;
}

interface Started {
  readonly between: Between;
  /** Of its first server. */
  readonly port: number;
  readonly way?: Way;
}

export class PostfixBed {
  /** In the order of the list, without those whose program is missing. */
  readonly names: readonly string[];
  readonly #postfix: Postfix;
  readonly #started: readonly Started[];
  readonly #scanners: readonly number[];

  /**
   * Starts all and proves each. `scanners` are the processes that the ways ask, whose processor time counts. `note` hears of
   * programs that are missing. Their files are in `directory`.
   */
  static async start(
    betweens: readonly Between[],
    { directory, scanners = [], note }: {
      readonly directory: string;
      readonly scanners?: readonly number[];
      readonly note: (text: string) => void;
    },
  ): Promise<PostfixBed> {
    const after = await freePort();
    const started: Started[] = [];
    const postfix = createPostfix(hasMemory() ? "/dev/shm" : "/tmp");
    const bed = () => new PostfixBed(postfix, started, scanners);
    try {
      for (const between of betweens) {
        const { peer } = between;
        const way = await peer?.start(directory, after);
        if (way || !peer) started.push({ between, port: await freePort(), ...way && { way } });
        else note(`${peer.name} is left out: apt-get install ${peer.package}`);
      }
      const servers = started.map(({ between: { join }, port, way }) => firstServer(join, port, way?.port ?? after));
      await postfix.start([afterFilter(after), "discard unix - - n - - discard\n", ...servers], MAIN);
      for (const one of started) await prove(postfix, one);
      return bed();
    } catch (error) {
      await bed().stop().catch(() => {}); // Why it began is what matters.
      throw error;
    }
  }

  private constructor(postfix: Postfix, started: readonly Started[], scanners: readonly number[]) {
    this.#postfix = postfix;
    this.#started = started;
    this.#scanners = scanners;
    this.names = started.map(({ between }) => between.name);
  }

  /**
   * Sends the load, and waits until Postfix is done with it. The rate is that at which the mail was taken. The processor time
   * is that of all of Postfix, of what stands between, and of the scanners.
   */
  async costOf(name: string, load: Load): Promise<Cost> {
    const { port, way } = this.#started.find(({ between }) => between.name === name)!;
    const time = () => processorTime([this.#postfix.pid, ...this.#scanners]) + (way?.processorTime?.() ?? 0);
    const before = time();
    const rate = await send(port, load).catch((error) => {
      throw new Error(`${name}: ${error.message}; the end of the log: ${this.#postfix.log().slice(-2_000)}`);
    });
    await settled(this.#postfix);
    return { rate, cpu: (time() - before) / load.count };
  }

  async stop(): Promise<void> {
    try {
      await Promise.all(this.#started.map(({ way }) => way?.stop()));
    } finally {
      await this.#postfix.stop();
    }
  }
}

/** The domain to which a load of bed.ts goes. */
const MAIN = `transport_maps = inline:{ b.example=discard: }
relay_domains = b.example
`;

function firstServer(join: Between["join"], port: number, next: number): string {
  const connections = CONNECTIONS;
  if (join === "milter") return milterServer(port, `127.0.0.1:${next}`, connections);
  const speedAdjust = join.endsWith("speed_adjust");
  const proxy = join === "alone" ? "" : `127.0.0.1:${next}`;
  return beforeFilter({ port, proxy, speedAdjust, connections });
}

async function prove(postfix: Postfix, { between: { name, refuses }, port }: Started): Promise<void> {
  const tag = crypto.randomUUID();
  const header = "From: a@a.example\r\nTo: b@b.example\r\nSubject: proof\r\n";
  const mail = (tag: string, line: string) => ({
    from: sender(tag),
    to: [alice(tag)],
    text: `${header}X-Marker: ${tag}\r\n\r\nthe text\r\n${line}\r\nthe last line\r\n`,
  });
  const { end } = await sendMail(port, mail(tag, "a line"));
  assert.equal(end.code, 250, `${name} refused a message: ${end.text}`);
  const [came] = await until(() => {
    const all = postfix.delivered(tag);
    return all.length > 0 && all;
  }, `a message through ${name}`);
  assert.match(
    came!.text,
    new RegExp(`\r\nX-Marker: ${tag}\r\n(?:.*\r\n)*\r\nthe text\r\na line\r\nthe last line\r\n$`),
  );
  if (refuses === undefined) return;
  const refused = await sendMail(port, mail("refused", refuses));
  assert.match(refused.end.text, /^5/, `${name} took a message that it must refuse`);
}

async function settled(postfix: Postfix): Promise<void> {
  const folders = ["incoming", "active"].map((name) => `${postfix.dir}/queue/${name}`);
  await until(
    () => folders.every((folder) => Deno.readDirSync(folder)[Symbol.iterator]().next().done),
    "an empty queue",
  );
}

function hasMemory(): boolean {
  try {
    return Deno.statSync("/dev/shm").isDirectory;
  } catch {
    return false;
  }
}
