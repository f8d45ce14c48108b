// Tests of lib/commands/doctor/look/ with programs that hang, flood or fail, and of what is read from their output.

import assert from "node:assert/strict";
import { lookAtLog, roomIn } from "../../../lib/commands/doctor/look/look_at_machine.ts";
import { lookAtMe, lookAtPaths } from "../../../lib/commands/doctor/look/look_at_paths.ts";
import { lookAtPostfix } from "../../../lib/commands/doctor/look/look_at_postfix.ts";
import { askScanners } from "../../../lib/commands/doctor/look/look_at_scanners.ts";
import { runWords } from "../../../lib/commands/doctor/look/run_words.ts";
import type { NoPostfix, RunUser } from "../../../lib/commands/doctor/facts.ts";
import { Postfix } from "../../../lib/commands/doctor/postfix.ts";
import { SETTINGS, type Settings } from "../../../lib/settings/settings.ts";
import { readCommandLine } from "../../../lib/options/command_line.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { FakeNetwork } from "../../fakes/network.ts";
import { FakeProcesses, FakeTalkingChild } from "../../fakes/processes.ts";
import { FakeRuntime } from "../../fakes/runtime.ts";
import { settled } from "../../fakes/settled.ts";

/** Each program prints what `says` gives for its words, and ends with its status. */
function programs(says: (words: readonly string[]) => { out?: string; err?: string; status?: number }): FakeRuntime {
  const runtime = new FakeRuntime();
  runtime.processes.onStart = (child) => {
    const { out = "", err = "", status = 0 } = says(child.words);
    const talking = child as FakeTalkingChild;
    if (out !== "") talking.answer(out);
    talking.closeStdout();
    talking.exit(status, err);
  };
  return runtime;
}

Deno.test("runWords kills a program that takes too long", async () => {
  const clock = new FakeClock();
  const processes = new FakeProcesses();
  const ran = runWords({ clock, processes }, ["/bin/slow"], 5000);
  await clock.advance(5000);
  assert.deepEqual(await ran, { status: undefined, stdout: "", stderr: "/bin/slow took longer than 5 s" });
  const [child] = processes.children;
  assert.deepEqual(child!.signals, ["SIGKILL"]);
  assert.ok((child as FakeTalkingChild).isHungUp);
  assert.equal(clock.pending, 0);
});

Deno.test("runWords tells what a program prints, and why it cannot be started", async () => {
  const { clock, processes } = programs(() => ({ out: "a\n", err: "b\n", status: 3 }));
  assert.deepEqual(await runWords({ clock, processes }, ["x"]), { status: 3, stdout: "a\n", stderr: "b\n" });
  processes.refusal = "missing";
  assert.deepEqual(await runWords({ clock, processes }, ["x"]), {
    status: undefined,
    stdout: "",
    stderr: "cannot run x: missing",
  });
  await settled();
  assert.equal(clock.pending, 0);
});

const POSTFIX: readonly (readonly [status: number, err: string, facts: NoPostfix])[] = [
  [127, "sh: postconf: not found", { isAbsent: true, why: "there is no postconf(1)" }],
  [
    1,
    "postconf: warning: x\npostconf: fatal: open /etc/postfix/main.cf: Permission denied\n",
    { isAbsent: false, isBroken: false, why: "postconf: fatal: open /etc/postfix/main.cf: Permission denied" },
  ],
  [1, "postconf: fatal: bad\n", { isAbsent: false, isBroken: true, why: "postconf: fatal: bad" }],
  [1, "", { isAbsent: false, isBroken: false, why: "postconf ended with status 1" }],
];

for (const [status, err, facts] of POSTFIX) {
  Deno.test(`lookAtPostfix: ${facts.why}`, async () => {
    assert.deepEqual(await lookAtPostfix(programs(() => ({ status, err }))), facts);
  });
}

Deno.test("lookAtPostfix asks postconf for all settings and entries", async () => {
  const outputs: Readonly<Record<string, string>> = {
    "-x": "config_directory = /p\nx = 1\n",
    "-M": "smtp inet n - y - - smtpd\n",
    "-xP": "smtp/inet/x = 2\n",
  };
  const postfix = await lookAtPostfix(programs((words) => ({ out: outputs[words.at(-1)!] ?? "" })));
  assert.ok(postfix instanceof Postfix);
  assert.deepEqual([postfix.value("x"), postfix.value("x", postfix.entries[0])], ["1", "2"]);
});

Deno.test("lookAtPostfix understands a Postfix that is too old for -x and -P", async () => {
  const postfix = await lookAtPostfix(programs((words) => {
    if (words.at(-1) === "postconf") return { out: "x = 1\n" };
    if (words.at(-1) !== "-M") return { status: 1, err: "postconf: invalid option\n" };
    return { out: "smtp inet n - y - - smtpd -o x=2 -o y= -v\n" };
  }));
  assert.ok(postfix instanceof Postfix);
  const [entry] = postfix.entries;
  assert.deepEqual(["x", "y", "message_size_limit"].map((name) => postfix.value(name, entry)), ["2", "", "10240000"]);
  assert.deepEqual(["x", "y", "z"].map((name) => postfix.hasOwn(name, entry!)), [true, true, false]);
});

