// Judges around a judge: for clients that no check looks at, for a dry run, for fields that only postprox may write.

import { NO_SPACE, NOT_HANDLED } from "../mail/judgement.ts";
import { type Message, messageOf } from "../mail/message.ts";
import { IoError } from "../ports/io_error.ts";
import type { Turn } from "../ports/runtime.ts";
import { editHeader } from "../spool/edited_header.ts";
import type { SpoolFiles } from "../spool/files.ts";
import { giveCopy } from "../spool/hand_over.ts";
import type { Network } from "../text/ip.ts";
import { isInAny } from "../text/network.ts";
import { TAG_FIELD } from "./chain.ts";
import type { Judge } from "./check.ts";

/** Passes all mail of clients that XFORWARD says are in `networks`. Asks `judge` about the mail of others. */
export function bypassing(judge: Judge, networks: readonly Network[]): Judge {
  return {
    ...judge,
    judge: async (message, options) => {
      const { address } = message.client.facts;
      if (!isInAny(networks, address)) return await judge.judge(message, options);
      const why = `no check looks at mail of ${address}`;
      return { decision: { kind: "bypass", why, message }, findings: [], time: 0 };
    },
  };
}

/** Asks `judge`, whose policy refuses nothing, and passes the message as it came. */
export function dryRun(judge: Judge): Judge {
  return {
    ...judge,
    judge: async (message, options) => {
      const { decision, ...judgement } = await judge.judge(withCopy(message, options.files), options);
      if (!("message" in decision)) return { ...judgement, decision };
      const kind = decision.kind === "replace" ? "pass" : decision.kind;
      return { ...judgement, decision: { ...decision, kind, message } };
    },
  };
}

/** The message, but programs get a copy: they may change their file, and it must not be the only one. */
export function withCopy(message: Message, files: SpoolFiles): Message {
  let copy: ReturnType<Message["file"]> | undefined;
  const { size, lineEnds, crLines } = message;
  const chunks = () => message.chunks();
  return messageOf(message, { size, lineEnds, crLines, chunks, file: () => copy ??= giveCopy(files, message) });
}

/** Asks `judge` about each message without the fields that only postprox may write. */
export function withoutTags(judge: Judge, turn: Turn): Judge {
  return {
    ...judge,
    judge: async (message, options) => {
      try {
        const edits = [{ changes: [{ do: "remove", name: TAG_FIELD } as const] }];
        const content = await editHeader(message, edits, { files: options.files, turn });
        return await judge.judge(content === message ? message : messageOf(message, content), options);
      } catch (error) {
        if (!(error instanceof IoError)) throw error;
        options.notice(`cannot look for ${TAG_FIELD} in a message: ${error.message}`);
        const reply = error.kind === "no-space" ? NO_SPACE : NOT_HANDLED;
        return { decision: { kind: "refused", why: error.message, reply }, findings: [], time: 0 };
      }
    },
  };
}
