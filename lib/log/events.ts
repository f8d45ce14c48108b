// Everything that is worth a line in the log: one function per event.
//
// Each line begins with the session's id, then a word or two in plain English, then `key=value` fields. Whatever comes
// from a client, from downstream or from a filter is a field, and so is escaped.

import { formatAddress } from "../ports/address.ts";
import type { Envelope } from "../mail/envelope.ts";
import { failureIn, type Finding, type Judgement } from "../mail/judgement.ts";
import type { Address } from "../ports/runtime.ts";
import { type Reply, replyText } from "../smtp/reply.ts";
import { type Fields, formatField, formatFields, isWanted, type Level, type Logger } from "./logger.ts";
import { escapeText } from "../text/quoting.ts";

// Enough for a header line of RFC 5322 s.2.1.1, in its longest form.
const NOTICE_LIMIT = 1000;

// Each recipient that a stranger names may be worth a notice.
const NOTICES_LIMIT = 1000;

// The first recipients say whose mail it was; a thousand of them in one line say nothing more.
const RECIPIENTS_SHOWN = 10;

/** Whom and what a line is about. */
export interface Subject {
  /** The address of who is connected to us. */
  readonly peer?: string | undefined;
  /** What is known of the client and of its message. */
  readonly envelope?: Envelope | undefined;
}

/** The log of one session; each line begins with its id. */
export class SessionLog {
  readonly #logger: Logger;
  readonly id: string;
  readonly #subject: () => Subject;
  #notices = 0;
  #saidNotKnown = false;

  /** `subject` is asked anew for each line that wants it. */
  constructor(logger: Logger, id: string, subject: () => Subject = () => ({})) {
    this.#logger = logger;
    this.id = id;
    this.#subject = subject;
  }

  connected(downstream: Address): void {
    this.#write("debug", "connected", () => ({ peer: this.#subject().peer, downstream: formatAddress(downstream) }));
  }

  /** A command of the client's, and the reply to it; to DATA, the reply to the message. */
  dialogue(said: string, reply: Reply): void {
    this.#write("debug", "dialogue", () => ({ said: said.trimEnd(), reply: replyText(reply) }));
  }

  /** Before its time, by our own doing. */
  ended(doing: string, why: string): void {
    this.#write("info", "session ended", () => ({ doing, reason: why, ...this.#about() }));
  }

  clientLost(doing: string, why: string): void {
    this.#write("info", "lost connection with client", () => ({ doing, reason: why, ...this.#about() }));
  }

  clientRefused(what: string, reply: Reply): void {
    this.#write("info", "refused", () => ({ what, ...this.#about(), reply: replyText(reply) }));
  }

  downstreamUnreachable(downstream: Address, why: string): void {
    this.#write("error", "downstream not reachable", () => ({ downstream: formatAddress(downstream), reason: why }));
  }

