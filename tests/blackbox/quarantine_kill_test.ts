// SIGKILL at any moment: a message is in the quarantine, or refused, or delivered, and `list` tells the truth.
//
// A process that keeps a message is killed at one moment after another. A process that releases one is killed at each
// step of its dialogue, and at one moment after another.

import assert from "node:assert/strict";
import { programWords } from "../e2e/program.ts";
import { kill, Listening, runProgram } from "../e2e/start.ts";
import { Server } from "../rig/server.ts";
import type { Script, Session } from "../rig/server.ts";
import { until, within } from "../rig/wait.ts";
import { Kept } from "./kept.ts";
import { deliver } from "./rig.ts";

/** The output of `list`: for each message, whether it may have been delivered. */
async function list(kept: Kept): Promise<{ id: string; isMarked: boolean; content: string }[]> {
  const { status, stdout, stderr } = await runProgram(["quarantine", "list", "--json", `--quarantine=${kept.dir}`]);
  assert.equal(status, 0, stderr);
  return stdout.split("\n").filter(Boolean).map((line) => {
    const { id, attempt, size } = JSON.parse(line);
    const content = Deno.readFileSync(`${kept.dir}/${id}.eml`);
    assert.equal(content.length, size);
    return { id, isMarked: attempt !== undefined, content: new TextDecoder().decode(content) };
  });
}

const MOMENTS = 24;

