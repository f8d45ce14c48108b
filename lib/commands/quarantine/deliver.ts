// Sends one kept message to a server: the dialogue of RFC 5321 s.3.3, with the code of `session/downstream.ts`.
//
// It reports recipients that the server refuses. The message goes to the others. The point of no return is the write
// that holds the final dot: after it, a failure means that the outcome is not known. It throws nothing that it can
// foresee.
//
// It does not send XFORWARD. The administrator sends the message now, not the client that it came from. A server with
// rules for that client would refuse it again.

import type { Address, Clock, Files, Network } from "../../ports/runtime.ts";
import { IoError } from "../../ports/io_error.ts";
import { Downstream } from "../../session/downstream.ts";
import { DownstreamLost } from "../../session/smtp_error.ts";
import { offers } from "../../smtp/ehlo.ts";
import { parsePath } from "../../smtp/path.ts";
import { formatReply, type Reply, replyClass, replyText } from "../../smtp/reply.ts";
import { dnsName } from "../../text/domain.ts";
import { bytesOf, CRLF, LF, textOf } from "../../text/octets.ts";
import { LineConn } from "../../wire/line_conn.ts";

export interface Delivery {
  /** The reverse-path. The empty string is the null sender. */
  readonly sender: string;
  readonly recipients: readonly string[];
  /** The content, from its beginning each time. Lines end with LF. */
  readonly chunks: () => AsyncIterable<Uint8Array>;
  /** Called before the final dot, with the recipients that will get the message. */
  beforeDot(recipients: readonly string[]): Promise<void>;
}

export interface DeliveryOptions {
  readonly server: Address;
  /** All times are in milliseconds. */
  readonly connectTimeout: number;
  readonly replyTimeout: number;
  readonly dotTimeout: number;
  /** For the content. */
  readonly sessionTimeout: number;
  readonly keepalive: number;
}

export interface DeliveryPorts {
  readonly clock: Clock;
  readonly network: Network;
  readonly files: Pick<Files, "open">;
}

export interface RefusedRecipient {
  readonly recipient: string;
  readonly reply: string;
}

/**
 * The outcome of the message. `unknown`: it may have been delivered. Its `refused` are the recipients that the server
 * did not take.
 */
export type Outcome =
  | { readonly kind: "delivered"; readonly reply: string; readonly refused: readonly RefusedRecipient[] }
  | Refused
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "unknown"; readonly why: string; readonly refused: readonly RefusedRecipient[] };

export interface Refused {
  readonly kind: "refused";
  /** The command that the server answered. */
  readonly what: string;
  readonly reply: string;
  readonly refused: readonly RefusedRecipient[];
}

/** The server refused it. `what` is the command that it answered. */
class Refusal extends Error {
  override readonly name = "Refusal";
  readonly what: string;
  readonly reply: Reply;

  constructor(what: string, reply: Reply) {
    super(`${what} was refused`);
    this.what = what;
    this.reply = reply;
  }
}

export async function deliver(ports: DeliveryPorts, options: DeliveryOptions, message: Delivery): Promise<Outcome> {
  const { clock, network } = ports;
  const { server, connectTimeout } = options;
  const due = clock.now() + connectTimeout;
  let downstream: Downstream | undefined;
  try {
    const conn = await network.connect(server, connectTimeout);
    downstream = new Downstream(new LineConn(conn, clock, { holds: "replies" }), clock, options);
    expect("the connection", await downstream.greeting(due));
    return await converse(ports, options, { downstream, message });
  } catch (error) {
    if (error instanceof Refusal) {
      return { kind: "refused", what: error.what, reply: replyText(error.reply), refused: [] };
    }
    if (error instanceof DownstreamLost) return { kind: "failed", why: textOfLoss(error) };
    if (error instanceof IoError) return { kind: "failed", why: error.message };
    throw error;
  } finally {
    await downstream?.leave();
  }
}

interface Talk {
  readonly downstream: Downstream;
  readonly message: Delivery;
}

async function converse(ports: DeliveryPorts, options: DeliveryOptions, talk: Talk): Promise<Outcome> {
  const { downstream, message } = talk;
  const offer = await greet(ports, downstream);
  const mail = `MAIL FROM:<${message.sender}>${await mailParameters(offer, message)}`;
  expect("MAIL FROM", await downstream.ask(bytesOf(`${mail}\r\n`)));
  const { accepted, refused } = await nameRecipients(talk);
  if (accepted.length === 0) return noRecipient(refused);
  const reply = await downstream.ask(bytesOf("DATA\r\n"));
  if (replyClass(reply) > 3) throw new Refusal("DATA", reply);
  if (reply.code !== 354) {
    downstream.abandon("what it waits for is not known");
    return { kind: "failed", why: `the server answered DATA with ${replyText(reply)}` };
  }
  const last = await sendContent(ports, options, { talk, accepted });
  // The point of no return.
  try {
    const answer = await downstream.sendFinalDot(last, ports.clock.now() + options.dotTimeout);
    if (replyClass(answer) === 2) return { kind: "delivered", reply: replyText(answer), refused };
    if (replyClass(answer) !== 3) throw new Refusal("the message", answer);
    downstream.abandon("outcome of a message is not known");
    return { kind: "unknown", why: `the server answered the message with ${replyText(answer)}`, refused };
  } catch (error) {
    if (!(error instanceof DownstreamLost)) throw error;
    return { kind: "unknown", why: textOfLoss(error), refused };
  }
}

