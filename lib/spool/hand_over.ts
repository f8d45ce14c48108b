// The files that a program gets besides the message: a copy that it may change, a place for its own version, the
// recipients.
//
// The files belong to the message and are removed with it. All I/O failures are thrown as `IoError`.

import type { Content, MessageFile } from "../mail/message.ts";
import { IoError } from "../ports/io_error.ts";
import { bytesOf } from "../text/octets.ts";
import type { SpoolEnding } from "./directory.ts";
import type { SpoolFiles } from "./files.ts";
import { giveFile, orMissing, versionIn } from "./given_file.ts";

// A recipient is at most as long as a command line: 2048 octets.
const RECIPIENTS_AT_A_TIME = 100;

/** A copy of a message. A program may change it, and the message stays as it is. */
export function giveCopy(files: SpoolFiles, content: Content): Promise<MessageFile> {
  return copyIn(files, "edit", content);
}

/** Like `content`; but if a program removed its file or put it elsewhere, the next program gets another file. */
export function withFileInPlace(files: SpoolFiles, content: Content): Content {
  let given: Promise<MessageFile> | undefined;
  const give = async (): Promise<MessageFile> => {
    const file = await content.file();
    const isThere = await orMissing(files.disk.stat(file.path)) !== undefined;
    return isThere && await file.isIntact() ? file : await copyIn(files, "eml", content);
  };
  const { size, lineEnds, crLines } = content;
  return { size, lineEnds, crLines, chunks: () => content.chunks(), file: () => given ??= give() };
}

async function copyIn(files: SpoolFiles, ending: SpoolEnding, content: Content): Promise<MessageFile> {
  const { path, file } = await files.create(ending);
  try {
    for await (const chunk of content.chunks()) await file.append(chunk);
    return await giveFile(files, { path, file, content });
  } finally {
    file.close();
  }
}

/** An empty file for a program's own version of a message. */
export class Outfile {
  readonly path: string;
  readonly #files: SpoolFiles;

  static async in(files: SpoolFiles): Promise<Outfile> {
    const { path, file } = await files.create("out");
    file.close();
    return new Outfile(files, path);
  }

  private constructor(files: SpoolFiles, path: string) {
    this.#files = files;
    this.path = path;
  }

  /**
   * The version of `message` that a program has written there; undefined if it wrote nothing. Throws `IoError` if it is
   * no regular file.
   */
  async written({ crLines }: Content): Promise<Content | undefined> {
    const now = await orMissing(this.#files.disk.stat(this.path));
    // A program may remove the file if it does not need it.
    if (!now) return undefined;
    if (now.kind !== "file") throw new IoError("other", `${this.path} is no regular file`);
    return now.size === 0 ? undefined : await versionIn(this.#files, this.path, { size: now.size, crLines });
  }
}

/** The path of a file with the `recipients`, each on a line that ends with LF. No recipient contains an LF. */
export async function giveRecipients(files: SpoolFiles, recipients: readonly string[]): Promise<string> {
  const { path, file } = await files.create("rcpt");
  try {
    for (let at = 0; at < recipients.length; at += RECIPIENTS_AT_A_TIME) {
      const some = recipients.slice(at, at + RECIPIENTS_AT_A_TIME);
      await file.append(bytesOf(some.map((recipient) => `${recipient}\n`).join("")));
    }
  } finally {
    file.close();
  }
  return path;
}
