// An SMTP dialogue like Postfix's with its proxy filter: EHLO, XFORWARD, MAIL, RCPT, then RSET and QUIT. With a message,
// DATA comes in place of RSET.
//
// Each reply has a time limit, and the whole dialogue too. It throws nothing that it can foresee.

import { IoError } from "../../../ports/io_error.ts";
import type { Address, Clock, Network } from "../../../ports/runtime.ts";
import { Downstream } from "../../../session/downstream.ts";
import { DownstreamLost } from "../../../session/smtp_error.ts";
import { offers } from "../../../smtp/ehlo.ts";
import { type Reply, replyClass, replyText } from "../../../smtp/reply.ts";
import { bytesOf, textOf } from "../../../text/octets.ts";
import { LineConn } from "../../../wire/line_conn.ts";
import type { Dialogue, Step } from "../facts.ts";

export interface DialogueOptions {
  /** The name for EHLO. */
  readonly name: string;
  /** Absent: the dialogue ends after MAIL. */
  readonly recipient?: string | undefined;
  /** A message with LF line ends. It is sent to the recipient. */
  readonly message?: string | undefined;
  /** Milliseconds for the connection and the greeting, and for each reply. */
  readonly greetingLimit: number;
  readonly replyLimit: number;
}

/** Postfix says this about mail from its own host. */
const CLIENT = ["NAME=localhost", "ADDR=127.0.0.1", "PROTO=ESMTP", "HELO=localhost", "SOURCE=LOCAL"];

// Nobody is silent for so long here.
const NO_KEEPALIVE = 600_000;

export async function hold(
  { clock, network }: { readonly clock: Clock; readonly network: Pick<Network, "connect"> },
  to: Address,
  options: DialogueOptions,
): Promise<Dialogue> {
  const { greetingLimit, replyLimit } = options;
  const due = clock.now() + greetingLimit;
  const steps: Step[] = [];
  let server: Downstream | undefined;
  try {
    const conn = new LineConn(await network.connect(to, greetingLimit), clock, { holds: "replies" });
    server = new Downstream(conn, clock, { replyTimeout: replyLimit, keepalive: NO_KEEPALIVE });
    const greeting = await server.greeting(due);
    steps.push(stepOf("", greeting));
    if (replyClass(greeting) !== 2) return { steps };
    return { steps, ...await converse({ server, clock, steps }, options) };
  } catch (error) {
    if (error instanceof DownstreamLost) {
      return { steps, lost: error.message.replaceAll("downstream", "it") };
    }
    if (!(error instanceof IoError)) throw error;
    // Somebody took the connection.
    if (error.kind === "reset") return { steps, lost: error.message };
    return { steps, failure: { kind: error.kind, why: error.message } };
  } finally {
    await server?.leave();
  }
}

interface Talk {
  readonly server: Downstream;
  readonly clock: Clock;
  readonly steps: Step[];
}

async function converse(
  talk: Talk,
  { name, recipient, message, replyLimit }: DialogueOptions,
): Promise<{ sent?: string }> {
  const { server, clock } = talk;
  const ehlo = await say(talk, `EHLO ${name}`);
  if (replyClass(ehlo) !== 2) return {};
  if (offers(ehlo, "XFORWARD")) {
    const known = new Set(attributesOf(ehlo));
    const told = CLIENT.filter((pair) => known.has(pair.replace(/=.*/, "")));
    if (told.length > 0) await say(talk, `XFORWARD ${told.join(" ")}`);
  }
  if (replyClass(await say(talk, "MAIL FROM:<>")) !== 2) return {};
  if (recipient === undefined) return {};
  if (replyClass(await say(talk, `RCPT TO:<${recipient}>`)) !== 2) return {};
  if (message === undefined) {
    await say(talk, "RSET");
    return {};
  }
  const reply = await say(talk, "DATA");
  if (reply.code !== 354) return {};
  const content = bytesOf(message);
  const source = {
    lineEnds: "lf" as const,
    async *chunks() {
      yield content;
    },
  };
  const due = clock.now() + replyLimit;
  const last = await server.sendContent(source, due, () => {});
  const outcome = await server.sendFinalDot(last, due);
  talk.steps.push(stepOf("the message", outcome));
  return { sent: replyText(outcome) };
}

async function say({ server, steps }: Talk, command: string): Promise<Reply> {
  const reply = await server.ask(bytesOf(`${command}\r\n`));
  steps.push(stepOf(command, reply));
  return reply;
}

function stepOf(command: string, reply: Reply): Step {
  const lines = textOf(reply.bytes).trimEnd().split("\r\n").map((line) => line.slice(4));
  return { command, code: reply.code, reply: replyText(reply), ...command.startsWith("EHLO ") ? { lines } : {} };
}

function attributesOf(ehlo: Reply): string[] {
  const line = textOf(ehlo.bytes).split("\r\n").find((line) => /^250[ -]XFORWARD\b/i.test(line)) ?? "";
  return line.slice(4).toUpperCase().split(/\s+/).slice(1);
}
