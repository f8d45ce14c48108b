// The table of verdicts, which is also the legend of the plot of messages. Pure.

import { type Snapshot, VERDICT_LABELS, type VerdictLabel } from "../snapshot.ts";
import { formatCount, formatShare } from "./figures.ts";
import { html, type Markup } from "./html.ts";
import type { Hour } from "./hour.ts";

const MEANINGS: Readonly<Record<VerdictLabel, string>> = {
  pass: "checked and delivered",
  tag: "caught by a check, delivered with a field that says so",
  bypass: "delivered, of a client whose mail no check looks at",
  unchecked: "delivered, although no check looked at it or could decide",
  reject: "refused for good",
  tempfail: "refused for now",
  discard: "accepted and thrown away",
  quarantine: "accepted and kept in the quarantine",
};

export function verdictsTable({ messages }: Snapshot, hour: Hour): Markup {
  const sinceStart = (verdict: VerdictLabel) =>
    messages.reduce((sum, entry) => entry.verdict === verdict ? sum + entry.count : sum, 0);
  const all = messages.reduce((sum, { count }) => sum + count, 0);
  const rows = VERDICT_LABELS.map((verdict) => {
    const count = hour.messages[verdict];
    const since = sinceStart(verdict);
    return html`
      <tr class="${since === 0 ? "zero" : ""}">
        <th scope="row" title="${MEANINGS[verdict]}"><span class="dot ${verdict}">${verdict}</span></th>
        <td class="n">${formatCount(count)}</td>
        <td class="n">${formatShare(count, hour.total)}</td>
        <td class="n">${formatCount(since)}</td>
      </tr>
    `;
  });
  return html`
    <table class="verdicts">
      <caption>
        <h2>Verdicts</h2>
      </caption>
      <thead>
        <tr>
          <th scope="col">Verdict</th>
          <th scope="col" class="n">Last hour</th>
          <th scope="col" class="n">Share</th>
          <th scope="col" class="n">Since start</th>
        </tr>
      </thead>
      <tbody>
    ${rows}</tbody>
      <tfoot>
        <tr>
          <th scope="row">all</th>
          <td class="n">${formatCount(hour.total)}</td>
          <td class="n"></td>
          <td class="n">${formatCount(all)}</td>
        </tr>
      </tfoot>
    </table>
  `;
}
