// postprox on Deno without writing: see unwritten.ts.

import { run } from "../../lib/app.ts";
import { denoRuntime } from "../../lib/runtime/deno/runtime.ts";
import { withoutWriting } from "./unwritten.ts";

const runtime = withoutWriting(denoRuntime());
runtime.exit(await run(runtime, Deno.args));
