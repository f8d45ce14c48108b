// The runtime ports in memory. Nothing waits, nothing is real, and a test can look at all of it and break any of it.

import { IoError, type IoErrorKind } from "../../lib/ports/io_error.ts";
import type { Account, Privileges, Runtime, Signal, Turn } from "../../lib/ports/runtime.ts";
import { textOf } from "../../lib/text/octets.ts";
import { SharedTurn } from "../../lib/wire/shared_turn.ts";
import { FakeClock } from "./clock.ts";
import { Peer } from "../rig/peer.ts";
import { FakeDisk } from "./disk.ts";
import { FakeNetwork } from "./network.ts";
import { FakeProcesses } from "./processes.ts";
import { FakeResolver } from "./resolver.ts";

/** `exit` throws this, because it cannot return. */
export class FakeExit extends Error {
  override readonly name = "FakeExit";
  readonly status: number;

  constructor(status: number) {
    super(`exit ${status}`);
    this.status = status;
  }
}

/** A process that is not root's, unless a test says so. */
export class FakePrivileges implements Privileges {
  id = 1000;
  /** What it has become, and which paths it has given away, in order. */
  readonly deeds: string[] = [];

  uid(): number {
    return this.id;
  }

  async become({ name, uid }: Account): Promise<void> {
    this.deeds.push(`become ${name}`);
    this.id = uid;
  }

  async give(path: string, { name }: Account): Promise<void> {
    this.deeds.push(`give ${path} to ${name}`);
  }
}

export class FakeRuntime implements Runtime {
  readonly pid = 4711;
  /** The environment. */
  readonly variables: Record<string, string> = {};
  workerSockets: readonly number[] | undefined;
  readonly clock = new FakeClock();
  turn: Turn = new SharedTurn(this.clock);
  readonly network = new FakeNetwork(this.clock);
  readonly resolver = new FakeResolver(this.clock);
  readonly files = new FakeDisk(this.clock);
  readonly processes = new FakeProcesses();
  readonly privileges = new FakePrivileges();
  /** The far end of standard input and output. */
  readonly stdioPeer = new Peer();
  isSpawned = false;
  isErrInput = true;
  isErrJournal = false;
  isOutTerminal = false;
  /** The error of writing to standard error. */
  errRefusal: IoErrorKind | undefined;
  out = "";
  err = "";
  readonly #handlers: { signal: Signal; handler: () => void }[] = [];
  #report: ((error: unknown) => void) | undefined;

  readonly signals = {
    on: (signal: Signal, handler: () => void) => void this.#handlers.push({ signal, handler }),
  };

  readonly stdio = {
    conn: () => this.stdioPeer.conn,
    isSpawned: () => this.isSpawned,
    isErrInput: () => this.isErrInput,
    isErrJournal: () => this.isErrJournal,
    isOutTerminal: () => this.isOutTerminal,
    appendErr: async (octets: Uint8Array) => {
      if (this.errRefusal) throw new IoError(this.errRefusal, `cannot write: ${this.errRefusal}`);
      this.err += textOf(octets);
    },
    writeOut: (text: string) => void (this.out += text),
    writeErr: (text: string) => void (this.err += text),
  };

  async machineTime(): Promise<number | undefined> {
    return this.clock.now() * 1000;
  }

  readonly variable = (name: string): string | undefined => this.variables[name];

  exit(status: number): never {
    throw new FakeExit(status);
  }

  onBug(report: (error: unknown) => void): void {
    this.#report = report;
  }

  /** Somebody sends the program a signal. */
  signal(signal: Signal): void {
    const handlers = this.#handlers.filter((one) => one.signal === signal);
    if (handlers.length === 0) throw new Error(`${signal} would kill the program: nobody handles it`);
    for (const { handler } of handlers) handler();
  }

  /** An error that nothing caught. */
  bug(error: unknown): void {
    if (!this.#report) throw new Error("an uncaught error would be written to standard error: nobody handles it");
    this.#report(error);
  }
}
