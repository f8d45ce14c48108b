// docs/flow.md and the other documents have the time limits and the bounds of the code. Each row of the two tables of
// docs/flow.md with a number has one here, unless its number is the default of an option (documented_test.ts).
//
// The constants are read from the source, because nothing else has use for most of them outside their files.

import assert from "node:assert/strict";
import { SETTINGS } from "../../lib/settings/settings.ts";

const ROOT = new URL("../../", import.meta.url);

function textOf(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

/** The number of a constant, or of a member of a constant object, in a file of lib/. It may be a product or a quotient. */
function of(file: string, name: string): number {
  const expression = new RegExp(`^(?:(?:export )?const ${name} = |  ${name}: )([0-9_]+(?: [*/] [0-9_]+)*)[;,]`, "m");
  const found = expression.exec(textOf(`lib/${file}`));
  assert.ok(found, `lib/${file} has no number ${name}`);
  const [first = "", ...rest] = found[1]!.replaceAll("_", "").split(" ");
  let value = Number(first);
  for (let at = 0; at < rest.length; at += 2) {
    if (rest[at] === "*") value *= Number(rest[at + 1]);
    else value /= Number(rest[at + 1]);
  }
  return value;
}

const s = (file: string, name: string) => `${of(file, name) / 1000} s`;
const kib = (file: string, name: string) => `${of(file, name) / 1024} KiB`;
const mib = (file: string, name: string) => `${of(file, name) / 1024 / 1024} MiB`;

/** Constants that must be the same. */
function same(...values: readonly string[]): string {
  assert.equal(new Set(values).size, 1, values.join(", "));
  return values[0]!;
}

const HELPER_POOL = "checks/program/helper_pool.ts";
const HELPER_PROGRAM = "checks/program/helper_program.ts";
const POOL = "wire/server_pool.ts";

/** The share of the message's time after which it must be in the quarantine. */
function untilKept(): number {
  const share = (1 - 2 * of("session/message.ts", "RESERVE_SHARE")) * of("quarantine/keeping.ts", "LONGER");
  return Math.round(share * 1000) / 1000;
}

/** By the first words of a row: its second cell. */
const TIME: Readonly<Record<string, () => string>> = {
  "an external checker or a filter that is stopped": () => s("checks/program/process.ts", "KILL_DELAY"),
  "processes that a filter leaves": () => s("checks/program/process.ts", "LEAVE_DELAY"),
  "a helper that has failed": () => s(HELPER_PROGRAM, "KILL_DELAY"),
  "a helper whose answer nobody awaits": () => s(HELPER_PROGRAM, "KILL_DELAY"),
  "before a helper that fails again": () => `${s(HELPER_POOL, "LONGEST_PAUSE")} at most`,
  "from the client's final dot until a message must be in the quarantine": () => {
    assert.equal(untilKept(), 0.9);
    return `${SETTINGS.session.messageTimeout.default * untilKept() / 1000} s, nine tenths of the limit of the message`;
  },
  "a connection to a scanner that waits": () => s(POOL, "KEEP_FOR"),
  "a server of a scanner that failed": () => s(POOL, "REST"),
  "replies to a client that closed": () => s("session/session.ts", "LEFT_GRACE"),
  "downstream's reply to QUIT": () => s("session/session.ts", "QUIT_PATIENCE"),
  "the outcome of a message that downstream has": () => s("session/session.ts", "SHUTDOWN_GRACE"),
};

const BOUNDS: Readonly<Record<string, () => string>> = {
  "command line": () =>
    `${of("session/client.ts", "COMMAND_LINE_LIMIT")} octets; AUTH ${of("session/client.ts", "AUTH_LINE_LIMIT")}`,
  "recipients of a message": () => `${of("session/answers.ts", "RECIPIENT_LIMIT")}`,
  "refused lines and commands": () => `${of("session/answers.ts", "ERROR_LIMIT")}`,
  "reply line of downstream": () => `${of("smtp/reply.ts", "REPLY_LINE_LIMIT")} octets`,
  "reply of downstream": () =>
    `${of("smtp/reply.ts", "REPLY_LINES_LIMIT")} lines, ${kib("smtp/reply.ts", "REPLY_OCTETS_LIMIT")}`,
  "a record in the quarantine": () => mib("quarantine/contents.ts", "RECORD_LIMIT"),
  "standard error of a filter": () =>
    `read to the end; postprox keeps ${of("checks/program/process.ts", "LINE_KEPT")} octets of the last line`,
  "text of a message in which URLs": () => `${mib("mime/url_search.ts", "TEXT_LIMIT")}, decoded`,
  "parts of a message": () =>
    `${of("mime/parts.ts", "PARTS_LIMIT")}, to a depth of ${of("mime/parts.ts", "DEPTH_LIMIT")}`,
  "encoded messages in a message": () => `${of("mime/parts.ts", "ENCODINGS_LIMIT")}`,
  "fields of a part": () =>
    `${of("mime/part_header.ts", "FIELDS_LIMIT")} of each name, ${
      of("mime/part_header.ts", "FIELD_LIMIT")
    } octets of each`,
  "boundaries of a part": () =>
    `${of("mime/content_fields.ts", "BOUNDARIES_LIMIT")}, ${
      of("mime/content_fields.ts", "BOUNDARY_LIMIT")
    } octets of each`,
  "hosts in the URLs": () =>
    `${of("mime/url_search.ts", "HOSTS_LIMIT")}, of ${of("mime/url_search.ts", "SPELLINGS_LIMIT")} odd spellings`,
  "addresses of a host": () => {
    const count = of("checks/urls/listed_host.ts", "ADDRESSES_LIMIT");
    return `${count} IPv4, ${count} IPv6`;
  },
  "lookups for a host in a URL": () => `${of("checks/urls/listed_host.ts", "NAMES_LIMIT")}`,
  // Each host has two lookups, for the two kinds of addresses.
  "lookups for the URLs of a message": () =>
    `${of("checks/urls/urls.ts", "LOOKUPS_AT_ONCE")} in DNS lists, ` +
    `${2 * of("checks/urls/listed_host.ts", "ADDRESSES_AT_ONCE")} others`,
  "answer of a helper": () => kib(HELPER_PROGRAM, "ANSWER_LIMIT"),
  "standard error of helpers": () => {
    assert.equal(of(HELPER_POOL, "LINES_TIME"), 60_000);
    return `${of(HELPER_PROGRAM, "STDERR_LINE_LIMIT")} octets of a line, ${
      of(HELPER_POOL, "LINES_LIMIT")
    } lines in a minute`;
  },
  "answer of clamd": () => `${of("checks/clamd/clamd.ts", "ANSWER_LIMIT")} octets`,
  "name of a virus": () => `${of("checks/clamd/clamd.ts", "NAME_LIMIT")} characters`,
  "answer of rspamd": () => {
    const answer = "checks/rspamd/answer.ts";
    const whole = kib(answer, "WHOLE_LIMIT");
    const others = same(kib(answer, "subject"), kib(answer, "messages"));
    return `${
      mib("checks/rspamd/http_response.ts", "BODY_LIMIT")
    }. postprox keeps ${whole} of it, and of a longer one the ` +
      `parts that it needs: ${whole} for the changes of the header, ${others} each for a subject, signatures and a text`;
  },
  "header lines of rspamd's answer": () =>
    same(kib("checks/rspamd/http_response.ts", "HEAD_LIMIT"), kib("checks/spamd/protocol.ts", "HEAD_LIMIT")),
  "fields that rspamd adds": () => `${of("checks/rspamd/answer.ts", "FIELDS_LIMIT")}`,
  "recipients that rspamd hears of": () => kib("checks/rspamd/request.ts", "RECIPIENTS_LIMIT"),
  "header that spamd makes": () => kib("checks/spamd/protocol.ts", "HEADER_LIMIT"),
  "reply that is made of a text": () => `one line of ${of("smtp/reply.ts", "OWN_LINE_LIMIT")} octets`,
  "text of rspamd in the log": () =>
    `${of("checks/rspamd/verdict.ts", "MESSAGE_SHOWN")} characters, ${
      of("checks/rspamd/verdict.ts", "SYMBOLS_SHOWN")
    } characters`,
  "what a scanner sends": () => kib("wire/server_conn.ts", "AHEAD_LIMIT"),
  "connections to a server of a scanner": () => `${of(POOL, "KEPT_LIMIT")}`,
  "name of a field in the header": () => `${of("mime/header.ts", "NAME_LIMIT")} octets`,
  "labels of a domain": () => `${of("restrictions/rules/match.ts", "LABELS_LIMIT")}`,
  "servers of a domain": () => `${of("restrictions/rules/match.ts", "SERVERS_LIMIT")}`,
  "line of a message, for an expression": () =>
    `${mib("pattern/pattern.ts", "REFERENCE_LINE_LIMIT")}, ${
      of("pattern/pattern.ts", "SEARCH_LIMIT") / 1e6
    } million steps`,
  "states of each of the 18 automata": () =>
    `${of("pattern/automaton.ts", "TABLE_LIMIT")} table entries, ${of("pattern/automaton.ts", "PLACES_LIMIT")} places`,
  "time that all sessions together read large messages": () => `${of("wire/shared_turn.ts", "TURN")} ms`,
  "names of a client's address": () => `${of("session/caller.ts", "NAMES_LIMIT")}`,
  "notices of checks": () =>
    `${of("log/events.ts", "NOTICES_LIMIT")}, of ${of("log/events.ts", "NOTICE_LIMIT")} characters`,
  "DNS lookups at the same time": () => {
    const count = of("dns/stub_resolver.ts", "LOOKUPS_AT_ONCE");
    return `${count} in DNS lists, ${count} others`;
  },
  "records of a DNS answer": () => `${of("dns/message.ts", "RECORDS_LIMIT")}`,
  "DNS answers kept": () =>
    `${of("dns/lookups.ts", "ANSWERS_LIMIT")}, of ${of("dns/lookups.ts", "KEPT_LIMIT")} characters`,
  "DNS lookups for one MAIL": () => {
    const names = s("dns/lookups.ts", "NAMES_TIME");
    return `${s("dns/lookups.ts", "LISTS_TIME")} in DNS lists, ${names} for the client's name, ${names} others`;
  },
  "lookups without an answer": () => `${of("dns/lookups.ts", "SILENCES_LIMIT")} in a row`,
  "time that sessions go on": () => `\`--drain-timeout\`, ${SETTINGS.listen.drainTimeout.default / 1000} s`,
  "filter programs at the same time": () =>
    `\`--max-filters\`, ${of("settings/load_checks.ts", "FILTERS_PER_PROCESSOR")} for each processor`,
  "HTTP clients of `--metrics` at the same time": () =>
    `${of("modes/http_server.ts", "CLIENTS_LIMIT")}, each for ${s("modes/http_server.ts", "CLIENT_LIMIT")}`,
  "HTTP clients of `--metrics` that are accepted": () =>
    `${of("modes/http_server.ts", "BURST")} at once, then one each ${of("modes/http_server.ts", "PAUSE")} ms`,
  "the head of an HTTP request": () =>
    `${kib("metrics/http.ts", "REQUEST_LINE_LIMIT")} for its line, ${
      kib("metrics/http.ts", "HEADER_LIMIT")
    } for its fields`,
  "questions for `/healthz`": () =>
    `one in ${s("modes/health.ts", "ASK_INTERVAL")}, ${s("modes/health.ts", "ANSWER_LIMIT")} for the answer`,
  "time without an answer of a worker": () => s("modes/supervisor.ts", "SILENCE_LIMIT"),
  "time until a worker accepts": () => s("modes/supervisor.ts", "START_LIMIT"),
  "time that `postprox reload` waits": () => s("commands/reload.ts", "LIMIT"),
  "clients that wait for the answer to `postprox reload`": () =>
    `${of("modes/reload_server.ts", "CLIENTS_LIMIT")}, each ${
      s("modes/reload_server.ts", "PATIENCE")
    } for its question`,
  "time of a worker after SIGTERM": () => `\`--drain-timeout\` and ${s("modes/supervisor.ts", "LAST_WORDS")}`,
  "time of a worker after its supervisor": () => s("modes/worker.ts", "LAST_WORDS"),
  "time until a worker gives back places": () => s("modes/place_pool.ts", "RECALL_LIMIT"),
  "clients that wait while the supervisor": () => `${of("modes/places.ts", "WAITERS_LIMIT")} in each worker`,
  "commands sent before the reply": () => kib("wire/line_conn.ts", "AHEAD_LIMIT"),
  "replies that wait to be sent": () => kib("session/client.ts", "HELD_LIMIT"),
};

/** The rows of a table of docs/flow.md, below its heading. */
function rowsBelow(heading: string): string[][] {
  const [, part = ""] = new RegExp(`^## ${heading}\n(.*?)(?=^## |$(?![^]))`, "ms").exec(textOf("docs/flow.md")) ?? [];
  const rows = [...part.matchAll(/^\| (.*)\|$/gm)].map(([, row]) => row!.split("|").map((cell) => cell.trim()));
  return rows.slice(1);
}

for (const [heading, expected] of [["Time", TIME], ["Bounds", BOUNDS]] as const) {
  Deno.test(`docs/flow.md, ${heading}: the numbers are those of the code`, () => {
    const rows = rowsBelow(heading);
    for (const [what, cell] of Object.entries(expected)) {
      // The longer words belong to a row of their own.
      const row = rows.find(([first]) => first === what) ?? rows.find(([first]) => first!.startsWith(what));
      assert.ok(row, `docs/flow.md has no row ${what}`);
      assert.equal(row[1], cell(), what);
    }
    const known = (first: string) => Object.keys(expected).some((what) => first.startsWith(what));
    const isDefault = ([, , option = ""]: readonly string[]) => heading === "Time" && /`-/.test(option);
    const others = rows.filter((row) => /[0-9]/.test(row[1]!) && !isDefault(row) && !known(row[0]!));
    assert.deepEqual(others, [], "add these rows to this test");
  });
}

/** Sentences elsewhere that have such a number. */
const SAID: readonly (readonly [document: string, text: () => string])[] = [
  ["docs/flow.md", () => `A session keeps at most ${kib("spool/spool.ts", "MEMORY_LIMIT")} of a message in memory`],
  ["docs/flow.md", () => `postprox waits ${s("session/session.ts", "LEFT_GRACE")} more for the outcome`],
  ["SECURITY.md", () => `more than ${kib("wire/line_conn.ts", "AHEAD_LIMIT")} ahead`],
  ["README.md", () => `A server that failed comes after the others for ${s(POOL, "REST")}.`],
  ["README.md", () => `longer each time, up to ${s(HELPER_POOL, "LONGEST_PAUSE")}.`],
  ["README.md", () => `up to ${of(HELPER_POOL, "LINES_LIMIT")} lines in a minute`],
  ["docs/man/options.mdoc", () => `comes after the others for ${of(POOL, "REST") / 1000} seconds.`],
  ["docs/man/options.mdoc", () => `there is a pause that grows to ${of(HELPER_POOL, "LONGEST_PAUSE") / 1000} seconds.`],
];

Deno.test("the numbers in other documents are those of the code", () => {
  for (const [document, text] of SAID) {
    assert.ok(textOf(document).replaceAll(/\s+/g, " ").includes(text()), `${document} does not say: ${text()}`);
  }
});
