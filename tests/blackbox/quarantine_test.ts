// --quarantine from outside: which messages are kept, what is kept of them, and what the client hears.

import assert from "node:assert/strict";
import { runCommand, runProgram } from "../e2e/start.ts";
import { programWords } from "../e2e/program.ts";
import { isLeftOut } from "../needs.ts";
import {
  type Case,
  CONTENT,
  deliver,
  listNames,
  type Mode,
  read,
  RECIPIENT,
  Rig,
  SENDER,
  startMessage,
  table,
  type Talk,
} from "./rig.ts";

interface KeptCopy {
  readonly facts: Record<string, unknown>;
  readonly content: string;
}

/** The content of a test's quarantine: pairs of files, which only their owner may read. */
function keptIn(dir: string): KeptCopy[] {
  const names = listNames(`${dir}/quarantine`);
  const ids = names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5));
  assert.deepEqual(names, ids.flatMap((id) => [`${id}.eml`, `${id}.json`]), "only pairs of files");
  for (const name of names) assert.equal(Deno.statSync(`${dir}/quarantine/${name}`).mode! & 0o777, 0o600);
  return ids.map((id) => {
    const facts = JSON.parse(read(`${dir}/quarantine/${id}.json`));
    assert.equal(facts.id, id);
    return { facts, content: read(`${dir}/quarantine/${id}.eml`) };
  });
}

function options(dir: string): readonly string[] {
  Deno.mkdirSync(`${dir}/quarantine`, { recursive: true, mode: 0o700 });
  return [`--quarantine=${dir}/quarantine`, "-v"];
}

const REFUSE = "echo 550 5.7.1 not this >&2; exit 1";
const LF_CONTENT = CONTENT.replaceAll("\r\n", "\n");
const LARGE = `Subject: large\r\n\r\n${"some text of a line\r\n".repeat(20_000)}`;
const DISCARD = ["--action=command=discard"];
const QUARANTINE = ["--action=command=quarantine"];

async function send(talk: Talk, content = CONTENT): Promise<string> {
  const client = await talk.open();
  return (await deliver(client, content)).raw;
}

/** A message, what the client hears of it, and whether it is kept. */
interface Row {
  readonly name: string;
  readonly filter?: string;
  readonly options?: readonly string[];
  readonly content?: string;
  readonly reply: RegExp;
  /** Absent: it is not kept. */
  readonly outcome?: "reject" | "discard" | "quarantine";
  readonly arrives?: true;
}

const ROWS: readonly Row[] = [
  { name: "refused for good", filter: REFUSE, reply: /^550 5\.7\.1 not this\r\n$/, outcome: "reject" },
  { name: "refused without a text", filter: "exit 1", reply: /^554 5\.7\.1 /, outcome: "reject" },
  { name: "discarded", filter: REFUSE, options: DISCARD, reply: /^250 2\.0\.0 Ok: discarded\r\n$/, outcome: "discard" },
  {
    name: "quarantined",
    filter: REFUSE,
    options: QUARANTINE,
    reply: /^250 2\.0\.0 Ok: discarded\r\n$/,
    outcome: "quarantine",
  },
  {
    name: "discarded by the filter itself",
    filter: "echo 250 2.0.0 thanks >&2; exit 1",
    options: ["--allow-discard"],
    reply: /^250 2\.0\.0 thanks\r\n$/,
    outcome: "discard",
  },
  { name: "passed", filter: "exit 0", reply: /^250 2\.0\.0 queued/, arrives: true },
  { name: "refused for now", filter: "echo 450 4.7.1 later >&2; exit 1", reply: /^450 / },
  {
    name: "refused for now, although it would be kept",
    filter: "echo 450 4.7.1 later >&2; exit 1",
    options: QUARANTINE,
    reply: /^450 /,
  },
  { name: "tempfail", filter: REFUSE, options: ["--action=command=tempfail"], reply: /^451 4\.7\.1 / },
  { name: "tagged", filter: REFUSE, options: ["--action=command=tag"], reply: /^250 2\.0\.0 queued/, arrives: true },
  { name: "logged", filter: REFUSE, options: ["--action=command=log"], reply: /^250 2\.0\.0 queued/, arrives: true },
  { name: "a dry run", filter: REFUSE, options: ["--dry-run"], reply: /^250 2\.0\.0 queued/, arrives: true },
  { name: "a filter that fails", filter: "exit 2", reply: /^250 2\.0\.0 queued/, arrives: true },
  { name: "a filter that fails, with -r", filter: "exit 2", options: ["-r"], reply: /^451 4\.3\.0 / },
  { name: "too large", filter: REFUSE, options: ["--max-message-size=20"], reply: /^552 / },
  {
    name: "a bare newline",
    filter: REFUSE,
    options: ["--bare-newline=reject"],
    content: "Subject: x\r\n\r\na\nb\r\n",
    reply: /^550 5\.5\.2 /,
  },
];

