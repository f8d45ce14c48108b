// The output of --postfix-config: lines of main.cf and master.cf that put postprox, with the given options, before
// Postfix's queue. For listen mode it also has a systemd unit and the start command. Pure.
//
// With --config it also has the lines of that file: all settings that are not the default, from the file as it is now and
// from the command line. The other parts then only name the file.
//
// Each part begins with a comment line `# ---- FILE: ...`. Paste the part into that file as it is. Comments say what
// else is to be done. Commands in them stand after `#` and three blanks. postfix_lines.ts has the lines of the two
// files. Postfix starts programs in its queue directory, so a relative path throws a `UsageError`. So does a word that
// master.cf cannot hold.

import { formatAddress } from "../../ports/address.ts";
import { quote } from "../../text/quoting.ts";
import { isOwnServerAsWritten } from "../../modes/own_server.ts";
import type { Address } from "../../ports/runtime.ts";
import { UsageError } from "../../ports/start_error.ts";
import type { GivenSetting } from "../../options/command_line.ts";
import { FILE } from "../../options/kinds.ts";
import { configLines } from "../../settings/config_lines.ts";
import type { Settings } from "../../settings/settings.ts";
import { RESERVE_SHARE } from "../../session/message.ts";
import {
  type Ends,
  mainCf,
  masterCf,
  type PostfixMode,
  postfixSocket,
  secondServer,
  spawnEntry,
} from "./postfix_lines.ts";
import {
  formatUnit,
  LOG_DIRECTORY,
  MAKE_USER,
  QUARANTINE_DIRECTORY,
  RUNTIME_DIRECTORY,
  type UnitParts,
  USER,
} from "./systemd_unit.ts";
import { checkCharacters, shellWord, unitWord } from "./words.ts";

/** The parsed command line that the lines are made for. */
export interface PostfixLine {
  readonly mode: PostfixMode;
  readonly settings: Settings;
  /** The options, in order. Each has the text of its value. */
  readonly given: readonly GivenSetting[];
  /** HOST:PORT, as the command line has it. */
  readonly operand: string;
  readonly downstream: Address;
}

/** How to start the program: its own words, then the words of the options, then HOST:PORT. */
interface Start extends Ends {
  readonly program: readonly string[];
  readonly handedOn: readonly (readonly string[])[];
  /** The lines of the configuration file. */
  readonly config: readonly string[];
}

const USUAL_LISTEN: Address = { transport: "tcp", host: "127.0.0.1", port: 10025 };

/** How many sessions spawn(8) runs at a time without --max-clients. */
const USUAL_PROCESSES = 20;

// Other printed lines say these, or they have no effect in the mode.
const NOT_HANDED_ON: Readonly<Record<PostfixMode, readonly string[]>> = {
  spawn: [
    "listen",
    "foreground",
    "drain-timeout",
    "max-clients",
    "max-filters",
    "metrics",
    "pid-file",
    "socket-mode",
    "user",
    "workers",
  ],
  listen: ["listen", "foreground", "user"],
};

// All users share these directories, so the lines do not make them.
const SHARED_DIRECTORIES = /^\/(?:var\/)?tmp\/*$/;

const SYSTEM_LOGS = "/var/log";

// The first SMTP server runs as the user postfix.
const FOR_POSTFIX = `-o ${USER} -g postfix -m 0710`;

// Any user may read the file of --pid-file, and connect to the socket of --metrics.
const FOR_ALL = `-o ${USER} -m 0755`;

/** The unit of the packages reads this file. */
const PACKAGES_CONFIG = "/etc/postprox/postprox.conf";

const COMMENT_WIDTH = 79;

