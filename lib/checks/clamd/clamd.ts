// A virus scanner: clamd looks at each message. A message in which it finds something is refused.
//
// clamd gets the message as the spool has it, with LF at the end of each line. That is the form of a mail in a file.
// clamd knows it as well as the other form, and decodes MIME parts itself. An answer that is neither OK nor FOUND is a
// failure, and the next server is asked. A message that is larger than clamd's StreamMaxLength is a failure, too, but
// not one of the server.
//
// A connection serves one message. clamd's sessions (IDSESSION) would save a tenth of a millisecond for each message.
// But other programs that speak clamd's protocol do not know them.

import type { Message } from "../../mail/message.ts";
import type { Verdict } from "../../mail/verdict.ts";
import type { Address, Clock, Network } from "../../ports/runtime.ts";
import { replyFromText } from "../../smtp/reply.ts";
import { NUL, textOf } from "../../text/octets.ts";
import { quote } from "../../text/quoting.ts";
import { type ServerConn, ServerFailure } from "../../wire/server_conn.ts";
import { ServerPool } from "../../wire/server_pool.ts";
import type { Check } from "../check.ts";
import { FRAME, frameChunk, parseClamdAnswer } from "./protocol.ts";

export interface ClamdOptions {
  readonly servers: readonly Address[];
  /** Milliseconds for a message, with all servers together. */
  readonly timeout: number;
}

// An answer is a line with the name of a virus or of an error.
const ANSWER_LIMIT = 1024;

// Strangers see at most this much of a name. clamd's own names are shorter.
const NAME_LIMIT = 100;

/** `name` is the name of a virus that was found. */
type Scan = { readonly name?: string };

export function clamdCheck(
  { clock, network }: { clock: Clock; network: Pick<Network, "connect"> },
  { servers, timeout }: ClamdOptions,
): Check {
  const pool = new ServerPool({ clock, network }, { name: "clamd", servers, timeout });
  return {
    name: "clamd",
    needsFile: false,
    isScanner: true,
    judge: async (message, options): Promise<Verdict> => {
      const asked = await pool.ask((conn) => scan(conn, message), options);
      if ("why" in asked) return { kind: "unsure", ...asked };
      const { answer: { name }, server } = asked;
      if (name === undefined) return { kind: "accept", why: "clamd found nothing" };
      const reply = replyFromText(`550 5.7.1 virus found: ${name.slice(0, NAME_LIMIT)}`);
      return { kind: "reject", why: `clamd at ${server} found ${name}`, reply, facts: { clamd_virus: name } };
    },
  };
}

async function scan(conn: ServerConn, message: Message): Promise<Scan> {
  await send(conn, message);
  const text = textOf(await conn.readUntil(NUL, ANSWER_LIMIT));
  const answer = parseClamdAnswer(text);
  switch (answer?.kind) {
    case "clean":
      return {};
    case "found":
      return { name: answer.name };
    case "too large":
      throw new ServerFailure(`takes no message of ${message.size} octets, see StreamMaxLength in its clamd.conf`, {
        isOfMessage: true,
      });
    case "error":
      throw new ServerFailure(`answered ${quote(answer.text)}`);
    case undefined:
      throw new ServerFailure(`answered ${quote(text)}, as clamd never does`);
  }
}

// A small message is one write.
async function send(conn: ServerConn, message: Message): Promise<void> {
  let room = new Uint8Array(0);
  let sent = 0;
  const put = async (chunk: Uint8Array) => {
    if (room.length < chunk.length + FRAME) room = new Uint8Array(chunk.length + FRAME);
    const isLast = sent + chunk.length === message.size;
    const framed = frameChunk(chunk, room, { isFirst: sent === 0, isLast });
    sent += chunk.length;
    return await conn.send(framed);
  };
  if (message.size === 0) await put(new Uint8Array(0));
  for await (const chunk of message.chunks()) if (!await put(chunk)) break;
}
