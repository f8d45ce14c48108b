// Shared by the end-to-end tests with Postfix: build a message, send it, wait until Postfix is done, and check what
// must be true then.
//
// Every message has a tag. It stands in the recipient's address, where delivered() finds it, and in the X-Filter line,
// where filter.sh reads what to do and where to keep what it saw. The tests run one after another. So the part of the
// log since a test's beginning belongs to that test. Texts are binary strings with CRLF.

import { strict as assert } from "node:assert";
import { isAlive, processesOf, startListening, stop } from "./installed.ts";
import { filesBelow, readOctets } from "./postfix.ts";
import type { Bed, Setup } from "./postfix_bed.ts";
import { DOMAIN } from "./postfix_config.ts";
import type { Reply } from "../rig/client.ts";
import { greet, sendMail } from "./stranger.ts";
import { until } from "../rig/wait.ts";

/** A message must survive with this: 8-bit text, NUL, dots, empty lines, long lines, words of the dialogue. */
const HARD_LINES = [
  "8-bit: \xe4\xf6\xfc\xdf \x80\xfe\xff",
  "NUL: \0.",
  ".",
  "..",
  "...",
  ".a dot first",
  ". ",
  "",
  "",
  "x".repeat(998),
  "y".repeat(5000),
  "QUIT",
  "RSET",
  "From here on",
  "blanks last \t ",
];

/** Bodies that have to arrive byte for byte. */
export const BODIES: Record<string, string> = {
  "no body": "",
  "hard lines": HARD_LINES.join("\r\n") + "\r\n",
  "empty lines last": "text\r\n\r\n\r\n\r\n",
  "a dot last": "text\r\n.\r\n",
  "a megabyte": "0123456789".repeat(7).concat("\r\n").repeat(14_000),
};

/** Some server once took these for an end of data, but Postfix does not if it normalizes bare newlines. */
export const FALSE_ENDS = [
  "\n.\r\n",
  "\n.\n",
  "\r\n.\n",
  "\r.\r\n",
  "\r.\r",
  "\r\n.\r",
  "\n.\r",
  "\r\n.\0\r\n",
  "\r\n\0.\r\n",
];

/** Postfix itself ignores all CRs before an LF, so that it ends a message at these, before as well as after the filter. */
export const POSTFIX_ENDS = ["\r\n.\r\r\n", "\n.\r\r\n", "\r\r\n.\r\r\r\n"];

let tags = 0;

export function newTag(): string {
  return `t${++tags}`;
}

export function alice(tag: string): string {
  return `alice+${tag}@${DOMAIN}`;
}

export function sender(tag: string): string {
  return `sender+${tag}@elsewhere.example`;
}

/** A header that tells filter.sh what to do. */
export function header(order: string, tag: string): string {
  return [
    "From: A Sender <sender@elsewhere.example>",
    `To: Alice <alice@${DOMAIN}>`,
    `Subject: ${order}`,
    "Date: Thu, 1 Jan 2026 12:00:00 +0000",
    `Message-ID: <${tag}@elsewhere.example>`,
    `X-Filter: ${order} ${tag}`,
    "",
    "",
  ].join("\r\n");
}

/** Sends one message to alice, and waits until Postfix has nothing left to do with it. */
export async function send(
  { postfix }: Bed,
  port: number,
  { tag, text, reply }: { tag: string; text: string; reply?: string | RegExp },
): Promise<{ log: string }> {
  const mark = postfix.log().length;
  const { end } = await sendMail(port, { from: sender(tag), to: [alice(tag)], text });
  if (typeof reply === "string") assert.equal(end.text, reply);
  else assert.match(end.text, reply ?? /^250 /);
  return { log: await postfix.settledLog(mark) };
}

/** Gives `use` a before-filter server's port, and the pid of the proxy process that serves its next session. */
export async function usingProxy(
  bed: Bed,
  setup: Pick<Setup, "mode" | "speedAdjust">,
  use: (port: number, pid: () => Promise<number>) => Promise<void>,
): Promise<void> {
  if (setup.mode === "spawn") {
    const isServing = ([_, words]: [number, string]) => words.includes("/spawn-patient.log");
    const find = () => [...processesOf(bed.postfix)].find(isServing)?.[0];
    await until(() => find() === undefined, "the end of earlier sessions");
    return await use(bed.before(setup), () => until(find, "a postprox under spawn"));
  }
  const pid = await startListening(bed.installed, bed.words("listen-late"), bed.latePort);
  bed.listeners.add(pid);
  try {
    await use(bed.beforeLate(setup.speedAdjust), () => Promise.resolve(pid));
  } finally {
    bed.listeners.delete(pid);
    if (isAlive(pid)) await stop(pid);
  }
}

