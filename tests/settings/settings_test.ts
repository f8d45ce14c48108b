// Tests of lib/settings/settings.ts: the defaults are those of the manual, and each row can read what it prints.

import assert from "node:assert/strict";
import { readCommandLine } from "../../lib/options/command_line.ts";
import { rowsOf } from "../../lib/options/table.ts";
import { SETTINGS } from "../../lib/settings/settings.ts";

Deno.test("the defaults are those of the manual", () => {
  const { settings } = readCommandLine([], { table: SETTINGS, commandOptions: [] });
  assert.equal(settings.judging.timeout, 30_000);
  assert.equal(settings.judging.rejectUnsure, false);
  assert.equal(settings.session.messageTimeout, 90_000);
  // CONTRACT, downstream idle: before Postfix under stress hangs up (smtpd_timeout), with room for a busy machine.
  assert.ok(settings.session.keepalive <= 8_000);
  assert.equal(settings.spool.directory, "/tmp");
  assert.equal(settings.programs.allowDiscard, false);
  assert.equal(settings.command.command, "");
  assert.equal(settings.log.verbosity, 0);
  assert.equal(settings.listen.address, undefined);
});

Deno.test("each row prints its default so that it reads the same", () => {
  for (const row of rowsOf(SETTINGS)) {
    const read = row.print(row.default).reduce((before, text) => row.take(text, before), row.default);
    assert.deepEqual(read, row.default, row.long);
  }
});

Deno.test("each row prints the values that were given, once for each time", () => {
  const rows: readonly [option: string, texts: readonly string[], printed?: readonly string[]][] = [
    ["command", ["a", "b"], ["b"]],
    ["reject", ["", ""], [""]],
    ["verbose", ["", "", ""]],
    ["dnsbl", ["a.test=127.0.0.2-11", "b.test"]],
    ["listen", ["[::1]:25"]],
  ];
  for (const [option, texts, printed = texts] of rows) {
    const row = rowsOf(SETTINGS).find(({ long }) => long === option)!;
    const value = texts.reduce((before, text) => row.take(text, before), row.default);
    assert.deepEqual(row.print(value), printed, option);
  }
});
