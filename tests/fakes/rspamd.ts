// rspamd, for a fake scanner: a request of HTTP with a length, and an answer in JSON.
//
// A message with a line `X-Rspamd: JSON` gets that as its answer. Any other message gets "no action".

import { bytesOf, textOf } from "../../lib/text/octets.ts";
import type { Protocol } from "./scanner.ts";

const BLANK_LINE = "\r\n\r\n";

export const RSPAMD: Protocol = {
  lengthOf: (received) => {
    const { head, at } = split(received);
    const length = /^content-length: (\d+)$/im.exec(head)?.[1];
    return at === -1 || received.length < at + Number(length) ? undefined : at + Number(length);
  },
  answer: (question) => {
    const wanted = /^X-Rspamd: (.*)$/m.exec(textOf(messageIn(question)))?.[1];
    return httpAnswer(wanted ?? '{"action":"no action","score":0.5,"required_score":15,"symbols":{}}');
  },
  closes: true,
};

/** A response as rspamd 3 writes it. */
export function httpAnswer(json: string, status = "200 OK"): string {
  const length = bytesOf(json).length;
  return `HTTP/1.1 ${status}\r\nConnection: close\r\nServer: rspamd/3.4\r\nContent-Length: ${length}\r\n` +
    `Content-Type: application/json${BLANK_LINE}${json}`;
}

/** The lines before the message, without the first one. */
export function fieldsOf(question: Uint8Array): string[] {
  return split(question).head.split("\r\n").slice(1);
}

/** The message in a question. */
export function messageIn(question: Uint8Array): Uint8Array {
  return question.subarray(split(question).at);
}

// A head is one of few octets.
function split(received: Uint8Array): { head: string; at: number } {
  const text = new TextDecoder("latin1").decode(received.subarray(0, 200_000));
  const end = text.indexOf(BLANK_LINE);
  return { head: textOf(received.subarray(0, Math.max(end, 0))), at: end === -1 ? -1 : end + BLANK_LINE.length };
}