/** Formats the whole output. `program` is the words that start this program, without options. */
export function formatPostfixConfig(
  { mode, settings: asked, given, operand, downstream }: PostfixLine,
  program: readonly string[],
  notes: readonly string[] = [],
): string {
  const listen = asked.listen.address ?? USUAL_LISTEN;
  const counting = given.filter(({ row, text }, at) =>
    !row.kind || row.isRepeatable ||
    (text !== "" && !given.slice(at + 1).some((later) => later.row === row))
  );
  // Settings of a file are no words of the command line.
  const changed = asked.config.file === undefined ? [] : configLines(asked, { onlyChanged: true }).map(nameOf);
  const says = (name: string) => counting.some(({ row }) => row.long === name) || changed.includes(name);
  checkPlaces(mode, asked, { listen, downstream, counting });
  const settings = says("timeout") && !says("message-timeout") ? withTimeFor(asked) : asked;
  const { file } = settings.config;
  const handedOn = counting.filter(({ row }) => !NOT_HANDED_ON[mode].includes(row.long)).map(optionWords);
  if (settings !== asked) handedOn.push([`--message-timeout=${settings.session.messageTimeout / 1000}`]);
  const start: Start = {
    listen,
    downstream,
    program,
    handedOn: file === undefined ? [...handedOn, [operand]] : [[`--config=${file}`]],
    config: configFileLines(mode, settings, { listen, operand }),
  };
  const config = file === undefined ? [] : [configPart(file, mode, start.config)];
  const processes = says("max-clients") ? settings.listen.maxClients : USUAL_PROCESSES;
  const second = secondServer(downstream);
  const parts = mode === "spawn"
    ? [
      setUp(start, settings, { mode, notes }),
      ...config,
      mainCf(mode, listen, settings),
      masterCf([spawnEntry({ ...start, processes }), second]),
    ]
    : [
      setUp(start, settings, { mode, notes }),
      ...config,
      unit(start, settings),
      mainCf(mode, listen, settings),
      masterCf([second]),
    ];
  return [...parts, "# ---- then: postfix reload\n"].join("\n");
}

// Otherwise a -t that stands alone would be cut to its share of the default --message-timeout.
function withTimeFor(settings: Settings): Settings {
  const { judging, session } = settings;
  const needed = Math.ceil(judging.timeout / (1 - 2 * RESERVE_SHARE) / 1000 + 1) * 1000;
  if (needed <= session.messageTimeout) return settings;
  return { ...settings, session: { ...session, messageTimeout: needed } };
}

