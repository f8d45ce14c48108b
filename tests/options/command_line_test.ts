// Tests of lib/options/command_line.ts, with the table of settings: it reads the command line as GNU getopt_long does,
// and reports wrong use in one line.

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { run } from "../../lib/app.ts";
import { readWords } from "../../lib/commands/commands.ts";
import { postfixLine } from "../../lib/commands/postfix_config.ts";
import { SETTINGS } from "../../lib/settings/settings.ts";
import { bytesOf } from "../../lib/text/octets.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

type Changes = Readonly<Record<string, unknown>>;

/** The changes of a command line to the defaults, as `part.field`. */
function changes(...args: string[]): Changes {
  const { settings, wrong } = readWords(args).line;
  assert.equal(wrong, undefined, args.join(" "));
  const changed: Record<string, unknown> = {};
  for (const [part, rows] of Object.entries(SETTINGS)) {
    for (const [field, row] of Object.entries(rows)) {
      const value = (settings as Record<string, Record<string, unknown>>)[part]![field];
      if (!isDeepStrictEqual(value, row.default)) changed[`${part}.${field}`] = value;
    }
  }
  return changed;
}

const ROWS: readonly [args: string, changed: Changes][] = [
  ["mx", {}],
  // Before the operand, after it, on both sides.
  ["-r mx", { "judging.rejectUnsure": true }],
  ["mx -r", { "judging.rejectUnsure": true }],
  ["-r mx -v", { "judging.rejectUnsure": true, "log.verbosity": 1 }],
  // Clustered and attached letters.
  ["-rv mx", { "judging.rejectUnsure": true, "log.verbosity": 1 }],
  ["-vvv mx", { "log.verbosity": 3 }],
  ["-v -v mx", { "log.verbosity": 2 }],
  ["-ccat mx", { "command.command": "cat" }],
  ["-c cat mx", { "command.command": "cat" }],
  ["-rccat mx", { "judging.rejectUnsure": true, "command.command": "cat" }],
  ["-rt1 mx", { "judging.rejectUnsure": true, "judging.timeout": 1000 }],
  ["-rvc cat mx", { "judging.rejectUnsure": true, "log.verbosity": 1, "command.command": "cat" }],
  // The value may be any text.
  ["-c -r mx", { "command.command": "-r" }],
  ["-c -- mx", { "command.command": "--" }],
  ["--command -r mx", { "command.command": "-r" }],
  ["-c=x mx", { "command.command": "=x" }],
  // Long names: with = or the next word, shortened as long as only one begins so.
  ["--timeout=5 mx", { "judging.timeout": 5000 }],
  ["--timeout 5 mx", { "judging.timeout": 5000 }],
  ["--timeo=5 mx", { "judging.timeout": 5000 }],
  ["--ti 5 mx", { "judging.timeout": 5000 }],
  ["--command= mx", {}],
  ["--command=a=b mx", { "command.command": "a=b" }],
  ["--rej mx", { "judging.rejectUnsure": true }],
  // The exact name wins over the longer ones that begin so.
  ["--log=stderr mx", { "log.target": { kind: "stderr" } }],
  // -- ends the options.
  ["-r -- mx", { "judging.rejectUnsure": true }],
  ["-- mx", {}],
  ["mx --", {}],
  // The last of a repeated option wins.
  ["-c a -c b mx", { "command.command": "b" }],
  ["-t 5 --timeout 7 mx -t9", { "judging.timeout": 9000 }],
];

Deno.test("readCommandLine reads options as getopt_long does", () => {
  for (const [line, changed] of ROWS) assert.deepEqual(changes(...line.split(" ")), changed, line);
});

Deno.test("readCommandLine accepts an empty value", () => {
  assert.deepEqual(changes("-c", "x", "-c", "", "mx"), {});
});

