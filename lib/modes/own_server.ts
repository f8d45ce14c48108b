// Finds out whether listen mode would be its own server: -l at the address of HOST:PORT, however the two are spelled.
//
// Each connection would then make another one, until no place is left. The end of a connection to HOST:PORT decides. So
// names are looked up as the runtime does it. A name that cannot be looked up now does not prevent the start, because
// the server may come later. Known gap: a way back to us over another host, or over a name that changes.

import { type Ip, parseIp } from "../text/ip.ts";
import { IoError } from "../ports/io_error.ts";
import type { Address, Clock, Files, Network } from "../ports/runtime.ts";

/** The start waits at most this long for a name. In milliseconds. */
const LOOKUP_LIMIT = 5000;

export interface OwnServerPorts {
  readonly clock: Clock;
  readonly network: Pick<Network, "addressesOf" | "listen">;
  readonly files: Pick<Files, "stat">;
}

/** Whether a connection to `server` leads to the program that listens `at`. */
export async function isOwnServer(ports: OwnServerPorts, at: Address, server: Address): Promise<boolean> {
  if (isOwnServerAsWritten(at, server)) return true;
  if (at.transport === "unix" && server.transport === "unix") return isSamePlace(ports.files, at.path, server.path);
  if (at.transport === "unix" || server.transport === "unix" || at.port !== server.port) return false;
  const [ours, theirs] = await Promise.all([ipsOf(ports, at.host), ipsOf(ports, server.host)]);
  if (leadsTo(ours, theirs)) return true;
  for (const ip of theirs) if (isTakenBy(ours.filter(isWildcard), ip) && await isOurs(ports, ip)) return true;
  return false;
}

/** The same, but from the words alone, without a look at the machine. */
export function isOwnServerAsWritten(at: Address, server: Address): boolean {
  if (at.transport === "unix" || server.transport === "unix") {
    return at.transport === "unix" && server.transport === "unix" && at.path === server.path;
  }
  if (at.port !== server.port) return false;
  return plainName(at.host) === plainName(server.host) ||
    leadsTo(writtenIps(at.host) ?? [], writtenIps(server.host) ?? []);
}

/**
 * Whether other hosts can reach a program that listens `at`. If the addresses of a name are not known, the answer is
 * yes.
 */
export async function isReachable(ports: Pick<OwnServerPorts, "clock" | "network">, at: Address): Promise<boolean> {
  if (at.transport === "unix") return false;
  const ips = await ipsOf(ports, at.host);
  return ips.length === 0 || !ips.every(isLoopback);
}

// Loopback addresses always belong to this host. A program at a wildcard address is reached there.
function leadsTo(ours: readonly Ip[], theirs: readonly Ip[]): boolean {
  return theirs.map(connectable).some((ip) =>
    ours.some((own) => own.join() === ip.join()) || (isLoopback(ip) && isTakenBy(ours.filter(isWildcard), ip))
  );
}

// `::` takes IPv4 connections, too, unless the system is set otherwise.
function isTakenBy(wildcards: readonly Ip[], ip: Ip): boolean {
  return wildcards.some((wildcard) => wildcard.length === 16 || ip.length === 4);
}

// A connection to a wildcard goes to the loopback address.
function connectable(ip: Ip): Ip {
  if (!isWildcard(ip)) return ip;
  return ip.length === 4 ? Uint8Array.of(127, 0, 0, 1) : ip.map((_, at) => at === 15 ? 1 : 0);
}

function isWildcard(ip: Ip): boolean {
  return ip.every((octet) => octet === 0);
}

function isLoopback(ip: Ip): boolean {
  return ip.length === 4 ? ip[0] === 127 : ip.every((octet, at) => octet === (at === 15 ? 1 : 0));
}

function plainName(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}

// RFC 6761 s.6.3: localhost is the loopback address, even if a name server says otherwise.
function writtenIps(host: string): readonly Ip[] | undefined {
  const words = plainName(host) === "localhost" ? ["127.0.0.1", "::1"] : [host];
  const ips = words.map(parseIp);
  return ips.every((ip) => ip !== undefined) ? ips : undefined;
}

async function ipsOf(
  { clock, network }: Pick<OwnServerPorts, "clock" | "network">,
  host: string,
): Promise<readonly Ip[]> {
  const written = writtenIps(host);
  if (written) return written;
  const late = Promise.withResolvers<readonly string[]>();
  const cancel = clock.after(LOOKUP_LIMIT, () => late.resolve([]));
  try {
    return (await Promise.race([network.addressesOf(host), late.promise])).map(parseIp).filter((ip) =>
      ip !== undefined
    );
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return [];
  } finally {
    cancel();
  }
}

// Only this host can bind its address. Some hosts may bind any address (ip(7), ip_nonlocal_bind). Then they can also
// bind an address for documentation, which no host has (RFC 5737, RFC 3849). On those hosts this tells us nothing.
async function isOurs(ports: OwnServerPorts, ip: Ip): Promise<boolean> {
  return await canBind(ports, formatIp(ip)) && !await canBind(ports, ip.length === 4 ? "192.0.2.1" : "2001:db8::1");
}

async function canBind({ network }: OwnServerPorts, host: string): Promise<boolean> {
  try {
    (await network.listen({ transport: "tcp", host, port: 0 })).close();
    return true;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return false;
  }
}

function formatIp(ip: Ip): string {
  if (ip.length === 4) return ip.join(".");
  return Array.from({ length: 8 }, (_, at) => (ip[2 * at]! << 8 | ip[2 * at + 1]!).toString(16)).join(":");
}

async function isSamePlace(files: Pick<Files, "stat">, one: string, other: string): Promise<boolean> {
  const place = await placeOf(files, one);
  return place !== undefined && place === await placeOf(files, other);
}

// The file at the end of a path. If there is none, the directory and the name in it.
async function placeOf(files: Pick<Files, "stat">, path: string): Promise<string | undefined> {
  const name = /[^/]*$/.exec(path)![0];
  const directory = path.slice(0, path.length - name.length) || ".";
  return await identityOf(files, path) ??
    await identityOf(files, directory).then((identity) => identity && `${identity}/${name}`);
}

async function identityOf(files: Pick<Files, "stat">, path: string): Promise<string | undefined> {
  try {
    const { device, inode } = await files.stat(path);
    return `${device}:${inode}`;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return undefined;
  }
}
