// `deno task package`: the Debian package is built twice, compared, installed on this machine, used, and purged.
//
// Needs root and Debian's tools (tests/needs.ts), and a machine that has no postprox package yet. The words of the
// unit's ExecStart run here as its user, with no capability and almost no environment. A systemd in its own namespaces
// runs the unit itself (systemd.ts). The package is purged at the end in any case.

import assert from "node:assert/strict";
import { deliver, exists, listNames, read } from "../blackbox/rig.ts";
import { connectTo } from "../rig/client.ts";
import { until, within } from "../rig/wait.ts";
import { Server } from "../rig/server.ts";
import { isLeftOut } from "../needs.ts";
import { fromFileUrl } from "./paths.ts";
import { freePort, isListening, kill } from "./start.ts";
import { startSystemd, type Systemd } from "./systemd.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const SPOOL = "/var/spool/postprox";
const UNIT = "/usr/lib/systemd/system/postprox.service";
const SOCKET = "/usr/lib/systemd/system/postprox.socket";
const CONFIG = "/etc/postprox/postprox.conf";
const OPTIONS = "/etc/default/postprox";
const LOGS = "/var/log/postprox";

/** The date of what is packed: a copy of the source without its history tells none. */
const DATE = { SOURCE_DATE_EPOCH: "1700000000" };