Deno.test("readCommandLine takes every option of the manual under both its names", () => {
  const rows: readonly [short: string, long: string, changed: Changes][] = [
    ["-c x", "--command x", { "command.command": "x" }],
    ["-d /x", "--tempdir /x", { "spool.directory": "/x" }],
    ["-t 1.5", "--timeout 1.5", { "judging.timeout": 1500 }],
    ["-r", "--reject", { "judging.rejectUnsure": true }],
    ["-v", "--verbose", { "log.verbosity": 1 }],
    ["-l 10025", "--listen 10025", { "listen.address": { transport: "tcp", host: "127.0.0.1", port: 10025 } }],
  ];
  for (const [short, long, changed] of rows) {
    assert.deepEqual(changes(...short.split(" "), "mx"), changed);
    assert.deepEqual(changes(...long.split(" "), "mx"), changed);
  }
});

Deno.test("readCommandLine reads every further option", () => {
  const rows: readonly [line: string, changed: Changes][] = [
    ["--allow-discard", { "programs.allowDiscard": true }],
    ["--edit-in-place", { "programs.editInPlace": true }],
    ["--strict-exit", { "programs.strictExit": true }],
    ["--exit-status=69,70-71=tempfail", {
      "programs.exitStatuses": [{ ranges: [[69, 69], [70, 71]], meaning: "tempfail" }],
    }],
    ["--bare-newline=reject", { "session.bareNewline": "reject" }],
    ["--log=./x", { "log.target": { kind: "file", path: "./x" } }],
    ["--max-filters=7", { "listen.maxFilters": 7 }],
    ["--pid-file=/run/x", { "listen.pidFile": "/run/x" }],
    ["--socket-mode=0660", { "listen.socketMode": 0o660 }],
    ["--socket-mode=600", { "listen.socketMode": 0o600 }],
    ["--user=postprox", { "listen.user": "postprox" }],
    ["--metrics=9825", { "listen.metrics": { transport: "tcp", host: "127.0.0.1", port: 9825 } }],
    ["--metrics=unix:/run/p/m", { "listen.metrics": { transport: "unix", path: "/run/p/m" } }],
    ["--log-format=json", { "log.format": "json" }],
    ["--max-clients=7", { "listen.maxClients": 7 }],
    ["--max-message-size=10M", { "session.maxMessageSize": 10 * 1024 * 1024 }],
    ["--message-timeout=1", { "session.messageTimeout": 1000 }],
    ["--client-timeout=1", { "session.clientTimeout": 1000 }],
    ["--session-timeout=1", { "session.sessionTimeout": 1000 }],
    ["--connect-timeout=1", { "session.connectTimeout": 1000 }],
    ["--reply-timeout=1", { "session.replyTimeout": 1000 }],
    ["--dot-timeout=1", { "session.dotTimeout": 1000 }],
    ["--keepalive=1", { "session.keepalive": 1000 }],
    ["--check-rules=./rules", { "rules.file": "./rules" }],
    ["--rules-delay=1.5", { "rules.delay": 1500 }],
    ["--filter-rules=./rules", { "filterRules.file": "./rules" }],
    ["--extchk=/usr/lib/check", { "extchk.program": "/usr/lib/check" }],
    ["--then=a", { "command.then": ["a"] }],
    ["--action=extchk=tag", { "judging.actions": [["extchk", "tag"]] }],
    ["--on-error=extchk=pass", { "judging.onErrors": [["extchk", "pass"]] }],
    ["--dry-run", { "judging.dryRun": true }],
    ["--bypass=192.0.2.1", {
      "judging.bypass": [{ text: "192.0.2.1", networks: [{ address: Uint8Array.of(192, 0, 2, 1), bits: 32 }] }],
    }],
    ["--defer-rcpt-refusals", { "session.deferRcptRefusals": true }],
    ["--tarpit-after=5", { "session.tarpitAfter": 5 }],
    ["--tarpit-delay=1", { "session.tarpitDelay": 1000 }],
    ["--tarpit-multiplier=1.25", { "session.tarpitMultiplier": 1.25 }],
    ["--tarpit-max=9", { "session.tarpitMax": 9000 }],
    ["--check-sender-domain", { "senderDomain.check": true }],
    ["--dnsbl=a.test", { "dnsLists.dnsbl": [{ zone: "a.test", addresses: undefined }] }],
    ["--dnswl=a.test", { "dnsLists.dnswl": [{ zone: "a.test", addresses: undefined }] }],
    ["--list-name=a.test=x", { "dns.listNames": [["a.test", "x"]] }],
    ["--rhsbl=a.test", { "dnsLists.rhsbl": [{ zone: "a.test", addresses: undefined }] }],
    ["--dns-server=192.0.2.1", { "dns.server": { address: "192.0.2.1", port: 53 } }],
    ["--dns-timeout=1", { "dns.timeout": 1000 }],
  ];
  for (const [line, changed] of rows) assert.deepEqual(changes(line, "mx"), changed);
  assert.equal(changes("--foreground", "-l", "1", "mx")["listen.foreground"], true);
});

