// Tests of lib/commands/postfix_config/: the lines for each mode, and what is refused.
//
// tests/e2e/postfix_config_lines_test.ts shows that a real Postfix takes the lines.

import assert from "node:assert/strict";
import { UsageError } from "../../../lib/ports/start_error.ts";
import { readWords } from "../../../lib/commands/commands.ts";
import { postfixLine } from "../../../lib/commands/postfix_config.ts";
import { formatPostfixConfig } from "../../../lib/commands/postfix_config/postfix_config.ts";
import { shellWord, unitWord } from "../../../lib/commands/postfix_config/words.ts";
import { fromFileUrl } from "../../e2e/paths.ts";

const PROGRAM = ["/usr/sbin/postprox"];

function print(...args: string[]): string {
  return formatPostfixConfig(postfixLine(readWords(args).line), PROGRAM);
}

/** The words of the one spawn(8) entry. */
function argvOf(text: string): string {
  const entry = / spawn\n((?: .*\n)+)/.exec(text)?.[1] ?? "";
  for (const line of entry.split("\n")) assert.match(line, /^(?: {4}(?:user=|-|[^- ]+$).*)?$/);
  return entry.trim().replaceAll(/\n */g, " ");
}

/** The one line that holds `part`. */
function lineWith(part: string, text: string): string {
  const lines = text.split("\n").filter((line) => line.includes(part));
  assert.equal(lines.length, 1, `${part} in:\n${text}`);
  return lines[0]!.trim();
}

Deno.test("formatPostfixConfig hands on the options, except those that the lines say themselves", () => {
  const rows: readonly [args: string[], argv: string][] = [
    [[], "127.0.0.1:10026"],
    [["mx:26"], "mx:26"],
    [["-rv", "-t5", "mx:26"], "-r -v -t 5 mx:26"],
    [["-vv"], "-v -v 127.0.0.1:10026"],
    [["--verb", "--timeo=5", "--keepalive", "7"], "-v -t 5 --keepalive=7 127.0.0.1:10026"],
    [["-c", "/x --y z"], "-c { /x --y z } 127.0.0.1:10026"],
    // The last of a repeated option wins. An empty -c means no command.
    [["-t", "5", "-r", "-t", "6"], "-r -t 6 127.0.0.1:10026"],
    [["-c", "x", "-c", ""], "127.0.0.1:10026"],
    // But of some each counts.
    [["--dnsbl", "a.test", "--dnsbl=b.test"], "--dnsbl=a.test --dnsbl=b.test 127.0.0.1:10026"],
    [
      [
        "-l",
        "10099",
        "--foreground",
        "--max-clients=7",
        "--max-filters=7",
        "--pid-file=/run/p/p.pid",
        "--user=postprox",
        "--drain-timeout=5",
        "--metrics=9825",
        "--socket-mode=0600",
      ],
      "127.0.0.1:10026",
    ],
    [["-d", "/a b", "--log=/c d"], "-d { /a b } { --log=/c d } 127.0.0.1:10026"],
  ];
  for (const [args, argv] of rows) {
    const line = argvOf(print("--postfix-config", ...args));
    assert.equal(line, `user=postprox argv=/usr/sbin/postprox ${argv}`, args.join(" "));
  }
});

Deno.test("formatPostfixConfig puts the program's own words into master.cf", () => {
  const line = postfixLine(readWords(["--postfix-config"]).line);
  const text = formatPostfixConfig(line, ["/opt/a b/deno", "run", "main.ts"]);
  assert.equal(argvOf(text), "user=postprox { argv=/opt/a b/deno } run main.ts 127.0.0.1:10026");
});

