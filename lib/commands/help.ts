// The command --help.

import { formatOptions } from "../options/help.ts";
import type { OptionRow } from "../options/table.ts";
import type { Command } from "./command.ts";

const USAGE = `Usage: postprox HOST:PORT [-c COMMAND] [-d DIR] [-t SEC] [-rv] [-l [IP:]PORT]
       postprox check [OPTION...] FILE|DIR|-...
       postprox doctor [HOST:PORT] [OPTION...] [--send=ADDRESS]
       postprox quarantine list|show|release|delete|expire --quarantine=DIR ...
       postprox reload [PID]
       postprox --check-config|--print-config[=changed] [HOST:PORT] [OPTION...]
       postprox --postfix-config[=spawn|listen] [HOST:PORT] [OPTION...]
       postprox -hLV

Relay SMTP from standard input to the mail server at HOST:PORT. A filter judges
each message, and postprox passes it on or refuses it. The default port is 25.
[IPV6]:PORT, inet:HOST:PORT and unix:PATH work too.
`;

export const HEADINGS = {
  filter: "Filter",
  checks: "Checks",
  scanners: "Content checks",
  running: "Running",
  limits: "Limits (SEC in seconds, fractions allowed)",
  commands: "Commands with a name",
  information: "Information",
};

const EXIT_CODES = `COMMAND finds the message in the file $EMAIL. Exit status 0 passes the message,
or the content of the file $OUTFILE if COMMAND has written there. Exit status 1
refuses the message with the last line of standard error. Any other status is a
failure.
`;

export const help: Command = async ({ runtime, options }) => {
  runtime.stdio.writeOut(helpText(await options()));
  return 0;
};

export function helpText(options: readonly OptionRow[]): string {
  return [USAGE, formatOptions(options, HEADINGS), EXIT_CODES].join("\n");
}
