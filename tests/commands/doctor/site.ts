// A Postfix and a postprox in good health, as facts, and ways to make one thing wrong. For tests of the doctor.

import { readStartOptions } from "../../../lib/commands/doctor/options.ts";
import type { Dialogue, Facts, Look, NoPostfix, PathLook, Stand, Step } from "../../../lib/commands/doctor/facts.ts";
import { type PostconfOutput, Postfix } from "../../../lib/commands/doctor/postfix.ts";
import { findStands, type Running } from "../../../lib/commands/doctor/stands.ts";

const MAIN = `compatibility_level = 3.6
config_directory = /etc/postfix
queue_directory = /var/spool/postfix
default_process_limit = 100
inet_interfaces = all
inet_protocols = all
myhostname = mail.example.org
multi_instance_directories =
message_size_limit = 10240000
command_time_limit = 1000s
content_filter =
smtpd_timeout = 300s
smtpd_enforce_tls = no
smtpd_tls_security_level =
smtpd_tls_wrappermode = no
smtpd_authorized_xforward_hosts =
smtpd_upstream_proxy_protocol =
smtpd_proxy_filter = 127.0.0.1:10025
smtpd_proxy_options =
smtpd_proxy_timeout = 100s
127.0.0.1:10025_time_limit = 3620s
`;

const OWN = `127.0.0.1:10026/inet/smtpd_proxy_filter =
127.0.0.1:10026/inet/smtpd_authorized_xforward_hosts = 127.0.0.0/8
127.0.0.1:10026/inet/smtpd_tls_security_level = none
`;

const SMTP = "smtp       inet  n       -       y       -       20      smtpd\n";
const SECOND = "127.0.0.1:10026 inet n - n - - smtpd -o smtpd_proxy_filter= " +
  "-o smtpd_authorized_xforward_hosts=127.0.0.0/8 -o smtpd_tls_security_level=none\n";
const OTHERS = "cleanup    unix  n       -       y       -       0       cleanup\n";

/** What to make wrong, or otherwise different. */
export interface Changes {
  readonly mode?: "spawn" | "listen";
  /** Lines of `postconf -x` and of `postconf -xP`, over the healthy ones. */
  readonly main?: string;
  readonly own?: string;
  /** Changes the output of `postconf -M`. */
  readonly master?: (text: string) => string;
  /** The options of postprox, with HOST:PORT. */
  readonly options?: string;
  readonly user?: string;
  readonly postfix?: NoPostfix;
  /** By address, over the healthy dialogues. */
  readonly dialogues?: Readonly<Record<string, Dialogue>>;
  readonly look?: Partial<Look>;
  /** Over a healthy path, for each use. */
  readonly path?: Partial<PathLook> & Pick<PathLook, "use">;
  /** Only Postfix tells of a postprox. */
  readonly isUnasked?: true;
  /** The options have no -l. */
  readonly isBeside?: true;
  readonly running?: readonly Running[];
  readonly files?: Partial<Pick<PostconfOutput, "mainFile" | "masterFile">>;
  readonly isRoot?: boolean;
  readonly send?: string;
}

export const OPTIONS = "-c /usr/local/bin/filter -d /var/spool/postprox --log=/var/log/postprox/log 127.0.0.1:10026";

export function postfixOf({ mode = "spawn", main = "", own = "", master = (text) => text, options, files }: Changes) {
  const spawn = `127.0.0.1:10025 inet n n n - 20 spawn user=postprox argv=/usr/sbin/postprox ${options ?? OPTIONS}\n`;
  return new Postfix({
    main: MAIN + main,
    own: OWN + own,
    master: master(SMTP + OTHERS + (mode === "spawn" ? spawn : "") + SECOND),
    services: new Map([["smtp", 25]]),
    ...files,
  });
}

export const step = (command: string, reply: string, lines?: readonly string[]): Step => ({
  command,
  code: Number(reply.slice(0, 3)),
  reply,
  ...lines ? { lines } : {},
});

const EHLO = step("EHLO x", "250 x", ["x", "SIZE 10240000", "XFORWARD NAME ADDR"]);
const HEALTHY: Dialogue = {
  steps: [
    step("", "220 x ESMTP"),
    EHLO,
    step("XFORWARD NAME=localhost", "250 2.0.0 Ok"),
    step("MAIL FROM:<>", "250 2.1.0 Ok"),
    step("RCPT TO:<postmaster>", "250 2.1.5 Ok"),
    step("RSET", "250 2.0.0 Ok"),
  ],
};

export async function factsOf(changes: Changes): Promise<Facts> {
  const { mode = "spawn", options = OPTIONS, user, isUnasked, running = [] } = changes;
  const postfix = changes.postfix ?? postfixOf(changes);
  const entry = postfix instanceof Postfix
    ? postfix.entries.find(({ name, command }) => command === "spawn" && name.endsWith(":10025"))
    : undefined;
  const words = options.split(" ");
  const listens = mode === "listen" && !words.includes("-l") && !changes.isBeside ? ["-l", "10025", ...words] : words;
  const read = await readStartOptions({ open: () => Promise.reject(new Error("no file")) }, listens);
  const known = { ...read, user: { name: user ?? "postprox", groups: "all" as const, from: "--user" } };
  const { stands, strayFronts } = findStands({
    postfix: postfix instanceof Postfix ? postfix : undefined,
    asked: isUnasked || entry ? undefined : { ...known, source: { kind: "command line" } },
    spawned: entry && mode === "spawn"
      ? [{ ...known, entry, program: ["/usr/sbin/postprox"], source: { kind: "master.cf", entry } }]
      : [],
    running,
  });
  const dialogues = new Map([["127.0.0.1:10025", HEALTHY], ["127.0.0.1:10026", HEALTHY]]);
  for (const [at, dialogue] of Object.entries(changes.dialogues ?? {})) dialogues.set(at, dialogue);
  const looks = new Map(stands.map((stand) => [stand, lookOf(stand, changes)]));
  return {
    postfix,
    stands,
    strayFronts,
    dialogues,
    looks,
    me: { name: "root", isRoot: changes.isRoot ?? true },
    send: changes.send,
  };
}

function lookOf({ settings }: Stand, { path, look }: Changes): Look {
  const all = { canRead: true, canWrite: true, canExecute: true, isHidden: false };
  const healthy: PathLook[] = [
    { use: "program", option: "argv", path: "/usr/sbin/postprox", kind: "file", ...all },
    { use: "filter", option: "-c", path: "/usr/local/bin/filter", kind: "file", ...all },
    { use: "spool", option: "-d", path: "/var/spool/postprox", kind: "directory", ...all },
    { use: "log", option: "--log", path: "/var/log/postprox/log", kind: "missing", ...all },
    { use: "log directory", option: "--log", path: "/var/log/postprox/", kind: "directory", ...all },
    { use: "file", option: "--check-rules", path: "/etc/postprox/rules", kind: "file", ...all },
  ];
  const paths = healthy.map((one) => one.use === path?.use ? { ...one, ...path } : one);
  const log = { kind: "none" } as const;
  return { paths: settings ? paths : [], spoolRoom: 1e12, scanners: [], log, ...look };
}
