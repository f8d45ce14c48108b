// The side of a worker: it hears the supervisor on standard input, and answers on standard output.
//
// The rest of the program runs as it would without a supervisor, on a runtime that differs in three ways:
//
// - The files that options name are those that the supervisor has read.
// - The supervisor's words come as signals. A worker that got a word to end, and the same as a signal, ends once.
// - An error that prevents the start goes to the supervisor, and not to standard error.
//
// When the supervisor ends, its side of the link ends. Then the sessions get 421, and the worker ends within 2 s.

import type { LogSettings } from "../log/sinks.ts";
import { keptFiles } from "../ports/kept_files.ts";
import type { Runtime, Signal } from "../ports/runtime.ts";
import type { FilterTurns } from "../wire/turns.ts";
import { LinkedTurns } from "./linked_turns.ts";
import { LeasedPlaces, type Places } from "./places.ts";
import { readWords, WordWriter } from "./word_line.ts";
import { parseToWorker, type ToWorker } from "./worker_link.ts";

/** What a worker has that other processes have not. */
export interface WorkerSide {
  /** The descriptors of its listening sockets. */
  readonly sockets: readonly number[];
  /** How the supervisor logs. The settings of the files may say something else, after a reload. */
  readonly log: LogSettings;
  /** Whether somebody wants to know what is counted here. */
  readonly counts: boolean;
  readonly places: Places;
  readonly turns: FilterTurns;
  /** Gives what was counted here, as data that survives JSON. The supervisor asks for it. */
  snapshot: () => unknown;
  /** Connections are accepted. */
  ready(): void;
  /** Tells the supervisor what was counted until now. */
  saySnapshot(): void;
  /** Waits until the supervisor has all words. */
  flush(): Promise<void>;
}

const EX_TEMPFAIL = 75;

// Filters are killed within a second, and replies of 421 leave at once. In milliseconds.
const LAST_WORDS = 1500;

const READ_SIZE = 65536;

const ENDS: readonly Signal[] = ["SIGTERM", "SIGINT", "SIGQUIT"];

/** Waits for the first word of the supervisor. The result has the runtime for everything else. */
export async function beWorker(
  runtime: Runtime,
  sockets: readonly number[],
): Promise<{ readonly runtime: Runtime; readonly worker: WorkerSide }> {
  const conn = runtime.stdio.conn();
  const writer = new WordWriter(async (octets) => await conn.write(octets));
  const signals = new WorkerSignals(runtime, (signal) => writer.say({ say: "leaving", signal }));
  const places = new LeasedPlaces((count) => writer.say({ say: "wantPlaces", count }));
  const turns = new LinkedTurns(runtime.clock, {
    want: (id) => writer.say({ say: "wantTurn", id }),
    end: (id) => writer.say({ say: "endTurn", id }),
  });
  const worker = {
    sockets,
    places,
    turns,
    snapshot: (): unknown => null,
    ready: () => writer.say({ say: "ready" }),
    saySnapshot: () => writer.say({ say: "snapshot", id: 0, snapshot: worker.snapshot() }),
    flush: () => writer.flush(),
  };
  const first = Promise.withResolvers<Extract<ToWorker, { say: "files" }>>();
  const hear = (word: ToWorker) => {
    switch (word.say) {
      case "files":
        return first.resolve(word);
      case "ping":
        return writer.say({ say: "pong" });
      case "reopen":
        return signals.tell("SIGHUP");
      case "drain":
        return signals.tell("SIGTERM");
      case "stop":
        return signals.tell("SIGQUIT");
      case "snapshot":
        return writer.say({ say: "snapshot", id: word.id, snapshot: worker.snapshot() });
      case "turn":
        return turns.granted(word.id);
      case "places":
        return places.granted(word.count);
      case "recall":
        return writer.say({ say: "givePlaces", count: places.recalled() });
    }
  };
  const room = new Uint8Array(READ_SIZE);
  const read = async () => {
    const count = await conn.read(room);
    return count === null ? null : room.subarray(0, count);
  };
  void readWords(read, parseToWorker, hear).then(() => {
    runtime.clock.after(LAST_WORDS, () => runtime.exit(EX_TEMPFAIL));
    signals.tell("SIGQUIT");
  });
  const { files: kept, log, counts } = await first.promise;
  const files = keptFiles(runtime.files, kept);
  const stdio = {
    ...runtime.stdio,
    writeOut: () => {},
    writeErr: (text: string) => writer.say({ say: "failed", why: text.replace(/^(?:<3>)?postprox: /, "").trimEnd() }),
  };
  return { runtime: { ...runtime, files, signals, stdio }, worker: Object.assign(worker, { log, counts }) };
}

/** The signals of a worker. They come from the supervisor, or from somebody else. */
class WorkerSignals {
  readonly #runtime: Pick<Runtime, "signals">;
  readonly #leaving: (signal: Signal) => void;
  readonly #handlers = new Map<Signal, (() => void)[]>();
  /** Words that came before anybody handled them. */
  readonly #early = new Set<Signal>();
  #end: "no" | "told" | "signalled" = "no";

  /** `leaving` is called if a signal of somebody else ends the worker. */
  constructor(runtime: Pick<Runtime, "signals">, leaving: (signal: Signal) => void) {
    this.#runtime = runtime;
    this.#leaving = leaving;
  }

  on(signal: Signal, handler: () => void): void {
    const handlers = this.#handlers.get(signal);
    if (handlers) handlers.push(handler);
    else {
      this.#handlers.set(signal, [handler]);
      this.#runtime.signals.on(signal, () => this.#come(signal));
    }
    if (this.#early.has(signal)) queueMicrotask(handler);
  }

  /** The supervisor says so. */
  tell(signal: Signal): void {
    if (signal === "SIGTERM") {
      if (this.#end !== "no") return;
      this.#end = "told";
    }
    if (!this.#handlers.has(signal)) this.#early.add(signal);
    this.#run(signal);
  }

  #come(signal: Signal): void {
    if (ENDS.includes(signal)) {
      const before = this.#end;
      this.#end = "signalled";
      if (before === "no") this.#leaving(signal);
      // Somebody has sent SIGTERM to all processes of the service.
      if (before === "told" && signal !== "SIGQUIT") return;
    }
    this.#run(signal);
  }

  #run(signal: Signal): void {
    for (const handler of this.#handlers.get(signal) ?? []) handler();
  }
}
