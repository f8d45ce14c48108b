// Plays a script against a session, over connections in memory.
//
// Before a side says or does anything, the script must contain everything that was said until then. So the player finds
// a reply that comes too early, and also one that does not come. If octets arrive one at a time, replies need not wait
// for each other. Then only their order and text are compared.

import assert from "node:assert/strict";
import { Conversation, type ConversationOptions, OPTIONS } from "../fakes/conversation.ts";
import type { Peer } from "../rig/peer.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";
import { octetsOf, type Script, type Step } from "./script.ts";

export interface Manner {
  readonly clientOctetByOctet: boolean;
  readonly downstreamOctetByOctet: boolean;
}

export async function play(script: Script, manner: Manner): Promise<void> {
  await new Player(script, manner).play();
}

class Player {
  readonly #script: Script;
  readonly #strict: boolean;
  readonly #manner: Manner;
  readonly #runtime = new FakeRuntime();
  readonly #talk: Conversation;
  readonly #heard = { client: "", mx: "" };
  #filtersSeen = 0;
  #unread: string | undefined;
  #written: string | undefined;

  constructor(script: Script, manner: Manner) {
    this.#script = script;
    this.#manner = manner;
    this.#strict = !manner.clientOctetByOctet && !manner.downstreamOctetByOctet;
    this.#talk = new Conversation(this.#settings());
    this.#talk.client.octetByOctet = manner.clientOctetByOctet;
  }

  async play(): Promise<void> {
    await this.#talk.start();
    for (const server of this.#runtime.network.servers) server.octetByOctet = this.#manner.downstreamOctetByOctet;
    const { steps } = this.#script;
    for (let at = 0; at < steps.length;) {
      const step = steps[at]!;
      let count = 1;
      if (step.verb === "says") {
        while (isSamePacket(step, steps[at + count], ["says"])) count++;
      }
      // Text in the same packet comes at once, even if something else was said meanwhile.
      const atOnce = isSamePacket(steps[at - 1], step, ["ends", "closes", "resets"]);
      try {
        if (!atOnce) await this.#listen();
        await this.#take(step, steps.slice(at, at + count).map(({ text }) => text));
      } catch (error) {
        if (error instanceof Error) error.message = `line ${step.line}: ${error.message}`;
        throw error;
      }
      at += count;
    }
    await this.#listen();
    this.#assertAllHeard();
    await this.#talk.assertOver();
  }

  async #take(step: Step, texts: readonly string[]): Promise<void> {
    if (step.who === "clock") {
      this.#assertAllHeard();
      return await this.#runtime.clock.advance(Number(step.text) * 1000);
    }
    if (step.who === "log") return this.#log(step);
    if (step.who === "filter") return this.#filter(step);
    if (step.who === "postprox") {
      this.#assertAllHeard();
      return this.#talk.session.shutDown();
    }
    const who = step.who as "client" | "mx";
    const peer = who === "client" ? this.#talk.client : this.#talk.downstream;
    if (step.verb === "hears") return this.#hear(who, octetsOf(step.text));
    if (step.verb === "is closed") return assert.ok(peer.closed, `the connection of ${who} is open`);
    if (this.#strict) this.#assertAllHeard();
    act(peer, step.verb, texts);
  }

  async #listen(): Promise<void> {
    await settled();
    this.#heard.client += this.#talk.client.hear();
    for (const server of this.#runtime.network.servers) this.#heard.mx += server.hear();
  }

  #hear(who: "client" | "mx", expected: string): void {
    const heard = this.#heard[who];
    // The whole of both in the message, for it tells what went on.
    if (!heard.startsWith(expected)) assert.equal(heard, expected, `${who} heard something else`);
    this.#heard[who] = heard.slice(expected.length);
  }