Deno.test("formatPostfixConfig names the same address in all places", () => {
  const rows: readonly [listen: string, entry: string, proxy: string][] = [
    ["10025", "127.0.0.1:10025", "127.0.0.1:10025"],
    ["127.0.0.9:1", "127.0.0.9:1", "127.0.0.9:1"],
    ["[::1]:7", "[::1]:7", "[::1]:7"],
    ["0.0.0.0:7", "0.0.0.0:7", "127.0.0.1:7"],
    ["[::]:7", "[::]:7", "[::1]:7"],
  ];
  for (const [listen, entry, proxy] of rows) {
    const spawn = print("--postfix-config", "-l", listen);
    assert.match(spawn, new RegExp(`^${RegExp.escape(entry)} inet .* 20 +spawn$`, "m"));
    assert.equal(lineWith("smtpd_proxy_filter = ", spawn), `smtpd_proxy_filter = ${proxy}`);
    const listening = print("--postfix-config=listen", "-l", listen);
    assert.ok(!listening.includes(" spawn"));
    assert.equal(lineWith("smtpd_proxy_filter = ", listening), `smtpd_proxy_filter = ${proxy}`);
    assert.ok(lineWith("ExecStart=", listening).includes(` -l ${unitWord(entry)} `), listening);
    assert.ok(lineWith("runuser ", listening).includes(` -l ${shellWord(entry)} `), listening);
  }
  assert.match(argvOf(print("--postfix-config")), / 127\.0\.0\.1:10026$/);
  assert.match(print("--postfix-config", "--max-clients=7"), / 7 +spawn\n/);
  assert.match(lineWith("ExecStart=", print("--postfix-config=listen", "--max-clients=7")), / --max-clients=7 /);
});

