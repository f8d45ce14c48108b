// Plays one input: a whole `Session` between a client, downstream and filters. All are in memory, on a clock that does
// not wait.
//
// It writes down what each side said and heard, in `Played`. The judge decides whether that was right. When the input
// is over, downstream behaves well, everything late may come, and a client that is still served sends one more whole
// message and QUIT. So it shows that the session is alive. In the end nothing may be left of it anywhere.
//
// `around` lets the fault tests stand between the session and its runtime.

import type { Judge } from "../../lib/checks/check.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import type { Conn, ProcessEnd, Runtime } from "../../lib/ports/runtime.ts";
import { Session, type SessionEnd, SHUTDOWN_GRACE } from "../../lib/session/session.ts";
import { Marks } from "../../lib/spool/mark.ts";
import { Peer } from "../rig/peer.ts";
import { OPTIONS } from "../fakes/conversation.ts";
import { FakeLogger } from "../fakes/logger.ts";
import { FakeChild, FakeTalkingChild } from "../fakes/processes.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";
import { octets, randomCut, seeded, spelled } from "../rig/octets.ts";
import type { Cut, Filter, Input, Step } from "./input.ts";
import { admissionOf, CHECKER, fillResolver, judgeOf, QUARANTINE } from "./checks.ts";
import { Mx } from "./mx.ts";
import { Scanners, type ScanRun } from "./scanners.ts";

export const LIMITS = { client: 300_000, reply: 200_000, message: 90_000, filter: 30_000 };

/** The facts about one filter that was started, or could not be. */
export interface FilterRun {
  readonly of: "extchk" | "command" | "helper";
  readonly instruction: Filter;
  /** Its files. An external checker has no OUTFILE, and may change EMAIL. */
  readonly paths: { readonly EMAIL: string; readonly OUTFILE?: string };
  /** EMAIL as it was when the filter began. */
  readonly email: string;
  readonly recipients: string;
  readonly remoteIp: string;
  readonly stamp: number;
  child?: FakeChild;
  /** The id of a question to a helper. */
  readonly id?: number;
  end?: ProcessEnd;
  endStamp?: number;
  endTime?: number;
  /** A signal came before it ended. */
  stopped?: boolean;
  /** What OUTFILE held at its end; undefined where it was no file. */
  outfile?: string | undefined;
  /** What EMAIL held at its end; undefined where it was gone, or a directory. */
  emailLeft?: string | undefined;
  isDirectoryLeft?: boolean;
}

export interface Moment {
  readonly end: number;
  readonly time: number;
}

export interface Played {
  readonly input: Input;
  /** All that the client said, and where in it time passed after a bare LF. */
  sent: string;
  readonly pauses: number[];
  readonly mx: Mx | undefined;
  /** The octets that the client heard. */
  heard: string;
  /** When what had been said, and heard, until then: the count of octets, and the time on the clock. */
  readonly saidTimes: Moment[];
  readonly heardTimes: Moment[];
  readonly filters: FilterRun[];
  readonly scans: readonly ScanRun[];
  /** How often a helper was of no use any more. */
  readonly helperFailures: number;
  /** The messages in the quarantine. */
  kept: readonly KeptMessage[];
  readonly log: FakeLogger;
  /** How the client left before its own QUIT, if it did; and when it did so, in the order of events. */
  left: "ended" | "cut" | undefined;
  leftStamp: number;
  /** The same on the clock; and whether its connection broke. */
  leftTime: number;
  wasReset: boolean;
  stalled: boolean;
  shutDown: boolean;
  /** Milliseconds on the clock since the beginning. */
  time: number;
  end: SessionEnd | undefined;
  /** When the session ended, on the clock. */
  endTime: number;
  /** Where the liveness probe begins in `sent`. */
  probedAt: number | undefined;
  /** Violations of rules that hold at any time. */
  readonly complaints: string[];
  /** Files that are left in the spool. */
  leftover: readonly string[];
  /** An operation was made to fail: one on the client's connection, or another one. */
  fault: "client" | "other" | undefined;
}

/** A message in the quarantine: its content, and the reply that its record has. */
export interface KeptMessage {
  readonly email: string;
  readonly reply: string;
  readonly size: number;
}

/** Where the client's part of the dialogue stands; the judge knows. */
export type Standing = { readonly mode: "command" | "content" | "auth"; readonly pending: boolean } | undefined;

