// The name servers of /etc/resolv.conf (resolv.conf(5)). It ignores search domains and options. Pure.

import type { NameServer } from "../ports/runtime.ts";
import { parseIp } from "../text/ip.ts";

const DNS_PORT = 53;

// As the C library does.
const SERVERS_LIMIT = 3;

/** The first three name servers. If the file names none, it is this host. */
export function parseNameServers(text: string): readonly NameServer[] {
  const servers = text.split("\n")
    .map((line) => /^nameserver[ \t]+(\S+)/.exec(line)?.[1])
    .filter((address) => address !== undefined && parseIp(address) !== undefined)
    .slice(0, SERVERS_LIMIT)
    .map((address) => ({ address: address!, port: DNS_PORT }));
  return servers.length > 0 ? servers : [{ address: "127.0.0.1", port: DNS_PORT }];
}
