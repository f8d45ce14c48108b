// No loss, no duplicate: sends messages with unique ids through a Postfix, postprox and a second Postfix while faults
// happen, and accounts for every one.
//
// The promise: a message with a 2xx is delivered exactly once. A message without a 2xx is delivered only if nobody
// could tell its client the outcome. Each such case must have an explanation, the first of these that holds:
//
//     logged    postprox's log says "possible duplicate" and names it
//     killed    SIGKILL ended the postprox that had it, so that could log nothing
//     before    the Postfix before the filter heard postprox's 2xx; its client did not wait for Postfix's
//
// Everything else is unexplained. Delivered means: the after-filter server accepted it under its own queue id, and it
// is whole in the Maildir. Postfix may deliver one queue file twice if it is stopped in between. That is not postprox's
// doing.

import { filesBelow, readOctets } from "../e2e/postfix.ts";
import { MAILBOXES } from "../e2e/postfix_config.ts";
import { startListeners, stopListeners } from "./ledger_bed.ts";
import { closeLedgerBed, downstreamSettled, type LedgerBed, openLedgerBed } from "./ledger_bed.ts";
import { lastLine, type Outcome, Sender } from "./ledger_sender.ts";
import { Random, type Stage } from "./ledger_stages.ts";

export interface LedgerOptions {
  readonly seed: number;
  readonly stages: readonly Stage[];
  readonly onProgress?: (stage: Stage, done: number) => void;
  /** A case without explanation is shown with the log lines about it. */
  readonly onUnexplained?: (text: string) => void;
}

/** One line of the ledger. */
export interface Row {
  readonly stage: Stage;
  accepted: number;
  refused: number;
  unanswered: number;
  /** Clients who waited, and had neither a reply nor the end of the connection within 20 s. */
  hung: number;
  delivered: { none: number; once: number; more: number };
  /** Accepted, and not delivered. */
  lost: number;
  /** Not accepted, and delivered: by what explains it. */
  logged: number;
  killed: number;
  before: number;
  unexplained: number;
}

export interface Ledger {
  readonly rows: Row[];
  /** Broken promises beside the rows, in words. */
  readonly complaints: string[];
  /** Messages with a line "possible duplicate", how many of their clients heard the reply, how many were not delivered. */
  readonly possibleDuplicates: { readonly all: number; readonly heard: number; readonly undelivered: number };
  readonly kills: number;
  /** Files in the Maildir beyond one for each queue id. */
  readonly redelivered: number;
}

interface Entry {
  readonly id: string;
  readonly stage: Stage;
  readonly outcome: Outcome;
}

// The before-filter servers and spawn(8) have 20 processes for each proxy.
const CLIENTS = 10;

// One in so many messages is larger than what postprox keeps in memory.
const LARGE_EVERY = 40;

// Lines that a killed process had not yet written to its log.
const LOG_DELAY = 50;

export function isKept({ rows, complaints }: Ledger): boolean {
  const broken = (row: Row) => row.lost + row.delivered.more + row.unexplained + row.hung > 0;
  return complaints.length === 0 && !rows.some(broken);
}

export async function runLedger(options: LedgerOptions): Promise<Ledger> {
  const bed = await openLedgerBed();
  try {
    const entries: Entry[] = [];
    for (const [i, stage] of options.stages.entries()) {
      entries.push(...await runStage(bed, stage, { ...options, number: i }));
    }
    await downstreamSettled(bed);
    await stopListeners(bed);
    const complaints = await sweptComplaints(bed);
    return account(bed, entries, { ...options, complaints });
  } finally {
    await closeLedgerBed(bed);
  }
}

// --- sending

