// How the program stands, in one line for people: the status that `systemctl status` shows.
//
// `Tally` counts what a process of its own needs for it. A `Snapshot` has the same facts, and more.

import { textOfError } from "../log/error_text.ts";
import { type EventName, EVENTS, type Witness } from "../log/events.ts";
import type { Decision } from "../mail/judgement.ts";
import type { Snapshot } from "../metrics/snapshot.ts";
import { escapeText } from "../text/quoting.ts";

export type Standing = Pick<Snapshot, "sessionsOpen" | "sessionsTotal" | "messages" | "lastError">;

// Any user of the host may read the status. The log says more. In characters.
const ERROR_LIMIT = 200;

/** The line of `systemctl status`. */
export function formatStanding({ sessionsOpen, sessionsTotal, messages, lastError }: Standing): string {
  const sum = (counts: Standing["messages"]) => counts.reduce((all, { count }) => all + count, 0);
  const refused = sum(messages.filter(({ verdict }) => verdict === "reject" || verdict === "tempfail"));
  const facts = [
    `${counted(sessionsOpen, "session")} open, ${sessionsTotal} in all`,
    `${counted(sum(messages), "message")}, ${refused} refused`,
    lastError ? `last error ${timeOf(lastError.time)}: ${shorten(escapeText(lastError.text))}` : "no error",
  ];
  return facts.join("; ");
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function shorten(text: string): string {
  return text.length > ERROR_LIMIT ? `${text.slice(0, ERROR_LIMIT)}...` : text;
}

// In the time zone of the host, as systemd shows its times.
function timeOf(time: number): string {
  const at = new Date(time);
  const two = (part: number) => String(part).padStart(2, "0");
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  return `${day} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":")}`;
}

/** Counts sessions and messages, and keeps the last error. */
export class Tally {
  readonly witness: Witness;
  #sessions = 0;
  #passed = 0;
  #refused = 0;
  // Its text is made when somebody wants to see it.
  #error: { readonly time: number; readonly name: EventName; readonly facts: unknown } | undefined;

  constructor(now: () => number = Date.now) {
    const keepers = Object.fromEntries(
      (Object.keys(EVENTS) as EventName[]).filter((name) => EVENTS[name].level === "error").map((name) => [
        name,
        (facts: unknown) => void (this.#error = { time: now(), name, facts }),
      ]),
    );
    this.witness = {
      ...keepers,
      connected: () => void this.#sessions++,
      message: ({ judgement: { decision } }) => this.#count(decision),
    };
  }

  standing(sessionsOpen: number): Standing {
    const error = this.#error;
    return {
      sessionsOpen,
      sessionsTotal: this.#sessions,
      messages: [
        { verdict: "pass", check: "", count: this.#passed },
        { verdict: "reject", check: "", count: this.#refused },
      ],
      lastError: error && { time: error.time, text: textOfError(error.name, error.facts) },
    };
  }

  #count({ kind }: Decision): void {
    if (kind === "reject" || kind === "defer" || kind === "refused") this.#refused++;
    else this.#passed++;
  }
}
