// A name server in memory. Names that a test has not given it do not exist.

import { IoError, type IoErrorKind } from "../../lib/ports/io_error.ts";
import type { Clock, NameServer, RecordType, ResolveOptions, Resolver } from "../../lib/ports/runtime.ts";

/** Records, what the lookup fails with, or no answer until its limit. */
export type FakeAnswer = readonly string[] | IoErrorKind | "silent";

export class FakeResolver implements Resolver {
  /** By name in lower case and type, `example.org MX`. */
  readonly answers = new Map<string, FakeAnswer>();
  /** All questions, in order, as in `answers`. */
  readonly asked: string[] = [];
  /** The server of the last question. */
  server: NameServer | undefined;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async resolve(
    name: string,
    type: RecordType,
    { limit, server }: ResolveOptions,
  ): Promise<readonly string[]> {
    const question = `${name.toLowerCase()} ${type}`;
    this.asked.push(question);
    this.server = server;
    const answer = this.answers.get(question) ?? [];
    if (typeof answer === "object") return answer;
    if (answer === "silent") await new Promise<void>((resolve) => this.#clock.after(limit, resolve));
    throw new IoError(answer === "silent" ? "timeout" : answer, `cannot look up ${type} of ${name}: ${answer}`);
  }
}
