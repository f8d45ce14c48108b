// --clamd from outside, with fake ones: what is refused and passes, a server that has failed, a client that leaves. Its faults
// are in scanner_faults_test.ts.

import assert from "node:assert/strict";
import { runProgram } from "../e2e/start.ts";
import { CLAMD, EICAR } from "../fakes/clamd.ts";
import { FakeScanner } from "../fakes/scanner.ts";
import { show } from "../rig/octets.ts";
import { CONTENT, deliver, expectUsable, table } from "./rig.ts";
import { clientLeaves, faulty } from "./scanner_faults.ts";

const VIRUS = `Subject: hello\r\n\r\n${EICAR}\r\n`;
const FOUND = "550 5.7.1 virus found: Eicar-Test\r\n";

/** More than what the program keeps in memory, and than what sockets take at once. */
const LARGE = `Subject: large\r\n\r\n${"A line of a large message.\r\n".repeat(250_000)}`;

let first: FakeScanner;
let second: FakeScanner;

Deno.test.beforeAll(async () => {
  first = await FakeScanner.start(CLAMD);
  second = await FakeScanner.start(CLAMD);
});

Deno.test.afterAll(async () => {
  await first.stop();
  await second.stop();
});

table("--clamd", { options: () => [`--clamd=${first.address}`, "-v"] }, [
  {
    name: "a clean message passes",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client)).code, 250);
      talk.passed(CONTENT);
      await talk.logged(/message verdict=pass reason="clamd found nothing" /);
    },
  },
  {
    name: "a virus is refused",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, VIRUS)).raw, FOUND);
      talk.nothingPassed();
      await talk.logged(
        /message verdict=reject reason="clamd at 127\.0\.0\.1:\d+ found Eicar-Test" .*clamd_virus=Eicar-Test/,
      );
      await expectUsable(client);
    },
  },
  {
    name: "a large message passes whole",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, LARGE)).code, 250);
      assert.ok(talk.downstream.messages[0]?.text === LARGE, "it came otherwise");
      assert.ok(first.questions.at(-1)!.length > LARGE.length * 0.9);
    },
  },
  faulty(() => first, {
    at: "half request",
    half: 1_000_000,
    does: "reset",
    says: "INSTREAM size limit exceeded. ERROR\0",
  }, {
    name: "a message that clamd does not take passes, and the log says why",
    play: async (talk) => {
      const client = await talk.open();
      assert.equal((await deliver(client, LARGE)).code, 250);
      await talk.logged(/message not checked.*takes no message of \d+ octets, see StreamMaxLength/);
      await expectUsable(client);
    },
  }),
  clientLeaves(() => first),
]);

table("A --clamd that has failed", {
  options: () => [`--clamd=${first.address}`, `--clamd=${second.address}`],
  modes: ["listen"],
}, [
  faulty(() => first, { at: "reply", does: "close" }, {
    name: "is not asked by the next session either",
    play: async (talk) => {
      const before = first.connections;
      for (let session = 0; session < 3; session++) {
        const client = await talk.open();
        assert.equal((await deliver(client, VIRUS)).raw, FOUND);
        await client.expect(221, "QUIT");
      }
      assert.equal(first.connections, before + 1);
    },
  }),
]);

/** The most memory that the process held so far, in kB. */
function peak(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]);
}

table("--clamd and a message of 50 MB", { options: () => [`--clamd=${first.address}`] }, [{
  name: "costs no memory",
  play: async (talk) => {
    const client = await talk.open();
    // The machine code that comes with use is made, and buffers have their size.
    const line = "A line of a large message.\r\n";
    for (let warm = 0; warm < 5; warm++) {
      assert.equal((await deliver(client, `\r\n${line.repeat(100_000)}${EICAR}\r\n`)).raw, FOUND);
    }
    const before = peak(talk.process.pid);
    const size = 50_000_000;
    assert.equal((await deliver(client, `\r\n${line.repeat(size / line.length)}${EICAR}\r\n`)).raw, FOUND);
    const grown = peak(talk.process.pid) - before;
    assert.ok(grown < 16_000, `the process grew by ${grown} kB`);
    assert.ok(first.questions.pop()!.length > 0.9 * size);
  },
}]);

Deno.test("A wrong address or time of a scanner is refused at start, with what would be right", async () => {
  for (
    const [word, complaint] of [
      ["--clamd=127.0.0.1", '"127.0.0.1" has no port'],
      ["--clamd=", '"" names no host'],
      ["--clamd=3310", '"3310" is a port without a host'],
      ["--clamd=/run/clamav/clamd.ctl", '"/run/clamav/clamd.ctl" is no host name'],
      ["--clamd=unix:", '"unix:" has no path'],
      ["--clamd=127.0.0.1:0", '"127.0.0.1:0" has no valid port'],
      ["--clamd=::1:3310", '"::1:3310" is no server address'],
      ["--clamd=[::1]", '"[::1]" has no port'],
      [`--clamd=unix:/${"x".repeat(200)}`, "has a path that is too long"],
      ["--scan-timeout=0", '"0" is no time limit: give seconds from 0.001 to 604800, such as 30'],
      ["--scan-timeout=soon", '"soon" is no time limit'],
    ] as const
  ) {
    const { status, stdout, stderr } = await runProgram(["--log=/dev/null", "127.0.0.1:1", word]);
    assert.equal(status, 64, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^postprox: option --[^\n]+\n$/);
    assert.ok(stderr.includes(complaint), `${show(stderr)} does not say ${complaint}`);
  }
});
