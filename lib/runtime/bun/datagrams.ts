// Datagrams to a unix socket on Bun, with libc's sendto(2), because neither Bun nor node has them.

import { errnoReader, libc, systemError, unixAddress } from "./libc.ts";
import type { DatagramSender } from "../../ports/runtime.ts";

// From the headers of Linux, the same on all its architectures that Bun runs on.
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
const EAGAIN = 11;

// A slow receiver is asked again after this time.
const AGAIN_DELAY = 5;

export async function datagrams(path: string): Promise<DatagramSender> {
  const { socket: makeSocket, sendto } = await libc({
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i32" },
  });
  const errno = await errnoReader();
  const address = unixAddress(path);
  const socket = makeSocket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (socket < 0) throw await systemError(errno(), "cannot make a datagram socket");
  return {
    // When this resolves, the kernel has the datagram. So nothing is lost when the process ends.
    send: async (octets) => {
      for (;;) {
        const sent = sendto(socket, octets, octets.length, MSG_DONTWAIT_NOSIGNAL, address, address.length);
        if (sent >= 0) return;
        const number = errno();
        // The receiver is slow. Our own socket cannot tell when the receiver has room, so we wait a fixed time.
        if (number !== EAGAIN) throw await systemError(number, `cannot send to ${path}`);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_DELAY));
      }
    },
  };
}
