// Tests of lib/modes/worker.ts and lib/modes/word_line.ts: the side of a worker, with a supervisor that the test plays.

import assert from "node:assert/strict";
import { SYSLOG } from "../../lib/log/sinks.ts";
import { readWords, WordWriter } from "../../lib/modes/word_line.ts";
import { beWorker, type WorkerSide } from "../../lib/modes/worker.ts";
import { formatWord, parseToSupervisor, type ToSupervisor, type ToWorker } from "../../lib/modes/worker_link.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import type { Runtime, Signal } from "../../lib/ports/runtime.ts";
import { readTextFile } from "../../lib/ports/small_file.ts";
import { textOf } from "../../lib/text/octets.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";

const LOG = { target: SYSLOG, format: "json", verbosity: 1 } as const;

class Bed {
  readonly outer = new FakeRuntime();
  /** The status that the process ended with. */
  status: number | undefined;
  readonly signals: Signal[] = [];
  runtime!: Runtime;
  worker!: WorkerSide;

  static async started(): Promise<Bed> {
    const bed = new Bed();
    const outer = Object.assign(bed.outer, { exit: (status: number) => void (bed.status = status) });
    const starting = beWorker(outer, [3]);
    await bed.say({ say: "files", files: { "/conf": "kept" }, log: LOG, counts: false });
    ({ runtime: bed.runtime, worker: bed.worker } = await starting);
    return bed;
  }

  /** The signals are handled from now on. */
  handle(): void {
    for (const signal of ["SIGHUP", "SIGTERM", "SIGINT", "SIGQUIT"] as const) {
      this.runtime.signals.on(signal, () => this.signals.push(signal));
    }
  }

  async say(...words: readonly ToWorker[]): Promise<void> {
    for (const word of words) this.outer.stdioPeer.say(textOf(formatWord(word)));
    await settled();
  }

  get heard(): ToSupervisor[] {
    return this.outer.stdioPeer.hear().split("\n").filter((line) => line !== "").map((line) =>
      parseToSupervisor(line)!
    );
  }
}

Deno.test("A worker reads the files that the supervisor has read", async () => {
  const bed = await Bed.started();
  assert.equal(await readTextFile(bed.runtime.files, "/conf"), "kept");
  assert.deepEqual(bed.worker.sockets, [3]);
});

Deno.test("A worker answers: to a ping, a question for its counts, and a recall", async () => {
  const bed = await Bed.started();
  bed.worker.snapshot = () => ({ sessions: 1 });
  await bed.say({ say: "ping" }, { say: "snapshot", id: 7 }, { say: "recall" });
  bed.worker.ready();
  await settled();
  assert.deepEqual(bed.heard, [
    { say: "pong" },
    { say: "snapshot", id: 7, snapshot: { sessions: 1 } },
    { say: "givePlaces", count: 0 },
    { say: "ready" },
  ]);
});

Deno.test("A worker gets places and turns from the supervisor", async () => {
  const bed = await Bed.started();
  const place = bed.worker.places.take();
  const turn = bed.worker.turns.take(1000);
  await settled();
  assert.deepEqual(bed.heard, [{ say: "wantPlaces", count: 1 }, { say: "wantTurn", id: 1 }]);
  await bed.say({ say: "places", count: 2 }, { say: "turn", id: 1 });
  assert.equal(await place, true);
  (await turn)!();
  await bed.say({ say: "recall" });
  assert.deepEqual(bed.heard, [{ say: "endTurn", id: 1 }, { say: "givePlaces", count: 1 }]);
});

Deno.test("The supervisor's words come as signals, also those that come early", async () => {
  const bed = await Bed.started();
  await bed.say({ say: "drain" });
  bed.handle();
  await settled();
  assert.deepEqual(bed.signals.splice(0), ["SIGTERM"]);
  await bed.say({ say: "drain" }, { say: "reopen" }, { say: "stop" });
  assert.deepEqual(bed.signals, ["SIGHUP", "SIGQUIT"]);
  assert.deepEqual(bed.heard, []);
});

