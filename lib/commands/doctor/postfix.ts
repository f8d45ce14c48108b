// Postfix's configuration as postconf(1) prints it: main.cf with all defaults, the entries of master.cf and their own
// settings. Pure.
//
// `-x` has put values in place of $name. A value under stress is not known. Sources: postconf(1), postconf(5), master(5).

import type { Address } from "../../ports/runtime.ts";

/** The output of `postconf -x`, `postconf -M` and `postconf -xP`, and the text of files for line numbers. */
export interface PostconfOutput {
  readonly main: string;
  readonly master: string;
  /** Undefined: Postfix is too old for it (2.11). */
  readonly own: string | undefined;
  /** The names of ports in /etc/services. */
  readonly services: ReadonlyMap<string, number>;
  readonly mainFile?: string | undefined;
  readonly masterFile?: string | undefined;
}

/** An entry of master.cf. */
export interface Entry {
  readonly name: string;
  /** inet, unix, fifo, pass … */
  readonly type: string;
  readonly private: string;
  readonly unprivileged: string;
  readonly chroot: string;
  readonly wakeUp: string;
  /** The limit of processes: "-" for the default. */
  readonly processes: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** Of postconf(5), for an output that has no defaults. */
const DEFAULTS: Readonly<Record<string, string>> = {
  default_process_limit: "100",
  inet_interfaces: "all",
  inet_protocols: "all",
  message_size_limit: "10240000",
};

export class Postfix {
  readonly entries: readonly Entry[];
  /** The texts of main.cf and master.cf; undefined if they cannot be read. */
  readonly files: { readonly main: string | undefined; readonly master: string | undefined };
  readonly #main: ReadonlyMap<string, string>;
  readonly #own: ReadonlyMap<string, string>;
  readonly #services: ReadonlyMap<string, number>;

  constructor({ main, master, own, services, mainFile, masterFile }: PostconfOutput) {
    this.#main = parseSettings(main);
    this.entries = parseEntries(master);
    this.#own = own === undefined ? optionsOf(this.entries) : parseSettings(own);
    this.#services = services;
    this.files = { main: mainFile, master: masterFile };
  }

  /** The value of `name` for an entry, or in main.cf. */
  value(name: string, entry?: Entry): string {
    const own = entry && this.#own.get(`${entry.name}/${entry.type}/${name}`);
    return own ?? this.#main.get(name) ?? DEFAULTS[name] ?? "";
  }

  /** Whether the entry has a value of its own. */
  hasOwn(name: string, entry: Entry): boolean {
    return this.#own.has(`${entry.name}/${entry.type}/${name}`);
  }

  get directory(): string {
    return this.value("config_directory") || "/etc/postfix";
  }

  /** The directories of other instances. */
  get others(): readonly string[] {
    return words(this.value("multi_instance_directories"));
  }

  /** The SMTP servers. */
  get smtpds(): readonly Entry[] {
    return this.entries.filter(({ command }) => command === "smtpd");
  }

  /** How many processes an entry may have at the same time. Infinity if there is no limit. */
  processes({ processes }: Entry): number {
    const limit = processes === "-" ? this.value("default_process_limit") : processes;
    const count = /^[0-9]+$/.test(limit) ? Number(limit) : 100;
    return count === 0 ? Infinity : count;
  }

  /** The addresses at which an entry listens. A wildcard address stands for all of this host's. */
  addresses({ name, type, private: isPrivate }: Entry): readonly Address[] {
    if (type === "unix") {
      const folder = isPrivate === "n" ? "public" : "private";
      return [{ transport: "unix", path: this.inQueue(`${folder}/${name}`) }];
    }
    if (type !== "inet") return [];
    const [, bracketed, plain, port = ""] = /^(?:(?:\[(.*)\]|([^:]*)):)?([^:]+)$/.exec(name) ?? [];
    const number = this.#port(port);
    if (number === undefined) return [];
    const host = bracketed?.replace(/^ipv6:/i, "") ?? plain;
    const hosts = host === undefined || host === "" ? this.#interfaces() : [host];
    return hosts.map((host) => ({ transport: "tcp", host, port: number }));
  }

  /**
   * The address in a value such as that of smtpd_proxy_filter: `HOST:PORT`, `inet:HOST:PORT`, `unix:PATH`. Undefined if
   * it is none.
   */
  address(text: string): Address | undefined {
    if (/^unix:/i.test(text)) return { transport: "unix", path: this.inQueue(text.slice("unix:".length)) };
    const [, host = "", port = ""] = /^(?:inet:)?(?:(\[[^\]]*\]|[^:]*):)?([^:]+)$/i.exec(text) ?? [];
    const number = this.#port(port);
    if (number === undefined) return undefined;
    return { transport: "tcp", host: host.replace(/^\[(?:ipv6:)?(.*)\]$/i, "$1") || "127.0.0.1", port: number };
  }

