// --filter-rules and --extchk from outside: what they refuse, what the checker gets and may change, which checks a
// rules file asks for, and that a hostile message holds up nobody else.

import assert from "node:assert/strict";
import { runProgram } from "../e2e/start.ts";
import { show } from "../rig/octets.ts";
import { type Case, CONTENT, deliver, expectUsable, startMessage, table, type Talk } from "./rig.ts";

const FILTER = `# ban friend@public emails
From: Friend@public.com

# ban any emails with VisualBasic Script attachments
name\\=".*\\.vbs"
^\\([0-9]*\\)\\([0-9]*\\)*-\\1\\2\\2!$
needle$
caf\xe9
`;

/** Each line has two to the power of 60 ways to be no match of the rule with back-references. */
const HOSTILE = `${"1".repeat(60)}-${"1".repeat(61)}?!\r\n`.repeat(500);

/** Its verdict is the sender's name. */
const CHECKER = `#!/bin/sh
printf '%s\\n' "$@" >"$D/arguments"
cp "$2" "$D/message"
case "$6" in
  exit*) echo 'words for the log' >&2; exit "\${6#exit}";;
  add*) printf 'tagline\\n.\\n' >>"$2";;
  rename*) tr a-z A-Z <"$2" >"$2.new" && mv "$2.new" "$2";;
  remove*) rm "$2";;
  empty*) : >"$2";;
  killed*) kill -9 $$;;
  slow*) echo $$ >"$D/pid"; sleep 60;;
esac
`;

/** Writes the files into a directory that cases leave alone; `words` follow. */
function withFiles(files: Readonly<Record<string, string>>, ...words: readonly string[]) {
  return (dir: string): readonly string[] => {
    Deno.mkdirSync(`${dir}/rules`, { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      const octets = Uint8Array.from(
        text.replace("#!/bin/sh\n", `#!/bin/sh\nD='${dir}'\n`),
        (char) => char.charCodeAt(0),
      );
      Deno.writeFileSync(`${dir}/rules/${name}`, octets, { mode: 0o755 });
    }
    return words.map((word) => word.replace("RULES", `${dir}/rules`));
  };
}

const FILTERED: readonly { name: string; content: string; line?: string }[] = [
  { name: "a clean message", content: CONTENT },
  { name: "a header", content: "Subject: x\r\nfrom: FRIEND@public.com\r\n\r\n", line: "from: FRIEND@public.com" },
  { name: "a line of the body", content: '\r\n\r\n file-name="x.VBS"\r\n', line: ' file-name=\\"x.VBS\\"' },
  { name: "a line that only looks folded", content: "From:\r\n Friend@public.com\r\n\r\n" },
  // Dots are undone, and a line ends before its CR LF.
  { name: "a line with a dot", content: "\r\n..needle\r\n", line: ".needle" },
  { name: "more than one packet", content: `\r\n${"x".repeat(300_000)}\r\nneedle\r\n`, line: "needle" },
  { name: "octets", content: "\r\ncaf\xe9 \x1b[31m\r\n", line: "caf" },
  { name: "a back-reference", content: "\r\n123-123!\r\n", line: "123-123!" },
  { name: "no back-reference", content: "\r\n123-124!\r\n" },
];

table("--filter-rules", {
  spawn: "first row",
  options: withFiles({ filter: FILTER }, "--filter-rules=RULES/filter", "-v"),
}, [
  ...FILTERED.map(({ name, content, line }): Case => ({
    name,
    play: async (talk) => {
      const client = await talk.open();
      if (line === undefined) {
        assert.equal((await deliver(client, content)).code, 250);
        talk.passed(content);
        return;
      }
      assert.equal((await deliver(client, content)).raw, "550 5.7.1 Content rejected\r\n");
      talk.nothingPassed();
      await talk.logged(/message verdict=reject reason="matches [^"]*\/rules\/filter:\d+"/);
      assert.ok(talk.log.includes(`Rejecting message with content: ${line.replaceAll("\\", "")}`), talk.log);
      assert.ok(!talk.log.includes("\x1b"));
      await expectUsable(client);
    },
  })),
  {
    name: "the log names the client",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD NAME=localhost ADDR=127.0.0.1");
      await deliver(client, "From: Friend@public.com\r\n\r\n");
      await talk.logged(/Rejecting message with content: From: Friend@public\.com from localhost \[127\.0\.0\.1\]\n/);
    },
  },
  {
    name: "a line of 50 MB is read to its end, and not kept",
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      const piece = "x".repeat(1_000_000);
      for (let count = 0; count < 50; count++) await client.say(piece);
      await client.say("needle\r\n.\r\n");
      await client.expect(550);
      await talk.logged(/Rejecting message with content: x{200}\.\.\. from unknown \[127\.0\.0\.1\]\n/);
    },
  },
  {
    name: "a message made to make the search explode holds up nobody else",
    modes: ["listen"],
    play: async (talk) => {
      const hostile = await talk.open();
      await startMessage(hostile);
      await hostile.say(`${HOSTILE}.\r\n`);
      const other = await talk.open();
      assert.equal((await deliver(other)).code, 250);
      assert.equal((await deliver(other)).code, 250);
      assert.equal(hostile.unheard, "", "the hostile message has had its reply before");
    },
  },
]);

