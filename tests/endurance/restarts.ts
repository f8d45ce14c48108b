// No connection lost by reloads, by workers that end, and by restarts: a steady load of clients meanwhile, and an account of
// what they saw. The load comes to postprox directly, or through a real Postfix.
//
// The promises: no connection is ever refused, no accepted message is lost, and none is doubled. No session breaks, except
// those of a worker that was killed, or told to end at once. Its clients send their message again. If it was killed between
// the final dot and the reply, nobody can know whether the message was taken.

import { Activated } from "../e2e/activated.ts";
import { isAlive, kill, Listening } from "../e2e/start.ts";
import { cleanUp } from "../e2e/postfix_bed.ts";
import { createPostfix, type Postfix } from "../e2e/postfix.ts";
import { DOMAIN } from "../e2e/postfix_config.ts";
import { freePort } from "../rig/ports.ts";
import { Server } from "../rig/server.ts";
import { until } from "../rig/wait.ts";
import { startFront } from "./restarts_front.ts";
import { type Account, Load } from "./restarts_load.ts";

export interface Stage {
  readonly what: string;
  readonly options: readonly string[];
  /** Restarts need a service manager that holds the socket. */
  readonly isRestart?: true;
  /** How often it happens. */
  readonly count: number;
  /** Sessions may break. */
  readonly breaks?: true;
  readonly happen: (service: Service) => Promise<void>;
}

export interface Row extends Account {
  readonly stage: Stage;
  readonly front: Front;
  readonly complaints: ReadonlyMap<string, number>;
}

/** Restarts of the packages' unit with their socket, under a running systemd (restarts_systemd.ts). */
export function systemdStages(count: number): Stage[] {
  const happen = () => Promise.reject(new Error("systemd does it"));
  return [
    { what: "systemctl restart", options: [], count, happen },
    { what: "systemctl restart, workers", options: [`--workers=${WORKERS}`], count, happen },
  ];
}

/** The way of the clients to postprox. */
export type Front = "direct" | "Postfix";

export interface RunOptions {
  readonly clients: number;
  readonly front: Front;
}

const WORKERS = 2;

/** The log line of a reload that has not failed. */
const RELOADED = /(?<!not) reloaded: /g;

export function isKept({ stage, refused, broken, unknown, lost, doubled, sent }: Row): boolean {
  return sent > 0 && refused + lost + doubled === 0 && (stage.breaks === true || broken + unknown === 0);
}

/** `count` is how often each thing happens. */
export function stagesOf(count: number): Stage[] {
  const workers = [`--workers=${WORKERS}`];
  const kills = (["SIGTERM", "SIGINT", "SIGQUIT", "SIGKILL", "SIGSEGV", "SIGABRT"] as const).map((signal): Stage => ({
    what: `${signal} to a worker`,
    options: workers,
    count,
    ...signal === "SIGTERM" || signal === "SIGINT" ? {} : { breaks: true },
    happen: (service) => service.endWorker(signal),
  }));
  const reload = (what: string, options: readonly string[]): Stage => ({
    what,
    options,
    count,
    happen: (service) => service.reload(),
  });
  const restart = (what: string, options: readonly string[]): Stage => ({
    what,
    options,
    isRestart: true,
    count,
    happen: (service) => service.restart(),
  });
  return [
    reload("reload, one process", []),
    reload("reload, workers", workers),
    ...kills,
    restart("restart, one process", []),
    restart("restart, workers", workers),
  ];
}

let stages = 0;

