// Tests of lib/options/parse.ts: the command line is read as GNU getopt_long reads it, and wrong use is told in one line.

import assert from "node:assert/strict";
import { defaultOptions, type Options, UsageError } from "../../lib/options/options.ts";
import { parseCommandLine } from "../../lib/options/parse.ts";

const MX = { transport: "tcp", host: "mx", port: 25 } as const;

/** What an option line changes of the defaults. */
function changes(...args: string[]): Partial<Options> {
  const parsed = parseCommandLine(args);
  assert.ok(parsed.kind === "run", args.join(" "));
  const defaults = defaultOptions(MX) as unknown as Record<string, unknown>;
  const changed = Object.entries(parsed.options).filter(([key, value]) => {
    try {
      assert.deepEqual(value, defaults[key]);
      return false;
    } catch {
      return true;
    }
  });
  return Object.fromEntries(changed);
}

const ROWS: readonly [args: string, changed: Partial<Options>][] = [
  ["mx", {}],
  // Before the operand, behind it, on both sides.
  ["-r mx", { reject: true }],
  ["mx -r", { reject: true }],
  ["-r mx -v", { reject: true, verbosity: 1 }],
  // Clustered and attached letters.
  ["-rv mx", { reject: true, verbosity: 1 }],
  ["-vvv mx", { verbosity: 3 }],
  ["-v -v mx", { verbosity: 2 }],
  ["-ccat mx", { command: "cat" }],
  ["-c cat mx", { command: "cat" }],
  ["-rccat mx", { reject: true, command: "cat" }],
  ["-rt1 mx", { reject: true, timeout: 1000 }],
  ["-rvc cat mx", { reject: true, verbosity: 1, command: "cat" }],
  // The value may be whatever stands there.
  ["-c -r mx", { command: "-r" }],
  ["-c -- mx", { command: "--" }],
  ["--command -r mx", { command: "-r" }],
  ["-c=x mx", { command: "=x" }],
  // Long names: with = or the next word, shortened as long as only one begins so.
  ["--timeout=5 mx", { timeout: 5000 }],
  ["--timeout 5 mx", { timeout: 5000 }],
  ["--timeo=5 mx", { timeout: 5000 }],
  ["--ti 5 mx", { timeout: 5000 }],
  ["--command= mx", {}],
  ["--command=a=b mx", { command: "a=b" }],
  ["--rej mx", { reject: true }],
  // The exact name wins over the longer ones that begin so.
  ["--log=stderr mx", { log: { kind: "stderr" } }],
  // -- ends the options.
  ["-r -- mx", { reject: true }],
  ["-- mx", {}],
  ["mx --", {}],
  // The last of a repeated option wins.
  ["-c a -c b mx", { command: "b" }],
  ["-t 5 --timeout 7 mx -t9", { timeout: 9000 }],
];

Deno.test("parseCommandLine reads options as getopt_long does", () => {
  for (const [line, changed] of ROWS) assert.deepEqual(changes(...line.split(" ")), changed, line);
});

Deno.test("parseCommandLine takes an empty value that stands for itself", () => {
  assert.deepEqual(changes("-c", "x", "-c", "", "mx"), {});
});

Deno.test("parseCommandLine takes every option of the manual under both its names", () => {
  const rows: readonly [short: string, long: string, changed: Partial<Options>][] = [
    ["-c x", "--command x", { command: "x" }],
    ["-d /x", "--tempdir /x", { tempdir: "/x" }],
    ["-t 1.5", "--timeout 1.5", { timeout: 1500 }],
    ["-r", "--reject", { reject: true }],
    ["-v", "--verbose", { verbosity: 1 }],
    ["-l 10025", "--listen 10025", { listen: { transport: "tcp", host: "127.0.0.1", port: 10025 } }],
  ];
  for (const [short, long, changed] of rows) {
    assert.deepEqual(changes(...short.split(" "), "mx"), changed);
    assert.deepEqual(changes(...long.split(" "), "mx"), changed);
  }
});