  #assertAllHeard(): void {
    assert.deepEqual(this.#heard, { client: "", mx: "" }, "somebody heard more than the script says");
    if (this.#unread !== undefined) assert.equal(this.#unread, "", "the filter's message goes on");
    this.#unread = undefined;
    assert.equal(this.#runtime.processes.children.length, this.#filtersSeen, "filters that were started");
  }

  #log({ verb, text }: Step): void {
    const { logger } = this.#talk;
    assert.equal(logger.find(text).length > 0, verb === "has", `log ${verb} ${text}:\n${logger.lines.join("\n")}`);
  }

  #filter({ verb, text }: Step): void {
    if (verb === "starts") {
      this.#filtersSeen++;
      assert.equal(this.#runtime.processes.children.length, this.#filtersSeen, "filters that were started");
      this.#unread = undefined;
      this.#written = undefined;
      return;
    }
    const child = this.#talk.filter;
    const { files } = this.#runtime;
    switch (verb) {
      case "sees": {
        const name = text.split("=", 1)[0]!;
        return assert.equal(`${name}=${child.environment[name]}`, text);
      }
      case "reads": {
        this.#unread ??= Array.from(
          files.octetsOf(child.environment["EMAIL"]!),
          (octet) => String.fromCharCode(octet),
        ).join("");
        const line = octetsOf(text).replace(/\r\n$/, "\n");
        if (!this.#unread.startsWith(line)) assert.equal(this.#unread, line, "the filter reads something else");
        this.#unread = this.#unread.slice(line.length);
        return;
      }
      case "writes":
        this.#written = (this.#written ?? "") + octetsOf(text).replace(/\r\n$/, "\n");
        return files.overwrite(child.environment["OUTFILE"]!, octets(this.#written));
      case "ignores SIGTERM":
        child.ignoresTerm = true;
        return;
      case "is stopped":
        return assert.deepEqual(child.signals.slice(0, 1), ["SIGTERM"]);
      case "is killed":
        return assert.ok(child.signals.includes("SIGKILL"), "the filter got no SIGKILL");
    }
    this.#assertAllHeard();
    if (verb === "dies") return child.die(text);
    const [status = "", ...stderr] = text.split(" ");
    child.exit(Number(status), stderr.length > 0 ? `${stderr.join(" ")}\n` : undefined);
  }

  #settings(): ConversationOptions {
    const options: Record<string, unknown> = {};
    const filterOptions: Record<string, unknown> = {};
    for (const [name, value] of this.#script.settings) {
      const read = value === "true" ? true : /^[0-9]+$/.test(value) ? Number(value) : value;
      if (name === "packets") continue;
      else if (name === "mx") this.#runtime.network.downstream = value as "silent";
      else if (name === "filterTimeout") filterOptions["timeout"] = read;
      else if (name === "allowDiscard") filterOptions["allowDiscard"] = read;
      else if (name in OPTIONS) options[name] = read;
      else throw new SyntaxError(`no option is called ${name}`);
    }
    for (const [question, answer] of this.#script.dns) {
      const isRecord = /[.]/.test(answer);
      this.#runtime.resolver.answers.set(question, isRecord ? [answer] : answer as "silent");
    }
    const filter = this.#script.steps.some(({ who }) => who === "filter");
    return { runtime: this.#runtime, filter, options, filterOptions, rules: this.#script.rules };
  }
}

function act(peer: Peer, verb: string, texts: readonly string[]): void {
  switch (verb) {
    case "says":
      return peer.say(octets(texts.map(octetsOf).join("")));
    case "ends":
      return peer.end();
    case "closes":
      return peer.close();
    case "resets":
      return peer.reset();
    case "stalls":
      return peer.stallWrites();
    case "takes":
      return peer.takeWrites();
  }
}

// Whether `step`, which does one of `verbs`, follows what the same side says before it without a pause.
function isSamePacket(before: Step | undefined, step: Step | undefined, verbs: readonly string[]): boolean {
  if (before?.verb !== "says" || step === undefined || step.begins) return false;
  return step.who === before.who && verbs.includes(step.verb);
}

function octets(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
