// Lines on their way to a sink: those that follow each other in the same octets go there as one. Pure.
//
// That costs less than a call for each line. `flush` must be called before the octets change.

import type { TextSink } from "./text_reader.ts";
import type { Decoder } from "./transfer_codings.ts";

export class LineRun implements Decoder {
  readonly #sink: TextSink;
  #octets: Uint8Array | undefined;
  #start = 0;
  #end = 0;

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  push(octets: Uint8Array, start: number, end: number): void {
    if (this.#octets !== octets || this.#end !== start) {
      this.flush();
      this.#octets = octets;
      this.#start = start;
    }
    this.#end = end;
  }

  flush(): void {
    if (this.#octets) this.#sink.push(this.#octets, this.#start, this.#end);
    this.#octets = undefined;
  }

  end(): void {
    this.flush();
    this.#sink.end();
  }
}
