// A quarantine in memory, and messages for it.

import { Quarantine } from "../../lib/quarantine/quarantine.ts";
import { type Entry, readContents, readEntry } from "../../lib/quarantine/contents.ts";
import type { Message } from "../../lib/mail/message.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { bytesOf, textOf } from "../../lib/text/octets.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeDisk } from "../fakes/disk.ts";

export const DIRECTORY = "/quarantine";
export const CONTENT = "Subject: kept\n\n.a line\nno end";
export const WHY = {
  outcome: "reject",
  check: "clamd",
  reason: "clamd found X",
  reply: formatReply("550 5.7.1 virus found: X"),
};
export const LIMIT = { limit: 10_000 };

export function newDisk(): { clock: FakeClock; disk: FakeDisk; quarantine: Quarantine } {
  const clock = new FakeClock();
  const disk = new FakeDisk(clock);
  disk.mkdir(DIRECTORY);
  return { clock, disk, quarantine: new Quarantine({ clock, files: disk }, DIRECTORY) };
}

export function message(change: Partial<Message> = {}, content = CONTENT): Message {
  return {
    id: "4f2a",
    envelope: { sender: "a@example.org", recipients: ["b@example.com", "c@example.com"] },
    client: { facts: { name: "mx.example.org", helo: "mx" }, address: "192.0.2.7" },
    size: content.length,
    lineEnds: "lf",
    crLines: 0,
    // In pieces.
    chunks: async function* () {
      for (let at = 0; at < content.length; at += 10) yield bytesOf(content.slice(at, at + 10));
    },
    file: () => Promise.reject(new Error("nobody wants its file")),
    ...change,
  };
}

/** The messages that a quarantine says it has. */
export async function entries(disk: FakeDisk): Promise<Entry[]> {
  const { kept } = await readContents(disk, DIRECTORY);
  const all: Entry[] = [];
  for (const id of kept) {
    const entry = await readEntry(disk, DIRECTORY, id);
    if (entry) all.push(entry);
  }
  return all;
}

export function contentOf(disk: FakeDisk, id: string): string {
  return textOf(disk.octetsOf(`${DIRECTORY}/${id}.eml`));
}
