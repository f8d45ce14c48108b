// Plays tables of cases against the running program, in spawn mode and in listen mode.
//
// `table` makes one test per mode, with a step per case. A test has one directory, one fake downstream server and one
// program with one set of options: in listen mode a process that serves all its cases, in spawn mode a process per
// connection. The filter command is a file that each case may write again. After each case these hold, or it has failed:
// the proxy has closed its connections, its spool directory is empty, and it never spoke to downstream out of turn.

import assert from "node:assert/strict";
import { type Script, Server } from "../rig/server.ts";
import { type Client, type Reply } from "../rig/client.ts";
import { show, spelled } from "../rig/octets.ts";
import { DEADLINE, until, within } from "../rig/wait.ts";
import { type Environment, isAlive, kill, Listening, type Process, Spawner } from "../e2e/start.ts";

export type Mode = "spawn" | "listen";

/** Shared by all cases of a table. */
export interface Setup {
  /** Words of the command line beside the operand, `-d` and `--log`. */
  readonly options?: (dir: string) => readonly string[];
  /** With a filter command; each case may say what it does. */
  readonly filter?: boolean;
  readonly env?: Environment;
  readonly modes?: readonly Mode[];
  /**
   * The rows differ in what is said, not in how octets come and go, or how a process starts and ends. In spawn mode, where
   * each row takes a process, the first is enough, and those that name that mode.
   */
  readonly spawn?: "first row";
  /** Starts what a test needs besides, plays the test, and ends that. */
  readonly around?: (play: () => Promise<void>) => Promise<void>;
  /** A downstream that is something else than the fake server. */
  readonly operand?: (fake: Server, dir: string) => string;
  /** The spool directory, where it is not the test's own. */
  readonly spool?: (dir: string) => string;
  /** The cases are played one after the other in one conversation, as long as it lasts; RSET comes between them. */
  readonly shared?: true;
  /** The cases, which spend their time waiting, are played side by side, each with a program of its own. */
  readonly together?: true;
}

export interface Case {
  readonly name: string;
  /** The behaviour of the fake downstream server. */
  readonly script?: Script;
  /** The filter command; `$D` is the test's directory. */
  readonly filter?: string;
  readonly modes?: readonly Mode[];
  /** More words of the command line, where cases are played side by side. */
  readonly options?: readonly string[];
  /** The case itself leaves something in the spool directory. */
  readonly leavesSpool?: true;
  readonly play: (talk: Talk) => Promise<void>;
}

export const SENDER = "sender@example.org";
export const RECIPIENT = "recipient@example.net";
export const CONTENT = "Subject: test\r\n\r\nA line.\r\n";

/** One case's hold on the program. */
export class Talk {
  readonly clients: Client[] = [];
  readonly processes: Process[] = [];
  readonly logFile: string;
  #logStart = 0;
  #program: Listening | Spawner;
  #shared: Client | undefined;

  constructor(
    readonly mode: Mode,
    readonly dir: string,
    readonly spool: string,
    readonly downstream: Server,
    program: Listening | Spawner,
    shared?: Client,
  ) {
    this.#program = program;
    this.#shared = shared;
    this.logFile = `${dir}/log`;
    this.#logStart = readLog(this.logFile).length;
  }

  /** A new conversation. Nothing was said in it yet. */
  async connect(): Promise<Client> {
    const { client, process } = await this.#program.connect();
    this.clients.push(client);
    this.processes.push(process);
    return client;
  }

  /** A conversation after the greeting and EHLO: a new one, or where the table shares one, that. */
  async open(): Promise<Client> {
    if (this.#shared) {
      const client = this.#shared;
      this.#shared = undefined;
      return client;
    }
    const client = await this.connect();
    await client.expect(220);
    await client.expect(250, "EHLO client.example");
    return client;
  }

  /** The process that serves the newest conversation. */
  get process(): Process {
    return this.processes.at(-1)!;
  }

  /** In spawn mode, the exit status of the process that served the newest conversation. */
  async exitStatus(): Promise<number> {
    return await within(this.process.ended, () => `the end of process ${this.process.pid}`);
  }

  setFilter(text: string): void {
    writeFilter(this.dir, text);
  }

  /** A file that a filter wrote into `$D`, in binary text; waits until it is there and not empty. */
  async file(name: string): Promise<string> {
    await until(() => read(`${this.dir}/${name}`) !== "", () => `the file ${name}`);
    return read(`${this.dir}/${name}`);
  }

  hasFile(name: string): boolean {
    return exists(`${this.dir}/${name}`);
  }

  /** A number that a filter wrote into a file of `$D`. */
  async pidIn(name: string): Promise<number> {
    await until(() => /\n$/.test(read(`${this.dir}/${name}`)), () => `a pid in ${name}`);
    return Number(read(`${this.dir}/${name}`).trim());
  }

