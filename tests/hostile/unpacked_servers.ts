// Exim and OpenSMTPD from Debian's packages. These exclude Postfix from a system, so they are unpacked and not
// installed.
//
// Exim runs with a private configuration. OpenSMTPD runs in a directory that it takes for the root. If a package or a
// library is missing, the error says what to do. Needs root, and a package archive that apt-get can reach.

import { filesBelow, groupOfUser, readOctets, USER, userId } from "../e2e/postfix.ts";
import { runCommand } from "../e2e/start.ts";
import { freePort } from "../rig/ports.ts";
import { ownDirectory, type RealServer, serve } from "./real_server.ts";

/** Unpacks a Debian package that cannot be installed beside Postfix. */
async function unpack(name: string, dir: string): Promise<void> {
  Deno.mkdirSync(`${dir}/unpacked`, { recursive: true });
  const fetched = await runCommand(["apt-get", "download", "-q", name], { cwd: `${dir}/unpacked` });
  const file = filesBelow(`${dir}/unpacked`).find((path) => path.endsWith(".deb"));
  if (!file) {
    throw new Error(`There is no ${name} here: apt-get update, then apt-get download ${name}: ${fetched.stderr}`);
  }
  const done = await runCommand(["dpkg-deb", "-x", file, `${dir}/unpacked`]);
  if (done.status !== 0) throw new Error(`dpkg-deb -x ${file}: ${done.stderr}`);
}

/** The libraries of a program. All must be there. */
async function librariesOf(program: string, packages: string): Promise<string[]> {
  const { stdout } = await runCommand(["ldd", program]);
  const missing = stdout.match(/\S+(?= => not found)/g);
  if (missing) throw new Error(`${program} needs ${missing}: apt-get install ${packages}`);
  return stdout.match(/\/\S+/g) ?? [];
}

// Debian's Exim looks up the user Debian-exim at its start; nss_wrapper shows it one, so that none need be made.
const NSS_WRAPPER = "/usr/lib/x86_64-linux-gnu/libnss_wrapper.so";

export function startExim(): Promise<RealServer> {
  return ownDirectory(async (dir) => {
    await unpack("exim4-daemon-light", dir);
    const program = `${dir}/unpacked/usr/sbin/exim4`;
    await librariesOf(program, "libidn12 libgnutls-dane0 libpcre2-8-0");
    const wrapper = [NSS_WRAPPER, NSS_WRAPPER.replace("x86_64", "aarch64")].find((path) => filesAt(path));
    if (!wrapper) throw new Error("Exim needs a user Debian-exim, or: apt-get install libnss-wrapper");
    const ids = `${userId(USER)}:${groupOfUser(USER)}`;
    Deno.writeTextFileSync(`${dir}/passwd`, `root:x:0:0::/:/bin/sh\n${USER}:x:${ids}::/:\nDebian-exim:x:${ids}::/:\n`);
    Deno.writeTextFileSync(`${dir}/group`, `root:x:0:\nDebian-exim:x:${groupOfUser(USER)}:\n`);
    const port = await freePort();
    Deno.writeTextFileSync(`${dir}/exim.conf`, eximConfiguration(dir, port));
    for (const name of ["spool", "log"]) {
      Deno.mkdirSync(`${dir}/${name}`);
      Deno.chownSync(`${dir}/${name}`, userId(USER), groupOfUser(USER));
    }
    const input = `${dir}/spool/input`;
    return await serve(dir, {
      name: "Exim",
      port,
      words: [program, "-C", `${dir}/exim.conf`, "-bdf"],
      env: { LD_PRELOAD: wrapper, NSS_WRAPPER_PASSWD: `${dir}/passwd`, NSS_WRAPPER_GROUP: `${dir}/group` },
      taken: () =>
        filesBelow(input).filter((path) => path.endsWith("-H")).map((path) => ({
          sender: /^<(.*)>$/m.exec(readOctets(path))?.[1] ?? "",
          text: readOctets(path.replace(/H$/, "D")),
        })),
    });
  });
}