Deno.test("readCommandLine keeps all values of an option that may be repeated", () => {
  const lists = ["a.test", "b.test"].map((zone) => ({ zone, addresses: undefined }));
  assert.deepEqual(changes("--dnsbl", "a.test", "mx", "--dnsbl=b.test"), { "dnsLists.dnsbl": lists });
  assert.deepEqual(changes("--exit-status=1-3=pass", "mx", "--exit-status", "2=fail"), {
    "programs.exitStatuses": [{ ranges: [[1, 3]], meaning: "pass" }, { ranges: [[2, 2]], meaning: "fail" }],
  });
  assert.deepEqual(changes("--list-name=a.test=x", "mx", "--list-name=b.test=y", "--list-name=A.test.=z"), {
    "dns.listNames": [["a.test", "x"], ["b.test", "y"], ["a.test", "z"]],
  });
  // Of one command line.
  assert.deepEqual(changes("mx"), {});
});

Deno.test("readCommandLine ends at -h, -L and -V in any place", () => {
  const rows: readonly [line: string, asked: string | undefined][] = [
    ["-h", "help"],
    ["--help", "help"],
    ["--lic", "license"],
    ["mx -rh --no-such-option", "help"],
    ["-L", "license"],
    ["--license mx", "license"],
    ["-V", "version"],
    ["-rvV", "version"],
    ["--vers", "version"],
    ["-V -h", "version"],
    ["--postfix-config -h", "help"],
    ["mx", undefined],
  ];
  for (const [words, asked] of rows) {
    const { line } = readWords(words.split(" "));
    assert.equal(line.command?.option.long, asked, words);
    assert.equal(line.wrong, undefined, words);
  }
  // Behind -- or as a value they are nothing special.
  assert.deepEqual(changes("-c", "-h", "mx"), { "command.command": "-h" });
  assert.equal(readWords(["--", "-h"]).line.command, undefined);
});

Deno.test("readCommandLine reads on after a mistake, for the log, and reports the first mistake", () => {
  const { line } = readWords(["--nope", "-t", "0", "-h", "--log=/x", "mx"]);
  assert.match(line.wrong!.message, /--nope/);
  assert.deepEqual(line.settings.log.target, { kind: "file", path: "/x" });
  assert.deepEqual(line.operands, ["mx"]);
});

