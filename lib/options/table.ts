// The one table of options: the parser, the help and everything else that names an option reads it.

import type { Options, PostfixMode } from "./options.ts";
import {
  parseChoice,
  parseCount,
  parseDirectory,
  parseDnsList,
  parseExitStatus,
  parseFactor,
  parseFile,
  parseListen,
  parseListName,
  parseLog,
  parseNameServer,
  parseSeconds,
  parseSize,
} from "./values.ts";

export interface OptionRow {
  readonly short?: string;
  readonly long: string;
  /** What stands for the value in the help; absent for an option without one. */
  readonly value?: string;
  /** The value may be left out: it follows a "=", or is the next word where that is one of the choices of `value`. */
  readonly valueIsOptional?: true;
  /** Each of several counts, not the last alone. */
  readonly isRepeatable?: true;
  readonly help: string;
  /** Under which heading the help lists it. */
  readonly group: "filter" | "checks" | "running" | "limits" | "information";
  /** Takes the option in, or, for one that only prints something, says what. Throws `UsageError`. */
  readonly set: ((options: Options, text: string) => void) | "help" | "license" | "version";
}

export const OPTIONS: readonly OptionRow[] = [
  {
    short: "c",
    long: "command",
    value: "COMMAND",
    group: "filter",
    help: "run COMMAND with sh -c on each message; without it all mail passes",
    set: (options, text) => options.command = text,
  },
  {
    short: "d",
    long: "tempdir",
    value: "DIR",
    group: "filter",
    help: "keep messages in DIR while they are checked (default /tmp)",
    set: (options, text) => options.tempdir = parseDirectory(text),
  },
  {
    short: "t",
    long: "timeout",
    value: "SEC",
    group: "filter",
    help: "stop COMMAND after SEC seconds (default 30)",
    set: (options, text) => options.timeout = parseSeconds(text),
  },
  {
    short: "r",
    long: "reject",
    group: "filter",
    help: "answer 451 when COMMAND fails or takes too long, instead of passing the message",
    set: (options) => options.reject = true,
  },
  {
    long: "allow-discard",
    group: "filter",
    help: "let COMMAND answer with a 2xx code: the client hears it, the message goes nowhere",
    set: (options) => options.allowDiscard = true,
  },
  {
    long: "strict-exit",
    group: "filter",
    help: "take exit status 1 of COMMAND for a failure unless its last line begins with a 4xx or 5xx code",
    set: (options) => options.strictExit = true,
  },
  {
    long: "exit-status",
    value: "CODES=WHAT",
    isRepeatable: true,
    group: "filter",
    help: "what exit statuses of COMMAND, such as 69,100-110, mean: reject, tempfail, discard, pass or fail; " +
      "may be repeated",
    set: (options, text) => {
      const { statuses, meaning } = parseExitStatus(text);
      for (const status of statuses) options.exitStatus.set(status, meaning);
    },
  },
  {
    long: "edit-in-place",
    group: "filter",
    help: "let COMMAND change the file EMAIL: what it leaves there is sent",
    set: (options) => options.editInPlace = true,
  },
  {
    long: "bare-newline",
    value: "accept|reject",
    group: "filter",
    help: "what to do with a message that has a bare CR or LF (default accept: made harmless and passed)",
    set: (options, text) => options.bareNewline = parseChoice(text, ["accept", "reject"]),
  },
  {
    long: "check-rules",
    value: "FILE",
    group: "checks",
    help: "allow or refuse each recipient by the rules in FILE (see postprox(8))",
    set: (options, text) => options.checkRules = parseFile(text),
  },
  {
    long: "rules-delay",
    value: "SEC",
    group: "checks",
    help: "wait so long before a refusal by deny_delay or noto_delay (default 30)",
    set: (options, text) => options.rulesDelay = parseSeconds(text),
  },
  {
    long: "filter-rules",
    value: "FILE",
    group: "checks",
    help: "refuse a message with a line that matches a regular expression in FILE (see postprox(8))",
    set: (options, text) => options.filterRules = parseFile(text),
  },
  {
    long: "extchk",
    value: "FILE",
    group: "checks",
    help: "have the program FILE judge each message (see postprox(8))",
    set: (options, text) => options.extchk = parseFile(text),
  },
  {
    long: "defer-rcpt-refusals",
    group: "checks",
    help: "say a refusal of a sender or a recipient at the end of data, for Postfix's speed_adjust",
    set: (options) => options.deferRcptRefusals = true,
  },
  {
    long: "tarpit-after",
    value: "N",
    group: "checks",
    help: "after N RCPT commands of a session let each further command wait (default 0: never)",
    set: (options, text) => options.tarpitAfter = text === "0" ? undefined : parseCount(text),
  },
  {
    long: "tarpit-delay",
    value: "SEC",
    group: "checks",
    help: "the first of them waits so long (default 2)",
    set: (options, text) => options.tarpitDelay = parseSeconds(text),
  },
  {
    long: "tarpit-multiplier",
    value: "FACTOR",
    group: "checks",
    help: "each further one waits FACTOR times longer than the one before (default 1.5)",
    set: (options, text) => options.tarpitMultiplier = parseFactor(text),
  },
  {
    long: "tarpit-max",
    value: "SEC",
    group: "checks",
    help: "but none longer than this (default 30)",
    set: (options, text) => options.tarpitMax = parseSeconds(text),
  },
  {
    long: "check-sender-domain",
    group: "checks",
    help: "refuse a sender that is no valid address, or whose domain has no MX and no address",
    set: (options) => options.checkSenderDomain = true,
  },
  {
    long: "dnsbl",
    value: "ZONE[=ADDRESSES]",
    isRepeatable: true,
    group: "checks",
    help: "refuse recipients of a client listed in ZONE; ADDRESSES (such as 127.0.0.2-11) are the answers that " +
      "count; may be repeated",
    set: (options, text) => options.dnsbl.push(parseDnsList(text)),
  },
  {
    long: "dnswl",
    value: "ZONE[=ADDRESSES]",
    isRepeatable: true,
    group: "checks",
    help: "let no --dnsbl refuse a client listed in ZONE; may be repeated",
    set: (options, text) => options.dnswl.push(parseDnsList(text)),
  },
  {
    long: "rhsbl",
    value: "ZONE[=ADDRESSES]",
    isRepeatable: true,
    group: "checks",
    help: "refuse recipients when ZONE has the domain of the sender; may be repeated",
    set: (options, text) => options.rhsbl.push(parseDnsList(text)),
  },
  {
    long: "list-name",
    value: "ZONE=TEXT",
    isRepeatable: true,
    group: "checks",
    help: "say TEXT to strangers in place of ZONE, which may hold a key; may be repeated",
    set: (options, text) => options.listNames.set(...parseListName(text)),
  },
  {
    long: "dns-server",
    value: "IP[:PORT]",
    group: "checks",
    help: "ask this name server instead of those of /etc/resolv.conf",
    set: (options, text) => options.dnsServer = parseNameServer(text),
  },
  {
    long: "dns-timeout",
    value: "SEC",
    group: "checks",
    help: "give up a DNS lookup after so long (default 5); the mail then passes that check",
    set: (options, text) => options.dnsTimeout = parseSeconds(text),
  },
  {
    short: "l",
    long: "listen",
    value: "[IP:]PORT",
    group: "running",
    help: "accept connections there (default IP 127.0.0.1), in the background, instead of on standard input",
    set: (options, text) => options.listen = parseListen(text),
  },
  {
    long: "foreground",
    group: "running",
    help: "with -l: do not go into the background",
    set: (options) => options.foreground = true,
  },
  {
    long: "log",
    value: "WHERE",
    group: "running",
    help: "write the log to syslog (the default), syslog:SOCKET, stderr or a file",
    set: (options, text) => options.log = parseLog(text),
  },
  {
    short: "v",
    long: "verbose",
    isRepeatable: true,
    group: "running",
    help: "log a line for each message; twice: each command and its reply too",
    set: (options) => options.verbosity++,
  },
  {
    long: "max-clients",
    value: "N",
    group: "limits",
    help: "with -l: serve at most N clients at a time (default 1000); one more gets 421",
    set: (options, text) => options.maxClients = parseCount(text),
  },
  {
    long: "max-message-size",
    value: "SIZE",
    group: "limits",
    help: "refuse larger messages with 552 (octets, or with K, M, G; default: no limit of our own)",
    set: (options, text) => options.maxMessageSize = parseSize(text),
  },
  {
    long: "message-timeout",
    value: "SEC",
    group: "limits",
    help: "answer a message this soon after its end, filter included (default 90)",
    set: (options, text) => options.messageTimeout = parseSeconds(text),
  },
  {
    long: "client-timeout",
    value: "SEC",
    group: "limits",
    help: "hang up on a client that is silent for so long (default 300)",
    set: (options, text) => options.clientTimeout = parseSeconds(text),
  },
  {
    long: "session-timeout",
    value: "SEC",
    group: "limits",
    help: "hang up after so long, whatever the client does (default 3600)",
    set: (options, text) => options.sessionTimeout = parseSeconds(text),
  },
  {
    long: "connect-timeout",
    value: "SEC",
    group: "limits",
    help: "wait so long for a connection to HOST:PORT and its greeting (default 30)",
    set: (options, text) => options.connectTimeout = parseSeconds(text),
  },
  {
    long: "reply-timeout",
    value: "SEC",
    group: "limits",
    help: "wait so long for a reply of HOST:PORT (default 300)",
    set: (options, text) => options.replyTimeout = parseSeconds(text),
  },
  {
    long: "dot-timeout",
    value: "SEC",
    group: "limits",
    help: "wait so long for its reply to a message (default 600, within --message-timeout)",
    set: (options, text) => options.dotTimeout = parseSeconds(text),
  },
  {
    long: "keepalive",
    value: "SEC",
    group: "limits",
    help: "send NOOP to HOST:PORT when it has been idle for so long (default 5)",
    set: (options, text) => options.keepalive = parseSeconds(text),
  },
  {
    long: "postfix-config",
    value: "spawn|listen",
    valueIsOptional: true,
    group: "information",
    help: "show the lines for main.cf and master.cf that put postprox with these options before Postfix's queue",
    set: (options, text) => options.postfixConfig = parseChoice<PostfixMode>(text || "spawn", ["spawn", "listen"]),
  },
  { short: "h", long: "help", group: "information", help: "show this help", set: "help" },
  { short: "L", long: "license", group: "information", help: "show the license", set: "license" },
  { short: "V", long: "version", group: "information", help: "show the version", set: "version" },
];
