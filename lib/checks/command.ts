// The filter command of -c: `sh -c COMMAND` with the message in a file and its envelope in the environment.
//
// The command is the leader of a process group. When its time is over or nobody waits for it any more, the whole group
// gets SIGTERM, and SIGKILL a moment later; when it ends by itself, what it left running in its group is killed, for the
// files of the message are gone then. Its standard error is read to the end, of which the last line is kept.
//
// Environment: EMAIL, OUTFILE, SENDER, RECIPIENT, RECIPIENTS, RECIPIENTCOUNT, REMOTEIP, HELO. All but the first two are
// in a stranger's hands, handed on as they are, and bounded in length.

import type { Envelope } from "../envelope.ts";
import { IoError } from "../runtime/io_error.ts";
import type { Child, Clock, Files, Processes } from "../runtime/ports.ts";
import { bytesOf, concat, isSpace, LF, textOf } from "../smtp/bytes.ts";
import { Replacement } from "../spool/spool.ts";
import type { Verdict } from "../verdict.ts";
import type { Check, CheckedMessage } from "./check.ts";
import { type CommandEnd, verdictOfCommand } from "./command_result.ts";

export interface CommandOptions {
  readonly command: string;
  /** Milliseconds that the command may take. */
  readonly timeout: number;
  readonly allowDiscard: boolean;
}

// The reply is made of the last line of standard error and has 512 octets at most.
const LINE_KEPT = 1024;

// From SIGTERM to SIGKILL.
const KILL_DELAY = 1000;

// A child that outlives the command may hold its standard error open: what was written before the end has come by then.
const STDERR_DELAY = 200;

const VALUE_LIMIT = 99;
const RECIPIENTS_LIMIT = 500;

export function commandCheck(
  ports: { clock: Clock; files: Files; processes: Processes },
  options: CommandOptions,
): Check {
  return {
    name: "command",
    needsFile: true,
    judge: async ({ envelope, spool }, { signal, limit }): Promise<Verdict> => {
      const outfile = await spool.outfile();
      const environment = { EMAIL: await spool.path(), OUTFILE: outfile, ...envelopeVariables(envelope) };
      const timeout = Math.min(options.timeout, limit);
      const { end, stderr } = await run(ports, options.command, { environment, timeout, signal });
      const verdict = verdictOfCommand(end, stderr, options);
      if (verdict.kind !== "accept") return verdict;
      return await replacementOf(ports.files, outfile) ?? verdict;
    },
  };
}

/** The envelope as a filter sees it. */
export function envelopeVariables(envelope: CheckedMessage["envelope"]): Record<string, string> {
  const { sender, recipients, client } = envelope;
  return {
    SENDER: cut(sender === "" ? "<>" : sender ?? ""),
    RECIPIENT: cut(recipients[0] ?? ""),
    RECIPIENTS: joinRecipients(recipients),
    RECIPIENTCOUNT: String(recipients.length),
    REMOTEIP: cut(client.address ?? ""),
    HELO: cut(client.helo ?? ""),
  };
}

function cut(value: string): string {
  return value.length <= VALUE_LIMIT ? value : Array.from(value).slice(0, VALUE_LIMIT).join("");
}

// In octets, but no character is cut in two.
function joinRecipients(recipients: Envelope["recipients"]): string {
  const joined = bytesOf(recipients.slice(0, RECIPIENTS_LIMIT + 2).join(","));
  if (joined.length <= RECIPIENTS_LIMIT) return textOf(joined);
  return `${textOf(joined.subarray(0, RECIPIENTS_LIMIT - 3)).replace(/\ufffd+$/, "")}...`;
}

async function run(
  { clock, processes }: { clock: Clock; processes: Processes },
  command: string,
  { environment, timeout, signal }: { environment: Record<string, string>; timeout: number; signal: AbortSignal },
): Promise<{ end: CommandEnd; stderr: string }> {
  if (signal.aborted) return { end: { notStarted: "nobody waits for it any more" }, stderr: "" };
  let child: Child;
  try {
    child = await processes.start(["/bin/sh", "-c", command], environment);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return { end: { notStarted: error.message }, stderr: "" };
  }
  const stderr = new LastLine();
  const read = readAll(child, stderr);
  let timedOut = false;
  let cancelKill = () => {};
  const stop = () => {
    cancelKill();
    child.signalGroup("SIGTERM");
    cancelKill = clock.after(KILL_DELAY, () => child.signalGroup("SIGKILL"));
  };
  const cancelTimeout = clock.after(timeout, () => {
    timedOut = true;
    stop();
  });
  signal.addEventListener("abort", stop);
  // It may have been aborted while the command was being started.
  if (signal.aborted) stop();
  try {
    const end = await child.ended;
    child.signalGroup("SIGKILL");
    await Promise.race([
      read,
      new Promise<void>((resolve) => (cancelKill(), cancelKill = clock.after(STDERR_DELAY, resolve))),
    ]);
    return { end: timedOut ? { timedOut: timeout } : end, stderr: stderr.text() };
  } finally {
    signal.removeEventListener("abort", stop);
    cancelTimeout();
    cancelKill();
    child.closeStderr();
  }
}

// A child that floods its standard error is read to the end, so that it can end. What cannot be read is not there: its
// exit status counts.
async function readAll(child: Child, lastLine: LastLine): Promise<void> {
  try {
    for (let chunk = await child.readStderr(); chunk !== null; chunk = await child.readStderr()) lastLine.push(chunk);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
  }
}

/** The last line of a stream that is not blank; of each line, its beginning. */
class LastLine {
  #whole = new Uint8Array(0);
  #unfinished = new Uint8Array(0);

  push(chunk: Uint8Array): void {
    const octets = concat([this.#unfinished, chunk]);
    let end = octets.lastIndexOf(LF);
    this.#unfinished = octets.slice(end + 1, end + 1 + LINE_KEPT);
    // From the back, so that a flood of lines costs no more than a flood of octets.
    for (; end > 0; end = octets.lastIndexOf(LF, end - 1)) {
      const line = octets.subarray(octets.lastIndexOf(LF, end - 1) + 1, end);
      if (!isBlank(line)) {
        this.#whole = line.slice(0, LINE_KEPT);
        return;
      }
    }
  }

  text(): string {
    return textOf(isBlank(this.#unfinished) ? this.#whole : this.#unfinished).trimEnd();
  }
}

function isBlank(line: Uint8Array): boolean {
  return line.every(isSpace);
}

async function replacementOf(files: Files, outfile: string): Promise<Verdict | undefined> {
  try {
    const facts = await files.stat(outfile);
    if (facts.size === 0) return undefined;
    if (facts.kind !== "file") return { kind: "unsure", why: "filter left an OUTFILE that is no regular file" };
    return { kind: "replace", why: "filter changed the message", content: new Replacement(files, outfile) };
  } catch (error) {
    // The filter may remove the file that it does not need.
    if (error instanceof IoError && error.kind === "missing") return undefined;
    if (error instanceof IoError) return { kind: "unsure", why: error.message };
    throw error;
  }
}
