// Asks the restrictions at MAIL and RCPT, before downstream hears of the sender or the recipient.
//
// The client waits for a ruling as for any reply. If it leaves, or the session has to end, the wait ends. A refusal is
// logged, and returned after its delay. The session decides what follows.

import type { Restriction, RestrictionContext, Ruling } from "../restrictions/restriction.ts";
import { type DnsOptions, Lookups } from "../dns/lookups.ts";
import type { Envelope } from "../mail/envelope.ts";
import type { SessionLog } from "../log/events.ts";
import type { Resolver } from "../ports/runtime.ts";
import { EnvelopeCaller } from "./caller.ts";
import { pause, type Waiting, whileClientStays } from "./waiting.ts";

export interface AdmissionParts extends Waiting {
  readonly resolver: Resolver;
  readonly log: SessionLog;
  /** The client hears refusals at the end of data. */
  readonly deferred: boolean;
  /** The client hears no refusal at all. */
  readonly dryRun?: boolean;
}

export class Admission {
  readonly #restriction: Restriction;
  readonly #dns: Lookups;
  readonly #parts: AdmissionParts;

  constructor(restriction: Restriction, dns: DnsOptions, parts: AdmissionParts) {
    this.#restriction = restriction;
    this.#dns = new Lookups(parts, dns);
    this.#parts = parts;
  }

  /** The ruling on `envelope.sender`. */
  async sender(envelope: Envelope): Promise<Ruling> {
    return this.#ask(envelope, undefined, (context) => this.#restriction.sender?.(envelope, context));
  }

  /** The ruling on one more recipient of `envelope`. */
  async recipient(recipient: string, envelope: Envelope): Promise<Ruling> {
    return this.#ask(envelope, recipient, (context) => this.#restriction.recipient?.(recipient, envelope, context));
  }

  async #ask(
    envelope: Envelope,
    recipient: string | undefined,
    rule: (context: RestrictionContext) => Promise<Ruling> | undefined,
  ): Promise<Ruling> {
    const { client, log, deferred, dryRun = false } = this.#parts;
    // The lookup of the client's name has its own time limit. So the sender's name servers cannot use up that time.
    const onUnknown = (why: string) => log.clientNotKnown(why);
    const caller = new EnvelopeCaller(envelope, client, { dns: this.#dns.forRuling(), onUnknown });
    const dns = this.#dns.forRuling();
    const notice = (text: string) => log.notice(text);
    const ruling = await whileClientStays(
      this.#parts,
      async (signal) => await rule({ client: caller, dns, signal, notice }) ?? { kind: "allow" } as const,
    );
    if (ruling.kind === "refuse") {
      log.tell("restricted", { ruling, envelope, recipient, deferred, would: dryRun ? "reject" : undefined });
      if (dryRun) return { kind: "allow" };
      if (ruling.delay) await pause(this.#parts, ruling.delay);
    }
    return ruling;
  }
}