Deno.test("parseCommandLine takes every further option", () => {
  const rows: readonly [line: string, changed: Partial<Options>][] = [
    ["--allow-discard", { allowDiscard: true }],
    ["--edit-in-place", { editInPlace: true }],
    ["--strict-exit", { strictExit: true }],
    ["--exit-status=69,70-71=tempfail", {
      exitStatus: new Map([[69, "tempfail"], [70, "tempfail"], [71, "tempfail"]]),
    }],
    ["--bare-newline=reject", { bareNewline: "reject" }],
    ["--log=./x", { log: { kind: "file", path: "./x" } }],
    ["--max-clients=7", { maxClients: 7 }],
    ["--max-message-size=10M", { maxMessageSize: 10 * 1024 * 1024 }],
    ["--message-timeout=1", { messageTimeout: 1000 }],
    ["--client-timeout=1", { clientTimeout: 1000 }],
    ["--session-timeout=1", { sessionTimeout: 1000 }],
    ["--connect-timeout=1", { connectTimeout: 1000 }],
    ["--reply-timeout=1", { replyTimeout: 1000 }],
    ["--dot-timeout=1", { dotTimeout: 1000 }],
    ["--keepalive=1", { keepalive: 1000 }],
    ["--check-rules=./rules", { checkRules: "./rules" }],
    ["--rules-delay=1.5", { rulesDelay: 1500 }],
    ["--filter-rules=./rules", { filterRules: "./rules" }],
    ["--extchk=/usr/lib/check", { extchk: "/usr/lib/check" }],
    ["--defer-rcpt-refusals", { deferRcptRefusals: true }],
    ["--tarpit-after=5", { tarpitAfter: 5 }],
    ["--tarpit-delay=1", { tarpitDelay: 1000 }],
    ["--tarpit-multiplier=1.25", { tarpitMultiplier: 1.25 }],
    ["--tarpit-max=9", { tarpitMax: 9000 }],
    ["--check-sender-domain", { checkSenderDomain: true }],
    ["--dnsbl=a.test", { dnsbl: [{ zone: "a.test", addresses: undefined }] }],
    ["--dnswl=a.test", { dnswl: [{ zone: "a.test", addresses: undefined }] }],
    ["--list-name=a.test=x", { listNames: new Map([["a.test", "x"]]) }],
    ["--rhsbl=a.test", { rhsbl: [{ zone: "a.test", addresses: undefined }] }],
    ["--dns-server=192.0.2.1", { dnsServer: { address: "192.0.2.1", port: 53 } }],
    ["--dns-timeout=1", { dnsTimeout: 1000 }],
  ];
  for (const [line, changed] of rows) assert.deepEqual(changes(line, "mx"), changed);
  assert.equal(changes("--foreground", "-l", "1", "mx").foreground, true);
});

Deno.test("parseCommandLine keeps all of an option that may be repeated", () => {
  const lists = ["a.test", "b.test"].map((zone) => ({ zone, addresses: undefined }));
  assert.deepEqual(changes("--dnsbl", "a.test", "mx", "--dnsbl=b.test"), { dnsbl: lists });
  // The last setting of a status counts.
  assert.deepEqual(changes("--exit-status=1-3=pass", "mx", "--exit-status", "2=fail"), {
    exitStatus: new Map([[1, "pass"], [2, "fail"], [3, "pass"]]),
  });
  const names = new Map([["a.test", "z"], ["b.test", "y"]]);
  assert.deepEqual(changes("--list-name=a.test=x", "mx", "--list-name=b.test=y", "--list-name=A.test.=z"), {
    listNames: names,
  });
  // Of one command line.
  assert.deepEqual(changes("mx"), {});
});

Deno.test("parseCommandLine ends at -h, -L and -V, wherever they stand", () => {
  const rows: readonly [line: string, kind: string][] = [
    ["-h", "help"],
    ["--help", "help"],
    ["--he", "help"],
    ["mx -rh --no-such-option", "help"],
    ["-L", "license"],
    ["--license mx", "license"],
    ["-V", "version"],
    ["-rvV", "version"],
    ["--vers", "version"],
    ["-V -h", "version"],
  ];
  for (const [line, kind] of rows) assert.equal(parseCommandLine(line.split(" ")).kind, kind, line);
  // Behind -- or as a value they are nothing special.
  assert.deepEqual(changes("-c", "-h", "mx"), { command: "-h" });
});

