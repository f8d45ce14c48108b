// Tests of lib/dns/list_watch.ts: when lists are asked for their test entries, and what the answers cause.

import assert from "node:assert/strict";
import { ListStates } from "../../lib/dns/list_states.ts";
import { ListWatch } from "../../lib/dns/list_watch.ts";
import { isListed } from "../../lib/dns/listing.ts";
import { Lookups } from "../../lib/dns/lookups.ts";
import { parseDnsList } from "../../lib/dns/list.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeLogger } from "../fakes/logger.ts";
import { type FakeAnswer, FakeResolver } from "../fakes/resolver.ts";

const HOUR = 3_600_000;
const TIMEOUT = 5000;

const NEVER = "1.0.0.127.l.test A";
const ALWAYS = "2.0.0.127.l.test A";

class Scene {
  readonly clock = new FakeClock();
  readonly resolver = new FakeResolver(this.clock);
  readonly logger = new FakeLogger();
  readonly states = new ListStates(this.logger);
  readonly options = { timeout: TIMEOUT, lists: this.states };
  readonly watch = new ListWatch(this, this.options);

  constructor() {
    this.answer({ [ALWAYS]: ["127.0.0.2"] });
  }

  answer(answers: Readonly<Record<string, FakeAnswer>>): void {
    for (const [question, answer] of Object.entries(answers)) this.resolver.answers.set(question, answer);
  }

  use(kind: "address" | "domain", ...lists: readonly string[]): void {
    this.states.use(lists.map((text) => ({ kind, ...parseDnsList(text) })));
  }

  async ask(): Promise<void> {
    this.watch.ask();
    await this.clock.advance(TIMEOUT);
  }

  /** The answer that a session gets about `name`, which every list has. */
  async told(name: Uint8Array | string = Uint8Array.of(192, 0, 2, 1)): Promise<boolean | undefined> {
    this.answer({ "1.2.0.192.l.test A": ["127.0.0.3"], "bad.test.l.test A": ["127.0.0.3"] });
    const dns = new Lookups(this, this.options).forRuling();
    return await isListed({ zone: "l.test", addresses: undefined }, name, dns);
  }
}

Deno.test("a list of addresses is asked for 127.0.0.1 and 127.0.0.2, a list of domains for INVALID, each once", async () => {
  const scene = new Scene();
  scene.states.use([
    { kind: "address", ...parseDnsList("l.test") },
    { kind: "address", ...parseDnsList("L.test=127.0.0.9") },
    { kind: "domain", ...parseDnsList("l.test") },
  ]);
  await scene.ask();
  assert.deepEqual(scene.resolver.asked.sort(), [NEVER, ALWAYS, "invalid.l.test A"].sort());
  assert.deepEqual(scene.logger.lines, []);
  assert.equal(await scene.told(), true);
});

Deno.test("a list that lists everything is not used until it no longer does so; it is asked every hour", async () => {
  for (
    const [kind, entry, question, name] of [
      ["address", "127.0.0.1", NEVER, undefined],
      ["domain", "INVALID", "invalid.l.test A", "bad.test"],
    ] as const
  ) {
    const scene = new Scene();
    scene.use(kind, "l.test");
    await scene.ask();
    assert.equal(await scene.told(name), true);
    scene.answer({ [question]: ["127.0.0.2"] });
    await scene.clock.advance(HOUR - TIMEOUT - 1);
    assert.equal(await scene.told(name), true);
    await scene.clock.advance(1);
    assert.equal(await scene.told(name), undefined);
    // Only lists of the same kind are meant.
    assert.equal(await scene.told(kind === "domain" ? undefined : "bad.test"), true);
    const error =
      `error: DNS list lists everything: postprox does not use it until this ends zone=l.test entry=${entry}`;
    assert.deepEqual(scene.logger.lines, [error]);
    await scene.clock.advance(HOUR);
    // No answer changes nothing, and neither does one that is no listing.
    for (const answer of ["silent", "other", ["198.51.100.1"]] as const) {
      scene.answer({ [question]: answer });
      await scene.clock.advance(HOUR + TIMEOUT);
      assert.equal(await scene.told(name), undefined);
    }
    scene.answer({ [question]: [] });
    await scene.clock.advance(HOUR);
    assert.equal(await scene.told(name), true);
    const again = `notice: DNS list no longer lists everything: postprox uses it again zone=l.test entry=${entry}`;
    assert.deepEqual(scene.logger.lines.filter((line) => !line.includes("not a listing")), [error, again]);
  }
});

