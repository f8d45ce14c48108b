// `postprox doctor` beside a real Postfix: healthy in both modes, and with each fault switched on in turn. A fault is found
// with its line, and nothing else is.
//
// Needs Postfix and root.

import assert from "node:assert/strict";
import { show } from "../rig/octets.ts";
import { until } from "../rig/wait.ts";
import { doctor, type Fault, type Ran, type Site, withFault, withSite } from "./doctor_bed.ts";
import { alice, newTag } from "./postfix_mail.ts";
import { groupOfUser, USER, userId } from "./postfix.ts";

/** The words of listen mode's options, or none: then the spawn entry or the process tells. */
type Words = (site: Site) => readonly string[];

const own: Words = ({ mode, proxyPort, words }) => mode === "listen" ? ["-l", String(proxyPort), ...words] : words;

interface Case extends Fault {
  readonly name: string;
  readonly modes?: readonly Site["mode"][];
  /** The options of the doctor; absent if it has none. */
  readonly words?: Words;
  /** Done before, and undone after it. */
  readonly before?: (site: Site) => () => void;
  /** What the lines after "wrong:" must say, with the lines to change. */
  readonly finds: (site: Site) => readonly RegExp[];
}

/** Escapes a port or a path for a pattern. */
function re(strings: TemplateStringsArray, ...values: readonly (string | number)[]): RegExp {
  const escaped = values.map((value) => String(value).replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(String.raw({ raw: strings.raw }, ...escaped), "m");
}

/** Adds an option to the last entry, that of the server behind postprox, or takes one away. */
const behind = (option: string) => (text: string) =>
  text.replace("    -o syslog_name=postfix/after\n", (line) => `${line}    -o ${option}\n`);
const without = (option: string) => (text: string) =>
  text.replace(new RegExp(`    -o ${option}=.*\n(?![^]*    -o ${option}=)`), "");
const CASES: readonly Case[] = [
  {
    name: "nothing listens where main.cf points",
    master: (text) => text.replace(/(-o smtpd_proxy_filter=127\.0\.0\.1):[0-9]+/, "$1:1"),
    words: own,
    finds: ({ proxyPort }) => [
      re`^wrong: Nothing listens at 127\.0\.0\.1:1, where smtpd_proxy_filter of "127.0.0.1:[0-9]+ inet" points: .*refused.*\n  in .*/master\.cf, change line [0-9]+ to:\n    -o smtpd_proxy_filter=127\.0\.0\.1:${proxyPort}$`,
    ],
  },
  {
    name: "no server has a proxy",
    master: (text) => text.replace(/ +-o smtpd_proxy_filter=127.*\n/, ""),
    words: own,
    finds: ({ proxyPort }) => [
      re`^wrong: No SMTP server of Postfix leads to postprox at 127\.0\.0\.1:${proxyPort}: all mail passes unchecked\.\n  add to .*/main\.cf:\nsmtpd_proxy_filter = 127\.0\.0\.1:${proxyPort}$`,
    ],
  },
  {
    name: "the server behind lacks smtpd_authorized_xforward_hosts",
    master: without("smtpd_authorized_xforward_hosts"),
    finds: ({ afterPort }) => [
      re`^wrong: .*, 127.0.0.1:${afterPort}, does not accept XFORWARD .*smtpd_authorized_xforward_hosts is missing\.\n  in .*/master\.cf, add after line [0-9]+, to the entry "127\.0\.0\.1:${afterPort} inet":\n    -o smtpd_authorized_xforward_hosts=127\.0\.0\.0/8$`,
    ],
  },
  {
    name: "XFORWARD is for other hosts",
    master: (text) => text.replace("xforward_hosts=127.0.0.0/8", "xforward_hosts=192.0.2.1"),
    finds: () => [
      re`^wrong: .* does not offer XFORWARD to this host, although .*\n.*change line [0-9]+ to:\n    -o smtpd_authorized_xforward_hosts=127\.0\.0\.0/8$`,
    ],
  },
  {
    name: "the server behind filters again",
    main: "smtpd_proxy_filter = PROXY\n",
    master: without("smtpd_proxy_filter"),
    isRead: false,
    finds: () => [
      re`^wrong: .* filters its mail again: smtpd_proxy_filter is 127\.0\.0\.1:[0-9]+\.\n.*\n    -o smtpd_proxy_filter=$`,
    ],
  },
  {
    name: "the server behind sends its mail back",
    master: behind("content_filter=smtp:[127.0.0.1]:PROXY"),
    isRead: false,
    finds: () => [re`^wrong: .* sends its mail back to postprox: content_filter is .*\n.*\n    -o content_filter=$`],
  },
  {
    name: "the server behind is open to the world",
    master: (text) => text.replace(/^127\.0\.0\.1(:[0-9]+ inet n - n - - smtpd)$/m, "0.0.0.0$1"),
    isRead: false,
    finds: ({ afterPort }) => [
      re`^wrong: The server behind postprox, "0\.0\.0\.0:${afterPort} inet", is open to the world: .*\n  in .*/master\.cf, change line [0-9]+ to:\n127\.0\.0\.1:${afterPort} inet n - n - - smtpd$`,
    ],
  },
  {
    name: "the interfaces of main.cf are open",
    main: "inet_interfaces = all\n",
    master: (text) => text.replace(/^127\.0\.0\.1:([0-9]+ inet n - n - - smtpd)$/m, "$1"),
    isRead: false,
    finds: ({ afterPort }) => [
      re`^wrong: .* is open to the world: .*\n.*\n127\.0\.0\.1:${afterPort} inet n - n - - smtpd$`,
    ],
  },
  {
    name: "Postfix is less patient than postprox",
    main: "smtpd_proxy_timeout = 60s\n",
    isRead: false,
    finds: () => [
      re`^wrong: Time limits are in the wrong order: .* gives up after 60 s \(smtpd_proxy_timeout\), and postprox may take 90 s \(--message-timeout\)\.\n  in .*/main\.cf, change line [0-9]+ to:\nsmtpd_proxy_timeout = 100s$`,
    ],
  },
  {
    name: "postprox is more patient than Postfix",
    words: (site) => ["--message-timeout=200", ...own(site)],
    finds:
      () => [re`^wrong: Time limits .* after 100 s .* 200 s .*\n  add to .*/main\.cf:\nsmtpd_proxy_timeout = 210s$`],
  },
  {
    name: "the filter may take longer than the message",
    words: (site) => ["-t", "120", ...own(site)],
    finds: () => [re`^wrong: The filter may take 120 s \(-t\), .*90 s .*\n.*\n *--message-timeout=151$`],
  },
  {
    name: "the server behind is impatient",
    master: behind("smtpd_timeout=4s"),
    isRead: false,
    finds: () => [
      re`^wrong: Time limits .* hangs up after 4 s of silence .*\n.*change line [0-9]+ to:\n    -o smtpd_timeout=300s$`,
    ],
  },
  {
    name: "spawn(8) is impatient",
    modes: ["spawn"],
    main: "command_time_limit = 50s\nPROXY_time_limit = 50s\n",
    isRead: false,
    finds: ({ proxyPort }) => [
      re`^wrong: Time limits .* kills postprox after 50 s .*\n  in .*main\.cf, change line [0-9]+ to:\n127\.0\.0\.1:${proxyPort}_time_limit = 3620s$`,
    ],
  },
  {
    name: "size limits differ: postprox and Postfix",
    words: (site) => ["--max-message-size=5M", ...own(site)],
    finds: () => [
      re`^wrong: Size limits differ: .* 10240000 octets .* 5242880 octets .*\n  add to .*main\.cf:\nmessage_size_limit = 5242880$`,
    ],
  },
  {
    name: "size limits differ: the server behind",
    master: behind("message_size_limit=1000000"),
    isRead: false,
    finds: () => [
      re`^wrong: Size limits differ: .* only of up to 1000000 octets .*\n.*\n    -o message_size_limit=10240000$`,
    ],
  },
  {
    name: "speed_adjust with rules for recipients",
    main: "smtpd_proxy_options = speed_adjust\n",
    isRead: false,
    words: (site) => ["--check-sender-domain", ...own(site)],
    finds: () => [
      re`^wrong: speed_adjust of .* rules for recipients \(--check-sender-domain\).*\n.*\n *--defer-rcpt-refusals$`,
    ],
  },
  {
    name: "more smtpd than spawn",
    modes: ["spawn"],
    master: (text) => text.replace(/^(127.*) 20 smtpd$/m, "$1 - smtpd"),
    isRead: false,
    finds: ({ proxyPort }) => [
      re`^wrong: There are more smtpd than spawn processes: .* 100, "127.0.0.1:${proxyPort} inet" only 20\. .*\n  in .*change line [0-9]+ to:\n127\.0\.0\.1:${proxyPort} inet n n n - 100 spawn$`,
    ],
  },
  {
    name: "more smtpd than --max-clients",
    modes: ["listen"],
    words: (site) => ["--max-clients=10", ...own(site)],
    finds: () => [
      re`^wrong: There are more SMTP servers than postprox takes clients: .* 20, .* 10\. .*\n.*\n--max-clients=20$`,
    ],
  },
  {
    name: "the filter is not executable by the user",
    before: ({ installed: { filter } }) => {
      Deno.chmodSync(filter, 0o700);
      return () => Deno.chmodSync(filter, 0o755);
    },
    finds: ({ installed: { filter } }) => [
      re`^wrong: The filter ${filter} \(-c\) is not executable by nobody\.\n  run, as root:\nchmod a\+rx ${filter}$`,
    ],
  },
  {
    name: "the filter is not there",
    before: ({ installed: { filter } }) => {
      Deno.renameSync(filter, `${filter}.away`);
      return () => Deno.renameSync(`${filter}.away`, filter);
    },
    finds: ({ installed: { filter } }) => [re`^wrong: The filter ${filter} \(-c\) is not there\.$`],
  },
  {
    name: "the interpreter of the filter is not there",
    before: ({ installed: { filter } }) => {
      const text = Deno.readTextFileSync(filter);
      Deno.writeTextFileSync(filter, text.replace(/^#!.*/, "#!/usr/bin/no-such-python3"));
      return () => Deno.writeTextFileSync(filter, text);
    },
    finds: () => [re`^wrong: The filter .* its interpreter /usr/bin/no-such-python3 is not there\.$`],
  },
  {
    name: "the spool is not writable by the user",
    before: ({ installed: { spool } }) => {
      Deno.chownSync(spool, 0, 0);
      return () => Deno.chownSync(spool, userId(USER), groupOfUser(USER));
    },
    finds: ({ installed: { spool } }) => [
      re`^wrong: The spool directory ${spool} \(-d\) is not writable by nobody\.\n  run, as root:\nchown nobody ${spool}$`,
    ],
  },
  {
    name: "the spool is too small",
    master: (text) =>
      behind("message_size_limit=0")(text.replace(/( 20 smtpd\n)/, "$1    -o message_size_limit=900000000000000\n")),
    isRead: false,
    finds: ({ installed: { spool } }) => [
      re`^wrong: The spool ${spool} is too small: [0-9]+ octets are free, and one message of the largest size needs 1800000000000000\.$`,
    ],
  },
  {
    name: "there is no syslog",
    words: (site) => ["--log=syslog:/nonexistent/log", ...own(site).filter((word) => !word.startsWith("--log="))],
    finds: () => [re`^wrong: There is no syslog: .*/nonexistent/log.*\n.*\n--log=/var/log/postprox/postprox\.log$`],
  },
  {
    name: "TLS is forced on the inner hop",
    master: behind("smtpd_tls_security_level=encrypt"),
    finds: () => [
      re`^wrong: TLS is forced on the inner hop, .*smtpd_tls_security_level of .* is encrypt\.\n.*change line [0-9]+ to:\n    -o smtpd_tls_security_level=none$`,
    ],
  },
  {
    name: "the server behind waits for a proxy protocol",
    master: behind("smtpd_upstream_proxy_protocol=haproxy"),
    isRead: false,
    finds: () => [re`^wrong: .* waits for a proxy protocol.*\n.*\n    -o smtpd_upstream_proxy_protocol=$`],
  },
  {
    name: "the server behind is not there",
    master: (text) => text.replace(/^127\.0\.0\.1:[0-9]+ inet n - n - - smtpd\n(?: .*\n)*/m, ""),
    finds: ({ afterPort }) => [
      re`^wrong: The server behind postprox, 127\.0\.0\.1:${afterPort}, is not reachable: .*\n  add to .*/master\.cf, then run "postfix reload":\n127\.0\.0\.1:${afterPort} inet n .* smtpd\n    -o smtpd_proxy_filter=$`,
    ],
  },
  {
    name: "a scanner does not answer",
    words: (site) => ["--clamd=127.0.0.1:1", ...own(site)],
    finds: () => [
      re`^wrong: clamd could not tell: .*127\.0\.0\.1:1: .*refused.*\n  run, as root:\nsystemctl restart clamav-daemon$`,
    ],
  },
  {
    name: "the user of master.cf is not there",
    modes: ["spawn"],
    master: (text) => text.replace("user=nobody", "user=no-such-user"),
    isRead: false,
    finds: () => [
      re`^wrong: The user no-such-user of user= in master\.cf is not there\.\n  in .*, in user= of the entry .*\n    user=postprox$`,
    ],
  },
  {
    name: "the options in master.cf are wrong",
    modes: ["spawn"],
    master: (text) => text.replace(/( argv=\S+) /, "$1 --no-such-option "),
    isRead: false,
    finds: () => [
      re`^wrong: postprox does not start with the options of .* in master\.cf: .*--no-such-option.*\n  in .*, line [0-9]+, in argv= of`,
    ],
  },
];

for (const mode of ["spawn", "listen"] as const) {
  Deno.test(`doctor beside a real Postfix, ${mode}`, () =>
    withSite(mode, async (site) => {
      await healthy(site);
      await sends(site);
      for (const [at, one] of CASES.entries()) if (isPlayed(one, at, mode)) await faulty(site, one);
      await healthy(site);
    }));
}

// Most faults are the same in both modes, so each is played in one of them.
function isPlayed({ modes }: Case, at: number, mode: Site["mode"]): boolean {
  return modes ? modes.includes(mode) : (mode === "spawn") === (at % 2 === 0);
}

async function healthy(site: Site): Promise<void> {
  for (const words of [[], [`127.0.0.1:${site.afterPort}`], own(site)]) {
    const ran = await doctor(site, words);
    assert.deepEqual([ran.status, ran.stderr], [0, ""], shown(ran));
    assert.match(ran.stdout, /^right: a dialogue through .* reaches RCPT$/m, shown(ran));
    assert.match(ran.stdout, /^right: nobody may write in .*\/spool$/m, shown(ran));
    assert.match(ran.stdout, /^Nothing is wrong\.$/m, shown(ran));
    assert.doesNotMatch(ran.stdout, /^(?:wrong|consider|not seen):/m, shown(ran));
  }
  // An ordinary user may look at less, and is told so.
  const other = await doctor(site, [], "daemon");
  assert.equal(other.status, 0, shown(other));
  assert.match(other.stdout, /^not seen: only root can see what nobody may do/m, shown(other));
}

async function sends(site: Site): Promise<void> {
  const tag = newTag();
  const sent = await doctor(site, [`--send=${alice(tag)}`]);
  assert.equal(sent.status, 0, shown(sent));
  assert.match(sent.stdout, /^right: the test message was accepted: 250 2\.0\.0 Ok: queued as \w+$/m, shown(sent));
  await until(() => site.postfix.delivered(tag).length === 1, () => `the test message for ${tag}`);
}

async function faulty(site: Site, one: Case): Promise<void> {
  const { main = "", master = (text: string) => text, isRead = true, before, words } = one;
  const place = (text: string) => text.replaceAll("PROXY", `127.0.0.1:${site.proxyPort}`).replace("]:127.0.0.1", "]");
  const undo = before?.(site) ?? (() => {});
  try {
    await withFault(site, { main: place(main), master: (text) => place(master(text)), isRead }, async () => {
      const ran = await doctor(site, words?.(site) ?? []);
      assert.equal(ran.status, 1, `${one.name}: ${shown(ran)}`);
      const finds = one.finds(site);
      for (const pattern of finds) assert.match(ran.stdout, pattern, `${one.name}: ${shown(ran)}`);
      const count = ran.stdout.match(/^wrong: /gm)?.length;
      assert.equal(count, finds.length, `${one.name}: ${shown(ran)}`);
      assert.equal(ran.stderr, "", one.name);
    });
  } finally {
    undo();
  }
}

function shown({ status, stdout, stderr }: Ran): string {
  return `status ${status}\n${show(stdout, 6000).replaceAll("\\n", "\n")}\n${stderr}`;
}
