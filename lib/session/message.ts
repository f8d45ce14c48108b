// The message phase: from our 354 to the reply to the client's final dot (RFC 5321 s.4.1.1.4).
//
//   receive   The content goes to the spool, up to CR LF . CR LF and no other end. A message that is too large, or finds
//             no room, is still read to its end, so that the dialogue stays in step. Then it is refused.
//   judge     The checks look at the message. If the client leaves, nothing is delivered, because the client will send the
//             message again.
//   deliver   Downstream hears DATA, and after its 354 the content.
//
// The point of no return is the write that holds the final dot. Before it a failure is a clean 4xx. After it the outcome
// is not known: the client hears 451, and the log says "possible duplicate". Everything after the client's final dot has
// one time limit. Postfix does not wait longer, and its client would send a message again that we then deliver.

import type { Judge, JudgeOptions } from "../checks/check.ts";
import type { Refusal } from "../restrictions/restriction.ts";
import type { Envelope } from "../mail/envelope.ts";
import type { SessionLog } from "../log/events.ts";
import { IoError } from "../ports/io_error.ts";
import type { Clock, Files, Turn } from "../ports/runtime.ts";
import { bytesOf } from "../text/octets.ts";
import { decodable, decodedRoom, DotDecoder } from "../smtp/dot_codec.ts";
import { messageIdOf } from "../mime/message_id.ts";
import { type Reply, replyClass, replyText } from "../smtp/reply.ts";
import { SpoolFiles } from "../spool/files.ts";
import type { Marks } from "../spool/mark.ts";
import { isFull, Spool } from "../spool/spool.ts";
import { newSpoolName } from "../spool/directory.ts";
import type { Decision, Judgement, Refused } from "../mail/judgement.ts";
import { type Content, type Mail, type Message, messageOf } from "../mail/message.ts";
import type { Client } from "./client.ts";
import type { Downstream } from "./downstream.ts";
import { MessageClient } from "./message_client.ts";
import { OWN_REPLIES } from "./own_replies.ts";
import { DownstreamLost, isForeseen } from "./smtp_error.ts";
import { type Stop, whileClientStays } from "./waiting.ts";

