// Can the user of postprox execute the filters, and postprox itself? Is the user there?

import { placeOfEntry } from "../config_places.ts";
import { type Facts, isPostfix, type Look, type PathLook, type Stand } from "../facts.ts";
import { type Answer, type Finding, joinAnswers, toRun } from "../finding.ts";
import { setOption } from "../option_places.ts";
import { shellWord } from "../../postfix_config/words.ts";

export function filterPrograms(facts: Facts): Answer {
  return joinAnswers([...facts.looks].map(([stand, look]) => judge(facts, stand, look)));
}

function judge(facts: Facts, stand: Stand, look: Look): Answer {
  if (look.noUser) return { wrong: [noUser(facts, stand)] };
  const programs = look.paths.filter(({ use }) => use === "filter" || use === "program");
  const who = stand.user?.name ?? facts.me.name;
  const wrong = programs.flatMap((program) => fault(facts, stand, { program, who }));
  const right = programs.filter(({ use }) => use === "filter").map(({ path }) => `${who} may execute ${path}`);
  const unseen = look.unseen === undefined ? [] : [look.unseen];
  if (stand.settings && !stand.user && facts.me.isRoot && look.paths.length > 0) {
    unseen.push("which user postprox runs as, so files were looked at as root: give --user=NAME");
  }
  return { wrong, right: wrong.length === 0 ? right : [], unseen };
}

function noUser({ postfix }: Facts, { user, entry }: Stand): Finding {
  const what = `The user ${user!.name} of ${user!.from} is not there.`;
  if (entry && isPostfix(postfix)) {
    return {
      what,
      change: { where: placeOfEntry(postfix, entry).replace("argv=", "user="), lines: ["    user=postprox"] },
    };
  }
  return { what, change: toRun(`useradd --system --user-group --shell /usr/sbin/nologin ${shellWord(user!.name)}`) };
}

function fault(facts: Facts, stand: Stand, { program, who }: { program: PathLook; who: string }): Finding[] {
  const { path, kind, canExecute, canRead, isHidden, noInterpreter, option, use } = program;
  const thing = use === "filter" ? "filter" : "program";
  const name = `The ${thing} ${path} (${option})`;
  if (isHidden) {
    return [{
      what: `${name} is not executable by ${who}: a directory above it is closed.`,
      change: openDirectories(path),
    }];
  }
  if (kind === "missing") {
    const long = option === "-c" ? "command" : option.replace(/^-+/, "");
    const change = use === "filter" ? setOption(facts, stand, { long, value: "/usr/local/bin/FILTER" }) : undefined;
    return [{ what: `${name} is not there.`, change }];
  }
  if (kind !== "file") return [{ what: `${name} is no program, but a ${kind}.` }];
  if (!canExecute) {
    return [{ what: `${name} is not executable by ${who}.`, change: toRun(`chmod a+rx ${shellWord(path)}`) }];
  }
  if (noInterpreter !== undefined) {
    return [{ what: `${name} cannot be run: its interpreter ${noInterpreter} is not there.` }];
  }
  // A script must be readable too, but of a binary nobody needs that.
  if (!canRead && use === "filter") {
    return [{
      what: `${name} is not readable by ${who}, as a script must be.`,
      change: toRun(`chmod a+r ${shellWord(path)}`),
    }];
  }
  return [];
}

function openDirectories(path: string) {
  const parts = path.split("/").slice(1, -1);
  const directories = parts.map((_, at) => `/${parts.slice(0, at + 1).join("/")}`);
  return toRun(`chmod a+x ${directories.map(shellWord).join(" ")}`);
}
