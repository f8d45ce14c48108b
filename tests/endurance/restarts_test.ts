// The short form of `deno task restarts`: each case a few times, with few clients.

import assert from "node:assert/strict";
import { isLeftOut } from "../needs.ts";
import {
  type Front,
  isKept,
  type Row,
  type RunOptions,
  runStage,
  type Stage,
  stagesOf,
  systemdStages,
} from "./restarts.ts";
import { runUnderSystemd } from "./restarts_systemd.ts";

const COUNT = 2;
const STAGES = stagesOf(COUNT);

/** Through Postfix, one case of each kind is enough. */
const THROUGH_POSTFIX = ["reload, workers", "SIGTERM to a worker", "SIGKILL to a worker", "restart, workers"];

for (const front of ["direct", "Postfix"] as const) {
  const ignore = front === "Postfix" && isLeftOut("restarts through Postfix");
  for (const stage of STAGES) {
    if (front === "direct" || THROUGH_POSTFIX.includes(stage.what)) {
      Deno.test(
        `restarts, ${front}: ${stage.what} costs nothing that it may not cost`,
        { ignore },
        () => play(runStage, stage, front),
      );
    }
  }
}

for (const stage of systemdStages(COUNT)) {
  Deno.test(`restarts, systemd's socket behind Postfix: ${stage.what} costs nothing`, {
    ignore: isLeftOut("restarts under systemd"),
  }, () => play(runUnderSystemd, stage, "Postfix"));
}

async function play(
  run: (stage: Stage, options: RunOptions) => Promise<Row>,
  stage: Stage,
  front: Front,
): Promise<void> {
  const row = await run(stage, { clients: 4, front });
  const { sent, refused, broken, unknown, lost, doubled } = row;
  const counts = { sent, refused, broken, unknown, lost, doubled };
  assert.ok(isKept(row), `${JSON.stringify(counts)} ${[...row.complaints.keys()].join("; ")}`);
}
