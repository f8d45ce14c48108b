// clamsmtpd(8), a proxy in C that asks a clamd: with a real one, and with one that answers OK at once (ok_clamd.ts).
//
// It names its file of the message to clamd, which has to be able to read it. It refuses a virus, as postprox does. Its own
// default is to drop it.

import { freePort } from "../../../tests/rig/ports.ts";
import { type Server, startServer } from "../bed.ts";
import type { Peer } from "../way.ts";
import { startPeer } from "./program.ts";

/** `clamd` is its address: HOST:PORT, or the path of a unix socket. */
export function clamsmtpWith(clamd: string): Peer {
  const name = "clamsmtp";
  return {
    name,
    package: "clamsmtp",
    start: async (directory, downstream) =>
      await startPeer({ name, file: "clamsmtpd" }, directory, ({ file, port, config, work }) => {
        Deno.chmodSync(work, 0o755);
        const path = `${config}/clamsmtpd.conf`;
        Deno.writeTextFileSync(
          path,
          `Listen: 127.0.0.1:${port}
OutAddress: 127.0.0.1:${downstream}
ClamAddress: ${clamd}
Action: bounce
MaxConnections: 200
TempDirectory: ${work}
`,
        );
        return [file, "-d", "1", "-f", path];
      }),
  };
}

/** With a clamd that answers OK at once. The processor time is that of clamsmtpd alone. */
export const clamsmtp: Peer = {
  ...clamsmtpWith(""),
  start: async (directory, downstream) => {
    const clamd = await startOkClamd();
    const way = await clamsmtpWith(`127.0.0.1:${clamd.port}`).start(directory, downstream);
    if (!way) await clamd.stop();
    return way && { ...way, stop: () => way.stop().finally(() => clamd.stop()) };
  },
};

async function startOkClamd(): Promise<Server> {
  const port = await freePort();
  const script = decodeURIComponent(new URL("./ok_clamd.ts", import.meta.url).pathname);
  const argv = [Deno.execPath(), "run", "--quiet", "--allow-net=127.0.0.1", script, String(port)];
  return await startServer("the clamd that answers OK", port, argv);
}
