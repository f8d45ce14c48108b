// The command `quarantine`: it lists, shows, releases or removes the messages that --quarantine has kept.
//
// The status is 0 if everything was done. It is 1 if something was not done, or cannot be trusted. 64 and 75 are those
// of a `StartError`.

import type { Kind } from "../options/kinds.ts";
import { parseDownstream } from "../ports/address.ts";
import { IoError } from "../ports/io_error.ts";
import type { Address, Runtime } from "../ports/runtime.ts";
import { orTempfail, UsageError } from "../ports/start_error.ts";
import { isId } from "../quarantine/names.ts";
import { QUARANTINE, type QuarantineSettings } from "../settings/command_options.ts";
import type { Settings } from "../settings/settings.ts";
import { quote } from "../text/quoting.ts";
import type { Command } from "./command.ts";
import type { Place } from "./quarantine/place.ts";
import { Report } from "./output/report.ts";

type Deed = typeof QUARANTINE.verbs[number];

const USES: Readonly<Record<Deed, string>> = {
  list: "list",
  show: "show ID",
  release: "release ID... [HOST:PORT]",
  delete: "delete ID...",
  expire: "expire DAYS",
};

export const quarantine: Command = async ({ runtime, line: { settings, operands }, nextHop }) => {
  const deed = QUARANTINE.verbs.find((one) => one === operands[0]);
  if (!deed) {
    const wrong = operands[0] === undefined ? "it is not said what to do" : `${quote(operands[0])} is not known`;
    throw new UsageError(`quarantine: ${wrong}: give ${Object.values(USES).join(", or ")}`);
  }
  const { directory } = settings.quarantine;
  if (directory === undefined) throw new UsageError("no quarantine is named: give --quarantine=DIR");
  const act = await newDeed(runtime, settings, { deed, operands: operands.slice(1), nextHop });
  await orTempfail("--quarantine", checkDirectory(runtime, directory), () => "give the directory of a quarantine");
  const { json } = (settings as QuarantineSettings).output;
  const report = new Report(runtime.stdio, runtime.stdio.conn(), json);
  const acting = act({ files: runtime.files, directory, report, now: Date.now() });
  await orTempfail("--quarantine", acting, () => "give a directory that can be read");
  return report.status;
};

async function checkDirectory({ files }: Runtime, directory: string): Promise<void> {
  const { kind } = await files.stat(directory);
  if (kind !== "directory") throw new IoError("other", `${directory} is not a directory`);
}

type Act = (place: Place) => Promise<void>;

interface Asked {
  readonly deed: Deed;
  readonly operands: readonly string[];
  /** HOST:PORT of the configuration file. */
  readonly nextHop?: string | undefined;
}

/** The action that the words ask for. Throws a `UsageError`. */
async function newDeed(runtime: Runtime, settings: Settings, { deed, operands, nextHop }: Asked): Promise<Act> {
  switch (deed) {
    case "list": {
      expectCount({ deed, operands }, 0, 0);
      const { list } = await import("./quarantine/list.ts");
      return list;
    }
    case "show": {
      expectCount({ deed, operands }, 1, 1);
      const [id = ""] = operands.map(parseId);
      const { show } = await import("./quarantine/show.ts");
      return (place) => show(place, id);
    }
    case "delete": {
      expectCount({ deed, operands }, 1, Infinity);
      const ids = operands.map(parseId);
      const { deleteMessages } = await import("./quarantine/remove.ts");
      return (place) => deleteMessages(place, ids);
    }
    case "expire": {
      expectCount({ deed, operands }, 1, 1);
      const age = DAYS.parse(operands[0]!);
      const { expire } = await import("./quarantine/remove.ts");
      return (place) => expire(place, age);
    }
    case "release": {
      const { ids, server } = parseRelease(operands, nextHop);
      const { release } = await import("./quarantine/release.ts");
      const options = { ...settings.session, server };
      return (place) => release({ place, ports: runtime, options }, ids);
    }
  }
}

function expectCount({ deed, operands }: Asked, least: number, most: number): void {
  if (operands.length >= least && operands.length <= most) return;
  const wrong = operands.length < least ? "too little" : `${quote(operands[most]!)} is too much`;
  throw new UsageError(`quarantine ${deed}: ${wrong}: give ${USES[deed]}`);
}

function parseId(text: string): string {
  if (isId(text)) return text;
  throw new UsageError(`${quote(text)} is no id of a kept message: quarantine list shows them`);
}

function parseRelease(
  operands: readonly string[],
  nextHop: string | undefined,
): { ids: readonly string[]; server: Address } {
  const last = operands.at(-1);
  const isNamed = last !== undefined && !isId(last);
  const named = isNamed ? last : nextHop;
  if (last === undefined || named === undefined) {
    const why = last === undefined ? "too little" : "no server is named, neither here nor as next-hop in a --config";
    throw new UsageError(`quarantine release: ${why}: give ${USES.release}, such as 127.0.0.1:10026`);
  }
  const server = parseDownstream(named);
  const ids = (isNamed ? operands.slice(0, -1) : operands).map(parseId);
  if (ids.length === 0) throw new UsageError(`quarantine release: no message is named: give ${USES.release}`);
  return { ids: [...new Set(ids)], server };
}

const DAY = 86_400_000;

/** An age in days. Fractions are allowed. The value is in milliseconds. */
const DAYS: Kind<number> = {
  shown: "DAYS",
  parse: (text) => {
    if (/^[0-9]{1,6}(?:\.[0-9]+)?$/.test(text)) return Number(text) * DAY;
    throw new UsageError(`${quote(text)} is no age in days: give a number, such as 30`);
  },
  print: (milliseconds) => String(milliseconds / DAY),
};
