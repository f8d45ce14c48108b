// Tests of lib/settings/kinds.ts: each right text has its value, each wrong one is refused, and a printed value is read
// as the same value.

import assert from "node:assert/strict";
import { parseAddresses } from "../../lib/dns/answers.ts";
import {
  CHECK_ACTION,
  CHECK_ON_ERROR,
  DNS_LIST,
  EXIT_STATUSES,
  exitMeanings,
  LIST_NAME,
  LISTEN,
  LOG,
  NAME_SERVER,
  NETWORKS,
  NEXT_COMMAND,
  scannerAddress,
} from "../../lib/settings/kinds.ts";
import { check } from "../options/check_kind.ts";
import { tcp } from "../ports/tcp.ts";

Deno.test("LISTEN is a port, with an address or without", () => {
  check(LISTEN, [
    ["10025", tcp("127.0.0.1", 10025)],
    ["0.0.0.0:10025", tcp("0.0.0.0", 10025)],
    ["localhost:10025", tcp("localhost", 10025)],
    ["[::]:10025", tcp("::", 10025)],
    ["inet:10025", tcp("127.0.0.1", 10025)],
    ["unix:/run/x", { transport: "unix", path: "/run/x" }],
  ], ["", "0", "65536", "mx", "127.0.0.1", "127.0.0.1:", ":10025", "[::]", "::1:10025", "unix:", "1e4", " 25"]);
});

Deno.test("LOG is a place for the log", () => {
  check(LOG, [
    ["syslog", { kind: "syslog", path: "/dev/log" }],
    ["syslog:/run/log", { kind: "syslog", path: "/run/log" }],
    ["stderr", { kind: "stderr" }],
    ["/var/log/postprox", { kind: "file", path: "/var/log/postprox" }],
    ["./postprox.log", { kind: "file", path: "./postprox.log" }],
  ], ["", "Syslog", "postprox.log", "stdout", "syslog:", "two\nlines"]);
});

Deno.test("NAME_SERVER is an address and a port", () => {
  check(NAME_SERVER, [
    ["192.0.2.1", { address: "192.0.2.1", port: 53 }],
    ["192.0.2.1:5353", { address: "192.0.2.1", port: 5353 }],
    ["2001:db8::1", { address: "2001:db8::1", port: 53 }],
    ["::1", { address: "::1", port: 53 }],
    ["[2001:db8::1]", { address: "2001:db8::1", port: 53 }],
    ["[::1]:5353", { address: "::1", port: 5353 }],
  ], [
    "",
    "localhost",
    "localhost:53",
    "192.0.2",
    "192.0.2.256",
    "192.0.2.1:",
    "192.0.2.1:0",
    "192.0.2.1:65536",
    "192.0.2.1:53:53",
    "[192.0.2.1]:53",
    "[::1",
    "[]:53",
    "[::1]x:53",
    "fe80::1%eth0",
    "[fe80::1%eth0]:53",
    "tcp:192.0.2.1",
    "192.0.2.1 ",
  ]);
});

Deno.test("DNS_LIST is a zone, and the addresses that count", () => {
  const addresses = parseAddresses("127.0.0.2-11,127.0.0.0&64");
  check(DNS_LIST, [
    ["bl.example.org", { zone: "bl.example.org", addresses: undefined }],
    ["BL.Example.ORG.", { zone: "bl.example.org", addresses: undefined }],
    ["x", { zone: "x", addresses: undefined }],
    ["x=127.0.0.2-11,127.0.0.0&64", { zone: "x", addresses }],
  ], [
    "",
    "=127.0.0.2",
    "a..b",
    "-a.example",
    "a b.example",
    "http://bl.example.org/",
    `${"a.".repeat(130)}b`,
    "x=",
    // Neither lists nor addresses of lists.
    "1.2.3.4",
    "127.0.0.2-11",
    "x=10.0.0.1",
    "x=127.255.255.254",
    "x=127.0.0.2=3",
    "x=listed",
  ]);
});

Deno.test("LIST_NAME is the zone of a list, and a text for strangers", () => {
  check(LIST_NAME, [
    ["key.bl.example.org=our list, see example.org", ["key.bl.example.org", "our list, see example.org"]],
    ["KEY.Example.org.=a=b", ["key.example.org", "a=b"]],
  ], [
    "",
    "bl.example.org",
    "bl.example.org=",
    "bl.example.org=  ",
    "=x",
    "a..b=x",
    "127.0.0.2=x",
    "a.b=caf\xe9",
    "a.b=x\ny",
  ]);
});

