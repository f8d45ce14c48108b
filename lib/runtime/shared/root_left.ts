// Whether a process that gave up root still has something of it. Linux tells it in /proc, for each thread. Pure.

import type { Account } from "../../ports/runtime.ts";

const IDS = ["Uid", "Gid"] as const;
const CAPABILITIES = ["CapPrm", "CapEff", "CapAmb"] as const;

/**
 * What a thread still has that `account` has not; undefined if there is nothing. `status` is the text of the thread's file
 * `status` (proc_pid_status(5)).
 */
export function rootLeft(status: string, { uid, gid }: Account): string | undefined {
  const fields = new Map(
    [...status.matchAll(/^(\w+):[ \t]*(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
  for (const name of IDS) {
    const id = String(name === "Uid" ? uid : gid);
    // The real, the effective, the saved and the file system's id.
    const ids = fields.get(name)?.split(/\s+/) ?? [];
    if (ids.some((one) => one !== id)) return `${name} ${ids.join(" ")}`;
  }
  const left = CAPABILITIES.find((name) => /[1-9a-f]/.test(fields.get(name) ?? ""));
  return left === undefined ? undefined : `${left} ${fields.get(left)}`;
}
