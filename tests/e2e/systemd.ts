// A running systemd for a test, on machines with another first process. It runs in its own namespaces, on a copy of
// this machine's files, with a loopback network where every port is free. Needs root, util-linux and iproute2.

import { until } from "../rig/wait.ts";
import { fromFileUrl } from "./paths.ts";

const SPACES = ["pid", "mount", "uts", "ipc", "net", "cgroup"];

const BOOT = fromFileUrl(new URL("systemd_boot.sh", import.meta.url));

export interface Systemd {
  /** Runs `script` with sh(1) beside systemd; its output, standard error included. Throws when it fails. */
  sh(script: string): Promise<string>;
  /** Ends systemd and all that it has started. */
  stop(): Promise<void>;
}

/** Starts systemd with `dir`, an empty directory, for its files. Throws, with what was said, where it does not come up. */
export async function startSystemd(dir: string): Promise<Systemd> {
  const cgroups = makeCgroups();
  const spaces = SPACES.map((one) => `--${one}`);
  const unshare = new Deno.Command("/bin/sh", {
    // Into the cgroups before the namespace begins: what systemd makes below them is taken away with them.
    args: [
      "-ec",
      `for cgroup in ${cgroups.join(" ")}; do echo $$ >$cgroup/cgroup.procs; done
exec unshare --fork --kill-child ${spaces.join(" ")} sh ${BOOT} ${dir}`,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const said = new Response(unshare.stderr).text();
  let ended = false;
  const end = unshare.status.finally(() => ended = true);
  const stop = async () => {
    if (!ended) unshare.kill("SIGKILL");
    await end;
    await said;
    for (const cgroup of cgroups) {
      await until(() => removeCgroup(cgroup), () => `the end of all processes in ${cgroup}`);
    }
  };
  const sh = async (script: string) => {
    const { code, stdout, stderr } = await new Deno.Command("/usr/bin/nsenter", {
      args: [
        `--target=${firstChildOf(unshare.pid)}`,
        ...spaces,
        "--root",
        "--wd",
        "/bin/sh",
        "-ec",
        `exec 2>&1\n${script}`,
      ],
      stdin: "null",
      clearEnv: true,
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8", SYSTEMD_PAGER: "cat" },
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    if (code !== 0) throw new Error(`${script} ended with ${code}: ${text}`);
    return text;
  };
  const isUp = async () => {
    if (ended) throw new Error(`systemd does not start: ${await said}`);
    return await sh("systemctl is-active basic.target").then(() => true, () => false);
  };
  try {
    await until(isUp, () => "systemd to come up");
  } catch (error) {
    await stop();
    throw error;
  }
  return { sh, stop };
}

function firstChildOf(pid: number): number {
  return Number(Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).split(" ")[0]);
}

// In the hierarchies that systemd makes use of: its own, where the first version of cgroups is in use, and the second's.
function makeCgroups(): string[] {
  const own = Deno.readTextFileSync("/proc/self/cgroup");
  const first = /^[0-9]+:name=systemd:(.*)$/m.exec(own)?.[1];
  const second = /^0::(.*)$/m.exec(own)?.[1];
  const root = "/sys/fs/cgroup";
  return [
    ...first === undefined ? [] : [`${root}/systemd${first}`],
    ...second === undefined ? [] : [`${root}${first === undefined ? "" : "/unified"}${second}`],
  ].map((dir) => Deno.makeTempDirSync({ dir, prefix: "postprox_test_" }));
}

function removeCgroup(cgroup: string): boolean {
  try {
    for (const { name, isDirectory } of Deno.readDirSync(cgroup)) if (isDirectory) removeCgroup(`${cgroup}/${name}`);
    Deno.removeSync(cgroup);
    return true;
  } catch {
    return false;
  }
}
