// The part of the contract about DNS (contract.ts): UDP sockets, and the resolver over them.
//
// The name servers are fakes (dns_server.ts), so that they can do wrong. tests/e2e/dns_test.ts has a real one.

import { strict as assert } from "node:assert";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { IoError, type IoErrorKind } from "../../lib/ports/io_error.ts";
import type { RecordType, Resolver } from "../../lib/ports/runtime.ts";
import { type DnsAnswer, type DnsHandler, DnsServer } from "../fakes/dns_server.ts";
import { freePort } from "../rig/ports.ts";
import { until } from "../rig/wait.ts";
import type { ContractCase } from "./contract.ts";

type Expected = readonly string[] | IoErrorKind;

interface Row {
  readonly name: string;
  readonly handler: DnsHandler;
  readonly type?: RecordType;
  /** Where it is to be reached; else what comes decides. */
  readonly limit?: number;
  readonly expected: Expected;
  /** The transports of the questions that it takes; any where it does not matter. */
  readonly asked?: string;
}

// Milliseconds, more than any answer takes.
const LIMIT = 20_000;
// For a machine that is busy with other things.
const SLACK = 10_000;

// More than a process may have descriptors.
const MANY = 2000;

const ONE: DnsAnswer = { records: [{ data: "127.0.0.2" }] };

// An alias goes from the name that is asked for.
function alias(to: string, name?: string): { type: string; data: string; name?: string } {
  return name === undefined ? { type: "CNAME", data: to } : { type: "CNAME", data: to, name };
}

