// The text of an error for people, without the fields of its line: "downstream not reachable: connection refused".

import { type EventName, EVENTS } from "./events.ts";

/** The words of the event `name` and the reason in its facts. It may hold a stranger's octets, and it may be long. */
export function textOfError(name: EventName, facts: unknown): string {
  const words = EVENTS[name].words as string | ((facts: unknown) => string);
  const said = typeof words === "string" ? words : words(facts);
  const { why, notKept, error } = facts as { why?: string; notKept?: string; error?: unknown };
  const reason = notKept ?? why ?? (error instanceof Error ? error.message : error);
  return reason === undefined ? said : `${said}: ${reason}`;
}
