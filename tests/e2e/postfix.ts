// A Postfix of the test's own, on the loopback interface, in its own directory, mostly under /tmp.
//
// createPostfix() makes the directory. start() writes the configuration and starts master(8) with `postfix -c DIR/etc
// start`. configure() writes a file of the configuration, and reload() lets Postfix read it. stop() ends Postfix and
// removes the directory. The test neither reads nor touches /etc/postfix and the machine's own mail system. If the test
// process itself dies, a waiting shell (the keeper) does the work of stop().
// Needs Debian's package postfix and root, and says so in one line: without them the tests that ask for it fail.
// Messages and log are read as binary strings (one character, one octet).

import { Buffer } from "node:buffer";
import { headerChecks, MAILBOXES, mainCf, masterCf } from "./postfix_config.ts";
import { until } from "../rig/wait.ts";
import { isAlive } from "./start.ts";

/** Neither root nor Postfix: who owns the Maildirs and runs the proxy. */
export const USER = "nobody";

/** The environment variable that marks the processes of one instance; its value is the instance's directory. */
export const MARK = "POSTPROX_E2E";

/** Directories of the queue, and who owns each, as Postfix's own postfix-files says. */
const QUEUE_DIRECTORIES: Record<string, { owner: "root" | "postfix"; group: "root" | "postdrop"; mode: number }> = {
  ...Object.fromEntries(
    ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"]
      .map((name) => [name, { owner: "postfix", group: "root", mode: 0o700 }]),
  ),
  pid: { owner: "root", group: "root", mode: 0o755 },
  public: { owner: "postfix", group: "postdrop", mode: 0o710 },
  maildrop: { owner: "postfix", group: "postdrop", mode: 0o1730 },
};

/** Where a message can be as long as it is not delivered. */
const MESSAGE_DIRECTORIES = ["active", "corrupt", "deferred", "hold", "incoming", "maildrop"];

const KEEPER = `read -r word && exit
"$1" -c "$0/etc" stop
for environment in $(grep -lsxz "$2=$0" /proc/[0-9]*/environ); do
  kill -KILL "$(basename "$(dirname "$environment")")"
done
rm -rf "$0"`;

export interface Delivery {
  /** Delivered-To: the recipient, its tag included. */
  recipient: string;
  /** The lines before the sender's own first line. */
  prepended: string;
  /** The message as the sender sent it, with CRLF. */
  text: string;
}

export class Postfix {
  readonly dir: string;
  readonly #program: string;
  readonly #keeper: Deno.ChildProcess;
  readonly #delivered = new Map<string, Delivery>();

  constructor(dir: string, program: string) {
    this.dir = dir;
    this.#program = program;
    // In a session of its own, so that what kills the test's process group spares it.
    const options: Deno.CommandOptions = { args: ["-c", KEEPER, dir, program, MARK], stdin: "piped", detached: true };
    this.#keeper = new Deno.Command("sh", options).spawn();
  }

  /** Starts master(8); its sockets are open when this returns. `mainLines` is the end of main.cf. */
  async start(masterEntries: readonly string[], mainLines = ""): Promise<void> {
    const { dir } = this;
    const owner = { uid: userId(USER), gid: groupOfUser(USER) };
    Deno.mkdirSync(`${dir}/etc`);
    this.configure("main.cf", mainCf({ dir, ...owner }) + mainLines);
    this.configure("master.cf", masterCf(masterEntries));
    Deno.writeTextFileSync(`${dir}/etc/header_checks`, headerChecks());
    makeDirectory(`${dir}/data`, { uid: userId("postfix"), gid: 0, mode: 0o700 });
    makeDirectory(`${dir}/mail`, { ...owner, mode: 0o700 });
    Deno.mkdirSync(`${dir}/queue`, { mode: 0o755 });
    for (const [name, { owner, group, mode }] of Object.entries(QUEUE_DIRECTORIES)) {
      makeDirectory(`${dir}/queue/${name}`, { uid: userId(owner), gid: groupId(group), mode });
    }
    // Postfix's own checks would look at the machine's shared files too; its "quick start" leaves them out.
    Deno.writeTextFileSync(`${dir}/queue/quick-start`, "");
    await this.#postfix("start");
  }

  /**
   * Writes main.cf or master.cf whole: master(8) ends if it reads half of its own. The file is dated back. While main.cf
   * is younger than two seconds, each program of Postfix reads it again, a second later: it may be half written.
   */
  configure(name: "main.cf" | "master.cf", text: string): void {
    const path = `${this.dir}/etc/${name}`;
    Deno.writeTextFileSync(`${path}.new`, text);
    const past = new Date(Date.now() - 60_000);
    Deno.utimeSync(`${path}.new`, past, past);
    Deno.renameSync(`${path}.new`, path);
  }

  /** The text of main.cf or master.cf. */
  configuration(name: "main.cf" | "master.cf"): string {
    return Deno.readTextFileSync(`${this.dir}/etc/${name}`);
  }

  /** Lets Postfix read its files. It has read them when this returns. */
  async reload(): Promise<void> {
    const mark = this.log().length;
    await this.#postfix("reload");
    await until(() => this.log(mark).includes(": reload -- version"), "the reload of Postfix");
  }

  /** Ends Postfix and removes the directory. */
  async stop(): Promise<void> {
    try {
      if (isDirectory(`${this.dir}/etc`)) await this.#end();
    } finally {
      await until(() => remove(this.dir), `the removal of ${this.dir}`, 10_000);
      const writer = this.#keeper.stdin.getWriter();
      await writer.write(new TextEncoder().encode("done\n"));
      await writer.close();
      await this.#keeper.status;
    }
  }

