// The turns of filters, over all workers (--max-filters). The supervisor gives them in the order in which it was asked.
// When a worker ends, its turns come back. Pure.

interface Request<Worker> {
  readonly worker: Worker;
  readonly id: number;
}

export class TurnQueue<Worker> {
  readonly #grant: (worker: Worker, id: number) => void;
  #count: number;
  #running: Request<Worker>[] = [];
  #waiting: Request<Worker>[] = [];

  /** `grant` tells a worker that its request `id` has a turn. */
  constructor(count: number, grant: (worker: Worker, id: number) => void) {
    this.#count = count;
    this.#grant = grant;
  }

  /** How many have a turn. */
  get running(): number {
    return this.#running.length;
  }

  /** How many wait for one. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** How many may have a turn at a time. If there are more when it changes, they go on. */
  set count(count: number) {
    this.#count = count;
    this.#serve();
  }

  want(worker: Worker, id: number): void {
    this.#waiting.push({ worker, id });
    this.#serve();
  }

  /** The request has had its turn, or gives up. */
  end(worker: Worker, id: number): void {
    this.#drop((request) => request.worker === worker && request.id === id);
  }

  /** A worker has ended. */
  forget(worker: Worker): void {
    this.#drop((request) => request.worker === worker);
  }

  #drop(isGone: (request: Request<Worker>) => boolean): void {
    const stays = (request: Request<Worker>) => !isGone(request);
    this.#running = this.#running.filter(stays);
    this.#waiting = this.#waiting.filter(stays);
    this.#serve();
  }

  #serve(): void {
    while (this.#running.length < this.#count && this.#waiting.length > 0) {
      const request = this.#waiting.shift()!;
      this.#running.push(request);
      this.#grant(request.worker, request.id);
    }
  }
}
