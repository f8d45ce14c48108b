// A wrong value of any option, on the command line or in a configuration file: one line that names the option, quotes the
// value and says what would be right, and status 64. Nothing is started.
//
// The test goes over all options that there are. A new option needs a row here only if its kind of value is new.

import assert from "node:assert/strict";
import { run } from "../../lib/app.ts";
import { allOptions, COMMANDS } from "../../lib/commands/commands.ts";
import {
  COMMAND,
  COUNT,
  COUNT_OR_0,
  DIRECTORY,
  FACTOR,
  FILE,
  type Kind,
  SCORE,
  SECONDS,
  SIZE,
} from "../../lib/options/kinds.ts";
import { type OptionRow, rowsOf } from "../../lib/options/table.ts";
import {
  CHECK_ACTION,
  CHECK_ON_ERROR,
  CLIENT,
  DNS_LIST,
  EXIT_STATUSES,
  GREETING,
  LIST_NAME,
  LISTEN,
  LOG,
  LOG_FORMAT,
  MAILBOX,
  METRICS,
  MODE,
  NAME_SERVER,
  NETWORKS,
  NEXT_COMMAND,
  PID_FILE,
  USER,
  WORKERS,
} from "../../lib/settings/kinds.ts";
import { SETTINGS } from "../../lib/settings/settings.ts";
import { quote } from "../../lib/text/quoting.ts";
import { bytesOf } from "../../lib/text/octets.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

const OPTIONS = await allOptions();
const CONFIG = "/etc/postprox.conf";

function kindOf(long: string): Kind<unknown> {
  return OPTIONS.find((row) => row.long === long)!.kind!;
}

/** Of each kind: wrong values, and a right one, if the line for one of them shows that. */
const WRONG: readonly (readonly [kind: Kind<unknown>, wrong: readonly string[], right?: string])[] = [
  [SECONDS, ["0", "-5", "soon", "0.0001", "604801", "1e3"], "30"],
  [SIZE, ["0", "-1", "1.5M", "10T", "9999999999999"], "10M"],
  [COUNT, ["0", "-1", "1.5", "many", "9999999999"], "100"],
  [COUNT_OR_0, ["-1", "1.5", "many", "9999999999"], "100"],
  [SCORE, ["high", "1,5", "1.2345", "1000000"], "7.5"],
  [FACTOR, ["0.9", "x", "10000"], "1.5"],
  [WORKERS, ["0", "-1", "many", "1025"], "auto"],
  [MODE, ["8", "rw", "1777", "0x1b0"], "0660"],
  [FILE, [""]],
  [PID_FILE, [""]],
  [DIRECTORY, [""]],
  // Any text may be a command, and an empty one is none.
  [COMMAND, []],
  [NEXT_COMMAND, ["", "  "], "/usr/local/bin/filter"],
  [USER, ["", "-x", "a b", "a:b"], "postprox"],
  [LISTEN, ["0", "mx", "[::1", ":25", "unix:", "1.2.3.4:x"], "10025"],
  [METRICS, ["0", "mx", "1:2:3"], "9825"],
  [NAME_SERVER, ["mx.example", "192.0.2.1:0", "[192.0.2.1]"], "127.0.0.1:5353"],
  [DNS_LIST, ["a..b", "1.2.3.4", "x=", "x=10.0.0.1"], "bl.example.org=127.0.0.2-11"],
  [LIST_NAME, ["bl.example.org", "=x", "127.0.0.2=x", "a.b="], "key.bl.example.org=bl.example.org"],
  [NETWORKS, ["localhost", "192.0.2.0/33", "192.0.2"], "192.0.2.0/24,198.51.100.7,2001:db8::/32"],
  [CHECK_ACTION, ["clamd", "clam=tag", "clamd=pass", "=tag"], "command=log"],
  [CHECK_ON_ERROR, ["urls", "url=pass", "urls=reject"], "command=tempfail"],
  [EXIT_STATUSES, ["1", "0=pass", "256=pass", "1=accept", "5-4=pass"], "69,100-110=tempfail"],
  [LOG, ["", "nowhere", "stdout", "syslog:log"], "./postprox.log"],
  [LOG_FORMAT, ["xml", "JSON"], "plain"],
  [kindOf("bare-newline"), ["maybe", "Accept"], "accept"],
  [kindOf("clamd"), ["127.0.0.1", "127.0.0.1:0", "unix:", "3310", "[::1]"], "unix:/run/clamav/clamd.ctl"],
  [kindOf("rspamd"), ["127.0.0.1", "http://127.0.0.1:11333/"], "127.0.0.1:11333"],
  [kindOf("spamd"), ["localhost", "a b:783"], "127.0.0.1:783"],
  [kindOf("postfix-config"), ["never"], "listen"],
  [kindOf("print-config"), ["some"], "changed"],
  [MAILBOX, ["a b", "a<b"], "someone@example.org"],
  [CLIENT, ["mx.example", "192.0.2"], "192.0.2.7"],
  [GREETING, ["", "a b"], "mx.example.org"],
];