async function runStage(
  bed: LedgerBed,
  stage: Stage,
  { seed, number, onProgress }: LedgerOptions & { number: number },
): Promise<Entry[]> {
  const random = new Random(seed * 1000 + number);
  const entries: Entry[] = [];
  let next = 0;
  const sendAll = async () => {
    const sender = new Sender();
    while (next < stage.count) {
      const id = `m${number}x${next++}`;
      const size = random.next() < 1 / LARGE_EVERY ? 300_000 : random.between(0, 4000);
      const plan = { ...stage.plan(random), id, size };
      const outcome = await sender.send(plan, bed.port(stage.front, stage.mode, random.pick(stage.proxies)));
      entries.push({ id, stage, outcome });
      onProgress?.(stage, entries.length);
      // A server that is down would use up all messages.
      if (outcome.end !== "accepted") await new Promise((resume) => setTimeout(resume, stage.trouble?.patience ?? 0));
    }
    await sender.leave();
  };
  let over = false;
  const makeTrouble = async ({ every, make }: NonNullable<Stage["trouble"]>) => {
    // In a short run too, twice at least.
    const interval = Math.min(every, Math.ceil(stage.count / 3));
    for (let last = 0; !over; last = next) {
      while (!over && next < last + interval) await new Promise((resume) => setTimeout(resume, 1));
      if (!over) await make(bed, random);
    }
  };
  const trouble = stage.trouble ? makeTrouble(stage.trouble) : Promise.resolve();
  trouble.catch(() => {}); // It is waited for below, but later.
  try {
    await Promise.all(Array.from({ length: CLIENTS }, sendAll));
  } finally {
    over = true;
    await trouble;
  }
  return entries;
}

// Each start sweeps what a SIGKILL has left, save for a file whose process id is in use again at that moment; ids move on,
// so that a further start finds it free. Then nothing may be there.
const SWEEPS = 4;

async function sweptComplaints(bed: LedgerBed): Promise<string[]> {
  let left: string[] = [];
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    await startListeners(bed);
    await stopListeners(bed);
    left = filesBelow(bed.installed.spool);
    if (left.length === 0) return [];
  }
  return [`files are left in the spool directory: ${left.join(" ")}`];
}

// --- accounting

function account(
  bed: LedgerBed,
  entries: readonly Entry[],
  { stages, complaints, onUnexplained }: LedgerOptions & { complaints: string[] },
): Ledger {
  const { delivered, redelivered, torn } = readMaildirs(bed);
  const log = readLogs(bed);
  const rows = new Map(stages.map((stage) => [stage, emptyRow(stage)]));
  for (const { id, stage, outcome } of entries) {
    const row = rows.get(stage)!;
    const times = delivered.get(id)?.size ?? 0;
    row[outcome.end]++;
    if (outcome.hung) row.hung++;
    row.delivered[times === 0 ? "none" : times === 1 ? "once" : "more"]++;
    if (outcome.end === "accepted") {
      if (times === 0) row.lost++;
      if (times !== 1) onUnexplained?.(describe(id, outcome, log));
    } else if (times > 0) {
      const why = explain(id, { bed, outcome, log });
      row[why]++;
      if (why === "unexplained") onUnexplained?.(describe(id, outcome, log));
    }
  }
  if (torn.length > 0) complaints.push(`delivered, but not whole: ${torn.join(" ")}`);
  const bugs = log.proxies.filter((line) => line.includes(": bug "));
  if (bugs.length > 0) complaints.push(`bugs in the log: ${bugs.join("\n")}`);
  const known = new Set(entries.map(({ id }) => id));
  const strangers = [...delivered.keys()].filter((id) => !known.has(id));
  if (strangers.length > 0) complaints.push(`delivered, but never sent: ${strangers.join(" ")}`);
  return {
    rows: [...rows.values()],
    complaints,
    possibleDuplicates: {
      all: log.possibleDuplicates.size,
      heard: entries.filter(({ id, outcome }) => outcome.end === "accepted" && log.possibleDuplicates.has(id)).length,
      undelivered: [...log.possibleDuplicates].filter((id) => !delivered.has(id)).length,
    },
    kills: bed.kills.length,
    redelivered,
  };
}

function emptyRow(stage: Stage): Row {
  const delivered = { none: 0, once: 0, more: 0 };
  const ends = { accepted: 0, refused: 0, unanswered: 0, hung: 0 };
  return { stage, ...ends, delivered, lost: 0, logged: 0, killed: 0, before: 0, unexplained: 0 };
}

