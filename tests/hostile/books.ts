// Plays rows against a real server, through postprox or without it, and then reads which messages the server has.
//
// Every row has its own tag. So the whole corpus can be played before the messages are read. A row holds if the server
// has taken what the client sent, each message whole, and nothing else with that tag.

import { Listening, Spawner } from "../e2e/start.ts";
import { type Client, connectTo } from "../rig/client.ts";
import type { Mode } from "../blackbox/rig.ts";
import { cutsOf, isContent, packets, type Splits, tagged } from "./play.ts";
import type { RealServer, Taken } from "./real_server.ts";
import type { Row } from "./row.ts";

/** Conversations side by side. */
const SIDE_BY_SIDE = 4;

/** How long a server without postprox is left alone after what it may take for the end of data. */
const PAUSE = 60;

/** Rows that a real server can be asked to play: it says what it likes. */
export function rowsForServers(rows: readonly Row[]): Row[] {
  return rows.filter(({ script }) => script === undefined);
}

export interface Finding {
  readonly row: Row;
  readonly cuts: readonly number[];
  /** Its fault; undefined if the row holds. */
  readonly wrong: string | undefined;
}

interface Played {
  readonly row: Row;
  readonly cuts: readonly number[];
  /** With its tag in place. */
  readonly tagged: Row;
  readonly tag: string;
  /** The fault in the conversation. */
  readonly told: string;
  /** For each message, in order, whether the client was told that it was taken; undefined when nobody listened. */
  readonly accepted?: readonly boolean[];
}

let tags = 0;

/** The rows through postprox; for each way in which its packets are cut, what the server made of it. */
export async function playThrough(
  server: RealServer,
  rows: readonly Row[],
  { mode, splits, progress }: { mode: Mode; splits: Splits; progress?: (done: number, all: number) => void },
): Promise<Finding[]> {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_hostile_" });
  const args = [`127.0.0.1:${server.port}`, "-d", dir, `--log=${dir}/log`];
  let proxy: Listening | Spawner | undefined;
  try {
    proxy = mode === "listen" ? await Listening.start(args) : await Spawner.start();
    if (proxy instanceof Spawner) await proxy.use(args);
    const started = proxy;
    const connect = async () => (await started.connect()).client;
    const all = rows.flatMap((row) => cutsOf(row, splits).map((cuts) => ({ row, cuts })));
    const played = await sideBySide(all, ({ row, cuts }) => converse(row, cuts, connect), progress);
    return settle(await booksOf(server), played, (row, taken) => complaintOf(server, row, taken));
  } finally {
    await proxy?.stop();
    Deno.removeSync(dir, { recursive: true });
  }
}

/** The rows of content without postprox, with a pause after what may be taken for the end of data. */
export async function playDirectly(
  server: RealServer,
  rows: readonly Row[],
  progress?: (done: number, all: number) => void,
): Promise<Finding[]> {
  const all = rows.filter(isContent).map((row) => ({ row, cuts: [row.cut[1]].filter((at) => at < row.says.length) }));
  const connect = () => connectTo({ port: server.port });
  const played = await sideBySide(all, ({ row, cuts }) => insist(row, cuts, connect), progress);
  return settle(await booksOf(server), played, wayOfBeingFooled);
}

/** A conversation in which everybody should stay in step. */
async function converse(row: Row, cuts: readonly number[], connect: () => Promise<Client>): Promise<Played> {
  const tag = newTag();
  const own = tagged(row, tag);
  const client = await connect();
  const accepted: boolean[] = [];
  let told = "";
  try {
    await client.expect(220);
    await client.expect(250, "EHLO client.example");
    for (const [command, code] of own.opening) await client.expect(code, command);
    await client.sayInPieces(packets(own.says, cuts));
    if (isContent(row)) told = await hearOfContent(own, client, accepted);
    else await hearWhatever(own, client);
  } catch (error) {
    told = error instanceof Error ? error.message : String(error);
  } finally {
    client.close();
  }
  return { row, tagged: own, cuts, tag, told, ...isContent(row) ? { accepted } : {} };
}

/** A server may refuse a message for what it says. It is then no message, and the client knows. */
async function hearOfContent({ hears }: Row, client: Client, accepted: boolean[]): Promise<string> {
  for (const [at, heard] of hears.entries()) {
    // The reply to a message is the first one, and the one after a 354.
    const isMessage = at === 0 || hears[at - 1] === 354;
    const { code, raw } = isMessage ? await client.hear() : await client.expect(heard as number);
    if (isMessage && code !== 250 && code !== 550) return `heard ${raw}`;
    if (isMessage) accepted.push(code === 250);
  }
  await client.expect(250, "NOOP");
  return client.unheard === "" ? "" : `unheard: ${client.unheard}`;
}