// Any failure here leaves the server in the middle of a message. It drops the message when the connection is closed.
async function sendContent(
  { clock }: DeliveryPorts,
  { sessionTimeout }: DeliveryOptions,
  { talk: { downstream, message }, accepted }: { talk: Talk; accepted: readonly string[] },
): Promise<Uint8Array> {
  try {
    const source = { lineEnds: "lf" as const, chunks: () => message.chunks() };
    const last = await downstream.sendContent(source, clock.now() + sessionTimeout, () => {});
    await message.beforeDot(accepted);
    return last;
  } catch (error) {
    downstream.abandon("message was not finished");
    throw error;
  }
}

/** Says EHLO, or HELO if the server does not know EHLO. Returns the reply, which says what the server offers. */
async function greet(ports: DeliveryPorts, downstream: Downstream): Promise<Reply> {
  const name = await nameOfHost(ports);
  const reply = await downstream.ask(bytesOf(`EHLO ${name}\r\n`));
  if (replyClass(reply) !== 5) return expect("EHLO", reply);
  return expect("HELO", await downstream.ask(bytesOf(`HELO ${name}\r\n`)));
}

// The kernel's own name for this host.
async function nameOfHost({ files }: DeliveryPorts): Promise<string> {
  try {
    const file = await files.open("/proc/sys/kernel/hostname");
    try {
      const octets = new Uint8Array(256);
      const name = textOf(octets.subarray(0, await file.read(octets, 0) ?? 0)).trim();
      if (dnsName(name) !== undefined) return name;
    } finally {
      file.close();
    }
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
  }
  return "localhost";
}

// RFC 1870, RFC 6152 and RFC 6531. It asks only for extensions that the server offers. Otherwise the server judges the
// message as it is.
async function mailParameters(offer: Reply, message: Delivery): Promise<string> {
  const { sender, recipients } = message;
  const words: string[] = [];
  const isAsked = ["SIZE", "8BITMIME"].some((keyword) => offers(offer, keyword));
  const { size, hasHighOctets } = isAsked ? await lookThrough(message) : { size: 0, hasHighOctets: false };
  if (offers(offer, "SIZE")) words.push(`SIZE=${size}`);
  if (offers(offer, "8BITMIME") && hasHighOctets) words.push("BODY=8BITMIME");
  // deno-lint-ignore no-control-regex
  const isForeign = [sender, ...recipients].some((address) => /[^\x00-\x7f]/.test(address));
  if (offers(offer, "SMTPUTF8") && isForeign) words.push("SMTPUTF8");
  return words.map((word) => ` ${word}`).join("");
}

// `size` is the size on the wire, with CR LF at the end of each line.
async function lookThrough({ chunks }: Pick<Delivery, "chunks">): Promise<{ size: number; hasHighOctets: boolean }> {
  let size = 0;
  let last: number | undefined = LF;
  let hasHighOctets = false;
  for await (const chunk of chunks()) {
    size += chunk.length;
    for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) size++;
    hasHighOctets ||= chunk.some((octet) => octet > 0x7f);
    last = chunk.at(-1);
  }
  return { size: last === LF ? size : size + CRLF.length, hasHighOctets };
}

async function nameRecipients(
  { downstream, message: { recipients } }: Talk,
): Promise<{ accepted: string[]; refused: RefusedRecipient[] }> {
  const accepted: string[] = [];
  const refused: RefusedRecipient[] = [];
  for (const recipient of recipients) {
    const reply = isSayable(recipient)
      ? await downstream.ask(bytesOf(`RCPT TO:<${recipient}>\r\n`))
      : formatReply("501 5.1.3 this address cannot be said in SMTP, and was not");
    if (replyClass(reply) === 2) accepted.push(recipient);
    else refused.push({ recipient, reply: replyText(reply) });
  }
  return { accepted, refused };
}

/**
 * Whether a path in a command can only be read as this address. An address that is empty, or was not UTF-8, is not
 * known.
 */
export function isSayable(address: string): boolean {
  if (address === "" || /[\0\r\n\ufffd]/.test(address)) return false;
  const path = parsePath(` TO:<${address}>`, "TO");
  return path !== undefined && path.address === address && path.parameters.size === 0;
}

function noRecipient(refused: readonly RefusedRecipient[]): Refused {
  const [first] = refused;
  const what = refused.length === 1 ? `RCPT TO:<${first!.recipient}>` : `each RCPT TO, of ${refused.length}`;
  return { kind: "refused", what, reply: first!.reply, refused };
}

function textOfLoss({ message }: DownstreamLost): string {
  return message.replaceAll("downstream", "the server");
}

function expect(what: string, reply: Reply): Reply {
  if (replyClass(reply) === 2) return reply;
  throw new Refusal(what, reply);
}
