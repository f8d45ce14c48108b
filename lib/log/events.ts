// Every event of the program: one table, and `tell`, the one way into the log.
//
// `tell` gets each event as its name and its facts, whether or not -v asks for its line. A line is the id of the session, a
// few words in plain English, and fields. Text from a client, from downstream or from a filter is always a field. Only
// `notice` has free text. The logger escapes both (logger.ts, json.ts).

import { formatAddress } from "../ports/address.ts";
import type { Envelope } from "../mail/envelope.ts";
import { type Failure, failureIn, type Finding, type Judgement, type Refused } from "../mail/judgement.ts";
import type { Address } from "../ports/runtime.ts";
import { type Reply, replyText } from "../smtp/reply.ts";
import { textOf } from "../text/octets.ts";
import { type Fields, isWanted, type Level, type Logger } from "./logger.ts";

// The stack of a bug is longer than any other field, and worth its room.
const STACK_LIMIT = 1500;

// Enough for the longest line that RFC 5322 s.2.1.1 allows in a header.
const NOTICE_LIMIT = 1000;

// Each recipient that a stranger names may be worth a notice.
const NOTICES_LIMIT = 1000;

// The first recipients show whose mail it was. A thousand of them in one line show nothing more.
const RECIPIENTS_SHOWN = 10;

/** The client and the message that a line is about. */
export interface Subject {
  /** The address of the peer of our own connection. */
  readonly peer?: string | undefined;
  /** The known facts about the client and its message. */
  readonly envelope?: Envelope | undefined;
}

interface Row<Facts> {
  readonly level: Level | ((facts: Facts) => Level);
  readonly words: string | ((facts: Facts) => string);
  readonly fields: (facts: Facts, subject: Subject) => Fields;
  /** Free text. Only `notice` has some. */
  readonly text?: (facts: Facts) => string;
}

function row<Facts>(
  level: Row<Facts>["level"],
  words: Row<Facts>["words"],
  fields: Row<Facts>["fields"] = () => ({}),
): Row<Facts> {
  return { level, words, fields };
}

/** The reason of a failure. */
interface Why {
  readonly why: string;
}

/** The work of the session when it failed. */
interface Broken extends Why {
  readonly doing: string;
}

/** A DNS list, and the test entry that it was asked for. */
interface ListEntry {
  readonly zone: string;
  readonly entry: string;
}

const reason = ({ why }: Why) => ({ reason: why });
const reasonAbout = ({ why }: Why, subject: Subject) => ({ reason: why, ...about(subject) });
const broken = ({ doing, why }: Broken, subject: Subject) => ({ doing, reason: why, ...about(subject) });
const entryFields = ({ zone, entry }: ListEntry) => ({ zone, entry });

