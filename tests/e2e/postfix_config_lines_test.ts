// A real Postfix gets the output of --postfix-config as it is. The commands are run, the lines are added to the end of
// main.cf and master.cf, Postfix reloads, and mail goes through. Nothing is changed in between.
//
// Each mode has its own Postfix, which knows no filter and no proxy before that. The printed commands make the user
// postprox. A user that was not there before is removed at the end. Needs root and Debian's postfix.

import assert from "node:assert/strict";
import { freePorts } from "../rig/ports.ts";
import { install, type Installed, isAlive, stop } from "./installed.ts";
import { createPostfix, filesBelow, type Postfix, readOctets } from "./postfix.ts";
import { beforeFilter, DOMAIN } from "./postfix_config.ts";
import { isListening, runCommand } from "./start.ts";
import { sendMail } from "./stranger.ts";
import { until } from "../rig/wait.ts";

const PRINTED_USER = "postprox";

interface Site {
  postfix: Postfix;
  installed: Installed;
  /** The server in front. Its mail goes wherever main.cf says. */
  frontPort: number;
  /** What -l says, and HOST:PORT. */
  listen: string;
  operand: string;
  /** Whether both are there. */
  isUp: () => boolean;
  /** A directory in which everybody may write. */
  open: string;
}

type Places = Pick<Site, "listen" | "operand" | "isUp">;

/** Ports of 127.0.0.1. */
async function ports(): Promise<Places> {
  const [proxy = 0, second = 0] = await freePorts(2);
  return {
    listen: String(proxy),
    operand: `127.0.0.1:${second}`,
    isUp: () => isListening(proxy) && isListening(second),
  };
}

/** A socket as `-l` names it, and one of Postfix's for the second server. */
function sockets(listen: string, operand: string): (dir: string) => Promise<Places> {
  return (dir) => {
    const isThere = (path: string) => Deno.statSync(path.startsWith("/") ? path : `${dir}/queue/${path}`).isSocket;
    const paths = [listen, operand].map((path) => path.replace("DIR", dir));
    const [proxy, second] = paths.map((path) => `unix:${path}`);
    return Promise.resolve({
      listen: proxy!,
      operand: second!,
      isUp: () => {
        try {
          return paths.every(isThere);
        } catch {
          return false;
        }
      },
    });
  };
}

/** Runs `test` beside a Postfix that has one SMTP server and does not know of postprox yet. */
async function withSite(
  places: (dir: string) => Promise<Places>,
  test: (site: Site) => Promise<void>,
): Promise<void> {
  const postfix = createPostfix();
  const knewUser = await isUser(PRINTED_USER);
  const [frontPort = 0] = await freePorts(1);
  try {
    const installed = await install(postfix);
    // The program is compiled already; another user than the one who did that may use it.
    Deno.chmodSync(`${postfix.dir}/cache`, 0o755);
    const open = `${postfix.dir}/open`;
    Deno.mkdirSync(open);
    Deno.chmodSync(open, 0o1777);
    await postfix.start([serverInFront(frontPort)]);
    await test({ postfix, installed, frontPort, open, ...await places(postfix.dir) });
  } finally {
    await postfix.stop();
    if (!knewUser) await runCommand(["userdel", PRINTED_USER]);
  }
}

function serverInFront(port: number): string {
  return beforeFilter({ port, proxy: "", speedAdjust: false })
    .split("\n").filter((line) => !line.includes("smtpd_proxy_filter")).join("\n") +
    DEMANDS.map(([name, , own]) => `    -o ${name}=${own}\n`).join("");
}

/** Settings of main.cf for every SMTP server, as on some hosts, and those of the server in front in their place. */
const DEMANDS: readonly (readonly [name: string, everywhere: string, inFront: string])[] = [
  // A host for submission.
  ["smtpd_tls_security_level", "encrypt", "none"],
  // One behind a load balancer.
  ["smtpd_upstream_proxy_protocol", "haproxy", ""],
  // Nobody is there: all mail is deferred.
  ["smtpd_milters", "inet:127.0.0.1:1", ""],
  // As under stress; the filter is slower.
  ["smtpd_timeout", "1s", "300s"],
];

