// `postprox check` from outside: what it prints about messages from disk, its status, and that it leaves nothing behind.

import assert from "node:assert/strict";
import { programWords } from "../e2e/program.ts";
import { runCommand, runOnTerminal, runProgram } from "../e2e/start.ts";
import { CLAMD, contentOf } from "../fakes/clamd.ts";
import { messageIn, RSPAMD } from "../fakes/rspamd.ts";
import { FakeScanner } from "../fakes/scanner.ts";
import { scannedIn, SPAMD } from "../fakes/spamd.ts";
import { show } from "../rig/octets.ts";

const CLEAN = "Subject: clean\n\ntext\n";
const BAD = "Subject: bad\n\nREFUSE\n";

/** It refuses, passes, changes, or cannot tell, as the message says. */
const FILTER = `case $(cat "$EMAIL") in
  *REFUSE*) echo 550 5.7.1 no >&2; exit 1 ;;
  *LATER*) echo 451 4.7.1 later >&2; exit 1 ;;
  *CHANGE*) { echo "X-New: 1"; cat "$EMAIL"; } >"$OUTFILE" ;;
  *FAIL*) exit 9 ;;
esac`;

interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

class Bed {
  readonly dir = Deno.makeTempDirSync({ prefix: "postprox_check_" });

  constructor() {
    Deno.mkdirSync(`${this.dir}/spool`);
    Deno.mkdirSync(`${this.dir}/mail`);
  }

  put(name: string, text: string): string {
    const path = `${this.dir}/mail/${name}`;
    Deno.writeTextFileSync(path, text);
    return path;
  }

  async check(...words: readonly string[]): Promise<Ran> {
    const ran = await runProgram(["check", "-d", `${this.dir}/spool`, ...words]);
    assert.deepEqual([...Deno.readDirSync(`${this.dir}/spool`)], [], "something was left in the spool");
    return ran;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.dir, { recursive: true });
  }
}

function said(ran: Ran, status: number, stdout: RegExp, stderr = /^$/): void {
  const all = `status ${ran.status}, ${show(ran.stdout, 2000)} and ${show(ran.stderr, 2000)}`;
  assert.equal(ran.status, status, all);
  assert.match(ran.stdout, stdout, all);
  assert.match(ran.stderr, stderr, all);
}

