// The places for clients (--max-clients): those of a process of its own, and those that a worker gets from its supervisor.

/** Who may be served. */
export interface Places {
  /** Whether there is a place for one more client. If so, it is taken. */
  take(): boolean | Promise<boolean>;
  /** A client has left its place. */
  leave(): void;
  /** How many clients there may be. If there are more when it changes, they stay. */
  limit: number;
}

/** The places of a process without a supervisor. */
export class OwnPlaces implements Places {
  limit: number;
  #used = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  take(): boolean {
    if (this.#used >= this.limit) return false;
    this.#used++;
    return true;
  }

  leave(): void {
    this.#used--;
  }
}

// The answer of a supervisor takes a moment. Only while the supervisor hangs so many clients come. Then more get 421.
const WAITERS_LIMIT = 1000;

/** The places of a worker. It asks the supervisor for more when it has none left. */
export class LeasedPlaces implements Places {
  /** The count of the whole service, for the log. The supervisor counts. */
  limit = 0;
  readonly #ask: (count: number) => void;
  readonly #waiting: ((hasPlace: boolean) => void)[] = [];
  #unused = 0;
  /** For how many of those that wait the supervisor was asked. Undefined if no answer is due. */
  #asked: number | undefined;

  /** `ask` asks the supervisor for at least `count` places. */
  constructor(ask: (count: number) => void) {
    this.#ask = ask;
  }

  take(): boolean | Promise<boolean> {
    if (this.#unused > 0) {
      this.#unused--;
      return true;
    }
    if (this.#waiting.length >= WAITERS_LIMIT) return false;
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#askForThose();
    });
  }

  leave(): void {
    this.#unused++;
    this.#serve();
  }

  /** The supervisor's answer. */
  granted(count: number): void {
    const asked = this.#asked ?? 0;
    this.#asked = undefined;
    this.#unused += count;
    // Those that came after the question are not meant.
    if (count === 0) { for (const resolve of this.#waiting.splice(0, asked)) resolve(false); }
    this.#serve();
    this.#askForThose();
  }

  /** Gives up the places that are not used. Returns how many they were. */
  recalled(): number {
    const count = this.#unused;
    this.#unused = 0;
    return count;
  }

  #serve(): void {
    while (this.#unused > 0 && this.#waiting.length > 0) {
      this.#unused--;
      if (this.#asked !== undefined) this.#asked = Math.max(0, this.#asked - 1);
      this.#waiting.shift()!(true);
    }
  }

  #askForThose(): void {
    if (this.#asked !== undefined || this.#waiting.length === 0) return;
    this.#asked = this.#waiting.length;
    this.#ask(this.#asked);
  }
}