/** The level, the words and the fields of each event. */
export const EVENTS = {
  // --- a session
  connected: row("debug", "connected", ({ downstream }: { downstream: Address }, { peer }) => ({
    peer,
    downstream: formatAddress(downstream),
  })),
  /** A command of the client, and the reply to it. To DATA, it is the reply to the message. */
  dialogue: row("debug", "dialogue", ({ said, reply }: { said: Uint8Array; reply: Reply }) => ({
    said: textOf(said).trimEnd(),
    reply: replyText(reply),
  })),
  /** We ended the session. */
  ended: row("info", "session ended", broken),
  clientLost: row("info", "lost connection with client", broken),
  clientRefused: row("info", "refused", ({ what, reply }: { what: string; reply: Reply }, subject) => ({
    what,
    ...about(subject),
    reply: replyText(reply),
  })),
  downstreamUnreachable: row(
    "error",
    "downstream not reachable",
    ({ downstream, why }: Why & { downstream: Address }) => ({ downstream: formatAddress(downstream), reason: why }),
  ),
  /** Downstream's greeting was a 4xx or a 5xx. */
  turnedAway: row(
    "warning",
    "downstream turns the session away",
    ({ downstream, greeting }: { downstream: Address; greeting: Reply }) => ({
      downstream: formatAddress(downstream),
      greeting: replyText(greeting),
    }),
  ),
  downstreamLost: row("warning", "lost connection with downstream", broken),
  unasked3xx: row(
    "error",
    "downstream answered with an unexpected 3xx",
    ({ command, reply }: { command: Uint8Array; reply: Reply }, subject) => ({
      command: textOf(command).trimEnd(),
      ...about(subject),
      reply: replyText(reply),
    }),
  ),
  /** A check or a restriction needs to know the client, and nobody said who that is. */
  clientNotKnown: row(
    "warning",
    "client is not known: does smtpd_authorized_xforward_hosts of the next hop name this host?",
    ({ why }: Why, { peer }) => ({ reason: why, peer }),
  ),
  tarPit: row(
    "warning",
    "tar pit: further commands of this session wait",
    ({ recipients }: { recipients: number }, subject) => ({ recipients, ...about(subject) }),
  ),
  /** A restriction refused the sender, or `recipient`. Deferred: the client hears it at the end of data. */
  restricted: row(
    levelOfRestricted,
    wordsOfRestricted,
    ({ ruling, envelope, recipient, would }: Restricted, subject) => ({
      reason: ruling.why,
      would,
      ...about({ ...subject, envelope }),
      to: recipient === undefined ? undefined : `<${recipient}>`,
      reply: replyText(ruling.reply),
    }),
  ),
  /** Plain words of a check or a restriction. They may hold a stranger's octets. */
  notice: { ...row<{ text: string }>("warning", ""), text: ({ text }: { text: string }) => text },

  // --- a message
  /** Each message that had an outcome. */
  message: row(levelOfMessage, "message", fieldsOfMessage),
  /** A check could not decide. `message` says what happened: it passed, or the code of the reply to it. */
  notChecked: row(
    "error",
    "message not checked",
    ({ check, why, message }: Failure & { message: string | number }, subject) => ({
      reason: why,
      message,
      ...about(subject),
      check,
    }),
  ),
  /** The client takes this message for delivered, and it went nowhere, or into the quarantine. */
  discarded: row(
    "warning",
    ({ kind }: Refused) => `message ${kind === "quarantine" ? "quarantined" : "discarded"}`,
    ({ why, check, kept }, subject) => ({ reason: why, ...about(subject), check, quarantine: kept }),
  ),
  /** The message was to be kept in the quarantine, and could not be. `message` is the code of the reply to it. */
  notKept: row(
    "error",
    "message not kept in quarantine",
    ({ check, notKept, reply }: Refused, subject) => ({
      reason: notKept,
      message: reply.code,
      ...about(subject),
      check,
    }),
  ),
  /** A program changed the only copy of a message, and did not pass the message. */
  spoilt: row("error", wordsOfSpoilt, ({ check }: { check: string }, subject) => ({ ...about(subject), check })),
  noTimeLeft: row(
    "error",
    "message not delivered: the checks left no time for it",
    (_: object, subject) => about(subject),
  ),
  spoolFailed: row("error", "cannot spool message", reasonAbout),
  spoolNotRemoved: row("error", "cannot remove a spool file", reason),
  /** The spool file or the filter's own version. */
  unreadable: row("error", "cannot read what is to be delivered", reasonAbout),
  possibleDuplicate: row("error", "possible duplicate: outcome of the message downstream is not known", reasonAbout),
  /** Downstream has the message. The client may send it again, because it may not have heard of that. */
  unheard: row(
    "warning",
    "possible duplicate: client may not have heard that its message was delivered",
    ({ envelope }: { envelope: Envelope }, subject) => about({ ...subject, envelope }),
  ),

  // --- the process
  usage: row("error", "", ({ text }: { text: string }) => ({ usage: text })),
  cannotStart: row("error", "cannot start", reason),
  /** It has a line without -v too, so that each log says what it is the log of. */
  listening: row("notice", "listening", (setup: Fields) => setup),
  leftOut: row("warning", "postprox leaves out an address, because this host has no IPv6", reason),
  /** Strangers may reach this address. Downstream trusts us, and so it trusts everyone who connects to us. */
  reachable: row(
    "warning",
    "other hosts can connect here: without a firewall this is an open relay, because the next hop trusts this host",
    ({ at }: { at: Address }) => ({ at: formatAddress(at) }),
  ),
  runsAsRoot: row<object>(
    "warning",
    "postprox and everything that it starts run as root: give --user=NAME, or start it as another user",
  ),
  /** Each user of the host may take the file of a message away, and put another one in its place. */
  openSpool: row(
    "warning",
    "every user can remove and replace files in the spool directory: give -d a directory of mode 0700",
    ({ directory }: { directory: string }) => ({ directory }),
  ),
  /** SIGHUP opens this file again, as the user of --user. */
  notForUser: row("warning", "SIGHUP will fail, because the user of --user cannot open a file", reason),
  filterMissing: row("error", "filter cannot be run, so it checks no message", reason),
  /** `pause` is in milliseconds. */
  helperFailed: row("warning", "helper failed and is started again", ({ why, pause }: Why & { pause: number }) => ({
    reason: why,
    pause_s: pause / 1000,
  })),
  /** A line of its standard error. */
  helperSaid: row("warning", "helper said", ({ text }: { text: string }) => ({ text })),
  needsRestart: row(
    "warning",
    "a restart is needed for options that have changed",
    ({ options }: { options: readonly string[] }) => ({ options: options.join(" ") }),
  ),
  /** `worker` is a process id. `pause` is in milliseconds. */
  workerReplaced: row(
    "warning",
    "postprox replaces a worker",
    ({ worker, how, pause }: { worker: number | undefined; how: string; pause: number }) => ({
      worker,
      reason: how,
      pause_s: pause > 0 ? pause / 1000 : undefined,
    }),
  ),
  /** `limit` is in milliseconds: the end comes within this time. */
  shutdown: row(
    "info",
    "shutting down",
    ({ signal, sessions }: { signal: string; sessions?: number; limit: number }) => ({ signal, sessions }),
  ),
  drained: row(
    "notice",
    "shutting down: the drain timeout is over, and sessions get 421",
    ({ sessions }: { sessions: number }) => ({ sessions }),
  ),
  reloaded: row<object>("info", "reloaded: new sessions use the files of settings and rules as they are now"),
  notReloaded: row("error", "not reloaded: settings and rules stay as they were", reason),
  /** Nothing else depends on it: SIGHUP works. */
  noReloadSocket: row("warning", "postprox reload gets no answer from this process", reason),
  notNotified: row("error", "cannot send notices to the service manager", reason),
  notSwept: row("warning", "cannot clean up the spool directory", reason),
  swept: row("warning", "removed a spool file that was left over", ({ file }: { file: string }) => ({ file })),
  tooManyClients: row(
    "warning",
    "too many clients",
    ({ peer, limit }: { peer: string | undefined; limit: number }) => ({ peer, limit }),
  ),
  acceptFailed: row("error", "cannot accept a connection", reason),
  /** An error that no code foresaw, with its stack. */
  bug: row("error", "bug", ({ error }: { error: unknown }) => ({
    error: error instanceof Error ? error.stack ?? error.message : String(error),
  })),

  // --- DNS lists
  /** A list answered `question` with an address that lists nothing. `text` is its own explanation. */
  noListing: row("error", "DNS list gives an answer that is not a listing: it does not count", (answer: NoListing) => {
    const { zone, question, answer: address, text } = answer;
    return { zone, question, answer: address, text: text || undefined };
  }),
  /** The list has an entry that no list should have, and so it has everything. */
  listsEverything: row("error", "DNS list lists everything: postprox does not use it until this ends", entryFields),
  listsAgain: row("notice", "DNS list no longer lists everything: postprox uses it again", entryFields),
  noTestEntry: row("warning", "DNS list does not list its test entry: is its zone spelt right?", entryFields),
};