Deno.test("readCommandLine reads on after --postfix-config, whose value may be left out", () => {
  const rows: readonly [line: string, mode: string, operand: string, given: string][] = [
    ["--postfix-config", "spawn", "127.0.0.1:10026", ""],
    ["--postfix-config=listen", "listen", "127.0.0.1:10026", ""],
    ["--postfix-config listen", "listen", "127.0.0.1:10026", ""],
    ["--postf spawn", "spawn", "127.0.0.1:10026", ""],
    // Only the two words are taken for its value.
    ["--postfix-config mx:1", "spawn", "mx:1", ""],
    ["--postfix-config -- spawn", "spawn", "spawn", ""],
    ["mx --postfix-config", "spawn", "mx", ""],
    ["--postfix-config spawn listen", "spawn", "listen", ""],
    ["--postfix-config spawn --postfix-config=listen mx", "listen", "mx", ""],
    ["-v --postfix-config -c cat -t 5 mx", "spawn", "mx", "verbose command=cat timeout=5"],
  ];
  for (const [words, mode, operand, given] of rows) {
    const { line } = readWords(words.split(" "));
    assert.equal(line.wrong, undefined, words);
    const asked = postfixLine(line);
    assert.equal(asked.mode, mode, words);
    assert.equal(asked.operand, operand, words);
    const text = asked.given.map(({ row, text }) => text ? `${row.long}=${text}` : row.long);
    assert.equal(text.join(" "), given, words);
  }
});

const WRONG: readonly [args: readonly string[], words: RegExp][] = [
  // The operand.
  [[], /no server is named.*HOST:PORT/],
  [["-r"], /no server/],
  [["mx", "mx2"], /"mx2"/],
  [["mx", "--", "-r"], /"-r"/],
  [[""], /names no host/],
  // Unknown and ambiguous names.
  [["-x", "mx"], /"-x" is not known/],
  [["-rx", "mx"], /"-x" is not known/],
  [["--nope", "mx"], /"--nope" is not known/],
  [["--nope=1", "mx"], /"--nope" is not known/],
  [["--ver", "mx"], /ambiguous.*--verbose or --version|ambiguous.*--version or --verbose/],
  [["--l", "mx"], /ambiguous/],
  [["--c=x", "mx"], /ambiguous/],
  [["--=x", "mx"], /not known/],
  // Values that are missing or too many.
  [["mx", "-c"], /-c needs a value.*COMMAND/],
  [["mx", "-rvc"], /-c needs a value/],
  [["mx", "--timeout"], /--timeout needs a value.*SEC/],
  [["--reject=yes", "mx"], /--reject takes no value/],
  [["--help=", "mx"], /--help takes no value/],
  // One that needs another.
  [["--foreground", "mx"], /--foreground is for listen mode: give -l/],
  [["--max-filters=7", "mx"], /--max-filters is for listen mode: give -l/],
  [["--max-filters=0", "-l", "1", "mx"], /--max-filters: "0"/],
  [["--pid-file=/run/x", "mx"], /--pid-file is for listen mode: give -l/],
  [["--user=postprox", "mx"], /--user is for listen mode: give -l .*master\.cf/],
  [["--drain-timeout=7", "mx"], /--drain-timeout is for listen mode: give -l/],
  // The default, too.
  [["--drain-timeout=30", "mx"], /--drain-timeout is for listen mode: give -l/],
  [["--max-clients=4", "mx"], /--max-clients is for listen mode: give -l .*maxproc in master\.cf/],
  [["--max-clients=1000", "--check-config", "mx"], /--max-clients is for listen mode/],
  [["--helpers=3", "mx"], /--helpers: programs that stay are for listen mode: give -l/],
  [["--helpers=3", "-l", "1", "mx"], /--helpers: no helper is asked: give --helper=COMMAND too/],
  // The default, too.
  [["--helpers=2", "-l", "1", "mx", "--check-config"], /--helpers: no helper is asked: give --helper=COMMAND too/],
  [["--metrics=9825", "mx"], /--metrics is for listen mode: give -l/],
  [["--socket-mode=0660", "mx"], /--socket-mode is for listen mode: give -l/],
  [["--socket-mode=0660", "-l", "1", "--metrics=2", "mx"], /--socket-mode is for unix sockets/],
  [["--socket-mode=0660", "-l", "1", "mx"], /--socket-mode is for unix sockets, .*: give -l unix:PATH/],
  // Wrong values.
  ...["", "8", "0888", "1777", "06660", "rw", "0x1b0", " 660"].map((mode): [string[], RegExp] => [
    [`--socket-mode=${mode}`, "-l", "unix:/run/x", "mx"],
    /--socket-mode: ".*" is not a mode: give three octal digits, such as 0660/,
  ]),
  [["--user=", "-l", "1", "mx"], /--user: "" is no user name: give one such as postprox/],
  [["--user=-x", "-l", "1", "mx"], /--user: "-x" is no user name/],
  [["--user=a b", "-l", "1", "mx"], /--user: "a b" is no user name/],
  [["--metrics=", "-l", "1", "mx"], /--metrics: "" has no valid port/],
  [["--metrics=0", "-l", "1", "mx"], /--metrics: "0"/],
  [["--metrics=1:2:3", "-l", "1", "mx"], /--metrics: "1:2:3" .* such as 9825/],
  // In another spelling, with a wildcard on either side, or as HOST:PORT.
  ...[
    ["127.0.0.1:1", "1"],
    ["0.0.0.0:1", "1"],
    ["1", "[::]:1"],
    ["localhost:1", "127.0.0.1:1"],
    ["unix:/run/x/s", "unix:/run/x/s"],
  ].flatMap(([metrics, listen]) =>
    [[], ["--check-config"]].map((more): [string[], RegExp] => [
      [`--metrics=${metrics}`, "-l", listen!, "mx", ...more],
      /--metrics: mail comes to .*: give --metrics another address/,
    ])
  ),
  [
    ["--metrics=9825", "-l", "1", "localhost:9825"],
    /--metrics: the server localhost:9825 is at 127\.0\.0\.1:9825: give/,
  ],
  [["--pid-file=", "-l", "1", "mx"], /--pid-file: "" names no file/],
  [["-t", "abc", "mx"], /-t, --timeout: "abc".*such as/],
  [["-t", "-5", "mx"], /--timeout/],
  [["-t", "", "mx"], /--timeout/],
  [["-d", "", "mx"], /--tempdir/],
  [["-l", `unix:/${"x".repeat(107)}`, "mx"], /too long/],
  [["-l", "x y", "mx"], /-l, --listen/],
  [["--max-clients=0", "mx"], /--max-clients: "0"/],
  [["--log-format=xml", "mx"], /--log-format: "xml" is not known: give plain or json/],
  [["--bare-newline=maybe", "mx"], /accept or reject/],
  [["--exit-status=0=pass", "mx"], /--exit-status: "0=pass" has status 0.*such as 69,100-110=tempfail/],
  [["--strict-exit=1", "mx"], /--strict-exit takes no value/],
  [["--postfix-config=never"], /--postfix-config: "never".*spawn or listen/],
  [["--postfix-config", "mx", "mx2"], /"mx2"/],
  [["--postfix-config", "-t", "0"], /--timeout/],
];

