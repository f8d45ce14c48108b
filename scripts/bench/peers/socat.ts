// socat(1) as a bare relay: it knows nothing of SMTP, and starts a process for each connection.

import type { Peer } from "../way.ts";
import { startPeer } from "./program.ts";

export const socat: Peer = {
  name: "socat",
  package: "socat",
  start: async (directory, downstream) =>
    await startPeer(
      { name: "socat", file: "socat" },
      directory,
      ({ file, port }) => [
        file,
        `TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr,fork,backlog=128`,
        `TCP:127.0.0.1:${downstream}`,
      ],
    ),
};
