// What --help prints: made from the option table.

import { type OptionRow, OPTIONS } from "./table.ts";

const HEADINGS: Readonly<Record<OptionRow["group"], string>> = {
  filter: "Filter",
  checks: "Checks",
  running: "Running",
  limits: "Limits (SEC in seconds, fractions allowed)",
  information: "Information",
};

const USAGE = `Usage: postprox HOST:PORT [-c COMMAND] [-d DIR] [-t SEC] [-rv] [-l [IP:]PORT]
       postprox --postfix-config[=spawn|listen] [HOST:PORT] [OPTION...]
       postprox -hLV

Relay SMTP from standard input to the mail server at HOST:PORT (port 25 where
none is given; also [IPV6]:PORT, inet:HOST:PORT and unix:PATH), have a filter
judge each message, and pass it on or refuse it.
`;

const EXIT_CODES = `COMMAND finds the message in the file $EMAIL. Exit status 0 passes it, or what
COMMAND has written to the file $OUTFILE; 1 refuses it with the last line of
standard error; anything else means that the filter failed.
`;

const WIDTH = 80;
const INDENT = 32;

export function helpText(): string {
  const groups = Object.entries(HEADINGS).map(([group, heading]) => {
    const rows = OPTIONS.filter((row) => row.group === group).map(formatRow);
    return `${heading}:\n${rows.join("")}`;
  });
  return [USAGE, ...groups, EXIT_CODES].join("\n");
}

function formatRow(row: OptionRow): string {
  const head = `  ${row.short ? `-${row.short},` : "   "} --${row.long}${formatValue(row)}`;
  const lines = wrap(row.help, WIDTH - INDENT);
  const first = head.length < INDENT - 1 ? head.padEnd(INDENT) + lines.shift()! : head;
  return [first, ...lines.map((line) => " ".repeat(INDENT) + line)].join("\n") + "\n";
}

function formatValue({ short, value, valueIsOptional }: OptionRow): string {
  if (value === undefined) return "";
  return valueIsOptional ? `[=${value}]` : short ? ` ${value}` : `=${value}`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
