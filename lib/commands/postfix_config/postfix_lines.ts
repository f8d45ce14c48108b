// The lines of main.cf and master.cf that --postfix-config prints, with their comments. Pure.
//
// Postfix's own sockets are `private/NAME` and `public/NAME` in its queue directory. All its programs run there. Only
// Postfix reaches a private socket. The group postdrop reaches a public one, too. Sources: postconf(5), master(5),
// spawn(8), SMTPD_PROXY_README and MILTER_README of Postfix.

import { formatAddress } from "../../ports/address.ts";
import type { Address } from "../../ports/runtime.ts";
import type { Settings } from "../../settings/settings.ts";
import { USER } from "./systemd_unit.ts";
import { formatMasterWord } from "./words.ts";

/** How long Postfix waits for a reply of its proxy (smtpd_proxy_timeout). In milliseconds. */
const PROXY_TIMEOUT = 100_000;

/** How long spawn(8) lets a program run (command_time_limit). In milliseconds. */
const COMMAND_TIME_LIMIT = 1_000_000;

/** Postfix must wait this much longer than postprox, because a busy machine is late. In milliseconds. */
const MARGIN = 10_000;

/** The default limits of local(8) and virtual(8) for a mailbox. In octets. */
const MAILBOX_LIMIT = 51_200_000;

/** Postfix's default queue directory. */
const QUEUE_DIRECTORY = "/var/spool/postfix/";

// The manual page can show lines of this width in an example.
const LINE_WIDTH = 73;

/** The last two parts of the path of a socket in Postfix's queue directory; undefined for other addresses. */
export function postfixSocket(address: Address): { folder: "private" | "public"; name: string } | undefined {
  if (address.transport !== "unix") return undefined;
  const [, folder, name] = /^(?:\/.*\/)?(private|public)\/([^/]+)$/.exec(address.path) ?? [];
  return name === undefined ? undefined : { folder: folder as "private" | "public", name };
}

/** The two ways to connect Postfix and postprox. */
export type PostfixMode = "spawn" | "listen";

/** The lines for main.cf if postprox listens at `listen`. */
export function mainCf(mode: PostfixMode, listen: Address, { session, rules }: Settings): string {
  const { messageTimeout, connectTimeout, tarpitAfter, tarpitMax, sessionTimeout, maxMessageSize } = session;
  const parts = [
    `# This holds for every SMTP server of master.cf. To leave a server without
# filter, give it "-o smtpd_proxy_filter=" there.
${chrootNote(listen)}
smtpd_proxy_filter = ${proxyFilter(listen)}
`,
  ];
  const patience = MARGIN +
    Math.max(messageTimeout, connectTimeout, rules.delay, tarpitAfter === 0 ? 0 : tarpitMax);
  if (patience > PROXY_TIMEOUT) {
    parts.push(`# This is longer than postprox takes. A sender may leave after 600 s.
smtpd_proxy_timeout = ${Math.ceil(patience / 1000)}s
`);
  }
  const lifetime = sessionTimeout + 2 * MARGIN;
  if (mode === "spawn" && lifetime > COMMAND_TIME_LIMIT) {
    parts.push(`# After ${COMMAND_TIME_LIMIT / 1000} s spawn(8) would try to kill a session, even during a
# message. --session-timeout ends the session in good order.
${serviceName(listen)}_time_limit = ${Math.ceil(lifetime / 1000)}s
`);
  }
  if (maxMessageSize !== undefined) {
    parts.push(`# The same as --max-message-size. Strangers hear this limit. The queue
# needs 1.5 times as much free space. queue_minfree, if set, must be as
# large, too.
message_size_limit = ${maxMessageSize}
`);
  }
  if (maxMessageSize !== undefined && maxMessageSize > MAILBOX_LIMIT) {
    parts.push(`# If these are smaller than that, local(8) and virtual(8) deliver nothing.
# The default of both is ${MAILBOX_LIMIT}. 0 is no limit.
mailbox_size_limit = 0
virtual_mailbox_limit = 0
`);
  }
  return `# ---- /etc/postfix/main.cf: add ${parts.length === 1 ? "this line" : "these lines"}
${parts.join("\n")}`;
}

/** The value of smtpd_proxy_filter that reaches postprox at `listen`. */
export function proxyFilter(listen: Address): string {
  if (listen.transport === "unix") {
    const socket = postfixSocket(listen);
    if (socket) return `unix:${socket.folder}/${socket.name}`;
    // This path is right inside a chroot, too.
    return `unix:${isInQueue(listen.path) ? listen.path.slice(QUEUE_DIRECTORY.length) : listen.path}`;
  }
  // A program that listens on every address can be reached at the loopback address.
  const host = listen.host === "0.0.0.0" ? "127.0.0.1" : listen.host === "::" ? "::1" : listen.host;
  return formatAddress({ ...listen, host });
}

