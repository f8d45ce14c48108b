// What --postfix-config prints: the lines of main.cf and master.cf that put postprox, with the options of this command
// line, before Postfix's queue; for listen mode a systemd unit and the start command too. Pure.
//
// Each part begins with a comment line `# ---- FILE: ...` and is what to paste there as it is; what else has to be done
// stands in comments, commands behind `#` and three blanks. Postfix starts programs in its queue directory, so a
// relative path throws a `UsageError`, and so does what master.cf cannot hold.
// Known gap: a unix socket on our side would need rights that differ from machine to machine; it is refused.

import { formatAddress } from "../address.ts";
import { quote } from "../log/logger.ts";
import type { Address } from "../runtime/ports.ts";
import { isOwnServerAsWritten } from "../modes/own_server.ts";
import { type Options, type PostfixMode, UsageError } from "./options.ts";
import { formatUnit, LOG_DIRECTORY, MAKE_USER, type UnitParts, USER } from "./systemd_unit.ts";
import type { OptionRow } from "./table.ts";

/** A command line that has --postfix-config in it. */
export interface GivenCommandLine {
  readonly options: Options;
  /** The options, in order, each with the text of its value. */
  readonly given: readonly { readonly row: OptionRow; readonly text: string }[];
  /** HOST:PORT, as it was written. */
  readonly operand: string;
}

/** How to start the program: where it listens, its own words, and then those of each option and of HOST:PORT. */
interface Start {
  readonly listen: Address;
  readonly program: readonly string[];
  readonly handedOn: readonly (readonly string[])[];
}

const USUAL_LISTEN: Address = { transport: "tcp", host: "127.0.0.1", port: 10025 };

/** How many sessions spawn(8) has at a time where --max-clients says nothing. */
const USUAL_PROCESSES = 20;

// Said anew by the printed lines, or of no use under the mode.
const NOT_HANDED_ON: Readonly<Record<PostfixMode, readonly string[]>> = {
  spawn: ["postfix-config", "listen", "foreground", "max-clients"],
  listen: ["postfix-config", "listen", "foreground"],
};

// Directories of all users are not ours to make.
const SHARED_DIRECTORIES = /^\/(?:var\/)?tmp\/*$/;

const SYSTEM_LOGS = "/var/log";

// What an example in the manual page can show.
const LINE_WIDTH = 73;

/** `program` is the words that start this program, as they would stand in front of its options. */
export function formatPostfixConfig({ options, given, operand }: GivenCommandLine, program: readonly string[]): string {
  const mode = options.postfixConfig ?? "spawn";
  const listen = options.listen ?? USUAL_LISTEN;
  const counting = given.filter(({ row, text }, at) =>
    row.value === undefined || row.isRepeatable ||
    (text !== "" && !given.slice(at + 1).some((later) => later.row === row))
  );
  checkPlaces(mode, options, { listen, counting });
  const handedOn = counting.filter(({ row }) => !NOT_HANDED_ON[mode].includes(row.long)).map(optionWords);
  const start: Start = { listen, program, handedOn: [...handedOn, [operand]] };
  const processes = counting.some(({ row }) => row.long === "max-clients") ? options.maxClients : USUAL_PROCESSES;
  const parts = mode === "spawn"
    ? [
      setUp(options, "one process for each message"),
      mainCf(listen),
      masterCf([spawnEntry(start, processes), secondServer(options.downstream)]),
    ]
    : [
      setUp(options, "one process for all messages"),
      unit(start, options),
      mainCf(listen),
      masterCf([secondServer(options.downstream)]),
    ];
  return [...parts, "# ---- then: postfix reload\n"].join("\n");
}

