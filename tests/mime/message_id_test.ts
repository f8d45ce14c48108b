// Tests of lib/mime/message_id.ts: the id in the header of the message itself, if the beginning has it.

import assert from "node:assert/strict";
import { bytesOf } from "../../lib/text/octets.ts";
import { messageIdOf } from "../../lib/mime/message_id.ts";

const ROWS: readonly [message: string, id: string | undefined][] = [
  ["Message-ID: <a@b>\n\ntext\n", "<a@b>"],
  ["Received: by x\nSubject: y\nMessage-ID: <a@b>\nTo: z\n\n", "<a@b>"],
  // In any case, with any blanks, at any end.
  ["message-id:<a@b>\n", "<a@b>"],
  ["MESSAGE-ID \t: \t<a@b> \t\n", "<a@b>"],
  ["Message-Id: <a@b>", "<a@b>"],
  ["Message-ID: <a@b>\r\n\r\n", "<a@b>"],
  // Folded, as long ids are.
  ["Message-ID:\n <a@b>\nTo: z\n", "<a@b>"],
  ["Message-ID: <a\n\t@b>\nTo: z\n", "<a\t@b>"],
  ["Subject: x\n Message-ID: <no@b>\nMessage-ID: <a@b>\n", "<a@b>"],
  // Whatever a sender writes there.
  ["Message-ID: two words\n", "two words"],
  ["Message-ID: <a@b>\nMessage-ID: <second@b>\n", "<a@b>"],
  ["Message-ID: \x1b[2J\0\n", "\x1b[2J\0"],
  // None, or none of the message itself.
  ["", undefined],
  ["\n", undefined],
  ["Message-ID:\n\n", undefined],
  ["Message-ID:\n \n\n", undefined],
  ["Message-ID\n", undefined],
  ["Subject: x\n\nMessage-ID: <body@b>\n", undefined],
  ["\nMessage-ID: <body@b>\n", undefined],
  ["Subject: x\n\r\nMessage-ID: <body@b>\n", undefined],
  ["no field\nMessage-ID: <body@b>\n", undefined],
  ["X-Message-ID: <a@b>\nResent-Message-ID: <a@b>\n\n", undefined],
  ["Content-Type: message/rfc822\n\nMessage-ID: <inner@b>\n\n", undefined],
];

Deno.test("messageIdOf finds the id in the header of the message itself", () => {
  for (const [message, id] of ROWS) assert.equal(messageIdOf(bytesOf(message)), id, JSON.stringify(message));
});

Deno.test("messageIdOf is bounded, and takes time that grows with the header only", () => {
  assert.ok(messageIdOf(bytesOf(`Message-ID: <${"x".repeat(100_000)}>\n\n`))!.length < 1000);
  assert.equal(messageIdOf(bytesOf(`${"x".repeat(1000)}: y\nMessage-ID: <a@b>\n\n`)), undefined);
  assert.equal(messageIdOf(bytesOf(`Subject: x${"\n x".repeat(20_000)}\nMessage-ID: <a@b>\n`)), "<a@b>");
});
