// Makes the configuration file of the packages from the table of options: each option with its help and its default, as
// comments. Only what differs from the defaults is in force.

import { HEADINGS } from "../lib/commands/help.ts";
import { formatConfigLines } from "../lib/options/config_file.ts";
import { rowsOf, type Setting, withDefault } from "../lib/options/table.ts";
import { SETTINGS } from "../lib/settings/settings.ts";

const WIDTH = 79;

// The file cannot name itself, and the unit says how the service runs.
const LEFT_OUT = ["config", "foreground"];

/** What the packages set. */
const IN_FORCE: Readonly<Record<string, string>> = { tempdir: "/var/spool/postprox" };

/** The usual values, in place of the words that the help has for them. */
const USUAL: Readonly<Record<string, string>> = { listen: "127.0.0.1:10025" };

const INTRODUCTION =
  `# Settings of the postprox service (postprox(8)), in lines "name = value". The names are those of the long options. All is
# told at once that is wrong here: postprox --check-config --config=/etc/postprox/postprox.conf
#
# A line that begins with a blank continues the line before it. A "#" begins a comment only at the start of a line. Quotes are
# ordinary characters. A line may stand here several times only if its text says so. An empty value is the default.
#
# The service needs "next-hop" and "listen" (or POSTPROX_OPTIONS in /etc/default/postprox, which has precedence):
# systemctl enable --now postprox
# After a change: systemctl reload postprox. When it returns, the new settings are in force. If one is wrong or cannot be in
# force, it fails, says why in the journal, and the old settings stay.
#
# This shows the lines for main.cf and master.cf:
# postprox --postfix-config=listen --config=/etc/postprox/postprox.conf
`;

const NEXT_HOP = `# The mail server behind postprox, as HOST:PORT: the second SMTP server of Postfix.
#next-hop = 127.0.0.1:10026
`;

export const CONFIG_OPTIONS: readonly Setting<unknown>[] = rowsOf(SETTINGS).filter(({ long }) =>
  !LEFT_OUT.includes(long)
);

/** The whole file. */
export function commentedConfig(options: readonly Setting<unknown>[]): string {
  const running = ["running", ...Object.keys(HEADINGS).filter((group) => group !== "running")];
  const groups = running.flatMap((group) => {
    const rows = options.filter((row) => row.group === group);
    if (rows.length === 0) return [];
    const heading = `# --- ${HEADINGS[group as keyof typeof HEADINGS]}\n`;
    return [heading, ...group === "running" ? [NEXT_HOP] : [], ...rows.map(entry)].join("\n");
  });
  return [INTRODUCTION, ...groups].join("\n");
}

function entry(row: Setting<unknown>): string {
  const help = withDefault(row.help, row);
  const inForce = IN_FORCE[row.long];
  const line = inForce !== undefined ? `${row.long} = ${inForce}` : `#${usualLine(row)}`;
  return `${comment(`${help[0]!.toUpperCase()}${help.slice(1)}.`)}${line}\n`;
}

// The default. If there is none, the help's word for a value, which is to be replaced.
function usualLine(row: Setting<unknown>): string {
  const usual = USUAL[row.long];
  if (usual !== undefined) return `${row.long} = ${usual}`;
  const [line = "", ...more] = formatConfigLines(row, row.default);
  const hasDefault = line !== `${row.long} =` && more.length === 0;
  return hasDefault || !row.kind ? line : `${row.long} = ${row.kind.shown}`;
}

function comment(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`# ${word}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}