const ROWS: readonly Row[] = [
  // Each type.
  {
    name: "addresses",
    handler: () => ({ records: [{ data: "127.0.0.2" }, { data: "127.0.0.10" }] }),
    expected: ["127.0.0.2", "127.0.0.10"],
    asked: "udp",
  },
  {
    name: "IPv6 addresses",
    type: "AAAA",
    handler: () => ({ records: [{ data: "2001:db8::1" }] }),
    expected: ["2001:db8:0:0:0:0:0:1"],
  },
  {
    name: "mail exchangers, without preference and final dot",
    type: "MX",
    handler: () => ({ records: [{ data: "20 Mx2.test" }, { data: "5 mx1.test" }] }),
    expected: ["Mx2.test", "mx1.test"],
  },
  {
    name: "the null mail exchanger of RFC 7505",
    type: "MX",
    handler: () => ({ records: [{ data: "0 " }] }),
    expected: [""],
  },
  { name: "name servers", type: "NS", handler: () => ({ records: [{ data: "ns.test" }] }), expected: ["ns.test"] },
  { name: "host names", type: "PTR", handler: () => ({ records: [{ data: "host.test" }] }), expected: ["host.test"] },
  {
    name: "texts, the strings of each joined",
    type: "TXT",
    handler: () => ({ records: [{ data: ["one ", "two"] }, { data: ["caf\xc3\xa9", ""] }] }),
    expected: ["one two", "café"],
  },
  // Certain answers that there is nothing.
  { name: "NXDOMAIN is nothing", handler: () => ({ code: 3 }), expected: [], asked: "udp" },
  { name: "NODATA is nothing", handler: () => ({}), expected: [], asked: "udp" },
  {
    name: "records of another name or type are not asked for",
    handler: () => ({ records: [{ name: "other.test", data: "127.0.0.2" }, { type: "TXT", data: ["x"] }] }),
    expected: [],
  },
  // Lookups that fail.
  { name: "FORMERR", handler: () => ({ code: 1 }), expected: "other", asked: "udp" },
  { name: "SERVFAIL", handler: () => ({ code: 2 }), expected: "other", asked: "udp" },
  { name: "NOTIMP", handler: () => ({ code: 4 }), expected: "other", asked: "udp" },
  { name: "REFUSED", handler: () => ({ code: 5 }), expected: "other", asked: "udp" },
  { name: "a referral", handler: () => ({ flags: 0 }), expected: "other", asked: "udp" },
  {
    name: "silence, after it was asked again",
    handler: () => "silent",
    limit: 1200,
    expected: "timeout",
    asked: "udp udp",
  },
  { name: "octets that are no answer", handler: () => Uint8Array.of(1, 2, 3), limit: 300, expected: "timeout" },
  {
    name: "an answer to another question, by its id",
    handler: () => ({ ...ONE, idOffset: 1 }),
    limit: 300,
    expected: "timeout",
  },
  {
    name: "an answer to another question, by its name",
    handler: () => ({ ...ONE, name: "other.test" }),
    limit: 300,
    expected: "timeout",
  },
  { name: "an answer that promises more than it holds", handler: () => ({ ...ONE, missing: 3 }), expected: "other" },
  // Second tries that help.
  {
    name: "an answer after a datagram that is no answer",
    handler: after("silent", ONE),
    limit: 4000,
    expected: ["127.0.0.2"],
    asked: "udp udp",
  },
  { name: "a slow answer", handler: () => ({ ...ONE, delay: 150 }), expected: ["127.0.0.2"] },
  // Much.
  {
    name: "a truncated answer is asked for by TCP",
    handler: byTransport({ truncated: true }, { records: Array(100).fill({ data: "127.0.0.2" }) }),
    expected: Array(100).fill("127.0.0.2"),
    asked: "udp tcp",
  },
  {
    name: "a truncated answer's beginning does not count",
    handler: byTransport({ ...ONE, truncated: true }, { code: 2 }),
    expected: "other",
    asked: "udp tcp",
  },
  {
    name: "a truncated answer, and TCP is silent",
    handler: byTransport({ truncated: true }, "silent"),
    limit: 2000,
    expected: "timeout",
    asked: "udp tcp udp tcp",
  },
  {
    name: "a truncated answer, and TCP says nonsense",
    handler: byTransport({ truncated: true }, Uint8Array.of(1, 2, 3)),
    expected: "other",
    asked: "udp tcp",
  },
  { name: "a truncated answer by TCP", handler: () => ({ truncated: true }), expected: "other", asked: "udp tcp" },
  // Aliases.
  {
    name: "an alias and its records",
    handler: () => ({ records: [alias("B.test"), alias("c.test", "b.test"), { name: "c.test", data: "127.0.0.2" }] }),
    expected: ["127.0.0.2"],
  },
  {
    name: "aliases in any order",
    handler: () => ({ records: [{ name: "c.test", data: "127.0.0.2" }, alias("c.test", "b.test"), alias("b.test")] }),
    expected: ["127.0.0.2"],
  },
  { name: "an alias for what is not there", handler: () => ({ records: [alias("b.test")] }), expected: [] },
  {
    name: "an alias out of what a server knows that does not recurse",
    handler: () => ({ records: [alias("b.test")], flags: 0x0400 }),
    expected: "other",
  },
  {
    name: "aliases in a circle",
    handler: () => ({ records: [alias("b.test"), alias("name.test", "b.test")] }),
    expected: "other",
    asked: "udp",
  },
  { name: "an alias for itself", handler: () => ({ records: [alias("name.test")] }), expected: "other", asked: "udp" },
];

function byTransport(udp: DnsAnswer, tcp: DnsAnswer | Uint8Array | "silent"): DnsHandler {
  return ({ over }) => over === "udp" ? udp : tcp;
}

function after(first: DnsAnswer | "silent", later: DnsAnswer): DnsHandler {
  let count = 0;
  return () => count++ === 0 ? first : later;
}

