// The filter of --helper: programs that stay. They are asked about one message after another.
//
// helper_lines.ts has the questions and answers. helper_pool.ts keeps the programs. An answer means the same as that
// exit status and last line of a filter command (command_result.ts).

import type { Check } from "../check.ts";
import { type ExitOptions, verdictOfCommand } from "./command_result.ts";
import { judgeGiven } from "./given.ts";
import { HelperPool, type HelperPoolOptions, type HelperPoolParts } from "./helper_pool.ts";

export interface HelperOptions extends HelperPoolOptions, ExitOptions {
  /** A helper may change the file of the message. The changed file is then sent. */
  readonly editInPlace: boolean;
}

/** The helpers run from the start of the check until it is retired. */
export function helperCheck(parts: HelperPoolParts, options: HelperOptions): Check {
  const pool = new HelperPool(parts, options);
  return {
    name: "helper",
    needsFile: true,
    judge: (message, { signal, limit, files }) =>
      judgeGiven(message, { files, editInPlace: options.editInPlace }, async (paths) => {
        const { envelope, client: { facts }, size } = message;
        const question = {
          ...paths,
          sender: envelope.sender === "" ? "<>" : envelope.sender ?? "",
          recipients: envelope.recipients,
          remoteip: facts.address ?? "",
          helo: facts.helo ?? "",
          size,
        };
        const answer = await pool.ask(question, { limit, signal });
        if (!("why" in answer)) return verdictOfCommand({ exit: answer.exit }, answer.text, options);
        return { kind: "unsure", cause: answer.isLate ? "late" : "failed", why: answer.why };
      }),
    start: () => pool.start(),
    retire: () => pool.retire(),
  };
}
