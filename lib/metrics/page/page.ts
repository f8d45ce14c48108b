// The status page: what an administrator wants to see first when something is wrong. Pure: a snapshot in, HTML out.
//
// The page needs no script and nothing from elsewhere, and it loads itself again. It is at most about 200 kB, because
// everything in it has a bound. Texts of strangers go through `foreign`. Everything else is escaped by `html`.

import type { Health, Snapshot } from "../snapshot.ts";
import { checksTable } from "./checks_table.ts";
import { Clockface, formatAge, formatCount } from "./figures.ts";
import { html, Markup } from "./html.ts";
import { type Hour, hourOf } from "./hour.ts";
import { messagesPlot, openPlot, sessionsPlot } from "./plots.ts";
import { refusalsTable } from "./refusals_table.ts";
import { type State, stateOf } from "./state.ts";
import { STYLE, STYLE_DIGEST } from "./style.ts";
import { tiles } from "./tiles.ts";
import { verdictsTable } from "./verdicts_table.ts";

export interface PageOptions {
  /** The name of this host, for people who watch several. */
  readonly host?: string | undefined;
  /** Minutes by which the clock of this place is before UTC: `-new Date().getTimezoneOffset()`. */
  readonly utcOffset?: number;
  /** The page loads itself again after so many seconds. */
  readonly reload?: number;
}

// In characters. A host name is shorter.
const HOST_LIMIT = 100;

/** Often enough to watch, and seldom enough to read. */
export const RELOAD_SECONDS = 15;

export const PAGE_TYPE = "text/html; charset=utf-8";

/** The header fields to send with the page, beside its type. Nothing may be loaded, run, sent or framed. */
export const PAGE_FIELDS: Readonly<Record<string, string>> = {
  "Content-Security-Policy":
    `default-src 'none'; style-src 'sha256-${STYLE_DIGEST}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
};

/** The page as text. It is sent as UTF-8. */
export function renderPage(snapshot: Snapshot, health: Health, options: PageOptions = {}): string {
  const { host, utcOffset = 0, reload = RELOAD_SECONDS } = options;
  const name = host ? `postprox on ${host.slice(0, HOST_LIMIT)}` : "postprox";
  const clock = new Clockface(utcOffset);
  const hour = hourOf(snapshot);
  const state = stateOf(snapshot, hour, health);
  const { time, startTime, build } = snapshot;
  const page = html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <title>${state.words} – ${name}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="robots" content="noindex">
        <meta http-equiv="refresh" content="${reload}">
        <style>${new Markup(STYLE)}</style>
      </head>
      <body>
        <header>
          <h1>${name}</h1>
          <p><time datetime="${clock.machine(time)}">${clock.day(time)}:${clock.second(time).slice(6)}</time> ${clock
            .zone}</p>
        </header>
        <main>
    ${banner(state)}
    ${tiles(snapshot, hour)}
    ${figures(snapshot, hour, clock)}
    ${refusalsTable(snapshot, clock)}
        </main>
        <footer>
          <span>postprox ${build.version} on ${build.runtime}</span>
          <span>Started <time datetime="${clock.machine(startTime)}">${clock.day(startTime)}</time>, ${formatAge(
            time - startTime,
          )} ago</span>
          <span>Loads itself again every ${formatCount(reload)} s</span>
          <span><a href="metrics">Metrics</a> · <a href="healthz">Health</a></span>
        </footer>
      </body>
    </html>
  `;
  return `${page.text.trim()}\n`;
}

function banner({ level, words, reasons }: State): Markup {
  const list = reasons.length > 0 ? html`<ul>${reasons.map((reason) => html`<li>${reason}</li>`)}</ul>` : undefined;
  return html`<section class="state ${level}" aria-label="State"><strong>${words}</strong>${list}</section>`;
}

function figures(snapshot: Snapshot, hour: Hour, clock: Clockface): Markup {
  return html`<section class="wide" id="messages-plot" aria-labelledby="messages">${messagesPlot(hour, clock)}</section>
<section class="side">${verdictsTable(snapshot, hour)}</section>
<section class="third half" aria-labelledby="sessions">${sessionsPlot(hour, clock)}</section>
<section class="third half" aria-labelledby="open">${openPlot(snapshot, hour, clock)}</section>
<section class="third">${checksTable(snapshot)}</section>`;
}
