// The faults of the ledger, as data. Each says how many messages go which way, what their clients do, and what happens
// to postprox or downstream meanwhile.
//
// Counts are those of the full run. A share of it has at least a few of each. A seed decides what is random in the
// plan. The machine decides when a fault meets a message.

import type { Front, LedgerBed, Mode, ProxyName } from "./ledger_bed.ts";
import {
  downstreamServers,
  killListeners,
  killListenWorker,
  killSpawned,
  reloadListeners,
  startDownstream,
  startListeners,
  stopDownstream,
  stopListeners,
} from "./ledger_bed.ts";
import type { Leaving, Order, Plan, Point } from "./ledger_sender.ts";
import { kill } from "../e2e/start.ts";
import { until } from "../rig/wait.ts";

export interface Stage {
  readonly front: Front;
  readonly mode: Mode;
  readonly fault: string;
  readonly count: number;
  readonly proxies: readonly ProxyName[];
  readonly plan: (random: Random) => Omit<Plan, "id" | "size">;
  readonly trouble?: {
    /** It is done again after this many messages were begun since the last time. */
    readonly every: number;
    readonly make: (bed: LedgerBed, random: Random) => Promise<void>;
    /** Milliseconds after which a client comes back that had no success. */
    readonly patience: number;
  };
}

/** Numbers from a seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.next() * of.length)]!;
  }
}

// --- what clients do

const ORDINARY: readonly Order[] = ["pass", "pass", "pass", "pass", "pass", "replace", "refuse"];
const LEAVINGS: readonly Leaving[] = ["finish", "close", "close", "reset"];

const stays = (orders: readonly Order[]): Stage["plan"] => (random) => ({ order: random.pick(orders) });

function leaves(order: Order, at: (random: Random) => Point): Stage["plan"] {
  return (random) => ({ order, leave: { how: random.pick(LEAVINGS), at: at(random) } });
}

const beforeData = leaves("pass", (random) => ({ kind: "command", number: random.pick([0, 1, 2]) }));
const inData = leaves("pass", (random) => ({ kind: "content", part: random.next() }));
const atTheDot = leaves("pass", () => ({ kind: "dot", milliseconds: 0 }));
const duringFilter = leaves("slow", (random) => ({ kind: "dot", milliseconds: random.between(20, 280) }));
const aboutTheReply = leaves("pass", (random) => ({ kind: "dot", milliseconds: random.between(0, 15) }));

// --- what happens to the servers

// So that it meets a message now here, now there.
const moment = (random: Random) => pause(random.between(0, 40));

async function pause(milliseconds: number): Promise<void> {
  await new Promise((resume) => setTimeout(resume, milliseconds));
}

async function restartDownstream(bed: LedgerBed, random: Random): Promise<void> {
  await moment(random);
  await stopDownstream(bed);
  await startDownstream(bed);
  const isBack = () => Deno.connect({ port: bed.afterPort }).then((conn) => conn.close() ?? true, () => false);
  await until(isBack, "downstream to accept connections");
}

async function killDownstream(bed: LedgerBed, random: Random): Promise<void> {
  await moment(random);
  const servers = downstreamServers(bed);
  if (servers.length === 0) return;
  kill(random.pick(servers));
  kill(random.pick(servers));
}

/** Downstream neither answers nor leaves, and then goes on as if nothing had been. */
async function stallDownstream(bed: LedgerBed, random: Random): Promise<void> {
  await moment(random);
  const servers = downstreamServers(bed);
  for (const pid of servers) kill(pid, "SIGSTOP");
  await pause(random.between(200, 800));
  for (const pid of servers) kill(pid, "SIGCONT");
}

async function restartPostprox(bed: LedgerBed, random: Random): Promise<void> {
  await moment(random);
  await stopListeners(bed);
  await startListeners(bed);
}

async function killPostprox(bed: LedgerBed, random: Random): Promise<void> {
  await moment(random);
  await killListeners(bed);
  await startListeners(bed);
}

async function reloadPostprox(bed: LedgerBed, random: Random): Promise<void> {
  await moment(random);
  reloadListeners(bed);
}

async function killListeningWorker(bed: LedgerBed, random: Random): Promise<void> {
  await moment(random);
  killListenWorker(bed, (of) => random.pick(of));
}

async function killWorker(bed: LedgerBed, random: Random): Promise<void> {
  await moment(random);
  killSpawned(bed, (of) => random.pick(of));
}

// --- the table

const ANY: readonly ProxyName[] = ["plain", "filter", "strict"];
const WITH_FILTER: readonly ProxyName[] = ["filter", "strict"];

