// The page docs/proofs/benchmarks.md: a pure function of what was found.

import { type Findings, type Machine, type Part, type Results } from "./findings.ts";
import { formatClaims, formatRows, formatTable } from "./table.ts";

/** The folder of the pictures, beside the page. */
export const PICTURES = "benchmarks";

/** The groups are in the order of `titles`. What was found of a group that is not among them is left out. */
export function formatPage(
  results: Results,
  titles: readonly { readonly name: string; readonly title: string }[],
): string {
  const groups = titles.flatMap(({ name, title }) => {
    const findings = results[name];
    return findings && findings.parts.length > 0 ? [{ title, findings }] : [];
  });
  const claims = groups.flatMap(({ findings }) => findings.parts.flatMap((part) => part.claims));
  return [
    "<!-- Made by `deno task bench --page`; do not edit. -->",
    "# How fast it is, beside what people would use instead",
    INTRODUCTION,
    "## All claims",
    formatClaims(claims),
    "## The machine",
    formatMachines(groups),
    "## To repeat it",
    REPEATING,
    ...groups.flatMap(({ title, findings }) => [`## ${title}`, ...findings.parts.map(formatPart)]),
  ].join("\n\n") + "\n";
}

const INTRODUCTION =
  `This page measures postprox beside other programs for the same work, and beside what its runtimes cost without it. Nothing here is a
promise about your machine. So what is claimed is a ratio of two things that were measured in the same run:

- All ways take turns, for at least three rounds, and another way begins in each round.
- A ratio is that of one round. A claim is the median of the ratios, with the least and the greatest in parentheses.
- Processor time is that of the processes of a way and of all that they have started, user and system.
- Before the first round each way gets some mail. Where single messages in listen mode are measured, that goes on for up to
  30 seconds. A service has been in use for days, and its runtime's compilers have made machine code of what is used often.
  They throw away what has not run for some seconds, and other ways had these seconds. So there a turn that counts follows one
  that does not.

"Wanted" is the aim that was set before the measurement. A claim that misses its aim stays here and says so. "Bound" is what a program
that does nearly nothing costs on the same runtime, in the same run: postprox cannot be better than that.`;

const REPEATING = `    deno task bench                   # all groups: 83 minutes; prints the tables
    deno task bench --page            # the same, and writes this page, its pictures and scripts/bench/results.json
    deno task bench --only=spawn,latency
    deno task bench --short           # little of everything, in a minute; its figures say nothing

It needs Debian's packages \`postfix\` and \`python3\`, and root for what goes through Postfix. These are the others, and a program
that is missing is left out: \`apt-get install clamav-daemon clamdscan clamav-milter clamsmtp proxsmtp amavisd-new rspamd socat\`. It
builds the Bun executable, which needs npm, or takes that of the variable \`POSTPROX\`. With \`--only\` the page keeps what it has of the
other groups.

To measure another program, start it in front of port 10026, or name a command for spawn mode:

    deno task bench --only=proxies,latency,large mine=listen:10025
    deno task bench --only=spawn "old=spawn:/usr/local/bin/postprox-0.2 127.0.0.1:10026 -c /bin/true"`;

function formatPart(part: Part): string {
  const picture = `![${part.title}](${PICTURES}/${part.id}.svg)`;
  return [`### ${part.title}`, part.about, picture, formatTable(part), formatClaims(part.claims)]
    .filter((text) => text !== "").join("\n\n");
}

interface Measured {
  readonly title: string;
  readonly findings: Findings;
}

/** Each machine, with what was measured on it if there are several. */
function formatMachines(groups: readonly Measured[]): string {
  const machines = new Map<string, Measured[]>();
  const versions = new Map<string, Set<string>>();
  for (const group of groups) {
    const { machine } = group.findings;
    const key = describe(machine);
    machines.set(key, [...machines.get(key) ?? [], group]);
    for (const [name, version] of Object.entries(machine.versions)) {
      versions.set(name, (versions.get(name) ?? new Set()).add(version));
    }
  }
  const texts = [...machines].map(([machine, some]) => {
    const dates = [...new Set(some.map(({ findings }) => findings.date))].sort();
    const minutes = Math.ceil(some.reduce((sum, { findings }) => sum + findings.seconds, 0) / 60);
    const loads = some.map(({ findings }) => findings.load).sort((a, b) => a - b);
    const what = machines.size > 1 ? ` Measured there: ${some.map(({ title }) => title).join("; ")}.` : "";
    return `${machine} Measured on ${
      dates.join(", ")
    }, in ${minutes} minutes. The load average before a group began was ${loads[0]} to ${loads.at(-1)}.${what}`;
  });
  const rows = [...versions].map(([name, some]) => [name, [...some].join(", ")]);
  return `${texts.join("\n\n")}\n\n${formatRows(["Program", "Version"], rows)}`;
}

function describe({ processor, cores, memory, kernel, kind, system }: Machine): string {
  return `${processor}, ${cores} cores, ${memory} of memory, ${kind}; ${kernel}, ${system}.`;
}
