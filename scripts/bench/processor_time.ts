// The processor time of processes and all that they have started (proc(5)).
//
// A child that has ended counts as long as its parent waited for it: the kernel then adds its time to the parent's. The
// unit is the clock tick, 10 ms, so a measurement should take a second or more. The time of a child that nobody waits for
// is lost, and so is that of a child whose parent ended first.

const TICK = 10;

interface Entry {
  readonly parent: number;
  /** Its own, and that of the children it has waited for. */
  readonly ticks: number;
}

/** In milliseconds, so far, of these processes and of all their descendants that run. */
export function processorTime(pids: readonly number[]): number {
  const entries = readEntries();
  const isOurs = new Map<number, boolean>(pids.map((pid) => [pid, true]));
  const belongs = (pid: number): boolean => {
    const known = isOurs.get(pid);
    if (known !== undefined) return known;
    const parent = entries.get(pid)?.parent ?? 0;
    const answer = parent > 0 && belongs(parent);
    isOurs.set(pid, answer);
    return answer;
  };
  let ticks = 0;
  for (const [pid, entry] of entries) if (belongs(pid)) ticks += entry.ticks;
  return ticks * TICK;
}

function readEntries(): Map<number, Entry> {
  const entries = new Map<number, Entry>();
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      entries.set(Number(name), parseStat(Deno.readTextFileSync(`/proc/${name}/stat`)));
    } catch {
      // It has just ended.
    }
  }
  return entries;
}

/** Of /proc/PID/stat. */
export function parseStat(text: string): Entry {
  // The second field is the name, in parentheses. It may contain anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { parent: Number(fields[1]), ticks };
}
