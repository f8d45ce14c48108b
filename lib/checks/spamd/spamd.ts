// A spam filter: SpamAssassin's spamd scores each message. A message that passes gets the header that spamd made of it.
//
// spamd gets the message with LF at the end of each line, as from a mail server on its host. A score of `reject` or
// more refuses the message. A malformed answer, or a malformed header in it, is a failure, and the next server is
// asked.
//
// A connection serves one message, and then spamd closes it. Our memory does not grow with the message. spamd's memory
// does.

import type { Message } from "../../mail/message.ts";
import type { Verdict } from "../../mail/verdict.ts";
import type { Address, Clock, Network, Turn } from "../../ports/runtime.ts";
import { formatReply } from "../../smtp/reply.ts";
import { bytesOf, concat, LF } from "../../text/octets.ts";
import { type ServerConn, ServerFailure } from "../../wire/server_conn.ts";
import { ServerPool } from "../../wire/server_pool.ts";
import type { Check } from "../check.ts";
import { lookAtHeader, needsOwn, usableHeader } from "./made_header.ts";
import { formatHeaders, HEADER_LIMIT, type SpamdAnswer, SpamdReader } from "./protocol.ts";

export interface SpamdOptions {
  readonly servers: readonly Address[];
  /** Milliseconds for a message, with all servers together. */
  readonly timeout: number;
  /** The score that refuses a message. */
  readonly reject: number | undefined;
  readonly turn: Turn;
}

/** RFC 3463: 5.7.1, delivery not authorized, message refused. */
const REJECTED = formatReply("550 5.7.1 Spam message rejected");

/** Without a header, the score alone refuses the message. */
type Scored = Omit<SpamdAnswer, "header"> & { readonly header?: Uint8Array };

export function spamdCheck(
  { clock, network }: { clock: Clock; network: Pick<Network, "connect"> },
  { servers, timeout, reject, turn }: SpamdOptions,
): Check {
  const pool = new ServerPool({ clock, network }, { name: "spamd", servers, timeout });
  const isRefused = (score: number) => reject !== undefined && score >= reject;
  return {
    name: "spamd",
    needsFile: false,
    isScanner: true,
    judge: async (message, options): Promise<Verdict> => {
      const padding = await paddingOf(message);
      const asked = await pool.ask(async (conn): Promise<Scored> => {
        await send(conn, message, padding);
        const answer = await readAnswer(conn, isRefused);
        if (answer.header === undefined) return answer;
        return { ...answer, header: await usable(answer.header, { message, turn }) };
      }, options);
      if ("why" in asked) return { kind: "unsure", ...asked };
      const { answer: { score, requiredScore, header }, server } = asked;
      const facts = { spamd_score: score, spamd_required_score: requiredScore };
      const why = `spamd at ${server} gives it a score of ${score}`;
      if (!header) return { kind: "reject", why, facts, reply: REJECTED };
      return { kind: "accept", why, facts, header: { whole: header } };
    },
  };
}

// spamd reads lines, and would wait for the end of the last one. A message from SMTP has that end, unless it is empty.
async function paddingOf(message: Message): Promise<Uint8Array> {
  let last: number | undefined;
  for await (const chunk of message.chunks()) last = chunk.at(-1) ?? last;
  return last === LF ? new Uint8Array(0) : Uint8Array.of(LF);
}

// A small message is one write.
async function send(conn: ServerConn, message: Message, padding: Uint8Array): Promise<void> {
  let unsent: Uint8Array | undefined = bytesOf(formatHeaders(message.size + padding.length));
  for await (const chunk of message.chunks()) {
    if (!await conn.send(unsent ? concat([unsent, chunk]) : chunk)) return;
    unsent = undefined;
  }
  if (unsent || padding.length > 0) await conn.send(concat([unsent ?? new Uint8Array(0), padding]));
}

async function readAnswer(conn: ServerConn, isRefused: (score: number) => boolean): Promise<Scored> {
  const reader = new SpamdReader();
  for (let isFirst = true; !reader.isWhole; isFirst = false) {
    const octets = await conn.readSome();
    if (octets === undefined) {
      if (isFirst) throw new ServerFailure("closed the connection");
      break;
    }
    reader.push(octets);
    if (reader.spam && isRefused(reader.spam.score)) return reader.spam;
  }
  return reader.end();
}

async function usable(
  made: Uint8Array,
  { message, turn }: { readonly message: Message; readonly turn: Turn },
): Promise<Uint8Array> {
  const own = needsOwn(await finish(lookAtHeader(made), turn)) ? await headOf(message) : undefined;
  const header = await finish(usableHeader(made, own), turn);
  if (!header) throw new ServerFailure("sent a malformed header");
  return header;
}

async function finish<Made>(work: Generator<void, Made>, turn: Turn): Promise<Made> {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    await turn.share();
  }
}

// At most as much as a header may have, because the header that spamd made of it was not longer either.
async function headOf(message: Message): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of message.chunks()) {
    parts.push(chunk.slice(0, HEADER_LIMIT - size));
    size += chunk.length;
    if (size >= HEADER_LIMIT) break;
  }
  return concat(parts);
}