export interface MessageParts {
  readonly client: Client;
  readonly downstream: Downstream;
  readonly judge: Judge;
  readonly files: Files;
  readonly marks: Marks;
  readonly turn: Turn;
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

// The last octets that were counted may be the beginning of the end of data.
const END_OF_DATA_LENGTH = 3;

// All of a larger message may come without a pause. A smaller one is not worth a turn.
const SHARED_FROM = 262_144;

// The Message-ID is looked for in so many octets. The spool still has them in memory.
const HEADER_LIMIT = 65_536;

const DATA = bytesOf("DATA\r\n");

/** The known facts about a message before its content. */
export interface Taken {
  readonly envelope: Envelope;
  /** If it is there, the client hears it for any message. */
  readonly refusal?: Refusal | undefined;
  /** The checks that the rules ask for. Absent: all. */
  readonly asked?: ReadonlySet<string> | undefined;
}

/** The outcome of a message. The client hears `reply` to its final dot. */
interface Outcome {
  readonly reply: Reply;
  /** Downstream's transaction is over. Otherwise it has to be dropped. */
  readonly taken: boolean;
  /** Milliseconds from our final dot to downstream's reply, if it answered. */
  readonly downstreamTime?: number;
}

/**
 * Takes one message from the client. Gives the reply to its final dot, and whether downstream has the message. `stop`
 * comes if the session has to end or the client has left. Its reason is the error that this throws. Also throws
 * `ClientLost` and `SmtpError`. Nothing stays in the spool in any case.
 */
export async function takeMessage(
  parts: MessageParts,
  { envelope, refusal, asked }: Taken,
  stop: Stop,
): Promise<MessageEnd> {
  const { client, downstream, judge: { needsFile }, files, marks, turn, log, options, pid, clock } = parts;
  const spoolFiles = new SpoolFiles(files, {
    directory: options.spoolDirectory,
    name: newSpoolName(pid),
    marks: needsFile ? marks : undefined,
    turn,
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
    const { reply, downstreamTime } = outcome;
    log.tell("message", { messageId: received.messageId, size: received.size, judgement, reply, downstreamTime });
    return { reply, delivered: outcome.taken && replyClass(reply) === 2 };
  } finally {
    await removeSpool(spool, log);
  }
}

// The message has its outcome. If its file cannot be removed, that must not change it.
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

async function receive(
  { client, turn, log, options }: MessageParts,
  spool: Spool,
  stop: Stop,
): Promise<Received> {
  const decoder = new DotDecoder();
  let failure: IoError | undefined;
  let messageId: string | undefined;
  let isIdWanted = log.wantsMessages;
  const tooLarge = () => isTooLarge(decoder.size - END_OF_DATA_LENGTH, options);
  while (!decoder.done) {
    const wire = await client.nextContent();
    stop.throwIfCome();
    try {
      const space = await spool.space(decodedRoom(wire.length));
      const count = decoder.decode(wire.subarray(0, decodable(space.length)), space);
      // Otherwise the same octets would come again and again, and nothing else would run.
      if (decoder.consumed === 0) throw new Error("no room was made for content");
      client.consume(decoder.consumed);
      spool.filled(count);
      if (isIdWanted && (decoder.done || tooLarge() || spool.size >= HEADER_LIMIT)) {
        messageId = messageIdOf(spool.beginning.subarray(0, HEADER_LIMIT));
        isIdWanted = false;
      }
      if (decoder.done) await spool.settle(decoder.crLines);
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      if (!failure) log.tell("spoolFailed", { why: error.message });
      failure = error;
    }
    if (failure || tooLarge()) spool.forget();
    if (decoder.size > SHARED_FROM) await turn.share();
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
  /** The client must have its reply at this time of the clock. */
  readonly deadline: number;
  readonly stop: Stop;
}

async function judge(
  { client, judge, clock, log, options }: MessageParts,
  message: Message,
  { deadline, stop, files, asked }: Limits & Pick<JudgeOptions, "files" | "asked">,
): Promise<Judgement> {
  const aborter = new AbortController();
  const abort = () => aborter.abort();
  client.watch();
  const ignoreStop = stop.on(abort);
  try {
    // It may have come during the last write to the spool.
    stop.throwIfCome();
    // A filter takes a while, so the replies that are held back leave now. But the filter does not wait for that: a client
    // that takes them slowly would leave it no time.
    const owed = judge.needsFile ? client.flush() : undefined;
    owed?.catch(abort);
    const limit = deadline - 2 * answerReserve(options) - clock.now();
    const { signal } = aborter;
    const notice = (text: string) => log.notice(text);
    const judgement = await judge.judge(message, { signal, limit, files, asked, notice });
    stop.throwIfCome();
    // The client may take nothing. The end of the session does not wait for it.
    if (owed) await whileClientStays({ client, stop }, () => owed);
    log.judged(judgement);
    return judgement;
  } finally {
    ignoreStop();
  }
}

// The envelope does not change any more. The client is looked for only if a check asks for it.
function mailOf({ client, log }: MessageParts, envelope: Envelope): Mail {
  const { sender, recipients } = envelope;
  return {
    id: log.id,
    envelope: Object.freeze({ sender, recipients: Object.freeze(recipients) }),
    client: new MessageClient(envelope, client, (why) => log.clientNotKnown(why)),
  };
}

// --- deliver

/**
 * This part of the message's time is kept for downstream's answer to the final dot, and the same part for the content. If
 * less is left after the checks, the message is not delivered: nobody would wait for the reply, and that makes a duplicate.
 */
export const RESERVE_SHARE = 1 / 10;

function answerReserve({ messageTimeout }: MessageOptions): number {
  return messageTimeout * RESERVE_SHARE;
}

async function carryOut(parts: MessageParts, decision: Decision, limits: Limits): Promise<Outcome> {
  if ("message" in decision) return await deliver(parts, decision.message, limits);
  if (decision.kind === "discard" || decision.kind === "quarantine") parts.log.tell("discarded", decision);
  return { reply: decision.reply, taken: false };
}

async function deliver(
  { downstream, clock, log, options }: MessageParts,
  source: Content,
  { deadline, stop }: Limits,
): Promise<Outcome> {
  const dueIn = (patience: number) => Math.min(deadline, clock.now() + patience);
  const isLate = () => clock.now() > deadline - answerReserve(options);
  const mayGoOn = () => {
    stop.throwIfCome();
    if (isLate()) throw new DownstreamLost("no time is left to deliver the message");
  };
  const failed = { reply: OWN_REPLIES.messageFailed, taken: false };

  // Downstream has not heard of this message, and can take the next one.
  if (isLate()) {
    log.tell("noTimeLeft", {});
    return failed;
  }
  const ignoreStop = stop.on(() => downstream.interrupt(stop.reason!));
  let last: Uint8Array;
  try {
    mayGoOn();
    const reply = await downstream.ask(DATA, dueIn(options.replyTimeout));
    if (replyClass(reply) === 4 || replyClass(reply) === 5) return { reply, taken: false };
    if (reply.code !== 354) throw new DownstreamLost(`downstream answered DATA with ${replyText(reply)}`);
    last = await downstream.sendContent(source, deadline, mayGoOn);
    stop.throwIfCome();
  } catch (error) {
    // In the middle of a message the connection can only be closed. Anything else would become content.
    downstream.abandon("message was not finished");
    stop.throwIfCome();
    if (error instanceof DownstreamLost) log.tell("downstreamLost", { doing: "sending a message", why: error.message });
    else if (error instanceof IoError) log.tell("unreadable", { why: error.message });
    else throw error;
    return failed;
  } finally {
    ignoreStop();
  }

  // The point of no return.
  const dotTime = clock.now();
  try {
    const reply = await downstream.sendFinalDot(last, dueIn(options.dotTimeout));
    if (replyClass(reply) !== 3) return { reply, taken: true, downstreamTime: clock.now() - dotTime };
    throw new DownstreamLost(`downstream answered the final dot with ${replyText(reply)}`);
  } catch (error) {
    downstream.abandon("outcome of a message is not known");
    log.tell("possibleDuplicate", { why: error instanceof Error ? error.message : String(error) });
    if (!isForeseen(error)) throw error;
    return failed;
  }
}
