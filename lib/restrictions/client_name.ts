// The name of a client, which may need a DNS lookup.

import { IoError } from "../ports/io_error.ts";
import type { Caller } from "./restriction.ts";

/** smtpd's word for a host without a name. It compares this with patterns. */
export const NO_NAME = "UNKNOWN";

/** `NO_NAME` if the client has no name; undefined if the lookup failed. Then `doubt` gets the reason. */
export async function nameOf(client: Caller, doubt: (why: string) => void): Promise<string | undefined> {
  try {
    return await client.name() ?? NO_NAME;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    doubt(error.message);
    return undefined;
  }
}
