// Tests of lib/checks/content_rules/file.ts: which lines are rules, and each kind of error with its line.

import assert from "node:assert/strict";
import { parseContentRules } from "../../../lib/checks/content_rules/file.ts";
import { RulesError } from "../../../lib/text/line_error.ts";
import { finish } from "../../pattern/lines.ts";
import { octets } from "../../rig/octets.ts";

/** The file on the Spammer Deterrent page. */
const EXAMPLE = `# ban friend@public emails
From: Friend@public.com
To: Friend@public.com

# ban the snowwhite virius
From: hahaha@sexyfun.net

# ban any emails with VisualBasic Script attachments
name\\=".*\\.vbs"
`;

Deno.test("parseContentRules finds the rules and knows their lines", () => {
  const rows: readonly [file: string, lines: readonly number[]][] = [
    [EXAMPLE, [2, 3, 6, 9]],
    ["", []],
    ["\n\n", []],
    ["a", [1]],
    ["a\nb\n", [1, 2]],
    ["a\r\nb\r\n", [1, 2]],
    // Comments begin at the first octet, and nothing else does.
    ["#a\n #b\na#b\n", [2, 3]],
    ["\\#a\n", [1]],
    // Lines of blanks, which would match nearly all mail.
    [" \n\t\n \t\r\nb\n", [4]],
    ["\xe9\n", [1]],
  ];
  for (const [file, lines] of rows) {
    assert.deepEqual(parseContentRules(octets(file)).lines, lines, JSON.stringify(file));
  }
});

Deno.test("parseContentRules: the rules match what they should, octet by octet", () => {
  const rows: readonly [file: string, line: string, rule?: number][] = [
    [EXAMPLE, "From: friend@PUBLIC.com", 2],
    [EXAMPLE, "from: Friend@public.com (Friend)", 2],
    [EXAMPLE, '\tfilename="love.txt.VBS"', 9],
    [EXAMPLE, "Subject: hello"],
    // Blanks at the ends of a line belong to the expression.
    [" a \n", "b a c", 1],
    [" a \n", "a"],
    ["a\r\n", "a", 1],
    ["caf\xe9\n", "caf\xe9", 1],
    ["caf\xe9\n", "caf\xc3\xa9"],
    ["\xef\xbb\n", "\xef\xbb", 1],
  ];
  for (const [file, line, rule] of rows) {
    const { patterns, lines } = parseContentRules(octets(file));
    const match = finish(patterns.scan().take(octets(`${line}\n`)));
    assert.equal(match && lines[match.expression], rule, JSON.stringify([file, line]));
  }
});

Deno.test("parseContentRules names the wrong line and its mistake", () => {
  const rows: readonly [line: string, message: RegExp][] = [
    ["\\(a", /unmatched \\\(/],
    ["a\\)", /unmatched \\\)/],
    ["a\\{1", /unmatched \\\{/],
    ["a\\{x\\}", /invalid content of \\\{\\\}/],
    ["a\\{2,1\\}", /invalid content of \\\{\\\}/],
    ["a\\{32768\\}", /larger than 32767/],
    ["[a", /unmatched \[/],
    ["[[:alpha:]", /unmatched \[/],
    ["[b-a]", /range .* ends before it starts/],
    ["[a-c-e]", /a - in brackets/],
    ["[[:vowel:]]", /\[:vowel:\] is no class: give one of alnum/],
    ["[[.space.]]", /\[\.space\.\] is not known/],
    ["[:space:]", /give \[\[:space:\]\]/],
    ["a\\", /trailing backslash/],
    ["\\1", /\\1 refers to a group that does not end before it/],
    ["\\(a\\1\\)", /\\1 refers to a group/],
    ["\\(a\\{1,300\\}\\)\\{1,300\\}", /automaton of more than 50000 steps/],
    [`${"\\(".repeat(251)}a${"\\)".repeat(251)}`, /nested more than 250 deep/],
  ];
  for (const [line, message] of rows) {
    const parse = () => parseContentRules(octets(`# rules\n\ngood\n${line}\nbad \\(\n`));
    assert.throws(
      parse,
      (error) => error instanceof RulesError && error.line === 4 && message.test(error.message),
      line,
    );
  }
});

Deno.test("parseContentRules refuses an expression that would refuse every message", () => {
  const empty = [
    "^",
    "$",
    "^$",
    ".*",
    "x*",
    "^.*$",
    "a\\?",
    "a\\{0,3\\}",
    "\\(\\)",
    "\\(a\\|\\)",
    "a\\|",
    "\\(a*\\)\\1",
    "\\B",
  ];
  const any = [".", "..*", ".\\+", "^.", "[^ ]", "[^x]$", "\\S", "a\\|."];
  for (
    const [lines, what] of [[empty, "the empty line after each header"], [any, "any line that is not empty, "]] as const
  ) {
    for (const line of lines) {
      assert.throws(
        () => parseContentRules(octets(`# rules\nviagra\n[[:cntrl:]]x\n${line}\n`)),
        (error) => error instanceof RulesError && error.line === 4 && error.message.includes(`it matches ${what}`),
        line,
      );
    }
  }
  // These match much.
  const rows = [
    "e",
    "[[:cntrl:]]",
    "[^ -~]",
    "[^0-9]",
    "[^-]",
    "[a-z]",
    "[0-9]",
    "\\w",
    "a ",
    "^[^ ]*:$",
    "\\(a*\\)b\\1",
    "^  *$",
    "a^b",
  ];
  for (const line of rows) assert.deepEqual(parseContentRules(octets(`${line}\n`)).lines, [1], line);
});

Deno.test("parseContentRules refuses lines of header_checks", () => {
  const rows = [
    "/^Subject: make money fast/ REJECT",
    "/^Subject: make money fast/     REJECT No money",
    "/viagra/i DISCARD",
    "  /viagra/ REJECT",
    "\tendif",
    "/viagra/xims dunno",
    "/a\\/b/ WARN",
    "!/^From: .*@example\\.org/ REJECT",
    "~^Content-Type: .*name=~ HOLD",
    "|^X-Spam|i PREPEND X-Seen: yes",
    "/^Subject:/",
    "/^Subject:/i",
    "/viagra$/",
    "!/viagra/",
    "if /^Subject:/",
    "if !/^Subject:/i",
    "endif",
    "    REJECT No money",
    "\tDUNNO",
    "/x/ filter smtp:[127.0.0.1]:10025",
  ];
  for (const line of rows) {
    assert.throws(
      () => parseContentRules(octets(`# rules\ngood\n${line}\r\n`)),
      (error) =>
        error instanceof RulesError && error.line === 3 && /header_checks.*: give a basic /.test(error.message),
      line,
    );
  }
  // Expressions that are a little like them.
  const expressions = [
    "/cgi-bin/",
    "/etc/passwd ok",
    "/usr/bin/perl",
    "http://x/y REJECT",
    "REJECT",
    " rejected",
    "if you",
    "endif;",
    "%s%s%s%s",
    "/a/b HOLDING",
  ];
  for (const line of expressions) assert.deepEqual(parseContentRules(octets(`${line}\n`)).lines, [1], line);
});
