// Tests of lib/ports/address.ts.

import assert from "node:assert/strict";
import { formatAddress } from "../../lib/ports/address.ts";

Deno.test("formatAddress writes what the command line would read", () => {
  assert.equal(formatAddress({ transport: "tcp", host: "mx", port: 25 }), "mx:25");
  assert.equal(formatAddress({ transport: "tcp", host: "::1", port: 25 }), "[::1]:25");
  assert.equal(formatAddress({ transport: "unix", path: "/run/x" }), "unix:/run/x");
});