function checkPlaces(
  mode: PostfixMode,
  { tempdir, log, command, downstream }: Options,
  { listen, counting }: { listen: Address; counting: GivenCommandLine["given"] },
): void {
  const wrong = (what: string, hint: string) => {
    throw new UsageError(`option --postfix-config: ${what}: ${hint}`);
  };
  const absolute = "Postfix starts programs in a directory of its own, give a path that begins with /";
  if (!tempdir.startsWith("/")) wrong(`-d ${quote(tempdir)} is a relative path`, absolute);
  if (/^\.\.?\//.test(command)) wrong(`-c ${quote(command)} is a relative path`, absolute);
  if (log.kind === "file" && !log.path.startsWith("/")) wrong(`--log=${quote(log.path)} is a relative path`, absolute);
  for (const { row: { long, value }, text } of counting) {
    if (value === "FILE" && !text.startsWith("/")) wrong(`--${long}=${quote(text)} is a relative path`, absolute);
  }
  if (log.kind === "stderr" && mode === "spawn") {
    wrong("under spawn standard error is the client", "give --log=syslog or the path of a file");
  }
  if (listen.transport === "unix") wrong(`-l ${quote(formatAddress(listen))} is no TCP port`, "give [IP:]PORT");
  if (isOwnServerAsWritten(listen, downstream)) {
    wrong(`postprox itself is to listen at ${formatAddress(listen)}`, "give -l another port than HOST:PORT");
  }
}

function optionWords({ row, text }: GivenCommandLine["given"][number]): string[] {
  if (row.value === undefined) return [row.short ? `-${row.short}` : `--${row.long}`];
  return row.short ? [`-${row.short}`, text] : [`--${row.long}=${text}`];
}

// --- the parts

function setUp({ tempdir, log }: Options, how: string): string {
  const steps = [`id ${USER} ||`, ...MAKE_USER];
  if (!isShared(tempdir)) steps.push(...makeDirectory(tempdir, `-o ${USER} -m 0700`));
  if (log.kind === "file") {
    const file = shellWord(log.path);
    const owner = `-o ${USER} -g ${USER}`;
    const directory = directoryOf(log.path);
    if (directory !== SYSTEM_LOGS && !isShared(directory)) steps.push(...makeDirectory(directory, `${owner} -m 0750`));
    steps.push(`test -e ${file} ||`, `install ${owner} -m 0640 /dev/null ${file}`);
  }
  return `# postprox before the queue of Postfix: ${how}.
#
# ---- once, as root:
#
${steps.map((step) => `#   ${step}\n`).join("")}`;
}

function makeDirectory(path: string, rights: string): string[] {
  const directory = shellWord(path);
  return [`test -d ${directory} ||`, `install -d ${rights} ${directory}`];
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function isShared(directory: string): boolean {
  return SHARED_DIRECTORIES.test(directory);
}

function mainCf(listen: Address): string {
  return `# ---- /etc/postfix/main.cf: add this line
# It holds for every SMTP server of master.cf. One whose mail is not to be
# filtered gets "-o smtpd_proxy_filter=" there.

smtpd_proxy_filter = ${formatAddress(connectable(listen))}
`;
}

// Who listens at every address is reached at the loopback one.
function connectable(listen: Address): Address {
  if (listen.transport === "unix") return listen;
  const host = listen.host === "0.0.0.0" ? "127.0.0.1" : listen.host === "::" ? "::1" : listen.host;
  return { ...listen, host };
}

function masterCf(entries: readonly string[]): string {
  return `# ---- /etc/postfix/master.cf: add these lines at the end

${entries.join("\n")}`;
}

function spawnEntry({ listen, program, handedOn }: Start, processes: number): string {
  const [first = "", ...rest] = program;
  const units = [[`user=${USER}`, `argv=${first}`, ...rest], ...handedOn].map((words) => words.map(formatMasterWord));
  const braces = units.flat().some((word) => word.startsWith("{")) ? "# Words in { } need Postfix 3.0.\n" : "";
  return `# The filter. ${processes} is the number of sessions at a time: without
# speed_adjust, of clients from their first RCPT to their end of data.
${braces}${formatAddress(listen)} inet n  n       n       -       ${processes}      spawn
${continuationLines(units.map((words) => words.join(" ")))}
`;
}

// master.cf goes on in lines that begin with a blank, but drops one that has "#" as its first character after that. So a
// line begins with an option or with HOST:PORT, and never with a value.
function continuationLines(units: readonly string[]): string {
  const lines: string[] = [];
  for (const unit of units) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + unit.length <= LINE_WIDTH) lines[lines.length - 1] = `${last} ${unit}`;
    else lines.push(`    ${unit}`);
  }
  return lines.join("\n");
}

