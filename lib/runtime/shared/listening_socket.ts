// Shared by both adapters: makes a listening socket with libc, so that other processes can inherit it.
//
// The runtimes' own sockets have no descriptor that can be passed on, or accept connections themselves.

import { bytesOf } from "../../text/octets.ts";
import { parseIp } from "../../text/ip.ts";
import { withMode } from "./socket_mode.ts";
import type { Address } from "../../ports/runtime.ts";

/** Functions of libc. Each gives a negative number if it fails. */
export interface SocketCalls {
  socket(family: number, type: number, protocol: number): number;
  setsockopt(socket: number, level: number, option: number, value: Int32Array<ArrayBuffer>, size: number): number;
  bind(socket: number, address: Uint8Array<ArrayBuffer>, size: number): number;
  listen(socket: number, backlog: number): number;
  close(descriptor: number): number;
  umask(mask: number): number;
  /** The number of the last error. */
  errno(): number;
}

export interface SocketOptions {
  /** Whether a program that we start gets the socket under its own number. */
  readonly isInherited: boolean;
  /** The permissions of a unix socket. */
  readonly mode: number;
  /** The index of a network interface; undefined if there is none of that name. */
  readonly indexOf: (networkInterface: string) => number | undefined;
}

// From the headers of Linux, the same on all its architectures that the runtimes run on.
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM_NONBLOCK = 1 | 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const ENODEV = 19;

/** So many connections may wait until a worker accepts them. Bun's own sockets have the same. */
const BACKLOG = 512;

/** The descriptor of a new socket that listens at an IP address or a path, or the number of the error. */
export function makeListeningSocket(
  calls: SocketCalls,
  at: Address,
  { isInherited, mode, indexOf }: SocketOptions,
): { readonly descriptor: number } | { readonly errno: number } {
  const address = socketAddress(at, indexOf);
  if (!address) return { errno: ENODEV };
  // Several processes accept on it. One that comes too late must not wait in the call.
  const type = SOCK_STREAM_NONBLOCK | (isInherited ? 0 : SOCK_CLOEXEC);
  const descriptor = calls.socket(address[0]!, type, 0);
  if (descriptor < 0) return { errno: calls.errno() };
  // Connections of an earlier process may still linger at the port.
  if (at.transport === "tcp") calls.setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, Int32Array.of(1), 4);
  const bind = () => calls.bind(descriptor, address, address.length) < 0 ? calls.errno() : 0;
  const errno = withMode(mode, bind, calls.umask);
  if (errno === 0 && calls.listen(descriptor, BACKLOG) >= 0) return { descriptor };
  const failure = errno || calls.errno();
  calls.close(descriptor);
  return { errno: failure };
}

// The address as the system has it in memory (unix(7), ip(7), ipv6(7)). The family is in this machine's order, and it fits
// into the first octet. So is the number of a network interface.
function socketAddress(at: Address, indexOf: SocketOptions["indexOf"]): Uint8Array<ArrayBuffer> | undefined {
  if (at.transport === "unix") return Uint8Array.of(AF_UNIX, 0, ...bytesOf(at.path), 0);
  const [host = "", zone] = at.host.split("%");
  const ip = parseIp(host);
  if (!ip) return undefined;
  const address = new Uint8Array(ip.length === 4 ? 16 : 28);
  address[0] = ip.length === 4 ? AF_INET : AF_INET6;
  address[2] = at.port >> 8;
  address[3] = at.port & 255;
  address.set(ip, ip.length === 4 ? 4 : 8);
  if (zone === undefined) return address;
  const index = /^[0-9]+$/.test(zone) ? Number(zone) : indexOf(zone);
  if (index === undefined) return undefined;
  new DataView(address.buffer).setUint32(24, index, true);
  return address;
}

/** The file that says the index of a network interface (sysfs). */
export function indexFile(networkInterface: string): string {
  return `/sys/class/net/${networkInterface.replaceAll("/", "")}/ifindex`;
}
