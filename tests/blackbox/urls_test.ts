// --url-dnsbl, --url-rhsbl and --url-allow from outside, with a fake name server: what is refused and passes, a list that gives
// no answer or lies, with and without -r, a client that leaves, and files that are wrong.

import assert from "node:assert/strict";
import { kill, Listening, runProgram } from "../e2e/start.ts";
import { type DnsHandler, DnsServer } from "../fakes/dns_server.ts";
import { freePort } from "../rig/ports.ts";
import { until } from "../rig/wait.ts";
import { type Case, deliver, expectUsable, read, startMessage, table, type Talk } from "./rig.ts";

let server: DnsServer;
/** For files that options name. */
let files: string;

async function around(play: () => Promise<void>): Promise<void> {
  files = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${files}/allow`, "# ours\ngood.example\n");
  server = await DnsServer.start(() => "silent");
  try {
    await play();
  } finally {
    await server.close();
    Deno.removeSync(files, { recursive: true });
  }
}

const NOWHERE = { code: 3 };

/** A zone: of each name the data of its A record, and the text that a list has for it. */
const ZONE: Readonly<Record<string, readonly [address: string, text?: string]>> = {
  "evil.example": ["192.0.2.66"],
  "66.2.0.192.bl.test": ["127.0.0.4", "in the list, see http://bl.test/"],
  "65.2.0.192.bl.test": ["127.0.0.2"],
  "bad.example.key.dbl.test": ["127.0.1.4", "key.dbl.test has it"],
  "xn--bcher-kva.example.key.dbl.test": ["127.0.1.2"],
  "good.example.key.dbl.test": ["127.0.1.2"],
  "grey.example.key.dbl.test": ["127.0.1.99"],
  "refuses.example.key.dbl.test": ["127.255.255.254", "no public resolvers"],
  "inside.example": ["10.0.0.1"],
};

const zone: DnsHandler = ({ name, type }) => {
  const found = ZONE[name.toLowerCase()];
  if (!found) return NOWHERE;
  const [address, text] = found;
  if (type === "A") return { records: [{ data: address }] };
  return type === "TXT" && text !== undefined ? { records: [{ data: [text] }] } : {};
};

const LISTS = ["--url-dnsbl=bl.test", "--url-rhsbl=key.dbl.test=127.0.1.2-6", "--list-name=key.dbl.test=dbl.test"];

const options = (...words: readonly string[]) => () => [
  ...[`--dns-server=127.0.0.1:${server.port}`, "--dns-timeout=0.5", "-v", `--url-allow=${files}/allow`],
  ...LISTS,
  ...words,
];

const html = (body: string) => `Subject: x\r\nContent-Type: text/html\r\n\r\n${body}\r\n`;

interface Row {
  readonly content: string;
  /** The refusal; without it the message passes. */
  readonly heard?: string;
  readonly logged?: RegExp;
  /** Questions that must not have been asked. */
  readonly unasked?: RegExp;
  readonly handler?: DnsHandler;
}

function row(name: string, { content, heard, logged, unasked, handler = zone }: Row): Case {
  return {
    name,
    play: async (talk) => {
      server.handler = handler;
      server.questions.length = 0;
      const client = await talk.open();
      const reply = await deliver(client, content);
      if (heard === undefined) talk.passed(content);
      else {
        assert.equal(reply.raw, `${heard}\r\n`);
        talk.nothingPassed();
      }
      if (logged) await talk.logged(logged);
      const asked = server.questions.map((question) => question.name);
      if (unasked) assert.deepEqual(asked.filter((question) => unasked.test(question)), []);
      server.handler = zone;
      await expectUsable(client);
      await client.expect(221, "QUIT");
    },
  };
}

const SILENT: DnsHandler = (question) => question.name.endsWith("dbl.test") ? "silent" : zone(question);

table("--url-dnsbl and --url-rhsbl", { options: options(), around }, [
  row("a message without a URL passes", { content: html("Hello"), logged: /verdict=pass .*urls_hosts=0/ }),
  row("an address of a host is listed", {
    content: html('<a href="http://evil.example/">x</a>'),
    heard: "550 5.7.1 evil.example is listed by bl.test",
    logged: /evil\.example \(192\.0\.2\.66\) is listed by bl\.test: in the list, see http:\/\/bl\.test\//,
  }),
  row("a host is listed, and the reply does not have the key of the list", {
    content: html('<a href="http://bad.example/">x</a>'),
    heard: "550 5.7.1 bad.example is listed by dbl.test",
    logged: /bad\.example is listed by key\.dbl\.test: key\.dbl\.test has it/,
  }),
  row("a name above the host is listed", {
    content: html('<a href="http://a.b.c.d.e.f.bad.example/">x</a>'),
    heard: "550 5.7.1 a.b.c.d.e.f.bad.example is listed by dbl.test",
    unasked: /^b\.c\.d\.e\.f\.bad|^c\.d\.e\.f\.bad/,
  }),
  row("a host is a number", {
    content: html("http://3221226049/"),
    heard: "550 5.7.1 3221226049 is listed by bl.test",
    unasked: /^(?!65\.2\.0\.192\.bl\.test$)[0-9.]+\./,
  }),
  row("a host has other letters", {
    content:
      "Subject: x\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
      "http://b=FCcher.example/\r\n",
    heard: "550 5.7.1 xn--bcher-kva.example is listed by dbl.test",
  }),
  row("a part in base64", {
    content: "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n" +
      `Content-Transfer-Encoding: base64\r\n\r\n${btoa("<a href='http://ev&#105;l.example/'>")}\r\n--b--\r\n`,
    heard: "550 5.7.1 evil.example is listed by bl.test",
  }),
  row("an answer that does not count", { content: html("http://grey.example/") }),
  row("an answer by which the list refuses to answer", {
    content: html("http://refuses.example/"),
    logged: /verdict=pass/,
  }),
  row("an allowed host, and one below it", {
    content: html("http://good.example/ http://www.good.example/"),
    unasked: /good\.example/,
  }),
  row("private addresses are not looked up", {
    content: html("http://127.0.0.1/ http://10.1.1.1/ http://inside.example/"),
    unasked: /^[0-9.]+\.bl\.test$/,
  }),
  row("a host that does not resolve", {
    content: html("http://none.example/"),
    handler: (question) => question.name === "none.example" ? { code: 2 } : zone(question),
  }),
  row("a list that is silent", {
    content: html("http://bad.example/"),
    handler: SILENT,
    logged:
      /error: .*message not checked reason="URL list key\.dbl\.test is of no use: A of bad\.example\.key\.dbl\.test: /,
  }),
  row("a list that is silent, and another one that lists the host", {
    content: html("http://evil.example/"),
    handler: SILENT,
    heard: "550 5.7.1 evil.example is listed by bl.test",
  }),
  row("more hosts than are looked up", {
    content: html(Array.from({ length: 101 }, (_, at) => `http://h${at}.example/`).join("\r\n")),
    logged: /warning: .*URLs: only the first 100 hosts count/,
  }),
  {
    name: "a client that leaves while a list is silent",
    play: async (talk: Talk) => {
      server.handler = SILENT;
      const client = await talk.open();
      server.questions.length = 0;
      await startMessage(client);
      await client.say(`${html("http://bad.example/")}.\r\n`);
      await until(() => server.questions.some(({ name }) => name.endsWith("dbl.test")), () => "a question to the list");
      client.close();
      await until(() => talk.spooled().length === 0, () => "an empty spool directory");
      talk.nothingPassed();
      server.handler = zone;
    },
  },
]);