const late = withFiles({ filter: FILTER }, "--filter-rules=RULES/filter", "-t", "1");

table("--filter-rules and -t", { options: late }, [
  {
    name: "a message that takes longer passes",
    play: async (talk) => {
      assert.equal((await deliver(await talk.open(), HOSTILE)).code, 250);
      talk.passed(HOSTILE);
      await talk.logged(/message not checked reason="content rules took longer than 1 s"/);
    },
  },
]);

table("--filter-rules, -t and -r", { options: (dir) => [...late(dir), "-r"] }, [
  {
    name: "a message that takes longer is answered with 451",
    play: async (talk) => {
      assert.match((await deliver(await talk.open(), HOSTILE)).raw, /^451 4\.3\.0 /);
      talk.nothingPassed();
    },
  },
]);

const checks = withFiles({ check: CHECKER }, "--extchk=RULES/check", "-t", "2", "-v");

async function deliverAs(talk: Talk, from: string, content = CONTENT) {
  return await deliver(await talk.open(), content, { from });
}

const LARGE = `Subject: large\r\n\r\n${"some text of a line\r\n".repeat(20_000)}`;

table("--extchk", { spawn: "first row", options: checks }, [
  {
    name: "gets file, address, sender, count and recipients, and passes with 0",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD NAME=mx.example ADDR=IPv6:2001:db8::1");
      const reply = await deliver(client, "a\r\n..b\r\n", { from: "s@b", to: ["c@d", "-x@$HOME", "e@f"] });
      assert.equal(reply.code, 250);
      talk.passed("a\r\n.b\r\n");
      const words = (await talk.file("arguments")).split("\n");
      assert.match(words[1]!, /\/spool\/postprox-[^/]+\.eml$/);
      assert.deepEqual([words[0], ...words.slice(2, -1)], [
        ...["-s", "-a", "2001:db8::1", "-f", "s@b", "-t", "3", "c@d", "-x@$HOME", "e@f"],
      ]);
      assert.equal(await talk.file("message"), "a\n.b\n");
    },
  },
  {
    name: "a client that XFORWARD may not name: an empty address",
    script: { EHLO: "250 fake.example" },
    play: async (talk) => {
      assert.equal((await deliverAs(talk, "a@b")).code, 250);
      assert.deepEqual((await talk.file("arguments")).split("\n").slice(2, 5), ["-a", "", "-f"]);
      await talk.logged(
        /client is not known: .*smtpd_authorized_xforward_hosts.* reason="downstream offers no XFORWARD"/,
      );
    },
  },
  {
    name: "the null sender, and a client that XFORWARD does not name: our own peer",
    play: async (talk) => {
      assert.equal((await deliverAs(talk, "")).code, 250);
      assert.deepEqual((await talk.file("arguments")).split("\n").slice(2, 8), [
        "-a",
        "127.0.0.1",
        "-f",
        "<>",
        "-t",
        "1",
      ]);
    },
  },
  {
    name: "1 refuses with 552, and the session goes on",
    play: async (talk) => {
      const client = await talk.open();
      const reply = await deliver(client, CONTENT, { from: "exit1" });
      assert.equal(reply.raw, "552 5.7.1 Content rejected\r\n");
      talk.nothingPassed();
      await talk.logged(/verdict=reject reason="external checker said: words for the log"/);
      await expectUsable(client);
    },
  },
  ...["exit2", "exit99", "exit127", "killed", "slow", "empty", "remove"].map((from): Case => ({
    name: `${from} is 451 without -r`,
    play: async (talk) => {
      const doing = from === "empty" ? "handled" : "checked";
      assert.equal((await deliverAs(talk, from)).raw, `451 4.3.0 Message could not be ${doing}, try again later\r\n`);
      talk.nothingPassed();
      const why = "external checker (failed with exit|died of SIGKILL|ran longer than 2 s|passed, but)";
      await talk.logged(new RegExp(`message not checked reason="${why}.* message=451 .* check=extchk`));
    },
  })),
  ...[CONTENT, LARGE].flatMap((content): Case[] => [
    {
      name: `what it adds to a message of ${content.length} octets is delivered`,
      play: async (talk) => {
        assert.equal((await deliverAs(talk, "add", content)).code, 250);
        talk.passed(`${content}tagline\r\n.\r\n`);
        await talk.logged(/verdict=replace/);
      },
    },
    {
      name: `and what it puts in its place`,
      play: async (talk) => {
        assert.equal((await deliverAs(talk, "rename", content)).code, 250);
        talk.passed(content.toUpperCase());
      },
    },
  ]),
  {
    name: "lines that end with CR CR LF keep both CRs in what it makes",
    play: async (talk) => {
      assert.equal((await deliverAs(talk, "add", `Subject: x\r\n\r\na\r\r\n${"b\r\n".repeat(100_000)}`)).code, 250);
      talk.passed(`Subject: x\r\n\r\na\r\r\n${"b\r\n".repeat(100_000)}tagline\r\n.\r\n`);
    },
  },
  {
    name: "more recipients than an argument list can hold are 451",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "MAIL FROM:<a@b>");
      const line = `RCPT TO:<${"r".repeat(1900)}@b>\r\n`;
      for (let count = 0; count < 1200; count += 100) {
        await client.say(line.repeat(100));
        for (let reply = 0; reply < 100; reply++) await client.expect(250);
      }
      await client.expect(354, "DATA");
      await client.say(`${CONTENT}.\r\n`);
      await client.expect(451);
      talk.nothingPassed();
      await talk.logged(/external checker could not be started/);
      await expectUsable(client);
    },
  },
]);