Deno.test("EXIT_STATUSES are statuses from 1 to 255, ranges of them, and their meanings", () => {
  check(EXIT_STATUSES, [
    ["1=reject", { ranges: [[1, 1]], meaning: "reject" }],
    ["255=tempfail", { ranges: [[255, 255]], meaning: "tempfail" }],
    ["69,100-103=discard", { ranges: [[69, 69], [100, 103]], meaning: "discard" }],
    ["5-5,2=pass", { ranges: [[5, 5], [2, 2]], meaning: "pass" }],
    ["1-255=fail", { ranges: [[1, 255]], meaning: "fail" }],
  ], [
    ...["", "=", "1", "1=", "=pass", "1=accept", "1=PASS", "1=pass ", "1==pass", "pass=1", "1:pass"],
    ...["0=pass", "0-5=pass", "1,0=pass", "256=pass", "1-256=pass", "1000=pass", "5-4=pass", "-1=pass", "1-=pass"],
    ...[",1=pass", "1,=pass", "1,,2=pass", "1 ,2=pass", "1.5=pass", "1-2-3=pass", "x=pass", "+1=pass"],
  ]);
});

Deno.test("exitMeanings takes the last setting of a status", () => {
  const settings = ["1-3=pass", "2,5=fail"].map((text) => EXIT_STATUSES.parse(text));
  assert.deepEqual(exitMeanings(settings), new Map([[1, "pass"], [2, "fail"], [3, "pass"], [5, "fail"]]));
});

Deno.test("scannerAddress offers its examples, and shows them if a value is wrong", () => {
  const kind = scannerAddress("127.0.0.1:3310", "unix:/run/x");
  check(kind, [["127.0.0.1:3310", tcp("127.0.0.1", 3310)]], ["127.0.0.1"]);
  assert.deepEqual(kind.offers, { words: ["127.0.0.1:3310", "unix:/run/x"] });
  assert.throws(() => kind.parse("/run/x"), /such as 127\.0\.0\.1:3310 or unix:\/run\/x$/);
});

Deno.test("CHECK_ACTION and CHECK_ON_ERROR say something of one check", () => {
  check(CHECK_ACTION, [
    ["clamd=tag", ["clamd", "tag"]],
    ["filter-rules=log", ["filter-rules", "log"]],
    ["command=quarantine", ["command", "quarantine"]],
  ], [
    "",
    "clamd",
    "=tag",
    "clamd=",
    "Clamd=tag",
    "clamd=Tag",
    "clam=tag",
    "clamd=pass",
    "clamd=tag ",
    "clamd=tag=x",
    "all=tag",
  ]);
  check(CHECK_ON_ERROR, [
    ["extchk=pass", ["extchk", "pass"]],
    ["urls=tempfail", ["urls", "tempfail"]],
  ], ["", "urls", "urls=reject", "pass", "=pass"]);
});

Deno.test("NETWORKS are addresses and networks of both kinds", () => {
  const ip = (...octets: number[]) => Uint8Array.from(octets);
  const v6 = ip(0x20, 1, 0x0d, 0xb8, ...Array(12).fill(0));
  check(NETWORKS, [
    ["192.0.2.1", { text: "192.0.2.1", networks: [{ address: ip(192, 0, 2, 1), bits: 32 }] }],
    ["192.0.2.0/24,10.0.0.0/8", {
      text: "192.0.2.0/24,10.0.0.0/8",
      networks: [{ address: ip(192, 0, 2, 0), bits: 24 }, { address: ip(10, 0, 0, 0), bits: 8 }],
    }],
    ["192.0.2.1 , 10.0.0.0/8", {
      text: "192.0.2.1 , 10.0.0.0/8",
      networks: [{ address: ip(192, 0, 2, 1), bits: 32 }, { address: ip(10, 0, 0, 0), bits: 8 }],
    }],
    ["2001:db8::/32", { text: "2001:db8::/32", networks: [{ address: v6, bits: 32 }] }],
    ["[2001:db8::]/32", { text: "[2001:db8::]/32", networks: [{ address: v6, bits: 32 }] }],
    ["2001:db8::", { text: "2001:db8::", networks: [{ address: v6, bits: 128 }] }],
  ], [
    "",
    ",",
    "192.0.2.1,",
    "192.0.2",
    "192.0.2.0/33",
    "2001:db8::/129",
    "localhost",
    "192.0.2.1 10.0.0.0/8",
    "192.0.2.1/",
    "ALL",
    ":",
  ]);
});

Deno.test("NEXT_COMMAND is a command", () => {
  check(NEXT_COMMAND, [["/usr/local/bin/filter", "/usr/local/bin/filter"], ["a | b", "a | b"]], ["", " ", "\n"]);
});
