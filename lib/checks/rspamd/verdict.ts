// From rspamd's answer to a verdict, as rspamd's own milter does it in Postfix. Pure.
//
// If the action passes the message, the header changes are made in the milter's order: first removals, then additions,
// signatures, and last X-Spam. An X-Spam that came with the message is removed, because it proves nothing. A new
// subject takes the place of the first one. Strangers hear rspamd's text for them as one line of printable ASCII, after
// our code.

import type { Facts, Verdict } from "../../mail/verdict.ts";
import type { HeaderChange } from "../../mime/header.ts";
import { formatReply, replyFromText } from "../../smtp/reply.ts";
import type { Answer, Symbol } from "./answer.ts";

/** The log has at most this much of the symbols, the highest scores first. */
const SYMBOLS_SHOWN = 500;
const NAME_SHOWN = 60;
const MESSAGE_SHOWN = 200;

/** RFC 3463: 5.7.1 and 4.7.1, delivery not authorized, message refused. */
const DISCARDED = formatReply("250 2.0.0 Ok: discarded");

/** `subjectAt`: how many fields stand before the first subject of the message; undefined if it has none. */
export function verdictOf(
  answer: Answer,
  { server, subjectAt }: { readonly server: string; readonly subjectAt?: number | undefined },
): Verdict {
  const { action, smtpMessage } = answer;
  const said = (smtpMessage ?? "").replace(/\s+/g, " ").trim();
  const why = `rspamd at ${server} says ${action}${said && `: ${said.slice(0, MESSAGE_SHOWN)}`}`;
  const facts = factsOf(answer);
  const rejected = replyFromText(`550 5.7.1 ${said || "Spam message rejected"}`);
  switch (action) {
    case "reject":
      return { kind: "reject", why, facts, reply: rejected };
    case "quarantine":
      return { kind: "quarantine", why, facts, reply: rejected };
    case "discard":
      return { kind: "discard", why, facts, reply: DISCARDED };
    case "soft reject":
      return { kind: "defer", why, facts, reply: replyFromText(`451 4.7.1 ${said || "Try again later"}`) };
    default: {
      const changes = changesOf(answer, subjectAt);
      return { kind: "accept", why, facts, ...changes.length > 0 ? { header: { changes } } : {} };
    }
  }
}

function changesOf(
  { action, subject, removed, added, dkimSignatures }: Answer,
  subjectAt: number | undefined,
): HeaderChange[] {
  const changes: HeaderChange[] = [];
  if (action === "rewrite subject" && subject !== undefined) {
    if (subjectAt !== undefined) changes.push({ do: "remove", name: "Subject", which: 1 });
    changes.push({ do: "add", name: "Subject", value: subject, ...subjectAt === undefined ? {} : { at: subjectAt } });
  }
  for (const { name, which } of removed) changes.push({ do: "remove", name, which });
  if (action === "add header") changes.push({ do: "remove", name: "X-Spam" });
  for (const { name, value, order } of added) {
    changes.push({ do: "add", name, value, ...order === undefined ? {} : { at: order } });
  }
  dkimSignatures.forEach((value, at) => changes.push({ do: "add", name: "DKIM-Signature", value, at: at + 1 }));
  const isMarked = added.some(({ name, value }) => name.toLowerCase() === "x-spam" && value === "Yes");
  if (action === "add header" && !isMarked) changes.push({ do: "add", name: "X-Spam", value: "Yes" });
  return changes;
}

function factsOf({ score, requiredScore, symbols }: Answer): Facts {
  return {
    ...score === undefined ? {} : { rspamd_score: rounded(score) },
    ...requiredScore === undefined ? {} : { rspamd_required_score: rounded(requiredScore) },
    ...symbols.length === 0 ? {} : { rspamd_symbols: shownSymbols(symbols) },
  };
}

function shownSymbols(symbols: readonly Symbol[]): string {
  let shown = "";
  for (const { name, score } of symbols) {
    const next = `${shown && ","}${name.slice(0, NAME_SHOWN)}(${rounded(score)})`;
    if (shown.length + next.length > SYMBOLS_SHOWN) return `${shown},...`;
    shown += next;
  }
  return shown;
}

function rounded(score: number): number {
  return Math.round(score * 100) / 100;
}
