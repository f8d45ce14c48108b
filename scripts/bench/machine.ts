// The machine that was measured, and the versions of the programs on it.

import { BUN_VERSION } from "../compile_bun.ts";
import type { Machine } from "./findings.ts";

/** The facts about this machine. `packages` are those of Debian whose versions matter. */
export function readMachine(packages: readonly string[]): Machine {
  const processor = read("/proc/cpuinfo");
  const versions: Record<string, string> = { Deno: Deno.version.deno, Bun: BUN_VERSION };
  for (const name of packages) {
    const version = output(["dpkg-query", "-W", "-f=${Version}", name]);
    if (version) versions[name] = version;
  }
  return {
    processor: /^model name\s*: (.*)$/m.exec(processor)?.[1]?.trim() ?? "unknown",
    cores: navigator.hardwareConcurrency,
    memory: `${Math.round(Deno.systemMemoryInfo().total / 2 ** 30)} GiB`,
    kernel: `Linux ${Deno.osRelease().replace(/-.*/, "")}`,
    kind: /^flags\s*:.*\bhypervisor\b/m.test(processor) ? "a virtual machine" : "no virtual machine",
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(read("/etc/os-release"))?.[1] ?? "unknown",
    versions,
  };
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function output([program = "", ...args]: readonly string[]): string {
  try {
    const { success, stdout } = new Deno.Command(program, { args, stdin: "null", stderr: "null" }).outputSync();
    return success ? new TextDecoder().decode(stdout) : "";
  } catch {
    return "";
  }
}
