// Tests of lib/commands/doctor/stands.ts, options.ts, paths.ts and report.ts: which postprox there is, what its options name,
// and what is printed.

import assert from "node:assert/strict";
import type { Stand } from "../../../lib/commands/doctor/facts.ts";
import { joinAnswers, toRun } from "../../../lib/commands/doctor/finding.ts";
import { readStartOptions, splitStart } from "../../../lib/commands/doctor/options.ts";
import { pathsOf, programOf } from "../../../lib/commands/doctor/paths.ts";
import { formatAnswer } from "../../../lib/commands/doctor/report.ts";
import { findStands, type Known, type Running } from "../../../lib/commands/doctor/stands.ts";
import { formatTestMessage } from "../../../lib/commands/doctor/look/test_message.ts";
import { formatAddress } from "../../../lib/ports/address.ts";
import { type Changes, factsOf, OPTIONS, postfixOf } from "./site.ts";

const NO_FILES = { open: () => Promise.reject(new Error("no file")) };

async function known(options: string): Promise<Known> {
  return { ...await readStartOptions(NO_FILES, options.split(" ")), source: { kind: "command line" } };
}

function shown({ mode, at, fronts, downstream, behind, user }: Stand): string {
  const places = [at, downstream].map((address) => address ? formatAddress(address) : "?");
  return [mode, ...places, fronts.map(({ name }) => name).join("+"), behind?.name, user?.name].join(" ");
}

Deno.test("findStands knows a postprox by spawn(8), by -l, by a process, or only by its address", async () => {
  const process = {
    ...await known(`-l 10025 ${OPTIONS}`),
    pid: 7,
    isForeign: true,
    user: { name: "u", groups: "all", from: "x" },
  } as const;
  const other = { ...await known(`-l 99 ${OPTIONS}`), pid: 8, isForeign: true } as const;
  const activated = { ...await known(`--foreground ${OPTIONS}`), pid: 9, isForeign: true } as const;
  const listen: Changes = { mode: "listen" };
  const rows: readonly [
    name: string,
    changes: Changes,
    asked: string | undefined,
    running: readonly Running[],
    found: string[],
  ][] = [
    ["nothing", listen, undefined, [], [" 127.0.0.1:10025 ? smtp  "]],
    ["a process", listen, undefined, [other, process], [
      "listen 127.0.0.1:10025 127.0.0.1:10026 smtp 127.0.0.1:10026 u",
    ]],
    [
      "a process elsewhere",
      listen,
      undefined,
      [other],
      ["listen 127.0.0.1:99 127.0.0.1:10026  127.0.0.1:10026 ", " 127.0.0.1:10025 ? smtp  "],
    ],
    ["a process with a socket of systemd", listen, undefined, [activated], [
      "listen 127.0.0.1:10025 127.0.0.1:10026 smtp 127.0.0.1:10026 ",
    ]],
    ["-l", listen, `-l 10025 ${OPTIONS}`, [], ["listen 127.0.0.1:10025 127.0.0.1:10026 smtp 127.0.0.1:10026 "]],
    ["-l, and its process", listen, `-l 10025 ${OPTIONS}`, [process], [
      "listen 127.0.0.1:10025 127.0.0.1:10026 smtp 127.0.0.1:10026 u",
    ]],
    ["a wildcard", listen, "-l 0.0.0.0:10025 h", [], ["listen 127.0.0.1:10025 h:25 smtp  "]],
    ["-l elsewhere", listen, "-l 98 h", [], ["listen 127.0.0.1:98 h:25   "]],
    ["no -l", listen, OPTIONS, [], [" 127.0.0.1:10025 127.0.0.1:10026 smtp 127.0.0.1:10026 "]],
  ];
  for (const [name, changes, asked, running, found] of rows) {
    const seen = { postfix: postfixOf(changes), spawned: [], running };
    const { stands } = findStands({ ...seen, asked: asked === undefined ? undefined : await known(asked) });
    assert.deepEqual(stands.map(shown), found, name);
  }
});

