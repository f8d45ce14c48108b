// Tests of lib/commands/check/mail_file.ts: the messages of a file, however its octets come.

import assert from "node:assert/strict";
import { MailFileReader } from "../../../lib/commands/check/mail_file.ts";
import { everyCut, octets, spelled } from "../../rig/octets.ts";

function messagesOf(pieces: readonly string[]): string[] {
  const reader = new MailFileReader();
  const messages: string[] = [];
  for (const piece of [...pieces.map((text) => reader.push(octets(text))), reader.end()].flat()) {
    if (piece.begins) messages.push("");
    messages.push(messages.pop()! + spelled(piece.octets));
  }
  return messages;
}

const ROWS: readonly [file: string, messages: readonly string[]][] = [
  // One message.
  ["A: b\n\ntext\n", ["A: b\n\ntext\n"]],
  ["no end", ["no end"]],
  ["", []],
  ["\n", ["\n"]],
  ["A: b\n\nFrom here on\n\nFrom there\n>From x\n", ["A: b\n\nFrom here on\n\nFrom there\n>From x\n"]],
  ["From: a\n\ntext\n", ["From: a\n\ntext\n"]],
  ["Fro", ["Fro"]],

  // Its line ends.
  ["A: b\r\n\r\ntext\r\n", ["A: b\n\ntext\n"]],
  ["A: b\r\n\r\rtext\r\r\nbare\nx\r\n", ["A: b\n\r\rtext\r\nbare\nx\n"]],
  ["A: b\n\nline\r\n\r\nx\r", ["A: b\n\nline\r\n\r\nx\r"]],
  ["\r\nx\r\n", ["\nx\n"]],

  // An mbox.
  ["From a@b Thu\nA: b\n\none\n\nFrom a@b Fri\nA: c\n\ntwo\n", ["A: b\n\none\n", "A: c\n\ntwo\n"]],
  ["From a@b Thu\nA: b\n\none\n\n\nFrom a@b Fri\nA: c\n\ntwo\n\n", ["A: b\n\none\n\n", "A: c\n\ntwo\n"]],
  ["From a@b Thu\nA: b\n\none\nFrom here\n", ["A: b\n\none\nFrom here\n"]],
  ["From a@b Thu\nA: b\n\n>From here\n>>From x\n> From y\n>Fro\n", ["A: b\n\nFrom here\n>From x\n> From y\n>Fro\n"]],
  ["From a@b Thu\r\nA: b\r\n\r\none\r\n\r\nFrom a@b Fri\r\ntwo\r\n", ["A: b\n\none\n", "two\n"]],
  ["From a@b Thu\n\nFrom a@b Fri\ntwo\n", ["", "two\n"]],
  ["From a@b Thu", [""]],
];

Deno.test("MailFileReader gives the messages of a file, cut anywhere", () => {
  for (const [file, messages] of ROWS) {
    for (const pieces of everyCut(file)) assert.deepEqual(messagesOf(pieces), messages, JSON.stringify(pieces));
    assert.deepEqual(messagesOf(file.split("")), messages, `${JSON.stringify(file)}, one octet at a time`);
  }
});
