// The command --postfix-config. It prints the lines for Postfix, with notes on dangers and on what is missing on this
// machine.

import { whyNoProgram } from "../checks/program/command.ts";
import { isReachable, type OwnServerPorts } from "../modes/own_server.ts";
import { FILE } from "../options/kinds.ts";
import { formatAddress } from "../ports/address.ts";
import { IoError } from "../ports/io_error.ts";
import type { Files } from "../ports/runtime.ts";
import type { CommandLine } from "../options/command_line.ts";
import { askedChecks } from "../settings/load_judge.ts";
import type { Settings } from "../settings/settings.ts";
import type { Command } from "./command.ts";
import { formatPostfixConfig, type PostfixLine } from "./postfix_config/postfix_config.ts";
import { parseOperands } from "./serving.ts";

/** The server behind postprox if the command line names none. */
const USUAL_DOWNSTREAM = "127.0.0.1:10026";

export const postfixConfig: Command = async ({ runtime, line, nextHop }) => {
  const { files, processes, stdio } = runtime;
  const asked = postfixLine(line, nextHop);
  const notes = [...await openToOthers(runtime, asked), ...await missingHere(files, asked)];
  stdio.writeOut(formatPostfixConfig(asked, processes.selfWords(), notes));
  return 0;
};

/** Reads a command line with --postfix-config; `nextHop` is that of a configuration file. Throws a `UsageError`. */
export function postfixLine(
  { settings, operands, given, command }: CommandLine<Settings>,
  nextHop = USUAL_DOWNSTREAM,
): PostfixLine {
  const mode = command?.text === "listen" ? "listen" : "spawn";
  const named = operands.length === 0 ? [nextHop] : operands;
  return { mode, settings, given, operand: named[0]!, downstream: parseOperands(named) };
}

async function openToOthers(
  ports: OwnServerPorts,
  { settings: { listen: { address } } }: PostfixLine,
): Promise<string[]> {
  if (!address || !await isReachable(ports, address)) return [];
  const at = formatAddress(address);
  return [
    `Other hosts can connect to ${at}. Without a firewall this is an open relay: the second server trusts this host.`,
  ];
}

/**
 * Says in sentences which files of the options are missing here. It is no error, because the lines may be for another
 * machine.
 */
async function missingHere(files: Pick<Files, "stat">, { settings, given }: PostfixLine): Promise<string[]> {
  const notes: string[] = [];
  const { command, then } = settings.command;
  for (const one of [command, ...then]) {
    const filter = await whyNoProgram(files, one);
    if (filter === undefined) continue;
    const passes = askedChecks(settings).length > 1 ? "all mail passes without it" : "all mail passes unchecked";
    const mail = settings.judging.rejectUnsure ? "each message is answered with 451" : passes;
    notes.push(`The filter cannot be run on this machine: ${filter}. Until it can, ${mail}.`);
  }
  for (const { row: { long, kind }, text } of given) {
    // The lines make the file of --config.
    const why = kind === FILE && long !== "config" ? await whyNoFile(files, text) : undefined;
    if (why !== undefined) {
      notes.push(
        `The file of --${long} is missing on this machine: ${why}. Until it is there, postprox accepts no mail.`,
      );
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
