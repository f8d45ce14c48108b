// The fields of log lines in systemd's journal: a real journald, under a running systemd.

import assert from "node:assert/strict";
import { programWords } from "./program.ts";
import { startSystemd } from "./systemd.ts";

const PORT = 10025;

Deno.test("journalctl shows the fields of a line, from a unit and from a process of the first server", async (test) => {
  const dir = Deno.makeTempDirSync({ dir: "/var/tmp", prefix: "postprox_test_" });
  const { sh, stop } = await startSystemd(dir);
  const program = ["env", `DENO_DIR=/run/cache`, ...programWords()].join(" ");
  /** The first entry with these fields. */
  const entryWith = async (...fields: string[]) => {
    const json = await sh(`journalctl --sync; journalctl --output=json ${fields.map((one) => `'${one}'`).join(" ")}`);
    return JSON.parse(json.split("\n")[0]!) as Record<string, string>;
  };
  try {
    for (const [at, log] of ["stderr", "syslog"].entries()) {
      await test.step(`listen mode with --log=${log}`, async () => {
        const listen = `127.0.0.1:${PORT + at}`;
        const options = `--foreground -l ${listen} -d /tmp --log=${log} -c true`;
        await sh(`systemd-run --unit=to-${log} ${program} ${options} 127.0.0.1:26`);
        const isThere = `journalctl --sync; journalctl -u to-${log} | grep -q listening`;
        await sh(`for turn in $(seq 100); do if ${isThere}; then exit 0; fi; sleep 0.1; done; exit 1`);
        const entry = await entryWith(`_SYSTEMD_UNIT=to-${log}.service`, "POSTPROX_EVENT=listening");
        assert.equal(entry["POSTPROX_AT"], listen);
        assert.equal(entry["POSTPROX_CHECKS"], "command");
        assert.equal(entry["PRIORITY"], "5");
        assert.equal(entry["SYSLOG_IDENTIFIER"], "postprox");
        assert.equal(entry["SYSLOG_FACILITY"], "2");
        assert.equal(entry["SYSLOG_PID"], entry["_PID"]);
        assert.match(entry["MESSAGE"]!, new RegExp(`listening version=\\S+ at=${listen} `));
        await sh(`systemctl stop to-${log}`);
      });
    }
    await test.step("spawn mode", async () => {
      await sh(`printf 'QUIT\\r\\n' | ${program} -d /tmp 127.0.0.1:26 || :`);
      const entry = await entryWith("POSTPROX_DOWNSTREAM=127.0.0.1:26");
      assert.equal(entry["POSTPROX_EVENT"], "downstream not reachable");
      assert.match(entry["POSTPROX_SESSION"]!, /^[0-9a-f]{10}$/);
      assert.match(entry["POSTPROX_REASON"]!, /refused/i);
      assert.match(entry["MESSAGE"]!, /^error: [0-9a-f]{10}: downstream not reachable /);
    });
  } finally {
    await stop();
    Deno.removeSync(dir, { recursive: true });
  }
});
