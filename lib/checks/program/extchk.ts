// The external checker of the Spammer Deterrent: `PATH -s FILE -a IP -f FROM -t N RCPT...`, executed without a shell.
//
// FILE is the message with Unix line ends. IP is the client's address, or empty if it is not known. FROM and each RCPT
// are addresses without brackets. FROM is `<>` for the null sender, and empty if the sender is not known. N is the
// number of recipients. Addresses are a stranger's text. One that begins with `-` looks like an option, but everything
// after N is a recipient.
//
// Exit status 0 passes the message, with the checker's changes to FILE. Status 1 refuses it with 552. With any other
// status the checker could not decide. The same holds if it is late or cannot be started, for example because execve(2)
// has no room for so many recipients. If it changed FILE in such a case, the message is lost. The last line of standard
// error goes to the log.

import type { Message } from "../../mail/message.ts";
import { IoError } from "../../ports/io_error.ts";
import type { Clock, Processes } from "../../ports/runtime.ts";
import { formatReply } from "../../smtp/reply.ts";
import type { Verdict } from "../../mail/verdict.ts";
import type { Check } from "../check.ts";
import { failureOf, runProgram } from "./process.ts";

export interface ExternalCheckerOptions {
  readonly path: string;
  /** Milliseconds that the checker may take. */
  readonly timeout: number;
}

/** RFC 3463: 5.7.1, delivery not authorized, message refused. */
const REJECTED = formatReply("552 5.7.1 Content rejected");

export function externalChecker(
  ports: { clock: Clock; processes: Processes },
  { path, timeout }: ExternalCheckerOptions,
): Check {
  return {
    name: "extchk",
    needsFile: true,
    askedFor: "extchk",
    judge: async (message, { signal, limit }): Promise<Verdict> => {
      const file = await message.file();
      const unsure = async (cause: "failed" | "late", why: string): Promise<Verdict> => {
        if (await file.isIntact()) return { kind: "unsure", cause, why };
        return { kind: "spoilt", why: "external checker changed the message and failed", failure: why };
      };
      const words = [path, ...checkerArguments(file.path, message.envelope, message.client.address)];
      const { end, lastLine } = await runProgram(ports, words, { environment: {}, timeout, limit, signal });
      if ("exit" in end && end.exit === 1) {
        const said = lastLine === "" ? "rejected" : `said: ${lastLine}`;
        return { kind: "reject", why: `external checker ${said}`, reply: REJECTED };
      }
      if (!("exit" in end) || end.exit !== 0) {
        return await unsure("timedOut" in end ? "late" : "failed", failureOf("external checker", end, lastLine));
      }
      try {
        const content = await file.changed();
        if (!content) return { kind: "accept", why: "external checker passed" };
        return { kind: "replace", why: "external checker changed the message", content };
      } catch (error) {
        if (!(error instanceof IoError)) throw error;
        return await unsure("failed", `external checker passed, but ${error.message}`);
      }
    },
  };
}

/** The arguments for a message in `file`. */
export function checkerArguments(
  file: string,
  { sender, recipients }: Message["envelope"],
  client = "",
): string[] {
  const from = sender === "" ? "<>" : sender ?? "";
  return ["-s", file, "-a", client, "-f", from, "-t", String(recipients.length), ...recipients];
}
