// A part of `deno task bench`: the cost of clamd, and postprox's own share of it.
//
// A real clamd with a database of one signature gets clean messages of 5 kB. First the latency, one message at a time: the
// time from the message's last octet to the reply. It is measured directly at the mail server, directly at clamd, and
// through postprox with and without clamd. The four take turns. Take clamd's time and the mail server's time away from the
// time with clamd: the rest is postprox's own share. Then it measures the throughput on 10 connections, with clamd, and with
// examples/clamdscan-filter if clamdscan(1) is installed.

import { Clamd } from "../tests/e2e/clamd_bed.ts";
import { type Client, connectTo } from "../tests/rig/client.ts";

const CLAMDSCAN = "/usr/bin/clamdscan";
const MESSAGES = 1_000;
const WARM_UP = 300;
const HEADER = "Received: from mx.example by mail.example; Sat, 28 Nov 2026 12:00:00 +0000\r\n" +
  "From: A Sender <a@a.example>\r\nTo: b@b.example\r\nSubject: bench\r\n\r\n";
const MESSAGE = HEADER + "A line of an ordinary message of five kilobytes, in words.\r\n".repeat(82);

export interface ScannerBench {
  /** The port of the mail server. */
  readonly sink: number;
  /** Starts postprox with these options before the mail server; its port. */
  readonly startProxy: (options: string[]) => Promise<number>;
  /** Prints the throughput of what listens at this port. */
  readonly report: (what: string, port: number) => Promise<void>;
}

export async function benchScanner({ sink, startProxy, report }: ScannerBench): Promise<void> {
  const clamd = await startClamd();
  if (!clamd) return;
  try {
    const plain = await startProxy([]);
    const scanning = await startProxy([`--clamd=${clamd.unix}`]);
    await printLatency(clamd, { sink, plain, scanning });
    await report("5 kB, with --clamd", scanning);
    if (isFile(CLAMDSCAN)) await report("5 kB, -c clamdscan-filter", await startProxy(["-c", clamdscanFilter(clamd)]));
  } finally {
    await clamd.stop();
  }
}

/** A clamd; undefined if it is not installed, which is printed then. */
export async function startClamd({ needsClamdscan = false } = {}): Promise<Clamd | undefined> {
  try {
    if (needsClamdscan && !isFile(CLAMDSCAN)) throw new Error(`there is no ${CLAMDSCAN}: apt-get install clamdscan`);
    return await Clamd.start();
  } catch (error) {
    console.log(`clamd is left out: ${(error as Error).message}`);
    return undefined;
  }
}

/** The path of examples/clamdscan-filter, made to ask this clamd. */
export function clamdscanFilter(clamd: Clamd): string {
  const example = Deno.readTextFileSync(new URL("../examples/clamdscan-filter", import.meta.url));
  const path = clamd.config.replace(/[^/]*$/, "filter");
  Deno.writeTextFileSync(path, example.replace("clamdscan ", `clamdscan --config-file=${clamd.config} `), {
    mode: 0o755,
  });
  return path;
}

async function printLatency(clamd: Clamd, ports: { sink: number; plain: number; scanning: number }): Promise<void> {
  const clients = await Promise.all([ports.sink, ports.plain, ports.scanning].map(greet));
  const times: number[][] = [[], [], [], []];
  for (let round = -WARM_UP; round < MESSAGES; round++) {
    for (const [at, client] of clients.entries()) {
      const time = await timeOf(client);
      if (round >= 0) times[at]!.push(time);
    }
    const time = await timeOfClamd(clamd);
    if (round >= 0) times[3]!.push(time);
  }
  for (const client of clients) client.close();
  const [server = 0, without = 0, all = 0, scan = 0] = times.map(median);
  const show = (milliseconds: number) => `${milliseconds.toFixed(2)} ms`;
  console.log(
    `\n${"5 kB, from dot to reply".padEnd(28)} with clamd ${show(all)}: clamd ${show(scan)}, mail server ${
      show(server)
    }, ` +
      `postprox ${show(all - scan - server)} (without clamd ${show(without - server)})`,
  );
}

async function greet(port: number): Promise<Client> {
  const client = await connectTo({ port });
  await client.expect(220);
  await client.expect(250, "EHLO client.example");
  return client;
}

async function timeOf(client: Client): Promise<number> {
  await client.expect(250, "MAIL FROM:<a@a.example>");
  await client.expect(250, "RCPT TO:<b@b.example>");
  await client.expect(354, "DATA");
  const start = performance.now();
  await client.say(`${MESSAGE}.\r\n`);
  const { code } = await client.hear();
  const time = performance.now() - start;
  if (code !== 250) throw new Error(`a message was answered with ${code}`);
  return time;
}

async function timeOfClamd(clamd: Clamd): Promise<number> {
  const { answer, time } = await clamd.ask(MESSAGE.replaceAll("\r\n", "\n"));
  if (answer !== "stream: OK\0") throw new Error(`clamd answered ${answer}`);
  return time;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
