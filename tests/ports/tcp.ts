// Addresses of TCP, for tests.

import type { Address } from "../../lib/ports/runtime.ts";

export function tcp(host: string, port: number): Address {
  return { transport: "tcp", host, port };
}