/** The reply of a server that will not take a message, to any of its commands. */
export async function refusalOf(port: number, tag: string): Promise<Reply> {
  const client = await greet(port);
  try {
    for (const command of [`MAIL FROM:<${sender(tag)}>`, `RCPT TO:<${alice(tag)}>`, "DATA"]) {
      const reply = await client.ask(command);
      if (reply.code >= 400) return reply;
    }
    await client.say(`${header("pass", tag)}text\r\n.\r\n`);
    return await client.hear();
  } finally {
    client.close();
  }
}

/** One message in which a transaction of its own follows each false end of data. */
export async function smuggle(port: number, tag: string, ends: readonly string[]): Promise<void> {
  const client = await greet(port);
  try {
    await client.expect(250, `MAIL FROM:<${sender(tag)}>`);
    await client.expect(250, `RCPT TO:<${alice(tag)}>`);
    await client.expect(354, "DATA");
    const transactions = ends.map((end, i) =>
      `${end}MAIL FROM:<${sender(tag)}>\r\nRCPT TO:<${
        alice(`${tag}.smuggled${i}`)
      }>\r\nDATA\r\nSubject: ${i}\r\n\r\n${i}`
    );
    await client.say(`${header("pass", tag)}text${transactions.join("")}\r\nthe last line\r\n.\r\n`);
    await client.expect(250);
    await client.quit().catch(() => {}); // Whom it was smuggled past has more to say.
  } finally {
    client.close();
  }
}

export function assertOneWhole(bed: Bed, tag: string): void {
  const deliveries = bed.postfix.delivered(tag);
  assert.deepEqual(deliveries.map(({ recipient }) => recipient), [alice(tag)]);
  assert.match(deliveries[0]?.text ?? "", /\r\nthe last line\r\n$/);
}

/** Nothing was delivered, and the after-filter server let go of all that it had begun. */
export function assertNothingCame(bed: Bed, tag: string, log: string): void {
  assertTexts(bed, tag, []);
  assertQueued(log, 0);
}

/** How many messages came into the queue. */
export function assertQueued(log: string, count: number): void {
  assert.equal(log.match(/postfix\/qmgr\[\d+\]: \w+: from=.* \(queue active\)/g)?.length ?? 0, count);
  assert.equal(log.match(/postfix\/cleanup\[\d+\]: \w+: message-id=/g)?.length ?? 0, count);
}

/** The filter and its child are gone, although nobody told the child. */
export async function assertKilled({ installed }: Bed, tag: string): Promise<void> {
  const pids = readOctets(`${installed.seen}/${tag}.pids`).trim().split(" ").map(Number);
  assert.equal(pids.length, 2);
  await until(() => !pids.some(isAlive), `the end of the filter's processes ${pids}`, 10_000);
}

/** No server died, no bug was logged, and postprox ended well: 64 is for wrong options, 75 for no downstream. */
export function assertNoComplaint({ postfix, installed }: Bed): void {
  const complaints = /\b(?:fatal|panic): .*|spawn\[\d+\]: warning: command \S+ (?!exit status (?:64|75)$).*/gm;
  assert.deepEqual(postfix.log().match(complaints) ?? [], []);
  for (const file of filesBelow(installed.logs)) assert.doesNotMatch(readOctets(file), /: bug /);
}

/** These texts were delivered, in whatever order, and nothing else; a difference is shown where it begins. */
export function assertTexts(bed: Bed, tag: string, expected: readonly string[]): void {
  const arrived = bed.postfix.delivered(tag).map(({ text }) => text).sort();
  assert.equal(arrived.length, expected.length, `${arrived.length} messages arrived instead of ${expected.length}`);
  for (const [i, text] of expected.toSorted().entries()) {
    const found = arrived[i] ?? "";
    if (found === text) continue;
    let at = 0;
    while (found[at] === text[at]) at++;
    assert.deepEqual(
      { at, length: found.length, text: found.slice(at, at + 60) },
      { at, length: text.length, text: text.slice(at, at + 60) },
    );
  }
}

/** The variables that the filter found. */
export function environmentOf({ installed }: Bed, tag: string): Record<string, string> {
  const lines = readOctets(`${installed.seen}/${tag}.env`).split("\n");
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

export function pick(all: Record<string, string>, names: readonly string[]): Record<string, string | undefined> {
  return Object.fromEntries(names.map((name) => [name, all[name]]));
}

/** Postfix's log and those of the proxies, by file. */
export function logsOf({ postfix, installed }: Bed): Map<string, string> {
  const logs = filesBelow(installed.logs).map((file): [string, string] => [file, readOctets(file)]);
  return new Map([["maillog", postfix.log()], ...logs]);
}
