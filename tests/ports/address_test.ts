// Tests of lib/ports/address.ts.

import assert from "node:assert/strict";
import { formatAddress, parseDownstream, parseScanner } from "../../lib/ports/address.ts";
import { check } from "../options/check_kind.ts";
import { tcp } from "./tcp.ts";

Deno.test("formatAddress writes what the command line would read", () => {
  assert.equal(formatAddress({ transport: "tcp", host: "mx", port: 25 }), "mx:25");
  assert.equal(formatAddress({ transport: "tcp", host: "::1", port: 25 }), "[::1]:25");
  assert.equal(formatAddress({ transport: "unix", path: "/run/x" }), "unix:/run/x");
});

Deno.test("parseDownstream reads every form of a server's address", () => {
  check({ parse: parseDownstream, print: formatAddress }, [
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

Deno.test("parseScanner wants a port", () => {
  check({ parse: (text) => parseScanner(text, "127.0.0.1:3310"), print: formatAddress }, [
    ["mx:3310", tcp("mx", 3310)],
    ["inet:mx:3310", tcp("mx", 3310)],
    ["[::1]:3310", tcp("::1", 3310)],
    ["unix:/run/x", { transport: "unix", path: "/run/x" }],
  ], ["", "mx", "inet:mx", "[::1]", "mx:", "mx:0", "3310", "/run/x", "unix:", "::1:3310"]);
  assert.throws(() => parseScanner("mx", "127.0.0.1:3310"), /"mx" has no port: give .*, such as 127\.0\.0\.1:3310$/);
});
