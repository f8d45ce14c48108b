// The server and the settings to serve mail with, by the words of a command line. They are checked here before anything
// starts.

import { parseDownstream } from "../ports/address.ts";
import type { Setting } from "../options/table.ts";
import type { Address, Runtime } from "../ports/runtime.ts";
import { Mistakes, UsageError } from "../ports/start_error.ts";
import type { SessionOptions } from "../session/session.ts";
import { SETTINGS, type Settings } from "../settings/settings.ts";
import { quote } from "../text/quoting.ts";
import type { Call } from "./command.ts";

export interface Serving {
  readonly settings: Settings;
  readonly options: SessionOptions;
}

/**
 * Reads what a command line says about serving. With a socket at the address `inherited`, that is used in place of -l.
 * Throws a `UsageError`.
 */
export async function servingOf(
  runtime: Runtime,
  { line, nextHop }: Pick<Call, "line" | "nextHop">,
  inherited?: Address,
): Promise<Serving> {
  if (line.wrong) throw line.wrong;
  const withSocket = usingSocket(line, inherited);
  const { settings } = withSocket;
  const downstream = await checkServing(runtime, withSocket, nextHop);
  return { settings, options: await sessionOptions(settings, downstream) };
}

/** The line, but with a socket at the address `inherited` in place of -l. */
export function usingSocket(line: Call["line"], inherited: Address | undefined): Call["line"] {
  const { settings } = line;
  if (!inherited) return line;
  // Another process would not have the socket.
  return { ...line, settings: { ...settings, listen: { ...settings.listen, address: inherited, foreground: true } } };
}

/**
 * Finds out without a start whether a server can start with the words of a line. Returns the server that they name, or else
 * `nextHop`. Throws a `UsageError`.
 */
export async function checkServing(
  runtime: Runtime,
  line: Pick<Call["line"], "settings" | "given" | "operands">,
  nextHop: string | undefined,
): Promise<Address> {
  const mistakes = new Mistakes();
  const downstream = await mistakes.of(() => parseOperands(line.operands, nextHop));
  if (namesListenMode(line)) {
    const { checkListenOptions } = await import("./listen_options.ts");
    await mistakes.of(() => checkListenOptions(runtime, line, downstream));
  }
  mistakes.throwAll();
  return downstream!;
}

/** The server that the operands name, or else that of a configuration file. Throws a `UsageError`. */
export function parseOperands([operand, second]: readonly string[], nextHop?: string): Address {
  const hint = "see postprox --help";
  if (second !== undefined) throw new UsageError(`one server is enough, ${quote(second)} is a second one: ${hint}`);
  const server = operand ?? nextHop;
  if (server === undefined) {
    throw new UsageError(`no server is named: give HOST:PORT, or next-hop in a file of --config, ${hint}`);
  }
  return parseDownstream(server);
}

// Nearly no message in spawn mode needs to hear about options of listen mode.
function namesListenMode({ settings, given }: Pick<Call["line"], "settings" | "given">): boolean {
  return (["listen", "helper"] as const).some((part) => {
    const values: Readonly<Record<string, unknown>> = settings[part];
    return Object.entries<Setting<unknown>>(SETTINGS[part]).some(([field, row]) =>
      values[field] !== row.default || given.some((one) => one.row === row)
    );
  });
}

async function sessionOptions(settings: Settings, downstream: Address): Promise<SessionOptions> {
  const { session, spool, judging: { bypass } } = settings;
  const options = { ...session, downstream, spoolDirectory: spool.directory };
  if (session.tarpitAfter === 0 || bypass.length === 0) return options;
  const { isInAny } = await import("../text/network.ts");
  const networks = bypass.flatMap(({ networks }) => networks);
  return { ...options, isSpared: (address) => isInAny(networks, address) };
}
