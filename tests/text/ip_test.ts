// Tests of lib/text/ip.ts: addresses in all their forms, and their names in DNS.

import assert from "node:assert/strict";
import { isPrivate, parseIp, reversedName, reverseZone } from "../../lib/text/ip.ts";

const RIGHT: readonly (readonly [text: string, octets: string])[] = [
  // IPv4.
  ["192.0.2.1", "c0000201"],
  ["0.0.0.0", "00000000"],
  ["255.255.255.255", "ffffffff"],
  // IPv6, whole and shortened, in both cases, with an IPv4 address at its end, with a zone.
  ["2001:db8:0:0:0:0:0:1", "20010db8000000000000000000000001"],
  ["2001:DB8::1", "20010db8000000000000000000000001"],
  ["::", "00000000000000000000000000000000"],
  ["::1", "00000000000000000000000000000001"],
  ["1::", "00010000000000000000000000000000"],
  ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
  ["64:ff9b::192.0.2.33", "0064ff9b0000000000000000c0000221"],
  ["fe80::1%eth0", "fe800000000000000000000000000001"],
  // IPv4 in IPv6.
  ["::ffff:192.0.2.1", "c0000201"],
  ["::FFFF:c000:201", "c0000201"],
  ["::192.0.2.1", "000000000000000000000000c0000201"],
];

const WRONG: readonly string[] = [
  "",
  "1",
  "1.2.3",
  "1.2.3.4.5",
  "1.2.3.256",
  "1.2.3.-4",
  " 1.2.3.4",
  "1.2.3.4 ",
  "0x7f.0.0.1",
  "example.org",
  ":",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "12345::",
  "g::",
  "::1.2.3",
  "::1.2.3.4:5",
  "1.2.3.4::",
  "[::1]",
];

Deno.test("parseIp reads addresses as octets", () => {
  for (const [text, octets] of RIGHT) assert.equal(parseIp(text)?.toHex(), octets, text);
});

Deno.test("parseIp takes nothing else for an address", () => {
  for (const text of WRONG) assert.equal(parseIp(text), undefined, JSON.stringify(text));
});

Deno.test("reversedName and reverseZone make the names of RFC 5782 and of PTR records", () => {
  const rows: readonly (readonly [text: string, name: string, zone: string])[] = [
    ["192.0.2.99", "99.2.0.192", "in-addr.arpa"],
    ["::ffff:192.0.2.99", "99.2.0.192", "in-addr.arpa"],
    [
      "2001:db8:1:2:3:4:567:89ab",
      "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2",
      "ip6.arpa",
    ],
  ];
  for (const [text, name, zone] of rows) {
    assert.equal(reversedName(parseIp(text)!), name);
    assert.equal(reverseZone(parseIp(text)!), zone);
  }
});

Deno.test("isPrivate knows loopback, link-local and private networks by their bounds", () => {
  const rows: readonly (readonly [isPrivate: boolean, ...texts: string[]])[] = [
    [true, "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "127.0.0.1", "127.255.255.255"],
    [true, "169.254.0.0", "169.254.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"],
    [true, "::", "::1", "fc00::", "fd12:3456::1", "fdff:ffff::", "fe80::1%eth0", "febf::1", "fec0::1", "feff::1"],
    [true, "::ffff:10.0.0.1", "::ffff:127.0.0.1"],
    [false, "1.0.0.0", "9.255.255.255", "11.0.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255"],
    [false, "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "255.255.255.255"],
    // Providers share it among their customers (RFC 6598).
    [false, "100.64.0.1"],
    [false, "::2", "2001:db8::1", "fbff::1", "fe00::1", "fe7f::1", "ff02::1", "::ffff:192.0.2.1"],
  ];
  for (const [expected, ...texts] of rows) {
    for (const text of texts) assert.equal(isPrivate(parseIp(text)!), expected, text);
  }
});