function caseOf({ name, filter, options, content = CONTENT, reply, outcome, arrives }: Row): Case {
  return {
    name,
    ...filter === undefined ? {} : { filter },
    ...options === undefined ? {} : { options },
    play: async (talk) => {
      assert.match(await send(talk, content), reply);
      if (!arrives) talk.nothingPassed();
      const kept = keptIn(talk.dir);
      if (outcome === undefined) return assert.deepEqual(kept, []);
      const [{ facts, content: copy }, ...others] = kept as [KeptCopy];
      assert.deepEqual(others, []);
      assert.equal(copy, content.replaceAll("\r\n", "\n"));
      assert.deepEqual({ outcome: facts["outcome"], check: facts["check"] }, { outcome, check: "command" });
      assert.match(`${facts["reply"]}\r\n`, reply);
      await talk.logged(new RegExp(`quarantine=${facts["id"]}`));
    },
  };
}

table("Which messages --quarantine keeps", { options, filter: true, together: true }, ROWS.map(caseOf));

table("What --quarantine keeps of a message", { options, filter: true, together: true }, [
  {
    name: "the whole envelope, and the client",
    filter: REFUSE,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD NAME=mx.example.org ADDR=192.0.2.7 HELO=he+0Alo");
      const to = Array.from({ length: 250 }, (_, at) => `r${at}@example.net`);
      assert.equal((await deliver(client, CONTENT, { from: "", to })).code, 550);
      const [{ facts }] = keptIn(talk.dir) as [KeptCopy];
      const { id, time, session, reason, ...others } = facts;
      assert.deepEqual(others, {
        outcome: "reject",
        check: "command",
        reply: "550 5.7.1 not this",
        client: "192.0.2.7",
        client_name: "mx.example.org",
        helo: "he?lo",
        sender: "<>",
        recipients: to,
        size: LF_CONTENT.length,
      });
      assert.ok(Math.abs(Date.now() - Date.parse(String(time))) < 60_000);
      assert.match(String(id), /^[0-9]{8}T[0-9]{9}-[0-9a-v]{16}$/);
      await talk.logged(new RegExp(`info: ${session}: message `));
      assert.notEqual(reason, "");
    },
  },
  {
    name: "hostile octets as they came",
    filter: REFUSE,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client);
      await client.say("Subject: \xff\x00\x1b[31m\r\n\r\n..\r\n..dots\r\n\r\r\nbare\rcr\r\nno end\r\n.\r\n");
      assert.equal((await client.hear()).code, 550);
      const [{ content }] = keptIn(talk.dir) as [KeptCopy];
      assert.equal(content, "Subject: \xff\x00\x1b[31m\n\n.\n.dots\n\r\nbare\rcr\nno end\n");
    },
  },
  {
    name: "a large one, as it came, whatever the filter does to its file",
    filter: `echo more >>"$EMAIL"; sed -i s/some/none/ "$EMAIL"; ${REFUSE}`,
    play: async (talk) => {
      for (const content of [LARGE, CONTENT]) {
        assert.match(await send(talk, content), /^550 /);
        assert.equal(keptIn(talk.dir).at(-1)!.content, content.replaceAll("\r\n", "\n"));
      }
    },
  },
  {
    name: "several in one session, each with an id of its own, in the order of time",
    filter: REFUSE,
    play: async (talk) => {
      const client = await talk.open();
      for (let count = 0; count < 5; count++) {
        assert.equal((await deliver(client, `Subject: ${count}\r\n\r\n`)).code, 550);
      }
      assert.deepEqual(
        keptIn(talk.dir).map(({ content }) => content),
        [0, 1, 2, 3, 4].map((count) => `Subject: ${count}\n\n`),
      );
    },
  },
  {
    name: "of a restriction's own refusals nothing, although it refuses the message",
    options: ["--check-sender-domain", "--defer-rcpt-refusals"],
    filter: REFUSE,
    play: async (talk) => {
      const client = await talk.open();
      assert.match((await deliver(client, CONTENT, { from: "nobody@-" })).raw, /^5(?!.*not this)/);
      assert.deepEqual(keptIn(talk.dir), []);
    },
  },
]);

table("Content rules and --quarantine", {
  options: (dir) => {
    Deno.writeTextFileSync(`${dir}/rules`, "^Subject: test\n");
    return [...options(dir), `--filter-rules=${dir}/rules`];
  },
}, [{
  name: "a message that they refuse is kept",
  play: async (talk) => {
    assert.match(await send(talk), /^5/);
    const [{ facts, content }] = keptIn(talk.dir) as [KeptCopy];
    assert.equal(facts["check"], "filter-rules");
    assert.equal(content, LF_CONTENT);
    assert.deepEqual([facts["sender"], facts["recipients"]], [SENDER, [RECIPIENT]]);
  },
}]);

