// Keeps messages for the policy of the checks, within a time limit.
//
// An fsync may take longer than the client waits for its reply. Then `keep` throws in time, and the copy is removed as
// soon as the disk allows it. The client has heard that the message was not taken, and sends it again.

import type { Message } from "../mail/message.ts";
import { IoError } from "../ports/io_error.ts";
import type { Clock, Files } from "../ports/runtime.ts";
import { type Reply, replyText } from "../smtp/reply.ts";
import { newId } from "./names.ts";
import { NULL_SENDER, type QuarantineRecord } from "./record.ts";
import { writeCopy } from "./store.ts";

/** The reason to keep a message. */
export interface Reason {
  /** The decision about it: reject, discard or quarantine. */
  readonly outcome: string;
  /** The name of the check. */
  readonly check: string;
  /** The reason why it does not pass, for the log. */
  readonly reason: string;
  /** The reply that the client hears. */
  readonly reply: Reply;
}

export class Quarantine {
  readonly #clock: Clock;
  readonly #files: Files;
  readonly #directory: string;

  constructor({ clock, files }: { clock: Clock; files: Files }, directory: string) {
    this.#clock = clock;
    this.#files = files;
    this.#directory = directory;
  }

  /** Keeps `message` as it came, within `limit` milliseconds. Returns its id when it is on disk. Throws `IoError`. */
  async keep(message: Message, why: Reason, { limit }: { limit: number }): Promise<string> {
    const now = Date.now();
    const record = recordOf(message, why, now);
    let late: IoError | undefined;
    const goOn = () => {
      if (late) throw late;
    };
    const { promise: deadline, reject } = Promise.withResolvers<never>();
    const cancel = this.#clock.after(Math.max(0, limit), () => {
      reject(late = new IoError("timeout", `no time was left to keep the message in ${this.#directory}`));
    });
    const chunks = () => message.chunks();
    const writing = writeCopy(this.#files, this.#directory, { record, chunks, goOn });
    // When the time is over, nobody awaits the outcome.
    writing.catch(() => {});
    try {
      await Promise.race([writing, deadline]);
    } finally {
      cancel();
    }
    return record.id;
  }
}

function recordOf({ id: session, envelope, client, size }: Message, why: Reason, now: number): QuarantineRecord {
  const { sender, recipients } = envelope;
  const { name, helo } = client.facts;
  return {
    id: newId(now),
    time: new Date(now).toISOString(),
    session,
    outcome: why.outcome,
    check: why.check,
    reason: why.reason,
    reply: replyText(why.reply),
    client: client.address ?? null,
    client_name: name ?? null,
    helo: helo ?? null,
    sender: sender === undefined ? null : sender === "" ? NULL_SENDER : sender,
    recipients,
    size,
  };
}
