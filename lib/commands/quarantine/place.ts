// Shared by the parts of `postprox quarantine`: the place that they work on.

import type { Files } from "../../ports/runtime.ts";
import type { Report } from "../output/report.ts";

export interface Place {
  readonly files: Files;
  readonly directory: string;
  readonly report: Report;
  /** Milliseconds since 1970. */
  readonly now: number;
}
