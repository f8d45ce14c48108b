// rspamd's answer about a message: the JSON of its reply to /checkv2. Pure.
//
// These throw a `ServerFailure`: an action that is not known, a reply that is no JSON object, and a reply whose changes
// are incomplete because one is too long. In the rest, a part of a wrong type is left out, as in rspamd's own milter.
// All texts may hold words of a stranger.

import { textOf } from "../../text/octets.ts";
import { ServerFailure } from "../../wire/server_conn.ts";
import { JsonSieve } from "./json_sieve.ts";

const ACTIONS = [
  "reject",
  "soft reject",
  "add header",
  "rewrite subject",
  "greylist",
  "no action",
  "discard",
  "quarantine",
] as const;

export type Action = typeof ACTIONS[number];

export interface Answer {
  readonly action: Action;
  readonly score: number | undefined;
  readonly requiredScore: number | undefined;
  /** The highest score first. */
  readonly symbols: readonly Symbol[];
  /** The text for strangers. */
  readonly smtpMessage: string | undefined;
  /** For "rewrite subject". */
  readonly subject: string | undefined;
  readonly removed: readonly RemovedHeader[];
  readonly added: readonly AddedHeader[];
  readonly dkimSignatures: readonly string[];
}

export interface Symbol {
  readonly name: string;
  readonly score: number;
}

export interface RemovedHeader {
  readonly name: string;
  /** From 1 at the top, from -1 at the bottom. 0 means all. */
  readonly which: number;
}

export interface AddedHeader {
  readonly name: string;
  readonly value: string;
  /** How many fields stand before it. A negative count starts at the end with -1. Undefined means at the end. */
  readonly order: number | undefined;
}

// JSON.parse takes a few milliseconds at most for this many octets. Nearly all replies are shorter than the first
// limit.
const WHOLE_LIMIT = 262_144;
const MEMBER_LIMITS = {
  action: 100,
  score: 100,
  required_score: 100,
  symbols: WHOLE_LIMIT,
  messages: 65_536,
  subject: 65_536,
  milter: WHOLE_LIMIT,
  "dkim-signature": 65_536,
};

/** Without all of these members, a message would not be as rspamd wants it. */
const CHANGES = ["subject", "milter", "dkim-signature"] as const;

// Nobody has use for a longer header. A thousand fields are more than Postfix takes from a milter.
const FIELDS_LIMIT = 1000;

/** Takes the octets of a reply as they come. Memory has a bound for any number of them. */
export class AnswerReader {
  #whole = new Uint8Array(4096);
  #size = 0;
  #sieve: JsonSieve | undefined;

  push(octets: Uint8Array): void {
    const before = this.#size;
    this.#size += octets.length;
    if (this.#size > WHOLE_LIMIT) {
      if (!this.#sieve) {
        this.#sieve = new JsonSieve(MEMBER_LIMITS);
        this.#sieve.push(this.#whole.subarray(0, before));
      }
      return this.#sieve.push(octets);
    }
    if (this.#size > this.#whole.length) {
      const larger = new Uint8Array(2 * this.#size);
      larger.set(this.#whole.subarray(0, before));
      this.#whole = larger;
    }
    this.#whole.set(octets, before);
  }

  end(): Answer {
    const octets = this.#sieve ? this.#sieve.end() : this.#whole.subarray(0, this.#size);
    const answer = parseAnswer(octets && parseJson(textOf(octets)));
    const missing = CHANGES.find((name) => this.#sieve?.tooLong.has(name));
    if (missing !== undefined) {
      throw new ServerFailure(`sent more than ${MEMBER_LIMITS[missing]} octets of ${missing}`, { isOfMessage: true });
    }
    return answer;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads the answer in `json`. Throws `ServerFailure`. */
export function parseAnswer(json: unknown): Answer {
  if (!isObject(json)) throw new ServerFailure("sent no JSON object");
  const action = ACTIONS.find((one) => one === json["action"]);
  if (action === undefined) {
    throw new ServerFailure(`wants an action that is not known: ${shown(json["action"])}`, { isOfMessage: true });
  }
  const milter = isObject(json["milter"]) ? json["milter"] : {};
  const messages = isObject(json["messages"]) ? json["messages"] : {};
  return {
    action,
    score: numberOf(json["score"]),
    requiredScore: numberOf(json["required_score"]),
    symbols: symbolsOf(json["symbols"]),
    smtpMessage: textIn(messages["smtp_message"]),
    subject: textIn(json["subject"]),
    removed: removedOf(milter["remove_headers"]),
    added: addedOf(milter["add_headers"]),
    dkimSignatures: listOf(json["dkim-signature"]).flatMap((one) => textIn(one) ?? []).slice(0, FIELDS_LIMIT),
  };
}

// `{"NAME": {"score": 1.5, …}}`.
function symbolsOf(json: unknown): Symbol[] {
  if (!isObject(json)) return [];
  return Object.entries(json)
    .map(([name, symbol]) => ({ name, score: (isObject(symbol) ? numberOf(symbol["score"]) : undefined) ?? 0 }))
    .sort((one, other) => other.score - one.score);
}

// `{"Name": 1}`, or `{"Name": [1, 2]}` for several of that name.
function removedOf(json: unknown): RemovedHeader[] {
  if (!isObject(json)) return [];
  const removed = Object.entries(json).flatMap(([name, places]) =>
    listOf(places).filter((which) => Number.isSafeInteger(which)).map((which) => ({ name, which: which as number }))
  );
  return removed.slice(0, FIELDS_LIMIT);
}

// `{"Name": "value"}` or `{"Name": {"value": "…", "order": 1}}` or an array of these. "order" may be "index".
function addedOf(json: unknown): AddedHeader[] {
  if (!isObject(json)) return [];
  const added = Object.entries(json).flatMap(([name, values]) =>
    listOf(values).flatMap((one) => {
      const value = textIn(isObject(one) ? one["value"] : one);
      if (value === undefined) return [];
      const order = isObject(one) ? numberOf(one["order"] ?? one["index"]) : undefined;
      return [{ name, value, order: order === undefined ? undefined : Math.trunc(order) }];
    })
  );
  return added.slice(0, FIELDS_LIMIT);
}

function isObject(json: unknown): json is Record<string, unknown> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function listOf(json: unknown): unknown[] {
  return Array.isArray(json) ? json : json === undefined ? [] : [json];
}

function textIn(json: unknown): string | undefined {
  return typeof json === "string" ? json : undefined;
}

function numberOf(json: unknown): number | undefined {
  return typeof json === "number" && Number.isFinite(json) ? json : undefined;
}

function shown(json: unknown): string {
  return typeof json === "string" ? json.slice(0, 80) : "none";
}
