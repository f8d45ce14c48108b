// Why the program does not start: one line that says what is wrong and what would be right.

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