Deno.test("findStands: options beside a spawn entry are for that entry", async () => {
  const { stands: [spawned], postfix } = await factsOf({});
  assert.equal(shown(spawned!), "spawn 127.0.0.1:10025 127.0.0.1:10026 smtp 127.0.0.1:10026 postprox");
  const entry = spawned!.entry!;
  const one = { ...await known(OPTIONS), entry, program: ["/usr/sbin/postprox"], user: spawned!.user };
  const { stands } = findStands({
    postfix: postfix as ReturnType<typeof postfixOf>,
    asked: await known("-t 5 127.0.0.1:10026"),
    spawned: [one],
    running: [],
  });
  assert.deepEqual(stands.map(shown), [shown(spawned!), shown(spawned!)]);
  assert.equal(stands[0]!.settings?.judging.timeout, 5000);
});

Deno.test("findStands: HOST:PORT alone is the postprox with that server that is known otherwise", async () => {
  const bare = { ...await known("127.0.0.1:10026"), isBare: true };
  const process = { ...await known(`-l 10025 ${OPTIONS}`), pid: 7, isForeign: true } as const;
  const find = (changes: Changes, running: readonly Running[], asked: Known) =>
    findStands({ postfix: postfixOf(changes), spawned: [], running, asked }).stands.map(({ name }) => name);
  assert.deepEqual(find({ mode: "listen" }, [process], bare), ["the options of process 7"]);
  assert.deepEqual(find({ mode: "listen" }, [], bare), ["the options of doctor"]);
  const elsewhere = { ...bare, downstream: { transport: "tcp", host: "h", port: 25 } as const };
  assert.deepEqual(find({ mode: "listen" }, [process], elsewhere), ["the options of doctor"]);
  const { stands: [spawned], postfix } = await factsOf({});
  const entry = spawned!.entry!;
  const one = { ...await known(OPTIONS), entry, program: ["/usr/sbin/postprox"] };
  const seen = { postfix: postfix as ReturnType<typeof postfixOf>, spawned: [one], running: [] };
  const { stands } = findStands({ ...seen, asked: bare });
  assert.deepEqual(stands.map(({ name }) => name), ['the options of "127.0.0.1:10025 inet" in master.cf']);
});

Deno.test("findStands: options without HOST:PORT or user have those of the process that listens there", async () => {
  const options = await readStartOptions(NO_FILES, ["-l", "10025"]);
  const full = await known(`-l 10025 ${OPTIONS}`);
  const asked: Known = { ...options, settings: full.settings, wrong: undefined, source: { kind: "command line" } };
  const process = { ...full, pid: 7, isForeign: true, user: { name: "u", groups: "all", from: "x" } } as const;
  const seen = { postfix: postfixOf({ mode: "listen" }), spawned: [], running: [process] };
  assert.deepEqual(findStands({ ...seen, asked }).stands.map(shown), [
    "listen 127.0.0.1:10025 127.0.0.1:10026 smtp 127.0.0.1:10026 u",
  ]);
});

Deno.test("findStands: a server behind that has a proxy by mistake is no server in front", async () => {
  const changes: Changes = { mode: "listen", own: "127.0.0.1:10026/inet/smtpd_proxy_filter = 127.0.0.1:10025\n" };
  const seen = { postfix: postfixOf(changes), spawned: [], running: [] };
  const { stands, strayFronts } = findStands({ ...seen, asked: await known(`-l 10025 ${OPTIONS}`) });
  assert.deepEqual(stands.map(shown), ["listen 127.0.0.1:10025 127.0.0.1:10026 smtp 127.0.0.1:10026 "]);
  assert.deepEqual(strayFronts, []);
});

Deno.test("splitStart finds postprox in a command line", () => {
  const rows: readonly [words: string, self: string, options: string | undefined][] = [
    ["/usr/sbin/postprox -v h", "/x", "-v h"],
    ["postprox", "/x", ""],
    ["/usr/bin/env A=b /usr/sbin/postprox h", "/x", "h"],
    ["/usr/sbin/other --spool /var/spool/postprox h", "/x", undefined],
    ["/usr/sbin/other -d /var/spool/postprox", "/x", undefined],
    ["/deno run --quiet /src/main.ts -v h", "/usr/bin/env DENO_DIR=/c /deno run --quiet /src/main.ts", "-v h"],
    ["/usr/bin/env DENO_DIR=/c /deno run /m.ts -v", "/usr/bin/env DENO_DIR=/c /deno run /m.ts", "-v"],
    ["/deno run -A /src/main.ts -v h", "/deno run --quiet /src/main.ts", "-v h"],
    ["/deno run --quiet /src/other.ts -v h", "/deno run --quiet /src/main.ts", undefined],
  ];
  for (const [words, self, options] of rows) {
    assert.equal(splitStart(words.split(" "), self.split(" "))?.options.join(" "), options, words);
  }
});

