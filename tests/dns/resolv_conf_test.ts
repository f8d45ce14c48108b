// Tests of lib/dns/resolv_conf.ts.

import assert from "node:assert/strict";
import { parseNameServers } from "../../lib/dns/resolv_conf.ts";

const ROWS: readonly (readonly [text: string, addresses: readonly string[]])[] = [
  // In their order, three at most.
  ["nameserver 192.0.2.1\n", ["192.0.2.1"]],
  ["nameserver 192.0.2.2\nnameserver\t2001:db8::1\n", ["192.0.2.2", "2001:db8::1"]],
  ["nameserver 192.0.2.1\n".repeat(4), ["192.0.2.1", "192.0.2.1", "192.0.2.1"]],
  // Other lines, and what stands after the address.
  ["# nameserver 192.0.2.1\n;x\ndomain a.b\nsearch a.b\noptions x\nnameserver 192.0.2.3 # x", ["192.0.2.3"]],
  ["nameserver 192.0.2.1\r\n", ["192.0.2.1"]],
  // This host where there is none.
  ["", ["127.0.0.1"]],
  ["search a.b\n", ["127.0.0.1"]],
  [" nameserver 192.0.2.1\nnameservers 192.0.2.1\nnameserver ns.test\nnameserver\n", ["127.0.0.1"]],
];

Deno.test("parseNameServers reads resolv.conf(5)", () => {
  for (const [text, addresses] of ROWS) {
    assert.deepEqual(parseNameServers(text), addresses.map((address) => ({ address, port: 53 })), JSON.stringify(text));
  }
});
