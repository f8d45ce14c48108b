// The address of a listening socket that the process was started with. Linux tells it in /proc.
//
// Known gap: a socket of another network namespace is not in that table.

import type { Address } from "../../ports/runtime.ts";
import { parseAddress, type ProcReader } from "./socket_peer.ts";

/** The address of descriptor `descriptor`; undefined if it is no stream socket that listens. */
export function listeningAddress(descriptor: number, { link, text }: ProcReader): Address | undefined {
  const table = (path: string) => {
    try {
      return text(path).split("\n");
    } catch {
      // For example, there is no IPv6.
      return [];
    }
  };
  try {
    const inode = /^socket:\[([0-9]+)\]$/.exec(link(`/proc/self/fd/${descriptor}`))?.[1];
    if (inode === undefined) return undefined;
    const tcp = [...table("/proc/self/net/tcp"), ...table("/proc/self/net/tcp6")];
    return tcpAddress(tcp, inode) ?? unixAddress(table("/proc/self/net/unix"), inode);
  } catch {
    return undefined;
  }
}

// The columns of proc_pid_net(5), and the state of a socket that listens.
const TCP = { local: 1, state: 3, inode: 9 };
const TCP_LISTEN = "0A";

function tcpAddress(rows: readonly string[], inode: string): Address | undefined {
  for (const row of rows) {
    const fields = row.trim().split(/\s+/);
    if (fields[TCP.inode] !== inode || fields[TCP.state] !== TCP_LISTEN) continue;
    const [hex = "", port = ""] = fields[TCP.local]!.split(":");
    return { transport: "tcp", host: parseAddress(hex), port: parseInt(port, 16) };
  }
  return undefined;
}

// Num: RefCount Protocol Flags Type St Inode Path. The flag says that it listens, and the type that it is a stream.
const UNIX = /^\S+: \S+ \S+ 00010000 0001 \S+ +([0-9]+) (.*)$/;

function unixAddress(rows: readonly string[], inode: string): Address | undefined {
  for (const row of rows) {
    const [, found, path = ""] = UNIX.exec(row) ?? [];
    if (found === inode) return { transport: "unix", path };
  }
  return undefined;
}
