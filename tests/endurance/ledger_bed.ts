// The programs for the ledger: two Postfixes, before and after the filter, and postprox between them in both modes.
//
//     stranger -> before-filter smtpd(8) -> postprox -> after-filter smtpd(8) -> Maildir
//
// They are two instances, so that the far one can be stopped, started and killed while the near one goes on. Each proxy
// can also be reached without the near one, where only postprox makes the promise. Every proxy logs the dialogue, which
// tells which process served which message. `kills` has what SIGKILL ended, and when. openLedgerBed() gives all of it
// cleans up and throws. closeLedgerBed() ends everything that is left. Needs root and Postfix.

import { drain, install, type Installed, isAlive, processesOf, startListening } from "../e2e/installed.ts";
import { fromFileUrl } from "../e2e/paths.ts";
import { createPostfix, findProgram, type Postfix, readOctets, USER } from "../e2e/postfix.ts";
import { afterFilter, beforeFilter, spawnedProxy } from "../e2e/postfix_config.ts";
import { kill } from "../e2e/start.ts";
import { until } from "../rig/wait.ts";
import { freePorts } from "../rig/ports.ts";

/** The proxies, by what makes them differ. `FILTER` stands for the path of the filter. */
const PROXIES = {
  /** Keeps messages in memory, has no filter. */
  plain: [],
  /** A message that the filter cannot judge passes. */
  filter: ["-c", "FILTER", "-t", "0.6"],
  /** A message that the filter cannot judge gets a 451. */
  strict: ["-c", "FILTER", "-t", "0.6", "-r"],
  /** Does not wait long for a reply to the final dot. */
  hasty: ["-c", "FILTER", "--dot-timeout", "0.3"],
  /** Only for listen mode. */
  workers: ["-c", "FILTER", "-t", "0.6", "--workers=2"],
} satisfies Record<string, string[]>;

export type ProxyName = keyof typeof PROXIES;
export type Mode = "listen" | "spawn";

/** Whom the client speaks to: postprox itself, or the Postfix before it. */
export type Front = "postprox" | "Postfix";

const NAMES = Object.keys(PROXIES) as ProxyName[];

/** In a hurry after a fault: master(8) starts a service again, and qmgr(8) tries a delivery again, after a second. */
const TUNING = `service_throttle_time = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
`;

export interface Kill {
  readonly pid: number;
  /** As Date.now() gives it. */
  readonly at: number;
}

export interface LedgerBed {
  readonly before: Postfix;
  readonly after: Postfix;
  readonly installed: Installed;
  readonly afterPort: number;
  /** Pids of the listening proxies. */
  readonly listeners: Map<ProxyName, number>;
  /** The processes of postprox that got a SIGKILL. */
  readonly kills: Kill[];
  port(front: Front, mode: Mode, proxy: ProxyName): number;
  /** The arguments of a proxy. */
  words(mode: Mode, proxy: ProxyName): string[];
}

export async function openLedgerBed(): Promise<LedgerBed> {
  const before = createPostfix();
  const after = createPostfix();
  try {
    const installed = await install(before);
    const filter = `${before.dir}/ledger-filter`;
    Deno.copyFileSync(fromFileUrl(new URL("./filter.sh", import.meta.url)), filter);
    Deno.chmodSync(filter, 0o755);
    const bed = await layOut(before, after, { installed, filter });
    await Promise.all([after.start([afterFilter(bed.afterPort)], TUNING), before.start(bed.entries, TUNING)]);
    await startListeners(bed);
    return bed;
  } catch (error) {
    await cleanUp(before, after).catch(() => {}); // Why it began is what matters.
    throw error;
  }
}

export async function closeLedgerBed({ before, after }: LedgerBed): Promise<void> {
  await cleanUp(before, after);
}

async function layOut(
  before: Postfix,
  after: Postfix,
  { installed, filter }: { installed: Installed; filter: string },
): Promise<LedgerBed & { entries: string[] }> {
  const [afterPort = 0, ...free] = await freePorts(1 + 4 * NAMES.length);
  const keys = NAMES.flatMap((name) => [`listen-${name}`, `spawn-${name}`]);
  const ports = new Map(
    keys.flatMap((key, i) => [[`postprox-${key}`, free[2 * i]!], [`Postfix-${key}`, free[2 * i + 1]!]]),
  );
  const port = (front: Front, mode: Mode, proxy: ProxyName) => ports.get(`${front}-${mode}-${proxy}`)!;
  const words = (mode: Mode, proxy: ProxyName) => {
    const options = PROXIES[proxy].map((word) => word === "FILTER" ? filter : word);
    const log = `--log=${installed.logs}/${mode}-${proxy}.log`;
    return ["-vv", "-d", installed.spool, log, ...options, `127.0.0.1:${afterPort}`];
  };
  const entries = NAMES.flatMap((name) => [
    spawnedProxy(port("postprox", "spawn", name), USER, [installed.program, ...words("spawn", name)]),
    ...(["listen", "spawn"] as const).map((mode) =>
      beforeFilter({
        port: port("Postfix", mode, name),
        proxy: `127.0.0.1:${port("postprox", mode, name)}`,
        speedAdjust: mode === "spawn",
      }) + "    -o smtpd_client_connection_count_limit=0\n"
    ),
  ]);
  return { before, after, installed, afterPort, listeners: new Map(), kills: [], port, words, entries };
}

