// `postprox doctor` from outside, without Postfix: against fake servers, with each fault of the dialogue, and for each wrong use.
// It says that Postfix was not seen, and looks at the rest.

import assert from "node:assert/strict";
import { runProgram } from "../e2e/start.ts";
import { CLAMD } from "../fakes/clamd.ts";
import { RSPAMD } from "../fakes/rspamd.ts";
import { FakeScanner } from "../fakes/scanner.ts";
import { SPAMD } from "../fakes/spamd.ts";
import { show } from "../rig/octets.ts";
import { freePort } from "../rig/ports.ts";
import { type Script, Server } from "../rig/server.ts";

type Ran = Awaited<ReturnType<typeof runProgram>>;

class Bed {
  readonly dir = Deno.makeTempDirSync({ prefix: "postprox_doctor_" });
  readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
    Deno.writeTextFileSync(`${this.dir}/filter`, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
    Deno.mkdirSync(`${this.dir}/spool`);
    // As on a machine without Postfix. A real postconf(1) that cannot read its file sleeps a second before it ends.
    Deno.mkdirSync(`${this.dir}/bin`);
    Deno.writeTextFileSync(`${this.dir}/bin/postconf`, "#!/bin/sh\nexit 127\n", { mode: 0o755 });
  }

  static async with(script: Script = {}): Promise<Bed> {
    const server = await Server.start();
    server.script = script;
    return new Bed(server);
  }

  /** As if there was no Postfix, or none that we may look at. */
  async doctor(words: readonly string[], postfix: "absent" | "unread"): Promise<Ran> {
    const own = ["-c", `${this.dir}/filter`, "-d", `${this.dir}/spool`, "--log=stderr"];
    const env: Record<string, string> = postfix === "absent"
      ? { PATH: `${this.dir}/bin:${Deno.env.get("PATH")}` }
      : { MAIL_CONFIG: `${this.dir}/none` };
    return await runProgram(["doctor", ...own, ...words], { env });
  }

  async stop(): Promise<void> {
    await this.server.stop();
    Deno.removeSync(this.dir, { recursive: true });
  }
}

function shown({ status, stdout, stderr }: Ran): string {
  return `status ${status}\n${show(stdout, 4000).replaceAll("\\n", "\n")}\n${stderr}`;
}

/** Doctor looks at a server that stands for postprox at -l, and for the server behind it. */
async function look(script: Script, options: readonly string[] = [], postfix: "absent" | "unread" = "absent") {
  const bed = await Bed.with(script);
  try {
    const { server } = bed;
    const { port } = server.address as { port: number };
    const ran = await bed.doctor(["-l", String(port), ...options, `127.0.0.1:${port}`], postfix);
    assert.deepEqual([...Deno.readDirSync(`${bed.dir}/spool`)], [], "something was left in the spool");
    const { lines, messages, violations } = server;
    return { ran, lines, messages, violations };
  } finally {
    await bed.stop();
  }
}