Deno.test("parseCommandLine reads on behind --postfix-config, whose value may be left out", () => {
  const rows: readonly [line: string, mode: string, operand: string, given: string][] = [
    ["--postfix-config", "spawn", "127.0.0.1:10026", "postfix-config"],
    ["--postfix-config=listen", "listen", "127.0.0.1:10026", "postfix-config"],
    ["--postfix-config listen", "listen", "127.0.0.1:10026", "postfix-config"],
    ["--postf spawn", "spawn", "127.0.0.1:10026", "postfix-config"],
    // Only the two words are taken for its value.
    ["--postfix-config mx:1", "spawn", "mx:1", "postfix-config"],
    ["--postfix-config -- spawn", "spawn", "spawn", "postfix-config"],
    ["mx --postfix-config", "spawn", "mx", "postfix-config"],
    ["--postfix-config spawn listen", "spawn", "listen", "postfix-config"],
    ["--postfix-config spawn --postfix-config=listen mx", "listen", "mx", "postfix-config postfix-config"],
    ["-v --postfix-config -c cat -t 5 mx", "spawn", "mx", "verbose postfix-config command=cat timeout=5"],
  ];
  for (const [words, mode, operand, given] of rows) {
    const parsed = parseCommandLine(words.split(" "));
    assert.ok(parsed.kind === "postfix-config", words);
    const { line } = parsed;
    assert.equal(line.options.postfixConfig, mode, words);
    assert.equal(line.operand, operand, words);
    const text = line.given.map(({ row, text }) =>
      row.long === "postfix-config" || !text ? row.long : `${row.long}=${text}`
    );
    assert.equal(text.join(" "), given, words);
  }
});

const WRONG: readonly [args: readonly string[], words: RegExp][] = [
  // The operand.
  [[], /no server is named.*HOST:PORT/],
  [["-r"], /no server/],
  [["mx", "mx2"], /"mx2"/],
  [["mx", "--", "-r"], /"-r"/],
  [[""], /names no host/],
  // Unknown and ambiguous names.
  [["-x", "mx"], /"-x" is not known/],
  [["-rx", "mx"], /"-x" is not known/],
  [["--nope", "mx"], /"--nope" is not known/],
  [["--nope=1", "mx"], /"--nope" is not known/],
  [["--ver", "mx"], /ambiguous.*--verbose or --version|ambiguous.*--version or --verbose/],
  [["--l", "mx"], /ambiguous/],
  [["--c=x", "mx"], /ambiguous/],
  [["--=x", "mx"], /not known/],
  // Values that are missing or too many.
  [["mx", "-c"], /-c needs a value.*COMMAND/],
  [["mx", "-rvc"], /-c needs a value/],
  [["mx", "--timeout"], /--timeout needs a value.*SEC/],
  [["--reject=yes", "mx"], /--reject takes no value/],
  [["--help=", "mx"], /--help takes no value/],
  // One that needs another.
  [["--foreground", "mx"], /--foreground is for listen mode: give -l/],
  // Values that are none.
  [["-t", "abc", "mx"], /-t, --timeout: "abc".*such as/],
  [["-t", "-5", "mx"], /--timeout/],
  [["-t", "", "mx"], /--timeout/],
  [["-d", "", "mx"], /--tempdir/],
  [["-l", `unix:/${"x".repeat(107)}`, "mx"], /too long/],
  [["-l", "x y", "mx"], /-l, --listen/],
  [["--max-clients=0", "mx"], /--max-clients: "0"/],
  [["--bare-newline=maybe", "mx"], /accept or reject/],
  [["--exit-status=0=pass", "mx"], /--exit-status: "0=pass" has status 0.*such as 69,100-110=tempfail/],
  [["--strict-exit=1", "mx"], /--strict-exit takes no value/],
  [["--postfix-config=never"], /--postfix-config: "never".*spawn or listen/],
  [["--postfix-config", "mx", "mx2"], /"mx2"/],
  [["--postfix-config", "-t", "0"], /--timeout/],
];

Deno.test("parseCommandLine tells wrong use in one line that says what would be right", () => {
  for (const [args, words] of WRONG) {
    assert.throws(() => parseCommandLine(args), (error) => {
      assert.ok(error instanceof UsageError, args.join(" "));
      assert.match(error.message, words);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(error.message, /[\x00-\x1f]/);
      return true;
    });
  }
});

Deno.test("parseCommandLine keeps hostile words from tearing its line", () => {
  const evil = `x\n\x1b[2J${"y".repeat(500)}`;
  for (const args of [[evil], [`--${evil}`], ["-t", evil, "mx"], ["mx", evil], [`-\n`, "mx"], ["-l", evil, "mx"]]) {
    assert.throws(() => parseCommandLine(args), (error) => {
      assert.ok(error instanceof UsageError);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(error.message, /[\x00-\x1f\x7f]/);
      assert.ok(error.message.length < 400, error.message);
      return true;
    });
  }
});
