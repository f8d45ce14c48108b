// A session with its client, its downstream and its filter in the test's hands.

import assert from "node:assert/strict";
import { chain } from "../../lib/checks/chain.ts";
import { commandCheck, type CommandOptions } from "../../lib/checks/program/command.ts";
import type { Check, Judge } from "../../lib/checks/check.ts";
import { policyOf, type PolicyOptions } from "../../lib/checks/policy.ts";
import type { Restriction } from "../../lib/restrictions/restriction.ts";
import { restrictions } from "../../lib/restrictions/chain.ts";
import { rulesRestriction } from "../../lib/restrictions/rules/rules.ts";
import { parseRules } from "../../lib/restrictions/rules/file.ts";
import { SharedTurn } from "../../lib/wire/shared_turn.ts";
import { ListStates } from "../../lib/dns/list_states.ts";
import { Admission } from "../../lib/session/admission.ts";
import { Session, type SessionEnd, type SessionOptions } from "../../lib/session/session.ts";
import { Marks } from "../../lib/spool/mark.ts";
import { Peer } from "../rig/peer.ts";
import { FakeLogger } from "./logger.ts";
import type { FakeChild } from "./processes.ts";
import { FakeRuntime } from "./runtime.ts";
import { spelled } from "../rig/octets.ts";
import { settled } from "./settled.ts";

/** The options of a session and of what judges its messages. */
export const OPTIONS: SessionOptions & PolicyOptions = {
  downstream: { transport: "tcp", host: "127.0.0.1", port: 10026 },
  connectTimeout: 30_000,
  clientTimeout: 300_000,
  sessionTimeout: 3_600_000,
  keepalive: 60_000,
  spoolDirectory: "/tmp",
  rejectUnsure: false,
  bareNewline: "accept",
  maxMessageSize: undefined,
  messageTimeout: 90_000,
  replyTimeout: 300_000,
  dotTimeout: 600_000,
  deferRcptRefusals: false,
  tarpitAfter: 0,
  tarpitDelay: 2_000,
  tarpitMultiplier: 1.5,
  tarpitMax: 30_000,
};

export interface ConversationOptions {
  readonly runtime?: FakeRuntime;
  readonly options?: Partial<typeof OPTIONS>;
  /** Whether a filter command is given. */
  readonly filter?: boolean;
  readonly filterOptions?: Partial<Omit<CommandOptions, "command">>;
  /** Instead of a filter command. */
  readonly check?: Check;
  /** Instead of any check. */
  readonly judge?: Judge;
  /** A rules file. */
  readonly rules?: string | undefined;
  /** In place of a rules file. */
  readonly restriction?: Restriction;
  readonly dryRun?: boolean;
}

export class Conversation {
  readonly runtime: FakeRuntime;
  readonly client = new Peer();
  readonly logger = new FakeLogger();
  readonly session: Session;
  readonly filtered: boolean;
  end: SessionEnd | undefined;

  constructor(options: ConversationOptions = {}) {
    this.runtime = options.runtime ?? new FakeRuntime();
    this.filtered = options.filter ?? false;
    const filter = commandCheck(this.runtime, {
      command: "filter",
      timeout: 30_000,
      allowDiscard: false,
      strictExit: false,
      exitStatus: new Map(),
      editInPlace: false,
      ...options.filterOptions,
    });
    const restriction = options.restriction ??
      (options.rules === undefined ? undefined : restrictions([
        rulesRestriction(parseRules(options.rules), {
          file: "rules",
          delay: 30_000,
          turn: new SharedTurn(this.runtime.clock),
          listNames: new Map(),
        }),
      ]));
    const dryRun = options.dryRun ?? false;
    const lists = new ListStates(this.logger);
    const checks = options.check ? [options.check] : options.filter ? [filter] : [];
    const settings = { ...OPTIONS, ...options.options };
    this.session = new Session(this.client.conn, {
      runtime: this.runtime,
      logger: this.logger,
      judge: options.judge ?? chain(this.runtime.clock, checks, policyOf(settings)),
      newAdmission: restriction &&
        ((parts) => new Admission(restriction, { timeout: 5_000, lists }, { ...parts, dryRun })),
      marks: new Marks(this.runtime),
      options: settings,
    });
  }

  /** Starts the session; resolves once it waits for its peers. */
  async start(): Promise<void> {
    void this.session.run().then((end) => this.end = end);
    await settled();
  }

  get downstream(): Peer {
    const [server] = this.runtime.network.servers;
    assert.ok(server, "downstream was not called");
    return server;
  }

  /** All that downstream was told so far, one character for each octet; empty where it was not called. */
  get downstreamHeard(): string {
    return this.runtime.network.servers.flatMap(({ writes }) => writes.map(spelled)).join("");
  }

  /** The filter that was started last. */
  get filter(): FakeChild {
    const child = this.runtime.processes.children.at(-1);
    assert.ok(child, "no filter was started");
    return child;
  }

  /** The client says `command` and downstream answers with `reply`, which the client hears. */
  async exchange(command: string, reply: string): Promise<void> {
    this.client.say(`${command}\r\n`);
    await settled();
    assert.equal(this.downstream.hear(), `${command}\r\n`);
    this.downstream.say(`${reply}\r\n`);
    await settled();
    assert.equal(this.client.hear(), `${reply}\r\n`);
  }

  /** From the start to the 354, with one recipient. */
  async startMessage(): Promise<void> {
    await this.start();
    this.downstream.say("220 mx.example ESMTP\r\n");
    await settled();
    assert.equal(this.client.hear(), "220 mx.example ESMTP\r\n");
    await this.exchange("EHLO client.example", "250 mx.example");
    await this.startNextMessage();
  }

  async startNextMessage(): Promise<void> {
    await this.exchange("MAIL FROM:<a@client.example>", "250 2.1.0 Ok");
    await this.exchange("RCPT TO:<b@mx.example>", "250 2.1.5 Ok");
    this.client.say("DATA\r\n");
    await settled();
    assert.equal(this.client.hear(), "354 End data with <CR><LF>.<CR><LF>\r\n");
    assert.equal(this.downstream.hear(), "");
  }

  /** Downstream takes the message with 250; gives its content, dot and all. */
  async takeMessage(reply = "250 2.0.0 Taken\r\n"): Promise<string> {
    await settled();
    assert.equal(this.downstream.hear(), "DATA\r\n");
    this.downstream.say("354 Go on\r\n");
    await settled();
    const content = this.downstream.hear();
    this.downstream.say(reply);
    await settled();
    return content;
  }

  /** The client says QUIT; then nothing may be left of the session anywhere. */
  async quit(): Promise<void> {
    await this.exchange("QUIT", "221 2.0.0 Bye");
    await this.assertOver();
  }

  /** Both connections are closed, and no file, timer, process or bug is left. */
  async assertOver(): Promise<void> {
    // The turn of the event loop in which rules worked ends.
    await this.runtime.clock.advance(0);
    assert.ok(this.end, "the session goes on");
    assert.ok(this.client.closed, "the client's connection is open");
    assert.ok(this.runtime.network.servers.every((server) => server.closed), "downstream's connection is open");
    assert.deepEqual(this.runtime.files.paths, []);
    assert.equal(this.runtime.files.handles, 0, "a file is open");
    assert.ok(this.runtime.processes.children.every((child) => child.isEnded), "a filter is running");
    assert.equal(this.runtime.clock.pending, 0, "a timer is set");
    assert.deepEqual(this.logger.find(": bug "), []);
  }
}
