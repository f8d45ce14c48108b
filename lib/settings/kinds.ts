// The kinds of values that only postprox has. The files of addresses and DNS lists say how those are written.

import type { ExitMeaning } from "../checks/program/command_result.ts";
import { ACTIONS, CHECK_NAMES, type CheckName, ON_ERROR } from "../checks/policy.ts";
import { type DnsList, formatDnsList, parseDnsList, parseZone } from "../dns/list.ts";
import { LOG_FORMATS, type LogTarget, SYSLOG } from "../log/sinks.ts";
import { choice, COMMAND, FILE, type Kind } from "../options/kinds.ts";
import { formatAddress, formatNameServer, parseListen, parseNameServer, parseScanner } from "../ports/address.ts";
import type { Address, NameServer } from "../ports/runtime.ts";
import { UsageError } from "../ports/start_error.ts";
import { type Network, parseIp } from "../text/ip.ts";
import { parseNetwork } from "../text/network.ts";
import { quote } from "../text/quoting.ts";

// More processes than processors do not help, and no machine has more processors.
const WORKERS_LIMIT = 1024;

export const LISTEN: Kind<Address> = { shown: "[IP:]PORT", parse: (text) => parseListen(text), print: formatAddress };

/** The address of the pages of --metrics. */
export const METRICS: Kind<Address> = {
  shown: "[IP:]PORT",
  parse: (text) => parseListen(text, "9825"),
  print: formatAddress,
};

/** The address of a scanner. `examples` are its usual addresses. */
export function scannerAddress(...examples: readonly [string, ...string[]]): Kind<Address> {
  return {
    shown: "ADDRESS",
    parse: (text) => parseScanner(text, examples.join(" or ")),
    print: formatAddress,
    offers: { words: examples },
  };
}

export const NAME_SERVER: Kind<NameServer> = { shown: "IP[:PORT]", parse: parseNameServer, print: formatNameServer };

export const DNS_LIST: Kind<DnsList> = { shown: "ZONE[=ADDRESSES]", parse: parseDnsList, print: formatDnsList };