function explain(
  id: string,
  { bed, outcome, log }: { bed: LedgerBed; outcome: Outcome; log: Logs },
): "logged" | "killed" | "before" | "unexplained" {
  if (log.possibleDuplicates.has(id)) return "logged";
  const served = log.servedBy.get(id);
  // If no line names the message, the process that had it could not write its lines any more.
  const wasInHand = ({ pid, at }: { pid: number; at: number }) =>
    (!served || served.has(pid)) && outcome.began <= at && at <= outcome.ended + LOG_DELAY;
  if (bed.kills.some(wasInHand)) return "killed";
  return log.acceptedBefore.has(id) ? "before" : "unexplained";
}

/** By id, the queue ids under which the after-filter server accepted it. */
function readMaildirs({ after }: LedgerBed) {
  const delivered = new Map<string, Set<string>>();
  const torn: string[] = [];
  let files = 0;
  for (const file of MAILBOXES.flatMap((name) => filesBelow(`${after.dir}/mail/${name}/new`))) {
    const text = readOctets(file);
    files++;
    const id = text.match(/^Delivered-To: alice\+(\w+)\./m)?.[1] ?? `(${file})`;
    const queueId = text.match(/^Received: .*\n(?:[ \t].*\n)*?[ \t].* with E?SMTP id (\w+)/m)?.[1] ?? `(${file})`;
    delivered.set(id, (delivered.get(id) ?? new Set()).add(queueId));
    if (!text.includes(`\n${lastLine(id)}\n`) || text.includes("half a message")) torn.push(id);
  }
  const queueIds = [...delivered.values()].reduce((sum, ids) => sum + ids.size, 0);
  return { delivered, torn, redelivered: files - queueIds };
}

interface Logs {
  /** All lines of all proxies. */
  readonly proxies: string[];
  /** The lines of the Postfix before the filter that say what postprox answered. */
  readonly near: string[];
  readonly possibleDuplicates: Set<string>;
  /** The pids of the proxies that passed its MAIL on. */
  readonly servedBy: Map<string, Set<number>>;
  /** Ids that got a 2xx from postprox, as the Postfix before it says. */
  readonly acceptedBefore: Set<string>;
}

function readLogs({ before, installed }: LedgerBed): Logs {
  const proxies = filesBelow(installed.logs).flatMap((file) => readOctets(file).split("\n"));
  const near = before.log().split("\n").filter((line) => line.includes("END-OF-MESSAGE"));
  const possibleDuplicates = new Set<string>();
  const servedBy = new Map<string, Set<number>>();
  for (const line of proxies) {
    const [_, pid, id] = line.match(/ postprox\[(\d+)\]: .*?sender\+(\w+)@/) ?? [];
    if (id === undefined) continue;
    servedBy.set(id, (servedBy.get(id) ?? new Set()).add(Number(pid)));
    if (line.includes(": possible duplicate: ")) possibleDuplicates.add(id);
  }
  const accepted = near.flatMap((line) =>
    line.match(/proxy-accept: END-OF-MESSAGE: 2.* from=<sender\+(\w+)@/)?.[1] ?? []
  );
  return { proxies, near, possibleDuplicates, servedBy, acceptedBefore: new Set(accepted) };
}

/** The log lines about a message. */
function describe(id: string, { end, began, ended }: Outcome, { proxies, near }: Logs): string {
  const session = (line: string) => line.match(/ postprox\[\d+\]: \w+: (\w+):/)?.[1];
  const sessions = new Set(proxies.filter((line) => line.includes(`sender+${id}@`)).map(session));
  const said = proxies.filter((line) => sessions.has(session(line)) && !line.includes("dialogue said=EHLO"));
  const heard = near.filter((line) => line.includes(`sender+${id}@`));
  const when = [began, ended].map((time) => new Date(time).toISOString()).join(" to ");
  return [`${id}: ${end}, ${when}`, ...said.map((line) => `  ${line}`), ...heard.map((line) => `  ${line}`)].join("\n");
}
