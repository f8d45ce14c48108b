// --url-dnsbl and --url-rhsbl with real name servers and lists (dns_bed.ts): first with a fake server downstream, in both modes;
// then between two servers of a real Postfix, with a large message too.

import assert from "node:assert/strict";
import { type Case, deliver, table } from "../blackbox/rig.ts";
import { isLeftOut } from "../needs.ts";
import { freePorts } from "../rig/ports.ts";
import { type DnsBed, openDnsBed } from "./dns_bed.ts";
import { install, startListening, stop } from "./installed.ts";
import { createPostfix, USER } from "./postfix.ts";
import { afterFilter, beforeFilter, spawnedProxy } from "./postfix_config.ts";
import { alice, header, newTag, sender } from "./postfix_mail.ts";
import { sendMail } from "./stranger.ts";

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

const LISTS = [
  "--url-dnsbl=bl.test",
  "--url-rhsbl=dbl.test=127.0.1.2-99",
  "--url-rhsbl=multi.test=127.0.0.0&16",
  "--list-name=multi.test=many.example",
];

function words(...more: readonly string[]): string[] {
  if (bed === undefined) throw problem;
  return [`--dns-server=${bed.server}`, "-v", ...LISTS, ...more];
}

const page = (body: string) => `Subject: x\r\nContent-Type: text/html\r\n\r\n<p>${body}</p>\r\n`;
const link = (url: string) => page(`Hello, <a href="${url}">click here</a>`);

interface Row {
  readonly content: string;
  /** The client hears this after `550 5.7.1`. Without it the message passes. */
  readonly heard?: string;
  readonly logged?: RegExp;
}

function row(name: string, { content, heard, logged }: Row): Case {
  return {
    name,
    play: async (talk) => {
      const client = await talk.open();
      const reply = await deliver(client, content);
      if (heard === undefined) talk.passed(content);
      else assert.equal(reply.raw, `550 5.7.1 ${heard}\r\n`);
      if (logged) await talk.logged(logged);
      await client.expect(221, "QUIT");
    },
  };
}

table("Hosts in URLs, and real lists", { options: () => words() }, [
  row("no list has it", { content: link("http://fine.example.test/"), logged: /verdict=pass .*urls_hosts=1/ }),
  row("a host that does not resolve", { content: link("http://missing.example.test/") }),
  row("aliases that go in a circle", { content: link("http://round.example.test/") }),
  row("an address in a list", {
    content: link("http://shop.example.test/"),
    heard: "shop.example.test is listed by bl.test",
    logged: /shop\.example\.test \(192\.0\.2\.66\) is listed by bl\.test: Listed, see http:\/\/bl\.test\/\?/,
  }),
  row("an IPv6 address in a list", {
    content: link("http://six.example.test/"),
    heard: "six.example.test is listed by bl.test",
  }),
  row("an address as one number", { content: link("http://3221226050/"), heard: "3221226050 is listed by bl.test" }),
  row("a private address, which the list has", { content: link("http://inside.example.test/ http://10.0.0.1/") }),
  row("a domain", {
    content: link("http://spam.test/"),
    heard: "spam.test is listed by dbl.test",
    logged: /spam\.test is listed by dbl\.test: https:\/\/check\.dbl\.test\/spam\.test/,
  }),
  row("a name below a domain", {
    content: link("http://a.b.c.d.e.f.g.phish.test/"),
    heard: "a.b.c.d.e.f.g.phish.test is listed by dbl.test",
    logged: /\(phish\.test\) is listed by dbl\.test: phish\.test(?:\.dbl\.test)? is after passwords/,
  }),
  row("a listing that does not count", { content: link("http://abused.test/") }),
  row("a bit that does not count", { content: link("http://ph.test/") }),
  row("a bit that counts", { content: link("http://mw.test/"), heard: "mw.test is listed by many.example" }),
  row("an international name", {
    content: link("http://b&#252;cher.test/"),
    heard: "xn--bcher-kva.test is listed by dbl.test",
  }),
  row("hidden in parts and codings", {
    content: "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" +
      "Content-Type: text/html; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
      `${
        btoa(
          Array.from(
            "\xff\xfe".concat(...[...'<a href="ht\ntp:\\\\me@ph\tish.te&#115;t">'].flatMap((one) => [one, "\0"])),
          )
            .join(""),
        )
      }\r\n--b--\r\n`,
    heard: "phish.test is listed by dbl.test",
  }),
]);

