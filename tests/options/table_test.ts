// Tests of lib/options/table.ts and help.ts: no name comes twice, and no option is missing in the help.

import assert from "node:assert/strict";
import { helpText } from "../../lib/options/help.ts";
import { defaultOptions } from "../../lib/options/options.ts";
import { OPTIONS } from "../../lib/options/table.ts";

Deno.test("OPTIONS has each name once, and names that a shell can take", () => {
  const names = OPTIONS.flatMap(({ short, long }) => short === undefined ? [long] : [short, long]);
  assert.equal(new Set(names).size, names.length);
  for (const { short, long } of OPTIONS) {
    assert.match(long, /^[a-z][a-z-]+$/);
    assert.match(short ?? "x", /^[A-Za-z]$/);
  }
});

Deno.test("OPTIONS has every option of the manual", () => {
  const pairs = OPTIONS.map(({ short, long }) => `${short} ${long}`);
  const manual = ["c command", "d tempdir", "t timeout", "r reject", "v verbose", "l listen", "h help", "L license"];
  for (const pair of [...manual, "V version"]) assert.ok(pairs.includes(pair), pair);
});

Deno.test("helpText names each option with its value, and says something of it, within 80 columns", () => {
  const lines = helpText().split("\n");
  for (const { short, long, value, valueIsOptional, help } of OPTIONS) {
    const at = lines.findIndex((line) => new RegExp(`^ +(-.,)? *--${long}([ =[]|$)`).test(line));
    assert.ok(at >= 0, `--${long} is not in the help`);
    const entry = lines[at]!;
    if (short) assert.ok(entry.includes(`-${short}, `), entry);
    const forms = valueIsOptional ? [`[=${value}]`] : [` ${value}`, `=${value}`];
    if (value) assert.ok(forms.some((form) => entry.endsWith(`--${long}${form}`) || entry.includes(`${form} `)), entry);
    const words = lines.slice(at, at + 5).join(" ").replace(/\s+/g, " ");
    assert.ok(words.includes(help), `the help of --${long} is torn: ${words}`);
  }
  for (const line of lines) assert.ok(line.length <= 80, line);
  assert.ok(helpText().endsWith("\n"));
});

Deno.test("helpText tells the defaults that the program has", () => {
  const defaults = defaultOptions({ transport: "tcp", host: "x", port: 1 });
  const seconds: Record<string, number> = {
    "timeout": defaults.timeout,
    "message-timeout": defaults.messageTimeout,
    "client-timeout": defaults.clientTimeout,
    "session-timeout": defaults.sessionTimeout,
    "connect-timeout": defaults.connectTimeout,
    "reply-timeout": defaults.replyTimeout,
    "dot-timeout": defaults.dotTimeout,
    "keepalive": defaults.keepalive,
    "dns-timeout": defaults.dnsTimeout,
    "rules-delay": defaults.rulesDelay,
    "tarpit-delay": defaults.tarpitDelay,
    "tarpit-max": defaults.tarpitMax,
  };
  for (const [name, value] of Object.entries(seconds)) {
    const row = OPTIONS.find(({ long }) => long === name);
    assert.match(row?.help ?? "", new RegExp(`\\(default ${value / 1000}\\b`), name);
  }
  const clients = OPTIONS.find(({ long }) => long === "max-clients");
  assert.match(clients!.help, new RegExp(`default ${defaults.maxClients}\\b`));
});

Deno.test("defaultOptions are those of the manual", () => {
  const defaults = defaultOptions({ transport: "tcp", host: "x", port: 1 });
  assert.equal(defaults.timeout, 30_000);
  assert.equal(defaults.messageTimeout, 90_000);
  // CONTRACT, downstream idle: before Postfix under stress hangs up (smtpd_timeout), with room for a busy machine.
  assert.ok(defaults.keepalive <= 8_000);
  assert.equal(defaults.tempdir, "/tmp");
  assert.equal(defaults.reject, false);
  assert.equal(defaults.allowDiscard, false);
  assert.equal(defaults.command, "");
  assert.equal(defaults.verbosity, 0);
  assert.equal(defaults.listen, undefined);
});