export interface Around {
  readonly runtime?: (runtime: FakeRuntime) => Runtime;
  readonly client?: (conn: Conn) => Conn;
  /** Something is going to fail on its way, on the client's connection or elsewhere. */
  readonly fault?: "client" | "other";
  /** The error of a filter's start. */
  readonly spawnFault?: () => IoError | undefined;
  /** Called before each step with its number; with their count before the end. */
  readonly onStep?: (at: number) => void;
}

// A read's buffer: a read of content in large pieces, beside what had come ahead of it. A write: the spool's piece with
// each octet doubled.
const LARGEST_BUFFER = 262_144;
const LARGEST_WRITE = 2 * 131_072 + 64;

// A flood in more packets than this shows nothing more, and takes minutes.
const PACKET_LIMIT = 2000;

// The longest answer of a helper that counts.
const HELPER_ANSWER_LIMIT = 65_536;

const PROBE = ["RSET\r\n", "MAIL FROM:<probe@client>\r\n", "RCPT TO:<probe@mx>\r\n", "DATA\r\n"];
const PROBE_CONTENT = "probe\r\n..\r\n.\r\n";

export async function playInput(
  input: Input,
  standing: (played: Played) => Standing,
  around: Around = {},
): Promise<Played> {
  return await new World(input, around).play(standing);
}

class World {
  readonly #input: Input;
  readonly #fake = new FakeRuntime();
  readonly #client = new Peer();
  readonly #played: Played;
  readonly #around: Around;
  readonly #running: { run: FilterRun; due: number }[] = [];
  readonly #scanners: Scanners;
  #session!: Session;
  #judge!: Judge;
  #judged = 0;
  #mx: Mx | undefined;
  #stamp = 0;
  #calm = false;
  #started = 0;
  #next: Filter = {};
  #begun = 0;

  constructor(input: Input, around: Around) {
    // Files are marked as in use.
    this.#fake.files.boot();
    this.#fake.files.mkdir(QUARANTINE);
    fillResolver(this.#fake.resolver);
    this.#scanners = new Scanners(this.#fake.clock, input.scans);
    this.#input = input;
    this.#around = around;
    // deno-lint-ignore no-this-alias
    const world = this;
    this.#played = {
      input,
      sent: "",
      pauses: [],
      get mx() {
        return world.#mx;
      },
      heard: "",
      saidTimes: [],
      heardTimes: [],
      filters: [],
      scans: this.#scanners.runs,
      get helperFailures() {
        return this.log.find("helper failed").length;
      },
      kept: [],
      log: new FakeLogger(input.settings.verbose ? 2 : 0),
      left: undefined,
      leftStamp: Infinity,
      leftTime: Infinity,
      wasReset: false,
      stalled: false,
      shutDown: false,
      time: 0,
      end: undefined,
      endTime: Infinity,
      probedAt: undefined,
      complaints: [],
      leftover: [],
      fault: around.fault,
    };
  }