Deno.test("killed while it keeps a message: kept whole, or not at all; and a message with a 250 is kept", async (test) => {
  using kept = new Kept();
  const server = await Server.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  const heard: Record<string, number> = {};
  let known: readonly string[] = [];
  try {
    for (let moment = 0; moment < MOMENTS; moment++) {
      await test.step(`${moment ** 2 / 4} ms after the first file is there`, async () => {
        const content = `Subject: ${moment}\r\n\r\n${"A line of text.\r\n".repeat(100_000)}`;
        const program = await Listening.start([
          server.operand,
          "-c",
          "echo 550 5.7.1 no >&2; exit 1",
          "--action=command=discard",
          "-d",
          dir,
          `--log=${dir}/log`,
          `--quarantine=${kept.dir}`,
        ]);
        try {
          const { client } = await program.connect();
          await client.expect(220);
          await client.expect(250, "EHLO client.example");
          const reply = deliver(client, content).then(({ code }) => code, () => "nothing");
          await within(firstFile(kept, known), () => "a file in the quarantine");
          // The last one is killed when the client has its reply.
          if (moment === MOMENTS - 1) await reply;
          else await new Promise((resolve) => setTimeout(resolve, moment ** 2 / 4));
          kill(program.process.pid);
          await within(program.process.ended, () => "the end of the program");
          client.close();
          const code = await reply;
          heard[code] = (heard[code] ?? 0) + 1;
          const mine = (await list(kept)).filter(({ content }) => content.startsWith(`Subject: ${moment}\n`));
          for (const copy of mine) assert.equal(copy.content, content.replaceAll("\r\n", "\n"));
          assert.ok(mine.length <= 1);
          if (code === 250) {
            assert.equal(mine.length, 1, "the client heard 250, and the message is not in the quarantine");
          }
          known = kept.names;
        } finally {
          await program.stop();
        }
      });
    }
    assert.ok(heard["nothing"]! > 0, `it was never killed before its reply: ${JSON.stringify(heard)}`);
    assert.ok(heard["250"]! > 0, `it was always killed before its reply: ${JSON.stringify(heard)}`);
    // Parts that are old are removed, and messages that are young stay.
    const before = await list(kept);
    for (const name of kept.names) {
      if (!before.some(({ id }) => name.startsWith(id))) Deno.utimeSync(`${kept.dir}/${name}`, 1e9, 1e9);
    }
    const { status } = await runProgram(["quarantine", "expire", "1", `--quarantine=${kept.dir}`]);
    assert.equal(status, 0);
    assert.deepEqual(kept.names, before.flatMap(({ id }) => [`${id}.eml`, `${id}.json`]));
  } finally {
    await server.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});

// Looks more often than `until` does: the whole copy may take no longer than that.
async function firstFile(kept: Kept, known: readonly string[]): Promise<void> {
  while (kept.names.every((name) => known.includes(name))) await new Promise((again) => setTimeout(again, 1));
}

// --- release

/** A release that a test may kill. */
class Releasing {
  readonly ended: Promise<unknown>;
  readonly #child: Deno.ChildProcess;

  constructor(kept: Kept, id: string, server: Server) {
    const [program, ...words] = [
      ...programWords(),
      "quarantine",
      "release",
      id,
      server.operand,
      `--quarantine=${kept.dir}`,
    ];
    this.#child = new Deno.Command(program!, { args: words, stdin: "null", stdout: "null", stderr: "null" }).spawn();
    this.ended = this.#child.status;
  }

  kill(): void {
    kill(this.#child.pid);
  }
}

/** Kills the one who releases when a command comes, or before or after the reply to the final dot. */
const STEPS: readonly (readonly [what: string, at: (die: () => void) => Script, arrives: boolean])[] = [
  ...(["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"] as const).map((verb) =>
    [`at ${verb}`, (die: () => void): Script => ({ [verb]: dyingAt(die) }), false] as const
  ),
  ["in the middle of the content", (die) => ({ CONTENT: { at: 100_000, after: soon(die), then: "silence" } }), false],
  ["behind the final dot", (die) => ({ ".": dyingAt(die) }), true],
  ["with the reply to the final dot", (die) => ({ ".": () => (setTimeout(die, 0), "250 2.0.0 queued") }), true],
  ["1 ms after the reply", (die) => ({ ".": () => (setTimeout(die, 1), "250 2.0.0 queued") }), true],
  ["3 ms after the reply", (die) => ({ ".": () => (setTimeout(die, 3), "250 2.0.0 queued") }), true],
  ["at QUIT", (die) => ({ QUIT: dyingAt(die) }), true],
];

function dyingAt(die: () => void): (line: string, session: Session) => { then: "silence" } {
  return () => {
    die();
    return { then: "silence" };
  };
}

// The step of a message in the middle is no function.
function soon(die: () => void): Promise<void> {
  return new Promise((resolve) => {
    dying = () => {
      die();
      resolve();
    };
  });
}

let dying: (() => void) | undefined;

/** This must hold whenever a release was killed. Then the message is released again. */
async function account(kept: Kept, server: Server, id: string): Promise<"kept" | "marked" | "gone"> {
  const [copy, ...others] = await list(kept);
  assert.deepEqual(others, []);
  const arrived = server.messages.length;
  const state = copy ? copy.isMarked ? "marked" : "kept" : "gone";
  assert.ok(arrived === 1 || state !== "gone", "the message is lost");
  assert.ok(arrived === 0 || state !== "kept", "it was delivered, and list does not say that it may have been");
  if (!copy) return state;
  server.reset();
  const again = await runProgram(["quarantine", "release", id, server.operand, `--quarantine=${kept.dir}`]);
  assert.equal(again.status, 0, again.stderr);
  assert.equal(/may become a duplicate/.test(again.stderr), state === "marked");
  assert.equal(server.messages.length, 1);
  assert.deepEqual(kept.names, []);
  return state;
}

Deno.test("killed at each step of a release: kept, or delivered, and list tells the truth", async (test) => {
  using kept = new Kept();
  const server = await Server.start();
  try {
    for (const [what, at, arrives] of STEPS) {
      await test.step(what, async () => {
        kept.clear();
        // In the middle, more than the kernel takes when nobody reads.
        const lines = what.includes("content") ? 500_000 : 1000;
        const id = kept.put(`Subject: x\n\n${"A line of text.\n".repeat(lines)}`);
        let die = () => {};
        server.reset(at(() => die()));
        const releasing = new Releasing(kept, id, server);
        die = () => releasing.kill();
        if (what.includes("content")) {
          await until(() => server.sessions.some((session) => session.partial.length > 100_000), "content");
          dying?.();
        }
        await within(releasing.ended, () => "the end of the release");
        await server.until(() => server.sessions.every((session) => session.gone), "the end of the session");
        assert.equal(server.messages.length, arrives ? 1 : 0);
        await account(kept, server, id);
      });
    }
  } finally {
    await server.stop();
  }
});

Deno.test("killed at any moment of a release: kept, or delivered, and list tells the truth", async () => {
  using kept = new Kept();
  const server = await Server.start();
  const states: Record<string, number> = {};
  try {
    for (let moment = 0; (states["gone"] ?? 0) < 3; moment++) {
      assert.ok(moment < 100, `it is never done: ${JSON.stringify(states)}`);
      // One that was killed in its removal may have left a part.
      kept.clear();
      const id = kept.put();
      server.reset();
      const releasing = new Releasing(kept, id, server);
      // It takes a while to start. From then on, one moment after another.
      await Promise.race([releasing.ended, server.until(() => server.sessions.length > 0, "a connection")]);
      await new Promise((resolve) => setTimeout(resolve, 3 * moment));
      releasing.kill();
      await within(releasing.ended, () => "the end of the release");
      await server.until(() => server.sessions.every((session) => session.gone), "the end of the session");
      const state = await account(kept, server, id);
      states[state] = (states[state] ?? 0) + 1;
    }
  } finally {
    await server.stop();
  }
  assert.ok(states["kept"]! > 0, JSON.stringify(states));
});
