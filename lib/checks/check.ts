// What a check is: it looks at one message and answers with a verdict. A judge asks checks, and decides.
//
// A check that cannot decide answers `unsure`. It throws only the `IoError` of a spool that fails or of means that are used
// up: then the message cannot be judged at all. When `signal` is aborted nobody waits for the answer any more; the check
// then ends what it has started and returns. A judge throws nothing that can be foreseen.

import type { Judgement } from "../mail/judgement.ts";
import type { Message } from "../mail/message.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { SpoolFiles } from "../spool/files.ts";

export interface Check {
  /** Its name in options and in the log. */
  readonly name: string;
  /** Whether it reads the message by its file name. */
  readonly needsFile: boolean;
  /** It only reads the message, with others at the same time, and may want something in the header of one that passes. */
  readonly isScanner?: true;
  /** What a rules file has to ask for, for this check to look at a message; without it, it looks at each. */
  readonly askedFor?: string;
  judge(message: Message, options: CheckOptions): Promise<Verdict>;
}

export interface CheckOptions {
  readonly signal: AbortSignal;
  /** The time in milliseconds until the answer is of no use. */
  readonly limit: number;
  /** Writes a line of plain words to the log, whatever its verbosity; `text` may hold a stranger's octets. */
  readonly notice: (text: string) => void;
  /** Where programs have their files; they are removed with the message. */
  readonly files: SpoolFiles;
}

export interface Judge {
  /** Whether one of its checks reads the message by its file name. */
  readonly needsFile: boolean;
  judge(message: Message, options: JudgeOptions): Promise<Judgement>;
}

export interface JudgeOptions extends CheckOptions {
  /** What a rules file asks for, for at least one of the recipients; absent where there is no rules file: all. */
  readonly asked?: ReadonlySet<string> | undefined;
}
