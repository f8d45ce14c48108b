// Tests of lib/modes/own_server.ts: it recognizes an address in every spelling, and takes no other one for it.

import assert from "node:assert/strict";
import { isOwnServer, isOwnServerAsWritten, isReachable } from "../../lib/modes/own_server.ts";
import { parseDownstream, parseListen } from "../../lib/ports/address.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

const HOSTS: readonly (readonly [name: string, addresses: readonly string[]])[] = [
  ["localhost", ["127.0.0.1"]],
  ["here.example", ["192.0.2.7", "2001:db8:0:0:0:0:0:7"]],
  ["loop.example", ["127.0.0.1"]],
  ["127.1", ["127.0.0.1"]],
  ["there.example", ["203.0.113.9"]],
];

/** A host with these addresses. */
function host(...addresses: readonly string[]): FakeRuntime {
  const runtime = new FakeRuntime();
  for (const [name, known] of HOSTS) runtime.network.hosts.set(name, known);
  runtime.network.bindable = new Set(["127.0.0.1", "0:0:0:0:0:0:0:1", ...addresses]);
  return runtime;
}

const OURS = ["192.0.2.7", "2001:db8:0:0:0:0:0:7"] as const;

/** -l, HOST:PORT, whether they are one, and whether the words alone say so. */
const ADDRESSES: readonly (readonly [listen: string, server: string, same: boolean, asWritten?: true])[] = [
  ["127.0.0.1:25", "127.0.0.1:25", true, true],
  ["25", "127.0.0.1", true, true],
  ["inet:127.0.0.1:25", "inet:127.0.0.1:25", true, true],
  ["[127.0.0.1]:25", "127.0.0.1", true, true],
  ["25", "localhost:25", true, true],
  ["25", "LocalHost.:25", true, true],
  ["localhost:25", "127.0.0.1", true, true],
  ["localhost:25", "[::1]", true, true],
  ["[::1]:25", "localhost", true, true],
  ["[::1]:25", "[0:0:0:0:0:0:0:1]", true, true],
  ["[IPv6:::1]:25", "[::1]", true, true],
  ["[::ffff:127.0.0.1]:25", "127.0.0.1", true, true],
  ["25", "[::ffff:7f00:1]:25", true, true],
  ["25", "127.1:25", true],
  ["127.1:25", "localhost", true],
  ["25", "loop.example", true],
  ["HERE.example:25", "here.example.", true, true],
  ["192.0.2.7:25", "here.example", true],
  ["[2001:db8::7]:25", "here.example", true],
  // A wildcard takes what comes for any address of this host.
  ["0.0.0.0:25", "127.0.0.1", true, true],
  ["0.0.0.0:25", "127.0.0.2", true, true],
  ["0.0.0.0:25", "localhost", true, true],
  ["0.0.0.0:25", "192.0.2.7", true],
  ["0.0.0.0:25", "here.example", true],
  ["0.0.0.0:25", "0.0.0.0:25", true, true],
  ["[::]:25", "127.0.0.1", true, true],
  ["[::]:25", "[::1]", true, true],
  ["[0::0]:25", "192.0.2.7", true],
  ["[::]:25", "[2001:db8::7]", true],
  ["25", "0.0.0.0", true, true],
  ["[::1]:25", "[::]", true, true],
  // Others.
  ["26", "127.0.0.1:25", false],
  ["0.0.0.0:26", "127.0.0.1:25", false],
  ["25", "127.0.0.2:25", false],
  ["25", "[::1]", false],
  ["0.0.0.0:25", "[::1]", false],
  ["0.0.0.0:25", "[2001:db8::7]", false],
  ["0.0.0.0:25", "203.0.113.9", false],
  ["0.0.0.0:25", "there.example", false],
  ["[::]:25", "203.0.113.9", false],
  ["25", "192.0.2.7", false],
  ["192.0.2.7:25", "there.example", false],
  ["[::1]:25", "0.0.0.0", false],
  ["25", "unix:/tmp/25", false],
  ["unix:/tmp/25", "127.0.0.1", false],
  ["unix:/tmp/25", "unix:/tmp/26", false],
  ["unix:/tmp/25", "UNIX:/tmp/25", true, true],
  // A name that cannot be looked up: the server may come later.
  ["25", "nowhere.example", false],
  ["0.0.0.0:25", "nowhere.example", false],
];

