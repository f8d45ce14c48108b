// Tests of lib/restrictions/exempt.ts: clients that no restriction is asked about.

import assert from "node:assert/strict";
import { emptyEnvelope } from "../../lib/mail/envelope.ts";
import { exempting } from "../../lib/restrictions/exempt.ts";
import type { Restriction, RestrictionContext, Ruling } from "../../lib/restrictions/restriction.ts";
import { NETWORKS } from "../../lib/settings/kinds.ts";
import { formatReply } from "../../lib/smtp/reply.ts";

const REFUSE: Ruling = { kind: "refuse", why: "bad", reply: formatReply("550 Bad") };

const CONTEXT: RestrictionContext = {
  // The peer of our own connection, who may be Postfix: it is not asked for.
  client: {
    get address(): string {
      throw new Error("nobody needs to know it");
    },
    name: () => Promise.reject(new Error("nobody needs to know it")),
  },
  dns: { records: () => Promise.reject(new Error("no DNS")) } as unknown as RestrictionContext["dns"],
  signal: new AbortController().signal,
  notice: () => {},
};

Deno.test("exempting asks a restriction about all but the clients that XFORWARD says are in the networks", async () => {
  const restriction: Restriction = { name: "all", sender: async () => REFUSE, recipient: async () => REFUSE };
  const { networks } = NETWORKS.parse("192.0.2.0/24,2001:db8::/32");
  const asked = exempting(restriction, networks);
  assert.equal(asked.name, "all");
  const rows: readonly [address: string | undefined, isExempt: boolean][] = [
    ["192.0.2.1", true],
    ["2001:db8::1", true],
    ["192.0.3.1", false],
    [undefined, false],
  ];
  for (const [address, isExempt] of rows) {
    const envelope = emptyEnvelope(address === undefined ? {} : { address });
    const expected: Ruling = isExempt ? { kind: "allow" } : REFUSE;
    assert.deepEqual(await asked.sender?.(envelope, CONTEXT), expected);
    assert.deepEqual(await asked.recipient?.("a@b", envelope, CONTEXT), expected);
  }
  // One that rules on senders only.
  const sender = exempting({ name: "sender", sender: async () => REFUSE }, networks);
  assert.deepEqual(await sender.recipient?.("a@b", emptyEnvelope(), CONTEXT), { kind: "allow" });
});
