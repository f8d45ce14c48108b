// The peer of a socket that the process was started with. Neither runtime gives it. Linux does, in /proc.
//
// This reads the table of all connections, so it runs only when somebody asks. The result is undefined if there is no
// such socket or no such table.

export interface ProcReader {
  /** The target of a symbolic link. Throws if it cannot be read. */
  readonly link: (path: string) => string;
  /** The text of a whole file. Throws if it cannot be read. */
  readonly text: (path: string) => string;
}

/** The IP address of the peer of file descriptor `descriptor`. */
export function socketPeer(descriptor: number, { link, text }: ProcReader): string | undefined {
  try {
    const inode = /^socket:\[([0-9]+)\]$/.exec(link(`/proc/self/fd/${descriptor}`))?.[1];
    if (inode === undefined) return undefined;
    return remoteAddress(text("/proc/self/net/tcp"), inode) ?? remoteAddress(text("/proc/self/net/tcp6"), inode);
  } catch {
    // No /proc, or no IPv6.
    return undefined;
  }
}

// The columns of proc_pid_net(5).
const REMOTE = 2;
const INODE = 9;

function remoteAddress(table: string, inode: string): string | undefined {
  for (const line of table.split("\n")) {
    if (!line.includes(inode)) continue;
    const fields = line.trim().split(/\s+/);
    if (fields[INODE] === inode) return parseAddress(fields[REMOTE]!.replace(/:.*/, ""));
  }
  return undefined;
}

/** An address of that table: words of 32 bits. The octets of each word are in this machine's order. */
export function parseAddress(hex: string): string {
  const octets = (hex.match(/[0-9A-F]{8}/g) ?? []).flatMap((word) =>
    word.match(/../g)!.reverse().map((octet) => parseInt(octet, 16))
  );
  const isMapped = octets.length === 16 && octets.slice(0, 12).every((octet, at) => octet === (at < 10 ? 0 : 255));
  if (octets.length === 4 || isMapped) return octets.slice(-4).join(".");
  const groups = Array.from({ length: 8 }, (_, at) => (octets[2 * at]! << 8 | octets[2 * at + 1]!).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
