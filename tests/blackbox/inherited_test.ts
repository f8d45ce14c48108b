// A socket that a service manager holds and hands to postprox in place of -l.

import assert from "node:assert/strict";
import { programWords } from "../e2e/program.ts";
import { Activated } from "../e2e/activated.ts";
import { isListening, runCommand } from "../e2e/start.ts";
import { type Client, connectTo } from "../rig/client.ts";
import { until } from "../rig/wait.ts";
import { CONTENT, deliver, withBed } from "./rig.ts";

async function sendOne(client: Client): Promise<void> {
  await client.expect(220);
  assert.equal((await deliver(client, CONTENT)).code, 250);
  await client.expect(221, "QUIT");
  client.close();
}

const ROWS = [["tcp"], ["unix"], ["tcp", "--workers=2"], ["unix", "--workers=2"]] as const;

for (const [transport, ...options] of ROWS) {
  const what = [transport, ...options].join(" ");
  Deno.test(`A socket of a service manager (${what}): used in place of -l, and kept over restarts`, () =>
    withBed(async ({ fake, dir }) => {
      const path = `${dir}/socket`;
      const filter = `readlink /proc/$$/fd/* | grep -c '^socket:' > ${dir}/sockets; exit 0`;
      const args = [fake.operand, "-d", `${dir}/spool`, `--log=${dir}/log`, "-c", filter, "-v", ...options];
      if (transport === "tcp") args.push("-l", "127.0.0.1:9");
      const service = await Activated.start(transport === "tcp" ? "tcp" : path, args);
      const connect = () => connectTo(transport === "tcp" ? { port: service.port } : { path });
      const starts = () => Deno.readTextFileSync(`${dir}/log`).match(/ listening .*socket=inherited/g)?.length ?? 0;
      try {
        await sendOne(await connect());
        await until(() => starts() === 1, () => "the line about start 1");
        // The filter does not get it.
        assert.equal(Deno.readTextFileSync(`${dir}/sockets`), "0\n");
        const pid = service.pid;
        // A session goes on, and the service manager waits. Meanwhile clients wait, too, and none is refused.
        const session = await connect();
        await session.expect(220);
        const restarted = service.restart("SIGTERM");
        restarted.catch(() => {});
        const isOver = () => Deno.readTextFileSync(`${dir}/log`).includes("shutting down");
        await until(() => isOver(), () => "the end to begin");
        const sending = Promise.all([1, 2, 3].map(async () => await sendOne(await connect())));
        sending.catch(() => {});
        assert.equal((await deliver(session, CONTENT)).code, 250);
        await session.expect(221, "QUIT");
        session.close();
        await restarted;
        assert.notEqual(service.pid, pid);
        await sending;
        await until(() => starts() === 2, () => "the line about start 2");
        assert.equal(fake.messages.length, 5);
        assert.ok(!isListening(9));
      } finally {
        await service.stop();
      }
    }));
}

Deno.test("Sockets of a service manager that postprox cannot use: one line, and 64", () =>
  withBed(async ({ fake, dir }) => {
    const rows: readonly [shell: string, complaint: RegExp][] = [
      ['LISTEN_FDS=2 LISTEN_PID=$$ exec "$@"', /^postprox: LISTEN_FDS="2": [^\n]*ListenStream=[^\n]*\n$/],
      [
        'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@" 3</dev/null',
        /^postprox: LISTEN_FDS=1: descriptor 3 [^\n]*Accept=no\n$/,
      ],
    ];
    for (const [shell, complaint] of rows) {
      const words = [...programWords(), fake.operand, "-d", `${dir}/spool`, `--log=${dir}/log`, "--foreground"];
      const { status, stderr } = await runCommand(["sh", "-c", shell, "-", ...words]);
      assert.equal(status, 64, stderr);
      assert.match(stderr, complaint);
    }
  }));
