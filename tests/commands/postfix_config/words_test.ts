// Tests of lib/commands/postfix_config/words.ts. Each kind of quoting is read by a reader that follows the real
// program: mystrtokq() and extpar() of Postfix, sh(1), systemd.service(5).

import assert from "node:assert/strict";
import { UsageError } from "../../../lib/ports/start_error.ts";
import { formatMasterWord, settingPath, shellWord, unitWord } from "../../../lib/commands/postfix_config/words.ts";
import { runCommand } from "../../e2e/start.ts";

/** Words of all characters that mean something to somebody. */
function randomWords(seed: number): string[] {
  let state = seed;
  const next = (
    below: number,
  ) => (state = (state * 1103515245 + 12345) % 2147483648, Math.floor(state / 65536) % below);
  const characters = "a {}{}  $%'\"\\#;=,-\u00e4\t*~`!&|<>()";
  return Array.from(
    { length: 3000 },
    () => Array.from({ length: next(9) }, () => characters[next(characters.length)]).join(""),
  );
}

/** Words of a master.cf line as Postfix 3.7 reads them: mystrtokq(3), and extpar(3) with EXTPAR_FLAG_STRIP. */
function readMaster(line: string): string[] {
  const words: string[] = [];
  for (let at = 0; at < line.length;) {
    if (" \t".includes(line[at]!)) {
      at++;
      continue;
    }
    let end = at;
    for (let depth = 0; end < line.length; end++) {
      if (line[end] === "{") depth++;
      else if (depth > 0 && line[end] === "}") depth--;
      else if (depth === 0 && " \t".includes(line[end]!)) break;
    }
    const word = line.slice(at, end);
    at = end;
    if (!word.startsWith("{")) {
      words.push(word);
      continue;
    }
    let depth = 0;
    let close = 0;
    for (; close < word.length; close++) {
      if (word[close] === "{") depth++;
      if (word[close] === "}" && --depth === 0) break;
    }
    assert.equal(close, word.length - 1, `syntax error in ${line}`);
    words.push(word.slice(1, -1).replace(/^[ \t]+|[ \t]+$/g, ""));
  }
  return words;
}

Deno.test("formatMasterWord gives a text that Postfix reads as the same word, or refuses it", () => {
  let refused = 0;
  for (const word of randomWords(1)) {
    let written: string;
    try {
      written = formatMasterWord(word);
    } catch (error) {
      assert.ok(error instanceof UsageError);
      refused++;
      continue;
    }
    assert.deepEqual(readMaster(`before ${written} after`), ["before", word, "after"], JSON.stringify(word));
  }
  assert.ok(refused > 0 && refused < 2500, `${refused} of 3000 were refused`);
  assert.equal(formatMasterWord("/usr/bin/filter"), "/usr/bin/filter");
  assert.equal(formatMasterWord("a}b"), "a}b");
  assert.equal(formatMasterWord(""), "{  }");
});

Deno.test("shellWord gives a text that sh reads as the same word", async () => {
  const words = randomWords(2).slice(0, 1000);
  const { stdout } = await runCommand(["/bin/sh", "-c", `printf '%s\\n' ${words.map(shellWord).join(" ")}`]);
  assert.deepEqual(stdout.split("\n").slice(0, -1), words);
});

/** One word of ExecStart, by systemd.service(5): C escapes in double quotes; $$ is $, %% is %. */
function readUnit(text: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/s.exec(text);
  if (!quoted) assert.match(text, /^[^\s"'\\;]+$/);
  const plain = quoted ? quoted[1]!.replace(/\\(.)/gs, (_, escaped) => escaped === "t" ? "\t" : escaped) : text;
  assert.doesNotMatch(plain.replaceAll("$$", "").replaceAll("%%", ""), /[$%]/);
  return plain.replaceAll("$$", () => "$").replaceAll("%%", "%");
}

Deno.test("unitWord gives a text that systemd reads as the same word", () => {
  for (const word of randomWords(3)) assert.equal(readUnit(unitWord(word)), word, JSON.stringify(word));
});

Deno.test("settingPath gives a text that systemd reads as the same path in a list", () => {
  const rows: readonly [path: string, written: string][] = [
    ["/var/spool/postprox", "/var/spool/postprox"],
    ["/a b", `"/a b"`],
    ["/100%", "/100%%"],
    ["/$HOME", `"/$HOME"`],
    ["/back\\slash", `"/back\\slash"`],
    [`/a "b"`, `'/a "b"'`],
  ];
  for (const [path, written] of rows) assert.equal(settingPath(path), written);
});
