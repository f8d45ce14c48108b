// The message phase: from our 354 to the reply to the client's final dot (RFC 5321 s.4.1.1.4).
//
//   receive   the content goes to the spool, up to CR LF . CR LF and no other end; what is too large or finds no room is
//             still read to its end, to stay in step, and then refused
//   judge     the checks look at it; the client is watched, and when it leaves nothing is delivered, since it will send
//             the message again
//   deliver   downstream hears DATA, and the content only after its 354
//
// The point of no return is the write that holds the final dot. Before it a failure is a clean 4xx. After it the outcome
// is unknown: the client hears 451, and the log says "possible duplicate". All of it has one time limit, from the
// client's final dot on, for Postfix does not wait longer and its client would then send again what we still deliver.

import type { Judge, JudgeOptions } from "../checks/check.ts";
import type { Refusal } from "../restrictions/restriction.ts";
import type { Envelope } from "../mail/envelope.ts";
import type { SessionLog } from "../log/events.ts";
import { IoError } from "../ports/io_error.ts";
import type { Clock, Files } from "../ports/runtime.ts";
import { bytesOf } from "../text/octets.ts";
import { decodable, decodedRoom, DotDecoder } from "../smtp/dot_codec.ts";
import { messageIdOf } from "../mime/message_id.ts";
import { type Reply, replyClass, replyText } from "../smtp/reply.ts";
import { SpoolFiles } from "../spool/files.ts";
import { isFull, Spool } from "../spool/spool.ts";
import { newSpoolName } from "../spool/directory.ts";
import type { Decision, Judgement, Refused } from "../mail/judgement.ts";
import { type Content, type Mail, type Message, messageOf } from "../mail/message.ts";
import { addressOf, factsOf } from "./caller.ts";
import type { Client } from "./client.ts";
import type { Downstream } from "./downstream.ts";
import { OWN_REPLIES } from "./own_replies.ts";
import { DownstreamLost, isForeseen } from "./smtp_error.ts";
import { whileClientStays } from "./waiting.ts";

export interface MessageParts {
  readonly client: Client;
  readonly downstream: Downstream;
  readonly judge: Judge;
  readonly files: Files;
  readonly clock: Clock;
  readonly log: SessionLog;
  readonly pid: number;
  readonly options: MessageOptions;
}

export interface MessageOptions {
  readonly spoolDirectory: string;
  readonly bareNewline: "accept" | "reject";
  /** In octets as RFC 1870 counts them. */
  readonly maxMessageSize: number | undefined;
  /** Milliseconds from the client's final dot to our reply. */
  readonly messageTimeout: number;
  readonly replyTimeout: number;
  readonly dotTimeout: number;
}

export interface MessageEnd {
  readonly reply: Reply;
  readonly delivered: boolean;
}

// What has been counted may turn out to be the beginning of the end of data.
const END_OF_DATA_LENGTH = 3;

// So much of a message is looked at for its Message-ID; while there is not more, the spool has all of it in memory.
const HEADER_LIMIT = 65_536;

const DATA = bytesOf("DATA\r\n");

/** What is known of a message before its content. */
export interface Taken {
  readonly envelope: Envelope;
  /** What the client hears to it, whatever it is. */
  readonly refusal?: Refusal | undefined;
  /** The checks that the rules ask for; absent: all. */
  readonly asked?: ReadonlySet<string> | undefined;
}

/** What became of a message: `reply` is what the client hears to its final dot. */
interface Outcome {
  readonly verdict: string;
  readonly reason: string;
  readonly reply: Reply;
  /** Downstream's transaction is over; otherwise it has to be dropped. */
  readonly taken: boolean;
}

/**
 * Takes one message from the client and gives the reply to its final dot, and whether downstream has it. With a `refusal`
 * that is the reply, whatever the message. `stop` is aborted, with an error as its reason, when the session has to end or
 * the client has left. Throws that, `ClientLost` and `SmtpError`; nothing is left in the spool either way.
 */
