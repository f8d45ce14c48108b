// What --help prints.

import { formatOptions } from "../options/help.ts";
import type { OptionRow } from "../options/table.ts";
import type { Command } from "./command.ts";

const USAGE = `Usage: postprox HOST:PORT [-c COMMAND] [-d DIR] [-t SEC] [-rv] [-l [IP:]PORT]
       postprox --postfix-config[=spawn|listen] [HOST:PORT] [OPTION...]
       postprox -hLV

Relay SMTP from standard input to the mail server at HOST:PORT (port 25 where
none is given; also [IPV6]:PORT, inet:HOST:PORT and unix:PATH), have a filter
judge each message, and pass it on or refuse it.
`;

const HEADINGS = {
  filter: "Filter",
  checks: "Checks",
  running: "Running",
  limits: "Limits (SEC in seconds, fractions allowed)",
  information: "Information",
};

const EXIT_CODES = `COMMAND finds the message in the file $EMAIL. Exit status 0 passes it, or what
COMMAND has written to the file $OUTFILE; 1 refuses it with the last line of
standard error; anything else means that the filter failed.
`;

export const help: Command = async ({ runtime, options }) => {
  runtime.stdio.writeOut(helpText(options()));
  return 0;
};

export function helpText(options: readonly OptionRow[]): string {
  return [USAGE, formatOptions(options, HEADINGS), EXIT_CODES].join("\n");
}
