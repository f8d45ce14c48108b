// The table of the latest refusals. Nearly all of its text comes from strangers. Pure.
//
// On a narrow screen the style sheet makes a card of each row. It then shows `data-label` in place of the table's head. The
// roles say that it is a table all the same: a browser forgets that with the layout.

import { type Refusal, REFUSALS_KEPT, type Snapshot } from "../snapshot.ts";
import { type Clockface, formatCount } from "./figures.ts";
import { foreign, html, type Markup } from "./html.ts";

// In characters. The log has all of it.
const REASON_LIMIT = 220;
const ADDRESS_LIMIT = 110;
const REPLY_LIMIT = 220;
const CHECK_LIMIT = 40;

export function refusalsTable({ refusals }: Snapshot, clock: Clockface): Markup {
  const shown = refusals.slice(0, REFUSALS_KEPT);
  return html`<section class="refusals" aria-labelledby="refusals">
<h2 id="refusals">Latest refusals</h2>
${shown.length === 0 ? html`<p class="note">Nothing was refused yet.</p>` : tableOf(shown, clock)}
</section>`;
}

function tableOf(refusals: readonly Refusal[], clock: Clockface): Markup {
  return html`
    <table role="table">
      <caption class="note">The newest first; the log has all of their text</caption>
      <colgroup>
        <col class="w-time">
        <col class="w-verdict">
        <col class="w-check">
        <col>
        <col class="w-sender">
        <col class="w-n">
        <col class="w-client">
        <col>
      </colgroup>
      <thead role="rowgroup">
        <tr
          role="row">${["Time", "Verdict", "Check", "Reason", "Sender"].map((name) =>
            html`<th scope="col" role="columnheader">${name}</th>`
          )}<th scope="col" role="columnheader" class="n"><abbr title="Recipients">Rcpts</abbr></th>${[
            "Client",
            "Reply",
          ].map((name) => html`<th scope="col" role="columnheader">${name}</th>`)}</tr>
      </thead>
      <tbody role="rowgroup">
    ${refusals.map((refusal) => rowOf(refusal, clock))}</tbody>
    </table>
  `;
}

function rowOf(refusal: Refusal, clock: Clockface): Markup {
  const { time, what, verdict, reason, sender, recipients, client, reply } = refusal;
  return html`
    <tr role="row">
      <td role="cell"><time datetime="${clock.machine(time)}" title="${clock.day(time)}">${clock.second(
        time,
      )}</time></td>
      <td role="cell"><span class="dot ${verdict}">${verdict}</span>${what === "message" ? undefined : html`
        <small>${what}</small>
      `}</td>
      <td role="cell">${checkOf(refusal)}</td>
      <td role="cell" data-label="Reason">${foreign(reason, REASON_LIMIT)}</td>
      <td role="cell" data-label="Sender">${senderOf(sender)}</td>
      <td role="cell" class="n" data-label="Recipients">${formatCount(recipients)}</td>
      <td role="cell" data-label="Client">${clientOf(client)}</td>
      <td role="cell" data-label="Reply">${foreign(reply, REPLY_LIMIT)}</td>
    </tr>
  `;
}

function checkOf({ what, check }: Refusal): Markup {
  if (check !== "") return foreign(check, CHECK_LIMIT);
  return html`<span class="null">${what === "message" ? "postprox" : "restriction"}</span>`;
}

// A long name and its address stand in two lines.
function clientOf(client: string | undefined): Markup {
  if (client === undefined) return html`<span class="null">not known</span>`;
  const [, name, address] = /^([^[]*)(\[[^[]*\])$/.exec(client) ?? [];
  if (name === undefined || address === undefined) return foreign(client, ADDRESS_LIMIT);
  return html`<span>${foreign(name, ADDRESS_LIMIT)}<wbr>${foreign(address, ADDRESS_LIMIT)}</span>`;
}

function senderOf(sender: string | undefined): Markup {
  if (sender === undefined) return html`<span class="null">not known</span>`;
  return sender === ""
    ? html`<span class="null" title="the null sender">&lt;&gt;</span>`
    : foreign(sender, ADDRESS_LIMIT);
}
