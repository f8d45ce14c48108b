// The systemd unit of listen mode, from one template: --postfix-config prints it for a command line, and scripts/package.ts
// puts it into the packages. So both have the same fences and restart in the same way. Pure.
//
// The fences hold for the filters too. The comment at the top says what a filter needs beyond them, as a drop-in.

import { settingPath } from "./words.ts";

/** Where the one unit differs from the other. */
export interface UnitParts {
  /** The lines of the comment at its top, without "# ". */
  readonly about: readonly string[];
  /** What stands behind ExecStart=. */
  readonly execStart: string;
  readonly environmentFile?: string;
  /** Directories that postprox writes in, besides those in /var/log and /run. They have to be there when the unit starts. */
  readonly writable: readonly string[];
  /** A directory in /run besides the usual one, by its name there. */
  readonly runtimeDirectory?: string | undefined;
  readonly groups?: readonly string[];
  /** It uses files in /home, /root or /run/user. */
  readonly seesHome?: boolean;
  /** It uses files below /tmp or /var/tmp that others have put there. */
  readonly seesTmp?: boolean;
  /** It listens at a port below 1024. */
  readonly needsLowPort?: boolean;
}

/** The user and the group that postprox and its filters run as. */
export const USER = "postprox";

/** How root makes that user, in lines for sh(1). */
export const MAKE_USER = [
  `useradd --system --user-group --shell /usr/sbin/nologin \\`,
  `  --home-dir /nonexistent --no-create-home ${USER}`,
];

/** Where LogsDirectory= lets a log file be. */
export const LOG_DIRECTORY = `/var/log/${USER}`;

/** Where RuntimeDirectory= lets a socket be. */
export const RUNTIME_DIRECTORY = `/run/${USER}`;

/** The whole unit file. */
export function formatUnit(parts: UnitParts): string {
  const writable = [...parts.writable, ...parts.seesTmp ? ["/tmp", "/var/tmp"] : []].map(settingPath);
  const capability = parts.needsLowPort ? "CAP_NET_BIND_SERVICE" : "";
  return `${parts.about.map((line) => `# ${line}`.trimEnd()).join("\n")}
#
# Filters run inside the same fences. What yours needs beyond them goes into a
# drop-in ("systemctl edit postprox", then "systemctl restart postprox"):
#
#  [Service]
#  # the socket of a scanner that only its group may use
#  SupplementaryGroups=clamav
#  # a directory to write in; a single file would break when it is rotated
#  ReadWritePaths=/var/lib/quarantine
#  # programs and files in home directories
#  ProtectHome=read-only
#  # sockets and files in /tmp
#  PrivateTmp=no
#  ReadWritePaths=/tmp
#
# A filter that calls sendmail(1) needs these three lines. NoNewPrivileges= makes
# the setgid bit of postdrop(1) count for nothing, so the service has to be in
# its group; and both ask the kernel for the addresses of this host. Without
# these lines sendmail fails, or waits until -t ends the filter.
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
# Mail waits for this service: no try is the last one.
StartLimitIntervalSec=0

[Service]
Type=exec
${parts.environmentFile === undefined ? "" : `EnvironmentFile=${parts.environmentFile}\n`}ExecStart=${parts.execStart}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2
# Wrong options stay wrong.
RestartPreventExitStatus=64
# A filter that the kernel kills for its memory has failed; postprox goes on.
OOMPolicy=continue
# Only postprox is told to end, and ends its filters. A filter that somebody
# else kills has failed, and then its message passes.
KillMode=mixed
# 10 s for messages that the second server already has, and some for the log.
TimeoutStopSec=20

User=${USER}
Group=${USER}
${parts.groups?.length ? `SupplementaryGroups=${parts.groups.join(" ")}\n` : ""}UMask=0027
# Two sockets and up to four files for each of --max-clients=1000.
LimitNOFILE=8192
# For a log file: --log=${LOG_DIRECTORY}/postprox.log
LogsDirectory=${USER}
LogsDirectoryMode=0750
# For a socket: -l unix:${RUNTIME_DIRECTORY}/postprox.sock
RuntimeDirectory=${[...new Set([USER, parts.runtimeDirectory ?? USER])].join(" ")}

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
