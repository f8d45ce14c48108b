// One input of the session fuzz: everything that both sides, the filter and the clock do, as data that JSON can hold.
//
// In texts, one character is one octet. An input does not say what must come of it: `world.ts` plays it, and `judge.ts`
// knows the rules. After its last instruction each side behaves well: downstream answers right, filters pass.

import type { OnError } from "../../lib/checks/policy.ts";
import type { ExitMeaning } from "../../lib/checks/program/command_result.ts";

export interface Input {
  readonly settings: Settings;
  /** The events, in this order. Most of them are the client's. */
  readonly steps: readonly Step[];
  /** How downstream deviates from right answers; each is used once, the first that fits. */
  readonly mx: readonly Answer[];
  /** The actions of the filters, one after another. */
  readonly filters: readonly Filter[];
  /** How scanners deviate from clean answers; each is used once, the first of that scanner. */
  readonly scans?: readonly ScanAnswer[];
}

export type ScannerName = "clamd" | "rspamd" | "spamd";

/** What a scanner says to a question. */
export interface ScanAnswer {
  readonly of: ScannerName;
  readonly gives:
    | "clean"
    | "caught"
    | "later"
    | "discard"
    | "quarantine"
    | "marked"
    | "error"
    | "nonsense"
    | "silence"
    | "refusal";
  readonly delay?: number;
  /** Only so many octets of it, and never all. */
  readonly cut?: number;
  /** What it does after that. It ends the connection unless this says something else. */
  readonly then?: "resets" | "waits";
  /** It says nonsense before the question. */
  readonly isEarly?: true;
}

export interface Settings {
  readonly filter?: boolean;
  /** The filter is a helper. */
  readonly helper?: boolean;
  /** An external checker looks at the message before the filter. With a rules file, only if its recipient asks for it. */
  readonly extchk?: boolean;
  /** So many commands come after the filter. */
  readonly then?: number;
  /** Clients with the address 192.0.2.9, which XFORWARD may name, are not checked. */
  readonly bypass?: boolean;
  /** With a rules file, only if its recipient asks for them. */
  readonly contentRules?: boolean;
  readonly scanners?: readonly (ScannerName | "urls")[];
  /** Each scanner has two servers. */
  readonly twoServers?: boolean;
  readonly quarantine?: boolean;
  /** A rules file with the rules of `RULES`, and the check of addresses before it. */
  readonly restricts?: boolean;
  readonly rejectUnsure?: boolean;
  readonly rejectBareNewline?: boolean;
  readonly allowDiscard?: boolean;
  readonly editInPlace?: boolean;
  readonly strictExit?: boolean;
  readonly exitStatus?: readonly (readonly [status: number, meaning: ExitMeaning])[];
  /** The options of these names, for all checks. Without a quarantine, `quarantine` is `discard`. */
  readonly action?: "tempfail" | "discard" | "quarantine" | "tag" | "log";
  readonly onError?: OnError;
  readonly dryRun?: boolean;
  readonly maxMessageSize?: number;
  /** In milliseconds. */
  readonly sessionTimeout?: number;
  readonly keepalive?: number;
  readonly filterTimeout?: number;
  /** The outcome of `connect`. */
  readonly connect?: "silent" | "refused";
  /** The log has the dialogue too. */
  readonly verbose?: boolean;
  /** Reads give one octet at a time. */
  readonly clientOctets?: boolean;
  readonly mxOctets?: boolean;
}

/** With `rush`, the next step comes before anybody could react to this one. */
export type Step =
  & { readonly rush?: boolean }
  & (
    | { readonly do: "say"; readonly text: string; readonly times?: number; readonly cut?: Cut }
    | { readonly do: "pass"; readonly ms: number }
    | { readonly do: "end" | "close" | "reset" | "stall" | "take" | "shut down" | "abandon" }
    | { readonly do: "mx says"; readonly text: string }
    | { readonly do: "mx ends" | "mx closes" | "mx resets" | "mx stalls" | "mx takes" }
  );

/** Packets of about `length` octets, cut by the random numbers of `seed`; with `wait`, each is reacted to. */
export interface Cut {
  readonly length: number;
  readonly seed: number;
  readonly wait?: boolean;
}

export interface Answer {
  /** The request that it answers: its verb; `greeting`; `dot` for a message; `line` for one in AUTH; or its number. */
  readonly to: string | number;
  /** Instead of the right code. */
  readonly code?: number;
  readonly lines?: number;
  /** Instead of a reply; `{}` stands for the right code. The empty text is silence. */
  readonly raw?: string;
  readonly delay?: number;
  readonly cut?: Cut;
  readonly then?: "ends" | "closes" | "resets" | "stalls";
}

export interface Filter {
  readonly refused?: boolean;
  readonly delay?: number;
  /** It never ends by itself; or ends in this way. */
  readonly hangs?: boolean;
  readonly exit?: number;
  readonly signal?: string;
  readonly ignoresTerm?: boolean;
  readonly leavesStderrOpen?: boolean;
  readonly stderr?: string;
  readonly times?: number;
  /** The content that it leaves as OUTFILE, an external checker in its one file. Written in place or renamed to there. */
  readonly outfile?: string;
  readonly renames?: boolean;
  /** It copies EMAIL to OUTFILE. */
  readonly copies?: boolean;
  readonly outfileIs?: "directory" | "missing";
  readonly email?: "missing" | "changed" | "cut";
  /** It does this for each message with this text. Then the order does not matter. */
  readonly of?: string;
  /** A helper answers another question, or not at all. */
  readonly wrong?: "id" | "nonsense";
}

export const NO_INPUT: Input = { settings: {}, steps: [], mx: [], filters: [] };
