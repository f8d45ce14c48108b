// Accepts connections for the servers of listen mode: mail, the pages of --metrics, the questions of `postprox reload`.

import { IoError } from "../ports/io_error.ts";
import type { Clock, Conn, Listener } from "../ports/runtime.ts";

// The pause after an accept that failed because we have no descriptors. In milliseconds.
const PAUSE = 100;

/**
 * The next connection; undefined if `listener` is closed. If accepting fails, it tells `onFailed`, and tries again after a
 * pause.
 */
export async function acceptNext(
  listener: Listener,
  clock: Clock,
  onFailed: (error: IoError) => void = () => {},
): Promise<Conn | undefined> {
  for (;;) {
    try {
      return await listener.accept();
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      if (error.kind === "closed") return undefined;
      onFailed(error);
      await new Promise<void>((resolve) => clock.after(PAUSE, resolve));
    }
  }
}
