// A real spamd for tests: Debian's SpamAssassin, with a few rules that are made here, and no other rule. Nothing is
// downloaded, and nothing of the system's own configuration is read or touched. It asks no DNS.
//
// It has a directory of its own under /tmp, a port at 127.0.0.1 or a unix socket. It is ended by its pid.

import { freePort } from "../rig/ports.ts";
import { octets } from "../rig/octets.ts";
import { askServer, Daemon } from "./daemon.ts";
import { findProgram, groupOfUser, USER, userId } from "./postfix.ts";

export interface SpamdOptions {
  /** Over a unix socket. */
  readonly unix?: boolean;
  /** Whether spam becomes a part of a new message. */
  readonly reportSafe?: 0 | 1 | 2;
}

export class Spamd {
  /** As an option has it. */
  readonly address: string;
  readonly #daemon = new Daemon("spamd");
  readonly #port: number | undefined;

  static async start({ unix = false, reportSafe = 0 }: SpamdOptions = {}): Promise<Spamd> {
    const program = findProgram("spamd", "spamd");
    const spamd = new Spamd(unix ? undefined : await freePort());
    const { dir } = spamd.#daemon;
    try {
      for (const name of ["rules", "site", "home"]) Deno.mkdirSync(`${dir}/${name}`);
      Deno.writeTextFileSync(`${dir}/site/init.pre`, "loadplugin Mail::SpamAssassin::Plugin::Check\n");
      Deno.writeTextFileSync(`${dir}/rules/test.cf`, `report_safe ${reportSafe}\n${RULES}`);
      for (const name of [".", "home"]) Deno.chownSync(`${dir}/${name}`, userId(USER), groupOfUser(USER));
      await spamd.#run(program);
      return spamd;
    } catch (error) {
      await spamd.stop();
      throw error;
    }
  }

  private constructor(port: number | undefined) {
    this.#port = port;
    this.address = port === undefined ? `unix:${this.#daemon.dir}/socket` : `127.0.0.1:${port}`;
  }

  get log(): string {
    return this.#daemon.log;
  }

  async stop(): Promise<void> {
    await this.#daemon.stop();
  }

  async #run(program: string): Promise<void> {
    const { dir } = this.#daemon;
    Deno.writeTextFileSync(`${dir}/log`, "");
    Deno.chmodSync(`${dir}/log`, 0o666);
    const where = this.#port === undefined
      ? [`--socketpath=${dir}/socket`, "--socketmode=666"]
      : ["-i", "127.0.0.1", "-p", String(this.#port)];
    const args = [
      ...["--local", "--nouser-config", "-u", USER, "-g", "nogroup", "-s", `${dir}/log`, "--max-children=3"],
      ...["-C", `${dir}/rules`, `--siteconfigpath=${dir}/site`, `--helper-home-dir=${dir}/home`, ...where],
    ];
    const to = this.#port === undefined ? { path: `${dir}/socket` } : { port: this.#port };
    const ping = async () => (await askServer(to, octets("PING SPAMC/1.5\r\n\r\n"))).includes(" 0 PONG");
    await this.#daemon.run(program, args, ping);
  }
}

const RULES = `required_score 5
use_bayes 0
clear_headers
add_header spam Flag _YESNOCAPS_
add_header all Status _YESNO_, score=_SCORE_ required=_REQD_ tests=_TESTS_
add_header all Level _STARS(*)_
rewrite_header Subject [SPAM]
body GTUBE /XJS\\*C4JDBQADN1\\.NSBN3\\*2IDNEN\\*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL\\*C\\.34X/
score GTUBE 1000
header SEVEN X-Test =~ /seven/
score SEVEN 7.5
header NICE X-Test =~ /nice/
tflags NICE nice
score NICE -3.25
`;
