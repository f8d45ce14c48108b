// Finds out all facts: Postfix's configuration, what answers at the addresses, what the user of postprox may do.
//
// Everything has a time limit, and nothing changes the system. The one message that may be sent is that of --send.

import { loadChecks } from "../../../settings/load_checks.ts";
import type { Settings } from "../../../settings/settings.ts";
import type { Logger } from "../../../log/logger.ts";
import { IoError } from "../../../ports/io_error.ts";
import type { Address, Runtime } from "../../../ports/runtime.ts";
import { StartError } from "../../../ports/start_error.ts";
import { keyOf } from "../addresses.ts";
import { type Dialogue, type Facts, isPostfix, type Look, type Me, type RunUser, type Stand } from "../facts.ts";
import { readStartOptions, splitStart } from "../options.ts";
import { pathsOf } from "../paths.ts";
import type { Postfix } from "../postfix.ts";
import { findStands, type Known, type Spawned } from "../stands.ts";
import { hold } from "./dialogue.ts";
import { lookAtLog, roomIn } from "./look_at_machine.ts";
import { lookAtMe, lookAtPaths } from "./look_at_paths.ts";
import { lookAtPostfix } from "./look_at_postfix.ts";
import { lookAtProcesses } from "./look_at_processes.ts";
import { askScanners } from "./look_at_scanners.ts";
import { formatTestMessage } from "./test_message.ts";

export interface LookOptions {
  /** The options of the doctor itself, if they say anything of a postprox. */
  readonly asked: Known | undefined;
  /** The address of --send. */
  readonly send: string | undefined;
}

/** The default of --connect-timeout, and a moment more. Without a connection, postprox says 421 after it. */
const GREETING_LIMIT = 35_000;
const REPLY_LIMIT = 30_000;

/** A server behind postprox that takes longer is of no use. */
const SECOND_LIMIT = 10_000;

export async function look(runtime: Runtime, { asked, send }: LookOptions): Promise<Facts> {
  const [postfix, me] = await Promise.all([lookAtPostfix(runtime), lookAtMe(runtime)]);
  const spawned = isPostfix(postfix) ? await spawnedOf(runtime, postfix) : [];
  const running = await lookAtProcesses(runtime, runtime.pid);
  const isNothingKnown = !asked && spawned.length === 0 && running.length === 0;
  const { stands, strayFronts } = findStands({
    postfix: isPostfix(postfix) ? postfix : undefined,
    asked: isNothingKnown ? await packaged(runtime) : asked,
    spawned,
    running,
  });
  const host = isPostfix(postfix) ? postfix.value("myhostname") || "localhost" : "localhost";
  const message = formatTestMessage({
    host,
    recipient: send ?? "postmaster",
    now: new Date(),
    id: crypto.randomUUID(),
  });
  const [dialogues, looks] = await Promise.all([
    holdAll(runtime, { stands, strays: strayFronts.map(({ at }) => at), host, send, message }),
    lookAtAll(runtime, stands, { postfix: isPostfix(postfix) ? postfix : undefined, me, message }),
  ]);
  return { postfix, stands, strayFronts, dialogues, looks, me, send };
}

/** The configuration file of the packages, if it names an address of -l: the service may be down. */
async function packaged({ files }: Runtime): Promise<Known | undefined> {
  const path = "/etc/postprox/postprox.conf";
  try {
    await files.stat(path);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return undefined;
  }
  const options = await readStartOptions(files, [`--config=${path}`]);
  const { address, user } = options.settings?.listen ?? {};
  if (!address) return undefined;
  const as = user === undefined ? {} : { user: { name: user, groups: "all" as const, from: path } };
  return { ...options, source: { kind: "file", path }, ...as };
}

/** The postproxes that spawn(8) starts. */
async function spawnedOf({ files, processes }: Runtime, postfix: Postfix): Promise<Spawned[]> {
  const found: Spawned[] = [];
  for (const entry of postfix.entries.filter(({ command }) => command === "spawn")) {
    const argv = entry.args.findIndex((word) => word.startsWith("argv="));
    if (argv === -1) continue;
    const words = [entry.args[argv]!.slice("argv=".length), ...entry.args.slice(argv + 1)].filter(Boolean);
    const start = splitStart(words, processes.selfWords());
    if (!start) continue;
    const { downstream, ...options } = await readStartOptions(files, start.options);
    // spawn(8) starts programs in the queue directory.
    const isInQueue = downstream?.transport === "unix";
    found.push({
      ...options,
      downstream: isInQueue ? { ...downstream, path: postfix.inQueue(downstream.path) } : downstream,
      entry,
      program: start.program,
      source: { kind: "master.cf", entry },
      user: userOf(entry.args),
    });
  }
  return found;
}

