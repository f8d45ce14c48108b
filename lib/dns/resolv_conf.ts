// The name servers of /etc/resolv.conf (resolv.conf(5)). Pure. Its search domains and options are not for us.

import type { NameServer } from "../ports/runtime.ts";
import { parseIp } from "../text/ip.ts";

const DNS_PORT = 53;

// As the C library does.
const SERVERS_LIMIT = 3;

/** The first three; this host where none is named. */
export function parseNameServers(text: string): readonly NameServer[] {
  const servers = text.split("\n")
    .map((line) => /^nameserver[ \t]+(\S+)/.exec(line)?.[1])
    .filter((address) => address !== undefined && parseIp(address) !== undefined)
    .slice(0, SERVERS_LIMIT)
    .map((address) => ({ address: address!, port: DNS_PORT }));
  return servers.length > 0 ? servers : [{ address: "127.0.0.1", port: DNS_PORT }];
}
