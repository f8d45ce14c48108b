// `postprox quarantine release ID… HOST:PORT`: sends kept messages to a server after all.
//
// A message is locked meanwhile, so that nobody sends it twice. Its copy is removed only after the server's 2xx.
// Recipients that the server refused stay in it. Before the final dot the record says that the message is on its way.
// If the process is killed after the dot, `list` shows that the message may have been delivered.

import { formatAddress } from "../../ports/address.ts";
import { IoError } from "../../ports/io_error.ts";
import type { File } from "../../ports/runtime.ts";
import { lockMessage, readEntry } from "../../quarantine/contents.ts";
import { NULL_SENDER, type QuarantineRecord } from "../../quarantine/record.ts";
import { removeCopy, replaceRecord } from "../../quarantine/store.ts";
import { readChunks } from "../../spool/content.ts";
import {
  deliver,
  type DeliveryOptions,
  type DeliveryPorts,
  isSayable,
  type Outcome,
  type RefusedRecipient,
} from "./deliver.ts";
import type { Place } from "./place.ts";

export interface Release {
  readonly place: Place;
  readonly ports: DeliveryPorts;
  readonly options: DeliveryOptions;
}

/** The result for one message: words for people, `outcome` for programs. */
interface Told {
  readonly outcome: "released" | "partly" | "refused" | "failed" | "unknown" | "missing" | "busy";
  readonly words: string;
  readonly reply?: string;
  readonly refused?: readonly RefusedRecipient[];
  /** Why the copy is still there although the message was delivered. */
  readonly failure?: string;
}

export async function release(release: Release, ids: readonly string[]): Promise<void> {
  const { report } = release.place;
  for (const id of ids) {
    const { words, ...told } = await releaseOne(release, id);
    if (report.isJson) await report.result("", { id, ...told, ...told.outcome === "released" ? {} : { why: words } });
    if (told.outcome !== "released" || told.failure !== undefined) report.problem(`${id} ${words}`);
    else if (!report.isJson) await report.result(`${id} ${words}`, {});
  }
}

async function releaseOne(release: Release, id: string): Promise<Told> {
  const { files, directory } = release.place;
  let lock: File | undefined;
  try {
    lock = await lockMessage(files, directory, id);
    if (!lock) {
      return { outcome: "busy", words: "not released: somebody else is at work on it, or it cannot be locked" };
    }
    // It reads this only now, because the process that had the lock may have released the message.
    const entry = await readEntry(files, directory, id);
    if (!entry) return MISSING;
    if ("damage" in entry) return failed(`it cannot be trusted: ${entry.damage}`);
    return await send(release, { record: entry.record, file: lock });
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    if (error.kind === "missing" && !await readEntry(files, directory, id)) return MISSING;
    return failed(error.message);
  } finally {
    lock?.close();
  }
}

const MISSING: Told = { outcome: "missing", words: "is not in the quarantine" };

function failed(why: string): Told {
  return { outcome: "failed", words: `not released: ${why}` };
}

interface Kept {
  readonly record: QuarantineRecord;
  readonly file: File;
}

async function send(release: Release, { record, file }: Kept): Promise<Told> {
  const { place: { files, directory, report }, ports, options } = release;
  const { id, sender, recipients, size, attempt } = record;
  if (sender === null || !(sender === NULL_SENDER || isSayable(sender))) {
    return failed("its sender cannot be said in SMTP");
  }
  if (attempt) {
    const { server, time } = attempt;
    report.note(`${id} may become a duplicate: a release to ${server} at ${time} has no known outcome`);
  }
  let isMarked = false;
  const outcome = await deliver(ports, options, {
    sender: sender === NULL_SENDER ? "" : sender,
    recipients,
    chunks: () => readChunks(file, size),
    beforeDot: async (accepted) => {
      isMarked = true;
      const time = new Date().toISOString();
      const server = formatAddress(options.server);
      await replaceRecord(files, directory, { ...record, attempt: { time, server, recipients: accepted } });
    },
  });
  return await settle(release, { record, outcome, isMarked });
}

async function settle(
  { place: { files, directory } }: Release,
  { record, outcome, isMarked }: { record: QuarantineRecord; outcome: Outcome; isMarked: boolean },
): Promise<Told> {
  const unmark = async () => isMarked ? await failureOf(replaceRecord(files, directory, record)) : undefined;
  const { recipients } = record;
  switch (outcome.kind) {
    case "failed":
      return withFailure(failed(outcome.why), await unmark());
    case "refused": {
      const { what, reply, refused } = outcome;
      const words = `not released: the server refused ${what}: ${reply}`;
      return withFailure({ outcome: "refused", words, reply, refused }, await unmark());
    }
    case "unknown": {
      const words = `may have been released, and stays: a further release may make a duplicate: ${outcome.why}`;
      return { outcome: "unknown", words, refused: outcome.refused };
    }
    case "delivered": {
      const { reply, refused } = outcome;
      if (refused.length === 0) {
        const failure = await failureOf(removeCopy(files, directory, record.id));
        return withFailure({ outcome: "released", words: `released: ${reply}`, reply }, failure);
      }
      const left = { ...record, recipients: refused.map(({ recipient }) => recipient) };
      const failure = await failureOf(replaceRecord(files, directory, left));
      const taken = recipients.length - refused.length;
      const each = refused.map(({ recipient, reply }) => `<${recipient}>: ${reply}`).join("; ");
      const words = `released to ${taken} of ${recipients.length} recipients: ${reply}; the others stay: ${each}`;
      return withFailure({ outcome: "partly", words, reply, refused }, failure);
    }
  }
}

async function failureOf(deed: Promise<void>): Promise<string | undefined> {
  try {
    await deed;
    return undefined;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return error.message;
  }
}

function withFailure(told: Told, failure: string | undefined): Told {
  if (failure === undefined) return told;
  const wasSent = told.outcome === "released" || told.outcome === "partly";
  const hint = wasSent
    ? "its copy still names all recipients, so do not release it again"
    : "its copy is marked as sent";
  return { ...told, failure, words: `${told.words}; but ${hint}: ${failure}` };
}
