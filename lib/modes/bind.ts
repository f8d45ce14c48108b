// Listens at all addresses of a host's name, or at none.
//
// A name often has an IPv6 address (`::1 localhost`) on a host without IPv6. Such an address is left out, with a
// warning. Any other address that cannot be bound is a failure, because it may work a moment later. A killed process
// leaves the name of its unix socket behind. If nobody listens there, we take the name over.

import { parseIp } from "../text/ip.ts";
import { tell } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import { IoError } from "../ports/io_error.ts";
import type { Address, Conn, Listener, Runtime } from "../ports/runtime.ts";

export type BindPorts = Pick<Runtime, "network" | "files">;

type TcpAddress = Extract<Address, { transport: "tcp" }>;
type UnixAddress = Extract<Address, { transport: "unix" }>;

// How long we wait to find out whether a process listens at our unix socket already. In milliseconds.
const BIND_PATIENCE = 1000;

/** Makes a socket at one address. */
type MakeSocket<Socket> = (at: Address) => Promise<Socket>;

/** Throws `IoError`. */
export async function bind(
  ports: BindPorts,
  logger: Logger,
  address: Address,
  socketMode?: number,
): Promise<Listener> {
  return join(await bindAll(ports, logger, { address, make: (at) => ports.network.listen(at, socketMode) }));
}

/** The sockets at all addresses of `address`, at least one. Throws `IoError`. */
export async function bindAll<Socket extends { close(): void }>(
  ports: BindPorts,
  logger: Logger,
  { address, make }: { readonly address: Address; readonly make: MakeSocket<Socket> },
): Promise<Socket[]> {
  if (address.transport === "unix") return [await bindUnix(ports, address, make)];
  if (parseIp(address.host)) return [await make(address)];
  return await bindName(ports, logger, { address, make });
}

/** All listeners as one. There is at least one. */
export function join(listeners: readonly Listener[]): Listener {
  return listeners.length === 1 ? listeners[0]! : new JoinedListener(listeners);
}

async function bindUnix<Socket>(
  { network, files }: BindPorts,
  address: UnixAddress,
  make: MakeSocket<Socket>,
): Promise<Socket> {
  try {
    return await make(address);
  } catch (error) {
    if (!(error instanceof IoError) || error.kind !== "in-use") throw error;
    if (!await isLeftOver({ network, files }, address)) throw error;
    await files.remove(address.path);
    return await make(address);
  }
}

async function isLeftOver({ network, files }: BindPorts, address: UnixAddress): Promise<boolean> {
  if ((await files.stat(address.path)).kind !== "socket") return false;
  try {
    (await network.connect(address, BIND_PATIENCE)).close();
    return false;
  } catch (error) {
    return error instanceof IoError && error.kind === "refused";
  }
}

async function bindName<Socket extends { close(): void }>(
  { network }: BindPorts,
  logger: Logger,
  { address: { host, port }, make }: { readonly address: TcpAddress; readonly make: MakeSocket<Socket> },
): Promise<Socket[]> {
  const sockets: Socket[] = [];
  const leftOut: IoError[] = [];
  try {
    for (const address of new Set(await network.addressesOf(host))) {
      try {
        sockets.push(await make({ transport: "tcp", host: address, port }));
      } catch (error) {
        if (!(error instanceof IoError) || !await isOfNoUse(network, address, error)) throw error;
        leftOut.push(error);
      }
    }
    if (sockets.length === 0) throw leftOut[0] ?? new IoError("unknown-host", `${host} has no address`);
  } catch (error) {
    for (const socket of sockets) socket.close();
    throw error;
  }
  for (const { message } of leftOut) tell(logger, "leftOut", { why: message });
  return sockets;
}

// Whether the address cannot be bound because this host has no IPv6.
async function isOfNoUse(network: Runtime["network"], address: string, { kind }: IoError): Promise<boolean> {
  if (kind !== "unreachable" || !address.includes(":")) return false;
  try {
    (await network.listen({ transport: "tcp", host: "::1", port: 0 })).close();
    return false;
  } catch (error) {
    return error instanceof IoError && error.kind === "unreachable";
  }
}

/** Several listeners as one. Each gets its turn, even if the others are busy. */
export class JoinedListener implements Listener {
  // Each listener has an accept under way. The listener whose turn is next comes first.
  readonly #accepting = new Map<Listener, Promise<Accepted>>();

  constructor(listeners: readonly Listener[]) {
    for (const listener of listeners) this.#accept(listener);
  }

  async accept(): Promise<Conn> {
    while (this.#accepting.size > 0) {
      const { listener, conn, error } = await Promise.race(this.#accepting.values());
      // The listener goes behind the others.
      this.#accepting.delete(listener);
      if (error instanceof IoError && error.kind === "closed") continue;
      this.#accept(listener);
      if (conn) return conn;
      throw error;
    }
    throw new IoError("closed", "cannot accept a connection: closed");
  }

  close(): void {
    for (const listener of this.#accepting.keys()) listener.close();
  }

  #accept(listener: Listener): void {
    const accepting = listener.accept().then((conn) => ({ listener, conn }), (error) => ({ listener, error }));
    this.#accepting.set(listener, accepting);
  }
}

interface Accepted {
  readonly listener: Listener;
  readonly conn?: Conn;
  readonly error?: unknown;
}
