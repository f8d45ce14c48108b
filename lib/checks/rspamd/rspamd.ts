// A spam filter: rspamd looks at each message, over its own protocol, HTTP.
//
// rspamd gets the message with CR LF at the end of each line, and with the facts that a milter would give it. Its
// answer may refuse the message, or pass it with another header (verdict.ts). A status other than 200 and a malformed
// answer are failures, and the next server is asked. The same holds for an answer that is too long for us (answer.ts).
//
// The message is read twice, because its length comes before it. Memory does not grow with the message or the answer.
// rspamd closes the connection after each answer. Another server, such as a proxy in front of it, may keep it open.
// Then it gets the next message on the same connection.

import type { MailClient, Message } from "../../mail/message.ts";
import type { Verdict } from "../../mail/verdict.ts";
import { HeaderScanner } from "../../mime/header.ts";
import type { Address, Clock, Network, Turn } from "../../ports/runtime.ts";
import { concat } from "../../text/octets.ts";
import { type ServerConn, ServerFailure } from "../../wire/server_conn.ts";
import { ServerPool } from "../../wire/server_pool.ts";
import { inSlices } from "../../wire/slices.ts";
import type { Check } from "../check.ts";
import { type Answer, AnswerReader } from "./answer.ts";
import { HttpResponse } from "./http_response.ts";
import { formatRequest } from "./request.ts";
import { verdictOf } from "./verdict.ts";
import { WireForm } from "./wire_form.ts";

export interface RspamdOptions {
  readonly servers: readonly Address[];
  /** Milliseconds for a message, with all servers together. */
  readonly timeout: number;
  readonly password: string | undefined;
  readonly turn: Turn;
}

export function rspamdCheck(
  { clock, network }: { clock: Clock; network: Pick<Network, "connect"> },
  { servers, timeout, password, turn }: RspamdOptions,
): Check {
  const pool = new ServerPool({ clock, network }, { name: "rspamd", servers, timeout });
  return {
    name: "rspamd",
    needsFile: false,
    isScanner: true,
    judge: async (message, options): Promise<Verdict> => {
      const { octets, leftOut } = await requestOf(message, password);
      if (leftOut > 0) options.notice(`rspamd takes no more recipients: ${leftOut} of them are left out`);
      const asked = await pool.ask((conn) => question(conn, message, octets), options);
      if ("why" in asked) return { kind: "unsure", ...asked };
      const { answer, server } = asked;
      const isRewritten = answer.action === "rewrite subject" && answer.subject !== undefined;
      return verdictOf(answer, { server, subjectAt: isRewritten ? await placeOfSubject(message, turn) : undefined });
    },
  };
}

async function requestOf(message: Message, password: string | undefined) {
  const form = new WireForm(message.lineEnds);
  let size = 0;
  for await (const chunk of message.chunks()) size += form.count(chunk);
  const { envelope: { sender, recipients }, client } = message;
  return formatRequest({ sender, recipients, ...factsOf(client) }, { password, size });
}

function factsOf({ facts, address }: MailClient) {
  return { address, name: facts.name, helo: facts.helo, ident: facts.ident };
}

// A small message is one write.
async function question(conn: ServerConn, message: Message, request: Uint8Array): Promise<Answer> {
  const form = new WireForm(message.lineEnds);
  let unsent: Uint8Array | undefined = request;
  for await (const chunk of message.chunks()) {
    const octets: Uint8Array = form.encode(chunk);
    const isWanted = await conn.send(unsent ? concat([unsent, octets]) : octets);
    unsent = undefined;
    if (!isWanted) break;
  }
  if (unsent) await conn.send(unsent);
  return await readAnswer(conn);
}

async function readAnswer(conn: ServerConn): Promise<Answer> {
  const answer = new AnswerReader();
  const response = new HttpResponse((octets) => answer.push(octets));
  for (let isFirst = true; !response.isWhole; isFirst = false) {
    const octets = await conn.readSome();
    if (octets === undefined) {
      if (isFirst) throw new ServerFailure("closed the connection");
      response.end();
      break;
    }
    response.push(octets);
    // Nobody needs the rest of it.
    if ((response.status ?? 200) !== 200) throw new ServerFailure(`answered with HTTP status ${response.status}`);
  }
  if (response.allowsAnother) conn.keep();
  return answer.end();
}

async function placeOfSubject(message: Message, turn: Turn): Promise<number | undefined> {
  const scanner = new HeaderScanner();
  let place = 0;
  for await (const slice of inSlices(message.chunks(), turn, () => scanner.isOver)) {
    for (const piece of scanner.push(slice)) {
      if (piece.kind !== "field") continue;
      if (piece.name === "subject") return place;
      place++;
    }
    if (scanner.isOver) break;
  }
  return undefined;
}
