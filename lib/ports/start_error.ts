// Why the program does not start: a line for each mistake, which says what is wrong and what would be right.

import { IoError } from "./io_error.ts";

export abstract class StartError extends Error {
  /** The exit status, one of sysexits.h. It tells a service manager whether to try again. */
  abstract readonly status: 64 | 75;
}

/** Wrong use (EX_USAGE). It stays wrong until the administrator changes the command line or a file that it names. */
export class UsageError extends StartError {
  override readonly name = "UsageError";
  readonly status = 64;
}

/** The machine does not allow it now, but may soon (EX_TEMPFAIL): a full disk, an address that is in use. */
export class TempfailError extends StartError {
  override readonly name = "TempfailError";
  readonly status = 75;
}

/** Collects why the program does not start, so that the administrator hears of all of it at once. */
export class Mistakes {
  readonly #found: StartError[] = [];

  get isEmpty(): boolean {
    return this.#found.length === 0;
  }

  /** The outcome of `attempt`. If that throws a `StartError`, it is kept, and the outcome is undefined. */
  async of<Outcome>(attempt: () => Outcome | Promise<Outcome>): Promise<Outcome | undefined> {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      this.add(error);
      return undefined;
    }
  }

  add(mistake: StartError): void {
    this.#found.push(mistake);
  }

  /** Throws `all`, if there are any. */
  throwAll(): void {
    const error = this.all();
    if (error) throw error;
  }

  /** One error with a line for each mistake; undefined if there are none. Wrong use counts more than what may pass. */
  all(): StartError | undefined {
    const [first, ...others] = this.#found;
    if (!first || others.length === 0) return first;
    const lines = new Set(this.#found.flatMap(({ message }) => message.split("\n")));
    const message = [...lines].join("\n");
    return this.#found.some((error) => error instanceof UsageError)
      ? new UsageError(message)
      : new TempfailError(message);
  }
}

/** The outcome of `attempt`. An `IoError` becomes a `TempfailError` that names `option` and gives the `hint`. */
export async function orTempfail<Outcome>(
  option: string,
  attempt: Promise<Outcome>,
  hint: (error: IoError) => string,
): Promise<Outcome> {
  try {
    return await attempt;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    throw new TempfailError(`option ${option}: ${error.message}: ${hint(error)}`);
  }
}