export type EventName = keyof typeof EVENTS;
export type FactsOf<Name extends EventName> = (typeof EVENTS)[Name] extends Row<infer Known> ? Known : never;

/** The session in which something happens. */
export interface Source {
  readonly id: string;
  readonly subject: () => Subject;
}

/** Hears of events, and counts them, for example: a function for each event that it wants to know of. They must not throw. */
export type Witness = { readonly [Name in EventName]?: (facts: FactsOf<Name>, source?: Source) => void };

/** Lets `witness` hear of each event from now on, with or without a line of the log. Earlier witnesses go on to hear. */
export function addWitness(logger: Logger, witness: Witness): void {
  const earlier = logger.witness;
  const heard = witness as Readonly<Record<string, ((facts: unknown, source: unknown) => void) | undefined>>;
  logger.witness = (name, facts, source) => {
    earlier?.(name, facts, source);
    heard[name]?.(facts, source);
  };
}

/** Tells that something has happened. Every event comes through here. */
export function tell<Name extends EventName>(logger: Logger, name: Name, facts: FactsOf<Name>, source?: Source): void {
  logger.witness?.(name, facts, source);
  const { level: levelOf, words, fields, text } = EVENTS[name] as unknown as Row<FactsOf<Name>>;
  const level = typeof levelOf === "string" ? levelOf : levelOf(facts);
  // A line that nobody wants is not formatted.
  if (!isWanted(level, logger.verbosity)) return;
  logger.write(level, {
    id: source?.id ?? (name === "bug" ? "-" : undefined),
    name,
    words: typeof words === "string" ? words : words(facts),
    text: text?.(facts),
    fields: fields(facts, source?.subject() ?? {}),
    limit: name === "bug" ? STACK_LIMIT : undefined,
  });
}

/** The log of one session. Each line begins with its id. */
export class SessionLog implements Source {
  readonly id: string;
  readonly subject: () => Subject;
  readonly #logger: Logger;
  #notices = 0;
  #saidNotKnown = false;