function secondServer(downstream: Address): string {
  const at = formatAddress(downstream);
  if (downstream.transport === "unix" || !/^(?:127\.[0-9.]+|::1|localhost\.?)$/i.test(downstream.host)) {
    return `# The server behind the filter, ${at}, is not set up here. Its
# smtpd_authorized_xforward_hosts and mynetworks have to name this host, and it
# should not restrict again what the server in front has let in.
`;
  }
  const networks = downstream.host.startsWith("127.") ? "127.0.0.0/8" : "127.0.0.0/8,[::1]/128";
  return `# The server behind the filter, which queues. Never let it listen on an
# address that strangers reach.
${at} inet n  -       n       -       -       smtpd
    -o smtpd_proxy_filter=
    -o smtpd_authorized_xforward_hosts=${networks}
    -o smtpd_tls_security_level=none
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

function unit(start: Start, options: Options): string {
  const words = ["-l", formatAddress(start.listen), ...start.handedOn.flat()];
  const inBackground = [...start.program, ...words].map(shellWord).join(" ");
  const foreground = [...start.program, "--foreground", ...words];
  return `# ---- /etc/systemd/system/postprox.service: make this file
# Then: systemctl daemon-reload; systemctl enable --now postprox
# It takes the place of a package's unit. To keep that one, make no file and put
# the words from -l on into POSTPROX_OPTIONS in /etc/default/postprox.
# Without systemd have this run at boot, as root. It returns when connections
# are accepted.
#
#   runuser -u ${USER} -- ${inBackground}
#
${formatUnit({ ...fences(start, options, foreground), execStart: foreground.map(unitWord).join(" ") })}`;
}

/** What the fences of the unit have to leave open for these words. */
function fences({ listen }: Start, { tempdir, log }: Options, words: readonly string[]): Omit<UnitParts, "execStart"> {
  const names = (directory: string) => words.some((word) => new RegExp(`(?<![\\w./-])${directory}/[^/]`).test(word));
  const places = log.kind === "file" ? [tempdir, directoryOf(log.path)] : [tempdir];
  return {
    about: ["postprox in listen mode, by postprox --postfix-config=listen."],
    writable: [...new Set(places)].filter((path) => !isShared(path) && path !== LOG_DIRECTORY),
    seesHome: names("/(?:home|root|run/user)"),
    seesTmp: names("/(?:var/)?tmp"),
    needsLowPort: listen.transport === "tcp" && listen.port < 1024,
  };
}

// --- words

/**
 * A word of a program's arguments as master.cf has to have it (master(5), Postfix 3.0). There is no quoting but `{ }`
 * around a word, which keeps blanks inside and strips those at its ends; braces count wherever they stand. Throws a
 * `UsageError`.
 */
export function formatMasterWord(word: string): string {
  const cannot = (why: string) => new UsageError(`option --postfix-config: ${quote(word)} ${why}: ${SCRIPT}`);
  checkCharacters(word);
  if (/^[ \t]|[ \t]$/.test(word)) throw cannot("begins or ends with a blank, which master.cf would lose");
  const wrapped = word === "" || word.startsWith("{") || /[ \t]/.test(word);
  let depth = 0;
  for (const character of word) {
    if (character === "{") depth++;
    if (character === "}") depth--;
    // Outside of braces a closing one is a character like any other.
    if (depth < 0 && wrapped) throw cannot("has a } without its {, which master.cf cannot hold");
    depth = Math.max(depth, 0);
  }
  if (depth > 0) throw cannot("has a { without its }, which master.cf cannot hold");
  return wrapped ? `{ ${word} }` : word;
}

const SCRIPT = "put it into a script and name that";

function checkCharacters(word: string): void {
  // deno-lint-ignore no-control-regex
  if (!/[\x00-\x08\x0a-\x1f\x7f]/.test(word)) return;
  throw new UsageError(`option --postfix-config: ${quote(word)} has a line end or control character: ${SCRIPT}`);
}

/** A word as sh(1) reads it back. */
export function shellWord(word: string): string {
  checkCharacters(word);
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A word as systemd.service(5) reads it back in ExecStart: its quotes, and `$` and `%` doubled. */
export function unitWord(word: string): string {
  checkCharacters(word);
  const plain = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  if (/^[A-Za-z0-9_@%+=:,./$-]+$/.test(plain)) return plain;
  return `"${plain.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\t", "\\t")}"`;
}