/** The zone of a DNS list, and the text that strangers see in place of it. */
export const LIST_NAME: Kind<readonly [zone: string, name: string]> = {
  shown: "ZONE=TEXT",
  parse: (text) => {
    const [, zoneText = "", name = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
    const zone = parseZone(zoneText);
    if (zone === undefined) {
      throw new UsageError(
        `${quote(text)} names no DNS list: give ZONE=TEXT, such as key.bl.example.org=bl.example.org`,
      );
    }
    if (/^[ -~]*[!-~][ -~]*$/.test(name)) return [zone, name];
    throw new UsageError(
      `${quote(text)} has no text for a reply after "=": give printable ASCII, such as ${zone}=our list`,
    );
  },
  print: ([zone, name]) => `${zone}=${name}`,
};

/** An address of MAIL or RCPT, without its angle brackets. The empty string is the null sender. */
export const MAILBOX: Kind<string> = {
  shown: "ADDRESS",
  parse: (text) => {
    const address = /^<(.*)>$/s.exec(text)?.[1] ?? text;
    // deno-lint-ignore no-control-regex
    if (text !== "" && !/[\x00-\x20\x7f<>]/.test(address)) return address;
    throw new UsageError(`${quote(text)} is no mail address: give one such as someone@example.org, or <>`);
  },
  print: (address) => `<${address}>`,
};

/** The IP address of a client. */
export const CLIENT: Kind<string> = {
  shown: "IP",
  parse: (text) => {
    if (parseIp(text)) return text;
    throw new UsageError(`${quote(text)} is no IP address: give one such as 192.0.2.7`);
  },
  print: (address) => address,
};

/** The name that a client gives in EHLO. */
export const GREETING: Kind<string> = {
  shown: "NAME",
  parse: (text) => {
    if (/^[!-~]+$/.test(text)) return text;
    throw new UsageError(`${quote(text)} is nothing that a client can call itself: give a name such as mx.example.org`);
  },
  print: (name) => name,
};

/** Where the log lines go. */
export const LOG: Kind<LogTarget> = {
  shown: "WHERE",
  parse: (text) => {
    if (text === "stderr") return { kind: "stderr" };
    if (text === "syslog") return SYSLOG;
    if (text.startsWith("syslog:/")) return { kind: "syslog", path: text.slice("syslog:".length) };
    if (text.includes("/")) return { kind: "file", path: text };
    const path = /^[\w.-]+$/.test(text) ? `./${text}` : "./postprox.log";
    throw new UsageError(
      `${quote(text)} is no place for a log: give syslog, syslog:SOCKET, stderr or the path of a file, such as ${path}`,
    );
  },
  print: (target) => {
    if (target.kind === "file") return target.path;
    return target.kind === "stderr" || target.path === SYSLOG.path ? target.kind : `syslog:${target.path}`;
  },
  offers: { words: ["syslog", "stderr"], finds: "files" },
};

/** A file that postprox makes. */
export const PID_FILE: Kind<string> = { ...FILE };

/** The permissions of a file (chmod(1)), in octal. */
export const MODE: Kind<number> = {
  shown: "MODE",
  parse: (text) => {
    if (/^0?[0-7]{3}$/.test(text)) return parseInt(text, 8);
    throw new UsageError(`${quote(text)} is not a mode: give three octal digits, such as 0660`);
  },
  print: (mode) => mode.toString(8).padStart(4, "0"),
};

/** A user of this host, by name or number. */
export const USER: Kind<string> = {
  shown: "NAME",
  parse: (text) => {
    // deno-lint-ignore no-control-regex
    if (/^[^-:/\x00-\x20\x7f][^:/\x00-\x20\x7f]*$/.test(text)) return text;
    throw new UsageError(`${quote(text)} is no user name: give one such as postprox`);
  },
  print: (name) => name,
};

/** How many workers there are. `auto` is one for each processor. */
export const WORKERS: Kind<number | "auto"> = {
  shown: "N",
  parse: (text) => {
    if (text === "auto") return text;
    const count = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
    if (count > 0 && count <= WORKERS_LIMIT) return count;
    throw new UsageError(`${quote(text)} is no number of workers: give auto, or a number from 1 to ${WORKERS_LIMIT}`);
  },
  print: String,
  offers: { words: ["auto"] },
};

/** How the log lines look. */
export const LOG_FORMAT = choice(...LOG_FORMATS);

const EXIT_MEANINGS: readonly ExitMeaning[] = ["reject", "tempfail", "discard", "pass", "fail"];

/** A meaning for some exit statuses of the filter command. */
export interface ExitStatuses {
  readonly ranges: readonly (readonly [first: number, last: number])[];
  readonly meaning: ExitMeaning;
}

/** Statuses from 1 to 255 and ranges of them, joined by commas, and their meaning. */
export const EXIT_STATUSES: Kind<ExitStatuses> = {
  shown: "CODES=WHAT",
  parse: (text) => {
    const hint = "give CODES=WHAT, such as 69,100-110=tempfail, with CODES from 1 to 255 and WHAT one of " +
      EXIT_MEANINGS.join(", ");
    const equals = text.indexOf("=");
    const meaning = EXIT_MEANINGS.find((one) => one === text.slice(equals + 1));
    if (equals === -1 || !meaning) throw new UsageError(`${quote(text)} does not say what a status means: ${hint}`);
    const ranges = text.slice(0, equals).split(",").map((range) => {
      const [, from, to = from] = /^([0-9]{1,3})(?:-([0-9]{1,3}))?$/.exec(range) ?? [];
      const [first, last] = [Number(from), Number(to)];
      if (first === 0 && last === 0) throw new UsageError(`${quote(text)} has status 0, which always passes: ${hint}`);
      if (first >= 1 && first <= last && last <= 255) return [first, last] as const;
      throw new UsageError(`${quote(text)} has a wrong status: ${hint}`);
    });
    return { ranges, meaning };
  },
  print: ({ ranges, meaning }) => {
    const codes = ranges.map(([first, last]) => first === last ? `${first}` : `${first}-${last}`);
    return `${codes.join(",")}=${meaning}`;
  },
};

/** The meaning of each status. If a status has several, the last one counts. */
export function exitMeanings(settings: readonly ExitStatuses[]): Map<number, ExitMeaning> {
  const meanings = new Map<number, ExitMeaning>();
  for (const { ranges, meaning } of settings) {
    for (const [first, last] of ranges) {
      for (let status = first; status <= last; status++) meanings.set(status, meaning);
    }
  }
  return meanings;
}

/** A command after another one. It must not be empty. */
export const NEXT_COMMAND: Kind<string> = {
  ...COMMAND,
  parse: (text) => {
    if (text.trim() !== "") return text;
    throw new UsageError(`${quote(text)} is no command: give one, such as /usr/local/bin/filter`);
  },
};

/** A setting for one check. */
export type ForCheck<Value> = readonly [check: CheckName, value: Value];

/** The action for a message that a check refuses. */
export const CHECK_ACTION = forCheck(ACTIONS);

/** The action for a message about which a check could not decide. */
export const CHECK_ON_ERROR = forCheck(ON_ERROR);

function forCheck<Word extends string>(words: readonly Word[]): Kind<ForCheck<Word>> {
  return {
    shown: "CHECK=WHAT",
    parse: (text) => {
      const [, named, said] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
      const check = CHECK_NAMES.find((name) => name === named);
      const word = words.find((one) => one === said);
      if (check !== undefined && word !== undefined) return [check, word];
      const wrong = named === undefined ? "is not CHECK=WHAT" : check === undefined ? "names no check" : "is not known";
      throw new UsageError(
        `${quote(text)} ${wrong}: give CHECK=WHAT, such as command=${words.at(-1)}, with WHAT one of ` +
          `${words.join(", ")} and CHECK one of ${CHECK_NAMES.join(", ")}`,
      );
    },
    print: (value) => value.join("="),
  };
}

/** IP networks, and how they were written. */
export interface Networks {
  readonly text: string;
  readonly networks: readonly Network[];
}

/** Addresses and networks, joined by commas, with or without blanks. An IPv6 address needs no brackets. */
export const NETWORKS: Kind<Networks> = {
  shown: "NETWORKS",
  parse: (text) => {
    const networks = text.split(",").map((given) => {
      const word = given.trim();
      const network = parseNetwork(word.replace(/^([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(\/|$)/, "[$1]$2"));
      if (network) return network;
      throw new UsageError(`${quote(word)} is no network: give some such as 192.0.2.0/24,198.51.100.7,2001:db8::/32`);
    });
    return { text, networks };
  },
  print: ({ text }) => text,
};