function checkPlaces(
  mode: PostfixMode,
  { spool, quarantine, log: { target }, command: { command }, listen: { pidFile, metrics, user } }: Settings,
  { listen, downstream, counting }: { listen: Address; downstream: Address; counting: readonly GivenSetting[] },
): void {
  const wrong = (what: string, hint: string) => {
    throw new UsageError(`option --postfix-config: ${what}: ${hint}`);
  };
  const absolute = "Postfix starts programs in a directory of its own, give a path that begins with /";
  if (!spool.directory.startsWith("/")) wrong(`-d ${quote(spool.directory)} is a relative path`, absolute);
  if (quarantine.directory !== undefined && !quarantine.directory.startsWith("/")) {
    wrong(`--quarantine=${quote(quarantine.directory)} is a relative path`, absolute);
  }
  if (/^\.\.?\//.test(command)) wrong(`-c ${quote(command)} is a relative path`, absolute);
  if (target.kind === "file" && !target.path.startsWith("/")) {
    wrong(`--log=${quote(target.path)} is a relative path`, absolute);
  }
  if (user !== undefined && user !== USER) {
    wrong(`--user=${quote(user)}, but the lines are for the user ${USER}`, "leave --user out");
  }
  if (pidFile !== undefined && mode === "listen") {
    if (!pidFile.startsWith("/")) wrong(`--pid-file=${quote(pidFile)} is a relative path`, absolute);
    if (/^\/(?:var\/)?run\/[^/]*$/.test(pidFile)) {
      const own = `give --pid-file=${RUNTIME_DIRECTORY}/postprox.pid`;
      wrong(`--pid-file=${quote(pidFile)}: only root makes files in that directory`, own);
    }
  }
  for (const { row: { long, kind }, text } of counting) {
    if (kind === FILE && !text.startsWith("/")) wrong(`--${long}=${quote(text)} is a relative path`, absolute);
  }
  if (target.kind === "stderr" && mode === "spawn") {
    wrong("under spawn standard error is the client", "give --log=syslog or the path of a file");
  }
  if (isOwnServerAsWritten(listen, downstream)) {
    wrong(`postprox itself is to listen at ${formatAddress(listen)}`, "give -l another port than HOST:PORT");
  }
  checkSockets(mode, listen, downstream, wrong);
  if (mode === "listen") checkMetrics(metrics, wrong);
}

function checkMetrics(metrics: Address | undefined, wrong: (what: string, hint: string) => void): void {
  if (metrics?.transport !== "unix") return;
  const at = `--metrics=${quote(formatAddress(metrics))}`;
  const own = `give --metrics=unix:${RUNTIME_DIRECTORY}/metrics.sock`;
  if (!metrics.path.startsWith("/")) wrong(`${at} is a relative path`, own);
  if (/^\/(?:var\/)?run\/[^/]*$/.test(metrics.path)) wrong(`${at}: only root makes sockets in that directory`, own);
}

function checkSockets(
  mode: PostfixMode,
  listen: Address,
  downstream: Address,
  wrong: (what: string, hint: string) => void,
): void {
  if (listen.transport === "unix") {
    const at = `-l ${quote(formatAddress(listen))}`;
    const own = `give -l unix:${RUNTIME_DIRECTORY}/postprox.sock`;
    const isPostfixs = postfixSocket(listen) !== undefined;
    if (mode === "spawn" && !isPostfixs) {
      wrong(`${at} is no place for a socket of Postfix`, "give -l unix:private/postprox");
    }
    if (mode === "listen" && isPostfixs) wrong(`${at} is for sockets that Postfix makes`, own);
    if (mode === "listen" && !listen.path.startsWith("/")) wrong(`${at} is a relative path`, own);
    if (/^\/(?:var\/)?run\/[^/]*$/.test(listen.path)) wrong(`${at}: only root makes sockets in that directory`, own);
  }
  if (downstream.transport === "unix") {
    const at = quote(formatAddress(downstream));
    const isPostfixs = postfixSocket(downstream);
    if (isPostfixs?.folder === "private") {
      wrong(`only Postfix itself reaches ${at}`, "give unix:/var/spool/postfix/public/NAME");
    }
    if (!downstream.path.startsWith("/") && !(mode === "spawn" && isPostfixs)) {
      wrong(`${at} is a relative path`, "give unix:/var/spool/postfix/public/NAME, or another path that begins with /");
    }
  }
}

function optionWords({ row, text }: GivenSetting): string[] {
  if (!row.kind) return [row.short ? `-${row.short}` : `--${row.long}`];
  return row.short ? [`-${row.short}`, text] : [`--${row.long}=${text}`];
}

// --- The parts

function setUp(
  { listen }: Start,
  { config: { file: config }, spool, quarantine, log: { target: log }, listen: own }: Settings,
  { mode, notes }: { mode: PostfixMode; notes: readonly string[] },
): string {
  const steps = [`id ${USER} ||`, ...MAKE_USER];
  if (config !== undefined && directoryOf(config) !== "/etc") {
    steps.push(...makeDirectory(directoryOf(config), "-m 0755"));
  }
  for (const directory of [spool.directory, ...quarantine.directory ? [quarantine.directory] : []]) {
    if (!isShared(directory)) steps.push(...makeDirectory(directory, `-o ${USER} -m 0700`));
  }
  if (log.kind === "file") {
    const file = shellWord(log.path);
    const owner = `-o ${USER} -g ${USER}`;
    const directory = directoryOf(log.path);
    if (directory !== SYSTEM_LOGS && !isShared(directory)) steps.push(...makeDirectory(directory, `${owner} -m 0750`));
    steps.push(`test -e ${file} ||`, `install ${owner} -m 0640 /dev/null ${file}`);
  }
  const socket = socketDirectory(listen);
  if (socket && runtimeDirectory(socket) === undefined) steps.push(...makeDirectory(socket, FOR_POSTFIX));
  for (const open of mode === "listen" ? openDirectories(own) : []) {
    if (runtimeDirectory(open) === undefined && !isShared(open)) steps.push(...makeDirectory(open, FOR_ALL));
  }
  const how = mode === "spawn" ? "one process for each message" : "one process for all messages";
  const noted = notes.map((note) => `#\n${wrapComment(note)}`).join("");
  return `# postprox before the queue of Postfix: ${how}.
${noted}#
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

/** The directory of the socket that postprox makes itself. */
function socketDirectory(listen: Address): string | undefined {
  return listen.transport === "unix" && !postfixSocket(listen) ? directoryOf(listen.path) : undefined;
}

/** The directories of what other users may reach: the file of --pid-file and the socket of --metrics. */
function openDirectories({ pidFile, metrics }: Settings["listen"]): string[] {
  const paths = [pidFile, metrics?.transport === "unix" ? metrics.path : undefined];
  return [...new Set(paths.flatMap((path) => path === undefined ? [] : directoryOf(path)))];
}

/** The name in /run of a directory that lasts as long as the service runs. */
function runtimeDirectory(directory: string): string | undefined {
  return /^\/(?:var\/)?run\/(.+)$/.exec(directory)?.[1];
}

function isShared(directory: string): boolean {
  return SHARED_DIRECTORIES.test(directory);
}

/** The lines of the configuration file, if --config names one. */
function configFileLines(
  mode: PostfixMode,
  settings: Settings,
  { listen, operand }: { listen: Address; operand: string },
): string[] {
  if (settings.config.file === undefined) return [];
  const given = { ...settings, listen: { ...settings.listen, foreground: false, address: listen } };
  const left = NOT_HANDED_ON[mode].filter((name) => mode === "spawn" || name !== "listen");
  const lines = configLines(given, { onlyChanged: true, nextHop: operand });
  lines.forEach(checkCharacters);
  return lines.filter((line) => !left.includes(nameOf(line)));
}

function configPart(file: string, mode: PostfixMode, lines: readonly string[]): string {
  return `# ---- ${file}: make this file
# It takes the place of the one that may be there.
# ${mode === "spawn" ? "Each process reads it at its start." : "After a change: systemctl reload postprox"}
#
${lines.map((line) => `${line}\n`).join("")}`;
}

function nameOf(configLine: string): string {
  return /^[^ ]*/.exec(configLine)![0];
}

function unit(start: Start, settings: Settings): string {
  const { file } = settings.config;
  const words = [...file === undefined ? ["-l", formatAddress(start.listen)] : [], ...start.handedOn.flat()];
  const inBackground = [...start.program, ...words].map(shellWord).join(" ");
  const groups = postfixSocket(start.downstream) ? " -G postdrop" : "";
  const socket = socketDirectory(start.listen);
  const open = openDirectories(settings.listen).filter((path) => path !== socket && runtimeDirectory(path));
  const steps = [
    ...socket && runtimeDirectory(socket) ? [`install -d ${FOR_POSTFIX} ${shellWord(socket)}`] : [],
    ...open.map((path) => `install -d ${FOR_ALL} ${shellWord(path)}`),
    `runuser -u ${USER}${groups} -- ${inBackground}`,
  ];
  return `# ---- /etc/systemd/system/postprox.service: make this file
# Then: systemctl daemon-reload; systemctl enable --now postprox
# It takes the place of a package's unit. To keep that one, make no file.
${keepingPackages(file)}# Without systemd, run this at boot as root. It returns when postprox accepts
# connections.
#
${steps.map((step) => `#   ${step}\n`).join("")}#
${
    formatUnit({
      ...fences(start, settings, [...start.program, ...words, ...start.config]),
      program: start.program.map(unitWord).join(" "),
      options: words.map(unitWord).join(" "),
    })
  }`;
}

function keepingPackages(file: string | undefined): string {
  if (file === undefined) return "# Then put the words from -l on into POSTPROX_OPTIONS in /etc/default/postprox.\n";
  if (file === PACKAGES_CONFIG) return "";
  return `# Then write the settings into ${PACKAGES_CONFIG} instead.\n`;
}

/** The permissions that the unit must give for these words. */
function fences(
  { listen, downstream }: Start,
  { spool, quarantine, log: { target }, listen: own }: Settings,
  words: readonly string[],
): Omit<UnitParts, "program" | "options"> {
  const names = (directory: string) => words.some((word) => new RegExp(`(?<![\\w./-])${directory}/[^/]`).test(word));
  const socket = socketDirectory(listen);
  const made = [socket, ...openDirectories(own)].filter((path) => path !== undefined);
  const logs = target.kind === "file" ? [directoryOf(target.path)] : [];
  const kept = quarantine.directory === undefined ? [] : [quarantine.directory];
  const places = [spool.directory, ...kept, ...logs, ...made.filter((path) => !runtimeDirectory(path))];
  return {
    about: ["postprox in listen mode, by postprox --postfix-config=listen."],
    writable: [...new Set(places)].filter((path) =>
      !isShared(path) && path !== LOG_DIRECTORY && path !== QUARANTINE_DIRECTORY
    ),
    runtimeDirectories: made.flatMap((path) => runtimeDirectory(path) ?? []),
    groups: postfixSocket(downstream) ? ["postdrop"] : [],
    seesHome: names("/(?:home|root|run/user)"),
    seesTmp: names("/(?:var/)?tmp"),
    needsLowPort: [listen, own.metrics].some((at) => at?.transport === "tcp" && at.port < 1024),
  };
}

function wrapComment(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= COMMENT_WIDTH) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(`# ${word}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}
