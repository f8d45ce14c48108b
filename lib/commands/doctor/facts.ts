// Everything that the doctor has found out. Questions judge it, and look at nothing else.

import type { Address } from "../../ports/runtime.ts";
import type { Settings } from "../../settings/settings.ts";
import type { Entry, Postfix } from "./postfix.ts";

export interface Facts {
  readonly postfix: Postfix | NoPostfix;
  /** Each postprox that Postfix or the command line knows. */
  readonly stands: readonly Stand[];
  /** The addresses that Postfix's SMTP servers use as their proxy, if no stand is there. */
  readonly strayFronts: readonly Front[];
  /** The dialogues, by the address that was connected to. */
  readonly dialogues: ReadonlyMap<string, Dialogue>;
  readonly looks: ReadonlyMap<Stand, Look>;
  /** The user that runs the doctor. */
  readonly me: Me;
  /** The address of --send. */
  readonly send?: string | undefined;
}

/**
 * Why nothing is known of Postfix. `isAbsent`: there is none on this machine. `isBroken`: Postfix itself cannot read its
 * configuration.
 */
export interface NoPostfix {
  readonly isAbsent: boolean;
  readonly isBroken?: boolean;
  readonly why: string;
}

export interface Me {
  readonly name: string;
  readonly isRoot: boolean;
}

/** SMTP servers of Postfix and the address that they use as their proxy. */
export interface Front {
  readonly at: Address;
  readonly servers: readonly Entry[];
}

/** A postprox: how it is started, and where it stands. */
export interface Stand {
  /** Where its options are from, for people. */
  readonly name: string;
  /** Undefined: the mode is not known. */
  readonly mode: "spawn" | "listen" | undefined;
  /** Undefined: its options are not known. `wrong`: why they cannot be read. */
  readonly settings: Settings | undefined;
  readonly wrong?: string | undefined;
  /** Where its options stand. */
  readonly source: OptionSource;
  /** Where Postfix has to connect to; undefined if nobody knows. */
  readonly at: Address | undefined;
  readonly downstream: Address | undefined;
  /** The SMTP servers in front that lead to it. */
  readonly fronts: readonly Entry[];
  /** The entry of spawn(8). */
  readonly entry?: Entry | undefined;
  /** The words that start the program, without its options. */
  readonly program?: readonly string[] | undefined;
  /** The entry of the SMTP server behind it, if it is one of this Postfix. */
  readonly behind?: Entry | undefined;
  readonly user?: RunUser | undefined;
  /** Its options are those of a process. Anybody can start one, so no secret may go where they say. */
  readonly isForeign?: boolean;
}

export type OptionSource =
  | { readonly kind: "master.cf"; readonly entry: Entry }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "command line" };

/** The user that runs it. */
export interface RunUser {
  readonly name: string;
  readonly group?: string | undefined;
  /** spawn(8) gives a program only one group. */
  readonly groups: "one" | "all";
  /** Where it is said. */
  readonly from: string;
}

/** What was said on a connection. */
export interface Dialogue {
  /** Why there was no connection; `kind` is that of the `IoError`. */
  readonly failure?: { readonly kind: string; readonly why: string } | undefined;
  /** In order. The first one is the greeting, without a command. */
  readonly steps: readonly Step[];
  /** Why the connection was lost before the end. */
  readonly lost?: string | undefined;
  /** The test message was sent, and this is its reply. */
  readonly sent?: string | undefined;
}

export interface Step {
  readonly command: string;
  readonly code: number;
  readonly reply: string;
  /** The lines of a reply to EHLO, without the code. */
  readonly lines?: readonly string[];
}

/** What was found out about one stand. */
export interface Look {
  /** The paths that its options name, as its user sees them. */
  readonly paths: readonly PathLook[];
  /** Why they could not be looked at as its user. */
  readonly unseen?: string | undefined;
  /** The user is not there. */
  readonly noUser?: boolean;
  /** Free octets below the directory of -d; undefined if nobody knows. */
  readonly spoolRoom: number | undefined;
  readonly scanners: readonly ScannerLook[];
  /** A scanner that was not asked, and why. */
  readonly notAsked?: string | undefined;
  /** Why postprox would not start. */
  readonly startError?: string | undefined;
  readonly log: LogLook;
}

export type PathUse = "filter" | "program" | "spool" | "quarantine" | "log" | "log directory" | "file";

export interface PathLook {
  readonly use: PathUse;
  /** The option, such as `-c`. */
  readonly option: string;
  readonly path: string;
  readonly kind: "missing" | "file" | "directory" | "other";
  readonly canRead: boolean;
  readonly canWrite: boolean;
  readonly canExecute: boolean;
  /** The one who runs the doctor finds it, although its user does not. */
  readonly isHidden: boolean;
  /** The interpreter that its first line names is not there. */
  readonly noInterpreter?: string | undefined;
}

export interface ScannerLook {
  readonly name: string;
  readonly server: string;
  /** Undefined: it has answered. */
  readonly why: string | undefined;
  /** Mail passes nevertheless, as if it was not asked. */
  readonly isHarmless?: boolean;
}

/** Whether a syslog takes lines; undefined if the log is no syslog. */
export type LogLook =
  | { readonly kind: "none" }
  | { readonly kind: "syslog"; readonly path: string; readonly why: string | undefined };

export function isPostfix(postfix: Postfix | NoPostfix): postfix is Postfix {
  return !("isAbsent" in postfix);
}
