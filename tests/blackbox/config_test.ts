// --config, --check-config and --print-config from outside: what a file says, what the command line says over it, and SIGHUP.

import assert from "node:assert/strict";
import { kill, Listening, runProgram } from "../e2e/start.ts";
import type { Client } from "../rig/client.ts";
import { show } from "../rig/octets.ts";
import { Server } from "../rig/server.ts";
import { until } from "../rig/wait.ts";
import { deliver } from "./rig.ts";

class Bed {
  readonly dir = Deno.makeTempDirSync({ prefix: "postprox_config_" });
  readonly file = `${this.dir}/postprox.conf`;

  constructor() {
    Deno.mkdirSync(`${this.dir}/spool`);
  }

  write(...lines: readonly string[]): void {
    Deno.writeTextFileSync(this.file, `${lines.join("\n")}\n`);
  }

  get log(): string {
    try {
      return Deno.readTextFileSync(`${this.dir}/log`);
    } catch {
      return "";
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.dir, { recursive: true });
  }
}

interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function said(ran: Ran, status: number, stdout: RegExp, stderr = /^$/): void {
  const all = `status ${ran.status}, ${show(ran.stdout, 2000)} and ${show(ran.stderr, 2000)}`;
  assert.equal(ran.status, status, all);
  assert.match(ran.stdout, stdout, all);
  assert.match(ran.stderr, stderr, all);
}

Deno.test("--print-config shows the settings in force: the command line, then the file, then the defaults", async () => {
  using bed = new Bed();
  bed.write(
    "next-hop = mx.example:10026",
    "# a comment",
    "timeout = 5",
    "dnsbl = a.example",
    "dnsbl = b.example",
    "strict_exit = yes",
    "verbose = 1",
    "command = /usr/local/bin/filter",
    "    --option",
  );
  const config = `--config=${bed.file}`;
  const changed = [
    "next-hop = mx.example:10026",
    "command = /usr/local/bin/filter --option",
    "dnsbl = a.example",
    "dnsbl = b.example",
    "strict-exit = yes",
    "timeout = 5",
    "verbose = 1",
    "",
  ];
  said(await runProgram([config, "--print-config=changed"]), 0, new RegExp(`^${changed.join("\n")}$`));
  const words = [config, "--dnsbl=c.example", "-t", "30", "-c", "", "-vv", "other.example", "--print-config=changed"];
  const overruled = ["next-hop = other.example", "dnsbl = c.example", "strict-exit = yes", "verbose = 2", ""];
  said(await runProgram(words), 0, new RegExp(`^${overruled.join("\n")}$`));
  // Its output is a configuration file.
  const all = await runProgram([config, "--print-config"]);
  assert.match(all.stdout, /^max-clients = 1000$/m);
  assert.match(all.stdout, /^check-sender-domain = no$/m);
  bed.write(all.stdout);
  assert.deepEqual(await runProgram([config, "--print-config"]), all);
  // The defaults of listen mode in it are no reason to refuse it in spawn mode.
  said(await runProgram([config, "--check-config", "-c", ""]), 0, /is right/);
});

Deno.test("all mistakes of a configuration file are told at once, and nothing is started", async () => {
  using bed = new Bed();
  bed.write("next-hop = 127.0.0.1:25", "timeout = 0", "strict-exit = on", "lost = 1", "timeout = 3");
  const lines = [
    `postprox: ${bed.file}:2: timeout = 0: .*`,
    `postprox: ${bed.file}:3: strict-exit = on: "on" is no value of a flag: give yes or no`,
    `postprox: ${bed.file}:4: lost = 1: no option has this name: see postprox --help`,
  ];
  for (const words of [[], ["--check-config"], ["--print-config"]]) {
    said(await runProgram([`--config=${bed.file}`, ...words]), 64, /^$/, new RegExp(`^${lines.join("\n")}\n$`));
  }
  said(
    await runProgram(["--config=/nonexistent/file"]),
    75,
    /^$/,
    /^postprox: option --config: .*: give a file that can be read\n$/,
  );
});

Deno.test("a mistake of several options together has its line, unless the command line has the option", async () => {
  using bed = new Bed();
  bed.write("next-hop = mx", "# a comment", "drain-timeout = 7", "action = clamd=tag");
  const run = (...words: readonly string[]) => runProgram([`--config=${bed.file}`, "--check-config", ...words]);
  const place = RegExp.escape(bed.file);
  said(await run(), 64, /^$/, new RegExp(`^postprox: ${place}:3: drain-timeout = 7: it is for listen mode: give -l`));
  said(await run("--drain-timeout=8"), 64, /^$/, /^postprox: option --drain-timeout is for listen mode/);
  said(
    await run("-l", "1"),
    64,
    /^$/,
    new RegExp(`^postprox: ${place}:4: action = clamd=tag: no check clamd .*--clamd\n$`),
  );
});

