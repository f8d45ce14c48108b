// A filter command, of -c or of --then: `sh -c COMMAND` with the message in a file and its envelope in the environment.
//
// process.ts runs and stops it. command_result.ts says what its end means. If the command is a path and plain words, it
// is executed without the shell, which would only start one more process.
//
// In the environment, EMAIL, OUTFILE and RECIPIENTSFILE are files, and SESSIONID is ours. A stranger controls all
// others. They are handed on as they are, with a limited length. SENDERADDRESS is limited only by the length of a
// command line.

import type { MailClient, Message } from "../../mail/message.ts";
import { IoError } from "../../ports/io_error.ts";
import type { Clock, Files, Processes } from "../../ports/runtime.ts";
import { bytesOf, cutUtf8, textOf } from "../../text/octets.ts";
import { giveRecipients } from "../../spool/hand_over.ts";
import type { Check } from "../check.ts";
import { type ExitOptions, verdictOfCommand } from "./command_result.ts";
import { judgeGiven } from "./given.ts";
import { type RunOptions, runProgram } from "./process.ts";

export interface CommandOptions extends ExitOptions {
  readonly command: string;
  /** Milliseconds that the command may take. */
  readonly timeout: number;
  /** The command may change EMAIL. The changed file is then sent. */
  readonly editInPlace: boolean;
}

// The shell gives no other meaning to these words.
const PLAIN_WORDS = /^\/[A-Za-z0-9_.\/+-]+(?: +[A-Za-z0-9_.,:=@%\/+-]+)*$/;

const VALUE_LIMIT = 99;
const RECIPIENTS_LIMIT = 500;

export function commandCheck(
  ports: { clock: Clock; processes: Processes },
  options: CommandOptions,
): Check {
  return {
    name: "command",
    needsFile: true,
    judge: (message, { signal, limit, files }) =>
      judgeGiven(message, { files, editInPlace: options.editInPlace }, async ({ email, outfile }) => {
        const { id, envelope, client } = message;
        const environment = {
          EMAIL: email,
          OUTFILE: outfile,
          RECIPIENTSFILE: await giveRecipients(files, envelope.recipients),
          SESSIONID: id,
          ...envelopeVariables(envelope, client),
        };
        const { timeout } = options;
        const { end, lastLine } = await runCommand(ports, options.command, { environment, timeout, limit, signal });
        return verdictOfCommand(end, lastLine, options);
      }),
  };
}

/** The path of the program that the command begins with; undefined if only the shell can read the command. */
function programOf(command: string): string | undefined {
  return /^\s*(\/[A-Za-z0-9_.\/+-]+)(?=\s|$)/.exec(command)?.[1];
}

/** Why the program of a command cannot be run; undefined if it can, or if only the shell can read the command. */
export async function whyNoProgram(files: Pick<Files, "stat">, command: string): Promise<string | undefined> {
  const program = programOf(command);
  if (program === undefined) return undefined;
  try {
    const { kind, executable } = await files.stat(program);
    return kind === "file" && executable ? undefined : `${program} is no program that can be executed`;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return error.message;
  }
}

async function runCommand(
  ports: { clock: Clock; processes: Processes },
  command: string,
  options: RunOptions,
): ReturnType<typeof runProgram> {
  if (PLAIN_WORDS.test(command)) {
    const ran = await runProgram(ports, command.split(/ +/), options);
    // The system cannot start a script without #!.
    if (!("notStarted" in ran.end)) return ran;
  }
  return await runProgram(ports, ["/bin/sh", "-c", command], options);
}

/** The envelope, as variables for a filter. */
export function envelopeVariables(
  envelope: Message["envelope"],
  { facts }: Pick<MailClient, "facts">,
): Record<string, string> {
  const { recipients } = envelope;
  const sender = envelope.sender === "" ? "<>" : envelope.sender ?? "";
  return {
    SENDER: cut(sender),
    SENDERADDRESS: sender,
    RECIPIENT: cut(recipients[0] ?? ""),
    RECIPIENTS: joinRecipients(recipients),
    RECIPIENTCOUNT: String(recipients.length),
    REMOTEIP: cut(facts.address ?? ""),
    REMOTENAME: cut(facts.name ?? ""),
    HELO: cut(facts.helo ?? ""),
    QUEUEID: cut(facts.ident ?? ""),
  };
}

function cut(value: string): string {
  return value.length <= VALUE_LIMIT ? value : Array.from(value).slice(0, VALUE_LIMIT).join("");
}

// The limit is in octets.
function joinRecipients(recipients: readonly string[]): string {
  const joined = bytesOf(recipients.slice(0, RECIPIENTS_LIMIT + 2).join(","));
  if (joined.length <= RECIPIENTS_LIMIT) return textOf(joined);
  return `${textOf(cutUtf8(joined, RECIPIENTS_LIMIT - 3))}...`;
}
