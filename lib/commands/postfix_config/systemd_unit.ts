// The systemd unit of listen mode. One template serves both: --postfix-config prints it for a command line, and
// scripts/package.ts puts it into the packages. So both units have the same fences and restart in the same way. Pure.
//
// The fences hold for the filters, too. The comment at the top of the unit says how a drop-in gives a filter more.

import { settingPath } from "./words.ts";

/** The parts that differ between the two units. */
export interface UnitParts {
  /** The first lines of the comment at its top, without "# ". */
  readonly about: readonly string[];
  /** The program, written for ExecStart=. */
  readonly program: string;
  /** Its options and HOST:PORT, written likewise. */
  readonly options: string;
  readonly environmentFile?: string;
  /** Directories that postprox writes in, except those in /var/log and /run. They must exist when the unit starts. */
  readonly writable: readonly string[];
  /** The names of more directories in /run. */
  readonly runtimeDirectories?: readonly string[];
  readonly groups?: readonly string[];
  /** It uses files in /home, /root or /run/user. */
  readonly seesHome?: boolean;
  /** It uses files of others below /tmp or /var/tmp. */
  readonly seesTmp?: boolean;
  /** It listens on a port below 1024. */
  readonly needsLowPort?: boolean;
}

/** The user and the group of postprox and its filters. */
export const USER = "postprox";

/** Lines for sh(1) with which root makes that user. */
export const MAKE_USER = [
  `useradd --system --user-group --shell /usr/sbin/nologin \\`,
  `  --home-dir /nonexistent --no-create-home ${USER}`,
];

/** LogsDirectory= allows log files here. */
export const LOG_DIRECTORY = `/var/log/${USER}`;

/** StateDirectory= makes this directory for a quarantine. */
export const QUARANTINE_DIRECTORY = `/var/lib/${USER}/quarantine`;

/** RuntimeDirectory= allows sockets here. */
export const RUNTIME_DIRECTORY = `/run/${USER}`;

/** The whole unit file. */
export function formatUnit(parts: UnitParts): string {
  const writable = [...parts.writable, ...parts.seesTmp ? ["/tmp", "/var/tmp"] : []].map(settingPath);
  const environment = parts.environmentFile === undefined ? "" : `EnvironmentFile=${parts.environmentFile}\n`;
  const capability = parts.needsLowPort ? "CAP_NET_BIND_SERVICE" : "";
  return `${parts.about.map((line) => `# ${line}`.trimEnd()).join("\n")}
#
# Filters run inside the same fences. If yours needs more, put that into a
# drop-in ("systemctl edit postprox", then "systemctl restart postprox"):
#
#  [Service]
#  # the socket of a scanner that only its group may use
#  SupplementaryGroups=clamav
#  # a directory to write in; a single file would break when it is rotated
#  ReadWritePaths=/srv/archive
#  # programs and files in home directories
#  ProtectHome=read-only
#  # sockets and files in /tmp
#  PrivateTmp=no
#  ReadWritePaths=/tmp
#
# A filter that calls sendmail(1) needs these three lines. With NoNewPrivileges=
# the setgid bit of postdrop(1) has no effect, so the service must be in its
# group. Both programs also ask the kernel for the addresses of this host.
# Without these lines sendmail fails, or waits until -t ends the filter.
#
#  [Service]
#  SupplementaryGroups=postdrop
#  ReadWritePaths=/var/spool/postfix/maildrop
#  RestrictAddressFamilies=AF_NETLINK

[Unit]
Description=postprox, content filter proxy for Postfix
Documentation=man:postprox(8)
After=network-online.target nss-lookup.target
Wants=network-online.target
Before=postfix.service postfix@-.service
# Mail waits for this service, so systemd never stops trying.
StartLimitIntervalSec=0

[Service]
# postprox says when it accepts connections, and "systemctl status" shows what it
# says of sessions, messages and the last error.
Type=notify
# A process that gives no sign of life for so long is killed and started again.
WatchdogSec=60
${environment}# The journal has all that is wrong. What follows from it, the start itself says:
# after status 75 systemd tries again, after 64 it does not.
ExecStartPre=-${parts.program} --check-config ${parts.options}
ExecStart=${parts.program} --foreground ${parts.options}
# A reload ends when the new settings, rules and lists hold. If they are wrong,
# or cannot hold, it fails, and nothing changes. The first line also looks at
# options that only a start reads. The second one waits for postprox.
ExecReload=${parts.program} --check-config ${parts.options}
ExecReload=${parts.program} reload $MAINPID
Restart=always
RestartSec=2
# Wrong options stay wrong.
RestartPreventExitStatus=64
# A filter that the kernel kills for its memory has failed; postprox goes on.
OOMPolicy=continue
# systemd tells only postprox to end, and postprox ends its filters. A filter
# that systemd killed would have failed, and its message would pass.
KillMode=mixed
# 30 s for sessions and filters (--drain-timeout), 10 s for messages that the
# second server already has, and some for the log. postprox asks for more time
# if its own options give more.
TimeoutStopSec=45

User=${USER}
Group=${USER}
${parts.groups?.length ? `SupplementaryGroups=${parts.groups.join(" ")}\n` : ""}UMask=0027
# Two sockets and up to four files for each of --max-clients=1000.
LimitNOFILE=8192
# For a log file: --log=${LOG_DIRECTORY}/postprox.log
LogsDirectory=${USER}
LogsDirectoryMode=0750
# For a quarantine: --quarantine=${QUARANTINE_DIRECTORY}
StateDirectory=${USER} ${USER}/quarantine
StateDirectoryMode=0700
# For a socket: -l unix:${RUNTIME_DIRECTORY}/postprox.sock
# For other programs: --pid-file=${RUNTIME_DIRECTORY}/postprox.pid
# A reload needs the first directory: it asks postprox at reload.sock there.
RuntimeDirectory=${[...new Set([USER, ...parts.runtimeDirectories ?? []])].join(" ")}

CapabilityBoundingSet=${capability}
${capability && `AmbientCapabilities=${capability}\n`}NoNewPrivileges=yes
ProtectSystem=strict
${writable.length === 0 ? "" : `ReadWritePaths=${writable.join(" ")}\n`}ProtectHome=${
    parts.seesHome ? "read-only" : "yes"
  }
PrivateTmp=${parts.seesTmp ? "no" : "yes"}
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
# Not MemoryDenyWriteExecute=: the runtime makes machine code while it runs, and
# so do the interpreters of many filters.
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}