async function isUser(name: string): Promise<boolean> {
  return (await runCommand(["id", name])).status === 0;
}

/** The program's output by part. The first word of a part's heading is its key. */
async function printedParts({ installed }: Site, args: readonly string[]): Promise<Map<string, string>> {
  const { status, stdout, stderr } = await runCommand([installed.program, "--postfix-config", ...args]);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  const [, ...pieces] = stdout.split(/^# ---- /m);
  return new Map(pieces.map((piece) => [/^[^:,]+/.exec(piece)![0], piece.slice(piece.indexOf("\n") + 1)]));
}

/** Runs the commands that stand in comments, as root. */
async function runCommands(part: string): Promise<void> {
  // As in root's home, which no other user can enter.
  const home = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  const cwd = `${home}/directory`;
  Deno.mkdirSync(cwd);
  const commands = [...part.matchAll(/^# {3}(.*)$/gm)].map(([, command]) => command!);
  assert.ok(commands.length > 0, part);
  const { status, stderr } = await runCommand(["/bin/sh", "-ec", commands.join("\n")], { cwd });
  Deno.removeSync(home, { recursive: true });
  assert.equal(status, 0, `${commands.join("\n")}\n${stderr}`);
}

/**
 * Puts the printed lines at the end of main.cf and master.cf, and reloads. Some hosts have settings for submission in
 * main.cf, for every server. postprox must not have to meet them.
 */
async function paste({ postfix, isUp }: Site, parts: Map<string, string>): Promise<void> {
  const demands = DEMANDS.map(([name, everywhere]) => `${name} = ${everywhere}\n`).join("");
  for (const name of ["main.cf", "master.cf"] as const) {
    const lines = parts.get(`/etc/postfix/${name}`);
    assert.ok(lines, `${name} of ${[...parts.keys()]}`);
    postfix.configure(name, `${postfix.configuration(name)}${name === "main.cf" ? demands : ""}${lines}`);
  }
  assert.ok(parts.has("then"));
  await postfix.reload();
  await until(isUp, "both new servers");
}

/** Sends two messages: one passes, the other is refused by the filter; and looks at what the filter was given. */
async function assertFilters(site: Site, seen: string, { argument }: { argument: string }): Promise<void> {
  const { postfix, frontPort, open } = site;
  const to = [`alice+lines@${DOMAIN}`];
  const mark = postfix.log().length;
  const text = "Subject: a message\r\n\r\n.text\r\n";
  const passed = await sendMail(frontPort, { from: "sender@elsewhere.example", to, text });
  assert.match(passed.end.text, /^250 2\.0\.0 Ok: queued as /);
  const refused = await sendMail(frontPort, {
    from: "sender@elsewhere.example",
    to,
    text: "Subject: spam\r\n\r\n\r\n",
  });
  assert.equal(refused.end.text, "550 5.7.1 No spam, please");
  await postfix.settledLog(mark);
  assert.deepEqual(postfix.delivered("lines").map(({ text }) => text), [text]);
  assert.equal(new TextDecoder().decode(Deno.readFileSync(seen)), argument);
  const log = await until(() => {
    const text = readOctets(`${open}/postprox.log`);
    return text.includes("verdict=pass") && text.includes("verdict=reject") && text;
  }, "the log lines of -v");
  assert.match(log, /client=.*127\.0\.0\.2/);
  assert.deepEqual(filesBelow(`${postfix.dir}/open/spool`), []);
  assert.equal(Deno.statSync(`${open}/spool`).mode! & 0o777, 0o700);
}

function configWords({ postfix }: Site, config: string | undefined): string[] {
  return config === undefined ? [] : [`--config=${postfix.dir}${config}`];
}

function pasteConfig({ postfix }: Site, parts: Map<string, string>, config: string | undefined): void {
  const names = [...parts.keys()].filter((name) => name.endsWith("/postprox.conf"));
  assert.deepEqual(names, config === undefined ? [] : [postfix.dir + config]);
  for (const name of names) Deno.writeTextFileSync(name, parts.get(name)!, { createNew: true });
}

/** The doctor finds nothing wrong with what was printed. It finds all options in master.cf, or in those of the process. */
async function assertHealthy({ postfix, installed }: Site): Promise<void> {
  const env = { MAIL_CONFIG: `${postfix.dir}/etc` };
  const { status, stdout, stderr } = await runCommand([installed.program, "doctor"], { env, cwd: "/" });
  assert.deepEqual([status, stderr], [0, ""], stdout);
  assert.match(stdout, /^right: a dialogue through .* reaches RCPT$/m, stdout);
  assert.match(stdout, /^right: postprox may write in .*\/spool$/m, stdout);
}

/** A filter, and a -c that calls it with every character that Postfix, a shell and systemd could make something of. */
function installFilter({ postfix, open }: Site): { command: string; seen: string; argument: string } {
  const filter = `${postfix.dir}/lines filter`;
  const seen = `${open}/seen`;
  Deno.writeTextFileSync(
    filter,
    `#!/bin/sh
printf '%s' "$1" >"$2"
grep -q '^Subject: spam' "$EMAIL" || exec sleep 2
echo "550 5.7.1 No spam, please" >&2
exit 1
`,
  );
  Deno.chmodSync(filter, 0o755);
  const argument = `a  b {c d} $HOME \${x} %i %% \\n "q" # ; , = user=root argv=/bin/false \u00fc`;
  return { command: `exec '${filter}' '${argument}' "${seen}"`, seen, argument };
}

function options({ open, listen, operand }: Site, command: string): string[] {
  const places = ["-d", `${open}/spool`, `--log=${open}/postprox.log`];
  return ["-v", "-c", command, ...places, "-t", "20", "-l", listen, operand];
}

/** The place of a configuration file. With it, the options are in the lines of that file. */
const CONFIG = "/own settings/postprox.conf";

type Row = readonly [where: string, places: (dir: string) => Promise<Places>, config?: string];

const BY_SPAWN: readonly Row[] = [
  ["ports", ports],
  ["ports, and a configuration file", ports, CONFIG],
  ["sockets of Postfix", sockets("private/postprox", "public/after")],
];

for (const [where, places, config] of BY_SPAWN) {
  Deno.test(`--postfix-config spawn prints lines with which Postfix filters mail, over ${where}`, async () => {
    await withSite(places, async (site) => {
      const { command, ...expected } = installFilter(site);
      const parts = await printedParts(site, ["spawn", ...options(site, command), ...configWords(site, config)]);
      await runCommands(parts.get("once")!);
      pasteConfig(site, parts, config);
      await paste(site, parts);
      await assertFilters(site, expected.seen, expected);
      await assertHealthy(site);
      assert.doesNotMatch(site.postfix.log(), /\b(?:fatal|panic|warning): /);
    });
  });
}

const BY_LISTEN: readonly Row[] = [
  ["ports", ports],
  ["ports, and a configuration file", ports, CONFIG],
  ["a socket of its own and one of Postfix", sockets("DIR/own sockets/postprox", "DIR/queue/public/after")],
];

for (const [where, places, config] of BY_LISTEN) {
  Deno.test(`--postfix-config listen prints lines with which Postfix filters mail, over ${where}`, async () => {
    await withSite(places, async (site) => {
      const { command, ...expected } = installFilter(site);
      const parts = await printedParts(site, ["listen", ...options(site, command), ...configWords(site, config)]);
      await runCommands(parts.get("once")!);
      pasteConfig(site, parts, config);
      await runCommands(parts.get("/etc/systemd/system/postprox.service")!);
      const pid = Number(
        /^\S+ postprox\[(\d+)\]: notice: listening /m.exec(readOctets(`${site.open}/postprox.log`))?.[1],
      );
      try {
        await paste(site, parts);
        await assertFilters(site, expected.seen, expected);
        await assertHealthy(site);
        assert.match(
          Deno.readTextFileSync(`/proc/${pid}/status`),
          new RegExp(`^Uid:\\s+${await uidOf(PRINTED_USER)}\\b`, "m"),
        );
        assert.doesNotMatch(site.postfix.log(), /\b(?:fatal|panic|warning): /);
      } finally {
        if (isAlive(pid)) await stop(pid);
      }
    });
  });
}

async function uidOf(name: string): Promise<string> {
  return (await runCommand(["id", "-u", name])).stdout.trim();
}