// --- a quarantine that cannot be written

function withoutDirectory(talk: Talk): void {
  Deno.removeSync(`${talk.dir}/quarantine`, { recursive: true });
}

table("A copy that cannot be kept", { options, filter: true, together: true }, [
  {
    name: "of a refused message: it is still refused, and the log has an error",
    filter: REFUSE,
    play: async (talk) => {
      const client = await talk.open();
      withoutDirectory(talk);
      assert.match((await deliver(client)).raw, /^550 5\.7\.1 not this\r\n$/);
      await talk.logged(/error: \w+: message not kept in quarantine reason="[^"]+" message=550 .*check=command/);
      // It goes on, and works again when the directory is back.
      Deno.mkdirSync(`${talk.dir}/quarantine`);
      assert.equal((await deliver(client)).code, 550);
      assert.equal(keptIn(talk.dir).length, 1);
    },
  },
  ...[DISCARD, QUARANTINE].map((action): Case => ({
    name: `${action}: 451 4.3.0, and the log has an error`,
    filter: REFUSE,
    options: action,
    play: async (talk) => {
      const client = await talk.open();
      withoutDirectory(talk);
      assert.match((await deliver(client)).raw, /^451 4\.3\.0 /);
      talk.nothingPassed();
      await talk.logged(/error: \w+: message not kept in quarantine reason="[^"]+" message=451 /);
      Deno.mkdirSync(`${talk.dir}/quarantine`);
      assert.match((await deliver(client)).raw, /^250 2\.0\.0 Ok: discarded/);
      assert.equal(keptIn(talk.dir).length, 1);
    },
  })),
]);

for (const mode of ["spawn", "listen"] as const) {
  Deno.test({
    name: `A full disk under the quarantine (${mode} mode)`,
    ignore: isLeftOut("a quarantine on a full disk"),
    fn: () => onFullDisk(mode),
  });
}

async function onFullDisk(mode: Mode): Promise<void> {
  const full = Deno.makeTempDirSync({ prefix: "postprox_full_" });
  const { status, stderr } = await runCommand(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", full]);
  assert.equal(status, 0, stderr);
  try {
    const rig = await Rig.start(mode, { filter: true, options: () => [`--quarantine=${full}`, ...QUARANTINE] });
    try {
      await rig.play({
        name: "full",
        filter: REFUSE,
        play: async (talk) => {
          const client = await talk.open();
          assert.match((await deliver(client, LARGE)).raw, /^451 4\.3\.0 /);
          assert.deepEqual(listNames(full), []);
          assert.match((await deliver(client)).raw, /^250 /);
          assert.equal(listNames(full).length, 2);
        },
      });
    } finally {
      await rig.stop();
    }
  } finally {
    await runCommand(["umount", full]);
    Deno.removeSync(full, { recursive: true });
  }
}

// --- the start

Deno.test("a quarantine that cannot be used keeps postprox from its start", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  try {
    Deno.mkdirSync(`${dir}/spool/inside`, { recursive: true });
    const start = (...words: string[]) => runProgram(["127.0.0.1:1", "-d", `${dir}/spool`, ...words]);
    const rows: readonly [status: number, says: RegExp, ...words: string[]][] = [
      [75, /option --quarantine: .*none.*: give a directory that can be written/, `--quarantine=${dir}/none`],
      [75, /option --quarantine: \/dev\/null is not a directory/, "--quarantine=/dev/null"],
      [75, /option --quarantine: /, "--quarantine=/proc"],
      [64, /names no directory/, "--quarantine="],
      [64, /is in the spool directory of -d/, `--quarantine=${dir}/spool`],
      [64, /is in the spool directory of -d/, `--quarantine=${dir}/spool/inside/`],
      [64, /command=quarantine needs a quarantine: give --quarantine=DIR/, "-c", "true", ...QUARANTINE],
    ];
    for (const [status, says, ...words] of rows) {
      for (const mode of [[], ["-l", "127.0.0.1:1", "--foreground"]]) {
        const ran = await start(...words, ...mode);
        assert.match(ran.stderr, says);
        assert.equal(ran.status, status, ran.stderr);
        assert.match(ran.stderr, /^postprox: [^\n]+\n$/);
      }
    }
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("a start leaves nothing in the quarantine", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  try {
    const { stdout } = await runCommand([
      "sh",
      "-c",
      `"$@" </dev/null`,
      "-",
      ...programWords(),
      "127.0.0.1:1",
      `--quarantine=${dir}`,
    ]);
    assert.match(stdout, /^421 /);
    assert.deepEqual(listNames(dir), []);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
