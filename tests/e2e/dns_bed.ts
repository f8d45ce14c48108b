// Real name servers for the end-to-end tests: nsd with a zone of our own, rbldnsd with DNS lists, and dnsmasq in front
// of both. The program asks dnsmasq. Each has its own ports at 127.0.0.1, in one directory under /tmp.
//
// The tests do not read or touch the system's own name servers. Needs root and Debian's nsd, rbldnsd and dnsmasq-base,
// and says so if they are missing. Each server is ended by its pid.

import { freePorts } from "../rig/ports.ts";
import { findProgram } from "./postfix.ts";
import { isAlive, kill } from "./start.ts";
import { until } from "../rig/wait.ts";

export interface DnsBed {
  /** For --dns-server. */
  readonly server: string;
  stop(): Promise<void>;
}

/** The zone of everybody's names, in whose directory the files are. */
const ZONE = "example.test";

const ZONE_FILE = `$ORIGIN ${ZONE}.
$TTL 60
@ SOA ns hostmaster 1 3600 900 86400 60
@ NS ns
ns A 127.0.0.1
host A 127.0.0.1
mx MX 10 host
a A 192.0.2.1
aaaa AAAA 2001:db8::1
null MX 0 .
text TXT "neither mail exchanger nor address"
alias CNAME a
nowhere CNAME missing
round CNAME and
and CNAME round
listed MX 10 host
xn--bcher-kva MX 10 host
shop A 192.0.2.66
six AAAA 2001:db8:bad::1
fine A 192.0.2.1
inside A 10.0.0.1
${Array.from({ length: 60 }, (_, at) => `many MX 10 a-host-with-a-long-name-${at}.${"x".repeat(40)}\n`).join("")}`;

const REVERSE_ZONE_FILE = `$TTL 60
@ SOA ns.${ZONE}. hostmaster.${ZONE}. 1 3600 900 86400 60
@ NS ns.${ZONE}.
1 PTR host.${ZONE}.
`;

/** The data of rbldnsd: type, zone and data of each set. In a text, $ stands for the name that was asked about. */
const LISTS: readonly (readonly [type: string, zone: string, data: string])[] = [
  [
    "ip4set",
    "bl.test",
    ":127.0.0.4:Listed, see http://bl.test/?$\n127.0.0.2\n192.0.2.66\n10.0.0.0/8\n192.0.2.68:127.0.0.8\n",
  ],
  ["ip6trie", "bl.test", ":127.0.0.5:Listed, see http://bl.test/?$\n2001:db8:bad::/48\n"],
  ["dnset", "rhs.test", `:127.0.1.2:No bounces from $\nlisted.${ZONE}\n`],
  ["ip4set", "wl.test", ":127.0.2.0:Welcome\n127.0.0.2\n192.0.2.66\n"],
  // Lists of domains in URLs: one answer for each kind of listing, and one bit for each of several lists.
  [
    "dnset",
    "dbl.test",
    ":127.0.1.2:https://check.dbl.test/$\ntest\n.spam.test\nphish.test :127.0.1.4:$ is after passwords\n" +
    "abused.test :127.0.1.102:https://check.dbl.test/$\nxn--bcher-kva.test\n",
  ],
  [
    "dnset",
    "multi.test",
    ":127.0.0.2:$ is there\ntest.test :127.0.0.254:$\nph.test :127.0.0.8:$\nmw.test :127.0.0.24:$\n",
  ],
  // Lists that were given up, in that way.
  ["ip4set", "all.test", ":127.0.0.2:Listed\n0.0.0.0/1\n128.0.0.0/1\n"],
  ["dnset", "everybody.test", ":127.0.0.2:Listed\n.test\n.invalid\n"],
  // A list that tells strangers that it does not answer them.
  ["ip4set", "closed.test", ":127.255.255.254:Ask somebody else\n0.0.0.0/1\n128.0.0.0/1\n"],
];

/** Starts all three, and waits until they answer. */
export async function openDnsBed(): Promise<DnsBed> {
  const nsd = findProgram("nsd", "nsd");
  const rbldnsd = findProgram("rbldnsd", "rbldnsd");
  const dnsmasq = findProgram("dnsmasq", "dnsmasq-base");
  Deno.umask(0o022); // Others have to read what is written here.
  const dir = Deno.makeTempDirSync({ dir: "/tmp", prefix: "postprox-dns-" });
  Deno.chmodSync(dir, 0o755);
  const [nsdPort = 0, listPort = 0, port = 0] = await freePorts(3);
  const children: Deno.ChildProcess[] = [];
  const stop = async () => {
    for (const { pid } of children) kill(pid, "SIGTERM");
    for (const child of children) {
      const cancel = setTimeout(() => kill(child.pid), 5000);
      await child.status;
      clearTimeout(cancel);
    }
    Deno.removeSync(dir, { recursive: true });
  };
  const start = (program: string, args: readonly string[]) => {
    const quiet = { stdin: "null", stdout: "null", stderr: "null" } as const;
    children.push(new Deno.Command(program, { args: [...args], cwd: dir, ...quiet }).spawn());
  };
  try {
    Deno.writeTextFileSync(`${dir}/nsd.conf`, nsdConf(dir, nsdPort));
    Deno.writeTextFileSync(`${dir}/zone`, ZONE_FILE);
    Deno.writeTextFileSync(`${dir}/reverse`, REVERSE_ZONE_FILE);
    for (const [at, [_type, _zone, data]] of LISTS.entries()) Deno.writeTextFileSync(`${dir}/list${at}`, data);
    start(nsd, ["-d", "-c", `${dir}/nsd.conf`]);
    const zones = LISTS.map(([type, zone], at) => `${zone}:${type}:list${at}`);
    start(rbldnsd, ["-n", "-u", "nobody", "-w", dir, "-b", `127.0.0.1/${listPort}`, ...zones]);
    start(dnsmasq, [
      ...["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file=", "--user=nobody"],
      ...["--listen-address=127.0.0.1", "--bind-interfaces", `--port=${port}`, `--server=127.0.0.1#${nsdPort}`],
      ...LISTS.map(([_type, zone]) => `--server=/${zone}/127.0.0.1#${listPort}`),
    ]);
    const questions = [`host.${ZONE}`, "2.0.0.127.bl.test"];
    await until(
      async () => {
        if (children.some(({ pid }) => !isAlive(pid))) throw new Error("a name server has ended");
        return await canResolve(questions, port);
      },
      "the name servers",
      20_000,
    );
    return { server: `127.0.0.1:${port}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function nsdConf(dir: string, port: number): string {
  return `server:
  ip-address: 127.0.0.1@${port}
  username: nobody
  zonesdir: "${dir}"
  database: ""
  pidfile: ""
  zonelistfile: "${dir}/zone.list"
  xfrdfile: ""
  logfile: "${dir}/nsd.log"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: ${ZONE}
  zonefile: zone
zone:
  name: 0.0.127.in-addr.arpa
  zonefile: reverse
`;
}

async function canResolve(names: readonly string[], port: number): Promise<boolean> {
  try {
    for (const name of names) await Deno.resolveDns(name, "A", { nameServer: { ipAddr: "127.0.0.1", port } });
    return true;
  } catch {
    return false;
  }
}
