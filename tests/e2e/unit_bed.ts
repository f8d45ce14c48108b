// The packages' systemd unit, with its postprox.socket, for the program under test, in a systemd of startSystemd().
//
// The unit is that of the template which the packages and --postfix-config use, with another command line. A drop-in runs it as
// root, and lets it see /tmp and home directories, because the program under test may be where only root can read it. All other
// lines hold. postprox.socket is the packages' own file.

import { formatUnit } from "../../lib/commands/postfix_config/systemd_unit.ts";
import { fromFileUrl } from "./paths.ts";
import { programWords } from "./program.ts";
import type { Systemd } from "./systemd.ts";

const DROP_IN = `[Service]
User=root
Group=root
ProtectHome=no
PrivateTmp=no
ReadWritePaths=/var/tmp /tmp
Environment=HOME=/tmp
`;

const UNITS = "/etc/systemd/system";

/**
 * Writes the units and starts both. The service listens at 127.0.0.1:10025, and its next hop is 127.0.0.1:10026. `more` are
 * lines of the drop-in.
 */
export async function startUnit({ sh }: Systemd, options: readonly string[], more = ""): Promise<void> {
  const words = [...options, "-v", "--log=stderr", "-d", "/var/tmp", "-l", "10025", "127.0.0.1:10026"];
  const program = programWords().join(" ");
  const unit = formatUnit({ about: ["For a test."], program, options: words.join(" "), writable: [] });
  const put = (path: string, text: string) => sh(`cat >${UNITS}/${path} <<'END'\n${text}\nEND`);
  await sh(`mkdir -p ${UNITS}/postprox.service.d`);
  await put("postprox.service", unit);
  await put("postprox.service.d/source.conf", `${DROP_IN}${more}`);
  const socket = fromFileUrl(new URL("../../scripts/package/postprox.socket", import.meta.url));
  await put("postprox.socket", Deno.readTextFileSync(socket));
  await sh("systemctl daemon-reload; systemctl start postprox.socket postprox");
}
