// Restrictions and pipelining, on seeded random dialogues. The replies, and what reaches downstream, must be those of a
// model.
//
// The model is a server with the same rules that answers one command at a time. A dialogue comes in pieces that are cut
// at random. Rulings come at once or after a while.

import assert from "node:assert/strict";
import { Conversation } from "../fakes/conversation.ts";
import { settled } from "../fakes/settled.ts";
import type { Restriction } from "../../lib/restrictions/restriction.ts";
import { formatReply } from "../../lib/smtp/reply.ts";

const DIALOGUES = 300;

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Expected {
  readonly said: string;
  readonly client: readonly string[];
  readonly downstream: readonly string[];
}

const COMMANDS = ["MAIL", "MAIL bad", "RCPT", "RCPT", "RCPT no", "RCPT unknown", "RSET", "NOOP", "DATA", "DATA"];

function converse(random: () => number, defers: boolean): Expected {
  const said: string[] = [];
  const client: string[] = [];
  const downstream: string[] = [];
  let phase = "idle";
  let kept: string | undefined;
  const relay = (command: string, reply: string): boolean => {
    downstream.push(command);
    client.push(reply);
    return reply.startsWith("250");
  };
  const end = () => {
    phase = "idle";
    kept = undefined;
  };
  for (let count = 0; count < 12; count++) {
    const word = COMMANDS[Math.floor(random() * COMMANDS.length)]!;
    const [verb, kind = "good"] = word.split(" ");
    const command = { MAIL: `MAIL FROM:<${kind}@b>`, RCPT: `RCPT TO:<${kind}@d>` }[verb!] ?? verb!;
    said.push(command);
    const refusal = { bad: "550 bad", no: "550 no" }[kind];
    if (verb === "MAIL" || (verb === "RCPT" && phase !== "idle")) {
      if (refusal && !defers) client.push(refusal);
      else if (relay(command, replyTo(command, phase))) {
        if (verb === "MAIL") end();
        phase = verb === "MAIL" ? "mail" : "rcpt";
        kept ??= refusal;
      }
    } else if (verb !== "DATA") {
      relay(command, replyTo(command, phase));
      if (verb === "RSET") end();
    } else if (phase !== "rcpt") {
      client.push(phase === "idle" ? "503 5.5.1 Need MAIL command first" : "554 5.5.1 No valid recipients");
    } else {
      said.push("text", ".");
      client.push("354 End data with <CR><LF>.<CR><LF>", kept ?? "250 taken");
      downstream.push(...kept ? ["RSET"] : ["DATA", "text", "."]);
      end();
    }
  }
  said.push("QUIT");
  relay("QUIT", "221 bye");
  return { said: said.map((line) => `${line}\r\n`).join(""), client, downstream };
}

function replyTo(command: string, phase: string): string {
  if (command.startsWith("RCPT")) {
    return phase === "idle" ? "503 MAIL first" : command.includes("unknown") ? "550 unknown" : "250 ok";
  }
  return "250 ok";
}

/** Restrictions that rule as the model does, some of them after a while. */
function restrictionOf(random: () => number, talk: () => Conversation): Restriction {
  const rule = async (word: string, address: string) => {
    if (random() < 0.3) await new Promise<void>((resolve) => talk().runtime.clock.after(1000, resolve));
    const refuse = address.startsWith(`${word}@`);
    return refuse
      ? { kind: "refuse", why: word, reply: formatReply(`550 ${word}`), delay: random() < 0.3 ? 1000 : 0 } as const
      : { kind: "allow" } as const;
  };
  return {
    name: "model",
    sender: ({ sender = "" }) => rule("bad", sender),
    recipient: (recipient) => rule("no", recipient),
  };
}

/** Plays the client's text, and a downstream that answers as the model's does. */
async function play(
  random: () => number,
  text: string,
  defers: boolean,
): Promise<{ client: string; downstream: string }> {
  const talk: Conversation = new Conversation({
    options: { deferRcptRefusals: defers },
    restriction: restrictionOf(random, () => talk),
  });
  await talk.start();
  talk.downstream.say("220 mx\r\n");
  await settled();
  let client = talk.client.hear();
  let downstream = "";
  let phase = "idle";
  let inData = false;
  for (let at = 0; at < text.length || !talk.client.closed;) {
    const length = 1 + Math.floor(random() * 60);
    if (at < text.length) talk.client.say(text.slice(at, at + length));
    at += length;
    await talk.runtime.clock.advance(random() < 0.5 ? 0 : 1000);
    for (let heard = talk.downstream.hear(); heard !== ""; heard = talk.downstream.hear()) {
      downstream += heard;
      const command = heard.trimEnd();
      if (inData) {
        assert.ok(heard.endsWith("\r\n.\r\n"));
        talk.downstream.say("250 taken\r\n");
        inData = false;
        phase = "idle";
      } else if (command === "DATA") {
        talk.downstream.say("354 go on\r\n");
        inData = true;
      } else {
        talk.downstream.say(command === "QUIT" ? "221 bye\r\n" : `${replyTo(command, phase)}\r\n`);
        if (command.startsWith("MAIL")) phase = "mail";
        if (command === "RSET") phase = "idle";
      }
      await settled();
    }
    client += talk.client.hear();
  }
  await talk.assertOver();
  return { client, downstream };
}

for (const defers of [false, true]) {
  Deno.test(`replies keep their order and number, refusals ${defers ? "deferred" : "at once"}`, async () => {
    for (let seed = 1; seed <= DIALOGUES; seed++) {
      const expected = converse(randomOf(seed), defers);
      const { client, downstream } = await play(randomOf(seed + 1_000_000), expected.said, defers);
      const shown = `seed ${seed}:\n${expected.said}`;
      assert.deepEqual(client.trimEnd().split("\r\n").slice(1), expected.client, shown);
      assert.deepEqual(downstream.trimEnd().split("\r\n"), expected.downstream, shown);
    }
  });
}
