// The completions in real shells. Each shell loads its file as an administrator's would, gets keys, and shows the
// result. bash and zsh run on a terminal of their own (typist.py). fish prints its completions when asked.
//
// Needs bash, zsh, fish and python3, and says so if one is missing.

import assert from "node:assert/strict";
import { allOptions } from "../../lib/commands/commands.ts";
import { withDefault } from "../../lib/options/table.ts";
import { completionFiles, namedCommands } from "../../scripts/completions.ts";
import { fromFileUrl } from "../e2e/paths.ts";
import { runCommand } from "../e2e/start.ts";

const OPTIONS = await allOptions();
const NAMED = await namedCommands();

const TYPIST = fromFileUrl(new URL("./typist.py", import.meta.url));
const NAMES = OPTIONS.flatMap(({ short, long }) => short ? [`-${short}`, `--${long}`] : [`--${long}`]);

/** The typed text, and the words of the command line after completion. */
const COMPLETED: readonly [typed: string, words: readonly string[]][] = [
  ["--ti", ["--timeout"]],
  ["--res", ["--res"]],
  ["-v --tem", ["-v", "--tempdir"]],
  ["-d places/dir", ["-d", "places/directory/"]],
  ["--tempdir places/dir", ["--tempdir", "places/directory/"]],
  // Only a directory will do.
  ["-d places/fi", ["-d", "places/fi"]],
  ["-c places/fi", ["-c", "places/filter"]],
  ["--log places/fi", ["--log", "places/filter"]],
  ["--log std", ["--log", "stderr"]],
  ["--bare-newline rej", ["--bare-newline", "reject"]],
  ["--bare-newline=rej", ["--bare-newline=reject"]],
  ["--postfix-config=li", ["--postfix-config=listen"]],
  ["qua", ["quarantine"]],
  ["quarantine rel", ["quarantine", "release"]],
  ["rel", ["reload"]],
  ["che", ["check"]],
  ["check places/fi", ["check", "places/filter"]],
  ["check x places/fi", ["check", "x", "places/filter"]],
  ["quarantine list --qua", ["quarantine", "list", "--quarantine"]],
  // Only after the command.
  ["mx.example rele", ["mx.example", "rele"]],
  // A number is nobody's to guess.
  ["-t places/fi", ["-t", "places/fi"]],
];

