// The rules file in action: at each RCPT TO, the first rule that matches rules; without one the recipient is allowed.
//
// A rule that could not be told to match (DNS failed) never refuses: a refusing one is passed over, and an allowing one
// allows, with the content checks that it asks for. Either way the log gets a notice. So rules are a help against a
// nuisance, as smtpd's were, and no wall.
//
// Values in a message are a stranger's text: the reply stays one line of 512 octets at most, and keeps its code. Where a
// message names the zone of a DNS list that has a name for strangers, they hear that.

import { type ListNames, withListNames } from "../../dns/list_names.ts";
import { replyFromText } from "../../smtp/reply.ts";
import { nameOf, NO_NAME } from "../client_name.ts";
import type { Restriction, RestrictionContext, Ruling } from "../restriction.ts";
import type { Rule } from "./file.ts";
import { type MatchedMail, matchesRule } from "./match.ts";
import type { SharedTurn } from "../../wire/shared_turn.ts";

export interface RulesOptions {
  /** The file's name, for the log. */
  readonly file: string;
  /** Milliseconds that deny_delay and noto_delay wait. */
  readonly delay: number;
  readonly turn: SharedTurn;
  readonly listNames: ListNames;
}

export function rulesRestriction(rules: readonly Rule[], { file, delay, turn, listNames }: RulesOptions): Restriction {
  return {
    name: "rules",
    recipient: async (recipient, { sender }, context): Promise<Ruling> => {
      const mail = { client: context.client, sender, recipient };
      const doubts = new Map<number, string>();
      try {
        for (const rule of rules) {
          await turn.share();
          const { action, line } = rule;
          const doubt = (why: string) => void doubts.set(line, why);
          const match = await matchesRule(rule, mail, { dns: context.dns, doubt });
          if (context.signal.aborted) break;
          // Kleene's doubt may be gone by the end: another pattern of the list was certain.
          if (match !== undefined) doubts.delete(line);
          if (match === false || (match === undefined && action.kind !== "allow")) continue;
          if (action.kind === "allow") return { kind: "allow", contentChecks: action.contentChecks };
          const where = `line ${line} of ${file}`;
          if (action.kind === "debug") {
            context.notice(`${where} matches, going on: ${await fillIn("client %H[%I], from %F to %T", mail)}`);
          } else {
            const reply = replyFromText(withListNames(await fillIn(action.message, mail), listNames));
            return { kind: "refuse", why: where, reply, ends: action.ends, delay: action.slowly ? delay : 0 };
          }
        }
        return { kind: "allow", contentChecks: [] };
      } finally {
        noteDoubts(doubts, file, context);
      }
    },
  };
}

// One line for each recipient, whatever the number of rules.
function noteDoubts(doubts: ReadonlyMap<number, string>, file: string, { notice, signal }: RestrictionContext): void {
  const [why] = doubts.values();
  if (why === undefined || signal.aborted) return;
  notice(
    `could not tell whether line ${[...doubts.keys()].join(", ")} of ${file} matches, so it refuses nothing: ${why}`,
  );
}

/** `message` with its escapes replaced. */
async function fillIn(message: string, { client, sender, recipient }: MatchedMail): Promise<string> {
  const name = message.includes("%H") ? await nameOf(client, () => {}) : undefined;
  const values: Record<string, string> = {
    H: name ?? NO_NAME,
    I: client.address ?? NO_NAME,
    F: `<${sender ?? NO_NAME}>`,
    T: `<${recipient}>`,
    U: NO_NAME,
    C: ":",
    "%": "%",
  };
  return message.replace(/%(.)/g, (_, letter: string) => values[letter]!);
}