function eximConfiguration(dir: string, port: number): string {
  return `exim_user = ${USER}
exim_group = ${groupOfUser(USER)}
never_users =
keep_environment =
primary_hostname = exim.example
spool_directory = ${dir}/spool
log_file_path = ${dir}/log/%slog
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${port}
tls_advertise_hosts =
chunking_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
smtp_enforce_sync = false
smtp_max_synprot_errors = 10000
smtp_max_unknown_commands = 10000
smtp_accept_max = 0
queue_only = true
acl_smtp_rcpt = take
acl_smtp_data = take
begin acl
take:
  accept
begin routers
all:
  driver = redirect
  data = :defer:
`;
}

export function startOpensmtpd(): Promise<RealServer> {
  return ownDirectory(async (dir) => {
    await unpack("opensmtpd", dir);
    const libraries = await librariesOf(`${dir}/unpacked/usr/sbin/smtpd`, "libevent-2.1-7 libdb5.3 libpam0g libssl3");
    const root = `${dir}/root`;
    for (
      const name of ["dev", "etc", "tmp", "usr", "usr/sbin", "usr/libexec", "run", "var/run", "var/lib/opensmtpd/empty"]
    ) {
      Deno.mkdirSync(`${root}/${name}`, { recursive: true });
    }
    Deno.mkdirSync(`${root}/var/spool/smtpd`, { recursive: true });
    Deno.chmodSync(`${root}/var/spool/smtpd`, 0o711);
    for (const path of libraries) {
      Deno.mkdirSync(`${root}${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
      Deno.copyFileSync(path, `${root}${path}`);
    }
    Deno.copyFileSync(`${dir}/unpacked/usr/sbin/smtpd`, `${root}/usr/sbin/smtpd`);
    Deno.renameSync(`${dir}/unpacked/usr/libexec/opensmtpd`, `${root}/usr/libexec/opensmtpd`);
    const made = await runCommand(["mknod", "-m", "666", `${root}/dev/null`, "c", "1", "3"]);
    if (made.status !== 0) throw new Error(`OpenSMTPD needs a /dev/null of its own: ${made.stderr}`);
    const port = await freePort();
    const users = { opensmtpd: 65533, opensmtpq: 65532 };
    const entry = ([name, id]: [string, number]) => `${name}:x:${id}:${id}::/var/lib/opensmtpd/empty:/bin/false\n`;
    const groups = Object.entries(users).map(([name, id]) => `${name}:x:${id}:\n`).join("");
    const etc = {
      passwd: `root:x:0:0::/:/bin/sh\n${Object.entries(users).map(entry).join("")}`,
      group: `root:x:0:\n${groups}`,
      hosts: "127.0.0.1 localhost\n",
      "resolv.conf": "nameserver 127.0.0.1\n",
      mailname: "opensmtpd.example\n",
      // Everything is taken, and nothing leaves: nobody listens there.
      "smtpd.conf": `listen on 127.0.0.1 port ${port} no-dsn
action "keep" relay host smtp://127.0.0.1:1
match from any for any action "keep"
`,
    };
    for (const [name, text] of Object.entries(etc)) Deno.writeTextFileSync(`${root}/etc/${name}`, text);
    const queue = `${root}/var/spool/smtpd/queue`;
    return await serve(dir, {
      name: "OpenSMTPD",
      port,
      words: ["chroot", root, "/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf"],
      taken: () =>
        filesBelow(queue).filter((path) => path.endsWith("/message")).map((path) => ({
          sender: /^sender: (.*)$/m.exec(envelopeBeside(path))?.[1] ?? "",
          text: readOctets(path),
        })),
    });
  });
}

function envelopeBeside(message: string): string {
  const beside = filesBelow(message.slice(0, message.lastIndexOf("/"))).find((path) => path !== message);
  return beside === undefined ? "" : readOctets(beside);
}

function filesAt(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
