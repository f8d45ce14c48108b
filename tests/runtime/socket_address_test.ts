// Tests of lib/runtime/shared/socket_address.ts, with tables as Linux writes them.

import assert from "node:assert/strict";
import type { Address } from "../../lib/ports/runtime.ts";
import { listeningAddress } from "../../lib/runtime/shared/socket_address.ts";

const TCP_HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const UNIX_HEAD = "Num       RefCount Protocol Flags    Type St Inode Path\n";

function tcp(local: string, state: string, inode: number): string {
  const none = local.length > 13 ? "0".repeat(32) : "0".repeat(8);
  return `   0: ${local} ${none}:0000 ${state} 00000000:00000000 00:00000000 00000000  105        0 ${inode} 1 0 100 0\n`;
}

function unix(flags: string, type: string, inode: number, path: string): string {
  return `0000000000000000: 00000002 00000000 ${flags} ${type} 01 ${String(inode).padStart(5)} ${path}\n`;
}

const TABLES: Readonly<Record<string, string>> = {
  "/proc/self/net/tcp": TCP_HEAD + tcp("0100007F:2729", "0A", 77) + tcp("0100007F:2729", "01", 7) +
    tcp("00000000:0019", "0A", 107),
  "/proc/self/net/tcp6": TCP_HEAD + tcp(`${"0".repeat(24)}01000000:8000`, "0A", 8) +
    tcp(`${"0".repeat(32)}:2729`, "0A", 9),
  "/proc/self/net/unix": UNIX_HEAD + unix("00010000", "0001", 10, "/run/a b/socket") +
    unix("00010000", "0005", 11, "/run/packets") + unix("00000000", "0001", 12, "/run/talks") +
    unix("00010000", "0001", 13, "@name"),
};

const ROWS: readonly [what: string, link: string, address: Address | undefined][] = [
  ["IPv4, among others with like inodes", "socket:[77]", { transport: "tcp", host: "127.0.0.1", port: 10025 }],
  ["all addresses of IPv4", "socket:[107]", { transport: "tcp", host: "0.0.0.0", port: 25 }],
  ["IPv6", "socket:[8]", { transport: "tcp", host: "::1", port: 32768 }],
  ["all addresses", "socket:[9]", { transport: "tcp", host: "::", port: 10025 }],
  ["a connection", "socket:[7]", undefined],
  ["a unix socket", "socket:[10]", { transport: "unix", path: "/run/a b/socket" }],
  ["an abstract unix socket", "socket:[13]", { transport: "unix", path: "@name" }],
  ["a unix socket for packets", "socket:[11]", undefined],
  ["a unix socket that does not listen", "socket:[12]", undefined],
  ["another socket", "socket:[1]", undefined],
  ["a pipe", "pipe:[77]", undefined],
  ["a file", "/dev/null", undefined],
];

Deno.test("listeningAddress finds the address in the tables of sockets", () => {
  for (const [what, link, address] of ROWS) {
    assert.deepEqual(listeningAddress(3, { link: () => link, text: (path) => TABLES[path]! }), address, what);
  }
});

Deno.test("listeningAddress gives nothing if a file cannot be read, and does without IPv6", () => {
  const fails = () => {
    throw new Error("no such file");
  };
  assert.equal(listeningAddress(3, { link: fails, text: fails }), undefined);
  assert.equal(listeningAddress(3, { link: () => "socket:[77]", text: fails }), undefined);
  const text = (path: string) => path.endsWith("6") ? fails() : TABLES[path]!;
  assert.ok(listeningAddress(3, { link: () => "socket:[10]", text }));
});
