// Tests of lib/commands/doctor/postfix.ts, config_places.ts and addresses.ts: what postconf(1) prints, and where lines stand.

import assert from "node:assert/strict";
import { isOnlyLocal, leadsTo } from "../../../lib/commands/doctor/addresses.ts";
import { entryLine, inMain, inMaster, placeOfEntry, whereSet } from "../../../lib/commands/doctor/config_places.ts";
import { parseServices, parseTime, Postfix } from "../../../lib/commands/doctor/postfix.ts";
import { formatAddress } from "../../../lib/ports/address.ts";
import type { Address } from "../../../lib/ports/runtime.ts";

const MAIN_FILE = `# smtpd_proxy_timeout = 1s
smtpd_proxy_timeout = 10s
smtpd_proxy_timeout = 20s
other = a,
  # a comment
  b
last=1
`;

const MASTER_FILE = `# smtp inet n - y - - smtpd
smtp      inet  n       -       y       -       -       smtpd
    -o smtpd_proxy_options=speed_adjust
    # -o smtpd_milters=
    -o { smtpd_sender_restrictions = a, b } -o smtpd_timeout=5s
127.0.0.1:10025 inet n n n - 20 spawn
    user=postprox argv=/usr/sbin/postprox -c { /usr/local/bin/f -x } 127.0.0.1:10026
127.0.0.1:10026 inet n - n - - smtpd -o smtpd_proxy_filter=
`;

const postfix = new Postfix({
  main: `config_directory = /etc/postfix
queue_directory = /q
inet_interfaces = 127.0.0.1 [::1]
default_process_limit = 50
smtpd_proxy_filter =
smtpd_timeout = 300s
# nonsense
`,
  own: "smtp/inet/smtpd_timeout = 5s\n",
  master: `smtp       inet  n       -       y       -       -       smtpd -o {smtpd_sender_restrictions=a, b}
127.0.0.1:10025 inet n   n       n       -       20      spawn user=postprox argv=/usr/sbin/postprox -c {/usr/local/bin/f -x} 127.0.0.1:10026
[::1]:10026 inet n - n - 0 smtpd
postprox   unix  -       n       n       -       20      spawn user=nobody:mail argv=/usr/sbin/postprox
public     unix  n       -       n       -       -       smtpd
nosuchport inet  n       -       n       -       -       smtpd
`,
  services: new Map([["smtp", 25]]),
  mainFile: MAIN_FILE,
  masterFile: MASTER_FILE,
});
const [smtp, spawn, v6, socket, inPublic, unknown] = postfix.entries;

Deno.test("Postfix reads entries, with words in braces, and their values", () => {
  assert.deepEqual(smtp!.args, ["-o", "smtpd_sender_restrictions=a, b"]);
  assert.deepEqual(spawn!.args, [
    "user=postprox",
    "argv=/usr/sbin/postprox",
    "-c",
    "/usr/local/bin/f -x",
    "127.0.0.1:10026",
  ]);
  assert.equal(postfix.value("smtpd_timeout", smtp), "5s");
  assert.equal(postfix.value("smtpd_timeout", v6), "300s");
  assert.equal(postfix.value("no_such"), "");
  assert.deepEqual([postfix.hasOwn("smtpd_timeout", smtp!), postfix.hasOwn("smtpd_timeout", v6!)], [true, false]);
  assert.deepEqual([smtp, spawn, v6].map((entry) => postfix.processes(entry!)), [50, 20, Infinity]);
  assert.deepEqual(postfix.smtpds.map(({ name }) => name), ["smtp", "[::1]:10026", "public", "nosuchport"]);
});

Deno.test("Postfix knows where entries listen, and where a value points", () => {
  const at = [smtp, spawn, v6, socket, inPublic, unknown].map((one) => postfix.addresses(one!).map(formatAddress));
  assert.deepEqual(at, [
    ["127.0.0.1:25", "[::1]:25"],
    ["127.0.0.1:10025"],
    ["[::1]:10026"],
    ["unix:/q/private/postprox"],
    ["unix:/q/public/public"],
    [],
  ]);
  const rows: readonly [text: string, address: string | undefined][] = [
    ["127.0.0.1:10025", "127.0.0.1:10025"],
    ["inet:127.0.0.1:smtp", "127.0.0.1:25"],
    ["[::1]:10025", "[::1]:10025"],
    [":10025", "127.0.0.1:10025"],
    ["10025", "127.0.0.1:10025"],
    ["unix:private/postprox", "unix:/q/private/postprox"],
    ["unix:/run/postprox/postprox.sock", "unix:/run/postprox/postprox.sock"],
    ["127.0.0.1:nonsense", undefined],
  ];
  for (const [text, address] of rows) {
    const found = postfix.address(text);
    assert.equal(found && formatAddress(found), address, text);
  }
});

