// One end of a connection, in a test's hands. Here it is over TCP, a unix socket or a program's pipes. peer.ts has it
// in memory.
//
// Client and server send and receive the same on all of them. To send to a peer that has gone is no error. Only
// received octets count.

import type { Socket } from "node:net";
import { spelled } from "./octets.ts";

/** Where a server listens: on 127.0.0.1, or at a unix socket. `localAddress` is the client's own. */
export type Address = { readonly port: number; readonly localAddress?: string } | { readonly path: string };

/** The reader. Text has one character for each octet. */
export interface Ear {
  heard(text: string): void;
  /** Nothing more will come. It may be called more than once. */
  ended(): void;
}

export interface Wire {
  /** From now on `ear` hears what comes. */
  attend(ear: Ear): void;
  /** Resolves when the octets are on their way, or cannot be. */
  say(octets: Uint8Array): Promise<void> | void;
  /** Nothing more will be said: FIN, or end of file on a pipe. */
  end(): void;
  close(): void;
  /** Closes with RST, where there is such a thing. */
  reset(): void;
}

export function socketWire(socket: Socket): Wire {
  socket.setNoDelay(true);
  socket.on("error", () => {});
  return {
    attend: (ear) => {
      socket.on("data", (chunk: Uint8Array) => ear.heard(spelled(chunk)));
      for (const event of ["end", "close"]) socket.on(event, () => ear.ended());
    },
    say: (octets) => new Promise((said) => socket.write(octets, () => said())),
    end: () => void socket.end(),
    close: () => void socket.destroy(),
    reset: () => void socket.resetAndDestroy(),
  };
}

/** A program's standard input and output. */
export function pipeWire({ stdin, stdout }: Deno.ChildProcess): Wire {
  const writer = stdin.getWriter();
  const end = () => void writer.close().catch(() => {});
  return {
    attend: (ear) => void hearPipe(stdout, ear),
    say: (octets) => writer.write(octets).catch(() => {}),
    end,
    close: end,
    reset: end,
  };
}

async function hearPipe(pipe: ReadableStream<Uint8Array>, ear: Ear): Promise<void> {
  try {
    for await (const chunk of pipe) ear.heard(spelled(chunk));
  } catch {
    // A pipe that breaks has ended.
  }
  ear.ended();
}
