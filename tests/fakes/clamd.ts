// clamd, for a fake scanner: the INSTREAM command, and EICAR as the one virus.

import { concat, NUL, textOf } from "../../lib/text/octets.ts";
import type { Protocol } from "./scanner.ts";

/** The test file of all virus scanners, in two parts so that none of them takes this file for it. */
export const EICAR = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE!$H+H*";

const COMMAND = "zINSTREAM";

export const CLAMD: Protocol = {
  lengthOf: (received) => read(received)?.length,
  answer: (question) => {
    const { content } = read(question)!;
    if (content === undefined) return "UNKNOWN COMMAND\0";
    return textOf(content).includes(EICAR) ? "stream: Eicar-Test FOUND\0" : "stream: OK\0";
  },
  closes: true,
};

/** The message in a question. */
export function contentOf(question: Uint8Array): Uint8Array {
  return read(question)!.content!;
}

function read(received: Uint8Array): { length: number; content?: Uint8Array } | undefined {
  const end = received.indexOf(NUL);
  if (end === -1) return undefined;
  if (textOf(received.subarray(0, end)) !== COMMAND) return { length: end + 1 };
  const { buffer, byteOffset, byteLength } = received;
  const view = new DataView(buffer, byteOffset, byteLength);
  const chunks: Uint8Array[] = [];
  for (let at = end + 1; at + 4 <= received.length;) {
    const length = view.getUint32(at);
    at += 4;
    if (length === 0) return { length: at, content: concat(chunks) };
    chunks.push(received.subarray(at, at + length));
    at += length;
  }
  return undefined;
}