Deno.test("doctor says that Postfix cannot be read", async () => {
  const { ran } = await look({}, [], "unread");
  assert.deepEqual([ran.status, ran.stderr], [0, ""], shown(ran));
  // The second on a machine that has no Postfix.
  assert.match(
    ran.stdout,
    /^not seen: (?:Postfix's configuration cannot be read|there is no Postfix on this machine): /m,
  );
});

Deno.test("doctor without Postfix says so, and looks at the rest", async () => {
  const { ran, lines, violations } = await look({});
  assert.deepEqual([ran.status, ran.stderr], [0, ""], shown(ran));
  assert.match(ran.stdout, /^not seen: there is no Postfix on this machine: /m);
  assert.match(ran.stdout, /^right: a dialogue through .* reaches RCPT$/m, shown(ran));
  assert.match(ran.stdout, /^Nothing is wrong\.$/m, shown(ran));
  assert.deepEqual(violations, []);
  assert.deepEqual(lines.map((line) => line.replace(/^(EHLO).*/, "$1")), [
    "EHLO",
    "XFORWARD NAME=localhost ADDR=127.0.0.1 PROTO=ESMTP HELO=localhost",
    "MAIL FROM:<>",
    "RCPT TO:<postmaster>",
    "RSET",
    "QUIT",
  ]);
});

Deno.test("doctor --send sends one message", async () => {
  const { ran, messages } = await look({}, ["--send=you@example.org"]);
  assert.equal(ran.status, 0, shown(ran));
  assert.match(ran.stdout, /^right: the test message was accepted: 250 2\.0\.0 queued as 4711$/m, shown(ran));
  const [message, ...more] = messages;
  assert.deepEqual(more, []);
  assert.match(message!.text, /^To: you@example\.org\r$/m);
});

/** What a server does, and what the doctor says of it. */
const FAULTS: readonly (readonly [name: string, script: Script, wrong: RegExp])[] = [
  ["turns away", { CONNECT: { reply: "554 5.3.2 no", then: "close" } }, /turns the session away: 554 5\.3\.2 no\.$/m],
  ["closes at once", { CONNECT: { raw: "", then: "close" } }, /gives no greeting: it closed the connection\.$/m],
  ["resets at once", { CONNECT: { raw: "", then: "reset" } }, /gives no greeting: /m],
  ["nonsense", { CONNECT: { raw: "HTTP/1.1 400 Bad Request\r\n" } }, /gives no greeting: no SMTP reply: HTTP/m],
  ["half a greeting", { CONNECT: { raw: "220-hello\r\n", then: "close" } }, /gives no greeting: it closed/m],
  ["silent", { CONNECT: { then: "silence" } }, /gives no greeting: it was silent for too long\.$/m],
  ["EHLO refused", { EHLO: "502 5.5.1 no" }, /^wrong: postprox at .* answers EHLO .* with 502 5\.5\.1 no\.$/m],
  ["closes after EHLO", { EHLO: { raw: "", then: "close" } }, /breaks the dialogue after its greeting: it closed/m],
  [
    "XFORWARD not offered",
    { EHLO: "250 fake" },
    /does not accept XFORWARD from postprox: .*smtpd_authorized_xforward_hosts/m,
  ],
  ["XFORWARD refused", { XFORWARD: "550 5.7.0 no" }, /answers XFORWARD .* with 550 5\.7\.0 no\.$/m],
  [
    "TLS forced",
    { MAIL: "530 5.7.0 Must issue a STARTTLS command first" },
    /^wrong: TLS is forced on the inner hop: /m,
  ],
  ["MAIL refused", { MAIL: "452 4.3.1 full" }, /answers MAIL FROM:<> with 452 4\.3\.1 full\.$/m],
  ["RCPT refused", { RCPT: "554 5.7.1 no\x1b[2J" }, /answers RCPT TO:<postmaster> with 554 5\.7\.1 no\\x1b\[2J\.$/m],
  ["RSET refused", { RSET: "500 5.5.2 no" }, /answers RSET with 500/m],
];

for (const [name, script, wrong] of FAULTS) {
  Deno.test(`doctor looks at a server that is wrong: ${name}`, async () => {
    const { ran } = await look(script, ["--connect-timeout=1"]);
    assert.deepEqual([ran.status, ran.stderr], [1, ""], shown(ran));
    assert.match(ran.stdout, wrong, shown(ran));
    assert.match(ran.stdout, /^One thing is wrong\.$/m, shown(ran));
  });
}

for (
  const [name, script] of [["DATA", { DATA: "554 5.5.1 no" }], ["the message", { ".": "550 5.7.1 spam" }]] as const
) {
  Deno.test(`doctor --send says that ${name} was refused`, async () => {
    const { ran } = await look(script, ["--send=you@example.org"]);
    assert.equal(ran.status, 1, shown(ran));
    assert.match(ran.stdout, new RegExp(`^wrong: postprox at .* answers ${name} with 55`, "m"), shown(ran));
  });
}

Deno.test("doctor asks each server of each scanner", async () => {
  const scanners = await Promise.all([CLAMD, RSPAMD, SPAMD].map((protocol) => FakeScanner.start(protocol)));
  const away = await freePort();
  try {
    const [clamd, rspamd, spamd] = scanners.map(({ address }) => address);
    const options = [`--clamd=${clamd}`, `--clamd=127.0.0.1:${away}`, `--rspamd=${rspamd}`, `--spamd=${spamd}`];
    const { ran } = await look({}, options);
    assert.equal(ran.status, 1, shown(ran));
    assert.match(
      ran.stdout,
      new RegExp(`^wrong: clamd could not tell: .*127\\.0\\.0\\.1:${away}: .*refused`, "m"),
      shown(ran),
    );
    assert.match(ran.stdout, /^One thing is wrong\.$/m, shown(ran));
    for (const name of ["clamd", "rspamd", "spamd"]) {
      assert.match(ran.stdout, new RegExp(`^right: ${name} at .* answers$`, "m"));
    }
    assert.deepEqual(scanners.map(({ questions }) => questions.length), [1, 1, 1]);
  } finally {
    for (const scanner of scanners) await scanner.stop();
  }
});

const USES: readonly (readonly [words: readonly string[], status: number, says: RegExp])[] = [
  [["a:1", "b:2"], 64, /^postprox: doctor: one server is enough, "b:2" is a second one\n$/],
  [
    ["--send=nonsense here"],
    64,
    /^postprox: option --send: "nonsense here" is no mail address: give one such as .*\n$/,
  ],
  [["--send=<>"], 64, /^postprox: option --send: a test message needs a recipient: give ADDRESS\n$/],
  [["--send"], 64, /^postprox: option --send needs a value: give --send ADDRESS\n$/],
  [["-t", "0"], 64, /^postprox: option -t, --timeout: "0" is no time limit.*\n$/],
  [["127.0.0.1:99999"], 64, /^postprox: "127\.0\.0\.1:99999" has no valid port.*\n$/],
  [["--config=/nonexistent/file"], 75, /^postprox: option --config: .*\n$/],
];

for (const [words, status, says] of USES) {
  Deno.test(`doctor ${words.join(" ")} is wrong use`, async () => {
    const ran = await runProgram(["doctor", ...words]);
    assert.deepEqual([ran.status, ran.stdout], [status, ""], shown(ran));
    assert.match(ran.stderr, says);
  });
}

Deno.test("--send is an option of doctor only", async () => {
  const ran = await runProgram(["--send=a@example.org", "127.0.0.1:1"]);
  assert.equal(ran.status, 64);
  assert.match(ran.stderr, /option "--send" is not known/);
});
