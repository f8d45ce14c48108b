// --dnsbl, --rhsbl and --check-sender-domain with real name servers (dns_bed.ts). First with a fake server downstream,
// in both modes, where a case can be any client. Then with a real Postfix on both sides.
//
// Needs root and Debian's nsd, rbldnsd, dnsmasq-base and postfix. If one is missing, each test fails and says so.

import assert from "node:assert/strict";
import { type Case, deliver, read, RECIPIENT, table, type Talk } from "../blackbox/rig.ts";
import { until } from "../rig/wait.ts";
import { freePorts } from "../rig/ports.ts";
import { type DnsBed, openDnsBed } from "./dns_bed.ts";
import { install } from "./installed.ts";
import { createPostfix, type Postfix, USER } from "./postfix.ts";
import { afterFilter, beforeFilter, spawnedProxy } from "./postfix_config.ts";
import { alice, newTag } from "./postfix_mail.ts";
import { greet } from "./stranger.ts";

let bed: DnsBed | undefined;
let problem: unknown;

Deno.test.beforeAll(async () => {
  try {
    bed = await openDnsBed();
  } catch (error) {
    problem = error;
  }
});

Deno.test.afterAll(async () => await bed?.stop());

function words(...options: string[]): string[] {
  if (bed === undefined) throw problem;
  return [`--dns-server=${bed.server}`, ...options];
}

// --- with a fake downstream

interface Mail {
  readonly address?: string;
  readonly from?: string;
  /** The refusal at MAIL or RCPT, or that the message passes. */
  readonly heard: "passes" | { readonly mail: string } | { readonly rcpt: string };
  readonly logged?: RegExp;
  /** In the log of the program, whichever case was the first. */
  readonly known?: RegExp;
}

function mail(name: string, { address, from = "me@mx.example.test", heard, logged, known }: Mail): Case {
  return {
    name,
    play: async (talk: Talk) => {
      const client = await talk.open();
      if (address !== undefined) await client.expect(250, `XFORWARD NAME=stranger.test ADDR=${address}`);
      if (heard === "passes") {
        const reply = await deliver(client, undefined, { from });
        assert.equal(reply.code, 250, reply.raw);
      } else if ("mail" in heard) {
        assert.equal((await client.ask(`MAIL FROM:<${from}>`)).raw, `${heard.mail}\r\n`);
        assert.ok(!talk.downstream.verbs.includes("MAIL"), "downstream heard of it");
      } else {
        await client.expect(250, `MAIL FROM:<${from}>`);
        assert.equal((await client.ask(`RCPT TO:<${RECIPIENT}>`)).raw, `${heard.rcpt}\r\n`);
        assert.ok(!talk.downstream.verbs.includes("RCPT"), "downstream heard of it");
      }
      if (logged) await talk.logged(logged);
      if (known) await until(() => known.test(read(talk.logFile)), () => `${known} in the log`);
      if (known) await until(() => known.test(read(talk.logFile)), () => `${known} in the log`);
      // The session goes on.
      await client.expect(250, "RSET");
      await client.expect(221, "QUIT");
    },
  };
}

const BLOCKED = "554 5.7.1 Service unavailable; Client host";

table("Clients in a DNS list", { options: () => words("--dnsbl=bl.test") }, [
  mail("listed", {
    address: "192.0.2.66",
    heard: { rcpt: `${BLOCKED} [192.0.2.66] blocked using bl.test; Listed, see http://bl.test/?192.0.2.66` },
  }),
  mail("listed, by IPv6", {
    address: "IPv6:2001:db8:bad::25",
    heard: {
      rcpt: `${BLOCKED} [2001:db8:bad::25] blocked using bl.test; Listed, see http://bl.test/?2001:db8:bad::25`,
    },
  }),
  mail("not listed", { address: "192.0.2.67", heard: "passes" }),
  mail("not listed, by IPv6", { address: "IPv6:2001:db8::25", heard: "passes" }),
  mail("of a private network", { address: "10.0.0.66", heard: "passes" }),
  mail("not known", { address: "[UNAVAILABLE]", heard: "passes" }),
  mail("the peer itself, where nobody else was named", { heard: "passes" }),
]);

