// `systemctl restart` of the package's unit with the package's postprox.socket, under a running systemd of its own, while
// clients send. Needs root, systemd, util-linux and iproute2.

import { formatUnit } from "../../lib/commands/postfix_config/systemd_unit.ts";
import { fromFileUrl } from "../e2e/paths.ts";
import { programWords } from "../e2e/program.ts";
import { startSystemd } from "../e2e/systemd.ts";
import type { Row, RunOptions, Stage } from "./restarts.ts";

const here = (path: string) => fromFileUrl(new URL(path, import.meta.url));

export async function runUnderSystemd(stage: Stage, { clients }: Pick<RunOptions, "clients">): Promise<Row> {
  const options = [...stage.options, "-v", "--log=stderr", "-d", "/var/tmp", "-l", "10025", "127.0.0.1:10026"].join(
    " ",
  );
  const unit = formatUnit({ about: ["For a test."], program: programWords().join(" "), options, writable: [] });
  const dir = Deno.makeTempDirSync({ prefix: "postprox_systemd_" });
  const systemd = await startSystemd(dir);
  try {
    const units = "/etc/systemd/system";
    // The program may be where only root can read it.
    const dropIn = "[Service]\nUser=root\nGroup=root\nProtectHome=no\nPrivateTmp=no\nReadWritePaths=/var/tmp /tmp\n" +
      "Environment=HOME=/tmp\n";
    const put = (path: string, text: string) => systemd.sh(`cat >${units}/${path} <<'END'\n${text}\nEND`);
    await systemd.sh(`mkdir -p ${units}/postprox.service.d`);
    await put("postprox.service", unit);
    await put("postprox.service.d/source.conf", dropIn);
    await put("postprox.socket", Deno.readTextFileSync(here("../../scripts/package/postprox.socket")));
    await systemd.sh("systemctl daemon-reload; systemctl start postprox.socket postprox");
    const words = [Deno.execPath(), "run", "--quiet", "-A", here("restarts_inside.ts"), stage.count, clients];
    const said = await systemd.sh(`HOME=/tmp ${words.join(" ")}`);
    const { complaints, ...account } = JSON.parse(said.trim().split("\n").at(-1)!);
    return { stage, front: "direct", ...account, complaints: new Map(complaints) };
  } finally {
    await systemd.stop();
    Deno.removeSync(dir, { recursive: true });
  }
}
