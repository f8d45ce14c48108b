// Gives up root on Bun. This is loaded only if it is asked for.

import * as fs from "node:fs";
import process from "node:process";
import { ioError } from "./api.ts";
import { IoError } from "../../ports/io_error.ts";
import type { Account } from "../../ports/runtime.ts";
import { rootLeft } from "../shared/root_left.ts";

/** The types of the process do not name this function, but Bun has it. */
interface Initgroups {
  /** Sets the groups of the process to those of the user `name`, and `group` (initgroups(3)). */
  initgroups(name: string, group: number): void;
}

/** See `Privileges`. */
export function become(account: Account): void {
  const { name, uid, gid } = account;
  const what = `cannot become ${name}`;
  try {
    // The user goes last, because only root may change the groups.
    (process as unknown as Initgroups).initgroups(name, gid);
    process.setgid!(gid);
    process.setuid!(uid);
  } catch (error) {
    throw ioError(error, what);
  }
  const left = uid === 0 ? undefined : whatIsLeft(account);
  if (left !== undefined) throw new IoError("denied", `${what}: something of root is left: ${left}`);
}

function whatIsLeft(account: Account): string | undefined {
  for (const wayBack of ["setuid", "seteuid"] as const) {
    try {
      process[wayBack]!(0);
      return wayBack;
    } catch {
      // As it must be.
    }
  }
  for (const status of statuses()) {
    const left = rootLeft(status, account);
    if (left !== undefined) return left;
  }
  return undefined;
}

// Without /proc there is nothing to look at.
function statuses(): string[] {
  try {
    return fs.readdirSync("/proc/self/task").map((thread) => {
      try {
        return fs.readFileSync(`/proc/self/task/${thread}/status`, "utf8");
      } catch {
        // The thread has ended.
        return "";
      }
    });
  } catch {
    return [];
  }
}

export function give(path: string, { uid, gid }: Account): void {
  try {
    fs.lchownSync(path, uid, gid);
  } catch (error) {
    throw ioError(error, `cannot change the owner of ${path}`);
  }
}
