// postprox on Deno.

import { run } from "./lib/app.ts";
import { denoRuntime } from "./lib/runtime/deno/runtime.ts";

const runtime = denoRuntime();
runtime.exit(await run(runtime, Deno.args));
