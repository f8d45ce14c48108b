// Shared by the tests of restrictions: a context with DNS of the test's own, and the text of a ruling.

import type { RestrictionContext, Ruling } from "../../lib/restrictions/restriction.ts";
import { ListStates } from "../../lib/dns/list_states.ts";
import { Lookups } from "../../lib/dns/lookups.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { replyText } from "../../lib/smtp/reply.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeLogger } from "../fakes/logger.ts";
import { type FakeAnswer, FakeResolver } from "../fakes/resolver.ts";

export interface Scene {
  readonly context: RestrictionContext;
  readonly resolver: FakeResolver;
  readonly clock: FakeClock;
  /** The lines in the session's log. */
  readonly notices: string[];
  /** The log of the process. */
  readonly logger: FakeLogger;
}

export interface SceneOptions {
  readonly answers?: Readonly<Record<string, FakeAnswer>>;
  readonly address?: string | undefined;
  /** The client's name; null when it cannot be found out. */
  readonly name?: string | null | undefined;
}

export function newScene({ answers = {}, address, name }: SceneOptions): Scene {
  const clock = new FakeClock();
  const resolver = new FakeResolver(clock);
  for (const [question, answer] of Object.entries(answers)) resolver.answers.set(question, answer);
  const notices: string[] = [];
  const logger = new FakeLogger();
  const lists = new ListStates(logger);
  const context: RestrictionContext = {
    client: {
      address,
      name: async () => {
        if (name === null) throw new IoError("timeout", "no answer");
        return name;
      },
    },
    dns: new Lookups({ clock, resolver }, { timeout: 5000, lists }).forRuling(),
    signal: new AbortController().signal,
    notice: (text) => void notices.push(text),
  };
  return { context, resolver, clock, notices, logger };
}

/** The reply of a refusal, or "allow". */
export function said(ruling: Ruling | undefined): string {
  return ruling?.kind === "refuse" ? replyText(ruling.reply) : "allow";
}
