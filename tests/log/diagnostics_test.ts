// The manual page explains each line that is always logged: DIAGNOSTICS has the words that it begins with.

import assert from "node:assert/strict";
import { type EventName, EVENTS } from "../../lib/log/events.ts";
import type { Level } from "../../lib/log/logger.ts";

const page = Deno.readTextFileSync(new URL("../../docs/man/postprox.mdoc", import.meta.url));
const diagnostics = page.slice(page.indexOf("\n.Sh DIAGNOSTICS"), page.indexOf("\n.Sh SEE ALSO"));

/** The words of its entries. `.It Sy one , other` are two of them. */
const ENTRIES = [...diagnostics.matchAll(/^\.It Sy (.+)$/gm)].flatMap(([, words]) => words!.split(" , "));

/** The lines of these events have other words each time. */
const OTHER_WORDS: Partial<Record<EventName, readonly string[]>> = {
  notice: ["could not tell whether", "is of no use", "Rejecting message with content"],
  discarded: ["message discarded", "message quarantined"],
  spoilt: ["message not delivered"],
  usage: ["usage"],
};

const ALWAYS: readonly Level[] = ["error", "warning", "notice"];

function wordsOf(name: EventName): readonly string[] {
  const { level, words } = EVENTS[name];
  // Such a line is logged without -v only with --dry-run.
  if (typeof level === "function" || !ALWAYS.includes(level)) return [];
  const others = OTHER_WORDS[name];
  if (others) return others;
  assert.ok(typeof words === "string", `OTHER_WORDS lacks ${name}`);
  return [words];
}

const LOGGED = (Object.keys(EVENTS) as EventName[]).flatMap(wordsOf);

for (const words of LOGGED) {
  Deno.test(`DIAGNOSTICS explains "${words}"`, () => {
    assert.ok(ENTRIES.some((entry) => words.startsWith(entry)), words);
  });
}
