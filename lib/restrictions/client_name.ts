// What is said of a client for whose name DNS had to be asked.

import { IoError } from "../ports/io_error.ts";
import type { Caller } from "./restriction.ts";

/** What smtpd calls a host without a name, and compares with patterns. */
export const NO_NAME = "UNKNOWN";

/** `NO_NAME` where the client has none; undefined, with the reason told to `doubt`, when that could not be found out. */
export async function nameOf(client: Caller, doubt: (why: string) => void): Promise<string | undefined> {
  try {
    return await client.name() ?? NO_NAME;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    doubt(error.message);
    return undefined;
  }
}