Deno.test("all that is wrong with a configuration is told at once, by a start and by --check-config", async () => {
  using bed = new Bed();
  const place = RegExp.escape(bed.file);
  const tell = async (status: number, lines: readonly string[], stderr: readonly string[]) => {
    bed.write(...lines);
    for (const word of ["--check-config", "--log=stderr"]) {
      const ran = await runProgram([`--config=${bed.file}`, word]);
      const found = stderr.map((line) => new RegExp(`^postprox: ${place}:${line}.*$`, "m"));
      for (const one of found) said(ran, status, /^$/, one);
      assert.equal(ran.stderr.trimEnd().split("\n").length, stderr.length, ran.stderr);
    }
  };
  await tell(64, [
    "workers = 2",
    "metrics = 9825",
    "next-hop = mx",
    "check-rules = /nonexistent/rules",
    "drain-timeout = 7",
  ], [
    "1: workers = 2: it is for listen mode",
    "2: metrics = 9825: it is for listen mode",
    "4: check-rules = /nonexistent/rules: cannot open",
    "5: drain-timeout = 7: it is for listen mode",
  ]);
  Deno.writeTextFileSync(`${bed.dir}/rules`, "lost\n");
  await tell(64, [
    "next-hop = mx",
    "listen = 25",
    "foreground = yes",
    "user = nosuch",
    `check-rules = ${bed.dir}/rules`,
    "filter-rules = /nonexistent/rules",
    "action = clamd=tag",
    "tempdir = /nonexistent/spool",
  ], [
    "4: user = nosuch: ",
    "5: check-rules = .*/rules:1: ",
    "6: filter-rules",
    "7: action = clamd=tag: ",
    "8: tempdir",
  ]);
  await tell(75, ["next-hop = mx", "check-rules = /nonexistent/rules", "listen = 25", "tempdir = /nonexistent/x"], [
    "2: check-rules",
    "4: tempdir",
  ]);
});

Deno.test("--check-config looks at all that a start would, and starts nothing", async () => {
  using bed = new Bed();
  bed.write("next-hop = 127.0.0.1:25", `tempdir = ${bed.dir}/spool`, `check-rules = ${bed.dir}/rules`, "listen = 1");
  const check = () => runProgram([`--config=${bed.file}`, "--check-config", `--helper=touch ${bed.dir}/started`]);
  said(
    await check(),
    75,
    /^$/,
    /^postprox: [^ ]*\.conf:3: check-rules = .*\/rules: cannot open .*rules.*: give a file/,
  );
  Deno.writeTextFileSync(`${bed.dir}/rules`, "allow:ALL:ALL:ALL\nlost\n");
  said(await check(), 64, /^$/, /\.conf:3: check-rules = .*\/rules: [^ ]*\/rules:2: /);
  Deno.writeTextFileSync(`${bed.dir}/rules`, "allow:ALL:ALL:ALL\n");
  said(await check(), 0, /^postprox: the configuration is right\n$/);
  assert.deepEqual([...Deno.readDirSync(bed.dir)].map(({ name }) => name).sort(), ["postprox.conf", "rules", "spool"]);
  said(
    await runProgram(["--check-config", "mx", "-c", "/missing/filter"]),
    0,
    /is right\n$/,
    /filter cannot be run.*\/missing/,
  );
  said(await runProgram(["--check-config", "mx", "--log=/missing/log"]), 75, /^$/, /--log: .*\/missing/);
  said(await runProgram(["--check-config", "mx", `--log=${bed.dir}/log`]), 0, /is right/);
  said(await runProgram(["--check-config"]), 64, /^$/, /no server is named/);
  said(await runProgram(["--check-config", "localhost:2525", "-l", "2525"]), 64, /^$/, /would be its own server/);
  const sockets = [`--metrics=unix:${bed.dir}/./s`, "-l", `unix:${bed.dir}/s`];
  for (const more of ["--check-config", "--foreground"]) {
    said(await runProgram(["mx", "--log=stderr", ...sockets, more]), 64, /^$/, /--metrics: mail comes to .*\/s/);
  }
  said(await runProgram(["--check-config", "127.0.0.1:25", "-d", `${bed.dir}/none`]), 75, /^$/, /--tempdir/);
  said(await runProgram(["--check-config", "127.0.0.1:25", "--foreground"]), 64, /^$/, /--foreground/);
});