Deno.test("parseTime and parseServices", () => {
  assert.deepEqual(["100s", "2m", "1h", "1d", "7", "", "x", "1y"].map(parseTime), [
    100_000,
    120_000,
    3_600_000,
    86_400_000,
    7000,
    undefined,
    undefined,
    undefined,
  ]);
  const services = parseServices("smtp\t25/tcp\t\tmail # x\nfoo 99/udp\n# bar 1/tcp\n");
  assert.deepEqual([services.get("mail"), services.get("foo"), services.get("submission")], [25, undefined, 587]);
});

Deno.test("a change says the line of the file, or that a line is to be added", () => {
  const main = (name: string) => inMain(postfix, name, "v").where;
  assert.equal(main("smtpd_proxy_timeout"), "in /etc/postfix/main.cf, change line 3 to:");
  assert.equal(main("other"), "in /etc/postfix/main.cf, change lines 4 to 6 to:");
  assert.equal(main("last"), "in /etc/postfix/main.cf, change line 7 to:");
  assert.equal(main("new"), "add to /etc/postfix/main.cf:");
  const rows: readonly [name: string, where: string][] = [
    ["smtpd_proxy_options", "change line 3 to:"],
    ["smtpd_timeout", "in line 5, change the option to:"],
    ["smtpd_milters", 'add after line 2, to the entry "smtp inet":'],
  ];
  for (const [name, where] of rows) {
    const change = inMaster(postfix, smtp!, { name, value: "v" });
    assert.deepEqual(change, { where: `in /etc/postfix/master.cf, ${where}`, lines: [`    -o ${name}=v`] });
  }
  assert.deepEqual(inMaster(postfix, smtp!, { name: "x", value: "a, b" }).lines, ["    -o { x = a, b }"]);
  assert.match(inMaster(postfix, v6!, { name: "x", value: "" }).where, /add to the entry "\[::1\]:10026 inet":$/);
  assert.match(whereSet(postfix, smtp!, { name: "smtpd_timeout", value: "" }).where, /master\.cf/);
  assert.match(whereSet(postfix, spawn!, { name: "smtpd_timeout", value: "" }).where, /main\.cf/);
  assert.deepEqual(entryLine(postfix, spawn!, { processes: "30" }), {
    where: "in /etc/postfix/master.cf, change line 6 to:",
    lines: ["127.0.0.1:10025 inet n n n - 30 spawn"],
  });
  assert.match(placeOfEntry(postfix, spawn!), /line 6, in argv= of the entry "127\.0\.0\.1:10025 inet":$/);
});

const tcp = (host: string, port = 10025): Address => ({ transport: "tcp", host, port });
const unix = (path: string): Address => ({ transport: "unix", path });

Deno.test("leadsTo and isOnlyLocal", () => {
  const rows: readonly [to: Address, at: Address, leads: boolean][] = [
    [tcp("127.0.0.1"), tcp("127.0.0.1"), true],
    [tcp("localhost"), tcp("127.0.0.1"), true],
    [tcp("127.0.0.1"), tcp("0.0.0.0"), true],
    [tcp("127.0.0.1"), tcp("127.0.0.1", 10026), false],
    [tcp("127.0.0.2"), tcp("127.0.0.1"), false],
    [unix("/var/run/p/s"), unix("/run//p/s"), true],
    [unix("/run/p/s"), unix("/run/p/t"), false],
    [unix("/run/p/s"), tcp("127.0.0.1"), false],
  ];
  for (const [to, at, leads] of rows) assert.equal(leadsTo(to, at), leads, `${formatAddress(to)} ${formatAddress(at)}`);
  const local = [tcp("127.0.0.1"), tcp("::1"), tcp("localhost"), unix("/s")];
  const open = [tcp("0.0.0.0"), tcp("::"), tcp("192.0.2.1"), tcp("mail.example.org")];
  assert.deepEqual([...local, ...open].map(isOnlyLocal), [true, true, true, true, false, false, false, false]);
});