export async function takeMessage(
  parts: MessageParts,
  { envelope, refusal, asked }: Taken,
  stop: AbortSignal,
): Promise<MessageEnd> {
  const { client, downstream, files, log, options, pid, clock } = parts;
  const spoolFiles = new SpoolFiles(files, {
    directory: options.spoolDirectory,
    name: newSpoolName(pid),
    named: parts.judge.needsFile,
  });
  const spool = new Spool(spoolFiles);
  try {
    await client.say(OWN_REPLIES.startMessage);
    const received = await receive(parts, spool, stop);
    const deadline = clock.now() + options.messageTimeout;
    const known = refusal ? refused(refusal.why, refusal.reply) : received.refusal;
    const message = messageOf(mailOf(parts, envelope), spool);
    const judgement: Judgement = known
      ? { decision: known, findings: [], time: 0 }
      : await judge(parts, message, { deadline, stop, files: spoolFiles, asked });
    const outcome = await carryOut(parts, judgement.decision, { deadline, stop });
    if (!outcome.taken) downstream.reset();
    log.tell("message", { ...outcome, messageId: received.messageId, size: received.size, judgement });
    return { reply: outcome.reply, delivered: outcome.taken && replyClass(outcome.reply) === 2 };
  } finally {
    await removeSpool(spool, log);
  }
}

// The message has had its outcome: that its file cannot be removed must not change it.
async function removeSpool(spool: Spool, log: SessionLog): Promise<void> {
  try {
    await spool.remove();
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    log.tell("spoolNotRemoved", { why: error.message });
  }
}

// --- receive

interface Received {
  readonly size: number;
  readonly messageId: string | undefined;
  readonly refusal?: Refused;
}

async function receive({ client, log, options }: MessageParts, spool: Spool, stop: AbortSignal): Promise<Received> {
  const decoder = new DotDecoder();
  let failure: IoError | undefined;
  let messageId: string | undefined;
  let isIdWanted = log.wantsMessages;
  const tooLarge = () => isTooLarge(decoder.size - END_OF_DATA_LENGTH, options);
  while (!decoder.done) {
    const wire = await client.nextContent();
    stop.throwIfAborted();
    try {
      const space = await spool.space(decodedRoom(wire.length));
      const count = decoder.decode(wire.subarray(0, decodable(space.length)), space);
      // Or the same octets would come again and again, and nothing else would ever run.
      if (decoder.consumed === 0) throw new Error("no room was made for content");
      client.consume(decoder.consumed);
      spool.filled(count);
      if (isIdWanted && (decoder.done || tooLarge() || spool.size >= HEADER_LIMIT)) {
        messageId = messageIdOf(spool.beginning);
        isIdWanted = false;
      }
      if (decoder.done) await spool.settle(decoder.crLines);
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      if (!failure) log.tell("spoolFailed", { why: error.message });
      failure = error;
    }
    if (failure || tooLarge()) spool.forget();
  }
  const { size } = decoder;
  const known = { size, messageId };
  if (isTooLarge(size, options)) return { ...known, refusal: refused("too large", OWN_REPLIES.messageTooLarge) };
  if (failure) return { ...known, refusal: spoolRefusal(failure) };
  if (decoder.bareNewline && options.bareNewline === "reject") {
    return { ...known, refusal: refused("bare newline", OWN_REPLIES.bareNewline) };
  }
  return known;
}

function isTooLarge(size: number, { maxMessageSize }: MessageOptions): boolean {
  return maxMessageSize !== undefined && size > maxMessageSize;
}

function spoolRefusal(error: IoError): Refused {
  return refused(error.message, isFull(error) ? OWN_REPLIES.noSpace : OWN_REPLIES.messageFailed);
}

function refused(why: string, reply: Reply): Refused {
  return { kind: "refused", why, reply };
}

// --- judge

interface Limits {
  /** When the client must have its reply, on the clock. */
  readonly deadline: number;
  readonly stop: AbortSignal;
}