  /** Downstream's greeting was a 4xx or a 5xx. */
  turnedAway(downstream: Address, greeting: Reply): void {
    this.#write("warning", "downstream turns the session away", () => ({
      downstream: formatAddress(downstream),
      greeting: replyText(greeting),
    }));
  }

  downstreamLost(doing: string, why: string): void {
    const words = "lost connection with downstream";
    this.#write("warning", words, () => ({ doing, reason: why, ...this.#about() }));
  }

  unasked3xx(reply: Reply, command: string): void {
    const words = "downstream answered with a 3xx that was not asked for";
    this.#write("error", words, () => ({ command: command.trimEnd(), ...this.#about(), reply: replyText(reply) }));
  }

  /** A check or a restriction wants to know the client, and cannot. One line in a session. */
  clientNotKnown(why: string): void {
    if (this.#saidNotKnown) return;
    this.#saidNotKnown = true;
    const words = "client is not known: does smtpd_authorized_xforward_hosts of the server behind us name this host?";
    this.#write("warning", words, () => ({ reason: why, peer: this.#subject().peer }));
  }

  /** A message that downstream has, and the client may send again, since it may not have heard of that. */
  unheard(envelope: Envelope): void {
    const words = "possible duplicate: client may not have heard that its message was delivered";
    this.#write("warning", words, () => this.#about(envelope));
  }

  possibleDuplicate(why: string): void {
    const words = "possible duplicate: outcome of the message downstream is not known";
    this.#write("error", words, () => ({ reason: why, ...this.#about() }));
  }

  spoolFailed(why: string): void {
    this.#write("error", "cannot spool message", () => ({ reason: why, ...this.#about() }));
  }

  spoolNotRemoved(why: string): void {
    this.#write("error", "cannot remove a spool file", () => ({ reason: why }));
  }

  /** What was to be sent, the spool file or the filter's own version. */
  unreadable(why: string): void {
    this.#write("error", "cannot read what is to be delivered", () => ({ reason: why, ...this.#about() }));
  }

  noTimeLeft(): void {
    const words = "message not delivered: no time was left for that when it had been checked";
    this.#write("error", words, () => this.#about());
  }

  /** What of the findings is worth a line even without -v: a check that could not tell, a message that is lost. */
  judged({ decision, findings }: Judgement): void {
    const failure = failureIn(findings);
    // What became of the message: it passed, or the code of the reply to it.
    const message = "reply" in decision ? decision.reply.code : "passed";
    if (failure !== undefined) {
      this.#write("error", "message not checked", () => ({ reason: failure, message, ...this.#about() }));
    }
    if (!findings.some(({ verdict }) => verdict.kind === "spoilt")) return;
    const words = "message not delivered: the filter has changed EMAIL, which it may do only with --edit-in-place";
    this.#write("error", words, () => this.#about());
  }

  /** A message that the client takes for delivered went nowhere: worth a line even without -v. */
  discarded(why: string): void {
    this.#write("warning", "message discarded", () => ({ reason: why, ...this.#about() }));
  }

  /** A sender or a recipient that a restriction refused; undefined for the sender. Deferred: at the end of data. */
  restricted(refused: {
    readonly ruling: { readonly why: string; readonly reply: Reply };
    readonly envelope: Envelope;
    readonly recipient: string | undefined;
    readonly deferred: boolean;
  }): void {
    const { ruling, envelope, recipient, deferred } = refused;
    const words = `${recipient === undefined ? "sender" : "recipient"} refused${deferred ? " at end of data" : ""}`;
    this.#write("info", words, () => ({
      reason: ruling.why,
      ...this.#about(envelope),
      to: recipient === undefined ? undefined : `<${recipient}>`,
      reply: replyText(ruling.reply),
    }));
  }

  tarPit(recipients: number): void {
    const words = "tar pit: further commands of this session wait";
    this.#write("warning", words, () => ({ recipients, ...this.#about() }));
  }

  /** Plain words of a check or a restriction, whatever the verbosity; they may hold a stranger's octets. */
  notice(text: string): void {
    if (++this.#notices > NOTICES_LIMIT) return;
    const shown = this.#notices < NOTICES_LIMIT
      ? text.slice(0, NOTICE_LIMIT)
      : "further notices of this session are left out";
    this.#logger.write("warning", `${this.id}: ${escapeText(shown)}`);
  }

  /** Whether `message` will write anything. */
  get wantsMessages(): boolean {
    return isWanted("info", this.#logger.verbosity);
  }

  /** The one line per message of -v. */
  message(message: {
    readonly verdict: string;
    readonly reason: string;
    readonly messageId: string | undefined;
    readonly size: number;
    readonly judgement: Pick<Judgement, "findings" | "time">;
    readonly reply: Reply;
  }): void {
    const { verdict, reason, messageId, size, judgement: { findings, time }, reply } = message;
    this.#write("info", "message", () => ({
      verdict,
      reason,
      ...this.#about(),
      message_id: messageId,
      size,
      filter_ms: Math.round(time),
      ...timesOf(findings),
      ...factsOf(findings),
      reply: replyText(reply),
    }));
  }

  bug(error: unknown): void {
    logBug(this.#logger, error, this.id);
  }

  // The client that XFORWARD names, or who is connected where it names none; and the message, from its MAIL on.
  #about(other?: Envelope): Fields {
    const { peer, envelope } = this.#subject();
    const { sender, recipients = [], client, unforwarded } = other ?? envelope ?? {};
    const shown = recipients.slice(0, RECIPIENTS_SHOWN).map((recipient) => `<${recipient}>`).join(",");
    const isUnknown = sender !== undefined && (client?.told || unforwarded !== undefined);
    return {
      client: client?.address ? `${client.name ?? "unknown"}[${client.address}]` : isUnknown ? "unknown" : undefined,
      peer: client?.address ? undefined : peer,
      helo: client?.helo,
      from: sender === undefined ? undefined : `<${sender}>`,
      to: recipients.length > RECIPIENTS_SHOWN ? `${shown},...` : shown || undefined,
      nrcpt: sender === undefined ? undefined : recipients.length,
    };
  }

  // A line that is not wanted is not formatted.
  #write(level: Level, words: string, fields: () => Fields): void {
    if (!isWanted(level, this.#logger.verbosity)) return;
    this.#logger.write(level, `${this.id}: ${words} ${formatFields(fields())}`);
  }
}

