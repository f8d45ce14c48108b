// postprox on Bun: the entry of the executable that `deno task compile:bun` makes.

import { run } from "./lib/app.ts";
import { nodeRuntime } from "./lib/runtime/node.ts";

const runtime = nodeRuntime();
// No top-level await: an executable with it starts slower.
void run(runtime, process.argv.slice(2)).then((status) => runtime.exit(status));