Deno.test("A worker that somebody else ends says so, and ends once", async () => {
  const bed = await Bed.started();
  bed.handle();
  bed.outer.signal("SIGTERM");
  await settled();
  assert.deepEqual([bed.signals, bed.heard], [["SIGTERM"], [{ say: "leaving", signal: "SIGTERM" }]]);
  // All processes of the service got SIGTERM, and so the supervisor says the same.
  await bed.say({ say: "drain" });
  assert.deepEqual([bed.signals, bed.heard], [["SIGTERM"], []]);
  // A second signal is meant.
  bed.outer.signal("SIGTERM");
  assert.deepEqual(bed.signals, ["SIGTERM", "SIGTERM"]);
});

Deno.test("A signal after the supervisor's word is the same end, and a second one is not", async () => {
  const bed = await Bed.started();
  bed.handle();
  await bed.say({ say: "drain" });
  bed.outer.signal("SIGINT");
  assert.deepEqual([bed.signals, bed.heard], [["SIGTERM"], []]);
  bed.outer.signal("SIGINT");
  assert.deepEqual(bed.signals, ["SIGTERM", "SIGINT"]);
  const other = await Bed.started();
  other.handle();
  await other.say({ say: "drain" });
  other.outer.signal("SIGQUIT");
  assert.deepEqual(other.signals, ["SIGTERM", "SIGQUIT"]);
});

Deno.test("When the supervisor is gone, the sessions end, and the process within 2 s", async () => {
  const bed = await Bed.started();
  bed.handle();
  bed.outer.stdioPeer.end();
  await settled();
  assert.deepEqual([bed.signals, bed.status], [["SIGQUIT"], undefined]);
  await bed.outer.clock.advance(1500);
  assert.equal(bed.status, 75);
});

Deno.test("An error that prevents the start goes to the supervisor", async () => {
  const bed = await Bed.started();
  bed.runtime.stdio.writeErr("<3>postprox: option --log: no room\n");
  bed.runtime.stdio.writeOut("postprox: accepting connections\n");
  await bed.worker.flush();
  assert.deepEqual(bed.heard, [{ say: "failed", why: "option --log: no room" }]);
  assert.deepEqual([bed.outer.err, bed.outer.out], ["", ""]);
});

Deno.test("WordWriter sends words in order, those of one moment together, and loses them if nobody reads", async () => {
  const writes: string[] = [];
  let go = () => {};
  let broken = false;
  const writer = new WordWriter(async (octets) => {
    if (broken) throw new IoError("reset", "gone");
    writes.push(textOf(octets));
    await new Promise<void>((resolve) => go = resolve);
  });
  writer.say({ say: "ping" });
  writer.say({ say: "drain" });
  await settled();
  writer.say({ say: "stop" });
  assert.deepEqual(writes, ['{"say":"ping"}\n{"say":"drain"}\n']);
  go();
  await settled();
  go();
  await writer.flush();
  assert.equal(writes[1], '{"say":"stop"}\n');
  broken = true;
  writer.say({ say: "ping" });
  await writer.flush();
  broken = false;
  writer.say({ say: "recall" });
  await settled();
  assert.equal(writes[2], '{"say":"recall"}\n');
});

Deno.test("readWords ends with the stream, or with its failure, and leaves out what is no word", async () => {
  for (const end of [null, new IoError("reset", "gone")]) {
    const pieces = [
      formatWord({ say: "pong" }),
      new TextEncoder().encode("nonsense\n"),
      formatWord({ say: "ready" }),
      end,
    ];
    const heard: string[] = [];
    const read = async () => {
      const piece = pieces.shift()!;
      if (piece instanceof IoError) throw piece;
      return piece;
    };
    await readWords(read, parseToSupervisor, ({ say }) => heard.push(say));
    assert.deepEqual(heard, ["pong", "ready"]);
  }
});
