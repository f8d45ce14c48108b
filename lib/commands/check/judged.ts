// Judges the messages of a source, one after another, as a session would.
//
// Each message is spooled and judged with the time of --message-timeout. Nothing is delivered, and no copy is kept. Throws
// `IoError` if the source cannot be read, or if a message cannot be spooled.

import type { Judge } from "../../checks/check.ts";
import type { Judgement } from "../../mail/judgement.ts";
import { type Mail, messageOf } from "../../mail/message.ts";
import type { Clock, Files, Turn } from "../../ports/runtime.ts";
import { newSpoolName } from "../../spool/directory.ts";
import { SpoolFiles } from "../../spool/files.ts";
import type { Marks } from "../../spool/mark.ts";
import { Spool } from "../../spool/spool.ts";
import { CR, LF } from "../../text/octets.ts";
import { MailFileReader } from "./mail_file.ts";

export interface JudgingParts {
  readonly judge: Judge;
  readonly files: Files;
  readonly clock: Clock;
  readonly marks: Marks;
  readonly turn: Turn;
  readonly pid: number;
  /** Aborted when the user wants no more. */
  readonly stop: AbortSignal;
  readonly notice: (text: string) => void;
}

export interface JudgingOptions {
  readonly spoolDirectory: string;
  /** Milliseconds for one message. */
  readonly messageTimeout: number;
  /** The facts about each message except its content. */
  readonly mail: Mail;
}

export interface Judged {
  /** The number in an mbox, counted from 1; undefined if the source is one message. */
  readonly number: number | undefined;
  /** Octets, with LF line ends. */
  readonly size: number;
  readonly judgement: Judgement;
}

/** Judges all messages. `onRead` is called with the count of octets that were read. */
export async function* judgeAll(
  parts: JudgingParts,
  options: JudgingOptions,
  { chunks, onRead }: { chunks: AsyncIterable<Uint8Array>; onRead: (count: number) => void },
): AsyncGenerator<Judged> {
  const reader = new MailFileReader();
  let spooled: Spooled | undefined;
  let number = 0;
  try {
    for await (const chunk of ended(chunks)) {
      onRead(chunk?.length ?? 0);
      for (const { begins, octets } of chunk ? reader.push(chunk) : reader.end()) {
        if (begins) {
          if (spooled) yield await judge(parts, options, { spooled, number: reader.isMbox ? number : undefined });
          await spooled?.remove();
          number++;
          spooled = new Spooled(parts, options);
        }
        await spooled?.add(octets);
        if (parts.stop.aborted) return;
      }
    }
    if (spooled) yield await judge(parts, options, { spooled, number: reader.isMbox ? number : undefined });
  } finally {
    await spooled?.remove();
  }
}

async function* ended(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array | undefined> {
  yield* chunks;
  yield undefined;
}

async function judge(
  { judge, stop, notice }: JudgingParts,
  { messageTimeout, mail }: JudgingOptions,
  { spooled, number }: { spooled: Spooled; number: number | undefined },
): Promise<Judged> {
  const content = await spooled.settle();
  const judgement = await judge.judge(messageOf(mail, content), {
    signal: stop,
    limit: messageTimeout,
    notice,
    files: spooled.files,
  });
  return { number, size: content.size, judgement };
}

class Spooled {
  readonly files: SpoolFiles;
  readonly #spool: Spool;
  #crLines = 0;
  #last: number | undefined;

  constructor({ judge, files, marks, pid, turn }: JudgingParts, { spoolDirectory: directory }: JudgingOptions) {
    const name = newSpoolName(pid);
    this.files = new SpoolFiles(files, { directory, name, marks: judge.needsFile ? marks : undefined, turn });
    this.#spool = new Spool(this.files);
  }

  async add(octets: Uint8Array): Promise<void> {
    for (let at = 0; at < octets.length;) {
      const space = await this.#spool.space(octets.length - at);
      const part = octets.subarray(at, at + space.length);
      space.set(part);
      this.#spool.filled(part.length);
      at += part.length;
    }
    for (let at = octets.indexOf(LF); at !== -1; at = octets.indexOf(LF, at + 1)) {
      if ((at === 0 ? this.#last : octets[at - 1]) === CR) this.#crLines++;
    }
    this.#last = octets.at(-1) ?? this.#last;
  }

  async settle(): Promise<Spool> {
    await this.#spool.settle(this.#crLines);
    return this.#spool;
  }

  async remove(): Promise<void> {
    await this.#spool.remove();
  }
}
