// Finds each postprox that Postfix or the command line knows, and the SMTP servers before and behind it. Pure.
//
// Postfix knows a postprox by an entry of spawn(8) whose argv names it, or by a smtpd_proxy_filter that leads to the
// address of -l. If the options of the doctor name no postprox, a process that runs may tell its options.

import type { Address } from "../../ports/runtime.ts";
import { connectable, keyOf, leadsTo } from "./addresses.ts";
import type { Front, RunUser, Stand } from "./facts.ts";
import type { StartOptions } from "./options.ts";
import { type Entry, nameOf, type Postfix } from "./postfix.ts";

/** A postprox whose options were read. */
export interface Known extends StartOptions {
  /** The options say nothing but HOST:PORT, so what else is known of a postprox with this server counts. */
  readonly isBare?: boolean;
  /** Its options are from here. */
  readonly source: Stand["source"];
  readonly user?: RunUser | undefined;
}

export interface Spawned extends Known {
  readonly entry: Entry;
  readonly program: readonly string[];
}

/** A process that runs. */
export interface Running extends Known {
  readonly pid: number;
  readonly isForeign: true;
}

export interface Seen {
  readonly postfix: Postfix | undefined;
  /** The options of the doctor itself; undefined if there are none. */
  readonly asked: Known | undefined;
  readonly spawned: readonly Spawned[];
  readonly running: readonly Running[];
}

/**
 * Whether options that say nothing but HOST:PORT are those of a postprox that we know. The server behind may be another
 * only by mistake, so each postprox of spawn(8) is one.
 */
function isKnownOtherwise({ isBare = false, downstream }: Known, others: readonly Known[]): boolean {
  return isBare && others.some((one) => "entry" in one || isSame(one.downstream, downstream));
}

function isSame(one: Address | undefined, other: Address | undefined): boolean {
  return one !== undefined && other !== undefined && leadsTo(one, other);
}

export function findStands(
  { postfix, asked: given, spawned, running }: Seen,
): { stands: Stand[]; strayFronts: Front[] } {
  const asked = given && isKnownOtherwise(given, [...spawned, ...running]) ? undefined : given;
  const behind = [asked, ...spawned, ...running].map((one) => postfix && serverAt(postfix, one?.downstream));
  const fronts = postfix ? frontsOf(postfix, behind) : [];
  const bySpawn = spawned.map((one) => spawnStand(postfix!, one, fronts));
  const stands = [
    ...asked ? [askedStand(withProcess(asked, running), { postfix, fronts, bySpawn })] : [],
    ...bySpawn,
  ];
  const isFree = (front: Front) => !leadsToSome(front, stands) && !isOthers(front, postfix);
  if (!asked) {
    for (const one of running) {
      const at = one.settings?.listen.address;
      const free = fronts.filter(isFree);
      // A socket of systemd may be anywhere.
      const own = at ? free.filter((front) => leadsTo(front.at, at)) : free.length === 1 ? free : [];
      if (own.length > 0) stands.push(listenStand(one, own, `the options of process ${one.pid}`));
    }
    // Perhaps main.cf should point there.
    const [only, ...more] = running;
    if (stands.length === 0 && only && more.length === 0) {
      stands.push(listenStand(only, [], `the options of process ${only.pid}`));
    }
    for (const front of fronts.filter(isFree)) stands.push(unknownStand(front));
  }
  const strayFronts = fronts.filter(isFree);
  return { stands: stands.map((stand) => withBehind(stand, postfix)), strayFronts };
}

/** The SMTP servers that have a proxy, by its address. A server behind is none of them, even if it has one by mistake. */
function frontsOf(postfix: Postfix, behind: readonly (Entry | undefined)[]): Front[] {
  const fronts = new Map<string, { at: Address; servers: Entry[] }>();
  for (const server of postfix.smtpds) {
    const value = postfix.value("smtpd_proxy_filter", server);
    const at = value === "" ? undefined : postfix.address(value);
    if (!at || behind.includes(server)) continue;
    const front = fronts.get(keyOf(at)) ?? { at, servers: [] };
    front.servers.push(server);
    fronts.set(keyOf(at), front);
  }
  return [...fronts.values()];
}

function leadsToSome({ at }: Front, stands: readonly Stand[]): boolean {
  return stands.some((stand) => stand.at && leadsTo(at, stand.at));
}

/** Another program is behind the address: spawn(8) starts it, or another server of Postfix listens there. */
function isOthers({ at }: Front, postfix: Postfix | undefined): boolean {
  return postfix?.entries.some((entry) => postfix.addresses(entry).some((own) => leadsTo(at, own))) ?? false;
}

function spawnStand(postfix: Postfix, one: Spawned, fronts: readonly Front[]): Stand {
  const { entry } = one;
  const addresses = postfix.addresses(entry);
  const own = fronts.filter(({ at }) => addresses.some((address) => leadsTo(at, address)));
  return {
    ...one,
    name: `the options of "${nameOf(entry)}" in master.cf`,
    mode: "spawn",
    at: own[0]?.at ?? (addresses[0] && connectable(addresses[0])),
    fronts: own.flatMap(({ servers }) => servers),
  };
}

function listenStand(one: Known, fronts: readonly Front[], name: string): Stand {
  const listen = one.settings?.listen.address;
  return {
    ...one,
    name,
    mode: "listen",
    at: fronts[0]?.at ?? (listen && connectable(listen)),
    fronts: fronts.flatMap(({ servers }) => servers),
  };
}

function unknownStand({ at, servers }: Front): Stand {
  return {
    name: "the proxy of main.cf",
    mode: undefined,
    settings: undefined,
    source: { kind: "command line" },
    at,
    downstream: undefined,
    fronts: servers,
  };
}

function askedStand(
  asked: Known,
  { postfix, fronts, bySpawn }: {
    readonly postfix: Postfix | undefined;
    readonly fronts: readonly Front[];
    readonly bySpawn: readonly Stand[];
  },
): Stand {
  const name = "the options of doctor";
  const listen = asked.settings?.listen.address;
  if (listen) return listenStand(asked, fronts.filter(({ at }) => leadsTo(at, listen)), name);
  const spawn = bySpawn.find((one) => isSame(asked.downstream, one.downstream)) ?? bySpawn[0];
  if (spawn) {
    const { at, entry, fronts, program } = spawn;
    const from = { at, entry, fronts, program, downstream: asked.downstream ?? spawn.downstream };
    return { ...asked, name, mode: "spawn", ...from, user: asked.user ?? spawn.user };
  }
  const own = fronts.filter((front) => !isOthers(front, postfix));
  const isOne = new Set(own.map(({ at }) => keyOf(at))).size === 1;
  const servers = isOne ? own.flatMap(({ servers }) => servers) : [];
  return { ...asked, name, mode: undefined, at: isOne ? own[0]!.at : undefined, fronts: servers };
}

/** The process that listens there tells its user, and the server behind it. */
function withProcess(asked: Known, running: readonly Running[]): Known {
  const listen = asked.settings?.listen.address;
  const process = listen && running.find(({ settings }) => isSame(listen, settings?.listen.address));
  if (!process) return asked;
  return { ...asked, user: asked.user ?? process.user, downstream: asked.downstream ?? process.downstream };
}

function withBehind(stand: Stand, postfix: Postfix | undefined): Stand {
  return { ...stand, behind: postfix && serverAt(postfix, stand.downstream) };
}

function serverAt(postfix: Postfix, address: Address | undefined): Entry | undefined {
  if (!address) return undefined;
  return postfix.smtpds.find((entry) => postfix.addresses(entry).some((at) => leadsTo(address, at)));
}
