// The settings that belong to no check. Times are in milliseconds, sizes in octets.

import { SYSLOG } from "../log/sinks.ts";
import { choice, COUNT, COUNT_OR_0, DIRECTORY, FACTOR, FILE, SECONDS, SIZE } from "../options/kinds.ts";
import { counted, flag, option, optional, repeated, type SettingsOf } from "../options/table.ts";
import {
  CHECK_ACTION,
  CHECK_ON_ERROR,
  EXIT_STATUSES,
  LIST_NAME,
  LISTEN,
  LOG,
  LOG_FORMAT,
  METRICS,
  MODE,
  NAME_SERVER,
  NETWORKS,
  PID_FILE,
  USER,
  WORKERS,
} from "./kinds.ts";

export type GeneralSettings = SettingsOf<typeof GENERAL>;

export const GENERAL = {
  config: {
    file: optional({
      long: "config",
      kind: FILE,
      group: "running",
      help: "read options from FILE, in lines name = value; the command line has precedence",
    }),
  },
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
      help: "answer 451 if COMMAND fails or takes too long, instead of passing the message",
    }),
    actions: repeated({
      long: "action",
      kind: CHECK_ACTION,
      group: "scanners",
      help: "what happens to a message that CHECK refuses: reject (the default), tempfail, discard, quarantine, tag " +
        "or log; may be repeated",
    }),
    onErrors: repeated({
      long: "on-error",
      kind: CHECK_ON_ERROR,
      group: "scanners",
      help: "what happens to a message if CHECK fails: pass (the default without -r) or tempfail; may be repeated",
    }),
    dryRun: flag({
      long: "dry-run",
      group: "scanners",
      help: "let all mail pass as it came, and say in the log what would be refused",
    }),
    bypass: repeated({
      long: "bypass",
      kind: NETWORKS,
      group: "scanners",
      help: "check no mail of clients in NETWORKS, such as 192.0.2.0/24,2001:db8::/32; may be repeated",
    }),
  },
  quarantine: {
    directory: optional({
      long: "quarantine",
      kind: DIRECTORY,
      group: "scanners",
      help: "keep a copy of each message that a check refuses for good or discards in DIR; see postprox quarantine",
    }),
  },
  scanning: {
    timeout: option({
      long: "scan-timeout",
      kind: SECONDS,
      default: 30_000,
      group: "scanners",
      help: "give the servers of a scanner this time for a message, all together (default {default})",
    }),
  },
  /** How programs that judge messages may answer, and change them. */
  programs: {
    allowDiscard: flag({
      long: "allow-discard",
      group: "filter",
      help: "let COMMAND answer with a 2xx code: the client hears it, the message goes nowhere",
    }),
    strictExit: flag({
      long: "strict-exit",
      group: "filter",
      help: "treat exit status 1 of COMMAND as a failure unless its last line begins with a 4xx or 5xx code",
    }),
    exitStatuses: repeated({
      long: "exit-status",
      kind: EXIT_STATUSES,
      group: "filter",
      help: "give exit statuses of COMMAND, such as 69,100-110, a meaning: reject, tempfail, discard, pass or fail; " +
        "may be repeated",
    }),
    editInPlace: flag({
      long: "edit-in-place",
      group: "filter",
      help: "let COMMAND change the file EMAIL, and send the changed file",
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
      help: "ask this name server instead of those in /etc/resolv.conf",
    }),
    timeout: option({
      long: "dns-timeout",
      kind: SECONDS,
      default: 5_000,
      group: "checks",
      help: "give up a DNS lookup after this time (default {default}); the mail then passes that check",
    }),
  },
  listen: {
    address: optional({
      short: "l",
      long: "listen",
      kind: LISTEN,
      group: "running",
      help: "accept connections at this address (default IP 127.0.0.1), in the background",
    }),
    socketMode: optional({
      long: "socket-mode",
      kind: MODE,
      group: "running",
      help: "with -l: the permissions of unix sockets, in octal (default 0666: everybody may connect)",
    }),
    foreground: flag({
      long: "foreground",
      group: "running",
      help: "with -l: do not go into the background",
    }),
    pidFile: optional({
      long: "pid-file",
      kind: PID_FILE,
      group: "running",
      help: "with -l: write the process id to FILE when connections are accepted, and remove FILE at the end",
    }),
    user: optional({
      long: "user",
      kind: USER,
      group: "running",
      help: "with -l, started by root: become user NAME, with its groups only, as soon as the address is open",
    }),
    metrics: optional({
      long: "metrics",
      kind: METRICS,
      group: "running",
      help: "with -l: serve metrics for Prometheus, a status page and /healthz over HTTP at this address (default IP " +
        "127.0.0.1)",
    }),
    workers: optional({
      long: "workers",
      kind: WORKERS,
      group: "running",
      help: "with -l: serve in N processes (auto: one for each processor), which a supervisor replaces when they end",
    }),
    maxClients: option({
      long: "max-clients",
      kind: COUNT,
      default: 1000,
      group: "limits",
      help: "with -l: serve at most N clients at the same time (default {default}); others get 421",
    }),
    maxFilters: optional({
      long: "max-filters",
      kind: COUNT,
      group: "limits",
      help: "with -l: run at most N filters at the same time; other messages wait (default: 4 for each processor)",
    }),
    drainTimeout: option({
      long: "drain-timeout",
      kind: SECONDS,
      default: 30_000,
      group: "limits",
      help: "with -l: at the end, let sessions go on for this long before they get 421 (default {default})",
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
    format: option({
      long: "log-format",
      kind: LOG_FORMAT,
      default: "plain",
      group: "running",
      help: "write lines of text (plain, the default), or a JSON object on each line (json)",
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
      help: "accept or reject a message with a bare CR or LF (default {default}: make it harmless and pass it)",
    }),
    deferRcptRefusals: flag({
      long: "defer-rcpt-refusals",
      group: "checks",
      help: "refuse senders and recipients at the end of data, for Postfix's speed_adjust",
    }),
    tarpitAfter: option({
      long: "tarpit-after",
      kind: COUNT_OR_0,
      default: 0,
      group: "checks",
      help: "after N RCPT commands of a session, let each further command wait (default {default}: never)",
    }),
    tarpitDelay: option({
      long: "tarpit-delay",
      kind: SECONDS,
      default: 2_000,
      group: "checks",
      help: "tar pit: the first command waits this long (default {default})",
    }),
    tarpitMultiplier: option({
      long: "tarpit-multiplier",
      kind: FACTOR,
      default: 1.5,
      group: "checks",
      help: "tar pit: each next command waits FACTOR times longer than the one before it (default {default})",
    }),
    tarpitMax: option({
      long: "tarpit-max",
      kind: SECONDS,
      default: 30_000,
      group: "checks",
      help: "tar pit: no command waits longer than this (default {default})",
    }),
    maxMessageSize: optional({
      long: "max-message-size",
      kind: SIZE,
      group: "limits",
      help: "refuse larger messages with 552 (octets, or with K, M, G; default: only the limit of HOST:PORT)",
    }),
    messageTimeout: option({
      long: "message-timeout",
      kind: SECONDS,
      default: 90_000,
      group: "limits",
      help: "answer a message within this time after its end, filter included (default {default})",
    }),
    clientTimeout: option({
      long: "client-timeout",
      kind: SECONDS,
      default: 300_000,
      group: "limits",
      help: "end the session of a client that is silent for this long (default {default})",
    }),
    sessionTimeout: option({
      long: "session-timeout",
      kind: SECONDS,
      default: 3_600_000,
      group: "limits",
      help: "end a session after this time, whatever the client does (default {default})",
    }),
    connectTimeout: option({
      long: "connect-timeout",
      kind: SECONDS,
      default: 30_000,
      group: "limits",
      help: "wait this long for a connection to HOST:PORT and its greeting (default {default})",
    }),
    replyTimeout: option({
      long: "reply-timeout",
      kind: SECONDS,
      default: 300_000,
      group: "limits",
      help: "wait this long for a reply of HOST:PORT (default {default})",
    }),
    dotTimeout: option({
      long: "dot-timeout",
      kind: SECONDS,
      default: 600_000,
      group: "limits",
      help: "wait this long for the reply of HOST:PORT to a message (default {default}, within --message-timeout)",
    }),
    keepalive: option({
      long: "keepalive",
      kind: SECONDS,
      // Under stress, Postfix hangs up after 10 s of silence (smtpd_timeout).
      default: 5_000,
      group: "limits",
      help: "send NOOP to HOST:PORT when it has heard nothing for this long (default {default})",
    }),
  },
};
