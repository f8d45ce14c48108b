// Tests of lib/modes/background.ts: the command returns when the new process accepts connections, or says why it does
// not.

import assert from "node:assert/strict";
import { backgroundMode } from "../../lib/modes/background.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

Deno.test("backgroundMode starts the same words with --foreground in front, and lets the new process go", async () => {
  const runtime = new FakeRuntime();
  runtime.processes.self = { stdout: ["postprox: accepting connec", "tions at 127.0.0.1:10025\n"] };
  assert.equal(await backgroundMode(runtime, ["-l", "10025", "--", "mx"], false), 0);
  assert.deepEqual(runtime.processes.selfStarts, [
    { args: ["--foreground", "-l", "10025", "--", "mx"], stderr: "stdout" },
  ]);
  assert.equal(runtime.processes.released, 1);
  assert.equal(runtime.out + runtime.err, "");
});

Deno.test("backgroundMode leaves standard error to a log that goes there", async () => {
  const runtime = new FakeRuntime();
  runtime.processes.self = { stdout: ["postprox: accepting connections at x\n"] };
  await backgroundMode(runtime, ["mx"], true);
  assert.equal(runtime.processes.selfStarts[0]!.stderr, "inherit");
});

Deno.test("backgroundMode gives the reason and a status other than 0 when the new process ends", async () => {
  const rows = [
    [{ exit: 64 }, 64],
    [{ exit: 0 }, 1],
    [{ exit: 75 }, 75],
    [{ signal: "SIGKILL" }, 75],
  ] as const;
  for (const [end, status] of rows) {
    const runtime = new FakeRuntime();
    runtime.processes.self = { stdout: ["postprox: address", " in use\n"], end };
    assert.equal(await backgroundMode(runtime, ["mx"], false), status);
    assert.equal(runtime.err, "postprox: address in use\n");
    assert.equal(runtime.processes.released, 0);
  }
});

Deno.test("backgroundMode says how the new process ended if that could say nothing", async () => {
  const runtime = new FakeRuntime();
  runtime.processes.self = { stdout: [], end: { signal: "SIGKILL" } };
  assert.equal(await backgroundMode(runtime, ["mx"], false), 75);
  assert.match(runtime.err, /^postprox: [^\n]* died of SIGKILL: [^\n]*\n$/);
});

Deno.test("backgroundMode repeats what the new process says before it is ready, with a level for a journal", async () => {
  for (const isErrJournal of [false, true]) {
    const runtime = new FakeRuntime();
    runtime.isErrJournal = isErrJournal;
    const json = '{"time":"x","level":"warning","pid":1,"event":"w"}';
    const said = ["postprox[1]: warning: w\npostprox[1]: no", "tice: n\n", `${json}\n`, "postprox: why\nhalf a line"];
    runtime.processes.self = { stdout: [...said, "\npostprox: accepting connections at x\nand more\n"] };
    assert.equal(await backgroundMode(runtime, ["mx"], false), 0);
    const [w, n, e] = isErrJournal ? ["<4>", "<5>", "<3>"] : ["", "", ""];
    assert.equal(
      runtime.err,
      `${w}postprox[1]: warning: w\n${n}postprox[1]: notice: n\n${w}${json}\n${e}postprox: why\n${e}half a line\n`,
    );
    assert.equal(runtime.out, "");
  }
});
