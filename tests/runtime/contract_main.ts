// Plays the contract on the runtime that runs this. It prints a line of JSON for each case: its name, and how it
// failed.

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { adapter } from "./adapter.ts";
import { CONTRACT } from "./contract.ts";
import { DNS_CONTRACT } from "./contract_dns.ts";

const LIMIT = 60_000;

const only = process.argv[2] ?? "";
const runtime = await adapter();
// On Deno the cases of DNS are tests of their own (tests/dns/stub_resolver_test.ts).
for (const { name, play } of "Bun" in globalThis ? [...CONTRACT, ...DNS_CONTRACT] : CONTRACT) {
  if (!name.includes(only)) continue;
  const dir = fs.mkdtempSync(`${tmpdir()}/postprox_contract_`);
  let failure: string | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${LIMIT} ms`)), LIMIT);
    });
    await Promise.race([play(runtime, dir), late]);
  } catch (error) {
    failure = error instanceof Error ? error.stack ?? error.message : String(error);
  } finally {
    clearTimeout(timer);
    fs.rmSync(dir, { recursive: true, force: true });
  }
  runtime.stdio.writeOut(`${JSON.stringify({ name, failure })}\n`);
}
runtime.exit(0);