const VERDICTS: readonly [text: string, options: readonly string[], status: number, line: RegExp][] = [
  [CLEAN, [], 0, /\/a: pass \(command [0-9.]+ ms\)\n$/],
  ["x\n\nCHANGE\n", [], 0, /\/a: replace \(command/],
  [BAD, [], 1, /\/a: reject command: 550 5\.7\.1 no \(command [0-9.]+ ms\)\n$/],
  ["x\n\nLATER\n", [], 1, /\/a: defer command: 451 4\.7\.1 later \(command/],
  [BAD, ["--action=command=discard"], 1, /\/a: discard command: 250 2\.0\.0 Ok: discarded \(command/],
  [BAD, ["--action=command=tag"], 0, /\/a: tag \(command/],
  [BAD, ["--action=command=log"], 0, /\/a: pass would=reject check=command \(command/],
  [BAD, ["--dry-run"], 0, /\/a: pass would=reject check=command \(command/],
  ["x\n\nFAIL\n", [], 2, /\/a: unchecked; command could not tell: filter failed with exit status 9 \(command/],
  ["x\n\nFAIL\n", ["-r"], 2, /\/a: defer command: 451 4\.3\.0 .*; command could not tell: .* \(command/],
  [
    CLEAN,
    ["--clamd=unix:/nowhere"],
    2,
    /\/a: pass; clamd could not tell: cannot connect to unix:\/nowhere: .* \(clamd/,
  ],
  [BAD, ["--bypass=192.0.2.0/24", "--client=192.0.2.7"], 0, /\/a: bypass\n$/],
  [BAD, ["--bypass=192.0.2.0/24"], 1, /\/a: reject/],
];

Deno.test("check says what the checks decide about a message, and so does its status", async () => {
  using bed = new Bed();
  for (const [text, options, status, line] of VERDICTS) {
    said(await bed.check("-c", FILTER, ...options, bed.put("a", text)), status, line);
  }
});

Deno.test("check takes files, directories and mbox files, and ends with a table", async () => {
  using bed = new Bed();
  const mail = `${bed.dir}/mail`;
  Deno.mkdirSync(`${mail}/b`);
  bed.put("a", CLEAN);
  bed.put("b/x", BAD);
  bed.put("c", `From a@b Thu\n${CLEAN}\nFrom a@b Fri\n${BAD}\n`);
  Deno.symlinkSync(mail, `${mail}/loop`);
  const { status, stdout, stderr } = await bed.check("-c", FILTER, mail);
  assert.equal(stderr, "");
  const lines = stdout.replaceAll(/ \(command [0-9.]+ ms\)/g, "").split("\n");
  assert.deepEqual(lines.slice(0, 5), [
    `${mail}/a: pass`,
    `${mail}/b/x: reject command: 550 5.7.1 no`,
    `${mail}/c:1: pass`,
    `${mail}/c:2: reject command: 550 5.7.1 no`,
    "4 messages: 2 pass, 2 reject",
  ]);
  assert.match(
    lines.slice(5).join("\n"),
    /^CHECK +ASKED +CAUGHT +UNSURE +MEDIAN +LONGEST\ncommand +4 +2 +0 +.* ms +.* ms\n$/,
  );
  assert.equal(status, 1);
});

Deno.test("check says that a file has no message", async () => {
  using bed = new Bed();
  said(await bed.check("-c", FILTER, bed.put("a", "")), 0, /^$/, /^postprox: .*\/a has no message\n$/);
});

Deno.test("check reads standard input, and hands on the envelope", async () => {
  using bed = new Bed();
  const filter = `echo "550 5.7.1 $SENDER $RECIPIENTS $REMOTEIP $HELO $(wc -c <"$EMAIL")" >&2; exit 1`;
  const words = [
    "check",
    "-d",
    `${bed.dir}/spool`,
    "-c",
    filter,
    "--sender=<>",
    "--recipient=a@b",
    "--recipient=<c@d>",
  ];
  const line = [...programWords(), ...words, "--client=192.0.2.7", "--helo=mx.example", "-"];
  const ran = await runCommand(["/bin/sh", "-c", 'printf "Subject: x\\r\\n\\r\\ntext\\r\\n" | "$@"', "sh", ...line]);
  said(ran, 1, /^-: reject command: 550 5\.7\.1 <> a@b,c@d 192\.0\.2\.7 mx\.example 17 \(command/);
});

Deno.test("check --json prints an object for each message", async () => {
  using bed = new Bed();
  const bad = bed.put("a", BAD);
  const failing = bed.put("b", "FAIL\n");
  const { status, stdout } = await bed.check("--json", "-c", FILTER, bad, failing);
  assert.equal(status, 2);
  const [first, second, ...others] = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(others, []);
  assert.equal(typeof first.time_ms, "number");
  assert.equal(typeof first.checks[0].time_ms, "number");
  delete first.time_ms;
  delete first.checks[0].time_ms;
  assert.deepEqual(first, {
    message: bad,
    size: BAD.length,
    verdict: "reject",
    check: "command",
    reason: "filter said: 550 5.7.1 no",
    reply: "550 5.7.1 no",
    checks: [{ check: "command", verdict: "reject", reason: "filter said: 550 5.7.1 no" }],
  });
  assert.deepEqual([second.message, second.verdict, second.checks[0].verdict], [failing, "unchecked", "unsure"]);
});

Deno.test("check tries mail out: no copy of it goes to the quarantine", async () => {
  using bed = new Bed();
  Deno.mkdirSync(`${bed.dir}/kept`);
  const options = ["--action=command=quarantine", `--quarantine=${bed.dir}/kept`];
  said(
    await bed.check("-c", FILTER, ...options, bed.put("a", BAD)),
    1,
    /\/a: quarantine command: 250 2\.0\.0 Ok: discarded/,
  );
  assert.deepEqual([...Deno.readDirSync(`${bed.dir}/kept`)], []);
});

Deno.test("check asks a helper, and ends it", async () => {
  using bed = new Bed();
  const helper =
    `while read -r line; do id=\${line#*:}; echo "{\\"id\\":\${id%%,*},\\"exit\\":0}"; done; echo end >${bed.dir}/end`;
  said(await bed.check(`--helper=${helper}`, bed.put("a", CLEAN), bed.put("b", CLEAN)), 0, /\/b: pass \(helper/);
  assert.equal(Deno.readTextFileSync(`${bed.dir}/end`), "end\n");
});

Deno.test("check asks all checks in their order, and each step sees what the step before left", async () => {
  using bed = new Bed();
  await using clamd = await FakeScanner.start(CLAMD);
  await using rspamd = await FakeScanner.start(RSPAMD);
  await using spamd = await FakeScanner.start(SPAMD);
  const { dir } = bed;
  const put = (name: string, text: string) => Deno.writeTextFileSync(`${dir}/${name}`, text, { mode: 0o755 });
  put("rules", "needle\n");
  // Each program keeps what it sees, and adds its own name.
  put("extchk", `#!/bin/sh\ncp "$2" ${dir}/seen-extchk; echo extchk >>"$2"\n`);
  put(
    "helper",
    `while read -r line; do
      id=\${line#*:}; id=\${id%%,*}
      email=\${line#*'"email":"'}; email=\${email%%'"'*}
      outfile=\${line#*'"outfile":"'}; outfile=\${outfile%%'"'*}
      cp "$email" ${dir}/seen-helper; { cat "$email"; echo helper; } >"$outfile"
      echo "{\\"id\\":$id,\\"exit\\":0}"
    done\n`,
  );
  const adding = (name: string) => `cp "$EMAIL" ${dir}/seen-${name}; { cat "$EMAIL"; echo ${name}; } >"$OUTFILE"`;
  const { status, stdout, stderr } = await bed.check(
    "--json",
    // The order on the command line says nothing.
    ...[`--then=${adding("then1")}`, `--then=${adding("then2")}`, "-c", adding("command")],
    ...[`--helper=sh ${dir}/helper`, `--extchk=${dir}/extchk`, "--url-rhsbl=dbl.test"],
    ...[`--spamd=${spamd.address}`, `--rspamd=${rspamd.address}`, `--clamd=${clamd.address}`],
    `--filter-rules=${dir}/rules`,
    bed.put("a", `X-Rspamd: {"action":"add header"}\n${CLEAN}`),
  );
  assert.equal(status, 0, stderr);
  const { checks } = JSON.parse(stdout);
  assert.deepEqual(checks.map(({ check }: { check: string }) => check), [
    ...["filter-rules", "clamd", "rspamd", "spamd", "urls"],
    ...["extchk", "helper", "command", "command", "command"],
  ]);
  const came = `X-Rspamd: {"action":"add header"}\n${CLEAN}`;
  const marked = came.replace("\n\n", "\nX-Spam: Yes\n\n");
  const scanned = `X-Spam-Status: No, score=0.1\n\ttests=A\n${marked}`;
  const asked = [contentOf(clamd.questions[0]!), messageIn(rspamd.questions[0]!), scannedIn(spamd.questions[0]!)];
  for (const octets of asked) assert.equal(new TextDecoder().decode(octets).replaceAll("\r\n", "\n"), came);
  let left = scanned;
  for (const name of ["extchk", "helper", "command", "then1", "then2"]) {
    assert.equal(Deno.readTextFileSync(`${dir}/seen-${name}`), left, name);
    left += `${name}\n`;
  }
});

Deno.test("check takes the options of the file of --config, and the command line has precedence", async () => {
  using bed = new Bed();
  const file = `${bed.dir}/postprox.conf`;
  Deno.writeTextFileSync(`${bed.dir}/filter`, FILTER);
  // A service may run with the same file.
  const lines = ["next-hop = 127.0.0.1:1", "listen = 127.0.0.1:2", `command = . ${bed.dir}/filter`];
  const write = (...more: string[]) => Deno.writeTextFileSync(file, [...lines, ...more, ""].join("\n"));
  const check = (...words: string[]) => bed.check(`--config=${file}`, ...words, bed.put("a", BAD));
  write("action = command=discard");
  said(await check(), 1, /\/a: discard command: 250 2\.0\.0 Ok: discarded \(command/);
  said(await check("--action=command=tag"), 0, /\/a: tag \(command/);
  said(await check("-c", "", "--dry-run"), 64, /^$/, /:4: action = command=discard: no check command looks at mail: /);
  write("timeout = 0", "lost = 1");
  const place = RegExp.escape(file);
  said(
    await check(),
    64,
    /^$/,
    new RegExp(`^postprox: ${place}:4: timeout = 0: .*\npostprox: ${place}:5: lost = 1: .*\n$`),
  );
});

Deno.test("check shows its progress on a terminal, and only there", async () => {
  using bed = new Bed();
  assert.equal(CLEAN.length, BAD.length);
  bed.put("a", CLEAN);
  bed.put("b", BAD);
  const words = ["check", "-d", `${bed.dir}/spool`, "-c", FILTER, `${bed.dir}/mail`];
  const { status, stdout } = await runOnTerminal(words);
  assert.equal(status, 1, show(stdout, 2000));
  const lines = [
    String.raw`\S+/a: pass \(command [0-9.]+ ms\)\r\n\[#{15}-{15}\] 50 %, 1 checked\r\x1b\[K`,
    String.raw`\S+/b: reject command: .* \(command [0-9.]+ ms\)\r\n\[#{30}\] 100 %, 2 checked\r\x1b\[K`,
    String.raw`2 messages: 1 pass, 1 reject\r\n`,
  ];
  assert.match(stdout, new RegExp(`^${lines.join("")}`), show(stdout, 2000));
  for (const ran of [await runOnTerminal([...words, "--json"]), await runProgram(words)]) {
    assert.equal(ran.status, 1);
    assert.ok(!["\x1b", "checked"].some((text) => ran.stdout.includes(text)), show(ran.stdout, 2000));
  }
});

Deno.test("check goes on after what it cannot read, and says so", async () => {
  using bed = new Bed();
  const ran = await bed.check(`${bed.dir}/none`, bed.put("a", CLEAN), "/dev/null");
  said(
    ran,
    2,
    /^\S+\/a: unchecked\n$/,
    /^postprox: \S+\/none cannot be checked: .*\npostprox: \/dev\/null cannot be checked: .*\n$/,
  );
});

const WRONG: readonly [words: readonly string[], says: RegExp][] = [
  [[], /no message is named: give FILE/],
  [["--client=x", "f"], /--client: "x" is no IP address/],
  [["--sender=", "f"], /--sender: "" is no mail address/],
  [["--sender=a b", "f"], /--sender: "a b" is no mail address/],
  [["--recipient=a\nb", "f"], /--recipient: .* is no mail address/],
  [["--helo=", "f"], /--helo: "" is nothing that a client can call itself/],
  [["--json=x", "f"], /--json.*takes no value/],
  [["-t", "0", "f"], /-t/],
];

Deno.test("wrong use of check is one line and status 64", async () => {
  for (const [words, says] of WRONG) {
    const ran = await runProgram(["check", ...words]);
    said(ran, 64, /^$/, says);
    assert.match(ran.stderr, /^postprox: [^\n]+\n$/);
  }
});
