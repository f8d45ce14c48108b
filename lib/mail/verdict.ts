// The verdict of one check about a message.
//
// A check that cannot decide answers `unsure` and says why. So nobody can take a failure for an opinion. `unsure` never
// leaves the checks: the policy decides what it means.

import type { HeaderEdit } from "../mime/header.ts";
import type { Reply } from "../smtp/reply.ts";
import type { Content } from "./message.ts";

/** `reply` is for the client, `why` for the log. `facts` are fields of the log line about the message. */
export type Verdict = Opinion & { readonly facts?: Facts | undefined };

/** Each name begins with the name of the check. */
export type Facts = Readonly<Record<string, string | number>>;

type Opinion =
  /** `header`: the changes to the header of a message that passes. */
  | { readonly kind: "accept"; readonly why: string; readonly header?: HeaderEdit | undefined }
  | { readonly kind: "replace"; readonly why: string; readonly content: Content }
  /**
   * `quarantine`: keep the message and do not deliver it. If nothing keeps messages, it is a reject with this reply.
   */
  | { readonly kind: "reject" | "defer" | "discard" | "quarantine"; readonly why: string; readonly reply: Reply }
  /** The check failed, or was late. */
  | { readonly kind: "unsure"; readonly cause: "failed" | "late"; readonly why: string }
  /** We lack the means to ask the check, such as a file or a process. `isFull`: the disk has no room. */
  | { readonly kind: "unsure"; readonly cause: "no means"; readonly why: string; readonly isFull: boolean }
  /**
   * A program changed the file that it may only read, and so the message is lost. `failure`: why the program could not
   * decide.
   */
  | { readonly kind: "spoilt"; readonly why: string; readonly failure?: string | undefined };
