// The socket that a service manager hands to postprox, in place of -l (sd_listen_fds(3), systemd.socket(5)).
//
// The service manager listens itself, and keeps the socket while postprox is restarted. So no client is refused
// meanwhile.

import { IoError } from "../ports/io_error.ts";
import type { Address, Runtime } from "../ports/runtime.ts";
import { UsageError } from "../ports/start_error.ts";
import { quote } from "../text/quoting.ts";

/** The first descriptor after standard input, output and error. */
const DESCRIPTOR = 3;

export interface InheritedSocket {
  readonly descriptor: number;
  readonly address: Address;
}

/**
 * The socket; undefined if there is none. A worker names the `sockets` of its supervisor. From now on, the programs that we
 * start do not get it. Throws a `UsageError`.
 */
export async function inheritSocket(
  { variable, network }: Pick<Runtime, "variable" | "network">,
  sockets?: readonly number[],
): Promise<InheritedSocket | undefined> {
  const count = sockets ? "1" : variable("LISTEN_FDS") ?? "0";
  if (count === "0") return undefined;
  if (count !== "1") {
    throw new UsageError(`LISTEN_FDS=${quote(count)}: postprox listens on one socket: give one ListenStream=`);
  }
  const descriptor = sockets?.[0] ?? DESCRIPTOR;
  try {
    return { descriptor, address: await network.inherit(descriptor) };
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    throw new UsageError(`LISTEN_FDS=1: ${error.message}: give ListenStream= and Accept=no`);
  }
}