export async function runStage(stage: Stage, { clients, front }: RunOptions): Promise<Row> {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_restarts_" });
  Deno.chmodSync(dir, 0o755);
  const server = await Server.start();
  let service: Service | undefined;
  let postfix: Postfix | undefined;
  try {
    service = await Service.start(stage, { server, dir });
    let { port } = service;
    if (front === "Postfix") {
      postfix = createPostfix();
      port = await freePort();
      await startFront(postfix, { port, proxyPort: service.port });
    }
    const load = new Load({ port, recipient: `alice@${DOMAIN}`, clients, mark: `restarts${stages++}x` });
    for (let count = 0; count < stage.count; count++) {
      const before = load.counts.sent;
      // Every client is in the middle of something.
      await until(() => load.counts.sent >= before + clients, () => `mail to pass: ${[...load.complaints.keys()]}`);
      await stage.happen(service);
    }
    const before = load.counts.sent;
    await until(() => load.counts.sent >= before + clients, () => `mail to pass: ${[...load.complaints.keys()]}`);
    return { stage, front, ...await load.end(server), complaints: load.complaints };
  } finally {
    await service?.stop();
    if (postfix) await cleanUp(postfix);
    await server.stop();
    Deno.removeSync(dir, { recursive: true });
  }
}

/** A postprox that is reloaded, restarted and hurt. */
class Service {
  readonly port: number;
  readonly #dir: string;
  readonly #running: Listening | Activated;
  readonly #hasWorkers: boolean;

  private constructor(running: Listening | Activated, { dir, hasWorkers }: { dir: string; hasWorkers: boolean }) {
    this.#running = running;
    this.#dir = dir;
    this.#hasWorkers = hasWorkers;
    this.port = running.port;
  }

  static async start(stage: Stage, { server, dir }: { server: Server; dir: string }): Promise<Service> {
    Deno.mkdirSync(`${dir}/spool`);
    // A reload reads this again.
    Deno.writeTextFileSync(`${dir}/rules`, "^Subject: never\n");
    const own = ["-v", "-d", `${dir}/spool`, `--log=${dir}/log`, `--filter-rules=${dir}/rules`, ...stage.options];
    const args = [server.operand, ...own];
    const running = stage.isRestart ? await Activated.start("tcp", args) : await Listening.start(args);
    const service = new Service(running, { dir, hasWorkers: stage.options.length > 0 });
    try {
      await service.#said(/ listening /g, 1);
      return service;
    } catch (error) {
      await service.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    const workers = this.#workers();
    await this.#running.stop();
    for (const pid of workers) if (isAlive(pid)) await until(() => !isAlive(pid), () => `the end of worker ${pid}`);
  }

  async reload(): Promise<void> {
    const count = this.#lines(RELOADED);
    kill(this.#pid, "SIGHUP");
    await this.#said(RELOADED, count + 1);
  }

  async restart(): Promise<void> {
    const count = this.#lines(/ listening /g);
    await (this.#running as Activated).restart("SIGTERM");
    await this.#said(/ listening /g, count + 1);
  }

  async endWorker(signal: Deno.Signal): Promise<void> {
    const workers = this.#workers();
    const victim = workers[Math.floor(Math.random() * workers.length)]!;
    kill(victim, signal);
    const isReplaced = () => {
      // The runtime's own handler takes the first one, and lets the next one end the process.
      if (signal === "SIGSEGV" && isAlive(victim)) kill(victim, signal);
      const now = this.#workers();
      return now.length === workers.length && !now.includes(victim);
    };
    await until(isReplaced, () => `the replacement of ${victim}: ${this.#workers()}`);
  }

  get #pid(): number {
    return this.#running instanceof Activated ? this.#running.pid : this.#running.process.pid;
  }

  #workers(): number[] {
    if (!this.#hasWorkers) return [];
    const threads = [...Deno.readDirSync(`/proc/${this.#pid}/task`)].map(({ name }) => name);
    const children = threads.map((thread) => read(`/proc/${this.#pid}/task/${thread}/children`)).join(" ");
    // A child that is only a copy of its parent still has the parent's handlers, and drops a signal.
    const isWorker = (pid: number) => read(`/proc/${pid}/environ`).includes("POSTPROX_WORKER=");
    return children.split(" ").filter((word) => word !== "").map(Number).filter(isAlive).filter(isWorker);
  }

  #lines(pattern: RegExp): number {
    return read(`${this.#dir}/log`).match(pattern)?.length ?? 0;
  }

  async #said(pattern: RegExp, count: number): Promise<void> {
    await until(() => this.#lines(pattern) >= count, () => `${pattern}, ${count} times`);
  }
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
