// `systemctl restart` of the packages' unit with the packages' postprox.socket (unit_bed.ts), under a running systemd of its
// own, while clients send to postprox, or to a real Postfix in front of it. Needs root, systemd, util-linux and iproute2.

import { fromFileUrl } from "../e2e/paths.ts";
import { startSystemd } from "../e2e/systemd.ts";
import { startUnit } from "../e2e/unit_bed.ts";
import type { Row, RunOptions, Stage } from "./restarts.ts";

const INSIDE = fromFileUrl(new URL("restarts_inside.ts", import.meta.url));

export async function runUnderSystemd(stage: Stage, { clients, front }: RunOptions): Promise<Row> {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_systemd_" });
  const systemd = await startSystemd(dir);
  try {
    await startUnit(systemd, stage.options);
    const words = [Deno.execPath(), "run", "--quiet", "-A", INSIDE, stage.count, clients, front];
    const said = await systemd.sh(`HOME=/tmp ${words.join(" ")}`);
    const { complaints, ...account } = JSON.parse(said.trim().split("\n").at(-1)!);
    return { stage, front, ...account, complaints: new Map(complaints) };
  } finally {
    await systemd.stop();
    Deno.removeSync(dir, { recursive: true });
  }
}