Deno.test("which answers mean that a list lists everything, or lacks its test entry", async () => {
  const everything = "lists everything";
  const lacking = "does not list its test entry";
  const rows: readonly (readonly [lists: readonly string[], never: FakeAnswer, always: FakeAnswer, ...string[]])[] = [
    [["l.test"], [], ["127.0.0.2"]],
    [["l.test"], ["127.0.0.2"], ["127.0.0.2"], everything],
    [["l.test"], ["127.0.0.7", "198.51.100.1"], ["127.0.0.2"], "not a listing", everything],
    [["l.test"], [], [], lacking],
    [["l.test"], ["127.0.0.2"], [], everything, lacking],
    // Whatever answers are wanted.
    [["l.test=127.0.0.4"], [], ["127.0.0.2"]],
    [["l.test=127.0.0.4"], ["127.0.0.2"], ["127.0.0.2"], everything],
    [["l.test=127.0.0.4", "l.test"], ["127.0.0.2"], ["127.0.0.2"], everything],
    // A reserved address is a listing if one of the lists names it.
    [["l.test"], ["127.0.0.1"], ["127.0.0.1"], "not a listing"],
    [["l.test", "l.test=127.0.0.1-9"], ["127.0.0.1"], ["127.0.0.1"], everything],
    // A list that tells nothing.
    [["l.test"], ["127.255.255.254"], ["127.255.255.254"], "not a listing"],
    [["l.test"], "silent", "silent"],
    [["l.test"], "other", "refused"],
  ];
  for (const [lists, never, always, ...words] of rows) {
    const scene = new Scene();
    scene.answer({ [NEVER]: never, [ALWAYS]: always });
    scene.use("address", ...lists);
    await scene.ask();
    const row = JSON.stringify([lists, never, always]);
    assert.equal(scene.logger.lines.length, words.length, `${row}: ${scene.logger.lines}`);
    for (const [at, word] of words.entries()) assert.ok(scene.logger.lines[at]!.includes(word), row);
    assert.equal(scene.states.listsAll("address", "l.test"), words.includes(everything), row);
  }
});

Deno.test("the log gets a line when a list loses or regains its test entry", async () => {
  const scene = new Scene();
  scene.use("address", "l.test");
  const lines: number[] = [];
  for (const answer of [[], "silent", [], ["127.0.0.2"], []] as FakeAnswer[]) {
    scene.answer({ [ALWAYS]: answer });
    await scene.ask();
    lines.push(scene.logger.lines.length);
  }
  assert.deepEqual(lines, [1, 1, 1, 1, 2]);
  const words = "warning: DNS list does not list its test entry: is its zone spelt right? zone=l.test entry=127.0.0.2";
  assert.equal(scene.logger.lines[1], words);
});

Deno.test("new lists are asked at once; the state of a list that stays is kept meanwhile", async () => {
  const scene = new Scene();
  scene.answer({ [NEVER]: ["127.0.0.2"] });
  scene.use("address", "l.test");
  await scene.ask();
  assert.equal(await scene.told(), undefined);
  scene.resolver.asked.length = 0;
  scene.answer({ [NEVER]: "silent", "1.0.0.127.new.test A": ["127.0.0.2"], "2.0.0.127.new.test A": ["127.0.0.2"] });
  scene.use("address", "l.test", "new.test");
  scene.watch.ask();
  assert.equal(await scene.told(), undefined);
  await scene.clock.advance(TIMEOUT);
  assert.ok(scene.resolver.asked.includes("1.0.0.127.new.test A"));
  assert.ok(scene.states.listsAll("address", "new.test"));
  // A list that nobody uses is forgotten.
  scene.use("address", "new.test");
  scene.use("address", "l.test");
  assert.equal(await scene.told(), true);
});

Deno.test("an answer to an earlier question does not count", async () => {
  const scene = new Scene();
  scene.use("address", "l.test");
  scene.answer({ [NEVER]: ["127.0.0.2"] });
  scene.watch.ask();
  scene.answer({ [NEVER]: [] });
  await scene.ask();
  assert.deepEqual(scene.logger.lines, []);
  assert.equal(scene.clock.pending, 1);
});
