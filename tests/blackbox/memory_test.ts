// Things that a stranger or a filter can make long cost no memory. The tests measure the peak of the process from
// outside.

import assert from "node:assert/strict";
import { deliver, expectUsable, table, type Talk } from "./rig.ts";

const MB = 1000;

/** The most memory that the process held so far, in kB. */
function peak({ process }: Talk): number {
  return Number(/VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${process.pid}/status`))![1]);
}

/** Has the machine code made that comes with any use, and is no cost of what is measured. */
async function warmUp(talk: Talk): ReturnType<Talk["open"]> {
  const client = await talk.open();
  for (let count = 0; count < 200; count++) await client.expect(250, "NOOP");
  await expectUsable(client);
  return client;
}

function assertGrewLess(talk: Talk, before: number, limit: number): void {
  const grown = peak(talk) - before;
  assert.ok(grown < limit, `the process grew by ${grown} kB, and may by ${limit}`);
}

table("Memory", { filter: true }, [
  ...["head -c 100000000 /dev/zero", "yes 'a line of some length' | head -c 100000000"].map((flood) => ({
    name: `100 MB of a filter's standard error: ${flood}`,
    play: async (talk: Talk) => {
      const client = await warmUp(talk);
      const before = peak(talk);
      talk.setFilter(`(${flood}; echo; echo 550 5.7.1 the end) >&2; exit 1`);
      assert.equal((await deliver(client)).raw, "550 5.7.1 the end\r\n");
      assertGrewLess(talk, before, 25 * MB);
    },
  })),
  {
    name: "24 MB of a command line without an end",
    play: async (talk) => {
      const client = await warmUp(talk);
      const before = peak(talk);
      const piece = "x".repeat(1_000_000);
      for (let count = 0; count < 24; count++) await client.say(piece);
      await client.say("\r\n");
      await client.expect(500);
      assertGrewLess(talk, before, 8 * MB);
      await expectUsable(client);
    },
  },
]);
