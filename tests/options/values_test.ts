// Tests of lib/options/values.ts: each text that is right has its value, each that is wrong is refused.

import assert from "node:assert/strict";
import { parseAddresses } from "../../lib/dns/answers.ts";
import { UsageError } from "../../lib/options/options.ts";
import {
  parseChoice,
  parseCount,
  parseDnsList,
  parseDownstream,
  parseExitStatus,
  parseFactor,
  parseListen,
  parseListName,
  parseLog,
  parseNameServer,
  parseSeconds,
  parseSize,
} from "../../lib/options/values.ts";
import type { Address } from "../../lib/ports/runtime.ts";

function tcp(host: string, port: number): Address {
  return { transport: "tcp", host, port };
}

function check<Value>(
  parse: (text: string) => Value,
  right: readonly (readonly [text: string, value: Value])[],
  wrong: readonly string[],
): void {
  for (const [text, value] of right) assert.deepEqual(parse(text), value, text);
  for (const text of wrong) assert.throws(() => parse(text), UsageError, `${parse.name} takes ${JSON.stringify(text)}`);
}

Deno.test("parseDownstream reads every form of a server's address", () => {
  check(parseDownstream, [
    ["mx", tcp("mx", 25)],
    ["mx:10026", tcp("mx", 10026)],
    ["127.0.0.1:1", tcp("127.0.0.1", 1)],
    ["mx.example.:65535", tcp("mx.example.", 65535)],
    ["my_host-1:25", tcp("my_host-1", 25)],
    ["inet:mx:25", tcp("mx", 25)],
    ["INET:mx", tcp("mx", 25)],
    ["[::1]:26", tcp("::1", 26)],
    ["[::1]", tcp("::1", 25)],
    ["[IPv6:2001:db8::1]:26", tcp("2001:db8::1", 26)],
    ["[fe80::1%eth0]:26", tcp("fe80::1%eth0", 26)],
    ["inet:[::1]:26", tcp("::1", 26)],
    ["unix:/run/x y", { transport: "unix", path: "/run/x y" }],
    ["UNIX:/run/x", { transport: "unix", path: "/run/x" }],
  ], [
    "",
    ":25",
    "mx:",
    "mx:0",
    "mx:65536",
    "mx:smtp",
    "mx:25x",
    "mx:x25",
    "mx:+25",
    "mx:2.5",
    "mx:0x19",
    "mx:-1",
    "mx:2 5",
    "mx:1:2",
    "::1",
    "2001:db8::1",
    "[::1",
    "[::1]x:25",
    "[]:25",
    "[mx]:25",
    "25",
    "m x",
    "-mx",
    "mx-:25",
    "mx..example",
    "mx/25",
    "unix:",
    "unix:/a\0b",
    "inet:",
    "inet:unix:/x",
  ]);
});

Deno.test("parseListen reads a port, with an address or without", () => {
  check(parseListen, [
    ["10025", tcp("127.0.0.1", 10025)],
    ["0.0.0.0:10025", tcp("0.0.0.0", 10025)],
    ["localhost:10025", tcp("localhost", 10025)],
    ["[::]:10025", tcp("::", 10025)],
    ["inet:10025", tcp("127.0.0.1", 10025)],
    ["unix:/run/x", { transport: "unix", path: "/run/x" }],
  ], ["", "0", "65536", "mx", "127.0.0.1", "127.0.0.1:", ":10025", "[::]", "::1:10025", "unix:", "1e4", " 25"]);
});

Deno.test("parseSeconds reads seconds above 0 as milliseconds", () => {
  check(parseSeconds, [["1", 1000], ["0.5", 500], ["0.001", 1], ["604800", 604_800_000], ["007", 7000]], [
    "",
    "0",
    "0.0",
    "0.0001",
    "-1",
    "+1",
    "1e3",
    "1s",
    " 1",
    ".5",
    "1.",
    "1,5",
    "604801",
    "NaN",
    "Infinity",
    "0x10",
    "9".repeat(400),
  ]);
});

Deno.test("parseSize reads octets with K, M and G", () => {
  check(parseSize, [["1", 1], ["10K", 10_240], ["10k", 10_240], ["3M", 3 * 1024 ** 2], ["2g", 2 * 1024 ** 3]], [
    "",
    "0",
    "0K",
    "-1",
    "1.5M",
    "1T",
    "1KB",
    "K",
    "1 K",
    "9".repeat(13),
  ]);
});

Deno.test("parseCount reads a number above 0", () => {
  check(parseCount, [["1", 1], ["999999999", 999_999_999]], ["", "0", "-1", "1.5", "1e3", "x", "9999999999"]);
});

Deno.test("parseFactor reads a number of at least 1", () => {
  check(parseFactor, [
    ["1", 1],
    ["1.5", 1.5],
    ["9999.999", 9999.999],
  ], ["", "0", "0.9", "-2", "1.", ".5", "x", "2x", "1e3", "10000", "Infinity", "NaN"]);
});

Deno.test("parseLog reads a place for the log", () => {
  check(parseLog, [
    ["syslog", { kind: "syslog", path: "/dev/log" }],
    ["syslog:/run/log", { kind: "syslog", path: "/run/log" }],
    ["stderr", { kind: "stderr" }],
    ["/var/log/postprox", { kind: "file", path: "/var/log/postprox" }],
    ["./postprox.log", { kind: "file", path: "./postprox.log" }],
  ], ["", "Syslog", "postprox.log", "stdout", "syslog:", "two\nlines"]);
});

Deno.test("parseNameServer reads an address and a port", () => {
  check(parseNameServer, [
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

Deno.test("parseDnsList reads a zone, and the addresses that count", () => {
  const addresses = parseAddresses("127.0.0.2-11,127.0.0.0&64");
  check(parseDnsList, [
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

Deno.test("parseExitStatus reads statuses from 1 to 255, ranges of them, and what they mean", () => {
  const wholeRange = Array.from({ length: 255 }, (_, at) => at + 1);
  check(parseExitStatus, [
    ["1=reject", { statuses: [1], meaning: "reject" }],
    ["255=tempfail", { statuses: [255], meaning: "tempfail" }],
    ["69,100-103=discard", { statuses: [69, 100, 101, 102, 103], meaning: "discard" }],
    ["5-5,2=pass", { statuses: [5, 2], meaning: "pass" }],
    ["1-255=fail", { statuses: wholeRange, meaning: "fail" }],
  ], [
    ...["", "=", "1", "1=", "=pass", "1=accept", "1=PASS", "1=pass ", "1==pass", "pass=1", "1:pass"],
    ...["0=pass", "0-5=pass", "1,0=pass", "256=pass", "1-256=pass", "1000=pass", "5-4=pass", "-1=pass", "1-=pass"],
    ...[",1=pass", "1,=pass", "1,,2=pass", "1 ,2=pass", "1.5=pass", "1-2-3=pass", "x=pass", "+1=pass"],
  ]);
});

Deno.test("parseListName reads the zone of a list, and a text for strangers", () => {
  check(parseListName, [
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

Deno.test("parseChoice takes one of the words, exactly", () => {
  check((text) => parseChoice(text, ["accept", "reject"]), [["accept", "accept"], ["reject", "reject"]], [
    "",
    "ACCEPT",
    "acc",
    "constructor",
  ]);
});
