// clamav-milter(8), which asks a clamd: for smtpd_milters of Postfix. It relays nothing.

import type { Peer } from "../way.ts";
import { startPeer } from "./program.ts";

/** `clamd` is the path of its unix socket, over which the milter hands it open files. */
export function clamavMilterWith(clamd: string): Peer {
  const name = "clamav-milter";
  return {
    name,
    package: "clamav-milter",
    start: async (directory) =>
      await startPeer({ name, file: "clamav-milter" }, directory, ({ file, port, config, work }) => {
        const path = `${config}/clamav-milter.conf`;
        Deno.writeTextFileSync(
          path,
          `Foreground yes
MilterSocket inet:${port}@127.0.0.1
ClamdSocket unix:${clamd}
OnInfected Reject
TemporaryDirectory ${work}
LogFile ${work}/log
`,
        );
        return [file, "-c", path];
      }),
  };
}
