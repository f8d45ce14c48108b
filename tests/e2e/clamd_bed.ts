// Real clamd for tests: Debian's clamav-daemon with a database of one signature, which is made here. Nothing is downloaded,
// and nothing of the system's own clamd is read or touched.
//
// Each Clamd has a directory of its own under /tmp, a TCP port at 127.0.0.1 and a unix socket. It can be killed, and started
// again at the same addresses. It is ended by its pid.

import { FRAME, frameChunk } from "../../lib/checks/clamd/protocol.ts";
import { EICAR } from "../fakes/clamd.ts";
import { octets, spelled } from "../rig/octets.ts";
import { freePort } from "../rig/ports.ts";
import { askServer, Daemon } from "./daemon.ts";
import { findProgram } from "./postfix.ts";

/** The name under which the database has EICAR. clamd adds that it is no official signature. */
export const VIRUS = "Eicar-Test";
export const FOUND = `550 5.7.1 virus found: ${VIRUS}.UNOFFICIAL\r\n`;

/** In octets. */
export const STREAM_MAX = 1024 * 1024;

export class Clamd implements AsyncDisposable {
  readonly tcp: string;
  readonly unix: string;
  readonly #daemon = new Daemon("clamd");
  readonly #port: number;
  readonly #program: string;

  static async start(): Promise<Clamd> {
    const clamd = new Clamd(findProgram("clamd", "clamav-daemon"), await freePort());
    await clamd.restart();
    return clamd;
  }

  private constructor(program: string, port: number) {
    const { dir } = this.#daemon;
    this.#program = program;
    this.#port = port;
    this.tcp = `127.0.0.1:${port}`;
    this.unix = `unix:${dir}/socket`;
    Deno.mkdirSync(`${dir}/database`);
    const signature = Array.from(octets(EICAR), (octet) => octet.toString(16).padStart(2, "0")).join("");
    Deno.writeTextFileSync(`${dir}/database/test.ndb`, `${VIRUS}:0:*:${signature}\n`);
    Deno.writeTextFileSync(
      this.config,
      [
        "Foreground yes",
        `DatabaseDirectory ${dir}/database`,
        `TemporaryDirectory ${dir}`,
        "TCPAddr 127.0.0.1",
        `TCPSocket ${port}`,
        `LocalSocket ${dir}/socket`,
        "LocalSocketMode 666",
        "FixStaleSocket yes",
        `StreamMaxLength ${STREAM_MAX}`,
        `LogFile ${dir}/log`,
        "",
      ].join("\n"),
    );
  }

  /** The path of its configuration, for clamdscan(1). */
  get config(): string {
    return `${this.#daemon.dir}/clamd.conf`;
  }

  /** Of the process that runs now. */
  get pid(): number {
    return this.#daemon.pid;
  }

  get log(): string {
    return this.#daemon.log;
  }

  /**
   * Its answer about a message (binary text) without postprox, and the milliseconds that the answer took, without the
   * connection.
   */
  async ask(message: string): Promise<{ answer: string; time: number }> {
    const room = new Uint8Array(message.length + FRAME);
    const question = frameChunk(octets(message), room, { isFirst: true, isLast: true });
    const answer = new Uint8Array(1024);
    using conn = await Deno.connect({ transport: "unix", path: `${this.#daemon.dir}/socket` });
    const start = performance.now();
    for (let at = 0; at < question.length;) at += await conn.write(question.subarray(at));
    const count = await conn.read(answer) ?? 0;
    return { answer: spelled(answer.subarray(0, count)), time: performance.now() - start };
  }

  async restart(): Promise<void> {
    const ping = async () => await askServer({ port: this.#port }, octets("zPING\0")) === "PONG\0";
    await this.#daemon.run(this.#program, ["-c", this.config], ping);
  }

  /** Ends it at once, in the middle of anything. */
  async kill(): Promise<void> {
    await this.#daemon.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async stop(): Promise<void> {
    await this.kill();
    await this.#daemon.stop();
  }
}
