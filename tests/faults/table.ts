// The outcomes of all faults as one table in Markdown, docs/proofs/faults.md.
//
// Rows that differ only in the call, or only in the kind of error, become one row.

import type { Outcome } from "./run.ts";

const HEAD = `# What happens when something fails

\`deno task faults\` makes each input or output operation of a session fail once, in turn, with each error that the system can
give there. It judges what happens then. \`deno task faults --write\` writes this page again.

The client sends three messages through a filter: a small one, one that is too large for memory, and one that the filter
replaces. It also sends two messages without a filter. Without a fault it hears 250 to each of them. Further dialogues have
content checks in place of the filter. Most of them fail only in the operations of these checks:

- with clamd, rspamd, spamd or URL lists, once with \`-r\` and once without: a clean message, and one that the check refuses
- with all scanners side by side and \`-r\`: a small message, and one that is too large for memory
- with two servers of clamd, rspamd and spamd each, and \`-r\`: a clean message, one that gets fields, and one that clamd refuses
- with \`--quarantine\`: a message that clamd refuses, one that rspamd discards, and a large one that rspamd wants in quarantine
- with \`--filter-rules\`: a message that passes, and two that it refuses, one of them too large for memory
- with \`--extchk\`: a message that passes, one that it refuses, and a large one that it changes
- with \`-c\` and \`--then\`: a message that passes, one that the second command refuses, and one that both replace
- with \`--bypass\`, clamd and \`--extchk\`: a message of a client that is not checked, and one that clamd refuses
- with \`--helper\`, once with \`-r\` and once without: a message that passes, one that it refuses, and one that it replaces

In the tables:

- "closed" is a connection that ends early. "421, closed" is one that ends with that reply. A reply that is not in the table was
  lost with the connection. The last reply is that to one more message, which shows that the session goes on.
- Downstream's column counts the messages that reached it whole. Downstream drops parts of messages.
- The log's column has the lines that postprox writes without \`-v\`.

After a fault postprox never says a 2xx that downstream did not say. It never delivers a message twice, or a part of a message. It
leaves no connection, timer or process. A fault of a check concerns one message only. Without \`-r\` that message passes
unchecked, and with \`-r\` it is refused with 451. After a fault of \`--extchk\` it is always refused with 451. The quarantine has
a message whole or not at all. It has each message to which the client heard 250 although nothing was delivered. Only a file that
cannot be removed stays, until the next start removes it.
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