function userOf(args: readonly string[]): RunUser | undefined {
  const word = args.find((word) => word.startsWith("user="))?.slice("user=".length);
  if (!word) return undefined;
  const [name = "", group] = word.split(":");
  return { name, ...group === undefined ? {} : { group }, groups: "one", from: "user= in master.cf" };
}

interface Holding {
  readonly stands: readonly Stand[];
  readonly strays: readonly Address[];
  readonly host: string;
  readonly send: string | undefined;
  readonly message: string;
}

async function holdAll(
  runtime: Runtime,
  { stands, strays, host, send, message }: Holding,
): Promise<Map<string, Dialogue>> {
  const through = new Map<string, { at: Address; limit: number }>();
  for (const { at, settings } of stands) {
    const limit = settings ? settings.session.connectTimeout + 5000 : GREETING_LIMIT;
    if (at) through.set(keyOf(at), { at, limit });
  }
  for (const at of strays) through.set(keyOf(at), { at, limit: GREETING_LIMIT });
  // One test message is enough.
  const [first] = through.keys();
  const recipient = send ?? "postmaster";
  const before = [...through].map(async ([key, { at, limit }]) => {
    const options = {
      name: host,
      recipient,
      greetingLimit: limit,
      replyLimit: send === undefined ? REPLY_LIMIT : 100_000,
    };
    const withMessage = send !== undefined && key === first ? { ...options, message } : options;
    return [key, await hold(runtime, at, withMessage)] as const;
  });
  const behind = new Map(stands.flatMap(({ downstream }) => downstream ? [[keyOf(downstream), downstream]] : []));
  const after = [...behind].filter(([key]) => !through.has(key)).map(async ([key, at]) => {
    const dialogue = await hold(runtime, at, { name: host, greetingLimit: SECOND_LIMIT, replyLimit: SECOND_LIMIT });
    return [key, dialogue] as const;
  });
  return new Map(await Promise.all([...before, ...after]));
}

interface Looking {
  readonly postfix: Postfix | undefined;
  readonly me: Me;
  readonly message: string;
}

async function lookAtAll(runtime: Runtime, stands: readonly Stand[], looking: Looking): Promise<Map<Stand, Look>> {
  return new Map(
    await Promise.all(stands.map(async (stand) => [stand, await lookAtOne(runtime, stand, looking)] as const)),
  );
}

async function lookAtOne(runtime: Runtime, stand: Stand, { postfix, me, message }: Looking): Promise<Look> {
  const { settings, user, mode, isForeign = false } = stand;
  const named = pathsOf(stand, postfix?.value("queue_directory"));
  const spool = named.find(({ use }) => use === "spool")?.path;
  const seen = await lookAtPaths(runtime, named, { me, user, isSpawned: mode === "spawn" });
  // To read another kind of file may never end.
  const areFiles = seen.paths.every(({ use, kind }) => use !== "file" || kind === "file" || kind === "missing");
  const [spoolRoom, log, scanners, startError] = await Promise.all([
    spool === undefined ? undefined : roomIn(runtime, spool),
    settings ? lookAtLog(runtime, settings) : { kind: "none" as const },
    settings ? askScanners(runtime, settings, { text: message, isForeign }) : { scanners: [] },
    settings && areFiles ? whyNoStart(runtime, settings) : undefined,
  ]);
  return { ...seen, spoolRoom, log, ...scanners, startError };
}

const NO_LOG: Logger = { verbosity: 0, write: () => {}, reopen: () => {}, flush: () => Promise.resolve() };

/** Loads the checks as a start would, but starts nothing. The directories are looked at without writing there. */
async function whyNoStart(runtime: Runtime, settings: Settings): Promise<string | undefined> {
  const { judging } = settings;
  const actions = judging.actions.filter(([, action]) => action !== "quarantine");
  const asked = { ...settings, judging: { ...judging, actions }, quarantine: { directory: undefined } };
  try {
    const { judge } = await loadChecks({ runtime, logger: NO_LOG, isTrial: true }, asked);
    await judge.retire?.();
    return undefined;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return error.message;
  }
}