Deno.test("formatPostfixConfig sets up the second server if it is on this host, and otherwise says that it does not", () => {
  for (
    const [operand, entry] of [["127.0.0.1:26", "127.0.0.1:26"], ["inet:[::1]:26", "[::1]:26"], [
      "localhost",
      "localhost:25",
    ]]
  ) {
    for (const mode of ["spawn", "listen"]) {
      const text = print(`--postfix-config=${mode}`, operand!);
      assert.match(text, new RegExp(`^${RegExp.escape(entry!)} inet .* smtpd$`, "m"));
    }
  }
  for (const operand of ["mx.example:26", "192.0.2.1", "unix:/run/x"]) {
    const text = print("--postfix-config", operand);
    assert.doesNotMatch(text, /^[^#].* smtpd$/m);
    assert.match(text, /^# The server behind the filter, .*, is not set up here\./m);
  }
  assert.match(print("--postfix-config", "[::1]:26"), /-o mynetworks=127\.0\.0\.0\/8,\[::1\]\/128\n/);
});

Deno.test("formatPostfixConfig prints the second server as the README does", () => {
  const readme = Deno.readTextFileSync(fromFileUrl(new URL("../../../README.md", import.meta.url)));
  const entry = /^127\.0\.0\.1:10026 inet .*\n(?: .*\n)+/m;
  assert.equal(entry.exec(print("--postfix-config"))?.[0], entry.exec(readme)?.[0]);
});

Deno.test("formatPostfixConfig makes a directory of its own, and leaves shared ones alone", () => {
  assert.match(
    print("--postfix-config", "-d", "/var/spool/p x"),
    /^# {3}install -d -o postprox -m 0700 '\/var\/spool\/p x'$/m,
  );
  for (const shared of [[], ["-d", "/tmp"], ["-d", "/var/tmp/"]]) {
    assert.doesNotMatch(print("--postfix-config", ...shared), /install -d/);
  }
});

Deno.test("formatPostfixConfig gives the file of --pid-file a directory that postprox may write in", () => {
  const lines = (file: string, ...args: string[]) => print("--postfix-config=listen", `--pid-file=${file}`, ...args);
  // The unit makes this one without being asked.
  const usual = lines("/run/postprox/postprox.pid");
  assert.match(lineWith("ExecStart=", usual), / --pid-file=\/run\/postprox\/postprox\.pid /);
  assert.match(usual, /^RuntimeDirectory=postprox$/m);
  assert.match(usual, /^# {3}install -d -o postprox -m 0755 \/run\/postprox$/m);
  assert.match(lines("/run/a/b.pid", "-l", "unix:/run/c/s"), /^RuntimeDirectory=postprox c a$/m);
  const elsewhere = lines("/srv/p/b.pid");
  assert.match(elsewhere, /^ReadWritePaths=.*\/srv\/p$/m);
  assert.match(elsewhere, /^# {3}install -d -o postprox -m 0755 \/srv\/p$/m);
  assert.throws(() => lines("b.pid"), /--pid-file="b\.pid" is a relative path/);
  assert.throws(() => lines("/run/b.pid"), /only root makes files .* give --pid-file=\/run\/postprox\/postprox\.pid/);
  // Spawn mode has no such file.
  assert.doesNotMatch(print("--postfix-config", "--pid-file=/srv/p/b.pid"), /\/srv\/p/);
});

Deno.test("formatPostfixConfig gives the socket of --metrics a directory, and a low port of it the right to that", () => {
  const lines = (at: string, ...args: string[]) => print("--postfix-config=listen", `--metrics=${at}`, ...args);
  assert.match(lineWith("ExecStart=", lines("9825")), / --metrics=9825 /);
  assert.match(
    lines("unix:/run/a/m", "--pid-file=/run/a/p", "-l", "unix:/run/c/s"),
    /^RuntimeDirectory=postprox c a$/m,
  );
  const elsewhere = lines("unix:/srv/p/m");
  assert.match(elsewhere, /^ReadWritePaths=.*\/srv\/p$/m);
  assert.match(elsewhere, /^# {3}install -d -o postprox -m 0755 \/srv\/p$/m);
  assert.throws(() => lines("unix:m"), /--metrics="unix:m" is a relative path/);
  assert.throws(
    () => lines("unix:/run/m"),
    /only root makes sockets .* give --metrics=unix:\/run\/postprox\/metrics\.sock/,
  );
  assert.match(lines("900"), /CAP_NET_BIND_SERVICE/);
  assert.doesNotMatch(lines("9000"), /=CAP_NET_BIND_SERVICE/);
});

/** The lines of main.cf, each name with its value. */
function mainCf(...args: string[]): Record<string, string> {
  const part = print(...args).split(/^# ---- /m).find((part) => part.startsWith("/etc/postfix/main.cf")) ?? "";
  return Object.fromEntries([...part.matchAll(/^([\w.:]+) = (.*)$/gm)].map(([, name, value]) => [name!, value!]));
}

Deno.test("formatPostfixConfig makes Postfix wait longer than postprox takes", () => {
  const rows: readonly [args: string[], timeout: string | undefined, handedOn?: RegExp][] = [
    [[], undefined],
    [["--message-timeout=90"], undefined],
    [["--message-timeout=90.5"], "101s"],
    [["--message-timeout=200"], "210s"],
    // The checks have four fifths of it.
    [["-t", "70"], undefined, /-t 70\s+127/],
    [["-t", "72"], "101s", /-t 72 --message-timeout=91\s+127/],
    [["-t", "200"], "261s", /-t 200 --message-timeout=251\s+127/],
    [["-t", "1", "-t", "200"], "261s"],
    [["-t", "200", "-t", "1"], undefined],
    // An administrator who gives both knows how the second limits the first.
    [["-t", "200", "--message-timeout=100"], "110s", /-t 200 --message-timeout=100\s+127/],
    [["--rules-delay=120"], "130s"],
    [["--connect-timeout=120"], "130s"],
    [["--tarpit-max=120"], undefined],
    [["--tarpit-max=120", "--tarpit-after=3"], "130s"],
  ];
  for (const [args, timeout, handedOn] of rows) {
    for (const mode of ["spawn", "listen"]) {
      const option = `--postfix-config=${mode}`;
      assert.equal(mainCf(option, ...args).smtpd_proxy_timeout, timeout, args.join(" "));
      if (handedOn) assert.match(print(option, ...args), handedOn);
    }
  }
});

Deno.test("formatPostfixConfig sets the sizes that --max-message-size asks for", () => {
  const none = { message_size_limit: undefined, mailbox_size_limit: undefined, virtual_mailbox_limit: undefined };
  const rows: readonly [args: string[], limits: Record<string, string>][] = [
    [[], {}],
    [["--max-message-size=20M"], { message_size_limit: "20971520" }],
    [["--max-message-size=51200000"], { message_size_limit: "51200000" }],
    // Postfix delivers nothing to a mailbox that may hold less than a message.
    [["--max-message-size=51200001"], {
      message_size_limit: "51200001",
      mailbox_size_limit: "0",
      virtual_mailbox_limit: "0",
    }],
  ];
  for (const [args, limits] of rows) {
    const found = mainCf("--postfix-config", ...args);
    const expected = { ...none, ...limits };
    for (const [name, value] of Object.entries(expected)) assert.equal(found[name], value, `${name} with ${args}`);
  }
});

Deno.test("formatPostfixConfig lets a session of spawn(8) last as long as --session-timeout", () => {
  const rows: readonly [args: string[], limit: string | undefined][] = [
    [[], "3620s"],
    [["--session-timeout=981"], "1001s"],
    [["--session-timeout=980"], undefined],
  ];
  for (const [args, limit] of rows) {
    assert.equal(mainCf("--postfix-config", ...args)["127.0.0.1:10025_time_limit"], limit, args.join(" "));
  }
  assert.equal(mainCf("--postfix-config", "-l", "unix:private/postprox")["postprox_time_limit"], "3620s");
  assert.doesNotMatch(print("--postfix-config=listen"), /_time_limit/);
  const readme = Deno.readTextFileSync(fromFileUrl(new URL("../../../README.md", import.meta.url)));
  assert.ok(readme.includes("\n127.0.0.1:10025_time_limit = 3620s\n"));
});

Deno.test("formatPostfixConfig names a socket as Postfix, postprox and systemd each need it", () => {
  const after = "/var/spool/postfix/public/after";
  const rows: readonly { args: string[]; has: readonly RegExp[] }[] = [
    {
      args: ["spawn", "-l", "unix:private/postprox", "unix:public/after"],
      has: [
        /^smtpd_proxy_filter = unix:private\/postprox$/m,
        /^postprox unix - +n +n +- +20 +spawn$/m,
        /^ {4}user=postprox:postdrop argv=.* unix:public\/after$/m,
        /^after unix n +- +n +- +- +smtpd\n(?: .*\n)*? {4}-o mynetworks=127.0.0.0\/8$/m,
      ],
    },
    {
      args: ["spawn", "-l", "unix:/srv/queue/public/x", `unix:${after}`],
      has: [/^smtpd_proxy_filter = unix:public\/x$/m, /^x unix n /m, /unix:\/var\/spool\/postfix\/public\/after$/m],
    },
    {
      args: ["listen", "-l", "unix:/run/postprox/s", `unix:${after}`],
      has: [
        /^# {3}install -d -o postprox -g postfix -m 0710 \/run\/postprox\n# {3}runuser -u postprox -G postdrop -- /m,
        /^RuntimeDirectory=postprox$/m,
        /^SupplementaryGroups=postdrop$/m,
        /^# These servers must not run chrooted(?:.*\n)+\nsmtpd_proxy_filter = unix:\/run\/postprox\/s$/m,
      ],
    },
    { args: ["listen", "-l", "unix:/run/mail/a/s"], has: [/^RuntimeDirectory=postprox mail\/a$/m] },
    {
      args: ["listen", "-d", "/a", "-l", "unix:/var/spool/postfix/postprox/s"],
      has: [
        /^# {3}install -d -o postprox -g postfix -m 0710 \/var\/spool\/postfix\/postprox$/m,
        /^ReadWritePaths=\/a \/var\/spool\/postfix\/postprox$/m,
        /filter, give it "-o smtpd_proxy_filter=" there.\n\nsmtpd_proxy_filter = unix:postprox\/s$/m,
      ],
    },
  ];
  for (const { args: [mode, ...args], has } of rows) {
    const text = print(`--postfix-config=${mode}`, ...args);
    for (const pattern of has) assert.match(text, pattern);
  }
  assert.doesNotMatch(print("--postfix-config=listen"), /SupplementaryGroups=postdrop\nUMask/);
});

/** The unit's settings, each name with its last value. */
function settings(...args: string[]): Map<string, string> {
  const lines = print("--postfix-config=listen", ...args).split("\n").map((line) => /^([A-Z]\w+)=(.*)$/.exec(line));
  return new Map(lines.flatMap((line) => line ? [[line[1]!, line[2]!] as const] : []));
}

Deno.test("formatPostfixConfig allows in the unit what the options need, and nothing else", () => {
  const usual = { ReadWritePaths: undefined, ProtectHome: "yes", PrivateTmp: "yes", AmbientCapabilities: undefined };
  const tmp = { PrivateTmp: "no" };
  const home = { ProtectHome: "read-only" };
  const rows: readonly [args: string[], changed: Record<string, string>][] = [
    [[], {}],
    [["-d", "/tmp"], {}],
    [["-d", "/var/tmp/", "-c", "mktemp -p /tmp"], {}],
    [["-d", "/var/spool/postprox"], { ReadWritePaths: "/var/spool/postprox" }],
    [["-d", "/srv/100% full"], { ReadWritePaths: '"/srv/100%% full"' }],
    [["-d", '/srv/a "b"'], { ReadWritePaths: `'/srv/a "b"'` }],
    // Never the file itself, which a rotation replaces.
    [["-d", "/a", "--quarantine=/q"], { ReadWritePaths: "/a /q" }],
    [["--quarantine=/var/lib/postprox/quarantine"], {}],
    [["-d", "/a", "--log=/b/c"], { ReadWritePaths: "/a /b" }],
    [["-d", "/a", "--log=/a/c"], { ReadWritePaths: "/a" }],
    [["--log=/var/log/postprox/postprox.log"], {}],
    [["--log=/var/log/postprox.log"], { ReadWritePaths: "/var/log" }],
    [["-c", "/home/bob/filter"], home],
    [["-c", "exec '/root/a b'"], home],
    [["--check-rules=/run/user/1000/rules"], home],
    [["-c", "/usr/local/home/f /homework/x"], {}],
    [["-c", "/tmp/filter"], { ...tmp, ReadWritePaths: "/tmp /var/tmp" }],
    [["--log=syslog:/var/tmp/log"], { ...tmp, ReadWritePaths: "/tmp /var/tmp" }],
    [["-d", "/tmp/spool"], { ...tmp, ReadWritePaths: "/tmp/spool /tmp /var/tmp" }],
    [["-l", "1024"], {}],
    [["-l", "1023"], { AmbientCapabilities: "CAP_NET_BIND_SERVICE" }],
  ];
  for (const [args, changed] of rows) {
    const found = settings(...args);
    const expected = Object.entries({ ...usual, ...changed });
    assert.deepEqual(expected.map(([name]) => [name, found.get(name)]), expected, args.join(" "));
    assert.equal(found.get("CapabilityBoundingSet"), found.get("AmbientCapabilities") ?? "");
  }
});

Deno.test("formatPostfixConfig makes a directory for a log, but not the system's own", () => {
  const made = /^# {3}test -d (\S+) \|\|\n# {3}install -d -o postprox -g postprox -m 0750 \1$/m;
  assert.equal(made.exec(print("--postfix-config", "--log=/var/log/postprox/x.log"))?.[1], "/var/log/postprox");
  for (const log of ["/var/log/x.log", "/tmp/x.log"]) {
    assert.doesNotMatch(print("--postfix-config", "--log=" + log), made);
  }
});

/** The part for `file`, without its comments. */
function partFor(file: string, text: string): string {
  const part = text.split(/^(?=# ---- )/m).find((one) => one.startsWith(`# ---- ${file}: `)) ?? "";
  return part.replaceAll(/^#.*\n|^\n/gm, "");
}

const CONF = "/etc/postprox/postprox.conf";

Deno.test("with --config, formatPostfixConfig prints the lines of that file, and the rest only names it", () => {
  const options = [
    `--config=${CONF}`,
    "-vv",
    "-r",
    "-t",
    "100",
    "--dnsbl=a.test",
    "--dnsbl=b.test",
    "-c",
    "/home/b/f 'x  y'",
  ];
  const listening = print(
    "--postfix-config=listen",
    ...options,
    "-l",
    "unix:/run/p/s",
    "--foreground",
    "--user=postprox",
    "--max-clients=7",
    "mx:26",
  );
  const lines = [
    "next-hop = mx:26",
    "command = /home/b/f 'x  y'",
    "dnsbl = a.test",
    "dnsbl = b.test",
    "listen = unix:/run/p/s",
    "max-clients = 7",
    // So that -t has its time.
    "message-timeout = 126",
    "reject = yes",
    "timeout = 100",
    "verbose = 2",
  ];
  assert.equal(partFor(CONF, listening), lines.map((line) => `${line}\n`).join(""));
  assert.equal(lineWith("ExecStart=", listening), `ExecStart=/usr/sbin/postprox --foreground --config=${CONF}`);
  assert.equal(
    lineWith("ExecStartPre=", listening),
    `ExecStartPre=-/usr/sbin/postprox --check-config --config=${CONF}`,
  );
  assert.match(listening, /^# {3}install -d -m 0755 \/etc\/postprox$/m);
  assert.match(listening, new RegExp(`^#   runuser -u postprox -- /usr/sbin/postprox --config=${CONF}$`, "m"));
  assert.match(lineWith("smtpd_proxy_timeout", listening), /= 136s$/);
  // The fences know what is in the file.
  assert.equal(lineWith("ProtectHome=", listening.slice(listening.indexOf("[Unit]"))), "ProtectHome=read-only");

  // In spawn mode a process refuses the options of listen mode.
  const spawned = print(
    "--postfix-config",
    ...options,
    "-l",
    "10099",
    "--max-clients=7",
    "--max-filters=7",
    "--drain-timeout=5",
    "--pid-file=/run/p/p",
  );
  const without = lines.filter((line) => !/^(?:listen|max-clients|next-hop)/.test(line));
  assert.equal(partFor(CONF, spawned), ["next-hop = 127.0.0.1:10026", ...without].map((line) => `${line}\n`).join(""));
  assert.equal(argvOf(spawned), `user=postprox argv=/usr/sbin/postprox --config=${CONF}`);
  assert.match(spawned, /^127\.0\.0\.1:10099 inet n .* 7 +spawn$/m);

  assert.doesNotMatch(print("--postfix-config=listen", "--config=/etc/p.conf"), /install -d .* \/etc$/m);
  assert.equal(
    partFor("/etc/p.conf", print("--postfix-config=listen", "--config=/etc/p.conf")),
    "next-hop = 127.0.0.1:10026\nlisten = 127.0.0.1:10025\n",
  );
});

Deno.test("the unit says when it is ready, and its reload checks the same words as its start", () => {
  const text = print("--postfix-config=listen", "-v", "-c", "/x 50% $y");
  const words = String.raw`-l 127.0.0.1:10025 -v -c "/x 50%% $$y" 127.0.0.1:10026`;
  const set = text.split("\n").filter((line) => /^(?:Type|Exec\w+|WatchdogSec)=/.test(line));
  assert.deepEqual(set, [
    "Type=notify",
    "WatchdogSec=60",
    `ExecStartPre=-/usr/sbin/postprox --check-config ${words}`,
    `ExecStart=/usr/sbin/postprox --foreground ${words}`,
    `ExecReload=/usr/sbin/postprox --check-config ${words}`,
    "ExecReload=/usr/sbin/postprox reload $MAINPID",
  ]);
});

Deno.test("README and docs make the user as formatPostfixConfig does", () => {
  const command = /useradd(?:.*\\\n)*.*/g;
  const words = (text: string) => text.replaceAll(/[\\#\s]+/g, " ").trim();
  const [printed] = print("--postfix-config").match(command)!;
  for (const file of ["README.md", "docs/hacking.md"]) {
    const found = Deno.readTextFileSync(fromFileUrl(new URL(`../../../${file}`, import.meta.url))).match(command) ?? [];
    assert.deepEqual(found.map(words), [words(printed!)], file);
  }
});

Deno.test("README has the drop-in for sendmail(1) that the unit has", () => {
  const readme = Deno.readTextFileSync(fromFileUrl(new URL("../../../README.md", import.meta.url)));
  const inReadme = /^\[Service\]\nSupplementaryGroups=postdrop\n(?:\S+\n)+/m.exec(readme)?.[0];
  const inUnit = /^# {2}\[Service\]\n# {2}SupplementaryGroups=postdrop\n(?:# {2}.*\n)+/m.exec(
    print("--postfix-config=listen"),
  );
  assert.equal(inReadme, inUnit?.[0].replaceAll(/^# {2}/gm, "").concat("```\n"));
});

Deno.test("formatPostfixConfig refuses in one line what would not work after pasting", () => {
  const rows: readonly [args: string[], words: RegExp][] = [
    [["-d", "spool"], /-d "spool" is a relative path/],
    [["-c", "./filter x"], /-c ".\/filter x" is a relative path/],
    [["--quarantine=kept"], /--quarantine="kept" is a relative path/],
    [["--log=./log"], /--log="\.\/log" is a relative path/],
    [["--check-rules=rules"], /--check-rules="rules" is a relative path/],
    [["--extchk=check"], /--extchk="check" is a relative path/],
    [["--log=stderr"], /standard error is the client/],
    [["-l", "unix:/run/x"], /no place for a socket of Postfix: give -l unix:private\/postprox/],
    [["unix:public/../x"], /"unix:public\/..\/x" is a relative path/],
    [["unix:private/after"], /only Postfix itself reaches "unix:private\/after"/],
    [["unix:/var/spool/postfix/private/after"], /only Postfix itself reaches/],
    [["-l", "unix:private/x", "unix:private/x"], /itself is to listen/],
    [["-l", "10026"], /itself is to listen at 127\.0\.0\.1:10026/],
    [["-c", "echo {"], /without its \}/],
    [["-c", "echo }{"], /without its \{/],
    [["-c", "two\nlines"], /line end/],
    [["--config=/x", "-c", "two\nlines"], /line end/],
    [["--config=x"], /--config="x" is a relative path/],
  ];
  for (const [args, words] of rows) {
    assert.throws(() => print("--postfix-config", ...args), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, words);
      assert.match(error.message, /^option --postfix-config: [^\n]*$/);
      return true;
    });
  }
  const listening: readonly [args: string[], words: RegExp][] = [
    [["-l", "unix:x"], /"unix:x" is a relative path/],
    [["-l", "unix:private/x"], /"unix:private\/x" is for sockets that Postfix makes/],
    [["-l", "unix:/var/spool/postfix/public/x"], /is for sockets that Postfix makes/],
    [["-l", "unix:/run/x"], /only root makes sockets in that directory: give -l unix:\/run\/postprox\/postprox.sock/],
    [["unix:public/after"], /"unix:public\/after" is a relative path/],
  ];
  for (const [args, words] of listening) {
    assert.throws(() => print("--postfix-config=listen", ...args), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, words);
      return true;
    });
  }
  // systemd takes these, and a process in the foreground has a standard error.
  print("--postfix-config=listen", "--log=stderr", "-c", "echo {");
});
