// Shared by both adapters: facts about the programs that they start.

/** A worker's variable. It names the descriptors of its listening sockets, with commas between them. */
export const WORKER_VARIABLE = "POSTPROX_WORKER";

/**
 * Whether a variable of our environment is a message to us alone, from systemd (sd_notify(3), sd_watchdog_enabled(3),
 * sd_listen_fds(3)) or from the supervisor. A program that inherits it could take it for its own, and speak for us.
 */
export function isOurs(name: string): boolean {
  return name === WORKER_VARIABLE || name === "NOTIFY_SOCKET" || name.startsWith("WATCHDOG_") ||
    name.startsWith("LISTEN_");
}

/** The descriptors that the worker's variable names. */
export function workerSockets(variable: string | undefined): readonly number[] | undefined {
  return variable === undefined ? undefined : variable.split(",").map(Number);
}

/** In front of a program's words, this makes its standard error the same as its standard output. */
export const ERR_TO_OUT = ["/bin/sh", "-c", 'exec "$0" "$@" 2>&1'] as const;

/**
 * In front of a program's words, this lets the program be the one that a service manager watches in our place.
 * `watchdogPid` is the process that it watches, from our environment.
 */
export function successorWords(watchdogPid: string | undefined): readonly string[] {
  return watchdogPid === undefined ? [] : ["/usr/bin/env", "-u", "WATCHDOG_PID"];
}

// What systemd tells the supervisor alone. A worker would take it for its own.
const NOT_FOR_WORKERS = [
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
  "WATCHDOG_PID",
  "LISTEN_FDS",
  "LISTEN_PID",
  "LISTEN_FDNAMES",
];

/** `words` as a worker that has listening sockets at `descriptors`. The rest of our environment stays octet for octet. */
export function workerWords(words: readonly string[], descriptors: readonly number[]): string[] {
  const removed = NOT_FOR_WORKERS.flatMap((name) => ["-u", name]);
  return ["/usr/bin/env", ...removed, `${WORKER_VARIABLE}=${descriptors.join()}`, ...words];
}