const passing = (dir: string) => [...checks(dir), "--on-error=extchk=pass", "-r"];

table("--on-error=extchk=pass", { options: passing, filter: true }, [
  ...["exit2", "killed", "slow", "remove"].flatMap((from) =>
    [CONTENT, LARGE].map((content): Case => ({
      name: `${from}: the message of ${content.length} octets passes`,
      filter: 'cat "$EMAIL" >"$D/seen"',
      play: async (talk) => {
        assert.equal((await deliverAs(talk, from, content)).code, 250);
        talk.passed(content);
        await talk.logged(/message not checked reason="external checker .* message=passed .* check=extchk/);
        assert.equal(await talk.file("seen"), content.replaceAll("\r\n", "\n"));
      },
    }))
  ),
  ...[CONTENT, LARGE].map((content): Case => ({
    name: `a message of ${content.length} octets that it has emptied is not there any more`,
    play: async (talk) => {
      assert.equal((await deliverAs(talk, "empty", content)).code, 451);
      talk.nothingPassed();
      await talk.logged(/message not delivered: the external checker changed it/);
    },
  })),
]);

table("--extchk and a filter command", { spawn: "first row", options: checks, filter: true }, [
  {
    name: "the command sees what the checker made of the message, and has the last word",
    filter: 'cat "$EMAIL" >"$D/seen"; (cat "$EMAIL"; echo more) >"$OUTFILE"',
    play: async (talk) => {
      assert.equal((await deliverAs(talk, "add")).code, 250);
      talk.passed(`${CONTENT}tagline\r\n.\r\nmore\r\n`);
    },
  },
  {
    name: "what the checker made passes when the command fails",
    filter: "exit 2",
    play: async (talk) => {
      assert.equal((await deliverAs(talk, "add", LARGE)).code, 250);
      talk.passed(`${LARGE}tagline\r\n.\r\n`);
    },
  },
  ...[CONTENT, LARGE].flatMap((content): Case[] => [
    {
      name: `the command may not change that, of ${content.length} octets: 451`,
      filter: 'echo more >>"$EMAIL"',
      play: async (talk) => {
        assert.equal((await deliverAs(talk, "add", content)).code, 451);
        talk.nothingPassed();
        await talk.logged(/--edit-in-place/);
      },
    },
    {
      name: `but remove or touch it`,
      filter: 'touch "$EMAIL"; rm "$EMAIL"',
      play: async (talk) => {
        assert.equal((await deliverAs(talk, "rename", content)).code, 250);
        talk.passed(content.toUpperCase());
      },
    },
  ]),
  {
    name: "the command is not asked about what the checker refused",
    filter: 'touch "$D/asked"',
    play: async (talk) => {
      assert.equal((await deliverAs(talk, "exit1")).code, 552);
      assert.ok(!talk.hasFile("asked"));
    },
  },
]);

const editing = (dir: string) => [...checks(dir), "--edit-in-place"];

table("--extchk and a filter command with --edit-in-place", { spawn: "first row", options: editing, filter: true }, [
  ...[CONTENT, LARGE].flatMap((content): Case[] => [
    {
      name: `the command changes what the checker made of ${content.length} octets`,
      filter: 'echo more >>"$EMAIL"',
      play: async (talk) => {
        assert.equal((await deliverAs(talk, "add", content)).code, 250);
        talk.passed(`${content}tagline\r\n.\r\nmore\r\n`);
      },
    },
    {
      name: "and when it fails, what the checker made of it passes",
      filter: 'echo more >>"$EMAIL"; exit 2',
      play: async (talk) => {
        assert.equal((await deliverAs(talk, "rename", content)).code, 250);
        talk.passed(content.toUpperCase());
      },
    },
  ]),
]);

const ASKING = "allow-filter:ALL:ALL:filter@*\nallow-extchk:ALL:ALL:extchk@*\nallow:ALL:ALL:ALL\n";
const asking = withFiles(
  { rules: ASKING, filter: "word\n", check: "#!/bin/sh\nexit 1\n" },
  ...["--check-rules=RULES/rules", "--filter-rules=RULES/filter", "--extchk=RULES/check"],
);

table("Checks of content that a rules file asks for", { spawn: "first row", options: asking }, [
  ...([
    [["a@b"], 250],
    [["filter@b"], 550],
    [["extchk@b"], 552],
    // The strictest set, in any order. The filter is asked first.
    [["a@b", "extchk@b"], 552],
    [["extchk@b", "filter@b", "a@b"], 550],
  ] as const).map(([to, code]): Case => ({
    name: `${to} hears ${code}`,
    play: async (talk) => {
      const client = await talk.open();
      const reply = await deliver(client, "\r\na word\r\n", { to });
      assert.equal(reply.code, code, show(reply.raw));
      await expectUsable(client);
    },
  })),
]);

Deno.test("A wrong filter file or checker is refused at the start, with its line and the mistake", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  try {
    Deno.writeTextFileSync(`${dir}/filter`, "good\n\n# comment\n\\(bad\n");
    Deno.writeTextFileSync(`${dir}/pasted`, "good\n/^Subject: bad/ REJECT\n");
    Deno.writeTextFileSync(`${dir}/all`, "x*\n");
    Deno.writeTextFileSync(`${dir}/plain`, "#!/bin/sh\n", { mode: 0o644 });
    const rows: readonly [word: string, complaint: string, status?: 64][] = [
      [`--filter-rules=${dir}/filter`, `--filter-rules: ${dir}/filter:4: unmatched \\(: there is no \\) for it`, 64],
      [`--filter-rules=${dir}/pasted`, `--filter-rules: ${dir}/pasted:2: a line of Postfix's header_checks`, 64],
      [`--filter-rules=${dir}/all`, `--filter-rules: ${dir}/all:1: it matches the empty line`, 64],
      [`--filter-rules=${dir}/none`, "give a file that can be read"],
      [`--filter-rules=${dir}`, "give a file that can be read"],
      ["--filter-rules=", '"" names no file: give the path of one', 64],
      [`--extchk=${dir}/none`, "give a file that can be executed"],
      [`--extchk=${dir}/plain`, "cannot be executed: give a program"],
      [`--extchk=${dir}`, "cannot be executed: give a program"],
      ["--extchk=", '"" names no file', 64],
    ];
    for (const [word, complaint, expected = 75] of rows) {
      const { status, stdout, stderr } = await runProgram(["--log=/dev/null", "127.0.0.1:1", word]);
      assert.equal(status, expected, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, /^postprox: option --[^\n]+\n$/);
      assert.ok(stderr.includes(complaint), stderr);
    }
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
