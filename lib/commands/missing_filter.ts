// Looks for the programs of filters. The start of listen mode and --check-config say which ones are missing.

import { tell } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Settings } from "../settings/settings.ts";

/**
 * Logs each filter whose program is not there. It does not prevent the start, because mail then passes. But the
 * administrator must hear of it before the first message that nobody checks.
 */
export async function noteMissingFilter(
  { runtime, logger }: { readonly runtime: Runtime; readonly logger: Logger },
  { helper, command: { command, then } }: Settings,
): Promise<void> {
  for (const one of [helper.command, command, ...then]) {
    if (one === "") continue;
    const { whyNoProgram } = await import("../checks/program/command.ts");
    const why = await whyNoProgram(runtime.files, one);
    if (why !== undefined) tell(logger, "filterMissing", { why });
  }
}