/** Where more than one check has looked: how long each of them took. Those of one name count together. */
function timesOf(findings: readonly Finding[]): Fields {
  const times = new Map<string, number>();
  for (const { check, time } of findings) times.set(check, (times.get(check) ?? 0) + time);
  if (times.size < 2) return {};
  return Object.fromEntries([...times].map(([check, time]) => [`${check.replaceAll("-", "_")}_ms`, Math.round(time)]));
}

function factsOf(findings: readonly Finding[]): Fields {
  return Object.assign({}, ...findings.map(({ verdict }) => verdict.facts));
}

export function logUsage(logger: Logger, text: string): void {
  logger.write("error", formatField("usage", text));
}

export function logCannotStart(logger: Logger, why: string): void {
  logger.write("error", `cannot start ${formatField("reason", why)}`);
}

/** `setup` is what runs here. It has a line without -v too: a log says what it is the log of. */
export function logListening(logger: Logger, setup: Fields): void {
  logger.write("notice", `listening ${formatFields(setup)}`);
}

/** One of the addresses that the name in -l has. */
export function logLeftOut(logger: Logger, why: string): void {
  logger.write("warning", `an address is left out, for this host has no IPv6 ${formatField("reason", why)}`);
}

/** Strangers may reach this address: downstream trusts us, and so whoever connects to us. */
export function logReachable(logger: Logger, at: Address): void {
  const words =
    "other hosts can connect here: without a firewall this is an open relay, for the next hop trusts this host";
  logger.write("warning", `${words} ${formatField("at", formatAddress(at))}`);
}

export function logFilterMissing(logger: Logger, why: string): void {
  logger.write("error", `filter cannot be run, so no message will be checked ${formatField("reason", why)}`);
}

export function logShutdown(logger: Logger, signal: string, sessions: number): void {
  logger.write("info", `shutting down ${formatFields({ signal, sessions })}`);
}

export function logReloaded(logger: Logger): void {
  logger.write("info", "reloaded: files of rules were read again, for the sessions that begin now");
}

export function logNotReloaded(logger: Logger, why: string): void {
  logger.write("error", `not reloaded: the rules stay as they were ${formatField("reason", why)}`);
}

/** An answer of a DNS list by which it lists nothing: the answer to `question`, with the text that it has for that. */
export interface NoListing {
  readonly zone: string;
  readonly question: string;
  readonly answer: string;
  readonly text: string;
}

export function logNoListing(logger: Logger, { zone, question, answer, text }: NoListing): void {
  const words = "DNS list gives an answer that is no listing: it does not count";
  logger.write("error", `${words} ${formatFields({ zone, question, answer, text: text || undefined })}`);
}

/** `entry` is what no list has: one that has it has everything. */
export function logListsEverything(logger: Logger, zone: string, entry: string): void {
  logger.write(
    "error",
    `DNS list lists everything: it is not used until it no longer does so ${formatFields({ zone, entry })}`,
  );
}

export function logListsAgain(logger: Logger, zone: string, entry: string): void {
  logger.write("notice", `DNS list no longer lists everything: it is used again ${formatFields({ zone, entry })}`);
}

/** `entry` is what each list has. */
export function logNoTestEntry(logger: Logger, zone: string, entry: string): void {
  const words = "DNS list does not list its test entry: is its zone spelt right?";
  logger.write("warning", `${words} ${formatFields({ zone, entry })}`);
}

export function logSwept(logger: Logger, removed: readonly string[], failures: readonly string[]): void {
  for (const failure of failures) {
    logger.write("warning", `cannot sweep the spool ${formatField("reason", failure)}`);
  }
  for (const path of removed) {
    logger.write("warning", `removed a spool file that was left over ${formatField("file", path)}`);
  }
}

export function logTooManyClients(logger: Logger, peer: string | undefined, limit: number): void {
  logger.write("warning", `too many clients ${formatFields({ peer, limit })}`);
}

export function logAcceptFailed(logger: Logger, why: string): void {
  logger.write("error", `cannot accept a connection ${formatField("reason", why)}`);
}

const STACK_LIMIT = 1500;

/** An error that no code foresaw: all of it, stack included. */
export function logBug(logger: Logger, error: unknown, id = "-"): void {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  logger.write("error", `${id}: bug ${formatField("error", text, STACK_LIMIT)}`);
}
