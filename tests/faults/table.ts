// The outcomes of all faults as one table in Markdown, docs/proofs/faults.md.
//
// Rows that differ only in the call, or only in the kind of error, are one row.

import type { Outcome } from "./run.ts";

const HEAD = `# What happens when something fails

Made by \`deno task faults\`, which lets each input or output operation of a session fail once, in turn, with each error that
the system can give there, and judges what follows. \`deno task faults --write\` writes this page anew.

The client sends three messages through a filter: a small one, one that is too large for memory, one that the filter
replaces; and two without a filter. Without a fault it hears 250 to each of them. "closed" is a connection that ends
early, "421, closed" one that ends with that reply; a reply that is not in the table went lost with the connection.
Downstream's column counts the messages that reached it whole; what it had of others it drops. The log's column has what
is written without \`-v\`.

A fault never makes a 2xx that downstream did not say, never delivers a message twice or a part of one, and leaves no
connection, timer or process. Only a file that cannot be removed stays, until the sweep at the next start.
`;

/** The whole page. */
export function formatTable(outcomes: readonly Outcome[]): string {
  const rows = new Map<string, { kinds: Set<string>; outcome: Outcome }>();
  for (const outcome of outcomes) {
    const { fault, dialogue, place, client, downstream, log } = outcome;
    const key = [fault.operation, dialogue, place, client, downstream, log].join("\0");
    const row = rows.get(key);
    if (row) row.kinds.add(fault.kind);
    else rows.set(key, { kinds: new Set([fault.kind]), outcome });
  }
  let text = HEAD;
  let section = "";
  for (const { kinds, outcome: { fault, dialogue, place, client, downstream, log } } of rows.values()) {
    const title = `## ${fault.operation}, ${dialogue}`;
    if (title !== section) {
      section = title;
      text += `\n${title}\n\n| During | Error | Client hears | Downstream has | Log |\n|---|---|---|---|---|\n`;
    }
    text += `| ${[place, [...kinds].join(", "), client, downstream, log].join(" | ")} |\n`;
  }
  return text;
}
