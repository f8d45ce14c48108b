// Can the user of postprox write in the spool directory, the quarantine and the log? Has the spool room enough? Can the user
// read the files of options?

import { shellWord } from "../../postfix_config/words.ts";
import type { Settings } from "../../../settings/settings.ts";
import { type Facts, isPostfix, type Look, type PathLook, type Stand } from "../facts.ts";
import { type Answer, type Finding, joinAnswers, toRun } from "../finding.ts";
import { setOption } from "../option_places.ts";
import { startsPrograms } from "../paths.ts";

/** Postfix's default of message_size_limit. */
const USUAL_SIZE = 10_240_000;

export function directories(facts: Facts): Answer {
  return joinAnswers([...facts.looks].map(([stand, look]) => judge(facts, stand, look)));
}

function judge(facts: Facts, stand: Stand, look: Look): Answer {
  const who = stand.user?.name ?? facts.me.name;
  const wrong = look.paths.flatMap((path) => fault(path, { who, paths: look.paths }));
  const { settings } = stand;
  const room = settings ? roomAnswer(facts, stand, { look, settings }) : {};
  const spool = look.paths.find(({ use }) => use === "spool");
  const isRight = spool && wrong.length === 0 && (room.wrong ?? []).length === 0;
  return joinAnswers([{ wrong, right: isRight ? [`${who} may write in ${spool.path}`] : [] }, room]);
}

/** Whether the user may not use one of the paths that a start needs. */
export function hasPathFault({ paths }: Look): boolean {
  return paths.some((path) => fault(path, { who: "", paths }).length > 0);
}

function fault(path: PathLook, { who, paths }: { who: string; paths: readonly PathLook[] }): Finding[] {
  switch (path.use) {
    case "spool":
    case "quarantine":
      return directoryFault(path, who);
    case "log": {
      const directory = paths.find(({ use }) => use === "log directory");
      if (path.kind === "missing" ? directory?.canWrite && directory.canExecute : path.canWrite) return [];
      const what = `The log ${path.path} (${path.option}) is not writable by ${who}.`;
      return [{ what, change: toRun(`install -o ${shellWord(who)} -m 0640 /dev/null ${shellWord(path.path)}`) }];
    }
    case "file":
      if (path.canRead) return [];
      return [{
        what: `The file ${path.path} (${path.option}) ${whyUnread(path, who)}.`,
        change: path.kind === "missing" && !path.isHidden ? undefined : toRun(`chmod a+r ${shellWord(path.path)}`),
      }];
    default:
      return [];
  }
}

function whyUnread({ kind, isHidden }: PathLook, who: string): string {
  return kind === "missing" && !isHidden ? "is not there" : `is not readable by ${who}`;
}

function directoryFault({ use, option, path, kind, canWrite, canExecute, isHidden }: PathLook, who: string): Finding[] {
  const name = `The ${use} directory ${path} (${option})`;
  const make = toRun(`install -d -o ${shellWord(who)} -m 0700 ${shellWord(path)}`);
  if (isHidden) return [{ what: `${name} is not writable by ${who}: a directory above it is closed.`, change: make }];
  if (kind === "missing") return [{ what: `${name} is not there.`, change: make }];
  if (kind !== "directory") return [{ what: `${name} is no directory.` }];
  if (canWrite && canExecute) return [];
  return [{ what: `${name} is not writable by ${who}.`, change: toRun(`chown ${shellWord(who)} ${shellWord(path)}`) }];
}

interface Room {
  readonly look: Look;
  readonly settings: Settings;
}

/** A filter that changes a message needs as much again. */
function roomAnswer({ postfix, ...facts }: Facts, stand: Stand, { look: { spoolRoom }, settings }: Room): Answer {
  const { directory } = settings.spool;
  if (spoolRoom === undefined) return {};
  const [server] = stand.fronts;
  const limit = isPostfix(postfix) ? Number(postfix.value("message_size_limit", server)) : USUAL_SIZE;
  const largest = settings.session.maxMessageSize ?? (limit > 0 ? limit : USUAL_SIZE);
  const each = largest * (startsPrograms(settings) ? 2 : 1);
  if (spoolRoom < each) {
    const what = `The spool ${directory} is too small: ${spoolRoom} octets are free, ` +
      `and one message of the largest size needs ${each}.`;
    const change = setOption({ postfix, ...facts }, stand, { long: "tempdir", value: "/var/spool/postprox" });
    return { wrong: [{ what, change }] };
  }
  if (!isPostfix(postfix)) return {};
  const sessions = stand.fronts.reduce((sum, one) => sum + postfix.processes(one), 0);
  const all = each * Math.min(sessions, stand.entry ? postfix.processes(stand.entry) : settings.listen.maxClients);
  if (spoolRoom >= all || !Number.isFinite(all)) return { right: [`${directory} has room for the largest messages`] };
  const what = `The spool ${directory} has ${spoolRoom} octets free. If all sessions bring a message of the largest ` +
    `size at once, they need ${all}, and some hear 452.`;
  return { right: [`${directory} has room for the largest message`], advice: [{ what }] };
}
