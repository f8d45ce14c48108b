// rspamd's own milter, for smtpd_milters of Postfix: the process `rspamd_proxy`, which scans by itself.

import type { Rspamd } from "../../../tests/e2e/rspamd_bed.ts";
import type { Peer } from "../way.ts";

/** Of an rspamd that runs, and whose processor time is not counted here. */
export function rspamdMilterOf(rspamd: Rspamd): Peer {
  const name = "rspamd's milter";
  return {
    name,
    package: "rspamd",
    start: () => Promise.resolve({ name, port: Number(rspamd.milter.split(":")[1]), stop: () => Promise.resolve() }),
  };
}