async function tellPostfix(postfix: Postfix, word: string): Promise<void> {
  const output = await new Deno.Command(findProgram("postfix"), { args: ["-c", `${postfix.dir}/etc`, word] }).output();
  if (output.success) return;
  throw new Error(`postfix ${word} failed: ${new TextDecoder().decode(output.stderr)}`);
}

/** Ends what no polite way has ended, and removes everything. */
async function cleanUp(before: Postfix, after: Postfix): Promise<void> {
  for (const pid of processesOf(before).keys()) kill(pid);
  const results = await Promise.allSettled([before.stop(), after.stop()]);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

// --- postprox

/** Starts listen mode of every proxy that does not run. */
export async function startListeners(bed: LedgerBed): Promise<void> {
  await Promise.all(NAMES.map(async (name) => {
    const running = bed.listeners.get(name);
    if (running !== undefined && isAlive(running)) return;
    const port = bed.port("postprox", "listen", name);
    bed.listeners.set(name, await startListening(bed.installed, bed.words("listen", name), port));
  }));
}

/** Ends listen mode as an administrator does, by SIGTERM. */
export async function stopListeners({ listeners }: LedgerBed): Promise<void> {
  await Promise.all([...listeners.values()].filter(isAlive).map(drain));
}

/** SIGHUP for every listening proxy. */
export function reloadListeners({ listeners }: LedgerBed): void {
  for (const pid of listeners.values()) kill(pid, "SIGHUP");
}

/** SIGKILL for every listening proxy that is one process; none is left when this returns. */
export async function killListeners({ listeners, kills }: LedgerBed): Promise<void> {
  const pids = [...listeners].filter(([name]) => name !== "workers").map(([_, pid]) => pid);
  for (const pid of pids) {
    kill(pid);
    kills.push({ pid, at: Date.now() });
  }
  await until(() => !pids.some(isAlive), "the end of the listening proxies");
}

/** SIGKILL for a worker of a listening proxy. */
export function killListenWorker({ listeners, kills }: LedgerBed, pick: <T>(of: readonly T[]) => T): void {
  const workers = childrenOf(listeners.get("workers")!);
  if (workers.length === 0) return;
  const pid = pick(workers);
  kill(pid);
  kills.push({ pid, at: Date.now() });
}

function childrenOf(pid: number): number[] {
  const threads = [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => `/proc/${pid}/task/${name}/children`);
  return threads.flatMap((file) => Deno.readTextFileSync(file).split(" ")).filter((word) => word !== "").map(Number);
}

/** SIGKILL for one process that spawn(8) has started, where there is one; its filter is left to itself. */
export function killSpawned({ before, kills }: LedgerBed, pick: <T>(of: readonly T[]) => T): void {
  const workers = [...processesOf(before)].filter(([_, words]) => /--log=\S+\/spawn-/.test(words));
  if (workers.length === 0) return;
  const [pid] = pick(workers);
  kill(pid);
  kills.push({ pid, at: Date.now() });
}

// --- downstream

export async function stopDownstream({ after }: LedgerBed): Promise<void> {
  await tellPostfix(after, "stop");
}

export async function startDownstream({ after }: LedgerBed): Promise<void> {
  Deno.writeTextFileSync(`${after.dir}/queue/quick-start`, ""); // Each start takes it away.
  await tellPostfix(after, "start");
}

/** The after-filter Postfix's smtpd(8) processes. */
export function downstreamServers({ after }: LedgerBed): number[] {
  const read = (path: string) => {
    try {
      return readOctets(path).trim();
    } catch {
      return ""; // Gone meanwhile.
    }
  };
  const master = read(`${after.dir}/queue/pid/master.pid`);
  const children = read(`/proc/${master}/task/${master}/children`).split(" ").map(Number);
  return children.filter((pid) => pid > 0 && read(`/proc/${pid}/comm`) === "smtpd");
}

/** Waits until no server holds a message that could still be delivered, and the queue is empty. */
export async function downstreamSettled({ after, afterPort }: LedgerBed): Promise<void> {
  const local = `0100007F:${afterPort.toString(16).toUpperCase().padStart(4, "0")}`;
  const ESTABLISHED = "01";
  const CLOSE_WAIT = "08";
  const isOpen = (line: string) => {
    const [_, address, __, state] = line.trim().split(/\s+/);
    return address === local && (state === ESTABLISHED || state === CLOSE_WAIT);
  };
  const left = () => [
    ...Deno.readTextFileSync("/proc/net/tcp").split("\n").filter(isOpen),
    ...after.queue().filter(isWhole),
  ];
  await until(
    async () => {
      if (left().length > 0) return false;
      await new Promise((resume) => setTimeout(resume, 200));
      return left().length === 0;
    },
    () => `the after-filter Postfix to be done with ${left().join("; ")}`,
    60_000,
  );
}

// A queue file gets the right to be executed when it is complete. A cleanup(8) that was ended before leaves one without it,
// which nobody delivers.
function isWhole(path: string): boolean {
  try {
    return (Deno.statSync(path).mode! & 0o100) !== 0;
  } catch {
    return false; // Gone meanwhile.
  }
}