/** A server may answer commands of the corpus as it likes. */
async function hearWhatever({ hears, closes }: Row, client: Client): Promise<void> {
  for (let heard = 0; heard < hears.length && !(client.isOver && client.unheard === ""); heard++) {
    const reply = await client.hear();
    if (reply.code === 421) return;
  }
  if (closes) await client.end();
}

/** A client that goes on after any reply of the server. */
async function insist(row: Row, cuts: readonly number[], connect: () => Promise<Client>): Promise<Played> {
  const tag = newTag();
  const own = tagged(row, tag);
  const pause = (time = PAUSE) => new Promise((next) => setTimeout(next, time));
  const client = await connect();
  try {
    await client.hear();
    await client.ask("EHLO client.example");
    for (const [command] of own.opening) await client.ask(command);
    const [first = "", ...rest] = packets(own.says, cuts);
    await client.say(first);
    // To a server that has been fooled the rest is commands, one at a time.
    for (const line of rest.join("").match(/[^]+?(?:\r\n|$)/g) ?? []) {
      if (/^(?:MAIL|RCPT|DATA|Subject)/.test(line)) await pause(line.startsWith("MAIL") ? PAUSE : PAUSE / 4);
      await client.say(line);
    }
    await client.hear(5000);
    await pause();
  } catch {
    // A server that has had enough: what it took before is what counts.
  } finally {
    client.close();
  }
  return { row, tagged: own, cuts, tag, told: "" };
}

function newTag(): string {
  return `t${String(++tags).padStart(6, "0")}`;
}

async function sideBySide<T>(
  all: readonly T[],
  play: (one: T) => Promise<Played>,
  progress: (done: number, all: number) => void = () => {},
): Promise<Played[]> {
  const left = [...all];
  const played: Played[] = [];
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) {
      played.push(await play(one));
      progress(played.length, all.length);
    }
  }));
  return played;
}

/** The messages that the server has taken, by tag. */
async function booksOf(server: RealServer): Promise<Map<string, Taken[]>> {
  const books = new Map<string, Taken[]>();
  for (const message of await server.taken()) {
    const tag = /t\d{6}/.exec(message.sender)?.[0] ?? "";
    books.set(tag, [...books.get(tag) ?? [], message]);
  }
  return books;
}

function settle(
  books: ReadonlyMap<string, readonly Taken[]>,
  played: readonly Played[],
  judge: (played: Played, taken: readonly Taken[]) => string,
): Finding[] {
  return played.map((one) => {
    const wrong = [one.told, judge(one, books.get(one.tag) ?? [])].filter((text) => text !== "").join("; ");
    return { row: one.row, cuts: one.cuts, wrong: wrong === "" ? undefined : wrong };
  });
}

/** More or fewer messages than the client was told of, or another text. */
function complaintOf({ verbatim }: RealServer, { tagged: row, accepted }: Played, taken: readonly Taken[]): string {
  const expected = row.messages.filter((_, at) => accepted?.[at] ?? true);
  if (taken.some(isSmuggled)) return "a smuggled message was taken";
  if (taken.length !== expected.length) return `${expected.length} sent, ${taken.length} taken`;
  const held = (text: string) => verbatim ? taken.some((message) => message.text === text) : isWhole(text, taken);
  return expected.every(held) ? "" : "a message is not as it was sent";
}

/** The server saw an end of data that the client did not send. */
function wayOfBeingFooled({ tagged: { messages } }: Played, taken: readonly Taken[]): string {
  if (taken.some(isSmuggled)) return "a smuggled message was taken";
  if (taken.length > messages.length) return "more was taken than was sent";
  return taken.length > 0 && !messages.every((text) => isWhole(text, taken)) ? "a message was cut" : "";
}

function isSmuggled({ sender }: Taken): boolean {
  return sender.startsWith("smuggled");
}

/** Servers keep messages in forms of their own; that its last words are there shows that a message was not cut. */
function isWhole(text: string, taken: readonly Taken[]): boolean {
  const last = text.trimEnd().split("\r\n").at(-1)!;
  // deno-lint-ignore no-control-regex
  return /[\x00-\x1f\x7f-\xff.]/.test(last) || taken.some((message) => message.text.includes(last));
}