  /** The lines that this case has added to the log so far. */
  get log(): string {
    return readLog(this.logFile).slice(this.#logStart);
  }

  async logged(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.log), () => `${pattern} in the log, which has ${show(this.log, 2000)}`);
  }

  /** No message reached downstream. */
  nothingPassed(): void {
    assert.deepEqual(this.downstream.messages, [], "a message reached downstream");
    assert.ok(!this.downstream.verbs.includes("DATA"), `DATA reached downstream: ${show(this.downstream.received)}`);
  }

  /** Downstream got this one message and no other. */
  passed(text: string): void {
    assert.deepEqual(this.downstream.messages.map((message) => message.text), [text]);
  }

  /** Names in the spool directory. */
  spooled(): string[] {
    return listNames(this.spool);
  }
}

/** A fake downstream server and a directory with a spool in it. */
export interface Bed {
  readonly fake: Server;
  readonly dir: string;
}

/** Makes a `Bed` for the time of a test. */
export async function withBed(body: (bed: Bed) => Promise<void>): Promise<void> {
  const fake = await Server.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  Deno.mkdirSync(`${dir}/spool`);
  try {
    await body({ fake, dir });
  } finally {
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
}

/** MAIL, RCPT, DATA, the content as it is given, and the final dot; the reply to that. */
export async function deliver(
  client: Client,
  content: string = CONTENT,
  envelope: { from?: string; to?: readonly string[] } = {},
): Promise<Reply> {
  await startMessage(client, envelope);
  await client.say(`${content}.\r\n`);
  return await client.hear();
}

/** MAIL, RCPT and DATA, up to the 354. */
export async function startMessage(
  client: Client,
  envelope: { from?: string; to?: readonly string[] } = {},
): Promise<void> {
  await client.expect(250, `MAIL FROM:<${envelope.from ?? SENDER}>`);
  for (const to of envelope.to ?? [RECIPIENT]) await client.expect(250, `RCPT TO:<${to}>`);
  await client.expect(354, "DATA");
}

/** The session still works. Ask this outside a transaction. */
export async function expectUsable(client: Client): Promise<void> {
  await client.expect(250, "NOOP");
  const reply = await deliver(client, "Subject: after\r\n\r\nstill here\r\n", { from: "after@example.org" });
  assert.equal(reply.code, 250, show(reply.raw));
}

/**
 * A scanner answers again, and the session works. With a short --scan-timeout a busy machine may defer a message once
 * more. A sender then tries again, and so does this.
 */
export async function expectRecovered(client: Client): Promise<void> {
  await client.expect(250, "NOOP");
  let reply: Reply;
  let attempts = 0;
  do {
    reply = await deliver(client, "Subject: after\r\n\r\nstill here\r\n");
  } while (reply.code === 451 && ++attempts < 20);
  assert.equal(reply.code, 250, show(reply.raw));
}

/** Asserts that a case's reply has this code. */
export function assertCode(reply: Reply, ...codes: number[]): void {
  assert.ok(codes.includes(reply.code), `expected ${codes.join(" or ")}, heard ${show(reply.raw)}`);
}

/** Registers one test per mode. */
export function table(title: string, setup: Setup, cases: readonly Case[]): void {
  for (const mode of setup.modes ?? ["spawn", "listen"] as const) {
    const mine = cases.filter(({ modes }, at) =>
      modes?.includes(mode) ?? (mode === "listen" || setup.spawn !== "first row" || at === 0)
    );
    const play = setup.together ? playTogether : playInTurn;
    const around = setup.around ?? ((play) => play());
    Deno.test(`${title} (${mode} mode)`, (test) => around(() => play(test, mode, setup, mine)));
  }
}

async function playInTurn(test: Deno.TestContext, mode: Mode, setup: Setup, rows: readonly Case[]): Promise<void> {
  const rig = await Rig.start(mode, setup);
  try {
    for (const row of rows) await test.step(row.name, () => rig.play(row));
  } finally {
    await rig.stop();
  }
}

/** So many programs at a time, where cases are played side by side. */
const SIDE_BY_SIDE = 4;

async function playTogether(test: Deno.TestContext, mode: Mode, setup: Setup, rows: readonly Case[]): Promise<void> {
  const left = [...rows];
  const player = async () => {
    for (let row = left.shift(); row; row = left.shift()) {
      const now = row;
      await test.step({
        name: row.name,
        fn: () => playAlone(mode, setup, now),
        sanitizeOps: false,
        sanitizeResources: false,
        sanitizeExit: false,
      });
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, player));
}

/** Plays one case with a program of its own. */
export async function playAlone(mode: Mode, setup: Setup, row: Case): Promise<void> {
  const options = (dir: string) => [...setup.options?.(dir) ?? [], ...row.options ?? []];
  const rig = await Rig.start(mode, { ...setup, options });
  try {
    await rig.play(row);
  } finally {
    await rig.stop();
  }
}

/** The program with one set of options, its directory and its downstream. */
export class Rig {
  readonly dir: string;
  readonly downstream: Server;
  #mode: Mode;
  #setup: Setup;
  #spool: string;
  #spoolBefore: string[] = [];
  #program: Listening | Spawner | undefined;
  #shared: Client | undefined;

  private constructor(mode: Mode, setup: Setup, dir: string, downstream: Server) {
    this.#mode = mode;
    this.#setup = setup;
    this.dir = dir;
    this.downstream = downstream;
    this.#spool = setup.spool?.(dir) ?? `${dir}/spool`;
  }

  static async start(mode: Mode, setup: Setup): Promise<Rig> {
    const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
    Deno.mkdirSync(`${dir}/spool`);
    const rig = new Rig(mode, setup, dir, await Server.start());
    writeFilter(dir, "exit 0");
    await rig.#startProgram();
    return rig;
  }

  async stop(): Promise<void> {
    this.#shared?.close();
    await this.#program?.stop();
    await this.downstream.stop();
    Deno.removeSync(this.dir, { recursive: true });
  }

  async play(row: Case): Promise<void> {
    if (!this.#program) await this.#startProgram();
    const shared = await this.#renewShared();
    if (shared) this.downstream.renew(row.script);
    else this.downstream.reset(row.script);
    writeFilter(this.dir, row.filter ?? "exit 0");
    for (const name of listNames(this.dir)) {
      if (!["spool", "log", "filter", "full", "rules", "quarantine", "metrics"].includes(name)) {
        Deno.removeSync(`${this.dir}/${name}`, { recursive: true });
      }
    }
    const talk = new Talk(this.#mode, this.dir, this.#spool, this.downstream, this.#program!, shared);
    try {
      await row.play(talk);
      if (!this.#setup.shared) {
        await this.#close(talk);
      } else {
        const client = talk.clients.at(-1) ?? shared;
        if (client && !client.isOver) this.#shared = client;
      }
      await this.#settle(talk, row);
    } catch (error) {
      shared?.close();
      await this.#abandon(talk);
      if (error instanceof Error && talk.log !== "") error.message += `\nLog:\n${talk.log.slice(-3000)}`;
      throw error;
    }
  }

  /** The conversation that goes on from the case before, if there is one. */
  async #renewShared(): Promise<Client | undefined> {
    const before = this.#shared;
    this.#shared = undefined;
    this.downstream.script = {};
    if (!before || before.isOver) return undefined;
    try {
      await before.expect(250, "RSET");
      return before;
    } catch {
      before.close();
      return undefined;
    }
  }

  /** Ends the conversations of a case; the proxy then does, too. */
  async #close(talk: Talk): Promise<void> {
    for (const client of talk.clients) client.close();
    if (this.#mode === "spawn") {
      for (const process of talk.processes) await within(process.ended, () => `the end of process ${process.pid}`);
    } else {
      assert.ok(isAlive((this.#program as Listening).process.pid), "the program has ended");
    }
    const gone = () => this.downstream.sessions.every((session) => session.gone);
    await this.downstream.until(gone, "the proxy to close its connections");
  }

  /** These must hold after every case. */
  async #settle(talk: Talk, row: Case): Promise<void> {
    if (!row.leavesSpool) {
      const same = () => String(talk.spooled()) === String(this.#spoolBefore);
      await until(same, () => `an empty spool directory, which has ${talk.spooled()}`, Math.min(DEADLINE, 10_000));
    }
    assert.deepEqual(this.downstream.violations, [], "the proxy spoke out of turn");
  }

  /** After a failure: the next case begins with a new process and an empty spool directory. */
  async #abandon(talk: Talk): Promise<void> {
    for (const client of talk.clients) client.close();
    if (this.#mode === "spawn") {
      for (const process of talk.processes) kill(process.pid);
    } else {
      kill((this.#program as Listening).process.pid);
      await this.#program?.stop();
      this.#program = undefined;
    }
    for (const name of talk.spooled()) Deno.removeSync(`${this.#spool}/${name}`, { recursive: true });
  }

  async #startProgram(): Promise<void> {
    const args = [
      this.#setup.operand?.(this.downstream, this.dir) ?? this.downstream.operand,
      "-d",
      this.#spool,
      `--log=${this.dir}/log`,
      ...(this.#setup.filter ? ["-c", `. ${this.dir}/filter`] : []),
      ...(this.#setup.options?.(this.dir) ?? []),
    ];
    if (this.#mode === "listen") {
      const before = readLog(`${this.dir}/log`).length;
      this.#program = await Listening.start(args, this.#setup.env);
      // The lines about the start come when the port is open already. They are no case's own.
      const isRoot = Deno.uid() === 0 && !args.some((arg) => arg.startsWith("--user="));
      const last = isRoot ? /run as root.*\n/ : /[ "]listening[ "].*\n/;
      await until(() => last.test(readLog(`${this.dir}/log`).slice(before)), () => `the lines of the start: ${last}`);
    } else {
      const spawner = await Spawner.start();
      await spawner.use(args, this.#setup.env);
      this.#program = spawner;
    }
    this.#spoolBefore = listNames(this.#spool);
  }
}

function writeFilter(dir: string, text: string): void {
  Deno.writeTextFileSync(`${dir}/filter`, `D='${dir}'\n${text}\n`);
}

export function listNames(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();
}

/** A file in binary text; empty if it is not there. */
export function read(path: string): string {
  try {
    return spelled(Deno.readFileSync(path));
  } catch {
    return "";
  }
}

export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function readLog(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