/** For each command that has the option, a line with `word`. */
async function linesWith(row: OptionRow, word: string): Promise<string[][]> {
  const lines: string[][] = [];
  for (const command of COMMANDS) {
    const own = await command.own?.();
    if (own && rowsOf(own.settings).some((setting) => setting === row)) lines.push([command.word!, word]);
  }
  return lines.length > 0 ? lines : [[word]];
}

/** The one line of a start that fails. */
async function complaint(args: readonly string[], file = ""): Promise<string> {
  const runtime = new FakeRuntime();
  runtime.files.replace(CONFIG, bytesOf(file));
  assert.equal(await run(runtime, args), 64, `${args.join(" ")} ${file}`);
  assert.equal(runtime.out, "");
  assert.deepEqual([runtime.network.connects, runtime.network.listeners, runtime.processes.children], [[], [], []]);
  const [, line] = /^postprox: ([^\n]+)\n$/.exec(runtime.err) ?? [];
  assert.ok(line !== undefined, `one line: ${runtime.err}`);
  return line;
}

/** What the line says would be right. It begins with `place`, and quotes the value or a part of it. */
function hintIn(line: string, place: string, value: string): string {
  assert.ok(line.startsWith(place), `${line} does not begin with ${place}`);
  const [, quoted, hint = ""] = /^"((?:[^"\\]|\\.)*)" .*?: (give .+)$/.exec(line.slice(place.length)) ?? [];
  assert.ok(quoted !== undefined && quote(value).includes(quoted), `${line} does not quote ${value}`);
  return hint;
}

for (const row of OPTIONS) {
  const { long, short, kind } = row;
  const isInFile = long !== "config" && rowsOf(SETTINGS).some((setting) => setting === row);

  Deno.test(`--${long}: a line says what would be right in place of a wrong value`, async () => {
    if (!kind) {
      for (const line of await linesWith(row, `--${long}=x`)) {
        assert.equal(await complaint(line), `option --${long} takes no value: give --${long} alone`);
      }
      if (!isInFile) return;
      const line = await complaint([`--config=${CONFIG}`], `${long} = perhaps\n`);
      assert.match(hintIn(line, `${CONFIG}:1: ${long} = perhaps: `, "perhaps"), /^give yes or no/);
      return;
    }
    const [, wrong, right = ""] = WRONG.find(([of]) => of === kind) ?? [];
    assert.ok(wrong, `the kind of --${long} is new: add wrong values to WRONG`);
    const hints: string[] = [];
    for (const value of wrong) {
      for (const line of await linesWith(row, `--${long}=${value}`)) {
        hints.push(hintIn(await complaint(line), `option ${short ? `-${short}, ` : ""}--${long}: `, value));
      }
      // An empty value in a file is the default.
      if (!isInFile || value.trim() === "") continue;
      const line = await complaint([`--config=${CONFIG}`], `${long} = ${value}\n`);
      hints.push(hintIn(line, `${CONFIG}:1: ${long} = ${value}: `, value));
    }
    assert.ok(wrong.length === 0 || hints.some((hint) => hint.includes(right)), `none shows ${right}: ${hints}`);
    if (right !== "") kind.parse(right);
    if (row.valueIsOptional) return;
    for (const name of [`--${long}`, ...short ? [`-${short}`] : []]) {
      for (const line of await linesWith(row, name)) {
        assert.equal(await complaint(line), `option ${name} needs a value: give ${name} ${kind.shown}`);
      }
    }
  });
}

Deno.test("next-hop: a line says what would be right in place of a wrong value", async () => {
  for (const value of ["mx:0", "mx:25:25", "unix:", "a b"]) {
    const line = await complaint([`--config=${CONFIG}`], `next-hop = ${value}\n`);
    assert.match(hintIn(line, `${CONFIG}:1: next-hop = ${value}: `, value), /^give /);
  }
});