table("Real lists that are of no use", {
  options: () => words("--url-rhsbl=everybody.test", "--url-rhsbl=missing.example.org", "-r"),
}, [
  row("a zone that no server answers for", {
    content: link("http://mw.test/"),
    heard: "mw.test is listed by many.example",
  }),
  {
    name: "nothing listed, and the zone could not tell",
    play: async (talk) => {
      const client = await talk.open();
      const reply = await deliver(client, link("http://192.0.2.66.example.org/"));
      assert.equal(reply.raw, "451 4.3.0 Message could not be checked, try again later\r\n");
      await talk.logged(/error: .*message not checked reason="URL list missing\.example\.org is of no use: .*REFUSED/);
    },
  },
]);

Deno.test({
  name: "URL lists behind a real Postfix, spawn and listen, plain and speed_adjust",
  ignore: isLeftOut("URL lists behind Postfix"),
  fn: behindPostfix,
});

async function behindPostfix(test: Deno.TestContext): Promise<void> {
  const options = words();
  const postfix = createPostfix();
  const [spawnPort = 0, listenPort = 0, afterPort = 0, ...befores] = await freePorts(7);
  let listening: number | undefined;
  try {
    const installed = await install(postfix);
    const argv = (mode: string) => [
      ...["-d", installed.spool, `--log=${installed.logs}/${mode}.log`, ...options],
      `127.0.0.1:${afterPort}`,
    ];
    const setups = [["spawn", spawnPort], ["listen", listenPort]].flatMap(([mode, proxy]) =>
      [false, true].map((speedAdjust) => ({ mode, proxy: `127.0.0.1:${proxy}`, speedAdjust, port: befores.pop()! }))
    );
    await postfix.start([
      ...setups.map(beforeFilter),
      spawnedProxy(spawnPort, USER, [installed.program, ...argv("spawn")]),
      afterFilter(afterPort),
    ]);
    listening = await startListening(installed, argv("listen"), listenPort);
    const bodies = [
      ["clean", "see http://fine.example.test/\r\n", undefined],
      ["large", `${"A line of a large message.\r\n".repeat(200_000)}http://spam.test/\r\n`, undefined],
      ["domain", "see www.spam.test\r\n", "www.spam.test is listed by dbl.test"],
      ["address", "see http://shop.example.test\r\n", "shop.example.test is listed by bl.test"],
    ] as const;
    for (const { mode, speedAdjust, port } of setups) {
      await test.step(`${mode}${speedAdjust ? ", speed_adjust" : ""}`, async () => {
        for (const [name, body, listed] of bodies) {
          const tag = newTag();
          const mark = postfix.log().length;
          const text = header(name, tag) + body;
          const { end } = await sendMail(port, { from: sender(tag), to: [alice(tag)], text });
          if (listed === undefined) assert.equal(end.code, 250, end.text);
          else assert.equal(end.text, `550 5.7.1 ${listed}`);
          assert.doesNotMatch(await postfix.settledLog(mark), /\b(?:fatal|panic): /);
          assert.deepEqual(postfix.delivered(tag).map((mail) => mail.text), listed === undefined ? [text] : []);
        }
        const log = Deno.readTextFileSync(`${installed.logs}/${mode}.log`);
        assert.match(log, /URLs: only the first 2 MiB of text were read/);
      });
    }
  } finally {
    if (listening !== undefined) await stop(listening);
    await postfix.stop();
  }
}
