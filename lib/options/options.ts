// What the command line may say, as plain data with its defaults. Times are in milliseconds, sizes in octets.

import type { ExitMeaning } from "../checks/program/command_result.ts";
import type { DnsList } from "../dns/list.ts";
import { IoError } from "../ports/io_error.ts";
import type { Address, NameServer } from "../ports/runtime.ts";
import type { LogTarget } from "../log/sinks.ts";

export interface Options {
  downstream: Address;
  command: string;
  tempdir: string;
  timeout: number;
  reject: boolean;
  verbosity: number;
  listen: Address | undefined;
  foreground: boolean;
  log: LogTarget;
  allowDiscard: boolean;
  strictExit: boolean;
  /** What the filter's exit statuses mean, where that was set. */
  exitStatus: Map<number, ExitMeaning>;
  editInPlace: boolean;
  bareNewline: "accept" | "reject";
  /** Undefined: there is no rules file. */
  checkRules: string | undefined;
  rulesDelay: number;
  filterRules: string | undefined;
  extchk: string | undefined;
  deferRcptRefusals: boolean;
  tarpitAfter: number | undefined;
  tarpitDelay: number;
  tarpitMultiplier: number;
  tarpitMax: number;
  checkSenderDomain: boolean;
  dnsbl: DnsList[];
  dnswl: DnsList[];
  rhsbl: DnsList[];
  /** By zone. */
  listNames: Map<string, string>;
  /** Undefined: the system's. */
  dnsServer: NameServer | undefined;
  dnsTimeout: number;
  maxMessageSize: number | undefined;
  maxClients: number;
  connectTimeout: number;
  clientTimeout: number;
  replyTimeout: number;
  dotTimeout: number;
  messageTimeout: number;
  sessionTimeout: number;
  keepalive: number;
  /** Not to run, but to print what Postfix has to know to run it. */
  postfixConfig: PostfixMode | undefined;
}

/** The two ways in which Postfix and postprox come together. */
export type PostfixMode = "spawn" | "listen";

/** Why the program does not start: one line that says what is wrong and what would be right. */
export abstract class StartError extends Error {
  /** The exit status, one of sysexits.h, by which a service manager knows whether it should try again. */
  abstract readonly status: 64 | 75;
  /** Where the rest of the command line wants the log, for a caller that has no terminal to complain to. */
  log: LogTarget | undefined;
}

/** Wrong use (EX_USAGE): it stays wrong until the administrator changes the command line or a file that it names. */
export class UsageError extends StartError {
  override readonly name = "UsageError";
  readonly status = 64;
}

/** The machine does not allow it now (EX_TEMPFAIL), and may a moment later: a full disk, an address that is taken. */
export class TempfailError extends StartError {
  override readonly name = "TempfailError";
  readonly status = 75;
}

/** The outcome of `attempt`. An `IoError` becomes a `TempfailError` that names `option` and the `hint`. */
export async function orTempfail<Outcome>(
  option: string,
  attempt: Promise<Outcome>,
  hint: (error: IoError) => string,
): Promise<Outcome> {
  try {
    return await attempt;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    throw new TempfailError(`option ${option}: ${error.message}: ${hint(error)}`);
  }
}

/** Where the C library's syslog(3) sends its lines. */
export const SYSLOG_SOCKET = "/dev/log";

export function defaultOptions(downstream: Address): Options {
  return {
    downstream,
    command: "",
    tempdir: "/tmp",
    timeout: 30_000,
    reject: false,
    verbosity: 0,
    listen: undefined,
    foreground: false,
    log: { kind: "syslog", path: SYSLOG_SOCKET },
    allowDiscard: false,
    strictExit: false,
    exitStatus: new Map(),
    editInPlace: false,
    bareNewline: "accept",
    checkRules: undefined,
    rulesDelay: 30_000,
    filterRules: undefined,
    extchk: undefined,
    deferRcptRefusals: false,
    tarpitAfter: undefined,
    tarpitDelay: 2_000,
    tarpitMultiplier: 1.5,
    tarpitMax: 30_000,
    checkSenderDomain: false,
    dnsbl: [],
    dnswl: [],
    rhsbl: [],
    listNames: new Map(),
    dnsServer: undefined,
    dnsTimeout: 5_000,
    maxMessageSize: undefined,
    maxClients: 1000,
    connectTimeout: 30_000,
    clientTimeout: 300_000,
    replyTimeout: 300_000,
    dotTimeout: 600_000,
    messageTimeout: 90_000,
    sessionTimeout: 3_600_000,
    // Postfix under stress hangs up after 10 s of silence (smtpd_timeout).
    keepalive: 5_000,
    postfixConfig: undefined,
  };
}
