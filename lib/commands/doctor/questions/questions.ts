// The questions of the doctor, in the order in which the answers are printed. Each judges the facts, and looks at nothing
// else.

import { type Facts, isPostfix } from "../facts.ts";
import { type Answer, joinAnswers, toRun } from "../finding.ts";
import { chroot } from "./chroot.ts";
import { directories } from "./directories.ts";
import { filterPrograms } from "./filter_programs.ts";
import { filtersAgain } from "./filters_again.ts";
import { innerTls } from "./inner_tls.ts";
import { noSyslog } from "./no_syslog.ts";
import { nothingListens } from "./nothing_listens.ts";
import { openToTheWorld } from "./open_to_the_world.ts";
import { processCounts } from "./processes.ts";
import { scanners } from "./scanners.ts";
import { secondServer } from "./second_server.ts";
import { sizeLimits } from "./size_limits.ts";
import { speedAdjust } from "./speed_adjust.ts";
import { startOptions } from "./start_options.ts";
import { timeLimits } from "./time_limits.ts";
import { wholeDialogue } from "./whole_dialogue.ts";
import { xforward } from "./xforward.ts";

const QUESTIONS: readonly ((facts: Facts) => Answer)[] = [
  postfixIsHere,
  nothingListens,
  chroot,
  startOptions,
  secondServer,
  wholeDialogue,
  xforward,
  filtersAgain,
  openToTheWorld,
  innerTls,
  timeLimits,
  sizeLimits,
  speedAdjust,
  processCounts,
  filterPrograms,
  directories,
  noSyslog,
  scanners,
];

export function judge(facts: Facts): Required<Answer> {
  return joinAnswers(QUESTIONS.map((question) => question(facts)));
}

function postfixIsHere({ postfix }: Facts): Answer {
  if (!isPostfix(postfix)) {
    if (postfix.isBroken) {
      return {
        wrong: [{ what: `Postfix cannot read its configuration: ${postfix.why}.`, change: toRun("postfix check") }],
      };
    }
    const what = postfix.isAbsent ? "there is no Postfix on this machine" : "Postfix's configuration cannot be read";
    return { unseen: [`${what}: ${postfix.why}`] };
  }
  const { directory, others } = postfix;
  const more = others.length === 0
    ? []
    : [`other instances of Postfix: look at each with MAIL_CONFIG=DIRECTORY: ${others.join(", ")}`];
  return { right: [`Postfix's configuration in ${directory} can be read`], unseen: more };
}