const NOT_CHECKED = "451 4.3.0 Message could not be checked, try again later";

table("--url-rhsbl with -r", { options: options("-r"), around }, [
  row("a list that is silent", { content: html("http://bad.example/"), handler: SILENT, heard: NOT_CHECKED }),
  row("a host that does not resolve is no failure", {
    content: html("http://none.example/"),
    handler: (question) => question.name === "none.example" ? { code: 2 } : zone(question),
  }),
]);

/** More than an answer is read to. Each leads on to the next one. */
const aliases = (name: string) =>
  Array.from({ length: 200 }, (_, at) => ({
    name: at === 0 ? name : `a${at}.test`,
    type: "CNAME",
    data: `a${at + 1}.test`,
  }));

const THERE = { records: [{ data: "127.0.0.2" }] };

/** What a name server may do instead of answering for a list. */
const FAULTS: Readonly<Record<string, DnsHandler>> = {
  "is silent": () => "silent",
  "is too slow": () => ({ ...THERE, delay: 2_000 }),
  "answers nonsense": () => new Uint8Array(300).fill(0xc0),
  "answers with another id": () => ({ ...THERE, idOffset: 1 }),
  "answers another question": () => ({ ...THERE, name: "other.test" }),
  "answers half": () => ({ ...THERE, missing: 2 }),
  "truncates, and has no more by TCP": ({ over }) => over === "udp" ? { ...THERE, truncated: true } : "silent",
  "fails": () => ({ code: 2 }),
  "refuses to answer": () => ({ code: 5 }),
  "has aliases in a circle": ({ name }) => ({ records: [{ type: "CNAME", data: name }] }),
  "has aliases without end": ({ name }) => ({ records: aliases(name) }),
};

