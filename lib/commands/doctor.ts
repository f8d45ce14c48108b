// The command `doctor`: looks at Postfix, at postprox and at what it needs, and says what is wrong and the line to change.
//
// It takes the options of serving. Without them it takes those of the spawn entry in master.cf that names postprox, or of
// the process that listens where main.cf points. The status is 0 if nothing is wrong, and 1 if something is. What could
// not be looked at is listed, and changes no status. 64 and 75 are those of a `StartError` of the doctor's own options.

import { parseDownstream } from "../ports/address.ts";
import { UsageError } from "../ports/start_error.ts";
import type { DoctorSettings } from "../settings/command_options.ts";
import type { Settings } from "../settings/settings.ts";
import { bytesOf } from "../text/octets.ts";
import { quote } from "../text/quoting.ts";
import type { Command } from "./command.ts";
import { saysAnything } from "./doctor/paths.ts";
import { judge } from "./doctor/questions/questions.ts";
import { formatAnswer } from "./doctor/report.ts";
import { look } from "./doctor/look/look.ts";
import { Report } from "./output/report.ts";

export const doctor: Command = async ({ runtime, line: { settings, operands, given }, nextHop }) => {
  const [operand, second] = operands;
  if (second !== undefined) throw new UsageError(`doctor: one server is enough, ${quote(second)} is a second one`);
  const named = operand ?? nextHop;
  const downstream = named === undefined ? undefined : parseDownstream(named);
  const { send } = (settings as DoctorSettings).trial;
  if (send === "") throw new UsageError("option --send: a test message needs a recipient: give ADDRESS");
  const { file } = settings.config;
  const source = file === undefined ? { kind: "command line" } as const : { kind: "file", path: file } as const;
  const isBare = !saysAnything(given);
  const asked = downstream || !isBare ? { settings, downstream, source, isBare, ...userOf(settings) } : undefined;
  const facts = await look(runtime, { asked, send });
  const answer = judge(facts);
  const report = new Report(runtime.stdio, runtime.stdio.conn(), false);
  await report.write(bytesOf(formatAnswer(answer)));
  return answer.wrong.length > 0 ? 1 : 0;
};

function userOf({ listen: { user } }: Settings) {
  return user === undefined ? {} : { user: { name: user, groups: "all", from: "--user" } as const };
}
