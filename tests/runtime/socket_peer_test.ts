// Tests of lib/runtime/shared/socket_peer.ts, with tables as Linux writes them.

import assert from "node:assert/strict";
import { socketPeer } from "../../lib/runtime/shared/socket_peer.ts";

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

function row(remote: string, inode: number): string {
  const local = remote.length > 13 ? "00000000000000000000000001000000:2729" : "0100007F:2729";
  return `   0: ${local} ${remote} 01 00000000:00000000 00:00000000 00000000  105        0 ${inode} 1 0000000000000000 20 4 30\n`;
}

const TCP = HEAD + row("0100007F:1F90", 77) + row("0A0200C0:0400", 7) + row("FE0171CB:FFFF", 10107);
const TCP6 = HEAD + row("B80D0120000000000000000001000000:8000", 8) +
  row("0000000000000000FFFF00000A0200C0:0400", 9);

const ROWS: readonly [name: string, link: string, peer: string | undefined][] = [
  ["IPv4, among others with like inodes", "socket:[7]", "192.0.2.10"],
  ["another", "socket:[10107]", "203.113.1.254"],
  ["IPv6", "socket:[8]", "2001:db8::1"],
  ["IPv4 in IPv6", "socket:[9]", "192.0.2.10"],
  ["a socket that is not TCP", "socket:[1]", undefined],
  ["a pipe", "pipe:[7]", undefined],
  ["a file", "/dev/null", undefined],
];

Deno.test("socketPeer finds the peer in the tables of TCP", () => {
  for (const [name, link, peer] of ROWS) {
    const reader = { link: () => link, text: (path: string) => path.endsWith("6") ? TCP6 : TCP };
    assert.equal(socketPeer(0, reader), peer, name);
  }
});

Deno.test("socketPeer gives nothing if a file cannot be read", () => {
  const fails = () => {
    throw new Error("no such file");
  };
  assert.equal(socketPeer(0, { link: fails, text: fails }), undefined);
  assert.equal(socketPeer(0, { link: () => "socket:[8]", text: fails }), undefined);
});
