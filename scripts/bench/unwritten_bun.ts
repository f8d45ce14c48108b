// postprox on Bun without writing: see unwritten.ts.

import process from "node:process";
import { run } from "../../lib/app.ts";
import { bunRuntime } from "../../lib/runtime/bun/runtime.ts";
import { withoutWriting } from "./unwritten.ts";

const runtime = withoutWriting(bunRuntime());
void run(runtime, process.argv.slice(2)).then((status) => runtime.exit(status));