async function judge(
  { client, judge, clock, log, options }: MessageParts,
  message: Message,
  { deadline, stop, files, asked }: Limits & Pick<JudgeOptions, "files" | "asked">,
): Promise<Judgement> {
  const aborter = new AbortController();
  const abort = () => aborter.abort();
  client.watch();
  stop.addEventListener("abort", abort);
  try {
    // It may have come while the last of the message was written.
    stop.throwIfAborted();
    // A filter takes its time: what the client is owed so far does not wait for it. Nor does it wait for the client: who is
    // slow to take that would leave it no time, and a filter that has none is no filter.
    const owed = judge.needsFile ? client.flush() : undefined;
    owed?.catch(abort);
    const limit = deadline - 2 * answerReserve(options) - clock.now();
    const { signal } = aborter;
    const notice = (text: string) => log.notice(text);
    const judgement = await judge.judge(message, { signal, limit, files, asked, notice });
    stop.throwIfAborted();
    // A signal to end waits for no client that takes nothing.
    if (owed) await whileClientStays({ client, stop }, () => owed);
    log.judged(judgement);
    return judgement;
  } finally {
    stop.removeEventListener("abort", abort);
  }
}

// What is said of the message does not change any more. Only a check that looks at the client has it looked for.
function mailOf({ client, log }: MessageParts, envelope: Envelope): Mail {
  const { sender, recipients } = envelope;
  const onUnknown = (why: string) => log.clientNotKnown(why);
  return {
    id: log.id,
    envelope: Object.freeze({ sender, recipients: Object.freeze(recipients) }),
    client: {
      get facts() {
        return factsOf(envelope, onUnknown);
      },
      get address() {
        return addressOf(envelope, client, onUnknown);
      },
    },
  };
}

// --- deliver

/**
 * Downstream gets at least this part of the time to answer the final dot, and as much before that to take the content. A
 * message that reaches that point later is not delivered: a reply that nobody waits for any more would make a duplicate.
 */
export const RESERVE_SHARE = 1 / 10;

function answerReserve({ messageTimeout }: MessageOptions): number {
  return messageTimeout * RESERVE_SHARE;
}

async function carryOut(parts: MessageParts, decision: Decision, limits: Limits): Promise<Outcome> {
  const { kind: verdict, why: reason } = decision;
  if ("message" in decision) return { verdict, reason, ...await deliver(parts, decision.message, limits) };
  if (verdict === "discard" || verdict === "quarantine") parts.log.tell("discarded", { why: reason });
  return { verdict, reason, reply: decision.reply, taken: false };
}

async function deliver(
  { downstream, clock, log, options }: MessageParts,
  source: Content,
  { deadline, stop }: Limits,
): Promise<{ reply: Reply; taken: boolean }> {
  const dueIn = (patience: number) => Math.min(deadline, clock.now() + patience);
  const isLate = () => clock.now() > deadline - answerReserve(options);
  const mayGoOn = () => {
    stop.throwIfAborted();
    if (isLate()) throw new DownstreamLost("no time is left to deliver the message");
  };
  const failed = { reply: OWN_REPLIES.messageFailed, taken: false };

  // Downstream has not heard of it, and can take the next one.
  if (isLate()) {
    log.tell("noTimeLeft", {});
    return failed;
  }
  const onStop = () => downstream.interrupt(stop.reason);
  stop.addEventListener("abort", onStop);
  let last: Uint8Array;
  try {
    mayGoOn();
    const reply = await downstream.ask(DATA, dueIn(options.replyTimeout));
    if (replyClass(reply) === 4 || replyClass(reply) === 5) return { reply, taken: false };
    if (reply.code !== 354) throw new DownstreamLost(`downstream answered DATA with ${replyText(reply)}`);
    last = await downstream.sendContent(source, deadline, mayGoOn);
    stop.throwIfAborted();
  } catch (error) {
    // In the middle of a message a connection can only be closed: anything said would become content.
    downstream.abandon("message was not finished");
    stop.throwIfAborted();
    if (error instanceof DownstreamLost) log.tell("downstreamLost", { doing: "sending a message", why: error.message });
    else if (error instanceof IoError) log.tell("unreadable", { why: error.message });
    else throw error;
    return failed;
  } finally {
    stop.removeEventListener("abort", onStop);
  }

  // The point of no return.
  try {
    const reply = await downstream.sendFinalDot(last, dueIn(options.dotTimeout));
    if (replyClass(reply) !== 3) return { reply, taken: true };
    throw new DownstreamLost(`downstream answered the final dot with ${replyText(reply)}`);
  } catch (error) {
    downstream.abandon("outcome of a message is not known");
    log.tell("possibleDuplicate", { why: error instanceof Error ? error.message : String(error) });
    if (!isForeseen(error)) throw error;
    return failed;
  }
}
