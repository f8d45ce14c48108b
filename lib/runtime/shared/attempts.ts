// The addresses of a host, of which one is wanted that lets us connect; and what the log hears when none does: each address
// with its own reason.

import { formatAddress } from "../../ports/address.ts";
import { IoError, type IoErrorKind } from "../../ports/io_error.ts";
import type { Address } from "../../ports/runtime.ts";

export class Attempts {
  readonly #host: string;
  readonly #reasons: string[] = [];
  #address: string;
  #kind: IoErrorKind = "unknown-host";
  #isOver = false;

  /** `host` is a name, or an address, which is said only once. */
  constructor(host: string) {
    this.#host = this.#address = host;
  }

  /** True when nobody waits for a connection any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Gives what `attempt` gives for the first of `addresses` with which it does not fail. Throws `failure`. */
  async first<T>(addresses: readonly string[], attempt: (address: string) => Promise<T>): Promise<T> {
    for (const address of addresses) {
      if (this.#isOver) break;
      this.#address = address;
      try {
        return await attempt(address);
      } catch (error) {
        if (!(error instanceof IoError)) throw error;
        this.#note(error);
      }
    }
    throw this.failure();
  }

  /** Gives up after `limit` milliseconds: the address that is tried now has not answered. */
  giveUp(limit: number): IoError {
    this.#isOver = true;
    this.#note(new IoError("timeout", `no answer within ${limit / 1000} s`));
    return this.failure();
  }

  /** Why there is no connection so far. */
  failure(): IoError {
    return new IoError(this.#kind, this.#reasons.join("; ") || `${this.#host} has no address`);
  }

  // What we have no means for may be possible a moment later, which no other reason says.
  #note({ kind, message }: IoError): void {
    if (this.#kind !== "exhausted") this.#kind = kind;
    this.#reasons.push(this.#address === this.#host ? message : `${this.#address}: ${message}`);
  }
}

/** The error of a connection to `address` that could not be made for the reason `cause`. */
export function connectError(address: Address, cause: IoError): IoError {
  return new IoError(cause.kind, `cannot connect to ${formatAddress(address)}: ${cause.message}`, { cause });
}
