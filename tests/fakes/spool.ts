// Puts content into a spool as a session does: into the room that the spool gives, from memory that is used again.

import type { Content, Mail } from "../../lib/mail/message.ts";
import type { Files, Turn } from "../../lib/ports/runtime.ts";
import { SpoolFiles } from "../../lib/spool/files.ts";
import { Marks } from "../../lib/spool/mark.ts";
import { Spool } from "../../lib/spool/spool.ts";
import { concat } from "../../lib/text/octets.ts";

export const NAME = "postprox-1-0";

/** Mail without any known facts. */
export const MAIL: Mail = {
  id: "0123456789",
  envelope: { sender: undefined, recipients: [] },
  client: { facts: {}, address: undefined },
};

/** For work that nobody else waits for. */
export const ALONE: Turn = { share: () => Promise.resolve() };

/** The marks of a process with the id 1. Time stands still. */
export function newMarks(files: Files): Marks {
  return new Marks({ files, clock: { now: () => 0 }, pid: 1 });
}

/** A spool in /tmp. */
export function newSpool(
  disk: Files,
  { named = true, name = NAME, turn = ALONE, marks = newMarks(disk) } = {},
): { spool: Spool; files: SpoolFiles } {
  const files = new SpoolFiles(disk, { directory: "/tmp", name, marks: named ? marks : undefined, turn });
  return { spool: new Spool(files), files };
}

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

/** Octets in which no two windows are alike. */
export function content(length: number): Uint8Array {
  const octets = new Uint8Array(length);
  for (let at = 0; at < length; at++) octets[at] = at ^ (at >> 8) ^ (at >> 16);
  return octets;
}

/** All of a content. */
export async function readAll(source: Pick<Content, "chunks">): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.chunks()) chunks.push(chunk.slice());
  return concat(chunks);
}

/** Without the report of assert.equal, which would be as long as the octets. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
