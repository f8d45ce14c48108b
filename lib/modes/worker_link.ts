// The words between the supervisor and a worker. Each is an object of JSON on a line of its own, over the standard input
// and output of the worker. Pure.
//
// After an upgrade the two may be of different versions. So each side ignores a word that it does not know.

import type { LogSettings } from "../log/sinks.ts";

/** What the supervisor says to a worker. */
export type ToWorker =
  /**
   * The first word: the files that options name, as the supervisor read them. Each character is an octet. `log` is how the
   * supervisor logs. `counts`: somebody wants to know what the worker counts.
   */
  | {
    readonly say: "files";
    readonly files: Readonly<Record<string, string>>;
    readonly log: LogSettings;
    readonly counts: boolean;
  }
  /** Are you there? */
  | { readonly say: "ping" }
  /** Open the log file again. */
  | { readonly say: "reopen" }
  /** Accept no more, finish the sessions, and end. */
  | { readonly say: "drain" }
  /** End now. */
  | { readonly say: "stop" }
  /** What have you counted? */
  | { readonly say: "snapshot"; readonly id: number }
  /** This filter may start. */
  | { readonly say: "turn"; readonly id: number }
  /** So many more clients are allowed. 0: there are no more places. */
  | { readonly say: "places"; readonly count: number }
  /** Give back all places that you do not use. */
  | { readonly say: "recall" };

/** What a worker says to the supervisor. */
export type ToSupervisor =
  /** Connections are accepted. */
  | { readonly say: "ready" }
  /** A line about why it cannot start. */
  | { readonly say: "failed"; readonly why: string }
  | { readonly say: "pong" }
  /** It ends by itself, because of this signal, and first finishes its sessions. */
  | { readonly say: "leaving"; readonly signal: string }
  /** The answer, with the id of the question. It has the id 0 at the end of the worker, when nobody has asked. */
  | { readonly say: "snapshot"; readonly id: number; readonly snapshot: unknown }
  /** A filter wants to start. `id` is a new number for each. */
  | { readonly say: "wantTurn"; readonly id: number }
  /** The filter has ended, or wants no turn any more. */
  | { readonly say: "endTurn"; readonly id: number }
  /** So many clients wait for a place. */
  | { readonly say: "wantPlaces"; readonly count: number }
  /** The answer to a recall. */
  | { readonly say: "givePlaces"; readonly count: number };

type Word = ToWorker | ToSupervisor;

type Shape = Readonly<Record<string, "number" | "string" | "boolean" | "object" | "anything">>;

const TO_WORKER: Readonly<Record<ToWorker["say"], Shape>> = {
  files: { files: "object", log: "object", counts: "boolean" },
  ping: {},
  reopen: {},
  drain: {},
  stop: {},
  snapshot: { id: "number" },
  turn: { id: "number" },
  places: { count: "number" },
  recall: {},
};

const TO_SUPERVISOR: Readonly<Record<ToSupervisor["say"], Shape>> = {
  ready: {},
  failed: { why: "string" },
  pong: {},
  leaving: { signal: "string" },
  snapshot: { id: "number", snapshot: "anything" },
  wantTurn: { id: "number" },
  endTurn: { id: "number" },
  wantPlaces: { count: "number" },
  givePlaces: { count: "number" },
};

/** The octets of a word, with the end of its line. */
export function formatWord(word: Word): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(word)}\n`);
}

/** The word of a line; undefined if the line is none that a worker knows. */
export function parseToWorker(line: string): ToWorker | undefined {
  return parseWord(line, TO_WORKER) as ToWorker | undefined;
}

/** The word of a line; undefined if the line is none that the supervisor knows. */
export function parseToSupervisor(line: string): ToSupervisor | undefined {
  return parseWord(line, TO_SUPERVISOR) as ToSupervisor | undefined;
}

function parseWord(line: string, shapes: Readonly<Record<string, Shape>>): unknown {
  let word: Readonly<Record<string, unknown>> | null;
  try {
    word = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof word !== "object" || word === null || typeof word["say"] !== "string") return undefined;
  const shape = Object.hasOwn(shapes, word["say"]) ? shapes[word["say"]]! : undefined;
  if (!shape) return undefined;
  const fits = Object.entries(shape).every(([field, kind]) => {
    const value = word[field];
    return kind === "anything" || (kind === "number" ? isCount(value) : value !== null && typeof value === kind);
  });
  return fits ? word : undefined;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Cuts a stream of octets into lines. */
export class Lines {
  readonly #decoder = new TextDecoder();
  // The parts of a line whose end has not come. A line may be long, so they are joined once.
  #parts: string[] = [];

  /** The lines that end in `octets`, without their ends. */
  push(octets: Uint8Array): string[] {
    const [first = "", ...rest] = this.#decoder.decode(octets, { stream: true }).split("\n");
    this.#parts.push(first);
    const last = rest.pop();
    if (last === undefined) return [];
    const lines = [this.#parts.join(""), ...rest];
    this.#parts = [last];
    return lines;
  }
}
