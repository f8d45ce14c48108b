// Finds out whether the addresses of listen mode exclude each other, however they are spelled.

import { isOwnServer, type OwnServerPorts } from "../modes/own_server.ts";
import { formatAddress } from "../ports/address.ts";
import type { Address } from "../ports/runtime.ts";
import { UsageError } from "../ports/start_error.ts";

/** Throws a `UsageError` if `metrics` is where mail comes to, or where it goes on to. */
export async function refuseMetricsForMail(
  ports: OwnServerPorts,
  metrics: Address,
  { address, downstream }: { readonly address: Address; readonly downstream: Address },
): Promise<void> {
  const refuse = (why: string) => {
    throw new UsageError(`option --metrics: ${why}: give --metrics another address`);
  };
  const at = formatAddress(metrics);
  // Each of the two may be the one with a wildcard.
  if (await isOwnServer(ports, address, metrics) || await isOwnServer(ports, metrics, address)) {
    refuse(`mail comes to ${formatAddress(address)}, so nothing else can listen at ${at}`);
  }
  if (await isOwnServer(ports, metrics, downstream)) refuse(`the server ${formatAddress(downstream)} is at ${at}`);
}
