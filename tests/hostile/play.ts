// Plays a row of the corpus against the fake downstream server. It checks what reaches downstream, and what the client
// hears.
//
// A row's packets can be cut in many ways. Each way is the next turn of a conversation. After it the conversation must
// be in step (a NOOP gets its own reply and no reply is left over), or over if the row says so.

import assert from "node:assert/strict";
import { type Case, type Talk } from "../blackbox/rig.ts";
import { fooledReaders } from "../blackbox/oracle.ts";
import { type Client, type Reply } from "../rig/client.ts";
import { show } from "../rig/octets.ts";
import { type Heard, type Row, TAG } from "./row.ts";

/**
 * How much of what can be done with packets: all in one; one way for each row; each single cut, and all of them at once;
 * every choice of cuts, up to a limit.
 */
export type Splits = "whole" | "sample" | "single" | "every";

/** With so many places to cut, every choice of them is tried; with more, every one and every two. */
const PLACES_FOR_EVERY_CHOICE = 6;

/** Every reply that a client has heard. Tests search them for text that no client should hear. */
export const HEARD = new Set<string>();

/** The ways in which `says` is cut into packets: the offsets of the cuts. */
export function cutsOf({ says, cut }: Row, splits: Splits): number[][] {
  if (splits === "whole") return [[]];
  const [from, to] = cut;
  const places: number[] = [];
  for (let at = from; at <= to; at++) if (at > 0 && at < says.length) places.push(at);
  if (splits === "sample") {
    if (places.length === 0) return [];
    return says.length % 2 === 0 ? [places] : [[places[says.length % places.length]!]];
  }
  if (splits === "single") return [[], ...places.map((place) => [place]), ...places.length > 1 ? [places] : []];
  if (places.length <= PLACES_FOR_EVERY_CHOICE) {
    return Array.from({ length: 2 ** places.length }, (_, bits) => places.filter((_, at) => bits & (1 << at)));
  }
  const pairs = places.flatMap((first, at) => places.slice(at + 1).map((second) => [first, second]));
  return [[], ...places.map((place) => [place]), ...pairs, places];
}

export function packets(says: string, cuts: readonly number[]): string[] {
  return [...cuts, says.length].map((end, at) => says.slice(cuts[at - 1] ?? 0, end)).filter((packet) => packet !== "");
}

/** The row as a case of the rig. With `reject`, for a proxy with `--bare-newline=reject`. */
export function caseOf(row: Row, splits: Splits, options: { reject?: boolean; filter?: string } = {}): Case {
  return {
    name: `${row.group}: ${row.name}`,
    ...options.filter ? { filter: options.filter } : {},
    play: async (talk) => {
      let client: Client | undefined;
      for (const cuts of cutsOf(row, splits)) {
        try {
          client = await conversationFor(row, talk, client);
          await playOnce(row, { talk, client }, {
            cuts,
            exact: options.filter === undefined,
            reject: options.reject ?? false,
          });
        } catch (error) {
          if (error instanceof Error) error.message += `\nRow: ${row.name}; cut at ${cuts} of ${show(row.says, 600)}`;
          throw error;
        }
      }
    },
  };
}

interface Turn {
  readonly cuts: readonly number[];
  /** Messages arrive as the row has them: no filter has changed them. */
  readonly exact: boolean;
  readonly reject: boolean;
}