  /** The log calls `subject` again for each line. */
  constructor(logger: Logger, id: string, subject: () => Subject = () => ({})) {
    this.#logger = logger;
    this.id = id;
    this.subject = subject;
  }

  /** Tells what has happened in this session. */
  tell<Name extends EventName>(name: Name, facts: FactsOf<Name>): void {
    tell(this.#logger, name, facts, this);
  }

  /** Whether each event `message` gets a line. */
  get wantsMessages(): boolean {
    return isWanted("info", this.#logger.verbosity);
  }

  /** A check or a restriction needs to know the client, and cannot. A session has one such line. */
  clientNotKnown(why: string): void {
    if (this.#saidNotKnown) return;
    this.#saidNotKnown = true;
    this.tell("clientNotKnown", { why });
  }

  /** Plain words of a check or a restriction, for each verbosity. */
  notice(text: string): void {
    if (++this.#notices > NOTICES_LIMIT) return;
    const isLast = this.#notices === NOTICES_LIMIT;
    this.tell("notice", {
      text: isLast ? "further notices of this session are left out" : text.slice(0, NOTICE_LIMIT),
    });
  }

  /** Tells what in a judgement needs a line even without -v. */
  judged(judgement: Pick<Judgement, "decision" | "findings">): void {
    const { decision, findings } = judgement;
    const failure = failureIn(judgement);
    if (failure) {
      this.tell("notChecked", { ...failure, message: "reply" in decision ? decision.reply.code : "passed" });
    }
    if ("notKept" in decision && decision.notKept !== undefined) this.tell("notKept", decision);
    const spoilt = findings.find(({ verdict }) => verdict.kind === "spoilt");
    if (spoilt && "reply" in decision) this.tell("spoilt", spoilt);
  }
}

// --- the longer ones

/** The answer of a DNS list to a question. */
export interface NoListing {
  readonly zone: string;
  readonly question: string;
  readonly answer: string;
  readonly text: string;
}

interface Restricted {
  readonly ruling: { readonly why: string; readonly reply: Reply };
  readonly envelope: Envelope;
  /** Undefined if it is the sender that was refused. */
  readonly recipient: string | undefined;
  readonly deferred: boolean;
  /** A dry run: the sender or recipient is still accepted. */
  readonly would?: "reject" | undefined;
}

// A dry run is there for its lines. Nothing else shows what would be refused.
function levelOfRestricted({ would }: Restricted): Level {
  return would ? "notice" : "info";
}

function levelOfMessage({ judgement: { decision } }: DoneMessage): Level {
  return "would" in decision && decision.would ? "notice" : "info";
}

function wordsOfRestricted({ recipient, deferred, would }: Restricted): string {
  const what = would ? "would be refused" : deferred ? "refused at end of data" : "refused";
  return `${recipient === undefined ? "sender" : "recipient"} ${what}`;
}

function wordsOfSpoilt({ check }: { check: string }): string {
  return check === "extchk"
    ? "message not delivered: the external checker changed it and did not pass it"
    : "message not delivered: the filter changed EMAIL, which it may do only with --edit-in-place";
}

interface DoneMessage {
  readonly messageId: string | undefined;
  readonly size: number;
  readonly judgement: Judgement;
  readonly reply: Reply;
  /** Milliseconds from the final dot to downstream's reply; undefined if there was none. */
  readonly downstreamTime?: number | undefined;
}

function fieldsOfMessage(message: DoneMessage, subject: Subject): Fields {
  const { messageId, size, judgement: { decision, findings, time }, reply } = message;
  return {
    verdict: decision.kind,
    reason: decision.why,
    ...about(subject),
    check: decision.check,
    would: "would" in decision ? decision.would : undefined,
    message_id: messageId,
    size,
    quarantine: "kept" in decision ? decision.kept : undefined,
    filter_ms: Math.round(time),
    ...timesOf(findings),
    ...factsOf(findings),
    reply: replyText(reply),
  };
}

// If more than one check has looked: how long each of them took. The times of one name count together.
function timesOf(findings: readonly Finding[]): Fields {
  const times = new Map<string, number>();
  for (const { check, time } of findings) times.set(check, (times.get(check) ?? 0) + time);
  if (times.size < 2) return {};
  return Object.fromEntries([...times].map(([check, time]) => [`${check.replaceAll("-", "_")}_ms`, Math.round(time)]));
}

function factsOf(findings: readonly Finding[]): Fields {
  return Object.assign({}, ...findings.map(({ verdict }) => verdict.facts));
}

// The client that XFORWARD names, or else our peer. From MAIL on, also the message.
function about({ peer, envelope }: Subject): Fields {
  const { sender, recipients = [], client, unforwarded } = envelope ?? {};
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
