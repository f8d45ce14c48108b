// Applies the rules file: at each RCPT TO, the first rule that matches decides. If none matches, the recipient is
// allowed.
//
// If DNS fails, it may be unknown whether a rule matches. Then a refusing rule is skipped. An allowing rule allows,
// with the content checks that it asks for. The log gets a notice either way. So rules help against a nuisance, as
// smtpd's did, but they are no wall.
//
// Values in a message are a stranger's text. The reply stays one line of at most 512 octets, and keeps its code. A
// message may name the zone of a DNS list that has a name for strangers. Then they see that name.

import { type ListNames, withListNames } from "../../dns/list_names.ts";
import type { Turn } from "../../ports/runtime.ts";
import { replyFromText } from "../../smtp/reply.ts";
import { nameOf, NO_NAME } from "../client_name.ts";
import type { Restriction, RestrictionContext, Ruling } from "../restriction.ts";
import type { Rule } from "./file.ts";
import { type MatchedMail, matchesRule } from "./match.ts";

export interface RulesOptions {
  /** The file's name, for the log. */
  readonly file: string;
  /** Milliseconds that deny_delay and noto_delay wait. */
  readonly delay: number;
  readonly turn: Turn;
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
          // Another pattern of the list was certain, so the doubt does not matter.
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

// One line for each recipient, for any number of rules.
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
