// Filters change their files: a changed EMAIL at every size, --edit-in-place, and copies of lines that have a CR
// of their own.

import assert from "node:assert/strict";
import { show } from "../rig/octets.ts";
import { decodeMessage } from "../rig/server_session.ts";
import { type Case, CONTENT, deliver, expectUsable, table, type Talk } from "./rig.ts";

/** More than the program keeps in memory. */
const LARGE = `Subject: large\r\n\r\n${"A line of a large message.\r\n".repeat(12_000)}`;

const SIZES: readonly (readonly [name: string, content: string])[] = [["small", CONTENT], ["large", LARGE]];

/** Downstream got `text` and nothing else; not by assert.equal, whose report would be as long as the message. */
function passed(talk: Talk, text: string): void {
  const texts = talk.downstream.messages.map((message) => message.text);
  assert.equal(texts.length, 1, "messages downstream");
  assert.ok(texts[0] === text, `downstream got ${show(texts[0]!, 200)}`);
}

const CHANGES: readonly (readonly [what: string, filter: string])[] = [
  ["appends to it", 'echo more >>"$EMAIL"'],
  ["empties it", ': >"$EMAIL"'],
  ["truncates it", 'truncate -s -1 "$EMAIL"'],
  ["writes another octet into it, at once", 'printf X | dd of="$EMAIL" conv=notrunc 2>/dev/null'],
  [
    "writes another last octet into it",
    'printf X | dd of="$EMAIL" bs=1 conv=notrunc seek=$(($(wc -c <"$EMAIL") - 1)) 2>/dev/null',
  ],
  [
    "writes another octet into it, and sets its time back",
    'touch -r "$EMAIL" "$D/time"; printf X | dd of="$EMAIL" conv=notrunc 2>/dev/null; touch -r "$D/time" "$EMAIL"',
  ],
  ["edits it with sed -i", 'sed -i s/line/LINE/ "$EMAIL"'],
  ["copies another over it", 'tr a-z A-Z <"$EMAIL" >"$D/new"; cp "$D/new" "$EMAIL"'],
  ["renames another over it", 'tr a-z A-Z <"$EMAIL" >"$EMAIL.new"; mv "$EMAIL.new" "$EMAIL"'],
  ["puts a link in its place", 'echo other >"$D/other"; ln -sf "$D/other" "$EMAIL"'],
  ["puts a directory in its place", 'rm "$EMAIL"; mkdir "$EMAIL"; echo x >"$EMAIL/x"'],
  ["puts a FIFO in its place", 'rm "$EMAIL"; mkfifo "$EMAIL"'],
];

const NO_CHANGES: readonly (readonly [what: string, filter: string])[] = [
  ["reads it", 'cat "$EMAIL" >/dev/null'],
  ["touches it", 'touch "$EMAIL"'],
  ["changes its mode", 'chmod 644 "$EMAIL"'],
  ["edits nothing with sed -i", 'sed -i s/nowhere/there/ "$EMAIL"'],
  ["writes the same again", 'cp "$EMAIL" "$D/same"; cat "$D/same" >"$EMAIL"'],
  ["links it", 'ln "$EMAIL" "$D/link"'],
  ["removes it", 'rm "$EMAIL"'],
  ["moves it elsewhere", 'mv "$EMAIL" "$D/moved"'],
];

const ENDS: readonly (readonly [how: string, end: string])[] = [
  ["exits 0", "exit 0"],
  ["exits 0 with an OUTFILE", 'echo new >"$OUTFILE"; exit 0'],
  ["exits 2", "exit 2"],
  ["dies", "kill -KILL $$"],
];

