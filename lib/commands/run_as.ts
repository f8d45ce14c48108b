// The user of --user: who it is, and how this process becomes that user.
//
// A process that root has started opens first what only root may open: the address, the file of --pid-file, the log, the
// files of rules. Then it gives up root for good, before it takes mail and before it starts any program.

import { tell } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import { findAccount } from "../modes/account.ts";
import { IoError } from "../ports/io_error.ts";
import type { Account, Files, Runtime } from "../ports/runtime.ts";
import { orTempfail, UsageError } from "../ports/start_error.ts";
import { quote } from "../text/quoting.ts";

const ROOT = 0;

/**
 * The account that this process must become to run as the user `name`; undefined if there is nothing to do. Throws a
 * `StartError`.
 */
export async function accountToBecome(runtime: Runtime, name: string | undefined): Promise<Account | undefined> {
  if (name === undefined) return undefined;
  const finding = findAccount(runtime, name);
  const account = await orTempfail("--user", finding, () => "try again, or name a user in /etc/passwd");
  if (!account) {
    throw new UsageError(`option --user: this host has no user ${quote(name)}: give one that it has, such as postprox`);
  }
  const uid = runtime.privileges.uid();
  if (uid === account.uid && uid !== ROOT) return undefined;
  if (uid === ROOT) return account;
  throw new UsageError(
    `option --user: only root can become ${quote(name)}: start postprox as root, or as that user`,
  );
}

/** Makes this process run as `account`, for good. `own` are paths that must belong to that user. Throws a `StartError`. */
export async function becomeAccount(
  { privileges }: Pick<Runtime, "privileges">,
  account: Account,
  own: readonly string[] = [],
): Promise<void> {
  const become = async () => {
    for (const path of own) await privileges.give(path, account);
    await privileges.become(account);
  };
  await orTempfail("--user", become(), () => "start postprox as root, with the capabilities SETUID, SETGID and CHOWN");
}

/**
 * Opens the log file at `path` by `open`, as root. A file that is new belongs to `account`, because a SIGHUP opens it again.
 * Throws a `UsageError` for a link that another user can change.
 */
export async function openLogFor(
  { files, privileges }: Pick<Runtime, "files" | "privileges">,
  path: string,
  { account, open }: { account: Account; open: () => Promise<Logger> },
): Promise<Logger> {
  const before = await lookAt(files, path);
  if (before?.kind === "link" && !before.isOwn) {
    throw new UsageError(`option --log: ${quote(path)} is a link of another user: give the path of the file itself`);
  }
  const logger = await open();
  if (!before) await privileges.give(path, account);
  return logger;
}

async function lookAt(files: Files, path: string) {
  try {
    return await files.lstat(path);
  } catch (error) {
    if (error instanceof IoError && error.kind === "missing") return undefined;
    throw error;
  }
}

/** Logs which of the files that SIGHUP opens again this process cannot open, now that it is not root any more. */
export async function noteLostFiles(
  { files }: Pick<Runtime, "files">,
  logger: Logger,
  { read, log }: { read: readonly string[]; log: string | undefined },
): Promise<void> {
  const opens = [...read.map((path) => files.open(path)), ...log === undefined ? [] : [files.openLog(log)]];
  for (const opened of await Promise.allSettled(opens)) {
    if (opened.status === "fulfilled") opened.value.close();
    else if (opened.reason instanceof IoError) tell(logger, "notForUser", { why: opened.reason.message });
    else throw opened.reason;
  }
}