export const DNS_CONTRACT: readonly ContractCase[] = [
  ...ROWS.map(({ name, handler, type = "A", limit = LIMIT, expected, asked }): ContractCase => ({
    name: `resolver: ${name}`,
    play: ({ resolver }) =>
      withServer(handler, async (server) => {
        const start = performance.now();
        assert.deepEqual(await outcome(resolver, "name.test", type, server, limit), expected);
        assert.ok(performance.now() - start < limit + SLACK, `took ${performance.now() - start} ms`);
        if (asked === undefined) return;
        // The resolver's last question may still be on its way when its time is over.
        const came = () => server.questions.map(({ over }) => over).join(" ");
        await until(() => came().length >= asked.length, () => `${asked}; ${came()} came`);
        assert.equal(came(), asked);
      }),
  })),
  {
    name: "resolver: names are asked for as they are, in small letters, or not at all",
    play: ({ resolver }) =>
      withServer(() => ONE, async (server) => {
        for (
          const name of [
            "localhost",
            "single",
            "Name.TEST",
            "_dmarc.name.test",
            "127.0.0.1",
            "x.localhost",
            "a".repeat(63),
          ]
        ) {
          assert.deepEqual(await outcome(resolver, name, "A", server), ["127.0.0.2"], name);
        }
        for (const name of ["", "a..b", ".", "a b", "a\0b", "a".repeat(64), "abcdefg.".repeat(32) + "x"]) {
          assert.deepEqual(await outcome(resolver, name, "A", server), [], name);
        }
        const names = [
          "localhost",
          "single",
          "name.test",
          "_dmarc.name.test",
          "127.0.0.1",
          "x.localhost",
          "a".repeat(63),
        ];
        assert.deepEqual(server.questions.map(({ name }) => name), names);
      }),
  },
  {
    name: "resolver: a name in an answer cannot look like another",
    play: ({ resolver }) =>
      withServer(() => ({ records: [{ labels: ["a.b", "c\\d", "e f", "caf\xe9", "test"] }] }), async (server) => {
        const expected = ["a\\046b.c\\092d.e\\032f.caf\\233.test"];
        assert.deepEqual(await outcome(resolver, "name.test", "PTR", server), expected);
      }),
  },
  {
    name: "resolver: each question has an id and a port of its own",
    play: ({ resolver }) =>
      withServer(() => ONE, async (server) => {
        for (let count = 0; count < 20; count++) await outcome(resolver, "name.test", "A", server);
        assert.ok(new Set(server.questions.map(({ id }) => id)).size > 15);
        assert.ok(new Set(server.questions.map(({ port }) => port)).size > 15);
      }),
  },
  {
    name: "resolver: a server on IPv6, written in any form",
    play: async ({ resolver }) => {
      const server = await DnsServer.start(() => ONE, { address: "::1" });
      try {
        for (const address of ["::1", "0:0:0:0:0:0:0:1", "0::0001"]) {
          const options = { limit: LIMIT, server: { address, port: server.port } };
          assert.deepEqual(await resolver.resolve("name.test", "A", options), ["127.0.0.2"]);
        }
      } finally {
        await server.close();
      }
    },
  },
  {
    name: "resolver: a server on IPv4, written as an IPv6 address",
    play: ({ resolver }) =>
      withServer(() => ONE, async ({ port }) => {
        const options = { limit: LIMIT, server: { address: "::ffff:127.0.0.1", port } };
        assert.deepEqual(await resolver.resolve("name.test", "A", options), ["127.0.0.2"]);
      }),
  },
  {
    name: "resolver: a server that is not there",
    play: async ({ resolver }) => {
      const result = await outcome(resolver, "name.test", "A", { port: await freePort() }, 600);
      // Not every runtime hears of ICMP.
      assert.ok(result === "refused" || result === "timeout", String(result));
    },
  },
  {
    name: "resolver: a flood of wrong answers does not hold up the right one",
    play: ({ resolver }) =>
      withServer(() => ({ ...ONE, forgeries: 100 }), async (server) => {
        assert.deepEqual(await outcome(resolver, "name.test", "A", server), ["127.0.0.2"]);
      }),
  },
  {
    name: "resolver: 2,000 lookups at once are all answered, a bounded number at a time",
    play: ({ resolver }) =>
      withServer(() => ONE, async (server) => {
        const options = { limit: 20_000, server: { address: "127.0.0.1", port: server.port } };
        const names = Array.from({ length: MANY }, (_, at) => `n${at}.test`);
        const answers = await Promise.all(names.map((name) => resolver.resolve(name, "A", options)));
        assert.ok(answers.every(([address]) => address === "127.0.0.2"));
        assert.equal(server.questions.length, MANY);
      }),
  },
  {
    name: "resolver: 2,000 lookups at once that nobody answers are over in time, those that had to wait too",
    play: ({ resolver }) =>
      withServer(() => "silent", async (server) => {
        const limit = 2000;
        const start = performance.now();
        const names = Array.from({ length: MANY }, (_, at) => `n${at}.test`);
        const asking = names.map((name) => outcome(resolver, name, "A", server, limit));
        assert.ok((await Promise.all(asking)).every((answer) => answer === "timeout"));
        assert.ok(performance.now() - start < limit + SLACK, `took ${performance.now() - start} ms`);
        // Most were never asked.
        const asked = new Set(server.questions.map(({ name }) => name)).size;
        assert.ok(asked >= 100 && asked < 1000, `${asked} were asked`);
        server.handler = () => ONE;
        assert.deepEqual(await outcome(resolver, "later.test", "A", server), ["127.0.0.2"]);
      }),
  },
  {
    name: "udp: what another sends is dropped, what the server sends is received, one by one",
    play: ({ network }) =>
      withPeers(async (server, stranger) => {
        const socket = await network.udp({ address: "127.0.0.1", port: server.address().port });
        try {
          const asking = once(server, "message") as Promise<[Uint8Array, { port: number }]>;
          await socket.send(Uint8Array.of(1));
          const [, { port }] = await asking;
          stranger.send("forged", port, "127.0.0.1");
          await new Promise((resolve) => setTimeout(resolve, 50));
          server.send("one", port, "127.0.0.1");
          server.send("two", port, "127.0.0.1");
          assert.equal(new TextDecoder().decode(await socket.receive()), "one");
          assert.equal(new TextDecoder().decode(await socket.receive()), "two");
        } finally {
          socket.close();
        }
      }),
  },
  {
    name: "udp: close ends a receive that waits, and can be repeated",
    play: ({ network }) =>
      withPeers(async (server) => {
        const socket = await network.udp({ address: "127.0.0.1", port: server.address().port });
        const receiving = socket.receive().catch((error: unknown) => error);
        socket.close();
        socket.close();
        const error = await receiving;
        assert.ok(error instanceof IoError && error.kind === "closed", String(error));
      }),
  },
];

async function outcome(
  resolver: Resolver,
  name: string,
  type: RecordType,
  { port }: { port: number },
  limit = LIMIT,
): Promise<Expected> {
  try {
    return await resolver.resolve(name, type, { limit, server: { address: "127.0.0.1", port } });
  } catch (error) {
    if (error instanceof IoError) return error.kind;
    throw error;
  }
}

async function withServer(handler: DnsHandler, play: (server: DnsServer) => Promise<void>): Promise<void> {
  const server = await DnsServer.start(handler);
  try {
    await play(server);
  } finally {
    await server.close();
  }
}

type UdpPeer = ReturnType<typeof createSocket>;

async function withPeers(play: (server: UdpPeer, stranger: UdpPeer) => Promise<void>): Promise<void> {
  const peers = [createSocket("udp4"), createSocket("udp4")] as const;
  for (const peer of peers) {
    peer.bind(0, "127.0.0.1");
    await once(peer, "listening");
  }
  try {
    await play(...peers);
  } finally {
    for (const peer of peers) {
      peer.close();
      await once(peer, "close");
    }
  }
}
