// The servers for the end-to-end tests: one Postfix, joined to postprox in every possible way.
//
// A set-up is {spawn, listen} x {plain, speed_adjust}. Each mode has several proxies with different options. Each proxy
// has two before-filter servers in front of it, plain and speed_adjust. All share one after-filter server. Everything
// is started once, because Postfix takes a second to start and another to stop. openBed() either gives all of it or
// cleans up and throws. closeBed() ends everything that a test has left.

import { freePorts } from "../rig/ports.ts";
import { afterFilter, beforeFilter, spawnedProxy } from "./postfix_config.ts";
import { install, type Installed, isAlive, processesOf, startListening, stop } from "./installed.ts";
import { createPostfix, type Postfix, USER } from "./postfix.ts";

/** The proxies of each mode, by what makes them differ. */
const PROXIES = {
  /** A filter has all the time it wants. */
  patient: ["-t", "60"],
  /** A filter has a second, then the message passes. */
  hasty: ["-t", "1"],
  /** A filter that fails, or needs more than a second, costs the message a 451. */
  strict: ["-r", "-t", "1"],
  /** The after-filter server is not there. */
  cut: [],
} satisfies Record<string, string[]>;

export type ProxyName = keyof typeof PROXIES;
export type Mode = "spawn" | "listen";

export interface Setup {
  mode: Mode;
  speedAdjust: boolean;
  /** For the names of tests. */
  name: string;
}

export const MODES: Mode[] = ["spawn", "listen"];
export const SETUPS: Setup[] = MODES.flatMap((mode) =>
  [false, true].map((speedAdjust) => ({ mode, speedAdjust, name: speedAdjust ? `${mode}, speed_adjust` : mode }))
);

export interface Bed {
  postfix: Postfix;
  installed: Installed;
  /** The after-filter server. */
  afterPort: number;
  /** A port on which nobody listens before a test does. */
  latePort: number;
  /** A spawn entry whose options are wrong. */
  misconfiguredPort: number;
  /** A before-filter server whose proxy is under spawn(8) on a UNIX-domain socket. */
  unixPort: number;
  /** Before-filter servers in front of latePort. */
  beforeLate(speedAdjust: boolean): number;
  /** A before-filter server that waits two seconds for the patient proxy of a mode. */
  beforeImpatient(mode: Mode): number;
  /** The before-filter server of a set-up in front of one of its proxies. */
  before(setup: Pick<Setup, "mode" | "speedAdjust">, proxy?: ProxyName): number;
  /** The proxy itself, as Postfix reaches it. */
  proxy(mode: Mode, proxy?: ProxyName): number;
  /** The arguments of a proxy. */
  words(name: string, options?: readonly string[]): string[];
  /** Pids of the listening proxies. */
  listeners: Set<number>;
}

export async function openBed(): Promise<Bed> {
  const postfix = createPostfix();
  try {
    const installed = await install(postfix);
    const bed = await layOut(postfix, installed);
    await postfix.start(bed.entries);
    for (const [name, options] of Object.entries(PROXIES)) {
      const port = bed.proxy("listen", name as ProxyName);
      const words = bed.words(`listen-${name}`, options);
      bed.listeners.add(await startListening(installed, words, port));
    }
    return bed;
  } catch (error) {
    await cleanUp(postfix).catch(() => {}); // Why it began is what matters.
    throw error;
  }
}

export async function closeBed(bed: Bed): Promise<void> {
  try {
    await stopListeners(bed);
  } finally {
    await cleanUp(bed.postfix);
  }
}

/** Ends listen mode as an administrator does. */
export async function stopListeners({ listeners }: Bed): Promise<void> {
  for (const pid of listeners) {
    listeners.delete(pid);
    if (isAlive(pid)) await stop(pid);
  }
}

/** Ends what no polite way has ended, and removes everything. */
export async function cleanUp(postfix: Postfix): Promise<void> {
  for (const pid of processesOf(postfix).keys()) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // Gone meanwhile.
    }
  }
  await postfix.stop();
}

async function layOut(postfix: Postfix, installed: Installed): Promise<Bed & { entries: string[] }> {
  const ports = new PortBook(await freePorts(40));
  const afterPort = ports.of("after");
  const entries = [afterFilter(afterPort)];

  const words = (name: string, options: readonly string[] = []) => {
    const { filter, spool, logs } = installed;
    const downstream = `127.0.0.1:${ports.of(name.endsWith("cut") ? "nobody" : "after")}`;
    return ["-v", "-c", filter, "-d", spool, `--log=${logs}/${name}.log`, ...options, downstream];
  };
  const spawned = (where: number | string, name: string, options: readonly string[]) =>
    entries.push(spawnedProxy(where, USER, [installed.program, ...words(name, options)]));
  const inFront = (key: string, proxy: string, options: { speedAdjust: boolean; patience?: string }) =>
    entries.push(beforeFilter({ port: ports.of(key), proxy, ...options }));

  for (const mode of MODES) {
    for (const [name, options] of Object.entries(PROXIES)) {
      const proxy = `${mode}-${name}`;
      if (mode === "spawn") spawned(ports.of(proxy), proxy, options);
      for (const speedAdjust of [false, true]) {
        inFront(`before-${proxy}-${speedAdjust}`, `127.0.0.1:${ports.of(proxy)}`, { speedAdjust });
      }
    }
    const patient = `127.0.0.1:${ports.of(`${mode}-patient`)}`;
    inFront(`before-impatient-${mode}`, patient, { speedAdjust: false, patience: "2s" });
  }
  for (const speedAdjust of [false, true]) {
    inFront(`before-late-${speedAdjust}`, `127.0.0.1:${ports.of("late")}`, { speedAdjust });
  }
  spawned("postprox", "spawn-unix", []);
  inFront("before-unix", "unix:private/postprox", { speedAdjust: false });
  spawned(ports.of("misconfigured"), "spawn-misconfigured", ["-t", "0"]);

  return {
    postfix,
    installed,
    afterPort,
    latePort: ports.of("late"),
    misconfiguredPort: ports.of("misconfigured"),
    unixPort: ports.of("before-unix"),
    beforeLate: (speedAdjust) => ports.of(`before-late-${speedAdjust}`),
    beforeImpatient: (mode) => ports.of(`before-impatient-${mode}`),
    before: ({ mode, speedAdjust }, proxy = "patient") => ports.of(`before-${mode}-${proxy}-${speedAdjust}`),
    proxy: (mode, proxy = "patient") => ports.of(`${mode}-${proxy}`),
    words,
    listeners: new Set(),
    entries,
  };
}

/** Gives each name a free port, the same one each time. */
class PortBook {
  readonly #free: number[];
  readonly #taken = new Map<string, number>();

  constructor(free: number[]) {
    this.#free = [...free];
  }

  of(name: string): number {
    const port = this.#taken.get(name) ?? this.#free.pop();
    if (port === undefined) throw new Error(`no port is left for ${name}`);
    this.#taken.set(name, port);
    return port;
  }
}