  #port(text: string): number | undefined {
    if (/^[0-9]{1,5}$/.test(text)) return Number(text);
    return this.#services.get(text);
  }

  #interfaces(): readonly string[] {
    const all = words(this.value("inet_interfaces"));
    return all.flatMap((word) => {
      if (word === "all") return this.#protocols("0.0.0.0", "::");
      if (word === "loopback-only") return this.#protocols("127.0.0.1", "::1");
      return word.replace(/^\[(?:ipv6:)?(.*)\]$/i, "$1");
    });
  }

  #protocols(v4: string, v6: string): readonly string[] {
    const protocols = words(this.value("inet_protocols"));
    const isBoth = protocols.includes("all");
    return [...isBoth || protocols.includes("ipv4") ? [v4] : [], ...isBoth || protocols.includes("ipv6") ? [v6] : []];
  }

  /** A path of Postfix is below its queue directory, or whole. */
  inQueue(path: string): string {
    const directory = this.value("queue_directory") || "/var/spool/postfix";
    return path.startsWith("/") ? path : `${directory}/${path}`;
  }
}

/** How people call an entry: its first two words. */
export function nameOf({ name, type }: Entry): string {
  return `${name} ${type}`;
}

/** A time of Postfix in milliseconds; undefined if it is none. A number without a unit is in seconds. */
export function parseTime(text: string): number | undefined {
  const [, number, unit] = /^([0-9]+)([smhdw]?)$/.exec(text.trim()) ?? [];
  if (number === undefined) return undefined;
  return Number(number) * { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800, "": 1 }[unit as "s" | ""]! * 1000;
}

/** The names of ports, from the text of /etc/services. */
export function parseServices(text: string): Map<string, number> {
  const services = new Map<string, number>([["smtp", 25], ["smtps", 465], ["submissions", 465], ["submission", 587]]);
  for (const line of text.split("\n")) {
    const [, name, port, aliases = ""] = /^([^\s#]+)\s+([0-9]+)\/tcp\s*([^#]*)/.exec(line) ?? [];
    for (const one of name === undefined ? [] : [name, ...aliases.split(/\s+/).filter(Boolean)]) {
      services.set(one, Number(port));
    }
  }
  return services;
}

/** Lists of Postfix are separated by commas or blanks. */
export function words(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

function parseSettings(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, value = ""] = /^(\S+) =(?: (.*))?$/.exec(line) ?? [];
    if (name !== undefined) settings.set(name, value.trim());
  }
  return settings;
}

/** The options of entries: `-o name=value`. */
function optionsOf(entries: readonly Entry[]): Map<string, string> {
  const options = new Map<string, string>();
  for (const { name, type, args } of entries) {
    for (const [at, word] of args.entries()) {
      const [, setting, value = ""] = args[at - 1] === "-o" ? /^([^=\s]+)\s*=\s*(.*)$/s.exec(word) ?? [] : [];
      if (setting !== undefined) options.set(`${name}/${type}/${setting}`, value);
    }
  }
  return options;
}

function parseEntries(text: string): Entry[] {
  return text.split("\n").flatMap((line) => {
    const [name, type, isPrivate, unprivileged, chroot, wakeUp, processes, command, ...args] = splitWords(line);
    if (command === undefined) return [];
    const fields = { private: isPrivate!, unprivileged: unprivileged!, chroot: chroot!, wakeUp: wakeUp! };
    return [{ name: name!, type: type!, ...fields, processes: processes!, command, args }];
  });
}

/** The words of an entry. Blanks inside `{ }` do not separate words, and the braces fall away (master(5)). */
function splitWords(line: string): string[] {
  const found: string[] = [];
  for (let rest = line.trimStart(); rest !== ""; rest = rest.trimStart()) {
    const length = rest.startsWith("{") ? bracedLength(rest) : /^\S+/.exec(rest)![0].length;
    const word = rest.slice(0, length);
    found.push(word.startsWith("{") ? word.replace(/^\{\s*|\s*\}$/g, "") : word);
    rest = rest.slice(length);
  }
  return found;
}

function bracedLength(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "{") depth++;
    if (text[at] === "}" && --depth === 0) return at + 1;
  }
  return text.length;
}
