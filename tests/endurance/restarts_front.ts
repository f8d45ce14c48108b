// The real Postfix between the clients of the restarts and postprox.

import type { Postfix } from "../e2e/postfix.ts";
import { beforeFilter } from "../e2e/postfix_config.ts";

/** For a network where every port is free. */
export const FRONT_PORT = 10024;

export interface Ports {
  /** Where Postfix listens, on 127.0.0.1. */
  readonly port: number;
  /** Where postprox listens, likewise. */
  readonly proxyPort: number;
}

/** Starts Postfix with one SMTP server, whose smtpd_proxy_filter is postprox. It limits no client. */
export async function startFront(postfix: Postfix, { port, proxyPort }: Ports): Promise<void> {
  const entry = beforeFilter({ port, proxy: `127.0.0.1:${proxyPort}`, speedAdjust: false });
  await postfix.start([`${entry}    -o smtpd_client_connection_count_limit=0\n`]);
}
