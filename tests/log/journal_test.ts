// Tests of lib/log/journal.ts: the datagram that the journal takes, and when the journal is at hand.

import assert from "node:assert/strict";
import { formatJournal, isJournalsSyslog, JOURNAL_SOCKET, journalFields } from "../../lib/log/journal.ts";
import { textOf } from "../../lib/text/octets.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

Deno.test("journalFields gives each field of a line a name of postprox", () => {
  const fields = { verdict: "pass", size: 7, left: undefined, "content-type": "x", to: "" };
  assert.equal(
    journalFields({ id: "8f3a61c09d", name: "message", words: "message", fields }),
    "POSTPROX_SESSION=8f3a61c09d\nPOSTPROX_EVENT=message\nPOSTPROX_VERDICT=pass\nPOSTPROX_SIZE=7\n" +
      "POSTPROX_CONTENT_TYPE=x\nPOSTPROX_TO=\n",
  );
  // As in JSON.
  assert.equal(
    journalFields({ id: "-", name: "notice", words: "", text: "plain words" }),
    "POSTPROX_EVENT=notice\nPOSTPROX_TEXT=plain words\n",
  );
});

Deno.test("journalFields lets no stranger add a field, and cuts what is long", () => {
  const evil = "a\nPRIORITY=0\r\n\x00\x1b[2J\u2028MESSAGE=forged\\";
  const lines = journalFields({ words: "w", text: evil, fields: { from: evil, long: "x".repeat(601) } }).split("\n");
  assert.deepEqual(lines.map((line) => line.split("=")[0]), [
    "POSTPROX_EVENT",
    "POSTPROX_TEXT",
    "POSTPROX_FROM",
    "POSTPROX_LONG",
    "",
  ]);
  assert.equal(lines[2], "POSTPROX_FROM=a\\x0aPRIORITY=0\\x0d\\x0a\\x00\\x1b[2J\\u2028MESSAGE=forged\\\\");
  assert.equal(lines[3], `POSTPROX_LONG=${"x".repeat(600)}...`);
});

Deno.test("formatJournal has the level, the facility and the process, and a message of one line", () => {
  assert.equal(
    textOf(formatJournal("warning", "warning: two\nlines \u00e9", { pid: 4711, fields: "POSTPROX_EVENT=e\n" })),
    "PRIORITY=4\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=postprox\nSYSLOG_PID=4711\nMESSAGE=warning: two lines \u00e9\n" +
      "POSTPROX_EVENT=e\n",
  );
});

Deno.test("isJournalsSyslog is true only for the journal's own syslog socket, with the journal at hand", async () => {
  const { files } = new FakeRuntime();
  const octets = new Uint8Array();
  assert.equal(await isJournalsSyslog(files, "/dev/log"), false);
  files.replace(JOURNAL_SOCKET, octets, "socket");
  assert.equal(await isJournalsSyslog(files, "/dev/log"), false);
  const journals = "/run/systemd/journal/dev-log";
  files.replace(journals, octets, "socket");
  assert.equal(await isJournalsSyslog(files, journals), true);
  // Of another daemon.
  files.replace("/dev/log", octets, "socket");
  assert.equal(await isJournalsSyslog(files, "/dev/log"), false);
  files.unlink(JOURNAL_SOCKET);
  assert.equal(await isJournalsSyslog(files, journals), false);
});
