// The content of `ID.json`: why a message is kept, and its envelope. From facts to text and back. Pure.
//
// The texts come from strangers. Each control character in them is escaped, including C1 and those that change the
// direction of text. So the file can be shown on a terminal. Anybody may have written a record that is read. If it is
// incomplete, or its addresses could end a command of SMTP, it throws a `RecordError`.

import { timeOfId } from "./names.ts";

export interface QuarantineRecord {
  readonly id: string;
  /** When the message was kept, as ISO 8601 in UTC. */
  readonly time: string;
  /** The log begins each line of its session with this. */
  readonly session: string;
  /** The decision about the message: reject, discard or quarantine. */
  readonly outcome: string;
  /** The name of the check that refused it. */
  readonly check: string;
  /** The reason, as in the log. */
  readonly reason: string;
  /** The reply that the client heard. */
  readonly reply: string;
  /** The address of the client; null if it is not known. The other facts work in the same way. */
  readonly client: string | null;
  readonly client_name: string | null;
  readonly helo: string | null;
  /** The reverse-path without its brackets; `<>` is the null sender. */
  readonly sender: string | null;
  /** All recipients that have not got it, without brackets. */
  readonly recipients: readonly string[];
  /** The size of `ID.eml` in octets. */
  readonly size: number;
  /** A release with an unknown outcome: these recipients may have got it. */
  readonly attempt?: ReleaseAttempt | undefined;
}

export interface ReleaseAttempt {
  readonly time: string;
  /** The address of the server. */
  readonly server: string;
  readonly recipients: readonly string[];
}

export class RecordError extends Error {
  override readonly name = "RecordError";
}

/** The null sender. */
export const NULL_SENDER = "<>";

// A message may have 20000 recipients of 2048 octets. This many are formatted at a time.
const RECIPIENTS_AT_A_TIME = 100;

/** The text of a record in pieces: JSON, with a fact on each line. */
export function* formatRecord(record: QuarantineRecord): Generator<string> {
  const { recipients, attempt, ...facts } = record;
  yield "{\n";
  for (const [name, value] of Object.entries(facts)) yield `  "${name}": ${formatJson(value)},\n`;
  if (attempt) {
    yield `  "attempt": {\n    "time": ${formatJson(attempt.time)},\n    "server": ${formatJson(attempt.server)},\n`;
    yield* formatList(`    "recipients": `, attempt.recipients);
    yield "  },\n";
  }
  yield* formatList(`  "recipients": `, recipients);
  yield "}\n";
}

function* formatList(head: string, values: readonly string[]): Generator<string> {
  const indent = " ".repeat(head.search(/\S/));
  yield `${head}[`;
  for (let at = 0; at < values.length; at += RECIPIENTS_AT_A_TIME) {
    const some = values.slice(at, at + RECIPIENTS_AT_A_TIME);
    yield (at === 0 ? "\n" : ",\n") + some.map((value) => `${indent}  ${formatJson(value)}`).join(",\n");
  }
  yield values.length === 0 ? "]\n" : `\n${indent}]\n`;
}

// JSON leaves these characters as they are, but a terminal does not show them so.
const UNSAFE = /[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** JSON on one line, in which each character that could move a terminal's cursor is escaped. */
export function formatJson(value: unknown): string {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(UNSAFE, escaped);
}

/** Reads the record in `text`, from the file of the message `id`. Throws a `RecordError`. */
export function parseRecord(text: string, id: string): QuarantineRecord {
  const facts = parseObject(text);
  if (facts["id"] !== id) throw new RecordError("it has the id of another message, or none");
  if (timeOfId(id) === undefined) throw new RecordError("its id is not valid");
  const attempt = facts["attempt"];
  return {
    id,
    time: parseTime(facts),
    session: parseText(facts, "session"),
    outcome: parseText(facts, "outcome"),
    check: parseText(facts, "check"),
    reason: parseText(facts, "reason"),
    reply: parseText(facts, "reply"),
    client: parseKnown(facts, "client"),
    client_name: parseKnown(facts, "client_name"),
    helo: parseKnown(facts, "helo"),
    sender: facts["sender"] === null ? null : parseAddress(facts["sender"], "sender"),
    recipients: parseRecipients(facts),
    size: parseSize(facts),
    ...attempt === undefined ? {} : { attempt: parseAttempt(attempt) },
  };
}

type Facts = Readonly<Record<string, unknown>>;

function parseObject(text: string): Facts {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RecordError("it is no JSON");
  }
  return asObject(value, "it");
}

function asObject(value: unknown, what: string): Facts {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Facts;
  throw new RecordError(`${what} is no JSON object`);
}

function parseText(facts: Facts, name: string): string {
  const value = facts[name];
  if (typeof value === "string") return value;
  throw new RecordError(`it has no ${name}, or one that is no text`);
}

function parseKnown(facts: Facts, name: string): string | null {
  return facts[name] === null ? null : parseText(facts, name);
}

function parseTime(facts: Facts): string {
  const time = parseText(facts, "time");
  if (Number.isNaN(Date.parse(time))) throw new RecordError("its time is not valid");
  return time;
}

function parseSize(facts: Facts): number {
  const { size } = facts;
  if (typeof size === "number" && Number.isSafeInteger(size) && size >= 0) return size;
  throw new RecordError("it has no size, or one that is no number of octets");
}

// No command line has these octets inside. In a release they would begin another command.
function parseAddress(value: unknown, what: string): string {
  if (typeof value === "string" && !/[\0\r\n]/.test(value)) return value;
  throw new RecordError(`it has a ${what} that is no address`);
}

function parseRecipients(facts: Facts): string[] {
  const { recipients } = facts;
  if (!Array.isArray(recipients) || recipients.length === 0) throw new RecordError("it has no recipients");
  return recipients.map((recipient) => parseAddress(recipient, "recipient"));
}

function parseAttempt(value: unknown): ReleaseAttempt {
  const facts = asObject(value, "its attempt");
  return { time: parseTime(facts), server: parseText(facts, "server"), recipients: parseRecipients(facts) };
}