table("DNS lists with addresses that count", {
  options: () =>
    words(
      "--dnsbl=bl.test=127.0.0.2,127.0.0.0&4,127.0.1.[0..9]",
      "--dnsbl",
      "closed.test",
      "--rhsbl=rhs.test=127.0.1.2",
    ),
}, [
  mail("a client, among them", {
    address: "192.0.2.66",
    heard: { rcpt: `${BLOCKED} [192.0.2.66] blocked using bl.test; Listed, see http://bl.test/?192.0.2.66` },
  }),
  mail("a client, not among them", { address: "192.0.2.68", heard: "passes" }),
  mail("a list that does not answer us", {
    address: "192.0.2.67",
    heard: "passes",
    known: /not a listing.* zone=closed\.test question=\S+ answer=127\.255\.255\.254 text="Ask somebody else"/,
  }),
  mail("a sender", {
    address: "192.0.2.67",
    from: "me@listed.example.test",
    heard: {
      rcpt: "554 5.7.1 Service unavailable; Sender address [me@listed.example.test] blocked using rhs.test; " +
        "No bounces from listed.example.test",
    },
  }),
  mail("the null sender", { address: "192.0.2.67", from: "", heard: "passes" }),
]);

table("DNS lists that list everybody", {
  options: () => words("--dnsbl=all.test", "--dnsbl=bl.test", "--rhsbl=everybody.test"),
  modes: ["listen"],
}, [{
  name: "are not used once that is known",
  play: async (talk) => {
    const log = () => read(talk.logFile);
    for (const zone of ["all", "everybody"]) {
      await until(() => log().includes(`until this ends zone=${zone}.test `), () => `${zone}.test in the log`);
    }
    const client = await talk.open();
    for (const [address, code] of [["192.0.2.67", 250], ["192.0.2.66", 554]] as const) {
      await client.expect(250, `XFORWARD NAME=stranger.test ADDR=${address}`);
      await client.expect(250, "MAIL FROM:<me@mx.example.test>");
      await client.expect(code, `RCPT TO:<${RECIPIENT}>`);
      await client.expect(250, "RSET");
    }
    await client.expect(221, "QUIT");
    assert.doesNotMatch(log(), /its test entry/);
  },
}]);

const NOT_FOUND = "Sender address rejected: domain not found";

table("The sender's domain", { options: () => words("--check-sender-domain") }, [
  ...["me@mx", "me@a", "me@aaaa", "me@alias", "me@many", "ich@b\xc3\xbccher"].map((from) =>
    mail(`${from} passes`, { from: `${from}.example.test`, heard: "passes" })
  ),
  ...["", "me@[192.0.2.1]", "me@[IPv6:2001:db8::1]"].map((from) => mail(`<${from}> passes`, { from, heard: "passes" })),
  ...["missing", "text", "nowhere"].map((name) =>
    mail(`${name} does not exist, or has neither`, {
      address: "192.0.2.67",
      from: `me@${name}.example.test`,
      heard: { mail: `550 5.1.8 <me@${name}.example.test>: ${NOT_FOUND}` },
      logged: new RegExp(
        `Rejected from address with unresolvable domain: <me@${name}\\.example\\.test> from stranger\\.test \\[192\\.0\\.2\\.67\\]`,
      ),
    })
  ),
  mail("one that takes no mail", {
    address: "192.0.2.67",
    from: "me@null.example.test",
    heard: { mail: "550 5.7.27 <me@null.example.test>: Sender address rejected: domain takes no mail (null MX)" },
    logged:
      /Rejected from address with unresolvable domain: <me@null\.example\.test> from stranger\.test \[192\.0\.2\.67\]/,
  }),
  mail("no address", {
    from: "m..e@mx.example.test",
    heard: { mail: "553 5.1.7 <m..e@mx.example.test>: Sender address rejected: not a valid address" },
  }),
  // Lookups that fail.
  mail("aliases in a circle", {
    from: "me@round.example.test",
    heard: "passes",
    logged: /cannot check the domain of /,
  }),
  mail("a server that refuses to tell", { from: "me@example.org", heard: "passes", logged: /REFUSED/ }),
]);

