// Puts content into a spool the way a session does: into the room that it gives, from memory that is used again.

import type { Spool } from "../../lib/spool/spool.ts";

/** Adds `octets` to `spool`, at most `step` at a time. */
export async function fillSpool(spool: Spool, octets: Uint8Array, step = Infinity): Promise<void> {
  for (let at = 0; at < octets.length;) {
    const wanted = Math.min(step, octets.length - at);
    const space = await spool.space(wanted);
    const count = Math.min(wanted, space.length);
    space.set(octets.subarray(at, at + count));
    spool.filled(count);
    at += count;
  }
}
