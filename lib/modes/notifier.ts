// Tells the service manager in which state the program is (sd_notify(3)), if it wants to know: NOTIFY_SOCKET names its socket.
//
// The process that the service manager watches sends the notices: the one process of listen mode, or the supervisor. It is
// the `MAINPID` of its notices. While it serves, a timer of its own event loop sends the signs of life that the watchdog
// wants (WATCHDOG_USEC), and the status whenever that has changed. So a loop that hangs gives no sign of life.
//
// Nothing throws and nobody waits. If the service manager takes no notices, the log says so once, and mail continues. Of
// signs of life and of the status at most one waits to be sent.

import { tell } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import { IoError } from "../ports/io_error.ts";
import type { DatagramSender, Runtime } from "../ports/runtime.ts";
import { bytesOf, cutUtf8 } from "../text/octets.ts";

export type NotifierPorts = Pick<Runtime, "pid" | "variable" | "clock" | "machineTime"> & {
  readonly network: Pick<Runtime["network"], "datagrams">;
};

/** The status is sent this often at most. In milliseconds. */
const STATUS_INTERVAL = 2000;

// The service manager wants a sign of life in each period. Three of them, so that it may miss two.
const SIGNS_IN_PERIOD = 3;

// systemd reads at most 4096 octets of a notice.
const STATUS_LIMIT = 2048;

// A service manager that takes nothing must not stop the program from ending. In milliseconds.
const END_LIMIT = 500;

export class Notifier {
  readonly #ports: NotifierPorts;
  readonly #logger: Logger;
  readonly #status: () => string;
  #sender: DatagramSender | undefined;
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;
  #works = true;
  #state: "starting" | "serving" | "stopping" = "starting";
  #statusSent = "";
  readonly #timers = new Set<() => void>();

  /** `status` is called again and again. It gives one line for people. */
  constructor(ports: NotifierPorts, logger: Logger, status: () => string) {
    this.#ports = ports;
    this.#logger = logger;
    this.#status = status;
  }

  /** Connections are accepted: after the start, or after a reload, also one that failed. */
  ready(): void {
    if (this.#state === "stopping") return;
    this.#send("READY=1", `MAINPID=${this.#ports.pid}`, this.#statusLine());
    if (this.#state === "serving") return;
    this.#state = "serving";
    this.#every(STATUS_INTERVAL, () => this.#sendStatus());
    const period = watchdogPeriod(this.#ports);
    if (period !== undefined) this.#every(period / SIGNS_IN_PERIOD, () => this.#sendIfIdle("WATCHDOG=1"));
  }

  /** Everything is read again. `ready` follows. */
  reloading(): void {
    if (this.#state !== "serving") return;
    this.#then(async () => {
      const time = await this.#ports.machineTime();
      await this.#deliver(["RELOADING=1", ...time === undefined ? [] : [`MONOTONIC_USEC=${time}`]]);
    });
  }

  /** The program ends, and that takes at most `limit` milliseconds, whatever the service manager's own limit is. */
  stopping(limit: number): void {
    if (this.#state === "stopping") return;
    this.#state = "stopping";
    this.#send("STOPPING=1", `EXTEND_TIMEOUT_USEC=${Math.ceil(limit * 1000)}`, this.#statusLine());
  }

  /** Ends the signs of life, and waits until the last notice has left, but not for long. */
  async end(): Promise<void> {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    await Promise.race([this.#tail, new Promise<void>((resolve) => this.#ports.clock.after(END_LIMIT, resolve))]);
  }

  #every(interval: number, task: () => void): void {
    let cancel = () => {};
    const again = () => {
      this.#timers.delete(cancel);
      cancel = this.#ports.clock.after(interval, () => {
        task();
        again();
      });
      this.#timers.add(cancel);
    };
    again();
  }

  #statusLine(): string {
    const text = `${this.#state === "stopping" ? "ending: " : ""}${this.#status()}`;
    // deno-lint-ignore no-control-regex
    this.#statusSent = `STATUS=${text.replaceAll(/[\x00-\x1f\x7f]+/g, " ")}`;
    return this.#statusSent;
  }

  #sendStatus(): void {
    const before = this.#statusSent;
    if (this.#waiting === 0 && this.#statusLine() !== before) this.#send(this.#statusSent);
  }

  #sendIfIdle(line: string): void {
    if (this.#waiting === 0) this.#send(line);
  }

  #send(...lines: readonly string[]): void {
    this.#then(() => this.#deliver(lines));
  }

  #then(task: () => Promise<void>): void {
    this.#waiting++;
    this.#tail = this.#tail.then(task).finally(() => this.#waiting--);
  }

  async #deliver(lines: readonly string[]): Promise<void> {
    try {
      this.#sender ??= await openSender(this.#ports);
      await this.#sender.send(noticeOf(lines));
      this.#works = true;
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      if (this.#works) tell(this.#logger, "notNotified", { why: error.message });
      this.#works = false;
    }
  }
}

/**
 * Tells the service manager, for a process that ends now, that the process `pid` serves and goes on. That process may not
 * be allowed to say so itself (NotifyAccess=main). Throws `IoError`.
 */
export async function nameSuccessor(ports: NotifierPorts, pid: number): Promise<void> {
  await (await openSender(ports)).send(noticeOf([`MAINPID=${pid}`, "READY=1"]));
}

async function openSender({ variable, network }: NotifierPorts): Promise<DatagramSender> {
  const path = variable("NOTIFY_SOCKET") ?? "";
  if (!/^[/@]./.test(path)) throw new IoError("other", `NOTIFY_SOCKET=${path} names no unix socket`);
  return await network.datagrams(path);
}

function noticeOf(lines: readonly string[]): Uint8Array {
  return bytesOf(lines.map((line) => `${textWithin(line, STATUS_LIMIT)}\n`).join(""));
}

function textWithin(text: string, limit: number): string {
  return new TextDecoder().decode(cutUtf8(bytesOf(text), limit));
}

/** The longest time between two signs of life, in milliseconds; undefined if nobody wants any (sd_watchdog_enabled(3)). */
function watchdogPeriod({ pid, variable }: NotifierPorts): number | undefined {
  const period = variable("WATCHDOG_USEC") ?? "";
  const watched = variable("WATCHDOG_PID") ?? "";
  if (!/^[1-9][0-9]{0,17}$/.test(period) || (watched !== "" && watched !== String(pid))) return undefined;
  // Longer than this no timer runs.
  return Math.min(Number(period) / 1000, 2 ** 31 - 1);
}
