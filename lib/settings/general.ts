// The settings that belong to no single check. Times are in milliseconds, sizes in octets.

import { SYSLOG } from "../log/sinks.ts";
import { choice, COUNT, COUNT_OR_0, DIRECTORY, FACTOR, SECONDS, SIZE } from "../options/kinds.ts";
import { counted, flag, option, optional, repeated, type SettingsOf } from "../options/table.ts";
import { LIST_NAME, LISTEN, LOG, NAME_SERVER } from "./kinds.ts";

export type GeneralSettings = SettingsOf<typeof GENERAL>;

export const GENERAL = {
  spool: {
    directory: option({
      short: "d",
      long: "tempdir",
      kind: DIRECTORY,
      default: "/tmp",
      group: "filter",
      help: "keep messages in DIR while they are checked (default {default})",
    }),
  },
  judging: {
    timeout: option({
      short: "t",
      long: "timeout",
      kind: SECONDS,
      default: 30_000,
      group: "filter",
      help: "stop COMMAND after SEC seconds (default {default})",
    }),
    rejectUnsure: flag({
      short: "r",
      long: "reject",
      group: "filter",
      help: "answer 451 when COMMAND fails or takes too long, instead of passing the message",
    }),
  },
  dns: {
    listNames: repeated({
      long: "list-name",
      kind: LIST_NAME,
      group: "checks",
      help: "say TEXT to strangers in place of ZONE, which may hold a key; may be repeated",
    }),
    server: optional({
      long: "dns-server",
      kind: NAME_SERVER,
      group: "checks",
      help: "ask this name server instead of those of /etc/resolv.conf",
    }),
    timeout: option({
      long: "dns-timeout",
      kind: SECONDS,
      default: 5_000,
      group: "checks",
      help: "give up a DNS lookup after so long (default {default}); the mail then passes that check",
    }),
  },
  listen: {
    address: optional({
      short: "l",
      long: "listen",
      kind: LISTEN,
      group: "running",
      help: "accept connections there (default IP 127.0.0.1), in the background, instead of on standard input",
    }),
    foreground: flag({
      long: "foreground",
      group: "running",
      help: "with -l: do not go into the background",
    }),
    maxClients: option({
      long: "max-clients",
      kind: COUNT,
      default: 1000,
      group: "limits",
      help: "with -l: serve at most N clients at a time (default {default}); one more gets 421",
    }),
  },
  log: {
    target: option({
      long: "log",
      kind: LOG,
      default: SYSLOG,
      group: "running",
      help: "write the log to {default} (the default), syslog:SOCKET, stderr or a file",
    }),
    verbosity: counted({
      short: "v",
      long: "verbose",
      group: "running",
      help: "log a line for each message; twice: each command and its reply too",
    }),
  },
  session: {
    bareNewline: option({
      long: "bare-newline",
      kind: choice("accept", "reject"),
      default: "accept",
      group: "filter",
      help: "what to do with a message that has a bare CR or LF (default {default}: made harmless and passed)",
    }),
    deferRcptRefusals: flag({
      long: "defer-rcpt-refusals",
      group: "checks",
      help: "say a refusal of a sender or a recipient at the end of data, for Postfix's speed_adjust",
    }),
    tarpitAfter: option({
      long: "tarpit-after",
      kind: COUNT_OR_0,
      default: 0,
      group: "checks",
      help: "after N RCPT commands of a session let each further command wait (default {default}: never)",
    }),
    tarpitDelay: option({
      long: "tarpit-delay",
      kind: SECONDS,
      default: 2_000,
      group: "checks",
      help: "the first of them waits so long (default {default})",
    }),
    tarpitMultiplier: option({
      long: "tarpit-multiplier",
      kind: FACTOR,
      default: 1.5,
      group: "checks",
      help: "each further one waits FACTOR times longer than the one before (default {default})",
    }),
    tarpitMax: option({
      long: "tarpit-max",
      kind: SECONDS,
      default: 30_000,
      group: "checks",
      help: "but none longer than this (default {default})",
    }),
    maxMessageSize: optional({
      long: "max-message-size",
      kind: SIZE,
      group: "limits",
      help: "refuse larger messages with 552 (octets, or with K, M, G; default: no limit of our own)",
    }),
    messageTimeout: option({
      long: "message-timeout",
      kind: SECONDS,
      default: 90_000,
      group: "limits",
      help: "answer a message this soon after its end, filter included (default {default})",
    }),
    clientTimeout: option({
      long: "client-timeout",
      kind: SECONDS,
      default: 300_000,
      group: "limits",
      help: "hang up on a client that is silent for so long (default {default})",
    }),
    sessionTimeout: option({
      long: "session-timeout",
      kind: SECONDS,
      default: 3_600_000,
      group: "limits",
      help: "hang up after so long, whatever the client does (default {default})",
    }),
    connectTimeout: option({
      long: "connect-timeout",
      kind: SECONDS,
      default: 30_000,
      group: "limits",
      help: "wait so long for a connection to HOST:PORT and its greeting (default {default})",
    }),
    replyTimeout: option({
      long: "reply-timeout",
      kind: SECONDS,
      default: 300_000,
      group: "limits",
      help: "wait so long for a reply of HOST:PORT (default {default})",
    }),
    dotTimeout: option({
      long: "dot-timeout",
      kind: SECONDS,
      default: 600_000,
      group: "limits",
      help: "wait so long for its reply to a message (default {default}, within --message-timeout)",
    }),
    keepalive: option({
      long: "keepalive",
      kind: SECONDS,
      // Postfix under stress hangs up after 10 s of silence (smtpd_timeout).
      default: 5_000,
      group: "limits",
      help: "send NOOP to HOST:PORT when it has been idle for so long (default {default})",
    }),
  },
};