function chrootNote(listen: Address): string {
  if (listen.transport !== "unix" || postfixSocket(listen) || isInQueue(listen.path)) return "";
  return `# These servers must not run chrooted: master.cf must have "n" in their
# fifth column. Debian has "y" there.
`;
}

function isInQueue(path: string): boolean {
  return path.startsWith(QUEUE_DIRECTORY);
}

export function masterCf(entries: readonly string[]): string {
  return `# ---- /etc/postfix/master.cf: add these lines at the end

${entries.join("\n")}`;
}

/** The addresses of postprox and of the server behind it. */
export interface Ends {
  readonly listen: Address;
  readonly downstream: Address;
}

/** How spawn(8) starts postprox: the program's own words, then the words of the options, then HOST:PORT. */
export interface SpawnEntry extends Ends {
  readonly program: readonly string[];
  readonly handedOn: readonly (readonly string[])[];
  /** How many sessions run at a time. */
  readonly processes: number;
}

export function spawnEntry({ listen, downstream, program, handedOn, processes }: SpawnEntry): string {
  const user = postfixSocket(downstream) ? `user=${USER}:postdrop` : `user=${USER}`;
  const [first = "", ...rest] = program;
  const units = [[user, `argv=${first}`, ...rest], ...handedOn].map((words) => words.map(formatMasterWord));
  const braces = units.flat().some((word) => word.startsWith("{")) ? "# Words in { } need Postfix 3.0.\n" : "";
  return `# The filter. At most ${processes} sessions run at a time. Without speed_adjust,
# a client has a session from its first RCPT to its end of data.
${braces}${service(listen)}  n       n       -       ${processes}      spawn
${continuationLines(units.map((words) => words.join(" ")))}
`;
}

// Name, type and "private" of an entry in master.cf. "-" stands for the default of "private": yes.
function service(address: Address): string {
  const socket = postfixSocket(address);
  if (!socket) return `${serviceName(address)} inet n`;
  return `${socket.name} unix ${socket.folder === "private" ? "-" : "n"}`;
}

function serviceName(address: Address): string {
  return postfixSocket(address)?.name ?? formatAddress(address);
}

// A line of master.cf that begins with a blank continues the entry. But Postfix drops it if its first other character
// is "#". So each line begins with an option or with HOST:PORT, never with a value.
function continuationLines(units: readonly string[]): string {
  const lines: string[] = [];
  for (const unit of units) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + unit.length <= LINE_WIDTH) lines[lines.length - 1] = `${last} ${unit}`;
    else lines.push(`    ${unit}`);
  }
  return lines.join("\n");
}

/** The entry of the server behind postprox if it is on this host. Otherwise a comment says what that server needs. */
export function secondServer(downstream: Address): string {
  const at = formatAddress(downstream);
  const socket = postfixSocket(downstream);
  const isHere = downstream.transport === "tcp" && /^(?:127\.[0-9.]+|::1|localhost\.?)$/i.test(downstream.host);
  if (!socket && !isHere) {
    return `# The server behind the filter, ${at}, is not set up here. Its
# smtpd_authorized_xforward_hosts and mynetworks must name this host. Its
# smtpd_timeout must be 300s. Its restrictions should not judge again the
# mail that the server in front has accepted.
`;
  }
  // Postfix takes a client at a unix socket for 127.0.0.1.
  const isV4 = downstream.transport === "unix" || downstream.host.startsWith("127.");
  const networks = isV4 ? "127.0.0.0/8" : "127.0.0.0/8,[::1]/128";
  return `# The server behind the filter. It queues the mail. Never let it listen on
# an address that strangers can reach.
# The milters of main.cf run in the server in front, but that shows them no
# message. Here they would take 127.0.0.1 for the client: OpenDKIM would
# sign the mail of strangers. See "Milters" in the README.
${service(downstream)}  -       n       -       -       smtpd
    -o smtpd_proxy_filter=
    -o smtpd_upstream_proxy_protocol=
    -o smtpd_authorized_xforward_hosts=${networks}
    -o smtpd_tls_security_level=none
    -o smtpd_milters=
    -o smtpd_timeout=300s
    -o smtpd_client_restrictions=
    -o smtpd_helo_restrictions=
    -o smtpd_sender_restrictions=
    -o smtpd_relay_restrictions=
    -o smtpd_recipient_restrictions=permit_mynetworks,reject
    -o smtpd_data_restrictions=
    -o smtpd_end_of_data_restrictions=
    -o smtpd_client_connection_count_limit=0
    -o smtpd_client_connection_rate_limit=0
    -o smtpd_junk_command_limit=100000
    -o smtpd_soft_error_limit=10000
    -o smtpd_hard_error_limit=100000
    -o smtpd_error_sleep_time=0
    -o mynetworks=${networks}
    -o receive_override_options=no_unknown_recipient_checks
`;
}
