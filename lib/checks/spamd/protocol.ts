// The protocol of SpamAssassin's spamd, version 1.5: a message, and the header that spamd makes of it. Pure.
//
//     HEADERS SPAMC/1.5        SPAMD/1.1 0 EX_OK
//     Content-length: 4711     Content-length: 311
//                              Spam: True ; 15.0 / 5.0
//     (the message)
//                              (the header, with its empty line)
//
// A malformed answer throws a `ServerFailure`. So does an answer with a status other than 0, without a score, or longer
// than its bounds.

import { concat, LF, textOf } from "../../text/octets.ts";
import { ServerFailure } from "../../wire/server_conn.ts";

export interface SpamdAnswer {
  readonly isSpam: boolean;
  readonly score: number;
  readonly requiredScore: number;
  /** The header as it came. */
  readonly header: Uint8Array;
}

/** Octets of the lines before the header. */
export const HEAD_LIMIT = 16_384;

/** Octets of a header. No real mail has a longer one. */
export const HEADER_LIMIT = 262_144;

/** The lines before a message of `size` octets. */
export function formatHeaders(size: number): string {
  return `HEADERS SPAMC/1.5\r\nContent-length: ${size}\r\n\r\n`;
}

/** Takes an answer as it comes, in any pieces. */
export class SpamdReader {
  #head: Uint8Array = new Uint8Array(0);
  #isHeadOver = false;
  #spam: Omit<SpamdAnswer, "header"> | undefined;
  /** Undefined if the header ends with the connection. */
  #length: number | undefined;
  #parts: Uint8Array[] = [];
  #size = 0;

  /** Whether the whole answer has come. */
  get isWhole(): boolean {
    return this.#isHeadOver && this.#length !== undefined && this.#size >= this.#length;
  }

  /** The score and the like, once known. The header may still have to come. */
  get spam(): Omit<SpamdAnswer, "header"> | undefined {
    return this.#isHeadOver ? this.#spam : undefined;
  }

  push(octets: Uint8Array): void {
    if (this.#isHeadOver) return this.#takeHeader(octets);
    const before = this.#head.length;
    this.#head = concat([this.#head, octets]);
    const end = endOfHead(this.#head, Math.max(0, before - 3));
    if ((end ?? this.#head.length) > HEAD_LIMIT) {
      throw new ServerFailure(`sent more than ${HEAD_LIMIT} octets before a header`);
    }
    if (end === undefined) return this.#checkBeginning();
    this.#takeHead(textOf(this.#head.subarray(0, end)).split(/\r?\n/));
    this.#isHeadOver = true;
    const rest = this.#head.subarray(end);
    this.#head = new Uint8Array(0);
    this.#takeHeader(rest);
  }

  /** The answer, when it is complete or the connection is closed. */
  end(): SpamdAnswer {
    if (!this.#isHeadOver || this.#spam === undefined) {
      // Only this line comes with some errors.
      const [line] = textOf(this.#head).split(/\r?\n/);
      if (line) takeStatus(line);
      throw new ServerFailure("sent an answer that is cut off");
    }
    if (this.#length !== undefined && this.#size < this.#length) {
      throw new ServerFailure("sent a header that is cut off");
    }
    return { ...this.#spam, header: concat(this.#parts) };
  }

  // A server of another kind is recognized by its first octets.
  #checkBeginning(): void {
    const end = this.#head.indexOf(LF);
    if (end !== -1) takeStatus(textOf(this.#head.subarray(0, end)).replace(/\r$/, ""));
  }

  #takeHead([status = "", ...lines]: readonly string[]): void {
    takeStatus(status);
    for (const line of lines) {
      const [, name = "", value = ""] = /^([^:]*):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
      if (/^content-length$/i.test(name)) this.#length = takeLength(value);
      else if (/^spam$/i.test(name)) this.#spam = takeSpam(value);
    }
    if (this.#spam === undefined) throw new ServerFailure("sent no score");
  }

  #takeHeader(octets: Uint8Array): void {
    if (octets.length === 0) return;
    this.#size += octets.length;
    if (this.#size > (this.#length ?? HEADER_LIMIT)) {
      throw new ServerFailure(
        this.#length === undefined ? tooLong() : "sent more than it said",
        { isOfMessage: this.#length === undefined },
      );
    }
    this.#parts.push(octets.slice());
  }
}

// The place after the empty line.
function endOfHead(octets: Uint8Array, start: number): number | undefined {
  for (let at = octets.indexOf(LF, start); at !== -1; at = octets.indexOf(LF, at + 1)) {
    if (octets[at + 1] === LF) return at + 2;
    if (octets[at + 1] === 0x0d && octets[at + 2] === LF) return at + 3;
  }
  return undefined;
}

function takeStatus(line: string): void {
  const [, status, text = ""] = /^SPAMD\/[0-9]+(?:\.[0-9]+)? +([0-9]{1,3})(?: +(.*))?$/.exec(line) ?? [];
  if (status === undefined) throw new ServerFailure("sent no answer of spamd's protocol");
  if (Number(status) !== 0) throw new ServerFailure(`answered ${status} ${text.slice(0, 200)}`.trimEnd());
}

function takeLength(value: string): number {
  if (!/^[0-9]{1,15}$/.test(value)) throw new ServerFailure("sent a length that is no number");
  if (Number(value) > HEADER_LIMIT) throw new ServerFailure(tooLong(), { isOfMessage: true });
  return Number(value);
}

function takeSpam(value: string): Omit<SpamdAnswer, "header"> {
  const [, word = "", score, requiredScore] =
    /^(true|false|yes|no)[ \t]*;[ \t]*(-?[0-9]+(?:\.[0-9]+)?)[ \t]*\/[ \t]*(-?[0-9]+(?:\.[0-9]+)?)$/i.exec(value) ?? [];
  if (word === "") throw new ServerFailure("sent a malformed score");
  return { isSpam: /^(true|yes)$/i.test(word), score: Number(score), requiredScore: Number(requiredScore) };
}

function tooLong(): string {
  return `sent a header of more than ${HEADER_LIMIT} octets`;
}