/** A directory with the files, and with some to complete. */
async function inPlace(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  try {
    for (const [name, text] of Object.entries(completionFiles(OPTIONS, NAMED))) {
      Deno.writeTextFileSync(`${directory}/${name}`, text);
    }
    Deno.mkdirSync(`${directory}/places/directory`, { recursive: true });
    Deno.writeTextFileSync(`${directory}/places/filter`, "");
    await test(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function runShell(argv: readonly string[], cwd: string, env: Record<string, string> = {}): Promise<string> {
  const shell = argv[0] === "python3" ? argv[3]! : argv[0]!;
  await assertInstalled(shell);
  const { stdout, stderr } = await runCommand(argv, { cwd, env: { ...env, LC_ALL: "C.UTF-8", TERM: "xterm" } });
  assert.equal(stderr, "");
  return stdout;
}

async function assertInstalled(shell: string): Promise<void> {
  const { status } = await runCommand(["/bin/sh", "-c", `command -v ${shell}`]);
  assert.equal(status, 0, `There is no ${shell} here, and its completions are to be tested: apt-get install ${shell}`);
}

const PROMPT = "type> ";

/** The text on a terminal after each of `lines`. The last one must be `exit`. */
async function type(shell: readonly string[], lines: readonly string[], cwd: string, env?: Record<string, string>) {
  const screen = await runShell(["python3", TYPIST, PROMPT, ...shell, "--", ...lines, "exit\n"], cwd, env);
  // Without what moves the cursor and gives it colours.
  // deno-lint-ignore no-control-regex
  return screen.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, "");
}

// Completes what is typed, and goes to the front of the line to make an argument of each word.
function completing(typed: string): string {
  return `postprox ${typed}\t\x01printf '<%s>' \n`;
}

function assertCompleted(screen: string): void {
  const found = [...screen.matchAll(/(?<=[\r\n])(?:<[^<>]*>)+/g)].map(([words]) => words);
  const expected = COMPLETED.map(([, words]) => ["postprox", ...words].map((word) => `<${word}>`).join(""));
  assert.deepEqual(found, expected, screen);
}

function assertAllListed(screen: string): void {
  for (const name of NAMES) assert.match(screen, new RegExp(`(?<![\\w-])${name}(?![\\w-])`), `${name} in ${screen}`);
}

const SHELLS: Readonly<Record<"bash" | "zsh", { rc: string; file: string; words: (file: string) => string[] }>> = {
  bash: {
    file: ".bashrc",
    words: (file) => ["bash", "--noprofile", "--rcfile", file, "-i"],
    rc: `PS1='${PROMPT}'
bind 'set show-all-if-ambiguous on'
bind 'set completion-query-items 0'
bind 'set page-completions off'
source ./postprox.bash
`,
  },
  zsh: {
    file: ".zshrc",
    words: () => ["zsh", "-i"],
    rc: `PS1='${PROMPT}'
LISTMAX=0
unsetopt auto_remove_slash
fpath=("$PWD" $fpath)
autoload -Uz compinit
compinit -u -D
bindkey -e
`,
  },
};

for (const [name, { rc, file, words }] of Object.entries(SHELLS)) {
  Deno.test(`${name} completes the options and their values`, async () => {
    await inPlace(async (directory) => {
      Deno.writeTextFileSync(`${directory}/${file}`, rc);
      const shell = words(`${directory}/${file}`);
      const lines = COMPLETED.map(([typed]) => completing(typed));
      assertCompleted(await type(shell, lines, directory, { ZDOTDIR: directory }));
    });
  });

  Deno.test(`${name} lists every option after a -`, async () => {
    await inPlace(async (directory) => {
      Deno.writeTextFileSync(`${directory}/${file}`, rc);
      const shell = words(`${directory}/${file}`);
      // Twice, for what begins with one - only, and then away with the line.
      const lines = ["postprox -\t\t\x15\n", "postprox --\t\t\x15\n"];
      const screen = await type(shell, lines, directory, { ZDOTDIR: directory });
      assertAllListed(screen);
      assert.doesNotMatch(screen, /not found|(?<!on-)error|bad /);
    });
  });
}

/** The words that may stand for a value, in place of inPlace(). Nothing is offered for other values. */
const OFFERED: Readonly<Record<string, readonly string[]>> = {
  COMMAND: ["_postprox", "places/", "postprox.bash", "postprox.fish"],
  FILE: ["_postprox", "places/", "postprox.bash", "postprox.fish"],
  DIR: ["places/"],
  WHERE: ["_postprox", "places/", "postprox.bash", "postprox.fish", "stderr", "syslog"],
};

Deno.test("zsh offers for each value what may stand there, and no word of its own", async () => {
  await inPlace(async (directory) => {
    const { rc, file, words } = SHELLS.zsh;
    Deno.writeTextFileSync(`${directory}/${file}`, rc);
    const rows = OPTIONS.filter(({ kind }) => kind !== undefined);
    // Ctrl-D lists what there is and inserts none of it.
    const lines = rows.map(({ long }) => `postprox --${long}=\x04\x15\n`);
    const screen = await type(words(""), lines, directory, { ZDOTDIR: directory });
    const [, ...shown] = screen.split(PROMPT);
    for (const [at, { long, kind }] of rows.entries()) {
      const value = kind!.shown;
      const offered = /\r\n([^\r]*)\rpostprox /.exec(shown[at]!)?.[1]?.trim().split(/ +/) ?? [];
      const expected = value.includes("|") ? value.split("|") : OFFERED[value] ?? kind!.offers?.words ?? [];
      assert.deepEqual(offered.sort(), [...expected].sort(), `--${long}: ${shown[at]}`);
    }
  });
});

async function fishOffers(directory: string, typed: string): Promise<string[]> {
  const script = `source ./postprox.fish; complete -C ${JSON.stringify(`postprox ${typed}`)}`;
  const said = await runShell(["fish", "--no-config", "-c", script], directory, { HOME: directory });
  return said.split("\n").filter((line) => line !== "");
}

Deno.test("fish completes the options and their values", async () => {
  await inPlace(async (directory) => {
    for (const [typed, words] of COMPLETED) {
      const offers = (await fishOffers(directory, typed)).map((line) => line.split("\t")[0]);
      const last = typed.split(" ").at(-1)!;
      const completed = words.at(-1)!;
      assert.deepEqual(offers, completed === last ? [] : [completed], typed);
    }
  });
});

Deno.test("fish lists every option after a -, with a text for each", async () => {
  await inPlace(async (directory) => {
    const offers = new Map((await fishOffers(directory, "-")).map((line) => line.split("\t") as [string, string]));
    for (const row of OPTIONS) {
      const { short, long } = row;
      const help = withDefault(row.help, row);
      assert.equal(offers.get(`--${long}`), help);
      if (short) assert.equal(offers.get(`-${short}`), help);
    }
  });
});