// In both lists, if it were known.
const LISTED_TWICE = html("http://evil.example/ http://bad.example/");

/** The message has its fate, and the log says once that the lists were of no use. */
function faultyRow(name: string, handler: DnsHandler, isDeferred: boolean): Case {
  return {
    name,
    play: async (talk) => {
      // Listen mode asks for the test entries as well, and says something else if they are wrong.
      const isAsked = (question: string) =>
        /\.test$/.test(question) && !/^(?:[12]\.0\.0\.127|invalid)\./.test(question);
      server.handler = (question) => isAsked(question.name) ? handler(question) : entries(question);
      const client = await talk.open();
      const reply = await deliver(client, LISTED_TWICE);
      if (isDeferred) {
        assert.equal(reply.raw, `${NOT_CHECKED}\r\n`);
        talk.nothingPassed();
      } else {
        assert.equal(reply.code, 250);
        talk.passed(LISTED_TWICE);
      }
      await talk.logged(isDeferred ? / message verdict=defer .*check=urls/ : / message verdict=unchecked /);
      const lines = talk.log.match(/^.*(?:error|warning): .*$/gm) ?? [];
      assert.equal(lines.length, 1, talk.log);
      assert.match(lines[0]!, /: message not checked reason="URL list (?:bl|key\.dbl)\.test is of no use: A of /);
      server.handler = entries;
      await expectUsable(client);
      await client.expect(221, "QUIT");
    },
  };
}

/** Lists that are in order have this entry. */
const entries: DnsHandler = (question) =>
  question.name === "2.0.0.127.bl.test" ? question.type === "A" ? THERE : {} : zone(question);

for (const words of [[], ["-r"]]) {
  const rows = Object.entries(FAULTS).map(([name, handler]) => faultyRow(`it ${name}`, handler, words.length > 0));
  const options = (port: number) => [
    ...[`--dns-server=127.0.0.1:${port}`, "--dns-timeout=0.5", "-v", "--url-dnsbl=bl.test"],
    ...["--url-rhsbl=key.dbl.test", ...words],
  ];
  const title = `A name server that does not work for URL lists, ${words[0] ?? "without -r"}`;
  table(title, {
    spawn: "first row",
    options: () => {
      server.handler = entries;
      return options(server.port);
    },
    around,
  }, rows);

  let nobody = 0;
  table(`${title}: nobody is there`, {
    options: () => options(nobody),
    around: async (play) => {
      nobody = await freePort();
      await around(play);
    },
  }, [faultyRow("it refuses", () => "silent", words.length > 0)]);
}

Deno.test("Listen mode asks URL lists for their test entries, and reads the allowed names again at SIGHUP", () =>
  around(async () => {
    const dir = files;
    server.handler = ({ name, type }) => {
      if (/^(?:2\.0\.0\.127\.bl\.test|invalid\.all\.test|bad\.example\.(?:all|some)\.test)$/.test(name)) {
        return type === "A" ? { records: [{ data: "127.0.0.2" }] } : {};
      }
      return NOWHERE;
    };
    Deno.writeTextFileSync(`${dir}/allow`, "");
    const log = `${dir}/log`;
    const program = await Listening.start([
      "127.0.0.1:1",
      `--log=${log}`,
      `--dns-server=127.0.0.1:${server.port}`,
      ...["--url-dnsbl=bl.test", "--url-rhsbl=all.test", "--url-rhsbl=some.test", `--url-allow=${dir}/allow`],
    ]);
    try {
      await until(() => /DNS list lists everything.* zone=all\.test entry=INVALID/.test(read(log)), () => read(log));
      const asked = server.questions.map(({ name }) => name.toLowerCase());
      for (const name of ["1.0.0.127.bl.test", "2.0.0.127.bl.test", "invalid.all.test", "invalid.some.test"]) {
        assert.ok(asked.includes(name), `${name} is not among ${asked}`);
      }
      Deno.writeTextFileSync(`${dir}/allow`, "fine.example\n*.no\n");
      kill(program.process.pid, "SIGHUP");
      await until(() => /not reloaded.*--url-allow: \S+allow:2: /.test(read(log)), () => read(log));
      Deno.writeTextFileSync(`${dir}/allow`, "fine.example\n");
      kill(program.process.pid, "SIGHUP");
      await until(() => / reloaded: /.test(read(log)), () => read(log));
    } finally {
      kill(program.process.pid, "SIGTERM");
      await program.process.ended;
    }
  }));

Deno.test("Wrong options for URL lists: one line on standard error, and what would be right", async (test) => {
  const dir = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${dir}/allow`, "a.example\nhttp://b.example/\n");
  const rows: readonly [words: readonly string[], complaint: RegExp, status?: number][] = [
    [["--url-dnsbl="], /--url-dnsbl: "" is no DNS list: give ZONE\[=ADDRESSES\]/],
    [["--url-dnsbl=192.0.2.1"], /"192\.0\.2\.1" is no DNS list/],
    [["--url-rhsbl=dbl.test="], /"dbl\.test=" has no addresses after "=": give answers of a list/],
    [["--url-rhsbl=dbl.test=127.0.0.256"], /has no addresses/],
    [["--url-rhsbl=dbl.test=127.255.255.1"], /has no addresses/],
    [
      ["--url-rhsbl=dbl.test", `--url-allow=${dir}/allow`],
      /--url-allow: \S+allow:2: "http:\/\/b\.example\/" is no name of a host: give one/,
    ],
    [["--url-rhsbl=dbl.test", "--url-allow="], /"" names no file/],
    [["--url-rhsbl=dbl.test", `--url-allow=${dir}/none`], /--url-allow: .*give a file that can be read/, 75],
    [
      [`--url-allow=${dir}/allow`],
      /--url-allow: no list is asked about hosts in URLs: give --url-dnsbl or --url-rhsbl/,
    ],
    [
      ["--url-rhsbl=dbl.test", "--list-name=db1.test=x"],
      /--list-name: no DNS list "db1\.test" is asked: give a zone of .*--url-dnsbl, --url-rhsbl/,
    ],
  ];
  try {
    for (const [words, complaint, status = 64] of rows) {
      await test.step(words.join(" "), async () => {
        const result = await runProgram(["127.0.0.1:1", "--log=stderr", ...words]);
        assert.equal(result.status, status, result.stderr);
        assert.match(result.stderr, complaint);
        assert.equal(result.stderr.trimEnd().split("\n").length, 1, result.stderr);
      });
    }
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