table("A filter that changes EMAIL", { spawn: "first row", filter: true }, [
  ...SIZES.flatMap(([size, content]) =>
    CHANGES.flatMap(([what, filter], at) =>
      // Each end once is enough.
      ENDS.filter((_, end) => size === "large" || at === 0 || end === 0).map(([how, end]): Case => ({
        name: `it ${what}, ${size}, and ${how}: 451, and the log names the option`,
        filter: `${filter}; ${end}`,
        play: async (talk) => {
          const client = await talk.open();
          assert.match((await deliver(client, content)).raw, /^451 4\.3\.0 [ -~]+\r\n$/);
          talk.nothingPassed();
          await talk.logged(/message not delivered: .* --edit-in-place /);
          if (/2|dies/.test(how)) await talk.logged(/message not checked .* message=451 /);
          talk.setFilter("exit 0");
          await expectUsable(client);
        },
      }))
    )
  ),
  ...SIZES.flatMap(([size, content]): Case[] => [
    {
      name: `it appends to it, ${size}, and refuses: that is heard`,
      filter: 'echo more >>"$EMAIL"; echo 550 5.7.1 no >&2; exit 1',
      play: async (talk) => {
        assert.equal((await deliver(await talk.open(), content)).raw, "550 5.7.1 no\r\n");
        talk.nothingPassed();
      },
    },
    {
      name: `it moves it elsewhere and writes there, ${size}: it passes as it came, or 451`,
      filter: 'mv "$EMAIL" "$D/moved"; echo more >>"$D/moved"',
      play: async (talk) => {
        const { code } = await deliver(await talk.open(), content);
        assert.equal(code, size === "small" ? 250 : 451);
        if (code === 250) passed(talk, content);
        else talk.nothingPassed();
      },
    },
    ...NO_CHANGES.map(([what, filter]): Case => ({
      name: `it only ${what}, ${size}: the message passes`,
      filter,
      play: async (talk) => {
        assert.equal((await deliver(await talk.open(), content)).code, 250);
        passed(talk, content);
      },
    })),
  ]),
]);

table("A filter that changes EMAIL and fails, with -r", { spawn: "first row", filter: true, options: () => ["-r"] }, [
  ...SIZES.map(([size, content]): Case => ({
    name: `${size}: 451, and the log names the option`,
    filter: 'echo more >>"$EMAIL"; exit 2',
    play: async (talk) => {
      assert.equal((await deliver(await talk.open(), content)).code, 451);
      talk.nothingPassed();
      await talk.logged(/--edit-in-place/);
    },
  })),
]);

/** What EMAIL holds after a change, on the wire. */
const EDITS: readonly (readonly [what: string, filter: string, after: (content: string) => string])[] = [
  ["appends to it", 'printf "more\\n.\\n" >>"$EMAIL"', (content) => `${content}more\r\n.\r\n`],
  ["edits it with sed -i", 'sed -i s/line/LINE/ "$EMAIL"', (content) => content.replaceAll("line", "LINE")],
  ["puts a line before it", 'sed -i "1i X-Filter: yes" "$EMAIL"', (content) => `X-Filter: yes\r\n${content}`],
  ["makes its line ends CR LF", 'sed -i "s/$/\\r/" "$EMAIL"', (content) => content],
  [
    "renames another over it",
    'tr a-z A-Z <"$EMAIL" >"$EMAIL.new"; mv "$EMAIL.new" "$EMAIL"',
    (content) => content.toUpperCase(),
  ],
  [
    "copies another over it",
    'tr a-z A-Z <"$EMAIL" >"$D/new"; cp "$D/new" "$EMAIL"',
    (content) => content.toUpperCase(),
  ],
  ["touches it", 'touch "$EMAIL"', (content) => content],
  ["leaves it alone", ":", (content) => content],
];

table("--edit-in-place", { spawn: "first row", filter: true, options: () => ["--edit-in-place"] }, [
  ...SIZES.flatMap(([size, content]): Case[] => [
    ...EDITS.map(([what, filter, after]): Case => ({
      name: `the filter ${what}, ${size}: that is sent`,
      filter,
      play: async (talk) => {
        assert.equal((await deliver(await talk.open(), content)).code, 250);
        passed(talk, after(content));
      },
    })),
    {
      name: `OUTFILE has precedence, ${size}`,
      filter: 'echo more >>"$EMAIL"; echo new >"$OUTFILE"',
      play: async (talk) => {
        assert.equal((await deliver(await talk.open(), content)).code, 250);
        passed(talk, "new\r\n");
      },
    },
    ...["exit 2", "kill -KILL $$", "exit 127"].flatMap((end) =>
      ['echo half >"$EMAIL"', 'echo half >"$EMAIL.new"; mv "$EMAIL.new" "$EMAIL"', 'rm "$EMAIL"'].map((
        filter,
      ): Case => ({
        name: `${filter}, ${size}, and ${end}: the message passes as it came`,
        filter: `${filter}; ${end}`,
        play: async (talk) => {
          assert.equal((await deliver(await talk.open(), content)).code, 250);
          passed(talk, content);
          await talk.logged(/message not checked .* message=passed /);
        },
      }))
    ),
    ...[': >"$EMAIL"', 'rm "$EMAIL"', 'rm "$EMAIL"; mkdir "$EMAIL"'].map((filter): Case => ({
      name: `${filter}, ${size}, and exit 0: the filter has failed, and the message passes as it came`,
      filter,
      play: async (talk) => {
        assert.equal((await deliver(await talk.open(), content)).code, 250);
        passed(talk, content);
        await talk.logged(/message not checked reason="filter passed, but [^"]+" message=passed /);
      },
    })),
    {
      name: `exit 1 refuses, ${size}`,
      filter: 'echo more >>"$EMAIL"; echo 550 5.7.1 no >&2; exit 1',
      play: async (talk) => {
        assert.equal((await deliver(await talk.open(), content)).raw, "550 5.7.1 no\r\n");
        talk.nothingPassed();
      },
    },
  ]),
]);

