// What the programs that we start inherit of our environment: all but what a service manager tells us alone.

/** Of systemd's (sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3)): a program that took them for its own would speak for us. */
export function isOurs(name: string): boolean {
  return name === "NOTIFY_SOCKET" || name.startsWith("WATCHDOG_") || name.startsWith("LISTEN_");
}
