// The time limit that stopped a check. Pure.

/** The check was stopped after `timedOut` milliseconds. */
export interface TimedOut {
  readonly timedOut: number;
  /** The message had no more time left, although the check itself may take longer. */
  readonly cutShort?: true;
  /** Not even SIGKILL has ended it. */
  readonly runsOn?: true;
}

/** A time limit that was reached, for the log. `timedOut` is in milliseconds. */
export function limitText({ timedOut, cutShort }: TimedOut): string {
  const seconds = `${Math.round(timedOut) / 1000} s`;
  return cutShort ? `the ${seconds} left of --message-timeout` : seconds;
}
