// Tests of lib/restrictions/sender_domain.ts: which senders are refused and with which reply. A failure of DNS refuses
// none.

import assert from "node:assert/strict";
import { senderDomainRestriction } from "../../lib/restrictions/sender_domain.ts";
import { emptyEnvelope } from "../../lib/mail/envelope.ts";
import type { FakeAnswer } from "../fakes/resolver.ts";
import { newScene, said, type Scene, type SceneOptions } from "./restricted.ts";

async function ask(sender: string | undefined, options: SceneOptions): Promise<{ reply: string; scene: Scene }> {
  const scene = newScene({ address: "192.0.2.1", name: "host.test", ...options });
  const asking = senderDomainRestriction().sender!({ ...emptyEnvelope(), sender }, scene.context);
  await scene.clock.advance(20_000);
  return { reply: said(await asking), scene };
}

const NOT_FOUND = "550 5.1.8 <me@a.test>: Sender address rejected: domain not found";
const NULL_MX = "550 5.7.27 <me@a.test>: Sender address rejected: domain takes no mail (null MX)";

Deno.test("the domain of a sender needs a mail exchanger or an address", async () => {
  const rows: readonly (readonly [answers: Record<string, FakeAnswer>, reply: string])[] = [
    [{ "a.test MX": ["mx.a.test"] }, "allow"],
    [{ "a.test A": ["192.0.2.7"] }, "allow"],
    [{ "a.test AAAA": ["2001:db8::7"] }, "allow"],
    [{}, NOT_FOUND],
    // RFC 7505; an address is no use then.
    [{ "a.test MX": [""] }, NULL_MX],
    [{ "a.test MX": [""], "a.test A": ["192.0.2.7"] }, NULL_MX],
    [{ "a.test MX": ["", "mx.a.test"] }, "allow"],
  ];
  for (const [answers, reply] of rows) {
    const { reply: given, scene } = await ask("me@a.test", { answers });
    assert.equal(given, reply, JSON.stringify(answers));
    const line = "Rejected from address with unresolvable domain: <me@a.test> from host.test [192.0.2.1]";
    assert.deepEqual(scene.notices, reply === "allow" ? [] : [line]);
  }
});

Deno.test("if DNS fails, the sender passes, and the log says so", async () => {
  const rows: readonly Record<string, FakeAnswer>[] = [
    { "a.test MX": "silent" },
    { "a.test MX": "other" },
    { "a.test A": "other" },
    { "a.test AAAA": "silent" },
  ];
  for (const answers of rows) {
    const { reply, scene } = await ask("me@a.test", { answers });
    assert.equal(reply, "allow");
    assert.equal(scene.notices.length, 1);
    assert.match(scene.notices[0]!, /^cannot check the domain of <me@a\.test>: /);
  }
});

Deno.test("senders without a domain to look up pass, or are no address", async () => {
  const rows: readonly (readonly [sender: string | undefined, reply: string])[] = [
    ["", "allow"],
    [undefined, "allow"],
    ["me@[192.0.2.1]", "allow"],
    ["me@[IPv6:2001:db8::1]", "allow"],
    ["me", "553 5.1.7 <me>: Sender address rejected: not a valid address"],
    ["me@a..test", "553 5.1.7 <me@a..test>: Sender address rejected: not a valid address"],
    ["m e@a.test", "553 5.1.7 <m e@a.test>: Sender address rejected: not a valid address"],
    [`me@${"a.".repeat(130)}b`, `553 5.1.7 <me@${"a.".repeat(130)}b>: Sender address rejected: not a valid address`],
  ];
  for (const [sender, reply] of rows) {
    const { reply: given, scene } = await ask(sender, {});
    assert.equal(given, reply);
    assert.deepEqual(scene.resolver.asked, []);
  }
});

Deno.test("a domain beyond ASCII is looked up in the form of DNS", async () => {
  const { reply, scene } = await ask("ich@bücher.test", {});
  assert.equal(reply, "550 5.1.8 <ich@b?cher.test>: Sender address rejected: domain not found");
  assert.deepEqual(scene.resolver.asked, ["xn--bcher-kva.test MX", "xn--bcher-kva.test A", "xn--bcher-kva.test AAAA"]);
});

Deno.test("the log line says unknown if something about the client is not known", async () => {
  for (const options of [{ name: null, address: undefined }, { address: undefined, name: undefined }]) {
    const { scene } = await ask("me@a.test", options);
    const line = "Rejected from address with unresolvable domain: <me@a.test> from unknown [unknown]";
    assert.deepEqual(scene.notices, [line]);
  }
});
