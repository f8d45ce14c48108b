// What the options of the group "information" print. Loaded when one of them is given, and never in front of a message.

import { whyNoProgram } from "../checks/program/command.ts";
import { IoError } from "../ports/io_error.ts";
import type { Files, Runtime } from "../ports/runtime.ts";
import { LICENSE_TEXT, VERSION_TEXT } from "./version.ts";
import { helpText } from "../options/help.ts";
import type { GivenCommandLine, Information } from "../options/parse.ts";
import { formatPostfixConfig } from "./postfix_config/postfix_config.ts";

/** Throws a `UsageError` where the options do not fit together. */
export async function informationText(
  { files, processes }: Pick<Runtime, "files" | "processes">,
  wanted: Information,
): Promise<string> {
  switch (wanted.kind) {
    case "help":
      return helpText();
    case "license":
      return LICENSE_TEXT;
    case "version":
      return VERSION_TEXT;
    case "postfix-config":
      return formatPostfixConfig(wanted.line, processes.selfWords(), await missingHere(files, wanted.line));
  }
}

/** What the options name and is not there, in sentences. The lines may be for another machine, so it is no error. */
async function missingHere(files: Pick<Files, "stat">, { options, given }: GivenCommandLine): Promise<string[]> {
  const notes: string[] = [];
  const filter = await whyNoProgram(files, options.command);
  if (filter !== undefined) {
    const mail = options.reject ? "each message is answered with 451" : "all mail passes unchecked";
    notes.push(`The filter cannot be run on this machine: ${filter}. Until it can, ${mail}.`);
  }
  for (const { row: { long, value }, text } of given) {
    const why = value === "FILE" ? await whyNoFile(files, text) : undefined;
    if (why !== undefined) {
      notes.push(`The file of --${long} is not there on this machine: ${why}. Until it is, no mail is taken.`);
    }
  }
  return notes;
}

async function whyNoFile(files: Pick<Files, "stat">, path: string): Promise<string | undefined> {
  try {
    await files.stat(path);
    return undefined;
  } catch (error) {
    if (error instanceof IoError) return error.message;
    throw error;
  }
}
