// A reload of the packages' unit that fails only after `systemctl reload` has looked at the settings: new workers cannot start.
// A running systemd of its own runs the unit.

import assert from "node:assert/strict";
import { isLeftOut } from "../needs.ts";
import { until } from "../rig/wait.ts";
import { programWords } from "./program.ts";
import { startSystemd } from "./systemd.ts";
import { startUnit } from "./unit_bed.ts";

/** In the place of the program on disk: all settings are right, and nothing starts. */
const BROKEN = `#!/bin/sh
case "$*" in *--check-config*) exit 0;; esac
exit 7`;

Deno.test({
  name: "systemctl reload, and new workers cannot start: the old ones go on, and the journal and the status say so",
  ignore: isLeftOut("a reload under systemd"),
  fn: async () => {
    const dir = Deno.makeTempDirSync({ prefix: "postprox_systemd_" });
    const systemd = await startSystemd(dir);
    const { sh } = systemd;
    try {
      const deliver = () => sh("smtp-source -l 5000 127.0.0.1:10025");
      const show = async (name: string) => (await sh(`systemctl show --property=${name} --value postprox`)).trim();
      const workers = async () => (await sh(`pgrep -P ${await show("MainPID")}`)).trim().split("\n");
      const logged = async (what: RegExp, count: number) =>
        await until(
          async () =>
            (await sh("journalctl --sync; journalctl --unit=postprox --output=cat")).match(what)?.length === count,
          () => `${what}, ${count} times`,
        );
      // The unit has mounts of its own, and what is mounted later must appear in them, too.
      await sh("mount --make-shared /");
      await sh("smtp-sink -u nobody 127.0.0.1:10026 100 >/dev/null 2>&1 &");
      await startUnit(systemd, ["--workers=2"]);
      await deliver();
      const [pid, before] = [await show("MainPID"), await workers()];
      assert.equal(before.length, 2);

      const [program = ""] = programWords();
      await sh(`cat >/tmp/broken <<'END'\n${BROKEN}\nEND\nchmod 755 /tmp/broken; mount --bind /tmp/broken ${program}`);
      // It looks at the settings only, and they are right.
      await sh("systemctl reload postprox");
      await logged(/ not reloaded: settings and rules stay as they were reason="?new workers cannot start: /g, 1);
      await until(async () => await show("ActiveState") === "active", () => "the end of the reload");
      assert.match(await show("StatusText"), /; last error .*: .*new workers cannot start/);
      assert.deepEqual([await show("MainPID"), await workers()], [pid, before]);
      await deliver();

      await sh(`umount ${program}; systemctl reload postprox`);
      await logged(/(?<!not) reloaded: /g, 1);
      await until(async () => (await workers()).every((one) => !before.includes(one)), () => "the new workers");
      assert.equal(await show("MainPID"), pid);
      await deliver();
    } finally {
      await systemd.stop();
      Deno.removeSync(dir, { recursive: true });
    }
  },
});