/** The one line of a run with wrong use. */
async function complaint(args: readonly string[]): Promise<string> {
  const runtime = new FakeRuntime();
  assert.equal(await run(runtime, args), 64, args.join(" "));
  const [, text] = /^postprox: ([^\n]*)\n$/.exec(runtime.err) ?? [];
  assert.ok(text !== undefined, runtime.err);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(text, /[\x00-\x1f\x7f]/);
  return text;
}

Deno.test("wrong use gives one line that says what would be right", async () => {
  for (const [args, words] of WRONG) assert.match(await complaint(args), words);
});

Deno.test("a count of helpers in a file is right when the command line takes the helper away", async () => {
  const runtime = new FakeRuntime();
  runtime.files.replace("/config", bytesOf("next-hop = mx\nlisten = 1\nhelper = x\nhelpers = 3\n"));
  assert.equal(await run(runtime, ["--config=/config", "--helper=", "--check-config"]), 0, runtime.err);
});

Deno.test("hostile words cannot break that line", async () => {
  const evil = `x\n\x1b[2J${"y".repeat(500)}`;
  for (const args of [[evil], [`--${evil}`], ["-t", evil, "mx"], ["mx", evil], [`-\n`, "mx"], ["-l", evil, "mx"]]) {
    assert.ok((await complaint(args)).length < 400);
  }
});
