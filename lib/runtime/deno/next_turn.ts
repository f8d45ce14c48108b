// The next turn of the event loop in which Deno looks at its sockets.
//
// While files are read and written, or timers ring, Deno may take 60 turns without a look at its sockets. So what peers have
// said waits. But a datagram that we send to ourselves comes only with such a look, and with it comes all the rest.

import { after } from "./api.ts";

let bell: { ring(): Promise<void> } | undefined;

/** Calls `go` in that turn. Only one call may wait at a time. */
export async function nextTurn(go: () => void): Promise<void> {
  try {
    await (bell ??= newBell()).ring();
  } catch {
    // There is no descriptor left, for example. A timer is slower.
    return void after(0, go);
  }
  go();
}

function newBell(): { ring(): Promise<void> } {
  // The name is no file (unix(7), abstract).
  const path = `\0postprox-${crypto.randomUUID()}`;
  const ear = Deno.listenDatagram({ transport: "unixpacket", path });
  try {
    // Deno does not use one socket in both directions at the same time.
    const hand = Deno.listenDatagram({ transport: "unixpacket", path: `${path}-` });
    const octet = new Uint8Array(1);
    return {
      // Before the datagram is sent there is nothing to receive. So Deno has to look for it.
      ring: async () =>
        void await Promise.all([ear.receive(octet), hand.send(octet, { transport: "unixpacket", path })]),
    };
  } catch (error) {
    ear.close();
    throw error;
  }
}
