// The adapter of the runtime that runs this.

import type { Runtime } from "../../lib/ports/runtime.ts";

export async function adapter(): Promise<Runtime> {
  if ("Bun" in globalThis) return (await import("../../lib/runtime/bun/runtime.ts")).bunRuntime();
  return (await import("../../lib/runtime/deno/runtime.ts")).denoRuntime();
}
