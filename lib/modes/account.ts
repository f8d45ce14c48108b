// Looks up a user of this host, by name or by number.
//
// getent(1) asks all sources of users that nsswitch.conf(5) names, such as a directory server. If it is missing, only
// /etc/passwd is read.

import { IoError } from "../ports/io_error.ts";
import type { Account, Runtime } from "../ports/runtime.ts";
import { readTextFile } from "../ports/small_file.ts";
import { concat, textOf } from "../text/octets.ts";

// A directory server may be slow. In milliseconds.
const LIMIT = 10_000;

// No entry is longer. In octets.
const ENTRY_LIMIT = 65536;

// The exit statuses of getent(1), and those of a shell that cannot run it.
const FOUND = 0;
const UNKNOWN = 2;
const NO_PROGRAM = [126, 127];

/** The account of the user `name`; undefined if there is none. Throws `IoError` if it cannot be looked up now. */
export async function findAccount(
  runtime: Pick<Runtime, "clock" | "files" | "processes">,
  name: string,
): Promise<Account | undefined> {
  return parsePasswd(await askGetent(runtime, name) ?? await readTextFile(runtime.files, "/etc/passwd"), name);
}

/** The account of the user `name` in lines of passwd(5). A name goes before a number. */
export function parsePasswd(text: string, name: string): Account | undefined {
  const accounts = text.split("\n").flatMap((line) => {
    const [, own = "", uid, gid] = /^([^:]+):[^:]*:([0-9]{1,10}):([0-9]{1,10}):/.exec(line) ?? [];
    return uid === undefined ? [] : [{ name: own, uid: Number(uid), gid: Number(gid) }];
  });
  return accounts.find((account) => account.name === name) ?? accounts.find(({ uid }) => String(uid) === name);
}

/** The output of getent(1); empty if it knows no such user; undefined if there is no getent. */
async function askGetent(
  { clock, processes }: Pick<Runtime, "clock" | "processes">,
  name: string,
): Promise<string | undefined> {
  const what = `cannot look up the user ${name}`;
  let child;
  try {
    child = await processes.startTalking(["getent", "passwd", name]);
  } catch (error) {
    if (error instanceof IoError && error.kind === "missing") return undefined;
    throw error;
  }
  let isLate = false;
  const cancel = clock.after(LIMIT, () => {
    isLate = true;
    child.signalGroup("SIGKILL");
  });
  try {
    child.closeStderr();
    const parts: Uint8Array[] = [];
    for (let piece = await child.readStdout(); piece; piece = await child.readStdout()) {
      parts.push(piece.slice());
      if (parts.reduce((size, { length }) => size + length, 0) > ENTRY_LIMIT) child.signalGroup("SIGKILL");
    }
    const end = await child.ended;
    if ("exit" in end) {
      if (end.exit === FOUND) return textOf(concat(parts));
      if (end.exit === UNKNOWN) return "";
      if (NO_PROGRAM.includes(end.exit)) return undefined;
    }
    const how = isLate ? `no answer within ${LIMIT / 1000} s` : `it ended with ${Object.values(end)[0]}`;
    throw new IoError(isLate ? "timeout" : "other", `${what}: getent: ${how}`);
  } finally {
    cancel();
    child.hangUp();
  }
}