// --- with Postfix

interface Site {
  readonly postfix: Postfix;
  /** The server in front of a proxy that has the client in a list. */
  readonly listedPort: number;
  /** The one in front of a proxy that does not. */
  readonly openPort: number;
}

async function withPostfix(test: (site: Site) => Promise<void>): Promise<void> {
  const options = words("--rhsbl=rhs.test", "--check-sender-domain");
  const postfix = createPostfix();
  const [listedPort = 0, openPort = 0, listedProxy = 0, openProxy = 0, afterPort = 0] = await freePorts(5);
  try {
    const { program, spool, logs } = await install(postfix);
    const inFront = (port: number, proxyPort: number, more: readonly string[]) => {
      const log = `--log=${logs}/${proxyPort}.log`;
      const argv = [program, "-d", spool, log, ...options, ...more, `127.0.0.1:${afterPort}`];
      const proxy = `127.0.0.1:${proxyPort}`;
      const before = beforeFilter({ port, proxy, speedAdjust: false });
      return [spawnedProxy(proxyPort, USER, argv), `${before}    -o smtpd_authorized_xclient_hosts=127.0.0.0/8\n`];
    };
    await postfix.start([
      ...inFront(listedPort, listedProxy, ["--dnsbl=bl.test", "--list-name=bl.test=list.example"]),
      ...inFront(openPort, openProxy, ["--dnsbl=bl.test", "--dnswl=wl.test"]),
      afterFilter(afterPort),
    ]);
    await test({ postfix, listedPort, openPort });
  } finally {
    await postfix.stop();
  }
}

/** The client. In truth it is on this host: Postfix believes its XCLIENT. */
const CLIENT_ADDRESS = "192.0.2.66";

/** The replies that a stranger hears to each command of a message, until one is refused. */
async function heardBy(port: number, from: string, to: string): Promise<string[]> {
  const client = await greet(port);
  const heard: string[] = [];
  try {
    await client.expect(220, `XCLIENT ADDR=${CLIENT_ADDRESS}`);
    await client.expect(250, "EHLO stranger.example");
    for (const command of [`MAIL FROM:<${from}>`, `RCPT TO:<${to}>`, "DATA", "Subject: a message\r\n\r\ntext\r\n."]) {
      heard.push((await client.ask(command)).text);
      if (!/^[23]/.test(heard.at(-1)!)) break;
    }
    await client.quit();
    return heard;
  } finally {
    client.close();
  }
}

Deno.test("Postfix hands on the listed client and the refusals, and delivers everything else", async () => {
  await withPostfix(async ({ postfix, listedPort, openPort }) => {
    const rows: readonly (readonly [port: number, from: string, last: RegExp])[] = [
      [
        listedPort,
        "me@mx.example.test",
        new RegExp(
          `^554 5\\.7\\.1 .*\\[${CLIENT_ADDRESS}\\] blocked using list\\.example; Listed, see http://list\\.example/`,
        ),
      ],
      [
        openPort,
        "me@listed.example.test",
        /^554 5\.7\.1 .*\[me@listed\.example\.test\] blocked using rhs\.test; No bounces /,
      ],
      [openPort, "me@missing.example.test", /^550 5\.1\.8 <me@missing\.example\.test>: /],
      [openPort, "me@mx.example.test", /^250 2\.0\.0 Ok: queued as /],
      [openPort, "", /^250 2\.0\.0 Ok: queued as /],
    ];
    for (const [port, from, last] of rows) {
      const tag = newTag();
      const mark = postfix.log().length;
      const heard = await heardBy(port, from, alice(tag));
      assert.match(heard.at(-1)!, last);
      const log = await postfix.settledLog(mark);
      assert.doesNotMatch(log, /\b(?:fatal|panic): /);
      assert.equal(postfix.delivered(tag).length, heard.length === 4 ? 1 : 0);
    }
  });
});
