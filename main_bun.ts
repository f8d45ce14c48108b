// postprox on Bun: the entry of the executable that `deno task compile:bun` makes.

import { run } from "./lib/app.ts";
import { bunRuntime } from "./lib/runtime/bun/runtime.ts";

const runtime = bunRuntime();
// No top-level await: it makes an executable start slower.
void run(runtime, process.argv.slice(2)).then((status) => runtime.exit(status));
