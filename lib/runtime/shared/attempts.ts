// Tries the addresses of a host in order until one lets us connect. If none does, the log gets each address with its
// reason.

import { formatAddress } from "../../ports/address.ts";
import { IoError, type IoErrorKind } from "../../ports/io_error.ts";
import type { Address } from "../../ports/runtime.ts";

export class Attempts {
  readonly #host: string;
  readonly #reasons: string[] = [];
  #address: string;
  #kind: IoErrorKind = "unknown-host";
  #isOver = false;

  /** `host` is a name or an address. An address is not repeated in front of its reason. */
  constructor(host: string) {
    this.#host = this.#address = host;
  }

  /** Whether nobody waits for a connection any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The result of `attempt` for the first of `addresses` with which it succeeds. Throws `failure`. */
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

  /** Gives up after `limit` milliseconds: the present address has not answered. */
  giveUp(limit: number): IoError {
    this.#isOver = true;
    this.#note(new IoError("timeout", `no answer within ${limit / 1000} s`));
    return this.failure();
  }

  /** Why there is no connection so far. */
  failure(): IoError {
    return new IoError(this.#kind, this.#reasons.join("; ") || `${this.#host} has no address`);
  }

  // "We have no means" stays the kind of the failure, because only it says that another try may succeed soon.
  #note({ kind, message }: IoError): void {
    if (this.#kind !== "exhausted") this.#kind = kind;
    this.#reasons.push(this.#address === this.#host ? message : `${this.#address}: ${message}`);
  }
}

/** The error of a failed connection to `address`. `cause` is the reason. */
export function connectError(address: Address, cause: IoError): IoError {
  return new IoError(cause.kind, `cannot connect to ${formatAddress(address)}: ${cause.message}`, { cause });
}