Deno.test("package: wrong use is one line, status 1, and nothing half-made", async (test) => {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  Deno.writeTextFileSync(`${dir}/text`, "no executable\n");
  const rows: readonly [name: string, args: readonly string[], says: RegExp, env?: Record<string, string>][] = [
    [
      "an unknown option",
      ["--exe=x"],
      /unknown option --exe=x: there are --outdir=\.\.\., --executable=\.\.\., --compression=\.\.\.$/,
    ],
    ["an argument", ["deb"], /unknown argument deb/],
    ["another compression", ["--compression=zstd"], /--compression=zstd: give none, or leave it out$/],
    ["a directory that cannot be made", ["--outdir=/proc/dist"], /cannot write in \/proc\/dist: /],
    ["an executable that is not there", [`--executable=${dir}/none`], /none: there is no such file$/],
    ["a file that is no executable", [`--executable=${dir}/text`], /text is no executable for Linux with glibc/],
    ["another program", ["--executable=/bin/true"], /\/bin\/true is not postprox \S+: make it again/],
    ["a wrong date", [], /SOURCE_DATE_EPOCH=today is no count of seconds$/, { SOURCE_DATE_EPOCH: "today" }],
  ];
  try {
    for (const [name, args, says, env = DATE] of rows) {
      await test.step(name, async () => {
        const outdir = `${dir}/${crypto.randomUUID()}`;
        const { status, stderr } = await run([...task(), `--outdir=${outdir}`, ...args], { env });
        assert.equal(status, 1, stderr);
        assert.match(stderr, /^package: [^\n]+\n$/);
        assert.match(stderr.trimEnd(), says);
        assert.deepEqual(exists(outdir) ? listNames(outdir) : [], []);
      });
    }
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test({
  name: "package: built twice the same, installed, used, purged",
  ignore: isLeftOut("the Debian package, installed"),
  fn: usePackage,
});

async function usePackage(test: Deno.TestContext): Promise<void> {
  await checkMachine();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  const accounts = () => ["/etc/passwd", "/etc/group", "/etc/shadow"].map(sortedLines);
  const before = accounts();
  let deb = "";
  let contents: string[] = [];
  try {
    await test.step("two builds give the same octets", async () => {
      await takeExecutable(dir);
      // Compression takes far longer than all else, and is the same for the same octets.
      for (const umask of ["022", "077"]) await build(dir, { umask, to: umask, options: ["--compression=none"] });
      const names = listNames(`${dir}/022`).sort();
      assert.equal(names.length, 3, String(names));
      for (const name of names) {
        const [first, second] = ["022", "077"].map((umask) => Deno.readFileSync(`${dir}/${umask}/${name}`));
        assert.ok(first!.every((octet, at) => octet === second![at]) && first!.length === second!.length, name);
      }
    });

    await test.step("a build is a .deb, a tarball and the sums of both", async () => {
      await build(dir, { umask: "077", to: "packages", options: [] });
      const names = listNames(`${dir}/packages`).sort();
      assert.match(names.join(" "), /^SHA256SUMS postprox-[0-9.]+-linux-\w+\.tar\.gz postprox_[0-9.]+_\w+\.deb$/);
      await must(["sha256sum", "--check", "--quiet", "SHA256SUMS"], { cwd: `${dir}/packages` });
      deb = `${dir}/packages/${names[2]}`;
    });

    await test.step("the .deb holds root's files, in Debian's places", async () => {
      const listing = (await must(["dpkg-deb", "--contents", deb])).trimEnd().split("\n");
      for (const line of listing) assert.match(line, /^(?:drwxr-xr-x|-rw-r--r--|-rwxr-xr-x) root\/root /);
      contents = listing.map((line) => line.split(/\s+/)[5]!.slice(1)).filter((path) => !path.endsWith("/"));
      for (const path of contents) {
        assert.match(
          path,
          /^\/(?:etc\/(?:default|logrotate\.d|postprox)|usr\/sbin|usr\/share|usr\/lib\/(?:systemd|tmpfiles\.d))\//,
        );
      }
      const control = await must(["dpkg-deb", "--field", deb]);
      for (const name of ["Package", "Version", "Architecture", "Maintainer", "Depends", "Description"]) {
        assert.match(control, new RegExp(`^${name}: \\S`, "m"));
      }
    });

    await test.step("lintian finds no error and no warning, and each override is needed", async () => {
      const { status, stdout, stderr } = await run(["lintian", "--allow-root", "--display-info", deb]);
      const found = stdout.split("\n").filter((line) => /^[EW]: |^I: postprox: unused-override/.test(line));
      assert.deepEqual({ status, found }, { status: 0, found: [] }, stdout + stderr);
    });

    await test.step("the tarball holds the same program, and one folder", async () => {
      const names = listNames(`${dir}/packages`).filter((name) => name.endsWith(".tar.gz"));
      const listing = (await must(["tar", "-tzf", `${dir}/packages/${names[0]}`])).trimEnd().split("\n");
      const folder = names[0]!.replace(".tar.gz", "/");
      assert.ok(listing.every((path) => path.startsWith(folder)), String(listing));
      for (const name of ["postprox", "postprox.8", "postprox.conf", "LICENSE", "completions/_postprox"]) {
        assert.ok(listing.includes(folder + name), name);
      }
      for (const name of ["postprox.service", "postprox.socket", "default", "tmpfiles.conf"]) {
        assert.ok(listing.includes(`${folder}systemd/${name}`), name);
      }
      for (const path of listing.filter((path) => /\/(?:systemd|examples)\/.|\/logrotate$/.test(path))) {
        const text = await must(["tar", "-xzOf", `${dir}/packages/${names[0]}`, path]);
        assert.doesNotMatch(text, /\/usr\/share\/doc/, path);
      }
      const links = [...read(`${ROOT}README.md`).matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path!);
      assert.ok(links.length > 5);
      for (const path of links) assert.ok(listing.includes(folder + path), path);
    });

    await test.step("it installs: files, user, spool directory; nothing is started", async () => {
      await dpkg("--install", deb);
      await checkInstalled(contents);
      assert.equal(await must(["dpkg", "--verify", "postprox"]), "");
      assert.match(await must(["/usr/sbin/postprox", "--version"]), /^postprox [0-9]/);
    });

    await test.step("it installs once more, and keeps what the administrator changed", async () => {
      Deno.writeTextFileSync(OPTIONS, `POSTPROX_OPTIONS="127.0.0.1:10026"\n`);
      Deno.writeTextFileSync(CONFIG, "verbose = 1\ntempdir = /var/spool/postprox\n");
      Deno.chmodSync(SPOOL, 0o755);
      await dpkg("--install", deb);
      await checkInstalled(contents);
      assert.equal(read(OPTIONS), `POSTPROX_OPTIONS="127.0.0.1:10026"\n`);
      assert.equal(read(CONFIG), "verbose = 1\ntempdir = /var/spool/postprox\n");
    });

    await test.step("the manual page can be shown", async () => {
      const page = `/usr/share/man/man8/postprox.8.gz`;
      assert.match(await must(["gzip", "-dc", page]), /^\.Dt POSTPROX 8$/m);
    });

    await test.step("systemd accepts the units, and the rule that cleans the spool", async () => {
      await must(["systemd-tmpfiles", "--clean", "/usr/lib/tmpfiles.d/postprox.conf"]);
      assert.equal((await run(["systemd-analyze", "verify", UNIT, SOCKET])).stderr, "");
    });

    await test.step("the packages' unit and the printed one differ only in their places", async () => {
      const options = ["-v", "-d", SPOOL, "-c", "/usr/local/bin/clamdscan-filter", "127.0.0.1:10026"];
      const printed = partOf(await must(["/usr/sbin/postprox", "--postfix-config=listen", ...options]), UNIT_PART);
      const same = (unit: string) =>
        unit.slice(unit.indexOf("# Filters run inside")).split("\n")
          .filter((line) => line !== "" && !/^(?:Exec\w+|EnvironmentFile)=/.test(line));
      assert.deepEqual(same(printed), same(read(UNIT)));
    });

    await test.step("the unit's command filters mail, as its user", useService);

    await test.step("systemd runs the unit, inside all of its fences", async () => {
      Deno.mkdirSync(`${dir}/systemd`);
      const systemd = await startSystemd(`${dir}/systemd`);
      try {
        await useUnit(systemd);
      } finally {
        await systemd.stop();
      }
    });

    await test.step("removed, it leaves configuration and spool; purged, nothing", async () => {
      await dpkg("--remove", "postprox");
      assert.ok(exists(OPTIONS) && exists(CONFIG) && exists(SPOOL) && !exists("/usr/sbin/postprox"));
      Deno.writeTextFileSync(`${SPOOL}/left`, "over\n");
      await dpkg("--purge", "postprox");
      checkPurged(contents);
      assert.deepEqual(accounts(), before);
    });

    await test.step("purged while a process of its user runs, it leaves that user, and the purge is done", async () => {
      await dpkg("--install", deb);
      const words = ["--reuid=postprox", "--regid=postprox", "--clear-groups", "/bin/sleep", "600"];
      const child = new Deno.Command("/usr/bin/setpriv", { args: words }).spawn();
      try {
        await until(() => read(`/proc/${child.pid}/comm`) === "sleep\n", () => "the process of that user");
        await dpkg("--purge", "postprox");
        checkPurged(contents);
        assert.ok(!await isKnown());
        assert.match(await must(["getent", "passwd", "postprox"]), /^postprox:/);
      } finally {
        child.kill("SIGKILL");
        await child.status;
        await must(["deluser", "--quiet", "--system", "postprox"]);
      }
      assert.deepEqual(accounts(), before);
    });
  } finally {
    if (await isKnown()) await dpkg("--purge", "postprox");
    Deno.removeSync(dir, { recursive: true });
  }
}

// --- steps

async function checkMachine(): Promise<void> {
  if (await isKnown()) {
    throw new Error("this machine has a package postprox, which this test would purge: do that first");
  }
  for (const path of [SPOOL, LOGS, "/usr/sbin/postprox"]) {
    if (exists(path)) throw new Error(`${path} is there, which this test would take away: move it`);
  }
}

/** One that stays the same during both builds: dist/postprox as it is now, the one that POSTPROX names, or a new one. */
async function takeExecutable(dir: string): Promise<void> {
  const found = [`${ROOT}dist/postprox`, Deno.env.get("POSTPROX") ?? ""].find(exists);
  if (found) Deno.copyFileSync(found, `${dir}/postprox`);
  else await must([Deno.execPath(), "run", "--quiet", "-A", `${ROOT}scripts/compile_bun.ts`, `--outdir=${dir}`]);
}

interface Build {
  readonly umask: string;
  /** The folder in `dir`. */
  readonly to: string;
  readonly options: readonly string[];
}

async function build(dir: string, { umask, to, options }: Build): Promise<void> {
  const words = [...task(), `--outdir=${dir}/${to}`, `--executable=${dir}/postprox`, ...options];
  await must(["sh", "-c", `umask ${umask}; exec "$@"`, "sh", ...words], { env: DATE });
}

async function checkInstalled(contents: readonly string[]): Promise<void> {
  for (const path of contents) assert.ok(exists(path), path);
  const [name, , uid, gid, , home, shell] = (await must(["getent", "passwd", "postprox"])).trimEnd().split(":");
  assert.deepEqual([name, home, shell], ["postprox", "/nonexistent", "/usr/sbin/nologin"]);
  assert.ok(Number(uid) < 1000, `${uid} is the id of a person`);
  for (const [directory, right] of [[SPOOL, 0o700], [LOGS, 0o750]] as const) {
    const { uid: owner, gid: group, mode } = Deno.statSync(directory);
    assert.deepEqual([owner, group, mode! & 0o7777], [Number(uid), Number(gid), right], directory);
  }
  for (const wanted of ["multi-user.target.wants/postprox.service", "sockets.target.wants/postprox.socket"]) {
    assert.ok(!exists(`/etc/systemd/system/${wanted}`), wanted);
  }
}

async function useService(): Promise<void> {
  const unit = read(UNIT);
  const start = /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? "";
  assert.equal(/^User=(.*)$/m.exec(unit)?.[1], "postprox");
  const fake = await Server.start();
  const port = await freePort();
  const filter = `case "$EMAIL" in ${SPOOL}/*) ;; *) exit 9 ;; esac; ` +
    `{ echo "X-Filtered-By: $(id -un)"; cat "$EMAIL"; } >"$OUTFILE"`;
  const options = ["-v", "--log=stderr", "-l", String(port), "-c", filter, fake.operand];
  const words = start.split(" ").flatMap((word) => word === "$POSTPROX_OPTIONS" ? options : [word]);
  const user = ["--reuid=postprox", "--regid=postprox", "--init-groups", "--bounding-set=-all", "--no-new-privs"];
  // setpriv(1) becomes the program, so the pid is that of the program.
  const child = new Deno.Command("/usr/bin/setpriv", {
    args: [...user, ...words],
    cwd: "/",
    clearEnv: true,
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const said = new Response(child.stderr).text();
  try {
    await until(() => isListening(port), () => `port ${port}`);
    const client = await connectTo({ port });
    await client.expect(220);
    assert.equal((await deliver(client, "Subject: packed\r\n\r\nA line.\r\n")).code, 250);
    await client.expect(221, "QUIT");
    client.close();
    assert.deepEqual(
      fake.messages.map(({ text }) => text),
      ["X-Filtered-By: postprox\r\nSubject: packed\r\n\r\nA line.\r\n"],
    );
    child.kill("SIGTERM");
    assert.equal((await within(child.status, () => "the end of the service")).code, 0);
    assert.deepEqual(listNames(SPOOL), []);
    assert.match(await said, /verdict=/);
  } finally {
    kill(child.pid);
    await child.status;
    await said;
    await fake.stop();
  }
}

const UNIT_PART = "/etc/systemd/system/postprox.service";

/** What --postfix-config prints for one file. */
function partOf(printed: string, file: string): string {
  return printed.split(/^(?=# ---- )/m).find((part) => part.startsWith(`# ---- ${file}:`)) ?? "";
}

async function useUnit({ sh }: Systemd): Promise<void> {
  const filter = `{ echo X-Filtered-By: $(id -un); cat $EMAIL; } >$OUTFILE`;
  const setOptions = (options: string) => sh(`cat >${OPTIONS} <<'END'\nPOSTPROX_OPTIONS='${options}'\nEND`);
  const deliverOne = "for try in $(seq 50); do smtp-source -l 5000 127.0.0.1:10025 && exit 0; sleep 0.1; done; exit 1";
  const becomes = (state: string) =>
    until(
      async () => (await sh("systemctl is-active postprox || :")).trim() === state,
      () => `the unit to be ${state}`,
    );

  await sh("mkdir -m 1777 /tmp/sink; smtp-sink -u nobody -d /tmp/sink/%M. 127.0.0.1:10026 100 >/dev/null 2>&1 &");
  await setOptions(`-v -l 10025 -c "${filter}" 127.0.0.1:10026`);
  await sh("systemctl enable --now postprox");
  await sh(deliverOne);
  assert.match(await sh("cat /tmp/sink/*"), /^X-Filtered-By: postprox$/m);
  assert.equal(await sh(`ls -A ${SPOOL}`), "");
  await sh("systemctl reload postprox");
  await sh(deliverOne);

  // Whatever ends it, it is started again: killed, or told to end by somebody who is not systemd.
  for (const [at, signal] of ["KILL", "TERM"].entries()) {
    const pid = await sh("systemctl show --property=MainPID --value postprox");
    await sh(`kill -${signal} ${pid.trim()}`);
    await until(
      async () => (await sh("systemctl show --property=NRestarts --value postprox")).trim() === String(at + 1),
      () => `a new start after SIG${signal}`,
    );
    await sh(deliverOne);
    assert.notEqual(await sh("systemctl show --property=MainPID --value postprox"), pid);
  }
  // The kernel cannot be made to kill for memory here.
  assert.equal(await sh("systemctl show --property=OOMPolicy --value postprox"), "continue\n");

  // A filter that calls sendmail(1), with the lines that the unit names for it and without them.
  const sendmail = "/usr/sbin/sendmail -i root <$EMAIL";
  const maildrop = "ls -A /var/spool/postfix/maildrop";
  await setOptions(`-v -l 10025 -t 2 -c "${sendmail}" 127.0.0.1:10026`);
  await sh("systemctl restart postprox");
  await sh(deliverOne);
  assert.equal(await sh(maildrop), "");
  const dropIn = /^# A filter that calls sendmail\(1\)(?:.*\n)+?#\n((?:# {2}.*\n)+)/m.exec(read(UNIT))?.[1] ?? "";
  await sh(
    `mkdir -p ${UNIT_PART}.d; cat >${UNIT_PART}.d/sendmail.conf <<'END'\n${dropIn.replaceAll(/^# {2}/gm, "")}END`,
  );
  await sh("systemctl daemon-reload; systemctl restart postprox");
  await sh(deliverOne);
  assert.match(await sh(maildrop), /^\S+\n$/);
  await sh(`rm -r ${UNIT_PART}.d; systemctl daemon-reload`);

  await rotate({ sh }, { setOptions, becomes });

  // The unit that is printed for a command line.
  const log = "/var/log/postprox/printed.log";
  await sh(`/usr/sbin/postprox --postfix-config=listen -v -d ${SPOOL} --log=${log} -c '${filter}' >/tmp/printed`);
  const unit = partOf(await sh("cat /tmp/printed"), UNIT_PART);
  await sh(`cat >${UNIT_PART} <<'END'\n${unit}END`);
  assert.equal(await sh(`systemd-analyze verify ${UNIT_PART}`), "");
  await sh("systemctl daemon-reload; systemctl restart postprox");
  await sh(deliverOne);
  assert.match(await sh(`cat ${log}`), / message verdict=replace /);
  await sh(`rm ${UNIT_PART}; systemctl daemon-reload`);

  // The journal knows which lines are warnings and errors.
  await setOptions('-v --log=stderr -l 10025 -c "exit 7" 127.0.0.1:10026');
  await sh("systemctl restart postprox");
  await sh(deliverOne);
  await becomes("active");
  const journal = (level: string) =>
    sh(`journalctl --sync; journalctl --unit=postprox --output=cat --priority=${level}`);
  assert.match(await journal("warning"), /^postprox\[[0-9]+\]: error: \S+: message not checked /m);
  assert.doesNotMatch(await journal("warning"), / message verdict=| listening /);
  assert.match(await journal("info"), /^postprox\[[0-9]+\]: \S+: message verdict=/m);
  // And it has their fields.
  const messages = await sh(
    "journalctl --unit=postprox --output=json POSTPROX_EVENT=message POSTPROX_VERDICT=unchecked",
  );
  assert.match(JSON.parse(messages.trim().split("\n")[0]!).POSTPROX_REPLY, /^250 /);

  await useSettings({ sh }, { setOptions, becomes });
  await useSocket({ sh }, setOptions);

  await sh("systemctl stop postprox");
  assert.equal(await sh("systemctl show --property=Result --value postprox"), "success\n");
  // Wrong options stay wrong: there is no second try.
  await setOptions("-l 99999 127.0.0.1:10026");
  await sh("systemctl start postprox || :");
  await becomes("failed");
  assert.equal(await sh("systemctl show --property=ExecMainStatus --value postprox"), "64\n");
  assert.match(await journal("err"), /option -l, --listen: "99999" has no valid port/);
}

/** The configuration file, the options over it, a reload that fails, the status, and the watchdog. */
async function useSettings(
  { sh }: Pick<Systemd, "sh">,
  { setOptions, becomes }: {
    setOptions: (options: string) => Promise<unknown>;
    becomes: (state: string) => Promise<unknown>;
  },
): Promise<void> {
  const write = (...lines: readonly string[]) => sh(`cat >${CONFIG} <<'END'\n${lines.join("\n")}\nEND`);
  const show = async (name: string) => (await sh(`systemctl show --property=${name} --value postprox`)).trim();
  const deliver = (sender = "a@example.org") => sh(`smtp-source -l 5000 -f ${sender} -t b@example.org 127.0.0.1:10025`);
  const refuse = (sender: string) => `case $SENDER in ${sender}) echo 550 5.7.1 no >&2; exit 1;; esac; exit 0`;
  const lines = [`tempdir = ${SPOOL}`, "listen = 10025", "next-hop = 127.0.0.1:10026", "verbose = 1", "log = stderr"];

  await setOptions("");
  await write(...lines, `command = ${refuse("bad@*")}`);
  await sh("systemctl restart postprox");
  // The start has waited until connections are accepted.
  await deliver();
  await assert.rejects(deliver("bad@example.org"), /550 5\.7\.1 no/);
  const status = /^0 sessions open, [0-9]+ in all; 2 messages, 1 refused; no error$/;
  await until(async () => status.test(await show("StatusText")), () => `${status}`);
  assert.match(await sh("systemctl status postprox"), /Status: "0 sessions open, .* 1 refused; no error"/);

  await write(...lines, `command = ${refuse("worse@*")}`);
  await sh("systemctl reload postprox");
  // The reload has waited until the new settings hold.
  await deliver("bad@example.org");
  await assert.rejects(deliver("worse@example.org"), /550 5\.7\.1 no/);
  const pid = await show("MainPID");

  // A reload that would fail fails, says why, and changes nothing.
  await write(...lines, "timeout = soon", `command = ${refuse("bad@*")}`);
  await assert.rejects(sh("systemctl reload postprox"));
  await deliver("bad@example.org");
  assert.equal(await show("ActiveState"), "active");
  assert.equal(await show("MainPID"), pid);
  const journal = await sh("journalctl --sync; journalctl --unit=postprox --output=cat --priority=err");
  assert.match(journal, /postprox\.conf:6: timeout = soon: /);

  // Options have precedence over the file.
  await write(...lines, "command = exit 1");
  await setOptions(`-c "${refuse("best@*").replaceAll("$", "$")}"`);
  await sh("systemctl restart postprox");
  await deliver();
  await assert.rejects(deliver("best@example.org"), /550 5\.7\.1 no/);

  // A process that hangs is started again.
  const dropIn = `${UNIT_PART}.d`;
  await sh(`mkdir -p ${dropIn}; printf '[Service]\\nWatchdogSec=2\\nTimeoutAbortSec=1\\n' >${dropIn}/watchdog.conf`);
  await sh("systemctl daemon-reload; systemctl restart postprox");
  // Meanwhile it gives signs of life.
  await until(
    async () => Number(await sh("ps -o etimes= -p $(systemctl show --property=MainPID --value postprox)")) >= 5,
    () => "5 s",
  );
  const hanging = await show("MainPID");
  assert.equal(await show("NRestarts"), "0");
  await sh(`kill -STOP ${hanging}`);
  await until(async () => await show("NRestarts") === "1", () => "the end of a process that hangs");
  await becomes("active");
  assert.notEqual(await show("MainPID"), hanging);
  await deliver();

  // Sessions end in their own time, also if that is longer than the unit's.
  await sh(`rm ${dropIn}/*; printf '[Service]\\nTimeoutStopSec=1\\n' >${dropIn}/stop.conf`);
  await sh("systemctl daemon-reload; systemctl restart postprox");
  await sh(
    `bash -c 'exec 3<>/dev/tcp/127.0.0.1/10025; head -1 <&3; touch /tmp/open; sleep 3; echo QUIT >&3' >/dev/null &
    for try in $(seq 100); do [ -e /tmp/open ] && break; sleep 0.1; done; systemctl stop postprox`,
  );
  assert.equal(await show("Result"), "success");
  await sh(`rm -r ${dropIn}; systemctl daemon-reload`);

  // Neither options nor settings.
  await setOptions("");
  await write(`tempdir = ${SPOOL}`);
  await sh("systemctl restart postprox || :");
  await becomes("failed");
  assert.equal(await show("ExecMainStatus"), "64");
  assert.match(
    await sh("journalctl --sync; journalctl --unit=postprox --output=cat --priority=err --lines=2"),
    /^postprox: no server is named: give HOST:PORT, or next-hop in a file of --config, .*\npostprox: option --foreground /,
  );
  await setOptions("-l 10025 127.0.0.1:10026");
  await sh("systemctl start postprox");
  await deliver();
}

/** With postprox.socket, a client starts the service, and 20 restarts under load lose no connection and no message. */
async function useSocket(
  { sh }: Pick<Systemd, "sh">,
  setOptions: (options: string) => Promise<unknown>,
): Promise<void> {
  const show = async (name: string, unit = "service") =>
    (await sh(`systemctl show --property=${name} --value postprox.${unit}`)).trim();
  await setOptions("-v --log=stderr -l 10025 127.0.0.1:10026");
  // As the file says it.
  const steps = [...read(SOCKET).matchAll(/^# {3}(systemctl .*)$/gm)].map(([, step]) => step!);
  assert.equal(steps.length, 3);
  for (const step of steps) await sh(step);
  assert.equal(await show("TriggeredBy"), "postprox.socket");

  await sh("systemctl stop postprox");
  assert.equal(await show("ActiveState"), "inactive");
  await sh("smtp-source -l 5000 127.0.0.1:10025");
  assert.equal(await show("ActiveState"), "active");

  assert.ok(await restartUnderLoad({ sh }, 20) >= 80);
  await setOptions("-v --log=stderr --workers=2 -l 10025 127.0.0.1:10026");
  await restartUnderLoad({ sh }, 5);
  assert.equal(await show("ActiveState", "socket"), "active");
  await sh("systemctl disable --now postprox.socket; systemctl restart postprox");
}

/** Restarts the service while four clients send. Returns how many messages have arrived: each of them once. */
async function restartUnderLoad({ sh }: Pick<Systemd, "sh">, restarts: number): Promise<number> {
  await sh("rm -f /tmp/sink/* /tmp/enough /tmp/count*");
  const load = `n=0 lost=0; while [ ! -e /tmp/enough ]; do
    if smtp-source -M h -l 2000 127.0.0.1:10025; then n=$((n + 1)); else lost=$((lost + 1)); fi; done; echo $n $lost`;
  for (const client of [1, 2, 3, 4]) {
    await sh(`{ ${load} >/tmp/count.new${client}; mv /tmp/count.new${client} /tmp/count${client}; } >/dev/null 2>&1 &`);
  }
  const pids = new Set<string>();
  for (let restart = 0; restart < restarts; restart++) {
    await sh("systemctl restart postprox");
    pids.add(await sh("systemctl show --property=MainPID --value postprox"));
  }
  await sh("touch /tmp/enough");
  await until(
    async () => (await sh("ls /tmp/count[1-4] 2>/dev/null | wc -l")).trim() === "4",
    () => "the last messages",
  );
  const counts = (await sh("cat /tmp/count[1-4]")).trim().split("\n").map((line) => line.split(" ").map(Number));
  const sent = counts.reduce((sum, [n = 0]) => sum + n, 0);
  assert.deepEqual(counts.map(([, lost]) => lost), [0, 0, 0, 0]);
  assert.equal(pids.size, restarts);
  // smtp-sink has a file for each message.
  assert.equal(Number(await sh("ls /tmp/sink | wc -l")), sent);
  return sent;
}

/** Rotates the log while messages are logged: each has its line, and the new file goes on where the old one ends. */
async function rotate(
  { sh }: Pick<Systemd, "sh">,
  { setOptions, becomes }: {
    setOptions: (options: string) => Promise<unknown>;
    becomes: (state: string) => Promise<unknown>;
  },
): Promise<void> {
  const messages = async (files: string) => Number(await sh(`cat ${files} | grep -c ' message verdict=' || :`));
  await setOptions(`-v -l 10025 --log=${LOGS}/postprox.log 127.0.0.1:10026`);
  await sh("systemctl restart postprox");
  await becomes("active");
  // Messages one after another, until there is a file /tmp/enough; then /tmp/count has their number.
  await sh(`{ n=0; while [ ! -e /tmp/enough ]; do smtp-source -M h 127.0.0.1:10025 && n=$((n + 1)); done
    echo $n >/tmp/count.new; mv /tmp/count.new /tmp/count; } >/dev/null 2>&1 &`);
  for (const kept of [1, 2]) {
    await until(async () => await messages(`${LOGS}/postprox.log`) > 0, () => "a line in the log");
    // The file is opened again, also if a reload would fail now.
    if (kept === 2) await sh(`cp ${CONFIG} /tmp/config; echo "timeout = soon" >>${CONFIG}`);
    // cron would mail its output to root.
    assert.equal(await sh("logrotate -f /etc/logrotate.d/postprox"), "");
    assert.equal((await sh(`ls ${LOGS}`)).split("\n").filter((name) => name !== "").length, kept + 1);
  }
  await until(async () => await messages(`${LOGS}/postprox.log`) > 0, () => "a line after the last rotation");
  await sh(`cp /tmp/config ${CONFIG}`);
  await sh("touch /tmp/enough");
  await until(async () => await sh("ls /tmp/count").then(() => true, () => false), () => "the last message");
  await sh("systemctl stop postprox");
  await sh(`gzip -d ${LOGS}/*.gz`);
  assert.equal(await messages(`${LOGS}/*`), Number(await sh("cat /tmp/count")));
  assert.equal(await sh(`stat -c '%U %G %a' ${LOGS}/* | sort -u`), "postprox postprox 640\n");

  // Under spawn(8) each process opens the file itself.
  const spawn = `runuser -u postprox -- /usr/sbin/postprox -v --log=${LOGS}/spawn.log 127.0.0.1:10026`;
  const session = `printf 'HELO h\\r\\nMAIL FROM:<a>\\r\\nRCPT TO:<b>\\r\\nDATA\\r\\n.\\r\\nQUIT\\r\\n' | ${spawn}`;
  await sh(session);
  assert.equal(await sh("logrotate -f /etc/logrotate.d/postprox"), "");
  await sh(session);
  for (const name of ["spawn.log.1", "spawn.log"]) assert.equal(await messages(`${LOGS}/${name}`), 1, name);
  await sh("systemctl start postprox");
}

function checkPurged(contents: readonly string[]): void {
  const left = [...contents, "/etc/postprox", SPOOL, LOGS, "/usr/share/doc/postprox"].filter(exists);
  assert.deepEqual(left, []);
  assert.deepEqual(listNames("/var/lib/dpkg/info").filter((name) => name.startsWith("postprox.")), []);
}

// --- commands

function task(): string[] {
  return [Deno.execPath(), "run", "--quiet", "-A", `${ROOT}scripts/package.ts`];
}

async function isKnown(): Promise<boolean> {
  return (await run(["dpkg-query", "--show", "postprox"])).status === 0;
}

async function dpkg(...args: readonly string[]): Promise<void> {
  await must(["dpkg", ...args], { env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" } });
}

async function must(words: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}) {
  const { status, stdout, stderr } = await run(words, options);
  assert.equal(status, 0, `${words.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

async function run(words: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}) {
  const [program = "", ...args] = words;
  const { code, stdout, stderr } = await new Deno.Command(program, { args, ...options, stdin: "null" }).output();
  const text = new TextDecoder();
  return { status: code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

function sortedLines(path: string): string[] {
  return read(path).split("\n").sort();
}
