// Waits until nothing moves any more. The fakes do everything in microtasks, which are over after a turn of the event
// loop.

import { setImmediate } from "node:timers";

/** Resolves when everything that can go on without further input has done so. */
export async function settled(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}
