// A message in the hands of a program: it is given the message in a file, and a file for its own version of it.

import type { Content, Message, MessageFile } from "../../mail/message.ts";
import type { Verdict } from "../../mail/verdict.ts";
import { IoError } from "../../ports/io_error.ts";
import type { SpoolFiles } from "../../spool/files.ts";
import { giveCopy, Outfile } from "../../spool/hand_over.ts";

export interface GivenOptions {
  readonly files: SpoolFiles;
  /** The program may change the message in its file, and that is what it leaves. */
  readonly editInPlace: boolean;
}

/**
 * Has a program judge a message. `ask` gets the paths of the two files and tells the program's opinion. If that accepts the
 * message, the result has the program's own version, if there is one. Throws `IoError` if there are no files to give.
 */
export async function judgeGiven(
  message: Message,
  { files, editInPlace }: GivenOptions,
  ask: (paths: { readonly email: string; readonly outfile: string }) => Promise<Verdict>,
): Promise<Verdict> {
  const outfile = await Outfile.in(files);
  const email = editInPlace ? await giveCopy(files, message) : await message.file();
  const verdict = await ask({ email: email.path, outfile: outfile.path });
  const left = verdict.kind === "accept"
    ? await versionOf(message, { outfile, email: editInPlace ? email : undefined }) ?? verdict
    : verdict;
  if ("reply" in left || editInPlace || await email.isIntact()) return left;
  return { kind: "spoilt", why: "filter changed EMAIL", failure: left.kind === "unsure" ? left.why : undefined };
}

// The program's own version, in OUTFILE or in the file that it may edit.
async function versionOf(
  message: Content,
  { outfile, email }: { outfile: Outfile; email: MessageFile | undefined },
): Promise<Verdict | undefined> {
  try {
    const content = await outfile.written(message) ?? await email?.changed();
    return content && { kind: "replace", why: "filter changed the message", content };
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return { kind: "unsure", cause: "failed", why: `filter passed, but ${error.message}` };
  }
}
