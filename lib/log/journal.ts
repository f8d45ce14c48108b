// Sends lines to systemd's journal in its own protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL). There each field of a
// line is a field of the entry: `verdict` is POSTPROX_VERDICT. MESSAGE is the same line as without
// this protocol.
//
// Each line is one datagram. A value is cut where the plain line cuts it, and escaped as there. So it has no line end, and
// no stranger can add a field.

import { IoError } from "../ports/io_error.ts";
import type { DatagramSender, Files, Runtime } from "../ports/runtime.ts";
import { bytesOf } from "../text/octets.ts";
import { escapeText } from "../text/quoting.ts";
import { cutValue, type Entry, type Level, SEVERITY } from "./logger.ts";

/** The journal takes lines there. */
export const JOURNAL_SOCKET = "/run/systemd/journal/socket";

// If syslog is this one, the journal reads it.
const JOURNALS_SYSLOG = "/run/systemd/journal/dev-log";

/** syslog's facility mail (RFC 5424 s.6.2.1). A syslog daemon behind the journal sorts by it. */
const FACILITY_MAIL = 2;

/** The fields of `entry`, each with a line end. */
export function journalFields({ id, name, words, text, fields = {}, limit }: Entry): string {
  const all = {
    session: id === "-" ? undefined : id,
    event: words === "" ? name : words,
    text: text === "" ? undefined : text,
    ...fields,
  };
  return Object.entries(all)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) =>
      `POSTPROX_${key.toUpperCase().replace(/[^A-Z0-9_]/g, "_")}=${escapeText(cutValue(String(value), limit))}\n`
    )
    .join("");
}

/** The datagram for a line. `message` is its text, and `fields` come from `journalFields`. */
export function formatJournal(level: Level, message: string, { pid, fields }: { pid: number; fields: string }) {
  const head = `PRIORITY=${SEVERITY[level]}\nSYSLOG_FACILITY=${FACILITY_MAIL}\nSYSLOG_IDENTIFIER=postprox\n`;
  return bytesOf(`${head}SYSLOG_PID=${pid}\nMESSAGE=${message.replaceAll("\n", " ")}\n${fields}`);
}

/** Whether the journal is at hand, and reads what is written to the syslog at `path`. */
export async function isJournalsSyslog(files: Pick<Files, "stat">, path: string): Promise<boolean> {
  const [given, journals] = [await identityOf(files, path), await identityOf(files, JOURNALS_SYSLOG)];
  return given !== undefined && given === journals && await isJournalHere(files);
}

export async function isJournalHere(files: Pick<Files, "stat">): Promise<boolean> {
  return await identityOf(files, JOURNAL_SOCKET) !== undefined;
}

async function identityOf(files: Pick<Files, "stat">, path: string): Promise<string | undefined> {
  try {
    const { kind, device, inode } = await files.stat(path);
    return kind === "socket" ? `${device}:${inode}` : undefined;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return undefined;
  }
}

/** A function that sends one line to the journal. Its text is `message`. It throws `IoError` if that fails. */
export function journalSender(
  { network, pid }: Pick<Runtime, "network" | "pid">,
): (level: Level, message: string, fields: string) => Promise<void> {
  let socket: DatagramSender | undefined;
  return async (level, message, fields) => {
    socket ??= await network.datagrams(JOURNAL_SOCKET);
    await socket.send(formatJournal(level, message, { pid, fields }));
  };
}
