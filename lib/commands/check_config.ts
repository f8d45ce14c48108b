// The command --check-config: whether postprox would start with these options, and with the files that they name.
//
// The status is 0 if all is right, and that of the `StartError` otherwise. A filter that is missing does not prevent the
// start, so the status stays 0, but standard error says it. Nothing is started, and nothing listens.

import { openLogger } from "../log/sinks.ts";
import type { Command } from "./command.ts";
import { loadChecks } from "../settings/load_checks.ts";
import { noteMissingFilter } from "./missing_filter.ts";
import { checkServing, parseOperands } from "./serve.ts";

export const checkConfig: Command = async ({ runtime, line: { settings, operands }, nextHop }) => {
  parseOperands(operands, nextHop);
  await checkServing(runtime, settings);
  const logger = await openLogger(runtime, { kind: "stderr" }, {
    verbosity: 0,
    format: settings.log.format,
    others: [],
  });
  await loadChecks({ runtime, logger, isTrial: true }, settings);
  await noteMissingFilter({ runtime, logger }, settings);
  await logger.flush();
  runtime.stdio.writeOut("postprox: the configuration is right\n");
  return 0;
};
