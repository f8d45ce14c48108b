// SpamAssassin's spamd, for a fake scanner: HEADERS with a length, and an answer with a score and a header.
//
// A message with a field `X-Score: N` has that score. Any other message has 0.1. The threshold is 5.

import { bytesOf, textOf } from "../../lib/text/octets.ts";
import type { Protocol } from "./scanner.ts";

const QUESTION = /^HEADERS SPAMC\/1\.5\r\nContent-length: (\d+)\r\n\r\n/;

export const SPAMD: Protocol = {
  lengthOf: (received) => {
    const [head = "", length] = QUESTION.exec(textOf(received.subarray(0, 100))) ?? [];
    if (head === "") return received.length < 100 ? undefined : received.length;
    return received.length < head.length + Number(length) ? undefined : head.length + Number(length);
  },
  answer: (question) => {
    const message = textOf(scannedIn(question));
    const score = Number(/^X-Score: (.*)$/m.exec(message)?.[1] ?? 0.1);
    const own = message.slice(0, message.indexOf("\n\n") + 1);
    const mark = score >= 5 ? "X-Spam-Flag: YES\n" : "";
    return spamdAnswer(
      score,
      `${mark}X-Spam-Status: ${score >= 5 ? "Yes" : "No"}, score=${score}\n\ttests=A\n${own}\n`,
    );
  },
  closes: true,
};

/** An answer as spamd 4 writes it. */
export function spamdAnswer(score: number, header: string): string {
  return `SPAMD/1.1 0 EX_OK\r\nContent-length: ${bytesOf(header).length}\r\n` +
    `Spam: ${score >= 5 ? "True" : "False"} ; ${score.toFixed(1)} / 5.0\r\n\r\n${header}`;
}

/** The message in a question. */
export function scannedIn(question: Uint8Array): Uint8Array {
  const [head = ""] = QUESTION.exec(textOf(question.subarray(0, 100))) ?? [];
  return question.subarray(head.length);
}
