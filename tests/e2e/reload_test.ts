// `systemctl reload` of the packages' unit: when it returns, the new settings hold, and if they do not hold, it fails. A running
// systemd of its own runs the unit.

import assert from "node:assert/strict";
import { isLeftOut } from "../needs.ts";
import { until } from "../rig/wait.ts";
import { programWords } from "./program.ts";
import { startSystemd, type Systemd } from "./systemd.ts";
import { startUnit } from "./unit_bed.ts";

/** In the place of the program on disk: it does everything but work. */
const BROKEN = `#!/bin/sh
case "$*" in *--foreground*) exit 7;; esac
exec /tmp/program "$@"`;

const CONFIG = "/tmp/postprox.conf";

/** The service, with a file of settings that says with which word its filter refuses each message. */
class Bed {
  readonly sh: Systemd["sh"];
  readonly #systemd: Systemd;

  constructor(systemd: Systemd) {
    this.sh = systemd.sh;
    this.#systemd = systemd;
  }

  async start(options: readonly string[], more?: string): Promise<void> {
    // The unit has mounts of its own, and what is mounted later must appear in them, too.
    await this.sh("mount --make-shared /");
    await this.sh("smtp-sink -u nobody 127.0.0.1:10026 100 >/dev/null 2>&1 &");
    await this.write("first");
    await startUnit(this.#systemd, [...options, `--config=${CONFIG}`], more);
    await this.#hold("first");
  }

  async write(word: string, ...more: readonly string[]): Promise<void> {
    await this.sh(`cat >${CONFIG} <<'END'\n${[`command = echo ${word} >&2; exit 1`, ...more].join("\n")}\nEND`);
  }

  async show(name: string): Promise<string> {
    return (await this.sh(`systemctl show --property=${name} --value postprox`)).trim();
  }

  async workers(): Promise<string[]> {
    return (await this.sh(`pgrep -P ${await this.show("MainPID")}`)).trim().split("\n");
  }

  /** A reload, and what holds when it returns. */
  async reload(word: string): Promise<void> {
    await this.sh("systemctl reload postprox");
    await this.#hold(word);
  }

  /** A reload that fails. The journal says why, the service is what it was, and `word` still refuses mail. */
  async failsToReload(word: string, why: RegExp): Promise<void> {
    const pid = await this.show("MainPID");
    const before = (await this.#reasons()).length;
    await assert.rejects(this.sh("systemctl reload postprox"), /Job for postprox\.service failed/);
    // The journal takes its lines in its own time.
    let reasons: readonly string[] = [];
    await until(async () => {
      reasons = (await this.#reasons()).slice(before);
      return reasons.some((line) => why.test(line));
    }, () => `${why} in ${reasons.join("\n")}`);
    assert.deepEqual([await this.show("ActiveState"), await this.show("MainPID")], ["active", pid]);
    await this.#hold(word);
  }

  async #hold(word: string): Promise<void> {
    assert.match(
      await this.sh("smtp-source -l 5000 127.0.0.1:10025 2>&1 || true"),
      new RegExp(`rejected: 554 ${word}`),
    );
  }

  async #journal(): Promise<string> {
    return await this.sh("journalctl --sync; journalctl --unit=postprox --output=cat");
  }

  /** The lines of the commands of reloads. Those of the service have the id of its process. */
  async #reasons(): Promise<string[]> {
    return (await this.#journal()).split("\n").filter((line) => line.startsWith("postprox: "));
  }
}

async function withBed(body: (bed: Bed) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_systemd_" });
  const systemd = await startSystemd(dir);
  try {
    await body(new Bed(systemd));
  } finally {
    await systemd.stop();
    Deno.removeSync(dir, { recursive: true });
  }
}

const ignore = isLeftOut("a reload under systemd");

Deno.test({
  name:
    "systemctl reload with workers returns when the new ones accept, and fails if they cannot start or a value is wrong",
  ignore,
  fn: () =>
    withBed(async (bed) => {
      const { sh } = bed;
      await bed.start(["--workers=2"]);
      const pid = await bed.show("MainPID");
      const first = await bed.workers();
      assert.equal(first.length, 2);

      await bed.write("second");
      await bed.reload("second");
      await bed.write("third", "timeout = soon");
      await bed.failsToReload("second", /conf:2: timeout = soon: /);

      const [program = ""] = programWords();
      const second = await bed.workers();
      assert.ok(second.every((worker) => !first.includes(worker)));
      await bed.write("third");
      await sh(`cp ${program} /tmp/program; cat >/tmp/broken <<'END'\n${BROKEN}\nEND\nchmod 755 /tmp/broken`);
      await sh(`mount --bind /tmp/broken ${program}`);
      await bed.failsToReload(
        "second",
        /^postprox: not reloaded: new workers cannot start: it ended by itself with status 7/,
      );
      assert.deepEqual(await bed.workers(), second);
      assert.match(await bed.show("StatusText"), /; last error .*: .*new workers cannot start/);

      await sh(`umount ${program}`);
      await bed.reload("third");
      assert.equal(await bed.show("MainPID"), pid);

      // The service ends meanwhile.
      await sh(`kill -STOP ${pid}; systemctl reload postprox >/tmp/said 2>&1 & echo $! >/tmp/reload`);
      await until(async () => await bed.show("ActiveState") === "reloading", () => "the beginning of the reload");
      await sh(`kill -KILL ${pid}`);
      await until(() => sh("! kill -0 $(cat /tmp/reload)").then(() => true, () => false), () => "the end of systemctl");
      assert.match(await sh("cat /tmp/said"), /Job for postprox\.service failed/);
      await until(async () => await bed.show("ActiveState") === "active", () => "the next start");
      assert.notEqual(await bed.show("MainPID"), pid);
      await bed.write("first");
      await bed.reload("first");
    }),
});

Deno.test({
  name: "systemctl reload fails if the service, which has given up root, cannot read a file that root can read",
  ignore,
  fn: () =>
    withBed(async (bed) => {
      await bed.start(["--user=nobody"], "CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_CHOWN\n");
      await bed.write("second");
      await bed.reload("second");
      await bed.write("third");
      await bed.sh(`chmod 600 ${CONFIG}`);
      await bed.failsToReload("second", /^postprox: not reloaded: .*\/postprox\.conf: .*[Pp]ermission denied/);
      await bed.sh(`chmod 644 ${CONFIG}`);
      await bed.reload("third");
    }),
});