Deno.test("--postfix-config with --config prints the lines of that file: pasted, they give the same settings", async () => {
  using bed = new Bed();
  const spool = `${bed.dir}/spool`;
  const options = [
    `--config=${bed.file}`,
    "-v",
    "-d",
    spool,
    "-c",
    "true #  it's",
    "--exit-status=69,70-71=tempfail",
    "--dry-run",
  ];
  const paste = async (...args: readonly string[]) => {
    const ran = await runProgram([...args, ...options]);
    assert.equal(ran.status, 0, ran.stderr);
    assert.doesNotMatch(ran.stdout, /is missing on this machine/);
    const part = ran.stdout.split(/^(?=# ---- )/m).find((one) => one.startsWith(`# ---- ${bed.file}: `)) ?? "";
    Deno.writeTextFileSync(bed.file, part);
    said(await runProgram(["--check-config", `--config=${bed.file}`]), 0, /is right/);
    return (await runProgram(["--print-config=changed", `--config=${bed.file}`])).stdout;
  };
  const direct =
    (await runProgram(["--print-config=changed", ...options.slice(1), "127.0.0.1:10026", "-l", "10025"])).stdout;
  assert.equal(await paste("--postfix-config=listen"), direct);
  // The settings of the file that is there count, too, and the command line has precedence.
  bed.write("next-hop = mx.example:26", "verbose = 2", "timeout = 7", "max-filters = 3");
  assert.equal(
    await paste("--postfix-config"),
    direct.replace("127.0.0.1:10026", "mx.example:26").replace(/^listen.*\n/m, "").replace(
      "verbose",
      "timeout = 7\nverbose",
    ),
  );
  bed.write("timeout = soon");
  said(await runProgram(["--postfix-config", `--config=${bed.file}`]), 64, /^$/, /conf:1: timeout = soon: /);
  said(await runProgram(["--postfix-config", `--config=${bed.dir}`]), 75, /^$/, /--config/);
});

const refusing = (text: string) => `command = echo 550 5.7.1 ${text} >&2; exit 1`;

async function answer(program: Listening): Promise<string> {
  const { client } = await program.connect() as { client: Client };
  try {
    await client.expect(220);
    await client.expect(250, "EHLO client.example");
    return (await deliver(client)).raw;
  } finally {
    client.close();
  }
}

Deno.test("SIGHUP reads the configuration file again, and one with a mistake changes nothing", async () => {
  using bed = new Bed();
  const fake = await Server.start();
  const common = [`next-hop = ${fake.operand}`, `tempdir = ${bed.dir}/spool`, `log = ${bed.dir}/log`];
  bed.write(...common, refusing("first"));
  const program = await Listening.start([`--config=${bed.file}`]);
  try {
    assert.equal(await answer(program), "550 5.7.1 first\r\n");
    const reload = async (...lines: readonly string[]) => {
      bed.write(...common, ...lines);
      const before = bed.log.split(" listening ").length;
      kill(program.process.pid, "SIGHUP");
      await until(() => bed.log.split(" listening ").length > before, () => `a reload in ${bed.log}`);
    };
    await reload(refusing("second"), "verbose = 1");
    assert.equal(await answer(program), "550 5.7.1 second\r\n");
    assert.match(bed.log, /a restart is needed for options that have changed options=--verbose/);
    await reload(refusing("second"), `metrics = unix:${bed.dir}/metrics`, "user = postprox", "verbose = 1");
    await until(() => /options="--user --metrics --verbose"/.test(bed.log), () => `the options in ${bed.log}`);
    assert.doesNotMatch(bed.log, / listening .* (?:user|metrics)=/, "only a start reads them");
    await reload(refusing("third"), "timeout = x", "lost = 1");
    assert.equal(await answer(program), "550 5.7.1 second\r\n");
    await reload(refusing("third"), "filter-rules = /nonexistent/rules", `metrics = 127.0.0.1:${program.port}`);
    await until(() => /not reloaded.*conf:6: metrics = .*: mail comes to/.test(bed.log), () => bed.log);
    await until(() => /not reloaded.*conf:5: filter-rules = \/nonexistent\/rules: cannot/.test(bed.log), () => bed.log);
    await reload(refusing("third"), "timeout = x", "lost = 1");
    // The mistakes come last.
    const mistakes =
      / listening .*\n.*not reloaded.*postprox\.conf:5: timeout = x.*\n.*not reloaded.*postprox\.conf:6: lost = 1/;
    await until(() => mistakes.test(bed.log), () => `the mistakes in ${bed.log}`);
    await reload(`command = /nonexistent/filter`);
    assert.match(await answer(program), /^250 /);
    assert.match(bed.log, /filter cannot be run/);
    assert.equal(fake.messages.length, 1);
  } finally {
    await program.stop();
    await fake.stop();
  }
});
