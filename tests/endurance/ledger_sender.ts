// The client of the ledger: it sends one message as planned, leaves where the plan says so, and reports what it heard.
//
// A message is accepted if a 2xx reply to its final dot has come, even while the client was leaving. It is refused if
// another reply came, to any command. It is unanswered if the connection ended in place of a reply, by either side.
// Ways to leave: "finish" closes one direction and reads on, "close" is close(2), "reset" is RST.

import assert from "node:assert/strict";
import { type Client, connectTo, parseReply, type Reply } from "../rig/client.ts";
import { DOMAIN } from "../e2e/postfix_config.ts";

/** The filter's task. filter.sh knows these words. */
export type Order = "pass" | "refuse" | "replace" | "fail" | "crash" | "hang" | "slow";

export type Leaving = "finish" | "close" | "reset";

export interface Plan {
  readonly id: string;
  readonly order: Order;
  /** Octets of text, about. */
  readonly size: number;
  /** Where the client leaves; it stays without this. */
  readonly leave?: {
    readonly how: Leaving;
    readonly at: Point;
  };
}

export type Point =
  | { readonly kind: "command"; readonly number: 0 | 1 | 2 }
  /** After this part of the text. */
  | { readonly kind: "content"; readonly part: number }
  | { readonly kind: "dot"; readonly milliseconds: number };

export interface Outcome {
  readonly end: "accepted" | "refused" | "unanswered";
  /** Nothing came, not even the end of the connection. */
  readonly hung: boolean;
  /** As Date.now() gives them. */
  readonly began: number;
  readonly ended: number;
}

/** After so many messages a client takes leave. */
const MESSAGES_PER_SESSION = 5;

export function senderOf(id: string): string {
  return `sender+${id}@elsewhere.example`;
}

export function recipientOf({ id, order }: Plan): string {
  return `alice+${id}.${order}@${DOMAIN}`;
}

/** The line without which a message is not whole. */
export function lastLine(id: string): string {
  return `end of ${id}`;
}

export class Sender {
  #client: Client | undefined;
  #port = 0;
  #left = 0;

  async send(plan: Plan, port: number): Promise<Outcome> {
    const began = Date.now();
    let reply: Reply | undefined;
    let hung = false;
    try {
      reply = await this.#transaction(plan, port);
    } catch (error) {
      if (!(error instanceof Error) || error instanceof assert.AssertionError) throw error;
      hung = error.message.startsWith("Waited");
      this.#drop();
    }
    const end = reply === undefined ? "unanswered" : reply.code < 300 ? "accepted" : "refused";
    return { end, hung, began, ended: Date.now() };
  }

  async leave(): Promise<void> {
    await this.#client?.ask("QUIT").catch(() => {});
    this.#drop();
  }

  /** The reply that decides: to the final dot, or the first that is an error. */
  async #transaction(plan: Plan, port: number): Promise<Reply | undefined> {
    if (this.#port !== port || this.#left === 0) await this.leave();
    if (this.#client === undefined) {
      const refusal = await this.#greet(port);
      if (refusal) return refusal;
    }
    const client = this.#client!;
    this.#left--;
    const at = plan.leave?.at;
    const commands = [`MAIL FROM:<${senderOf(plan.id)}>`, `RCPT TO:<${recipientOf(plan)}>`, "DATA"];
    for (const [i, command] of commands.entries()) {
      if (at?.kind === "command" && at.number === i) return await this.#vanish(plan.leave!.how);
      const reply = await client.ask(command);
      if (reply.code >= 400) return this.#refused(reply);
    }
    const text = textOf(plan);
    if (at?.kind === "content") {
      await client.say(text.slice(0, Math.floor(text.length * at.part)));
      return await this.#vanish(plan.leave!.how);
    }
    await client.say(`${text}.\r\n`);
    if (at?.kind === "dot") {
      if (at.milliseconds > 0) await new Promise((resume) => setTimeout(resume, at.milliseconds));
      return await this.#vanish(plan.leave!.how);
    }
    const reply = await client.hear();
    if (reply.code === 421) this.#drop();
    return reply;
  }

  async #greet(port: number): Promise<Reply | undefined> {
    this.#client = await connectTo({ port });
    this.#port = port;
    this.#left = MESSAGES_PER_SESSION;
    const greeting = await this.#client.hear();
    const reply = greeting.code === 220 ? await this.#client.ask("EHLO stranger.example") : greeting;
    return reply.code === 250 ? undefined : this.#refused(reply);
  }

  #refused(reply: Reply): Reply {
    this.#drop();
    return reply;
  }

  /** Leaves. Returns the reply that came anyway. */
  async #vanish(how: Leaving): Promise<Reply | undefined> {
    const client = this.#client!;
    let rest = client.unheard;
    if (how === "finish") {
      client.finish();
      rest = await client.end();
    }
    if (how === "reset") client.reset();
    this.#drop();
    return parseReply(rest);
  }

  #drop(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}

function textOf({ id, size }: Plan): string {
  const line = "Mail is to be delivered once, neither more often nor less often than that.\r\n";
  return [
    "From: A Sender <sender@elsewhere.example>",
    `To: Alice <alice@${DOMAIN}>`,
    `Subject: ${id}`,
    "Date: Thu, 1 Jan 2026 12:00:00 +0000",
    `Message-ID: <${id}@elsewhere.example>`,
    "",
    `${line.repeat(Math.ceil(size / line.length))}${lastLine(id)}`,
    "",
  ].join("\r\n");
}
