// The questions to a helper and its answers: each is a JSON object on a line. Pure.
//
// A question ends with LF, and is UTF-8. An answer ends with LF or CR LF. Blank lines are ignored. An answer is an
// object with the `id` of the question, `exit` as an exit status from 0 to 255, and `text` if there is something to
// say. Other members are ignored.

import { bytesOf, concat, LF, textOf } from "../../text/octets.ts";

/** A question about a message. Values are not cut. */
export interface Question {
  /** The paths of the message and of an empty file for the helper's own version of it. */
  readonly email: string;
  readonly outfile: string;
  /** `<>` for the null sender; empty if it is not known. */
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly remoteip: string;
  readonly helo: string;
  /** The size of `email` in octets. */
  readonly size: number;
}

/** `text` is the last line that is not blank, as with standard error of a filter. */
export interface Answer {
  readonly exit: number;
  readonly text: string;
}

export function formatQuestion(id: number, question: Question): Uint8Array {
  return bytesOf(`${JSON.stringify({ id, ...question })}\n`);
}

/** The answer in `line` to the question with this `id`. If it is no such answer, the reason for the log. */
export function parseAnswer(line: string, id: number): Answer | { readonly wrong: string } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { wrong: `it is no JSON: ${line}` };
  }
  const answer = value as Readonly<Record<string, unknown>> | null;
  if (typeof answer !== "object" || answer === null || Array.isArray(answer)) {
    return { wrong: `it is no JSON object: ${line}` };
  }
  if (answer["id"] !== id) return { wrong: `it is not for the question ${id}: ${line}` };
  const { exit, text = "" } = answer;
  if (typeof exit !== "number" || !Number.isInteger(exit) || exit < 0 || exit > 255) {
    return { wrong: `"exit" is no status from 0 to 255: ${line}` };
  }
  if (typeof text !== "string") return { wrong: `"text" is no text: ${line}` };
  return { exit, text: lastLineOf(text) };
}

function lastLineOf(text: string): string {
  return text.split(/[\r\n]+/).findLast((line) => line.trim() !== "") ?? "";
}

/** Cuts octets into lines that end with LF. A line of more than `limit` octets is cut there. */
export class LineCutter {
  readonly #limit: number;
  #begun: Uint8Array = new Uint8Array(0);

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The lines that end in `piece`, without their ends. It keeps copies and no part of `piece`. */
  push(piece: Uint8Array): string[] {
    const lines: string[] = [];
    for (let at = 0; at < piece.length;) {
      const end = piece.indexOf(LF, at);
      const part = piece.subarray(at, end === -1 ? piece.length : end);
      const room = this.#limit - this.#begun.length;
      this.#begun = concat([this.#begun, part.subarray(0, room)]);
      if (end !== -1 || part.length > room) lines.push(this.end());
      at += end !== -1 && part.length <= room ? part.length + 1 : Math.min(part.length, room);
    }
    return lines;
  }

  /** The part of an unfinished line that has come. */
  end(): string {
    const line = textOf(this.#begun).replace(/\r+$/, "");
    this.#begun = new Uint8Array(0);
    return line;
  }
}