table("--edit-in-place and -r", { spawn: "first row", filter: true, options: () => ["--edit-in-place", "-r"] }, [
  ...SIZES.flatMap(([size, content]) =>
    ['echo more >>"$EMAIL"; exit 2', ': >"$EMAIL"', 'rm "$EMAIL"'].map((filter): Case => ({
      name: `${filter}, ${size}: 451`,
      filter,
      play: async (talk) => {
        assert.equal((await deliver(await talk.open(), content)).code, 451);
        talk.nothingPassed();
      },
    }))
  ),
]);

/** Messages with lines that end with CR CR LF; the large one has some in each piece that is read at a time. */
const CR_LINES: readonly (readonly [name: string, content: string])[] = [
  ["one such line", "Subject: x\r\n\r\na\r\r\nb\r\n"],
  ["such lines only", "Subject: x\r\r\n\r\r\na\r\r\n"],
  ["two CRs more", "Subject: x\r\n\r\na\r\r\r\nb\r\n"],
  ["such a line at the end", "Subject: x\r\n\r\na\r\n\r\r\n"],
  ["bare CRs and dots beside it", "Subject: x\r\n\r\na\r\r\n..b\r\n\rc\r\r\n.d\r\ne.\r\r\n"],
  ["a large message", `Subject: x\r\n\r\n${`${"x".repeat(1000)}\r\r\ny\r\n`.repeat(400)}`],
];

const COPIES: readonly (readonly [what: string, filter: string, before: string])[] = [
  ["cp", 'cp "$EMAIL" "$OUTFILE"', ""],
  ["cat", 'cat "$EMAIL" >"$OUTFILE"', ""],
  ["cat behind a header", '{ echo "X-Filter: yes"; cat "$EMAIL"; } >"$OUTFILE"', "X-Filter: yes\r\n"],
  ["a rename", 'cp "$EMAIL" "$OUTFILE.new"; mv "$OUTFILE.new" "$OUTFILE"', ""],
];

table("A filter that copies lines which end with CR CR LF", { spawn: "first row", filter: true }, [
  ...CR_LINES.flatMap(([name, content]) =>
    COPIES.map(([what, filter, before]): Case => ({
      name: `${what}, ${name}: all octets arrive`,
      filter,
      play: async (talk) => {
        assert.equal((await deliver(await talk.open(), content)).code, 250);
        passed(talk, before + decodeMessage(`${content}.\r\n`));
      },
    }))
  ),
  ...[`sed 's/$/\\r/' "$EMAIL" >"$OUTFILE"`, `{ printf 'X: y\\r\\n'; sed 's/\\r*$/\\r/' "$EMAIL"; } >"$OUTFILE"`].map((
    filter,
  ): Case => ({
    name: `${filter}: the filter's own line ends are line ends`,
    filter,
    play: async (talk) => {
      assert.equal((await deliver(await talk.open(), "Subject: x\r\n\r\na\r\r\nb\r\n")).code, 250);
      const { text } = talk.downstream.messages[0]!;
      assert.match(text, /^(X: y\r\n)?Subject: x\r\n\r\na\r{1,2}\nb\r\n$/);
    },
  })),
]);

table("--edit-in-place, and lines that end with CR CR LF", {
  spawn: "first row",
  filter: true,
  options: () => ["--edit-in-place"],
}, [
  ...CR_LINES.map(([name, content]): Case => ({
    name: `sed -i, ${name}: all octets arrive`,
    filter: 'sed -i "1i X-Filter: yes" "$EMAIL"',
    play: async (talk) => {
      assert.equal((await deliver(await talk.open(), content)).code, 250);
      passed(talk, `X-Filter: yes\r\n${decodeMessage(`${content}.\r\n`)}`);
    },
  })),
]);