Deno.test("readStartOptions tells a mistake", async () => {
  assert.match((await readStartOptions(NO_FILES, ["-t", "0", "h"])).wrong ?? "", /option -t, --timeout: "0"/);
  assert.match((await readStartOptions(NO_FILES, ["-l", "25"])).wrong ?? "", /no server is named/);
  const { wrong, downstream } = await readStartOptions(NO_FILES, ["h:1"]);
  assert.deepEqual([wrong, downstream], [undefined, { transport: "tcp", host: "h", port: 1 }]);
});

Deno.test("pathsOf names what the options name, as spawn(8) would find it", async () => {
  const options = "-c /f --then g --helper=/h --extchk=/e -d spool/x --quarantine=/q --log=/l/f --check-rules=/r " +
    "--filter-rules=/c --rspamd=h:1 --rspamd-password-file=/p h";
  const { stands: [stand] } = await factsOf({ mode: "listen", options });
  const list = (one: Stand) => pathsOf(one, "/queue").map(({ use, option, path }) => `${use} ${option} ${path}`);
  assert.deepEqual(list(stand!), [
    "filter -c /f",
    "filter --then g",
    "filter --helper /h",
    "filter --extchk /e",
    "spool -d spool/x",
    "quarantine --quarantine /q",
    "log --log /l/f",
    "log directory --log /l/",
    "file --check-rules /r",
    "file --filter-rules /c",
    "file --rspamd-password-file /p",
  ]);
  assert.ok(list({ ...stand!, mode: "spawn" }).includes("spool -d /queue/spool/x"));
});

Deno.test("programOf finds the program of a command if no shell is needed for that", () => {
  const rows: readonly [command: string, program: string | undefined][] = [
    ["/usr/bin/f -x", "/usr/bin/f"],
    [' clamdscan --quiet "$EMAIL"', "clamdscan"],
    ["'/usr/bin/a b'", undefined],
    ["A=b /usr/bin/f", undefined],
    ["exit 1", undefined],
    ["case x in *) ;; esac", undefined],
    ["$HOME/f", undefined],
  ];
  for (const [command, program] of rows) assert.equal(programOf(command), program, command);
});

Deno.test("formatAnswer prints a line for each finding, then the line to change as it is", () => {
  const answer = joinAnswers([
    {
      wrong: [{ what: "a is wrong.", change: { where: "in f, change line 1 to:", lines: ["a = b"] } }, {
        what: "b\x1b[2J",
      }],
    },
    { wrong: [{ what: "b\x1b[2J" }], right: ["x", "x"], unseen: ["y"], advice: [{ what: "c.", change: toRun("d") }] },
  ]);
  assert.equal(
    formatAnswer(answer),
    `wrong: a is wrong.
  in f, change line 1 to:
a = b

wrong: b\\x1b[2J

consider: c.
  run, as root:
d

right: x
not seen: y

2 things are wrong.
`,
  );
  assert.equal(formatAnswer(joinAnswers([])), "Nothing is wrong.\n");
  assert.match(formatAnswer(joinAnswers([{ wrong: [{ what: "a" }] }])), /\nOne thing is wrong\.\n$/);
});

Deno.test("formatTestMessage makes a message that asks for no answer", () => {
  const now = new Date(Date.UTC(2026, 0, 2, 3, 4, 5));
  const message = formatTestMessage({ host: "mail.example.org", recipient: "a@example.org", now, id: "1" });
  assert.match(message, /^Date: Fri, 2 Jan 2026 03:04:05 \+0000$/m);
  assert.match(message, /^Auto-Submitted: auto-generated$/m);
  assert.match(message, /^To: a@example\.org$/m);
  assert.match(message, /^Message-ID: <1@mail\.example\.org>$/m);
});
