// Holds a message back until its final dot, as a program must that looks at mail before it passes it on. It knows nothing of
// SMTP but the reply 354 and the final dot.

import { concat, textOf } from "../../../lib/text/octets.ts";

const FINAL = "\r\n.\r\n";

/** One conversation. */
export class Held {
  readonly #pieces: Uint8Array[] = [];
  #isContent = false;

  /** What the client must hear. */
  fromServer(octets: Uint8Array): Uint8Array {
    if (textOf(octets).includes("354 ")) this.#isContent = true;
    return octets;
  }

  /** What the client says: a command; a whole message, with its final dot; undefined in the middle of one. */
  fromClient(octets: Uint8Array): { readonly command: Uint8Array } | { readonly message: Uint8Array } | undefined {
    if (!this.#isContent) return { command: octets };
    this.#pieces.push(octets.slice());
    if (textOf(octets.subarray(-FINAL.length)) !== FINAL) return undefined;
    this.#isContent = false;
    return { message: concat(this.#pieces.splice(0)) };
  }
}
