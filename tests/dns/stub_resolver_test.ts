// The resolver's part of the runtime contract again, here with checks for timers and sockets that are left behind. Also
// several name servers.

import assert from "node:assert/strict";
import { StubResolver } from "../../lib/dns/stub_resolver.ts";
import { denoRuntime } from "../../lib/runtime/deno/runtime.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import type { NameServer, Network, UdpSocket } from "../../lib/ports/runtime.ts";
import { bytesOf } from "../../lib/text/octets.ts";
import { type DnsHandler, DnsServer } from "../fakes/dns_server.ts";
import { FakeDisk } from "../fakes/disk.ts";
import { DNS_CONTRACT } from "../runtime/contract_dns.ts";

for (const { name, play } of DNS_CONTRACT) Deno.test(name, () => play(denoRuntime(), "/tmp"));

/** Plays with a name server for each of the handlers, reached at 192.0.2.1:53 and so on, as /etc/resolv.conf says. */
async function withServers(
  handlers: readonly DnsHandler[],
  play: (resolver: StubResolver, servers: readonly DnsServer[]) => Promise<void>,
  resolvConf = handlers.map((_, at) => `nameserver 192.0.2.${at + 1}\n`).join(""),
): Promise<void> {
  const { clock, network } = denoRuntime();
  const files = new FakeDisk(clock);
  if (resolvConf !== "") files.replace("/etc/resolv.conf", bytesOf(resolvConf));
  const servers = await Promise.all(handlers.map((handler) => DnsServer.start(handler)));
  const there = ({ address, port }: NameServer): NameServer => {
    assert.equal(port, 53);
    const at = address === "127.0.0.1" ? 0 : Number(address.split(".")[3]) - 1;
    return { address: "127.0.0.1", port: servers[at]!.port };
  };
  const mapped: Pick<Network, "connect" | "udp"> = {
    connect: () => Promise.reject(new IoError("unreachable", "not here")),
    udp: (server): Promise<UdpSocket> => network.udp(there(server)),
  };
  try {
    await play(new StubResolver({ clock, files, network: mapped }), servers);
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}

const ONE: DnsHandler = () => ({ records: [{ data: "127.0.0.2" }] });
const FAILS: DnsHandler = () => ({ code: 2 });
const SILENT: DnsHandler = () => "silent";
const NONE: DnsHandler = () => ({ code: 3 });

const SERVERS: readonly {
  handlers: readonly DnsHandler[];
  expected: readonly string[] | "timeout" | "other";
  /** How often each is asked. */
  asked: readonly number[];
}[] = [
  // The first one that answers is believed.
  { handlers: [ONE, SILENT], expected: ["127.0.0.2"], asked: [1, 0] },
  { handlers: [NONE, ONE], expected: [], asked: [1, 0] },
  // One that fails or is silent is not.
  { handlers: [FAILS, ONE], expected: ["127.0.0.2"], asked: [1, 1] },
  { handlers: [SILENT, ONE], expected: ["127.0.0.2"], asked: [1, 1] },
  { handlers: [SILENT, FAILS, ONE], expected: ["127.0.0.2"], asked: [1, 1, 1] },
  // The silent are asked again, the failed are not.
  { handlers: [SILENT, FAILS], expected: "timeout", asked: [2, 1] },
  { handlers: [FAILS, FAILS], expected: "other", asked: [1, 1] },
  // As the C library does, no more than three.
  { handlers: [FAILS, FAILS, FAILS, ONE], expected: "other", asked: [1, 1, 1, 0] },
];

for (const { handlers, expected, asked } of SERVERS) {
  Deno.test(`the system's name servers are asked in turn: ${asked.join(" ")}`, () =>
    withServers(handlers, async (resolver, servers) => {
      const start = performance.now();
      const answer = await resolver.resolve("name.test", "A", { limit: 2000 }).catch((error) => error.kind);
      assert.deepEqual(answer, expected);
      assert.ok(performance.now() - start < 20_000);
      assert.deepEqual(servers.map(({ questions }) => questions.length), asked);
    }));
}

Deno.test("without /etc/resolv.conf this host's name server is asked", () =>
  withServers([ONE], async (resolver) => {
    assert.deepEqual(await resolver.resolve("name.test", "A", { limit: 20_000 }), ["127.0.0.2"]);
  }, ""));

Deno.test("/etc/resolv.conf is read for each lookup, and its search domains are ignored", () =>
  withServers([NONE], async (resolver, [server]) => {
    await resolver.resolve("name", "A", { limit: 20_000 });
    assert.deepEqual(server!.questions.map(({ name }) => name), ["name"]);
  }, "search example.org\nnameserver 192.0.2.1\noptions ndots:5\n"));

Deno.test("names with silent servers do not make DNS lists wait", () =>
  withServers(
    [(question) => question.name.endsWith("l.test") ? { records: [{ data: "127.0.0.2" }] } : "silent"],
    async (resolver) => {
      let over = 0;
      const names = Array.from({ length: 300 }, (_, at) =>
        resolver.resolve(`n${at}.test`, "A", { limit: 3000 }).catch((error) => {
          over++;
          return error.kind;
        }));
      assert.deepEqual(await resolver.resolve("a.l.test", "A", { limit: 20_000, isList: true }), ["127.0.0.2"]);
      assert.equal(over, 0);
      assert.ok((await Promise.all(names)).every((kind) =>
        kind === "timeout"
      ));
    },
  ));
