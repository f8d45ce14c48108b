// What both adapters know of the programs that they start.

/**
 * Whether a variable of our environment is a word of systemd's to us alone (sd_notify(3), sd_watchdog_enabled(3),
 * sd_listen_fds(3)). A program that inherited it could take it for its own, and speak for us.
 */
export function isOurs(name: string): boolean {
  return name === "NOTIFY_SOCKET" || name.startsWith("WATCHDOG_") || name.startsWith("LISTEN_");
}

/** In front of a program's words: its standard error is its standard output. */
export const ERR_TO_OUT = ["/bin/sh", "-c", 'exec "$0" "$@" 2>&1'] as const;
