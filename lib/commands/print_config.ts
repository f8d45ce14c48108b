// The command --print-config: the settings in force, as lines that a configuration file may have.

import { configLines } from "../settings/config_lines.ts";
import type { Command } from "./command.ts";

export const printConfig: Command = async ({ runtime, line: { settings, operands, command }, nextHop }) => {
  const onlyChanged = command?.text === "changed";
  const lines = configLines(settings, { onlyChanged, nextHop: operands[0] ?? nextHop });
  runtime.stdio.writeOut(lines.map((line) => `${line}\n`).join(""));
  return 0;
};
