// Shared by both adapters: facts about the programs that they start.

/**
 * Whether a variable of our environment is a message from systemd to us alone (sd_notify(3), sd_watchdog_enabled(3),
 * sd_listen_fds(3)). A program that inherits it could take it for its own, and speak for us.
 */
export function isOurs(name: string): boolean {
  return name === "NOTIFY_SOCKET" || name.startsWith("WATCHDOG_") || name.startsWith("LISTEN_");
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