  async play(standing: (played: Played) => Standing): Promise<Played> {
    const { settings, steps } = this.#input;
    this.#start();
    await this.#pump();
    for (const [at, step] of steps.entries()) {
      this.#around.onStep?.(at);
      await this.#take(step);
      if (!step.rush) await this.#pump();
    }
    await this.#pump();
    this.#around.onStep?.(steps.length);
    await this.#calmDown();
    await this.#probe(standing);
    // A side that is still there now is awaited as long as the session's own clock allows, plus one more wait.
    const limit = this.#begun + (settings.sessionTimeout ?? OPTIONS.sessionTimeout) + LIMITS.client + 1000;
    if (this.#played.end === undefined) await this.#pass(limit - this.#fake.clock.now(), true);
    // A connection that comes too late for the session is still waited for.
    if (this.#input.settings.connect === "silent") await this.#pass(OPTIONS.connectTimeout);
    await this.#pump();
    await this.#retire();
    this.#hear();
    await this.#lookForKept();
    this.#lookForLeftovers();
    return this.#played;
  }

  #start(): void {
    const { settings } = this.#input;
    const fake = this.#fake;
    this.#begun = fake.clock.now();
    this.#client.octetByOctet = settings.clientOctets ?? false;
    if (settings.connect) fake.network.downstream = settings.connect;
    const { connect } = fake.network;
    fake.network.connect = async (to, limit) => this.#connected(await connect.call(fake.network, to, limit));
    const { connect: connectDownstream } = fake.network;
    fake.network.connect = async (to, limit) =>
      this.#scanners.connect(to, this.#judged) ?? await connectDownstream(to, limit);
    const { start } = fake.processes;
    fake.processes.start = (words, environment) => {
      const envelope = this.#envelopeOf(words, environment);
      const instruction = this.#nextFilter(envelope.email);
      const refusal = this.#around.spawnFault?.();
      if (!instruction.refused && !refusal) return start.call(fake.processes, words, environment);
      const moments = { stamp: this.#stamp, endStamp: this.#stamp };
      this.#played.filters.push({ instruction: { refused: true }, ...envelope, ...moments });
      return Promise.reject(refusal ?? new IoError("other", "no more processes"));
    };
    fake.processes.onStart = (child) => this.#filterStarts(child);
    const runtime = this.#around.runtime?.(fake) ?? fake;
    const parts = { runtime, logger: this.#played.log, filterLimit: settings.filterTimeout ?? LIMITS.filter };
    this.#judge = judgeOf(
      parts,
      settings,
      () => void this.#judged++,
    );
    this.#judge.start?.();
    const conn = this.#watched(this.#client, "client");
    this.#session = new Session(this.#around.client?.(conn) ?? conn, {
      runtime,
      logger: this.#played.log,
      marks: new Marks(runtime),
      judge: this.#judge,
      newAdmission: settings.restricts ? admissionOf(parts, settings) : undefined,
      options: {
        ...OPTIONS,
        clientTimeout: LIMITS.client,
        replyTimeout: LIMITS.reply,
        bareNewline: settings.rejectBareNewline ? "reject" : "accept",
        maxMessageSize: settings.maxMessageSize,
        sessionTimeout: settings.sessionTimeout ?? OPTIONS.sessionTimeout,
        keepalive: settings.keepalive ?? OPTIONS.keepalive,
      },
    });
    void this.#session.run().then(
      (end) => {
        this.#played.end = end;
        this.#played.endTime = this.#fake.clock.now();
      },
      (error) => this.#complain(`the session threw ${error}`),
    );
  }

  #connected(conn: Conn): Conn {
    const peer = this.#fake.network.servers.at(-1)!;
    peer.octetByOctet = this.#input.settings.mxOctets ?? false;
    this.#mx = new Mx(peer, this.#input.mx, { now: () => this.#fake.clock.now(), stamp: () => this.#stamp });
    return this.#watched(peer, "mx", conn);
  }

  #watched(peer: Peer, who: "client" | "mx", conn: Conn = peer.conn): Conn {
    return {
      read: (into) => {
        if (into.buffer.byteLength > LARGEST_BUFFER) this.#complain(`${who}: a buffer of ${into.buffer.byteLength}`);
        return conn.read(into);
      },
      write: async (bytes) => {
        if (bytes.length > LARGEST_WRITE) this.#complain(`${who}: a write of ${bytes.length}`);
        // Before the write: nobody can answer what has not been said.
        if (who === "mx") this.#mx!.hear(spelled(bytes));
        await conn.write(bytes);
        if (who === "client") this.#note(this.#played.heardTimes, bytes.length);
      },
      close: () => conn.close(),
    };
  }

  // --- what happens by and by

  async #take(step: Step): Promise<void> {
    const played = this.#played;
    switch (step.do) {
      case "say": {
        const text = step.text.repeat(step.times ?? 1);
        return await this.#say(text, step.cut);
      }
      case "pass":
        return await this.#pass(step.ms);
      case "end":
      case "close":
      case "reset":
        if (played.left) return;
        played.left = step.do === "end" ? "ended" : "cut";
        played.leftStamp = this.#stamp;
        played.leftTime = this.#fake.clock.now();
        played.wasReset = step.do === "reset";
        if (step.do === "end") this.#client.end();
        else if (step.do === "close") this.#client.close();
        else this.#client.reset();
        return;
      case "stall":
        played.stalled = true;
        return this.#client.stallWrites();
      case "take":
        return this.#client.takeWrites();
      case "shut down":
        played.shutDown = true;
        return this.#session.shutDown();
      case "abandon":
        played.shutDown = true;
        this.#session.shutDown();
        return await this.#pass(SHUTDOWN_GRACE);
      case "mx says":
        return this.#mx?.say(step.text);
      case "mx ends":
        return this.#mx?.leave("ends");
      case "mx closes":
        return this.#mx?.leave("closes");
      case "mx resets":
        return this.#mx?.leave("resets");
      case "mx stalls":
        return this.#mx?.stall();
      case "mx takes":
        return this.#mx?.take();
    }
  }

  async #say(text: string, cut?: Cut): Promise<void> {
    const length = cut ? Math.max(cut.length, Math.ceil(text.length / PACKET_LIMIT)) : text.length;
    const packets = cut ? randomCut(text, length, seeded(cut.seed)) : [text];
    for (const packet of text === "" ? [] : packets) {
      if (this.#played.left || this.#client.closed) return;
      this.#played.sent += packet;
      this.#note(this.#played.saidTimes, packet.length);
      // A flood is no other one octet by octet, but it takes its time.
      if (this.#played.sent.length > 2000) this.#client.octetByOctet = false;
      this.#client.say(octets(packet));
      if (cut?.wait) await this.#pump();
    }
  }

  // Until nobody has anything more to do.
  async #pump(): Promise<void> {
    for (;;) {
      await settled();
      this.#stamp++;
      const acted = [this.#mx?.react(), this.#scanners.react(), this.#moveFilters()].includes(true);
      // Shared work goes on in the next turn of the event loop.
      const { clock } = this.#fake;
      const goesOn = clock.nextDue !== undefined && clock.nextDue <= clock.now();
      if (goesOn) await clock.advance(0);
      if (!acted && !goesOn) return;
    }
  }

  async #pass(ms: number, untilEnd = false): Promise<void> {
    const { clock } = this.#fake;
    const until = clock.now() + ms;
    await this.#pump();
    while (clock.now() < until && !(untilEnd && this.#played.end)) {
      const dues = [clock.nextDue, this.#mx?.due, ...this.#scanners.dues, ...this.#running.map(({ due }) => due)];
      const next = Math.min(until, ...dues.filter((due) => due !== undefined && due > clock.now()) as number[]);
      const { sent, pauses } = this.#played;
      if (sent.endsWith("\n") && pauses.at(-1) !== sent.length) pauses.push(sent.length);
      await clock.advance(next - clock.now());
      this.#played.time = clock.now() - this.#begun;
      await this.#pump();
    }
  }

  #hear(): void {
    this.#played.heard = this.#client.writes.map(spelled).join("");
  }

  // --- filters

  /** The instruction for a program that is given `email`. */
  #nextFilter(email: string): Filter {
    const { filters } = this.#input;
    const isByText = filters.some(({ of }) => of !== undefined);
    if (isByText) return this.#next = filters.find(({ of }) => email.includes(of ?? "\0")) ?? {};
    return this.#next = this.#calm ? {} : filters[this.#started++] ?? {};
  }

  #envelopeOf(
    words: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Pick<FilterRun, "of" | "paths" | "email" | "recipients" | "remoteIp"> {
    const isChecker = words[0] === CHECKER;
    const { EMAIL = "", OUTFILE = "", RECIPIENTCOUNT = "", REMOTEIP = "" } = environment;
    const paths = isChecker ? { EMAIL: words[2]! } : { EMAIL, OUTFILE };
    return {
      of: isChecker ? "extchk" : "command",
      paths,
      email: spelled(this.#fake.files.octetsOf(paths.EMAIL)),
      recipients: isChecker ? words[8]! : RECIPIENTCOUNT,
      remoteIp: isChecker ? words[4]! : REMOTEIP,
    };
  }

  #filterStarts(child: FakeChild): void {
    if (child instanceof FakeTalkingChild) {
      child.onHear = (said) => this.#helperIsAsked(child, said);
      return;
    }
    // `start` has chosen it.
    const instruction = this.#next;
    const envelope = this.#envelopeOf(child.words, child.environment);
    const run: FilterRun = { instruction, ...envelope, stamp: this.#stamp, child };
    this.#played.filters.push(run);
    child.ignoresTerm = instruction.ignoresTerm ?? false;
    child.leavesStderrOpen = instruction.leavesStderrOpen ?? false;
    // The moment of its end, from either side.
    const { signalGroup } = child;
    child.signalGroup = (signal) => {
      if (!child.isEnded) run.stopped = true;
      signalGroup.call(child, signal);
      this.#noteEnd(run);
    };
    void child.ended.then((end) => run.end = end);
    const delay = instruction.hangs ? Infinity : instruction.delay ?? 0;
    this.#running.push({ run, due: this.#fake.clock.now() + delay });
  }

  #helperIsAsked(child: FakeTalkingChild, said: string): void {
    const { email, outfile, recipients, remoteip, id } = JSON.parse(said);
    const { files } = this.#fake;
    const text = spelled(files.octetsOf(email));
    const instruction = this.#nextFilter(text);
    const run: FilterRun = {
      of: "helper",
      instruction,
      paths: { EMAIL: email, OUTFILE: outfile },
      email: text,
      recipients: String(recipients.length),
      remoteIp: remoteip,
      stamp: this.#stamp,
      child,
      id,
    };
    this.#played.filters.push(run);
    child.ignoresTerm = instruction.ignoresTerm ?? false;
    // Whatever ends it while it works on this one.
    void child.ended.then(() => {
      if (run.endStamp !== undefined) return;
      run.stopped = true;
      this.#noteEnd(run);
    });
    const { signalGroup } = child;
    child.signalGroup = (signal) => {
      if (run.endStamp === undefined) run.stopped = true;
      // Nobody waits for an end that takes longer.
      this.#noteEnd(run);
      signalGroup.call(child, signal);
    };
    const delay = instruction.hangs ? Infinity : instruction.delay ?? 0;
    this.#running.push({ run, due: this.#fake.clock.now() + delay });
  }

  // One that answers goes on. Any other end of its work is its own end.
  #answerAsHelper(run: FilterRun): void {
    const { instruction, child, id = 0 } = run;
    const talking = child as FakeTalkingChild;
    const { exit = 0, signal, refused, stderr = "", times = 1, outfileIs, wrong } = instruction;
    run.stopped = signal !== undefined || (refused ?? false) || outfileIs !== undefined || wrong !== undefined;
    if (signal) return talking.die(signal);
    if (refused) return talking.exit(1);
    if (outfileIs) return talking.closeStdout();
    const text = stderr.repeat(times);
    const line = JSON.stringify({ id, exit, text });
    if (line.length > HELPER_ANSWER_LIMIT) run.stopped = true;
    if (wrong === "id") return talking.answer(`${JSON.stringify({ id: id + 1, exit })}\n`);
    if (wrong === "nonsense") return talking.answer("{ nonsense\n");
    talking.answer(`${line}\n`);
  }

  #noteEnd(run: FilterRun): void {
    if ((run.of !== "helper" && !run.child!.isEnded) || run.endStamp !== undefined) return;
    run.endStamp = this.#stamp;
    run.endTime = this.#fake.clock.now();
    const { files } = this.#fake;
    const { EMAIL, OUTFILE = "" } = run.paths;
    if (run.instruction.outfileIs === undefined && files.paths.includes(OUTFILE)) {
      run.outfile = spelled(files.octetsOf(OUTFILE));
    }
    run.emailLeft = files.paths.includes(EMAIL) ? spelled(files.octetsOf(EMAIL)) : undefined;
    run.isDirectoryLeft = run.of === "extchk" && files.isDirectory(EMAIL);
  }

  #moveFilters(): boolean {
    let moved = false;
    for (const one of [...this.#running]) {
      if (!one.run.child!.isEnded && one.due > this.#fake.clock.now()) continue;
      this.#running.splice(this.#running.indexOf(one), 1);
      if (one.run.child!.isEnded || one.run.endStamp !== undefined) continue;
      this.#act(one.run);
      moved = true;
    }
    return moved;
  }

  #act(run: FilterRun): void {
    const { instruction, child } = run;
    const { files } = this.#fake;
    const { EMAIL: email, OUTFILE: outfile = email } = run.paths;
    if (instruction.outfile !== undefined && instruction.renames) files.replace(outfile, octets(instruction.outfile));
    else if (instruction.outfile !== undefined) files.overwrite(outfile, octets(instruction.outfile));
    if (instruction.copies) files.overwrite(outfile, files.octetsOf(email));
    if (instruction.outfileIs === "directory") files.replace(outfile, octets("x"), "directory");
    if (instruction.outfileIs === "missing") files.unlink(outfile);
    const isThere = files.paths.includes(email);
    if (isThere && instruction.email === "missing") files.unlink(email);
    if (isThere && instruction.email === "changed") files.overwrite(email, octets("changed\n"));
    if (isThere && instruction.email === "cut") files.overwrite(email, files.octetsOf(email).subarray(1));
    if (run.of === "helper") {
      this.#answerAsHelper(run);
      run.end = { exit: instruction.exit ?? 0 };
      return this.#noteEnd(run);
    }
    if (instruction.stderr) child!.say(octets(instruction.stderr.repeat(instruction.times ?? 1)));
    if (instruction.signal) child!.die(instruction.signal);
    else child!.exit(instruction.exit ?? 0);
    this.#noteEnd(run);
  }

  // --- the end

  async #calmDown(): Promise<void> {
    this.#calm = true;
    if (this.#mx) this.#mx.calm = true;
    this.#client.takeWrites();
    this.#mx?.take();
    await this.#pump();
    // Anything that hangs is cut off in this time. And a line that a bare LF ends is a line.
    this.#scanners.calm = true;
    const isBusy = this.#mx?.due !== undefined || this.#scanners.isBusy || this.#running.length > 0 ||
      this.#fake.processes.children.some((child) => !child.isEnded && !(child instanceof FakeTalkingChild));
    await this.#pass(isBusy ? LIMITS.message : 200, true);
    if (this.#mx?.owes && !this.#played.end) await this.#pass(LIMITS.reply + 1000, true);
  }

  async #probe(standing: (played: Played) => Standing): Promise<void> {
    if (this.#played.end || this.#played.left || this.#client.closed) return;
    this.#hear();
    const stands = standing(this.#played);
    if (!stands) return;
    this.#played.probedAt = this.#played.sent.length;
    if (stands.mode === "content") await this.#tell("\r\n.\r\n");
    if (stands.mode === "auth") await this.#tell(stands.pending ? "\r\n" : "*\r\n");
    if (stands.mode === "auth" && stands.pending) await this.#tell("*\r\n");
    if (stands.mode === "command" && stands.pending) await this.#tell("\r\n");
    // That line was a QUIT.
    if (this.#played.end) return void (this.#played.probedAt = undefined);
    for (const command of PROBE) await this.#tell(command);
    await this.#tell(PROBE_CONTENT);
    await this.#tell("QUIT\r\n");
  }

  async #tell(text: string): Promise<void> {
    await this.#say(text);
    await this.#pump();
  }

  // The session is over, and with it the program.
  async #retire(): Promise<void> {
    if (!this.#played.end || !this.#judge.retire) return;
    void this.#judge.retire();
    await this.#pump();
    for (const child of this.#fake.processes.children) {
      if (child instanceof FakeTalkingChild && child.isHungUp && !child.ignoresTerm) child.exit(0);
    }
    await this.#pass(5000);
  }

  async #lookForKept(): Promise<void> {
    const { files } = this.#fake;
    const names = files.paths.filter((path) => path.startsWith(`${QUARANTINE}/`));
    const read = (path: string) => spelled(files.octetsOf(path));
    const kept: KeptMessage[] = [];
    for (const name of names.filter((name) => name.endsWith(".json"))) {
      const eml = name.replace(/json$/, "eml");
      if (!names.includes(eml)) this.#complain(`${name} has no message`);
      else kept.push({ ...JSON.parse(read(name)), email: read(eml) });
    }
    if (names.length !== 2 * kept.length) this.#complain(`a part is left in the quarantine: ${names.join(" ")}`);
    this.#played.kept = kept;
  }

  #lookForLeftovers(): void {
    const { clock, files, processes, network } = this.#fake;
    if (this.#played.end === undefined) return this.#complain("the session goes on for ever");
    if (!this.#client.closed) this.#complain("the client's connection is open");
    if (network.servers.some((server) => !server.closed)) this.#complain("downstream's connection is open");
    this.#played.leftover = files.paths.filter((path) => !path.startsWith(`${QUARANTINE}/`));
    if (this.#scanners.isBusy) this.#complain("a connection to a scanner is open");
    if (files.handles > 0) this.#complain(`${files.handles} files are open`);
    if (processes.children.some((child) => !child.isEnded)) this.#complain("a filter is running");
    if (clock.pending > 0) this.#complain(`${clock.pending} timers are set`);
    for (const bug of this.#played.log.find(": bug ")) this.#complain(bug);
  }

  #note(moments: Moment[], octets: number): void {
    moments.push({ end: (moments.at(-1)?.end ?? 0) + octets, time: this.#fake.clock.now() });
  }

  #complain(what: string): void {
    this.#played.complaints.push(what);
  }
}
