// What a check says of a message.
//
// "Could not tell" (`unsure`) is a member of its own, so that no failure of a check can be taken for an opinion. It says
// why, and never leaves the checks: their policy decides what it means.

import type { Reply } from "../smtp/reply.ts";
import type { Content } from "./message.ts";

/** `reply` is for the client, `why` for the log. */
export type Verdict =
  | { readonly kind: "accept"; readonly why: string }
  | { readonly kind: "replace"; readonly why: string; readonly content: Content }
  | { readonly kind: "reject" | "defer" | "discard"; readonly why: string; readonly reply: Reply }
  /** The check failed, or was not done in time. */
  | { readonly kind: "unsure"; readonly cause: "failed" | "late"; readonly why: string }
  /** We had no means to ask the check, such as a file or a process; `isFull`: no room. */
  | { readonly kind: "unsure"; readonly cause: "no means"; readonly why: string; readonly isFull: boolean }
  /** A program has changed what it may only read, and so the message is lost. `failure` is why it could not tell. */
  | { readonly kind: "spoilt"; readonly why: string; readonly failure?: string | undefined };
