// The words between `postprox reload` and the process that serves.
//
// They talk over a unix socket in the first directory of RUNTIME_DIRECTORY (systemd.exec(5)). A connection has one question and
// its answer, so no answer can be that of another reload or of an earlier process. The question is a line of words. The answer
// is a line of JSON. The two sides may be of different versions.

import type { Conn } from "../ports/runtime.ts";
import { LF, textOf } from "../text/octets.ts";

/** What has become of a reload. */
export type ReloadOutcome =
  /** The new settings hold, except those of options that only a start reads. */
  | { readonly isDone: true; readonly needsRestart: readonly string[] }
  /** All stays as it was. `why` has a line for each reason. */
  | { readonly isDone: false; readonly why: string };

/** The process `pid` answers. The question was for another one, so it has done nothing. */
export interface OtherProcess {
  readonly pid: number;
}

export const ENDING: ReloadOutcome = { isDone: false, why: "postprox ends" };

/** An error that no code expected. */
export const BUG: ReloadOutcome = { isDone: false, why: "internal error: see the log" };

/** The longest answer in octets. A longer list of reasons is cut: the log has all of them. */
export const ANSWER_LIMIT = 65536;

// JSON writes a control character in 6 octets, and UTF-8 any other in 3 at most.
const REASONS_LIMIT = 10_000;

/** The directory of the socket; undefined if the service manager has made none. */
export function runtimeDirectory(variable: (name: string) => string | undefined): string | undefined {
  const [first = ""] = (variable("RUNTIME_DIRECTORY") ?? "").split(":");
  return first.startsWith("/") ? first : undefined;
}

export function reloadSocket(directory: string): string {
  return `${directory}/reload.sock`;
}

/** `pid` is the process that shall answer; undefined for any. */
export function formatQuestion(pid: number | undefined): string {
  return pid === undefined ? "reload\n" : `reload ${pid}\n`;
}

/** Undefined if the line, without its end, is no question. */
export function parseQuestion(line: string): { readonly pid: number | undefined } | undefined {
  const [is, pid] = /^reload(?: ([0-9]{1,10}))?$/.exec(line) ?? [];
  return is === undefined ? undefined : { pid: pid === undefined ? undefined : Number(pid) };
}

export function formatAnswer(answer: ReloadOutcome | OtherProcess): string {
  const short = "why" in answer && answer.why.length > REASONS_LIMIT
    ? { ...answer, why: `${answer.why.slice(0, REASONS_LIMIT)}...\nthe log has more` }
    : answer;
  return `${JSON.stringify(short)}\n`;
}

/** Undefined if the line, without its end, is no answer. */
export function parseAnswer(line: string): ReloadOutcome | OtherProcess | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof answer !== "object" || answer === null) return undefined;
  const { isDone, needsRestart, why, pid } = answer as Readonly<Record<string, unknown>>;
  if (isDone === true && Array.isArray(needsRestart)) return { isDone, needsRestart: needsRestart.map(String) };
  if (isDone === false && typeof why === "string") return { isDone, why };
  return typeof pid === "number" ? { pid } : undefined;
}

/**
 * The first line, without its end; undefined if the other side ends before. If `limit` octets have no end of a line, it is all of
 * them. Throws `IoError`.
 */
export async function readLine(conn: Pick<Conn, "read">, limit: number): Promise<string | undefined> {
  const room = new Uint8Array(limit);
  for (let size = 0; size < limit;) {
    const count = await conn.read(room.subarray(size));
    if (count === null) return undefined;
    const end = room.subarray(0, size + count).indexOf(LF, size);
    if (end >= 0) return textOf(room.subarray(0, end));
    size += count;
  }
  return textOf(room);
}
