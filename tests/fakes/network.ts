// A network in memory: each `connect` gives the test a peer, each listener takes the clients that a test sends.

import { IoError, type IoErrorKind } from "../../lib/ports/io_error.ts";
import type {
  Address,
  Clock,
  Conn,
  DatagramSender,
  HeldSocket,
  Listener,
  Network,
  UdpSocket,
} from "../../lib/ports/runtime.ts";
import { textOf } from "../../lib/text/octets.ts";
import { Peer } from "../rig/peer.ts";

export class FakeNetwork implements Network {
  /** The outcome of a `connect`: a connection, a failure, or no answer until its limit. */
  downstream: "accepts" | "silent" | IoErrorKind = "accepts";
  /** The far ends of all connections that were made, in order. */
  readonly servers: Peer[] = [];
  readonly connects: { to: Address; limit: number }[] = [];
  /** Where alone `listen` on TCP is possible, if that is said. */
  bindable: ReadonlySet<string> | undefined;
  /** The hosts whose port somebody else has. */
  readonly taken = new Set<string>();
  /** The error of `listen`. */
  bindRefusal: IoErrorKind | undefined;
  readonly listeners: FakeListener[] = [];
  /** The error of `send` of a datagram. */
  syslog: "up" | IoErrorKind = "up";
  readonly datagramsSent: { path: string; text: string }[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async connect(to: Address, limit: number): Promise<Conn> {
    this.connects.push({ to, limit });
    if (this.downstream === "silent") {
      await new Promise<void>((resolve) => this.#clock.after(limit, resolve));
      throw new IoError("timeout", "no connection");
    }
    if (this.downstream !== "accepts") throw new IoError(this.downstream, `cannot connect: ${this.downstream}`);
    const peer = new Peer();
    this.servers.push(peer);
    return peer.conn;
  }

  async listen(at: Address, mode?: number): Promise<Listener> {
    if (this.bindRefusal) throw new IoError(this.bindRefusal, `cannot listen: ${this.bindRefusal}`);
    if (at.transport === "tcp" && this.bindable && !this.bindable.has(at.host)) {
      throw new IoError("unreachable", `cannot listen at ${at.host}`);
    }
    if (at.transport === "tcp" && this.taken.has(at.host)) throw new IoError("in-use", `cannot listen at ${at.host}`);
    const listener = new FakeListener(at, mode);
    this.listeners.push(listener);
    return listener;
  }

  /** The sockets that the process was started with. */
  readonly inherited = new Map<number, FakeListener>();

  async inherit(fd: number): Promise<Address> {
    const listener = this.inherited.get(fd);
    if (!listener) throw new IoError("other", `descriptor ${fd} is no stream socket that listens`);
    return listener.at;
  }

  async holdInherited(fd: number): Promise<HeldSocket> {
    return { descriptor: fd, close: () => {} };
  }

  async listenInherited(fd: number): Promise<Listener> {
    const listener = this.inherited.get(fd);
    if (!listener) throw new IoError("other", `cannot listen on descriptor ${fd}`);
    this.listeners.push(listener);
    return listener;
  }

  async hold(at: Address): Promise<HeldSocket> {
    const listener = await this.listen(at);
    return { descriptor: 2 + this.listeners.length, close: () => listener.close() };
  }

  /** The addresses of hosts. */
  readonly hosts = new Map<string, readonly string[]>();

  async addressesOf(host: string): Promise<readonly string[]> {
    const addresses = this.hosts.get(host);
    if (!addresses) throw new IoError("unknown-host", `cannot look up ${host}`);
    return addresses;
  }

  async datagrams(path: string): Promise<DatagramSender> {
    return {
      send: async (octets) => {
        if (this.syslog !== "up") throw new IoError(this.syslog, `cannot send to ${path}`);
        this.datagramsSent.push({ path, text: textOf(octets) });
      },
    };
  }

  // Lookups end at `FakeResolver`.
  async udp(): Promise<UdpSocket> {
    throw new IoError("unreachable", "cannot make a UDP socket");
  }
}

export class FakeListener implements Listener {
  readonly at: Address;
  closed = false;
  readonly #waiting: (Conn | IoError)[] = [];
  #wake: (() => void) | undefined;

  constructor(at: Address, readonly mode?: number) {
    this.at = at;
  }

  /** A client connects. */
  client(address = "192.0.2.7"): Peer {
    const peer = new Peer(address);
    this.#push(peer.conn);
    return peer;
  }

  /** The next accept fails. */
  fail(kind: IoErrorKind): void {
    this.#push(new IoError(kind, `cannot accept a connection: ${kind}`));
  }

  async accept(): Promise<Conn> {
    for (;;) {
      if (this.closed) throw new IoError("closed", "listener is closed");
      const next = this.#waiting.shift();
      if (next instanceof IoError) throw next;
      if (next) return next;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  close(): void {
    this.closed = true;
    this.#wake?.();
  }

  #push(next: Conn | IoError): void {
    this.#waiting.push(next);
    this.#wake?.();
  }
}
