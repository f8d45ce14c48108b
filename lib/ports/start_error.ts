// Why the program does not start: one line that says what is wrong and what would be right.

import { IoError } from "./io_error.ts";

export abstract class StartError extends Error {
  /** The exit status, one of sysexits.h, by which a service manager knows whether it should try again. */
  abstract readonly status: 64 | 75;
}

/** Wrong use (EX_USAGE): it stays wrong until the administrator changes the command line or a file that it names. */
export class UsageError extends StartError {
  override readonly name = "UsageError";
  readonly status = 64;
}

/** The machine does not allow it now (EX_TEMPFAIL), and may a moment later: a full disk, an address that is taken. */
export class TempfailError extends StartError {
  override readonly name = "TempfailError";
  readonly status = 75;
}

/** The outcome of `attempt`. An `IoError` becomes a `TempfailError` that names `option` and the `hint`. */
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
