// The text of main.cf and master.cf for the end-to-end tests: pure functions, which write and start nothing.
//
// The entries are those of Postfix's SMTPD_PROXY_README and of the README of postprox, with a log name for each of the
// two SMTP servers and a table of addresses that may not get mail. Nothing can leave the machine: there is no smtp(8),
// and error(8) answers for other domains. The before-filter server knows about bare newlines. The after-filter server
// is as trusting as Postfix was before 2023. So only the proxy protects it from smuggled mail.

/** The domain of all mailboxes. */
export const DOMAIN = "e2e.example";

/** The owners of mailboxes. `name+tag@DOMAIN` belongs to `name`. */
export const MAILBOXES = ["alice", "bob", "carol"];

/** Only the after-filter server refuses this mailbox. */
export const REFUSED_LATE = "carol";

/** The after-filter server's cleanup(8) answers this to a message with `X-After: refuse`. */
export const REFUSED_BY_CLEANUP = "550 5.7.1 Refused by the after-filter server";

export interface Places {
  /** The instance's directory. */
  dir: string;
  /** The owner of the Maildirs. */
  uid: number;
  gid: number;
}

export function mainCf({ dir, uid, gid }: Places): string {
  const mailboxes = MAILBOXES.map((name) => `{${name}@${DOMAIN} = ${name}/}`).join(", ");
  return `compatibility_level = 3.6
queue_directory = ${dir}/queue
data_directory = ${dir}/data
maillog_file = ${dir}/maillog
maillog_file_prefixes = ${dir}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.${DOMAIN}
mydestination =
mynetworks = 127.0.0.1/32
alias_maps =
alias_database =
biff = no
in_flow_delay = 0
notify_classes =
recipient_delimiter = +
smtpd_peername_lookup = no
smtpd_relay_restrictions = reject_unauth_destination
smtpd_forbid_bare_newline = normalize
smtpd_forbid_bare_newline_exclusions =
header_checks = regexp:${dir}/etc/header_checks
virtual_mailbox_domains = ${DOMAIN}
virtual_mailbox_base = ${dir}/mail
virtual_mailbox_maps = inline:{ ${mailboxes} }
virtual_minimum_uid = 1
virtual_uid_maps = static:${uid}
virtual_gid_maps = static:${gid}
local_transport = error:nothing is local here
default_transport = error:nothing leaves this machine
after_filter_refuses = inline:{ {${REFUSED_LATE}@${DOMAIN} = 554 5.7.1 Not after the filter} }
`;
}

export function headerChecks(): string {
  return `/^X-After: refuse/ REJECT ${REFUSED_BY_CLEANUP.split(" ").slice(2).join(" ")}\n`;
}

export function masterCf(entries: readonly string[]): string {
  return SERVICES + entries.join("");
}

export interface BeforeFilter {
  port: number;
  /** As smtpd_proxy_filter takes it: `127.0.0.1:PORT` or `unix:PATH`. */
  proxy: string;
  speedAdjust: boolean;
  /** smtpd_proxy_timeout, where it is not Postfix's own 100 s. */
  patience?: string;
  /** How many connections one client may have. There are twice as many processes. */
  connections?: number;
}

/** The server that strangers talk to. */
export function beforeFilter({ port, proxy, speedAdjust, patience, connections = 10 }: BeforeFilter): string {
  return `127.0.0.1:${port} inet n - n - ${2 * connections} smtpd
    -o syslog_name=postfix/before
    -o smtpd_proxy_filter=${proxy}
    -o smtpd_client_connection_count_limit=${connections}
` + (speedAdjust ? "    -o smtpd_proxy_options=speed_adjust\n" : "") +
    (patience === undefined ? "" : `    -o smtpd_proxy_timeout=${patience}\n`);
}

/** A server for strangers with a milter at `HOST:PORT`, and no proxy. */
export function milterServer(port: number, milter: string, connections = 10): string {
  return `127.0.0.1:${port} inet n - n - ${2 * connections} smtpd
    -o syslog_name=postfix/milter
    -o smtpd_milters=inet:${milter}
    -o milter_default_action=tempfail
    -o smtpd_client_connection_count_limit=${connections}
`;
}

/** postprox under spawn(8), on a port of 127.0.0.1 or, by name, on a socket in Postfix's private directory. */
export function spawnedProxy(where: number | string, user: string, words: readonly string[]): string {
  const service = typeof where === "number" ? `127.0.0.1:${where} inet n` : `${where} unix -`;
  return `${service} n n - 20 spawn
    user=${user} argv=${words.join(" ")}
`;
}

/** The server that gets from the proxy what has passed. */
export function afterFilter(port: number): string {
  return `127.0.0.1:${port} inet n - n - - smtpd
    -o syslog_name=postfix/after
    -o smtpd_authorized_xforward_hosts=127.0.0.0/8
    -o smtpd_client_restrictions=
    -o smtpd_helo_restrictions=
    -o smtpd_sender_restrictions=
    -o smtpd_relay_restrictions=
    -o smtpd_recipient_restrictions=check_recipient_access,$after_filter_refuses,permit_mynetworks,reject
    -o smtpd_data_restrictions=
    -o smtpd_end_of_data_restrictions=
    -o smtpd_client_connection_count_limit=0
    -o smtpd_client_connection_rate_limit=0
    -o smtpd_junk_command_limit=100000
    -o smtpd_soft_error_limit=10000
    -o smtpd_hard_error_limit=100000
    -o smtpd_error_sleep_time=0
    -o smtpd_forbid_bare_newline=no
    -o smtpd_proxy_filter=
    -o mynetworks=127.0.0.0/8
    -o receive_override_options=no_unknown_recipient_checks
`;
}

const SERVICES = `cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
`;