  /** Of master(8), which is the parent of all its servers. */
  get pid(): number {
    return Number(Deno.readTextFileSync(`${this.dir}/queue/pid/master.pid`));
  }

  /** The log from `mark` on; the length of what log() gave is a mark. */
  log(mark = 0): string {
    return readOctets(`${this.dir}/maillog`).slice(mark);
  }

  /** The log since `mark`, once every SMTP server that spoke with somebody is done with it and the queue is empty. */
  async settledLog(mark: number): Promise<string> {
    return await until(() => {
      const log = this.log(mark);
      const open = new Map<string, boolean>();
      for (const [_, pid = "", event] of log.matchAll(/smtpd\[(\d+)\]: (connect|disconnect) from /g)) {
        open.set(pid, event === "connect");
      }
      return open.size > 0 && ![...open.values()].includes(true) && this.queue().length === 0 && log;
    }, "all SMTP sessions over, the queue empty");
  }

  /** Files of messages that were neither delivered nor dropped. */
  queue(): string[] {
    return MESSAGE_DIRECTORIES.flatMap((name) => filesBelow(`${this.dir}/queue/${name}`));
  }

  /** The messages delivered to recipients with this tag, or with a tag that begins with it and a dot. */
  delivered(tag: string): Delivery[] {
    for (const name of MAILBOXES) {
      const folder = `${this.dir}/mail/${name}/new`;
      for (const file of filesBelow(folder)) {
        if (!this.#delivered.has(file)) this.#delivered.set(file, parseDelivery(readOctets(file)));
      }
    }
    return [...this.#delivered.values()].filter(({ recipient }) => {
      const found = recipient.slice(recipient.indexOf("+") + 1, recipient.indexOf("@"));
      return found === tag || found.startsWith(`${tag}.`);
    });
  }

  /** Does what `postfix stop` does, without the second that it sleeps before it looks again. */
  async #end(): Promise<void> {
    const pid = Number(Deno.readTextFileSync(`${this.dir}/queue/pid/master.pid`));
    if (!isAlive(pid)) throw new Error(`master(8) has ended before: ${this.log()}`);
    Deno.kill(pid, "SIGTERM");
    await until(() => !isAlive(pid), `the end of master(8), process ${pid}`);
  }

  async #postfix(word: string): Promise<void> {
    const output = await new Deno.Command(this.#program, { args: ["-c", `${this.dir}/etc`, word] }).output();
    if (output.success) return;
    const said = new TextDecoder().decode(output.stderr);
    throw new Error(`postfix ${word} failed: ${said}${isFile(`${this.dir}/maillog`) ? this.log() : ""}`);
  }
}

/** A directory for one instance, below `parent`, and the instance, not started yet. */
export function createPostfix(parent = "/tmp"): Postfix {
  const program = findProgram("postfix");
  if (Deno.uid() !== 0) throw new Error("Only root can start Postfix: run these tests as root.");
  Deno.umask(0o022); // Others have to read what is written here.
  const dir = Deno.makeTempDirSync({ dir: parent, prefix: "postprox-e2e-" });
  Deno.chmodSync(dir, 0o755);
  return new Postfix(dir, program);
}

/** The path of a server or an administrator's program, which live in /usr/sbin. */
export function findProgram(name: string, debianPackage = "postfix"): string {
  const path = ["/usr/sbin", "/usr/local/sbin"].map((folder) => `${folder}/${name}`).find(isFile);
  if (path === undefined) {
    throw new Error(`There is no ${name} here, and these tests need a real one: apt-get install ${debianPackage}`);
  }
  return path;
}

export function userId(name: string): number {
  return idIn("/etc/passwd", name, 2);
}

export function groupOfUser(name: string): number {
  return idIn("/etc/passwd", name, 3);
}

export function makeDirectory(path: string, { uid, gid, mode }: { uid: number; gid: number; mode: number }): void {
  Deno.mkdirSync(path);
  Deno.chownSync(path, uid, gid);
  Deno.chmodSync(path, mode);
}

/** All files below a folder, which may be missing or vanish while it is read. */
export function filesBelow(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
      isDirectory ? filesBelow(`${folder}/${name}`) : [`${folder}/${name}`]
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** A file's octets as a binary string. */
export function readOctets(path: string): string {
  return Buffer.from(Deno.readFileSync(path)).toString("latin1");
}

function parseDelivery(file: string): Delivery {
  const prepended = file.match(/^(?:(?:Return-Path|X-Original-To|Delivered-To|Received):.*\n(?:[ \t].*\n)*)*/)?.[0] ??
    "";
  return {
    recipient: prepended.match(/^Delivered-To: (.*)$/m)?.[1] ?? "",
    prepended,
    text: file.slice(prepended.length).replaceAll("\n", "\r\n"),
  };
}

function groupId(name: string): number {
  return idIn("/etc/group", name, 2);
}

function idIn(file: string, name: string, field: number): number {
  const entry = Deno.readTextFileSync(file).split("\n").find((line) => line.startsWith(`${name}:`));
  if (entry === undefined) throw new Error(`${file} knows no ${name}`);
  return Number(entry.split(":")[field]);
}

/** False if somebody was writing meanwhile: Postfix's last words go to its log. */
function remove(dir: string): boolean {
  try {
    Deno.removeSync(dir, { recursive: true });
    return true;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
