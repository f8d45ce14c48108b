// The content filter of the Spammer Deterrent. It refuses a message with 550 if one of the rules matches a line of it.
//
// Lines are those of the message as it came, header and body, not decoded and not unfolded. The work takes turns with
// other sessions. It stops when its time is over or the client leaves. Then nobody knows whether a rule matches. Only
// its own work counts against its time. So many messages at once do not use up each other's time.

import type { Clock, Turn } from "../../ports/runtime.ts";
import type { Match, Work } from "../../pattern/pattern.ts";
import { textOf } from "../../text/octets.ts";
import { formatReply } from "../../smtp/reply.ts";
import type { MailClient } from "../../mail/message.ts";
import type { Verdict } from "../../mail/verdict.ts";
import type { Check } from "../check.ts";
import { limitText, type TimedOut } from "../time_limit.ts";
import type { ContentRules } from "./file.ts";

/** RFC 3463: 5.7.1, delivery not authorized, message refused. */
const REJECTED = formatReply("550 5.7.1 Content rejected");

// The log shows at most this much of a line.
const SHOWN = 200;

export interface ContentRulesOptions {
  /** The name of the rules file, for the log. */
  readonly file: string;
  /** Milliseconds of work that a message may take. */
  readonly timeout: number;
  readonly turn: Turn;
}

export function contentRulesCheck(
  clock: Clock,
  { patterns, lines }: ContentRules,
  { file, timeout, turn }: ContentRulesOptions,
): Check {
  return {
    name: "filter-rules",
    needsFile: false,
    askedFor: "filter",
    judge: async (message, { signal, limit, notice }): Promise<Verdict> => {
      const allowance = new Allowance({ clock, turn, work: timeout }, { signal, limit });
      const scan = patterns.scan();
      let match: Match | undefined;
      for await (const chunk of message.chunks()) {
        match = await allowance.finish(scan.take(chunk));
        if (match || allowance.isOver) break;
      }
      if (!allowance.isOver) match ??= await allowance.finish(scan.end());
      if (match) {
        notice(`Rejecting message with content: ${shown(match.line)} from ${shownClient(message.client)}`);
        return { kind: "reject", why: `matches ${file}:${lines[match.expression]}`, reply: REJECTED };
      }
      if (allowance.isOver) {
        return {
          kind: "unsure",
          cause: "late",
          why: `content rules took longer than ${limitText(allowance.exceeded)}`,
        };
      }
      if (scan.isUnsure) {
        return { kind: "unsure", cause: "failed", why: "content rules gave up on a line, at a back-reference" };
      }
      return { kind: "accept", why: "no content rule matches" };
    },
  };
}

interface AllowanceParts {
  readonly clock: Clock;
  readonly turn: Turn;
  /** Milliseconds. */
  readonly work: number;
}

/** The time for one message: a limit on its own work, and a limit until the client must have its reply. */
class Allowance {
  readonly #clock: Clock;
  readonly #turn: Turn;
  readonly #signal: AbortSignal;
  readonly #deadline: number;
  readonly #work: number;
  readonly #limit: number;
  #workLeft: number;

  constructor({ clock, turn, work }: AllowanceParts, { signal, limit }: { signal: AbortSignal; limit: number }) {
    this.#clock = clock;
    this.#turn = turn;
    this.#signal = signal;
    this.#deadline = clock.now() + limit;
    this.#work = this.#workLeft = work;
    this.#limit = limit;
  }

  /** Whether the time is used up, or nobody waits any more. */
  get isOver(): boolean {
    return this.#signal.aborted || this.#workLeft <= 0 || this.#clock.now() >= this.#deadline;
  }

  /** The limit that was reached. */
  get exceeded(): TimedOut {
    return this.#workLeft <= 0 ? { timedOut: this.#work } : { timedOut: this.#limit, cutShort: true };
  }

  /** Does `work` until it is done or the time is over. */
  async finish(work: Work): Promise<Match | undefined> {
    while (!this.isOver) {
      const start = this.#clock.now();
      const step = work.next();
      this.#workLeft -= this.#clock.now() - start;
      if (step.done) return step.value;
      await this.#turn.share();
    }
    return undefined;
  }
}

function shownClient({ facts, address }: MailClient): string {
  return `${facts.name ?? "unknown"} [${address ?? "unknown"}]`;
}

function shown(line: Uint8Array): string {
  return line.length <= SHOWN ? textOf(line) : `${textOf(line.subarray(0, SHOWN))}...`;
}