Deno.test("isOwnServer recognizes the address of HOST:PORT in any spelling", async () => {
  for (const [listen, server, same, asWritten = false] of ADDRESSES) {
    const words = `-l ${listen} ${server}`;
    const [at, to] = [parseListen(listen), parseDownstream(server)];
    assert.equal(await isOwnServer(host(...OURS), at, to), same, words);
    assert.equal(isOwnServerAsWritten(at, to), asWritten, words);
  }
});

Deno.test("isOwnServer does not take an address for ours only because this host may bind any", async () => {
  const runtime = host("203.0.113.9", "192.0.2.1");
  assert.equal(await isOwnServer(runtime, parseListen("0.0.0.0:25"), parseDownstream("203.0.113.9")), false);
  assert.ok(runtime.network.listeners.every((listener) => listener.closed));
});

Deno.test("isOwnServer asks nobody if the ports differ, and waits at most 5 s for a name", async () => {
  const runtime = host();
  let asked = 0;
  runtime.network.addressesOf = () => {
    asked++;
    return new Promise(() => {});
  };
  const server = parseDownstream("slow.example:25");
  assert.equal(await isOwnServer(runtime, parseListen("26"), server), false);
  assert.equal(asked, 0);
  const answer = isOwnServer(runtime, parseListen("25"), server);
  await runtime.clock.advance(5000);
  assert.equal(await answer, false);
  assert.equal(asked, 1);
});

Deno.test("isOwnServer recognizes a unix socket by its file, or without one by its directory and name", async () => {
  const { clock, network, files } = new FakeRuntime();
  files.mkdir("/run");
  const identities: Readonly<Record<string, string>> = {
    "/run/in": "/run/in",
    "/run//in": "/run/in",
    "/run/./in": "/run/in",
    "/link/in": "/run/in",
    "/run/link": "/run/in",
    "/link/": "/run",
    "/run//": "/run",
    "/run/./": "/run",
    "/run/": "/run",
  };
  const stat = files.stat.bind(files);
  files.stat = (path) => stat(identities[path] ?? path);
  const ports = { clock, network, files };
  const isOne = (one: string, other: string) =>
    isOwnServer(ports, { transport: "unix", path: one }, { transport: "unix", path: other });
  for (const exists of [false, true]) {
    if (exists) files.replace("/run/in", new Uint8Array(0), "socket");
    for (const path of ["/run/in", "/run//in", "/run/./in", "/link/in"]) {
      assert.equal(await isOne("/run/in", path), true, path);
      assert.equal(await isOne(path, "/run/in"), true, path);
    }
    assert.equal(await isOne("/run/in", "/run/link"), exists);
    assert.equal(await isOne("/run/in", "/run/out"), false);
    assert.equal(await isOne("/run/in", "/none/in"), false);
    assert.equal(await isOne("/none/in", "/none/in"), true);
  }
});

Deno.test("isReachable says whether other hosts may connect", async () => {
  const rows: readonly (readonly [listen: string, reachable: boolean])[] = [
    ["25", false],
    ["127.0.0.9:25", false],
    ["[::1]:25", false],
    ["[::ffff:127.0.0.1]:25", false],
    ["localhost:25", false],
    ["loop.example:25", false],
    ["unix:/run/in", false],
    ["0.0.0.0:25", true],
    ["[::]:25", true],
    ["192.0.2.7:25", true],
    ["10.0.0.1:25", true],
    ["[fe80::1]:25", true],
    ["here.example:25", true],
    ["nowhere.example:25", true],
  ];
  for (const [listen, reachable] of rows) {
    assert.equal(await isReachable(host(), parseListen(listen)), reachable, listen);
  }
});
