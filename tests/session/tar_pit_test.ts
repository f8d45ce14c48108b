// Tests of lib/session/tar_pit.ts: how long each command of a session waits.

import assert from "node:assert/strict";
import { TarPit } from "../../lib/session/tar_pit.ts";

const OPTIONS = { tarpitAfter: 2, tarpitDelay: 1000, tarpitMultiplier: 2, tarpitMax: 10_000 };

function delays(options: Partial<typeof OPTIONS>, verbs: readonly string[]): number[] {
  const pit = new TarPit({ ...OPTIONS, ...options });
  return verbs.map((verb) => pit.delayOf(verb as "RCPT"));
}

const RCPTS = Array(8).fill("RCPT");

Deno.test("TarPit: the delay begins after a number of RCPT, grows, and has a limit", () => {
  assert.deepEqual(delays({}, RCPTS), [0, 0, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  assert.deepEqual(delays({ tarpitMultiplier: 1.5 }, RCPTS), [0, 0, 1000, 1500, 2250, 3375, 5062.5, 7593.75]);
  assert.deepEqual(delays({ tarpitMultiplier: 1 }, RCPTS), [0, 0, 1000, 1000, 1000, 1000, 1000, 1000]);
  assert.deepEqual(delays({ tarpitMax: 500 }, RCPTS), [0, 0, 500, 500, 500, 500, 500, 500]);
});

Deno.test("TarPit: only RCPT leads into it, and then every command waits", () => {
  assert.deepEqual(delays({}, ["MAIL", "RCPT", "NOOP", "MAIL", "RCPT", "QUIT"]), [0, 0, 0, 0, 0, 1000]);
  assert.deepEqual(delays({}, ["RCPT", "RCPT", "OTHER", "SPOILT", "DATA"]), [0, 0, 1000, 2000, 4000]);
});

Deno.test("TarPit: none, and one without end", () => {
  assert.deepEqual(delays({ tarpitAfter: 0 }, RCPTS), Array(8).fill(0));
  const pit = new TarPit({ ...OPTIONS, tarpitMultiplier: 9999 });
  for (let count = 0; count < 1000; count++) pit.delayOf("RCPT");
  assert.equal(pit.delayOf("RCPT"), 10_000);
  assert.equal(pit.recipients, 2);
  assert.equal(pit.waits, 999);
});

Deno.test("TarPit: a client that is spared neither waits nor counts", () => {
  const pit = new TarPit({ ...OPTIONS, isSpared: (address) => address === "192.0.2.7" });
  const delaysOf = (address: string | undefined) => RCPTS.map(() => pit.delayOf("RCPT", address)).slice(0, 4);
  assert.deepEqual(delaysOf("192.0.2.7"), [0, 0, 0, 0]);
  assert.deepEqual(delaysOf("192.0.2.8"), [0, 0, 1000, 2000]);
  assert.deepEqual(delaysOf("192.0.2.7"), [0, 0, 0, 0]);
  assert.equal(pit.delayOf("RCPT", undefined), 10_000);
});