type Row = Omit<Stage, "front" | "mode" | "count">;

const FAULTS: Record<string, Row> = {
  none: { fault: "none", proxies: ANY, plan: stays(ORDINARY) },
  crash: { fault: "filter crashes", proxies: WITH_FILTER, plan: stays(["fail", "crash"]) },
  hang: { fault: "filter hangs", proxies: WITH_FILTER, plan: stays(["hang"]) },
  beforeData: { fault: "client leaves before DATA", proxies: ANY, plan: beforeData },
  inData: { fault: "client leaves in DATA", proxies: ANY, plan: inData },
  atTheDot: { fault: "client leaves right after the dot", proxies: ANY, plan: atTheDot },
  duringFilter: { fault: "client leaves while the filter runs", proxies: WITH_FILTER, plan: duringFilter },
  aboutTheReply: { fault: "client leaves about when the reply comes", proxies: ["plain"], plan: aboutTheReply },
  restartDownstream: {
    fault: "downstream stopped and started",
    proxies: ANY,
    plan: stays(ORDINARY),
    trouble: { every: 40, make: restartDownstream, patience: 500 },
  },
  killDownstream: {
    fault: "downstream killed",
    proxies: ANY,
    plan: stays(ORDINARY),
    trouble: { every: 2, make: killDownstream, patience: 100 },
  },
  stallDownstream: {
    fault: "downstream stalls",
    proxies: ["hasty"],
    plan: stays(ORDINARY),
    trouble: { every: 20, make: stallDownstream, patience: 100 },
  },
  restartPostprox: {
    fault: "postprox stopped and started",
    proxies: ANY,
    plan: stays([...ORDINARY, "slow"]),
    trouble: { every: 30, make: restartPostprox, patience: 500 },
  },
  killPostprox: {
    fault: "postprox killed with SIGKILL",
    proxies: ANY,
    plan: stays([...ORDINARY, "slow"]),
    trouble: { every: 15, make: killPostprox, patience: 500 },
  },
  reload: {
    fault: "postprox reloaded",
    proxies: ["filter", "workers"],
    plan: stays([...ORDINARY, "slow"]),
    trouble: { every: 20, make: reloadPostprox, patience: 100 },
  },
  killListenWorker: {
    fault: "a worker killed with SIGKILL",
    proxies: ["workers"],
    plan: stays([...ORDINARY, "slow"]),
    trouble: { every: 10, make: killListeningWorker, patience: 100 },
  },
  killWorker: {
    fault: "postprox killed with SIGKILL",
    proxies: ANY,
    plan: stays([...ORDINARY, "slow"]),
    trouble: { every: 3, make: killWorker, patience: 100 },
  },
};

/** Messages by front, mode and fault. */
const COUNTS: readonly (readonly [front: Front, mode: Mode, counts: Record<string, number>])[] = [
  ["postprox", "listen", {
    none: 1000,
    crash: 400,
    hang: 100,
    beforeData: 300,
    inData: 500,
    atTheDot: 600,
    duringFilter: 300,
    aboutTheReply: 1000,
    restartDownstream: 500,
    killDownstream: 600,
    stallDownstream: 300,
    restartPostprox: 500,
    killPostprox: 600,
    reload: 400,
    killListenWorker: 400,
  }],
  ["postprox", "spawn", {
    none: 150,
    crash: 60,
    hang: 30,
    inData: 60,
    atTheDot: 100,
    aboutTheReply: 150,
    killDownstream: 150,
    stallDownstream: 60,
    killWorker: 300,
  }],
  ["Postfix", "listen", {
    none: 500,
    crash: 150,
    hang: 50,
    beforeData: 60,
    inData: 200,
    atTheDot: 250,
    duringFilter: 150,
    aboutTheReply: 250,
    restartDownstream: 200,
    killDownstream: 250,
    stallDownstream: 100,
    restartPostprox: 250,
    killPostprox: 300,
    reload: 200,
    killListenWorker: 200,
  }],
  ["Postfix", "spawn", {
    none: 150,
    crash: 50,
    hang: 30,
    inData: 60,
    atTheDot: 100,
    duringFilter: 60,
    restartDownstream: 60,
    killDownstream: 100,
    killWorker: 250,
  }],
];

/** The stages of a run; `share` is the part of the full run's messages, each stage has at least `least`. */
export function stagesOf(share: number, least: number): Stage[] {
  return COUNTS.flatMap(([front, mode, counts]) =>
    Object.entries(counts).map(([name, count]) => ({
      ...FAULTS[name]!,
      front,
      mode,
      count: Math.max(least, Math.round(count * share)),
    }))
  );
}
