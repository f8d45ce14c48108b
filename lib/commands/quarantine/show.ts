// `postprox quarantine show ID`: the facts about a kept message, and the message.
//
// A stranger wrote the message. Its control characters are escaped, except tabs and line ends. Octets that are not
// UTF-8 become U+FFFD. So nothing in it reaches a terminal as a command. On a terminal the message is cut, and a line
// says where the rest is. For a program such as less(1) it is whole.

import { pathIn } from "../../quarantine/names.ts";
import { readEntry } from "../../quarantine/contents.ts";
import type { QuarantineRecord } from "../../quarantine/record.ts";
import { openRegular } from "../../quarantine/regular_file.ts";
import { readChunks } from "../../spool/content.ts";
import { bytesOf } from "../../text/octets.ts";
import { escapeText } from "../../text/quoting.ts";
import { formatSender } from "./list.ts";
import type { Place } from "./place.ts";
import { formatAge } from "./units.ts";

// A person first looks at this much: the header and the beginning.
const SHOWN_ON_TERMINAL = 16_384;
const RECIPIENTS_SHOWN = 10;

export async function show(place: Place, id: string): Promise<void> {
  const { files, directory, report } = place;
  const entry = await readEntry(files, directory, id);
  if (!entry) return report.problem(`${id} is not in the quarantine`);
  if ("damage" in entry) return report.problem(`${id} cannot be trusted: ${entry.damage}`);
  const { record } = entry;
  const path = pathIn(directory, id, "eml");
  await report.result(formatFacts(record, { path, ...place }), { ...record, file: path });
  if (report.isJson) return;
  await report.write(bytesOf("\n"));
  const file = await openRegular(files, path);
  try {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let left = report.isTerminal ? SHOWN_ON_TERMINAL : record.size;
    for await (const chunk of readChunks(file, Math.min(left, record.size))) {
      if (report.isGone) return;
      left -= chunk.length;
      await report.write(bytesOf(escapeContent(decoder.decode(chunk, { stream: true }))));
    }
    await report.write(bytesOf(decoder.decode()));
    if (report.isTerminal && record.size > SHOWN_ON_TERMINAL) await sayCut(place, record, path);
  } finally {
    file.close();
  }
}

async function sayCut({ report }: Place, { size }: QuarantineRecord, path: string): Promise<void> {
  const rest = size - SHOWN_ON_TERMINAL;
  await report.write(bytesOf(`\n... ${rest} octets more: show it with "| less", or read ${escapeText(path)}\n`));
}

function formatFacts(
  record: QuarantineRecord,
  { path, now, report: { isTerminal } }: Place & { path: string },
): string {
  const { id, session, time, check, reason, reply, client, client_name, helo, sender, recipients, size, attempt } =
    record;
  const known = client === null ? "unknown" : `${client_name ?? "unknown"}[${client}]`;
  const shown = isTerminal ? recipients.slice(0, RECIPIENTS_SHOWN) : recipients;
  const more = recipients.length - shown.length;
  const facts: [string, string][] = [
    ["id", id],
    ["kept", `${time}, ${formatAge(now - Date.parse(time))} ago`],
    ["session", session],
    ["check", check],
    ["reason", reason],
    ["reply", reply],
    ["client", `${known}${helo === null ? "" : ` helo ${helo}`}`],
    ["sender", formatSender(sender)],
    ...shown.map((recipient): [string, string] => ["recipient", `<${recipient}>`]),
    ...more > 0 ? [["", `and ${more} more: --json shows all`] as [string, string]] : [],
    ["size", `${size} octets`],
    ["file", path],
  ];
  if (attempt) {
    const { server, recipients: reached } = attempt;
    facts.push([
      "attempt",
      `a release to ${server} for ${reached.length} recipients at ${attempt.time} has no known outcome`,
    ]);
  }
  return facts.map(([name, value]) => `${name.padEnd(11)}${value}`).join("\n");
}

/** Text of a message, with each character escaped that does more than show a sign. */
export function escapeContent(text: string): string {
  return text.split(/([\n\t\\])/).map((part, at) => at % 2 === 1 ? part : escapeText(part)).join("");
}