async function playOnce(
  row: Row,
  { talk, client }: { talk: Talk; client: Client },
  { cuts, exact, reject }: Turn,
): Promise<void> {
  const { downstream } = talk;
  if (!row.beforeGreeting) downstream.renew(row.script);
  for (const [command, code] of row.opening) note(await client.expect(code, command));
  await client.sayInPieces(packets(row.says, cuts));
  const hears = reject ? row.hears.map((heard, at) => at === 0 && hasBareNewline(row) ? 550 : heard) : row.hears;
  for (const heard of hears) {
    try {
      await hear(client, heard);
    } catch (error) {
      if (!(row.closes && cuts.length > 0 && wasReset(client))) throw error;
    }
  }
  if (row.closes) {
    await client.expectEnd();
    await allGone(talk);
  } else {
    await staysInStep(row, talk, client);
  }
  const refused = reject && hasBareNewline(row);
  // Of a refused message there is no DATA, and a RSET in the proxy's own name, before the commands after it.
  const verbatim = refused ? row.lines.filter((line) => line !== "DATA") : row.lines;
  const lines = refused ? downstream.lines.toSpliced(downstream.lines.indexOf("RSET"), 1) : downstream.lines;
  assert.deepEqual(lines.slice(0, verbatim.length), verbatim);
  // The proxy says these in its own name when a message or a session is over.
  const rest = lines.slice(verbatim.length).filter((line) => !["RSET", "QUIT", "NOOP"].includes(line));
  assert.deepEqual(rest, []);
  assert.equal(downstream.messages.length, refused ? 0 : row.messages.length);
  for (const [at, { text, wire }] of downstream.messages.entries()) {
    if (exact) assert.equal(show(text, 4000), show(row.messages[at]!, 4000));
    assert.deepEqual([...fooledReaders(wire), ...fooledByNul(wire)], [], show(wire, 4000));
  }
  if (row.messages.length === 0) {
    assert.ok(!downstream.sessions.some(({ partial }) => partial !== ""), "content was sent");
  }
}

/** Packets that come after the end of a conversation are answered with a reset, which can overtake the last reply. */
function wasReset(client: Client): boolean {
  return client.isOver && client.unheard === "";
}

/** Content goes on in one conversation; else each way has its own, whose count of errors begins at 0. */
async function conversationFor(row: Row, talk: Talk, last: Client | undefined): Promise<Client> {
  talk.downstream.script = {};
  if (last && isContent(row) && !last.isOver) return last;
  last?.close();
  if (last) await allGone(talk);
  if (!row.beforeGreeting) return await talk.open();
  talk.downstream.reset(row.script);
  return await talk.connect();
}

async function allGone({ downstream }: Talk): Promise<void> {
  await downstream.until((fake) => fake.sessions.every(({ gone }) => gone), "the end of the session");
}

/** Whether the row is about the content of a message. */
export function isContent({ opening }: Row): boolean {
  return opening.at(-1)?.[1] === 354;
}

// The next command gets its own reply, unless downstream was lost with the message.
async function staysInStep(row: Row, talk: Talk, client: Client): Promise<void> {
  talk.downstream.script = {};
  const reply = await client.ask("NOOP");
  note(reply);
  const lost = row.hears.includes(451);
  assert.equal(reply.code, lost ? 421 : 250, show(reply.raw));
  if (lost) await client.expectEnd();
  else assert.equal(client.unheard, "");
}

async function hear(client: Client, heard: Heard): Promise<void> {
  const reply = await client.hear();
  note(reply);
  if (typeof heard === "string") assert.equal(show(reply.raw, 4000), show(`${heard}\r\n`, 4000));
  else assert.equal(reply.code, heard, show(reply.raw));
}

function note(reply: Reply): void {
  HEARD.add(reply.raw);
}

function hasBareNewline(row: Row): boolean {
  return isContent(row) && /\r(?!\n)|(?<!\r)\n/.test(row.says);
}

/** A server whose lines are texts of C, which end at a NUL, and which takes CRs off their ends; OpenSMTPD 6.8 is one. */
function fooledByNul(wire: string): string[] {
  const lines = wire.split("\n").map((line) => line.replace(/\r+$/, "").replace(/\0[^]*$/, ""));
  return lines.indexOf(".") === lines.length - 2 ? [] : ["NUL ends what is seen of a line"];
}

/** The row with another tag, of the same length. */
export function tagged(row: Row, tag: string): Row {
  assert.equal(tag.length, TAG.length);
  const put = (text: string) => text.replaceAll(TAG, tag);
  return {
    ...row,
    opening: row.opening.map(([command, code]) => [put(command), code]),
    says: put(row.says),
    lines: row.lines.map(put),
    messages: row.messages.map(put),
  };
}
