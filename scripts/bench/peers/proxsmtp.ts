// proxsmtpd(8), a proxy in C with a thread for each connection: without a filter, with a command that gets the message
// as a file, and with one that gets it by a pipe and returns it.
//
// `User` in its configuration makes no difference, because it is started as its user. It stays in the foreground with
// `-d`, whose number is the level of its log.

import type { Peer } from "../way.ts";
import { type Place, startPeer } from "./program.ts";

interface Filter {
  readonly command: string;
  readonly type: "file" | "pipe";
}

export const proxsmtp = peer("proxsmtp");
export const proxsmtpWithFile = peer("proxsmtp, /bin/true", { command: "/bin/true", type: "file" });
export const proxsmtpWithPipe = peer("proxsmtp, cat", { command: "/bin/cat", type: "pipe" });

function peer(name: string, filter?: Filter): Peer {
  return {
    name,
    package: "proxsmtp",
    start: async (directory, downstream) =>
      await startPeer({ name, file: "proxsmtpd" }, directory, (place) => {
        const path = `${place.config}/proxsmtpd.conf`;
        Deno.writeTextFileSync(path, configuration(place, downstream, filter));
        return [place.file, "-d", "1", "-f", path];
      }),
  };
}

function configuration({ port, work }: Place, downstream: number, filter?: Filter): string {
  return `Listen: 127.0.0.1:${port}
OutAddress: 127.0.0.1:${downstream}
MaxConnections: 200
TempDirectory: ${work}
` + (filter ? `FilterCommand: ${filter.command}\nFilterType: ${filter.type}\n` : "");
}
