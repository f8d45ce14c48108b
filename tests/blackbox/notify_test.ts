// What a service manager hears of listen mode (sd_notify(3)), from outside: a real socket, with a path and with a name.

import assert from "node:assert/strict";
import { programWords } from "../e2e/program.ts";
import { isAlive, kill, Listening, runCommand } from "../e2e/start.ts";
import { Server } from "../rig/server.ts";
import { freePort } from "../rig/ports.ts";
import { connectTo } from "../rig/client.ts";
import { until } from "../rig/wait.ts";
import { deliver } from "./rig.ts";

/** A service manager's socket, and a downstream server. */
class Bed {
  readonly dir = Deno.makeTempDirSync({ prefix: "postprox_notify_" });
  readonly heard: string[] = [];
  readonly #socket: Deno.DatagramConn;

  private constructor(readonly fake: Server, readonly name: string, path: string) {
    Deno.mkdirSync(`${this.dir}/spool`);
    this.#socket = Deno.listenDatagram({ transport: "unixpacket", path });
    void this.#listen();
  }

  static async start(kind: "path" | "name"): Promise<Bed> {
    const path = `${Deno.makeTempDirSync({ prefix: "postprox_notify_" })}/socket`;
    return new Bed(await Server.start(), kind === "path" ? path : `@${path}`, kind === "path" ? path : `\0${path}`);
  }

  options(...words: readonly string[]): string[] {
    return [this.fake.operand, "-d", `${this.dir}/spool`, `--log=${this.dir}/log`, ...words];
  }

  async hears(pattern: RegExp): Promise<void> {
    await until(
      () => this.heard.some((notice) => pattern.test(notice)),
      () => `${pattern} in ${JSON.stringify(this.heard)}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.fake.stop();
    Deno.removeSync(this.dir, { recursive: true });
    Deno.removeSync(this.name.replace(/^@|\/socket$/g, ""), { recursive: true });
  }

  async #listen(): Promise<void> {
    try {
      for await (const [octets] of this.#socket) this.heard.push(new TextDecoder().decode(octets));
    } catch {
      // It is closed.
    }
  }
}

for (const [kind, ...more] of [["path"], ["name"], ["path", "--workers=2"]] as const) {
  const words = ["path", ...more].slice(1).map((word) => ` with ${word}`).join("");
  Deno.test(`a service manager at a ${kind} hears of the start, of mail, of a reload and of the end${words}`, async () => {
    await using bed = await Bed.start(kind);
    Deno.writeTextFileSync(`${bed.dir}/conf`, "timeout = 5\n");
    const options = bed.options(`--config=${bed.dir}/conf`, "-c", 'grep -q virus "$EMAIL" && exit 7; exit 0', ...more);
    const program = await Listening.start(options, { NOTIFY_SOCKET: bed.name, WATCHDOG_USEC: "1000000" });
    try {
      await bed.hears(/^READY=1$/m);
      const { pid } = program.process;
      assert.equal(
        bed.heard[0],
        `READY=1\nMAINPID=${pid}\nSTATUS=0 sessions open, 0 in all; 0 messages, 0 refused; no error\n`,
      );
      await bed.hears(/^WATCHDOG=1\n$/);

      const { client } = await program.connect();
      await client.expect(220);
      assert.equal((await deliver(client, "Subject: a\r\n\r\nA virus.\r\n")).code, 250);
      await bed.hears(
        /^STATUS=1 session open, 1 in all; 1 message, 0 refused; last error [-0-9]+ [:0-9]+: message not checked: /m,
      );
      await client.expect(221, "QUIT");
      client.close();
      await bed.hears(/^STATUS=0 sessions open, 1 in all; 1 message/m);

      const before = bed.heard.length;
      kill(pid, "SIGHUP");
      await until(
        () => bed.heard.slice(before).some((notice) => notice.startsWith("READY=1")),
        () => "the end of the reload",
      );
      const reloading = bed.heard.slice(before).filter((notice) => /^(?:RELOADING|READY)=1/.test(notice));
      assert.match(reloading[0]!, /^RELOADING=1\nMONOTONIC_USEC=[0-9]+\n$/);
      const monotonic = Number(/USEC=([0-9]+)/.exec(reloading[0]!)![1]) / 1e6;
      // Only the machine's clock for users of /proc differs where it was suspended.
      const uptime = Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]);
      assert.ok(monotonic > 0 && monotonic <= uptime + 1, `${monotonic} ${uptime}`);
      assert.match(reloading[1]!, new RegExp(`^READY=1\\nMAINPID=${pid}\\n`));

      // A reload that fails ends, too.
      Deno.writeTextFileSync(`${bed.dir}/conf`, "timeout = soon\n");
      kill(pid, "SIGHUP");
      await bed.hears(/^STATUS=.*; last error .*: not reloaded: .*conf:1: timeout = soon: /m);

      assert.equal(await program.stop(), 0);
      await bed.hears(/^STOPPING=1\nEXTEND_TIMEOUT_USEC=[1-9][0-9]*\nSTATUS=ending: 0 sessions open/);
    } finally {
      await program.stop();
    }
  });
}

Deno.test("a program that goes into the background is named by both processes, and gives the signs of life", async () => {
  await using bed = await Bed.start("path");
  const port = await freePort();
  const args = bed.options("-l", String(port), `--pid-file=${bed.dir}/pid`);
  // The variable has the process that the service manager has started.
  const shell = ["sh", "-c", 'WATCHDOG_PID=$$ exec "$@"', "-"];
  const env = { NOTIFY_SOCKET: bed.name, WATCHDOG_USEC: "1000000" };
  const { status, stderr } = await runCommand([...shell, ...programWords(), ...args], { env });
  assert.equal(status, 0, stderr);
  const pid = Number(Deno.readTextFileSync(`${bed.dir}/pid`));
  try {
    await bed.hears(/^WATCHDOG=1\n$/);
    assert.deepEqual(
      bed.heard.filter((notice) => /^READY=1$/m.test(notice)).map((notice) => notice.split("\n").slice(0, 2).sort()),
      [
        [`MAINPID=${pid}`, "READY=1"],
        [`MAINPID=${pid}`, "READY=1"],
      ],
    );
    const client = await connectTo({ port });
    await client.expect(220);
    client.close();
  } finally {
    kill(pid, "SIGTERM");
    await until(() => !isAlive(pid), () => `the end of process ${pid}`).finally(() => kill(pid));
  }
});

Deno.test("a service manager that is not there is a line of the log, and mail goes on", async () => {
  await using bed = await Bed.start("path");
  const program = await Listening.start(bed.options(), { NOTIFY_SOCKET: `${bed.dir}/none`, WATCHDOG_USEC: "300000" });
  try {
    const { client } = await program.connect();
    await client.expect(220);
    assert.equal((await deliver(client, "Subject: a\r\n\r\nA line.\r\n")).code, 250);
    client.close();
    assert.equal(await program.stop(), 0);
    const log = Deno.readTextFileSync(`${bed.dir}/log`);
    assert.equal(log.match(/ error: cannot send notices to the service manager reason=/g)?.length, 1, log);
  } finally {
    await program.stop();
  }
});
