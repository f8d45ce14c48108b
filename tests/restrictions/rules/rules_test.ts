// Tests of lib/restrictions/rules/rules.ts and chain.ts: which rule decides, and that hostile values cannot spoil the
// replies.

import assert from "node:assert/strict";
import type { Restriction, RestrictionContext, Ruling } from "../../../lib/restrictions/restriction.ts";
import { restrictions } from "../../../lib/restrictions/chain.ts";
import { rulesRestriction } from "../../../lib/restrictions/rules/rules.ts";
import { parseRules } from "../../../lib/restrictions/rules/file.ts";
import { SharedTurn } from "../../../lib/wire/shared_turn.ts";
import { ListStates } from "../../../lib/dns/list_states.ts";
import { Lookups } from "../../../lib/dns/lookups.ts";
import { emptyEnvelope } from "../../../lib/mail/envelope.ts";
import { formatReply, type Reply, replyText } from "../../../lib/smtp/reply.ts";
import { textOf } from "../../../lib/text/octets.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { FakeLogger } from "../../fakes/logger.ts";
import { FakeResolver } from "../../fakes/resolver.ts";

interface Told {
  readonly ruling: Ruling;
  readonly notices: readonly string[];
}

interface Mail {
  readonly name?: string;
  readonly from?: string;
  readonly to?: string;
  readonly dns?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

async function rule(file: string, mail: Mail = {}): Promise<Told> {
  const notices: string[] = [];
  const clock = new FakeClock();
  const lists = new ListStates(new FakeLogger());
  const resolver = new FakeResolver(clock);
  for (const [question, answer] of Object.entries(mail.dns ?? {})) {
    resolver.answers.set(question, answer === "other" ? answer : [answer]);
  }
  const context: RestrictionContext = {
    client: { address: "192.0.2.1", name: async () => mail.name },
    dns: new Lookups({ clock, resolver }, { timeout: 1000, lists }).forRuling(),
    signal: mail.signal ?? new AbortController().signal,
    notice: (text) => void notices.push(text),
  };
  const restriction = rulesRestriction(parseRules(file), {
    file: "/etc/rules",
    delay: 7000,
    turn: new SharedTurn(new FakeClock()),
    listNames: new Map([["key.bl.test", "the list"]]),
  });
  const envelope = { ...emptyEnvelope(), sender: mail.from ?? "me@here.example" };
  const ruling = await restriction.recipient!(mail.to ?? "you@there.example", envelope, context);
  return { ruling, notices };
}

function replyOf({ ruling }: Told): Reply {
  assert.equal(ruling.kind, "refuse");
  return (ruling as { reply: Reply }).reply;
}

Deno.test("the first rule that matches decides; without one the recipient is allowed, and nothing is checked", async () => {
  const file = `noto:ALL:ALL:no@*:550 first
allow-filter:ALL:*@here.example:ALL
deny_delay:ALL:ALL:*@there.example:554 third
`;
  assert.deepEqual((await rule(file)).ruling, { kind: "allow", contentChecks: ["filter"] });
  const { ruling } = await rule(file, { to: "no@there.example" });
  assert.deepEqual(ruling, {
    kind: "refuse",
    why: "line 1 of /etc/rules",
    reply: formatReply("550 first"),
    ends: false,
    delay: 0,
  });
  const denied = (await rule(file, { from: "a@b" })).ruling;
  assert.deepEqual(denied, {
    ...ruling,
    why: "line 3 of /etc/rules",
    reply: formatReply("554 third"),
    ends: true,
    delay: 7000,
  });
  const none = await rule(file, { from: "a@b", to: "c@d" });
  assert.deepEqual(none, { ruling: { kind: "allow", contentChecks: [] }, notices: [] });
  assert.deepEqual((await rule("")).ruling, { kind: "allow", contentChecks: [] });
});

Deno.test("debug logs and goes on", async () => {
  const { ruling, notices } = await rule("debug:ALL:ALL:ALL\nallow-extchk:ALL:ALL:ALL", { name: "mx.example" });
  assert.deepEqual(ruling, { kind: "allow", contentChecks: ["extchk"] });
  assert.deepEqual(notices, [
    "line 1 of /etc/rules matches, going on: client mx.example[192.0.2.1], from <me@here.example> to <you@there.example>",
  ]);
});

Deno.test("if DNS fails, a rule refuses nothing, but may allow, with one notice", async () => {
  const dns = { "1.2.0.192.l.example A": "other" };
  const cases: [string, Ruling, RegExp | undefined][] = [
    ["noto:RBL.l.example:ALL:ALL\ndeny:RBL.l.example:ALL:ALL", { kind: "allow", contentChecks: [] }, /line 1, 2 of/],
    ["noto:ALL EXCEPT RBL.l.example:ALL:ALL", { kind: "allow", contentChecks: [] }, /line 1 of/],
    ["allow-filter:RBL.l.example:ALL:ALL\ndeny:ALL:ALL:ALL", { kind: "allow", contentChecks: ["filter"] }, /line 1 of/],
    ["allow:ALL EXCEPT RBL.l.example:ALL:ALL\ndeny:ALL:ALL:ALL", { kind: "allow", contentChecks: [] }, /line 1 of/],
    ["debug:RBL.l.example:ALL:ALL\nallow:ALL:ALL:ALL", { kind: "allow", contentChecks: [] }, /line 1 of/],
    // A certain answer needs no notice, even beside a doubt.
    ["allow-extchk:RBL.l.example 192.0.2.1:ALL:ALL", { kind: "allow", contentChecks: ["extchk"] }, undefined],
  ];
  for (const [file, expected, notice] of cases) {
    const { ruling, notices } = await rule(file, { dns });
    assert.deepEqual(ruling, expected, file);
    assert.equal(notices.length, notice ? 1 : 0, file);
    if (notice) assert.match(notices[0]!, notice);
  }
  const refused = await rule("noto:RBL.l.example:ALL:ALL:550 l\nnoto:ALL:ALL:ALL:550 all", { dns });
  assert.equal(replyText(replyOf(refused)), "550 all");
  assert.equal(refused.notices.length, 1);
});

Deno.test("a ruling that nobody waits for is not logged", async () => {
  const { ruling, notices } = await rule("noto:RBL.l.example:ALL:ALL\nnoto:ALL:ALL:ALL", {
    dns: { "1.2.0.192.l.example A": "other" },
    signal: AbortSignal.abort(),
  });
  assert.equal(ruling.kind, "allow");
  assert.deepEqual(notices, []);
});

Deno.test("a message gets its escapes filled in", async () => {
  const message = "550 5.7.1 %H [%I] %F %T %U%C 100%%";
  const filled = "550 5.7.1 mx.example [192.0.2.1] <me@here.example> <you@there.example> UNKNOWN: 100%";
  assert.equal(replyText(replyOf(await rule(`noto:ALL:ALL:ALL:${message}`, { name: "mx.example" }))), filled);
  // A list with a name is called by that.
  const named = await rule("noto:ALL:ALL:ALL:550 %I is in KEY.bl.test%C see http%C//key.bl.test/%I");
  assert.equal(replyText(replyOf(named)), "550 192.0.2.1 is in the list: see http://the list/192.0.2.1");
  const none = await rule("noto:ALL:ALL:ALL", { from: "" });
  assert.equal(
    replyText(replyOf(none)),
    "550 5.7.1 Mail from <> to <you@there.example> is not accepted from UNKNOWN[192.0.2.1]",
  );
});

Deno.test("with any values, a reply is one line of at most 512 octets with the code of its rule", async () => {
  const values = [
    '"a\r\n250 Ok"@b',
    "a\n354 go on@b",
    "\x00\x1b[2J@b",
    "%F%T%H%C@b",
    "$&$1@b",
    "\u00fc\u2028\u{1f600}@b",
    `${"x".repeat(3000)}@b`,
    "250 Ok",
  ];
  for (const value of values) {
    for (const message of ["451 %F%T%H", "%F", "%H: %T", "550 "]) {
      const told = await rule(`noto:ALL:ALL:ALL:${message}`, { from: value, to: value, name: value });
      const { code, bytes } = replyOf(told);
      const text = textOf(bytes);
      assert.match(text, /^[45][0-9][0-9] [\x20-\x7e]*\r\n$/, `${message}: ${value}`);
      assert.equal(code, message.startsWith("451") ? 451 : 550);
      assert.equal(Number(text.slice(0, 3)), code);
      assert.ok(bytes.length <= 512);
    }
  }
});

Deno.test("restrictions: the first refusal wins, and the content checks asked for are joined", async () => {
  const asked: string[] = [];
  const fake = (name: string, ruling: Ruling): Restriction => ({
    name,
    recipient: async () => (asked.push(name), ruling),
  });
  const refusal = (text: string): Ruling => ({ kind: "refuse", why: text, reply: formatReply(`550 ${text}`) });
  const ask = (all: readonly Restriction[], signal = new AbortController().signal): Promise<Ruling> =>
    restrictions(all).recipient!("a@b", emptyEnvelope(), { signal } as RestrictionContext);

  const one = fake("one", { kind: "allow" });
  const two = fake("two", { kind: "allow", contentChecks: ["filter"] });
  const three = fake("three", { kind: "allow", contentChecks: ["extchk", "filter"] });
  const no = fake("no", refusal("no"));
  const never = fake("never", refusal("never"));
  const onlySender: Restriction = { name: "sender", sender: async () => refusal("sender") };

  assert.deepEqual(await ask([]), { kind: "allow" });
  assert.deepEqual(await ask([one, onlySender]), { kind: "allow" });
  assert.deepEqual(await ask([one, two, one]), { kind: "allow", contentChecks: ["filter"] });
  assert.deepEqual(await ask([two, three]), { kind: "allow", contentChecks: ["filter", "extchk", "filter"] });
  asked.length = 0;
  assert.deepEqual(await ask([two, no, never]), { ...refusal("no"), why: "no: no" });
  assert.deepEqual(asked, ["two", "no"]);
  asked.length = 0;
  assert.deepEqual(await ask([no], AbortSignal.abort()), { kind: "allow" });
  assert.deepEqual(asked, []);
  assert.equal(
    (await restrictions([onlySender]).sender!(
      emptyEnvelope(),
      { signal: new AbortController().signal } as RestrictionContext,
    )).kind,
    "refuse",
  );
});
