// Words of the link between the supervisor and a worker, on their way: one writer and one reader, on either side.

import { IoError } from "../ports/io_error.ts";
import { concat } from "../text/octets.ts";
import { formatWord, Lines, type ToSupervisor, type ToWorker } from "./worker_link.ts";

/** Sends words in order. Nobody waits for it. If the other side is gone, the words are lost, and the reader hears of it. */
export class WordWriter {
  readonly #write: (octets: Uint8Array) => Promise<void>;
  readonly #waiting: Uint8Array[] = [];
  #writing: Promise<void> | undefined;

  constructor(write: (octets: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  say(word: ToWorker | ToSupervisor): void {
    this.#waiting.push(formatWord(word));
    this.#writing ??= this.#writeAll();
  }

  /** Waits until all words have left. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    // Words that are said at the same time leave together.
    await Promise.resolve();
    try {
      while (this.#waiting.length > 0) await this.#write(concat(this.#waiting.splice(0)));
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      this.#waiting.length = 0;
    } finally {
      this.#writing = undefined;
    }
  }
}

/** Calls `hear` with each word, until the other side ends or cannot be read. `parse` leaves out what is no word. */
export async function readWords<Word>(
  read: () => Promise<Uint8Array | null>,
  parse: (line: string) => Word | undefined,
  hear: (word: Word) => void,
): Promise<void> {
  const lines = new Lines();
  try {
    for (let octets = await read(); octets !== null; octets = await read()) {
      for (const line of lines.push(octets)) {
        const word = parse(line);
        if (word !== undefined) hear(word);
      }
    }
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
  }
}
