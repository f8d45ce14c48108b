// The processor time of processes and all that they have started (proc(5)).
//
// A child that has ended counts as long as its parent waited for it: the kernel then adds its time to the parent's. The
// time of a child that nobody waits for is lost, and so is that of a child whose parent ended first. A process that runs has a
// clock (clock_getcpuclockid(3)). The unit of children that have ended is the clock tick, 10 ms. So a measurement of those
// should take a second or more.

const TICK = 10;

interface Entry {
  readonly parent: number;
  /** Of itself. */
  readonly ticks: number;
  /** Of the children that it has waited for. */
  readonly waitedTicks: number;
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
  let time = 0;
  for (const [pid, { ticks, waitedTicks }] of entries) {
    if (belongs(pid)) time += (clockOf(pid) ?? ticks * TICK) + waitedTicks * TICK;
  }
  return time;
}

const { symbols: libc } = Deno.dlopen("libc.so.6", { clock_gettime: { parameters: ["i32", "buffer"], result: "i32" } });

// From the kernel's posix-timers.h: the clock of a whole process, all its threads, to the nanosecond.
const CPUCLOCK_SCHED = 2;

/** The milliseconds of a process that runs; undefined if it has ended. */
function clockOf(pid: number): number | undefined {
  const time = new BigInt64Array(2);
  if (libc.clock_gettime((~pid << 3) | CPUCLOCK_SCHED, time) !== 0) return undefined;
  return Number(time[0]) * 1000 + Number(time[1]) / 1e6;
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
  const [user = 0, system = 0, waitedUser = 0, waitedSystem = 0] = fields.slice(11, 15).map(Number);
  return { parent: Number(fields[1]), ticks: user + system, waitedTicks: waitedUser + waitedSystem };
}
