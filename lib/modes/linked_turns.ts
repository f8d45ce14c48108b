// The turns of filters in a worker. The supervisor gives them, in the order of all workers' requests.

import type { Clock } from "../ports/runtime.ts";
import type { FilterTurns } from "../wire/turns.ts";

export interface TurnAsker {
  /** Asks the supervisor for a turn. */
  want(id: number): void;
  /** Tells the supervisor that the request has had its turn, or gives up. */
  end(id: number): void;
}

export class LinkedTurns implements FilterTurns {
  /** The count of the whole service, for the log. The supervisor counts. */
  count = 0;
  readonly #clock: Clock;
  readonly #asker: TurnAsker;
  readonly #waiting = new Map<number, () => void>();
  #running = 0;
  #lastId = 0;

  constructor(clock: Clock, asker: TurnAsker) {
    this.#clock = clock;
    this.#asker = asker;
  }

  /** Those of this worker. */
  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  async take(limit: number, signal?: AbortSignal): Promise<(() => void) | undefined> {
    if (signal?.aborted) return undefined;
    const id = ++this.#lastId;
    const hasTurn = await new Promise<boolean>((resolve) => {
      const leave = (hasTurn: boolean) => {
        this.#waiting.delete(id);
        signal?.removeEventListener("abort", giveUp);
        cancel();
        resolve(hasTurn);
      };
      const giveUp = () => leave(false);
      const cancel = this.#clock.after(limit, giveUp);
      signal?.addEventListener("abort", giveUp);
      this.#waiting.set(id, () => leave(true));
      this.#asker.want(id);
    });
    if (!hasTurn) {
      // The turn may be on its way. The supervisor takes it back, too.
      this.#asker.end(id);
      return undefined;
    }
    this.#running++;
    return () => {
      this.#running--;
      this.#asker.end(id);
    };
  }

  /** The supervisor gives this request its turn. */
  granted(id: number): void {
    this.#waiting.get(id)?.();
  }
}
