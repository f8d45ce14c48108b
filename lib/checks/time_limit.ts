// The time that a check took when it was stopped, and which of its limits that was. Pure.

/** The work of a check was stopped after `timedOut` milliseconds. */
export interface TimedOut {
  readonly timedOut: number;
  /** The message had no more time than that, although the program may take longer. */
  readonly cutShort?: true;
  /** Not even SIGKILL has ended it. */
  readonly runsOn?: true;
}

/** A time limit that is over, for the log; `timedOut` is in milliseconds. */
export function limitText({ timedOut, cutShort }: TimedOut): string {
  const seconds = `${Math.round(timedOut) / 1000} s`;
  return cutShort ? `the ${seconds} left of --message-timeout` : seconds;
}