const ROOT = { name: "root", isRoot: true };
const MAIL: RunUser = { name: "mail", groups: "all", from: "--user" };

Deno.test("lookAtPaths becomes the user, with the groups that it will have", async () => {
  const started: string[] = [];
  const runtime = programs((words) => {
    started.push(words.slice(0, 4).join(" "));
    return { out: words[0] === "id" ? "8\n" : "directory rwx /s\nfile r-- /f\n" };
  });
  const named = [{ use: "spool", option: "-d", path: "/s" }, { use: "filter", option: "-c", path: "/f" }] as const;
  const look = { me: ROOT, user: MAIL, isSpawned: false };
  const { paths } = await lookAtPaths(runtime, named, look);
  assert.deepEqual(paths.map(({ path, kind, canWrite, canExecute }) => [path, kind, canWrite, canExecute]), [
    ["/s", "directory", true, true],
    ["/f", "file", false, false],
  ]);
  await lookAtPaths(runtime, named, { ...look, user: { ...MAIL, groups: "one", group: "postdrop" } });
  assert.deepEqual(started.filter((words) => words.startsWith("setpriv")), [
    "setpriv --reuid=mail --regid=8 --init-groups",
    "setpriv --reuid=mail --regid=postdrop --clear-groups",
  ]);
});

Deno.test("lookAtPaths says why it cannot look", async () => {
  const user = { me: { name: "joe", isRoot: false }, user: MAIL, isSpawned: false };
  const known = programs((words) => ({ out: words[0] === "id" ? "8\n" : "" }));
  assert.deepEqual(await lookAtPaths(known, [], user), {
    paths: [],
    unseen: "only root can see what mail may do: run this as root",
  });
  const unknown = programs((words) => ({ status: words[0] === "id" ? 1 : 0 }));
  assert.deepEqual(await lookAtPaths(unknown, [], { ...user, me: ROOT }), { paths: [], noUser: true });
  const broken = programs((words) => words[0] === "id" ? { out: "8\n" } : { status: 1, err: "setpriv: no\n" });
  const named = [{ use: "spool", option: "-d", path: "/s" }] as const;
  assert.deepEqual(await lookAtPaths(broken, named, { ...user, me: ROOT }), {
    paths: [],
    unseen: "files cannot be looked at as mail: setpriv: no",
  });
});

Deno.test("lookAtMe and roomIn read the output of programs", async () => {
  assert.deepEqual(await lookAtMe(programs(() => ({ out: "0\nroot\n" }))), ROOT);
  assert.deepEqual(await lookAtMe(programs(() => ({ out: "1000\n\n" }))), { name: "1000", isRoot: false });
  const df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a b 1000 600 400 60% /var spool\n";
  assert.equal(await roomIn(programs(() => ({ out: df })), "/var/spool"), 409_600);
  assert.equal(await roomIn(programs(() => ({ out: "", status: 1 })), "/var/spool"), undefined);
});

Deno.test("askScanners sends no password where a process says", async () => {
  const runtime = new FakeRuntime();
  runtime.network.downstream = "refused";
  runtime.files.replace("/password", new TextEncoder().encode("secret\n"));
  const words = ["--rspamd=h:1", "--rspamd-password-file=/password", "--clamd=h:2"];
  const settings = readCommandLine(words, { table: SETTINGS, commandOptions: [] }).settings as Settings;
  const look = async (isForeign: boolean) => {
    const { scanners, notAsked } = await askScanners(runtime, settings, { text: "x\n", isForeign });
    return [scanners.map(({ name, server }) => `${name} ${server}`), notAsked !== undefined];
  };
  assert.deepEqual(await look(false), [["clamd h:2", "rspamd h:1"], false]);
  assert.deepEqual(await look(true), [["clamd h:2"], true]);
});

Deno.test("lookAtLog asks without sending a line", async () => {
  const network = new FakeNetwork(new FakeClock());
  const settings = (option: string) =>
    readCommandLine([option], { table: SETTINGS, commandOptions: [] }).settings as Settings;
  const look = (option: string) => lookAtLog({ network }, settings(option));
  assert.deepEqual(await look("--log=stderr"), { kind: "none" });
  assert.deepEqual(await look("--log=syslog:/l"), { kind: "syslog", path: "/l", why: undefined });
  network.downstream = "wrong-type";
  assert.deepEqual(await look("--log=syslog"), { kind: "syslog", path: "/dev/log", why: undefined });
  network.downstream = "missing";
  assert.deepEqual(await look("--log=syslog"), { kind: "syslog", path: "/dev/log", why: "cannot connect: missing" });
  assert.deepEqual(network.datagramsSent, []);
});
