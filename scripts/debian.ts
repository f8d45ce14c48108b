// Installs Debian packages for the tests. It says what is missing and how large that is, and starts no services.

import { existsSync } from "node:fs";

const POLICY = "/usr/sbin/policy-rc.d";

/** Installs those of `packages` that are missing. Throws an Error of one line if it cannot. */
export async function installPackages(packages: readonly string[]): Promise<void> {
  if (packages.length === 0) return;
  const [first] = packages;
  if (Deno.uid() !== 0) throw new Error(`only root can install ${packages.join(", ")}`);
  if (!await succeeds(["apt-get", "--version"])) throw new Error(`there is no apt-get here to install ${first} with`);
  console.log(`missing here: ${packages.join(", ")}`);
  await apt(["update", "-q"]);
  const plan = await aptOutput(["install", "--assume-no", "--no-install-recommends", ...packages]);
  for (const line of plan.match(/^(?:Need to get|After this operation).*$/gm) ?? []) console.log(`  ${line}`);
  // The tests start their own servers. This tells packages not to start theirs.
  const isOurs = !existsSync(POLICY);
  if (isOurs) Deno.writeTextFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    await apt(["install", "-y", "-q", "--no-install-recommends", ...packages]);
  } finally {
    if (isOurs) Deno.removeSync(POLICY);
  }
}

/** Runs apt-get. If it fails, throws its output. */
async function apt(args: readonly string[]): Promise<void> {
  const { success, stdout, stderr } = await start(args).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`apt-get ${args[0]} failed:\n${text.decode(stdout)}${text.decode(stderr)}`);
}

async function aptOutput(args: readonly string[]): Promise<string> {
  return new TextDecoder().decode((await start(args).output()).stdout);
}

function start(args: readonly string[]): Deno.Command {
  return new Deno.Command("apt-get", {
    args: [...args],
    env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
    stdin: "null",
  });
}

async function succeeds([program, ...args]: readonly [string, ...string[]]): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}
