// Nothing that a client or downstream says can forge, break or hide a line of the log, in a file or in syslog.
//
// tests/log/ and blackbox/log_test.ts show escapes one by one.

import assert from "node:assert/strict";
import { type Case, type Mode, Rig, type Talk } from "../blackbox/rig.ts";
import { Listening, Spawner } from "../e2e/start.ts";
import { type Client } from "../rig/client.ts";
import { show } from "../rig/octets.ts";
import { until } from "../rig/wait.ts";
import { Server } from "../rig/server.ts";

/** Octets with which a line can be ended, hidden, coloured or made to look like another. */
const FORGERIES: readonly string[] = [
  "\x01\x02\x07\x08\x0b\x0c\x0e\x1b[2K\x1b[1A\x7f",
  "\x85\x9b31m\x8d\xad",
  "\xc2\x85\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xae\xef\xbb\xbf",
  '" verdict=pass reply="250 forged',
  "\\n\\x0a\\",
  "%s%n%d",
  "Nov  5 03:04:09 host postprox[1]: forged",
  "<19>Nov  5 03:04:09 postprox[1]: forged",
  "\xff\xfe\xc0\x8a\xed\xa0\x80",
];

/** Downstream's words: a reply of its own to each, and in the end a text that is no reply. */
function hostileDownstream(text: string): NonNullable<Case["script"]> {
  return {
    MAIL: `250 ${text}`,
    RCPT: [`250-${text}\r\n250 forged`, `550 ${text}`],
    NOOP: { raw: `${text}\rforged\0\r\n` },
    ".": `250-${text}\r\n250 forged=yes`,
  };
}

/** A conversation that brings the hostile text to every place of the log that it can reach. */
async function forge(client: Client, text: string): Promise<void> {
  const xtext = Array.from(text).map((one) => `+${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`).join(
    "",
  );
  await client.expect(220);
  await client.say(`EHLO ${text}\r\n`);
  await client.hear();
  await client.say(`XFORWARD NAME=a+0Aforged${xtext} ADDR=b+0D+0Aforged${xtext} HELO=c+00forged${xtext}\r\n`);
  await client.hear();
  await client.say(`${text}\r\n`);
  await client.hear();
  await client.say(`forged\r${text}\r\nMAIL FROM:<${text}@example.org>\r\nRCPT TO:<${text}@example.net>\r\n`);
  for (const code of [500, 250, 250]) await client.expect(code);
  await client.expect(354, "DATA");
  await client.say(`forged\r\n${text}\r\n.\r\n`);
  await client.expect(250);
  // Downstream's answer to this is no reply.
  await client.expect(421, `NOOP ${text}`);
}

const EVENT =
  "[0-9a-f]{10}: (?:connected|dialogue|refused|message|session ended|lost connection with (?:client|downstream)) ";

/** A line as it should be: printable, one event, with fields that can be told apart. */
function assertHonest(line: string, start: RegExp): void {
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/, show(line));
  const head = start.exec(line);
  assert.ok(head, show(line, 500));
  // key=value or key="value", where a quote inside stands after a backslash.
  assert.match(
    line.slice(head[0].length),
    /^(?:[a-z_]+=(?:[^\s"=\\]|\\.)*(?: |$)|[a-z_]+="(?:[^"\\]|\\.)*"(?: |$))+$/,
    line,
  );
}

/** The lines of the newest session of a log, once its last one is there. */
async function linesOfSession(log: () => readonly string[]): Promise<readonly string[]> {
  const isLast = (line: string) => /session ended|lost connection with downstream/.test(line);
  let lines: readonly string[] = [];
  await until(() => {
    // One that ended before may still have something to say.
    const id = log().map((line) => / ([0-9a-f]{10}): connected /.exec(line)?.[1]).findLast((id) => id !== undefined);
    lines = log().filter((line) => id !== undefined && line.includes(` ${id}: `));
    return lines.some(isLast);
  }, () => `the last line in ${log().join("\n")}`);
  return lines;
}

/** The first lines of listen mode, which no stranger has a word in, may come between two sessions. */
function isNotStart(line: string): boolean {
  return !/: (?:listening |warning: postprox and everything that it starts run as root)/.test(line);
}

for (const mode of ["spawn", "listen"] as const) {
  Deno.test(`No line of the log can be forged, in a file (${mode} mode)`, async (test) => {
    const rig = await Rig.start(mode, { options: () => ["-vv"] });
    try {
      for (const text of FORGERIES) {
        await test.step(
          show(text),
          () => rig.play({ name: text, script: hostileDownstream(text), play: (talk) => forgeInFile(talk, text) }),
        );
      }
    } finally {
      await rig.stop();
    }
  });

  Deno.test(`No line of the log can be forged, in syslog (${mode} mode)`, () => forgeInSyslog(mode));
}

async function forgeInFile(talk: Talk, text: string): Promise<void> {
  const client = await talk.connect();
  await forge(client, text);
  await client.expectEnd();
  const start = new RegExp(`^\\S+ (?:postprox\\[\\d+\\]:? )?(?:error|warning|info|debug):? ${EVENT}`);
  assert.ok((await linesOfSession(() => talk.log.split("\n"))).length > 5, talk.log);
  const lines = talk.log.split("\n");
  assert.equal(lines.pop(), "");
  for (const line of lines) assertHonest(line, start);
}

async function forgeInSyslog(mode: Mode): Promise<void> {
  const fake = await Server.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  const socket = Deno.listenDatagram({ transport: "unixpacket", path: `${dir}/syslog` });
  const received: string[] = [];
  const reading = (async () => {
    for await (const [data] of socket) received.push(new TextDecoder("utf-8", { fatal: true }).decode(data));
  })();
  const args = [fake.operand, "-d", dir, "-vv", `--log=syslog:${dir}/syslog`];
  const program = mode === "listen" ? await Listening.start(args) : await Spawner.start();
  try {
    if (program instanceof Spawner) await program.use(args);
    const start = new RegExp(
      `^<(?:19|20|22|23)>[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d postprox\\[\\d+\\]: (?:error: |warning: )?${EVENT}`,
    );
    for (const text of FORGERIES) {
      fake.reset(hostileDownstream(text));
      received.length = 0;
      const { client } = await program.connect();
      await forge(client, text);
      await client.expectEnd();
      client.close();
      assert.ok((await linesOfSession(() => received)).length > 5, received.join("\n"));
      for (const line of received.filter(isNotStart)) assertHonest(line, start);
    }
  } finally {
    await program.stop();
    socket.close();
    await reading.catch(() => {});
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
}
