// --then from outside: filters one after another, each with the message as the one before left it.

import assert from "node:assert/strict";
import { type Case, CONTENT, deliver, table } from "./rig.ts";

const LARGE = `Subject: large\r\n\r\n${"some text of a line\r\n".repeat(20_000)}`;

const OK = /^250 /;

/** Each adds a line of its own at the end, and notes the names of its files. */
const adding = (name: string) => `echo "$EMAIL $OUTFILE" >"$D/files-${name}"; (cat "$EMAIL"; echo ${name}) >"$OUTFILE"`;

interface Then {
  readonly name: string;
  readonly filter: string;
  readonly then: readonly string[];
  readonly more?: readonly string[];
  readonly reply: RegExp;
  /** After the content; absent: nothing arrives. */
  readonly adds?: string;
  readonly log?: RegExp;
}

const THEN: readonly Then[] = [
  { name: "all change it", filter: adding("a"), then: [adding("b"), adding("c")], reply: OK, adds: "a\nb\nc\n" },
  {
    name: "the one in the middle changes nothing",
    filter: adding("a"),
    then: ["true", adding("c")],
    reply: OK,
    adds: "a\nc\n",
  },
  {
    name: "the one in the middle fails, with a half-written OUTFILE",
    filter: adding("a"),
    then: ['echo half >"$OUTFILE"; exit 9', adding("c")],
    reply: OK,
    adds: "a\nc\n",
    log: /message not checked reason="[^"]*status 9" message=passed .* check=command/,
  },
  {
    name: "the last one fails",
    filter: adding("a"),
    then: ["exit 9"],
    reply: OK,
    adds: "a\n",
    log: /message not checked .* message=passed/,
  },
  { name: "one fails, with -r", filter: "exit 9", then: [adding("b")], more: ["-r"], reply: /^451 4\.3\.0 / },
  {
    name: "the second refuses what the first has made",
    filter: adding("virus"),
    then: ['grep -q virus "$EMAIL" && { echo "550 5.7.1 found" >&2; exit 1; }; exit 0', 'touch "$D/asked"'],
    reply: /^550 5\.7\.1 found\r\n$/,
    log: /verdict=reject reason="filter said: 550 5.7.1 found" .* check=command /,
  },
  { name: "the first refuses", filter: "exit 1", then: ['touch "$D/asked"'], reply: /^554 5\.7\.1 / },
  {
    name: "the first removes its file",
    filter: 'rm "$EMAIL"',
    then: [adding("b"), 'rm "$EMAIL"', adding("d")],
    reply: OK,
    adds: "b\nd\n",
  },
  {
    name: "the second changes its EMAIL",
    filter: adding("a"),
    then: ['echo more >>"$EMAIL"'],
    reply: /^451 4\.3\.0 /,
    log: /message not delivered: .*--edit-in-place/,
  },
  {
    name: "all change their EMAIL, and may",
    filter: 'echo a >>"$EMAIL"',
    then: ['echo b >>"$EMAIL"', 'echo c >>"$EMAIL"'],
    more: ["--edit-in-place"],
    reply: OK,
    adds: "a\nb\nc\n",
  },
  {
    name: "the statuses mean the same for each",
    filter: "true",
    then: ["echo no >&2; exit 7"],
    more: ["--exit-status=7=tempfail"],
    reply: /^451 no\r\n$/,
  },
  {
    name: "what is tagged goes on",
    filter: "exit 1",
    then: [`${adding("b")}; head -n 1 "$EMAIL" >"$D/tag"`],
    more: ["--action=command=tag"],
    reply: OK,
    adds: "b\n",
    log: /verdict=tag .* check=command/,
  },
];

table("--then", { options: () => ["-v"], filter: true, together: true }, [
  ...THEN.flatMap(({ name, filter, then, more = [], reply, adds, log }) =>
    [CONTENT, LARGE].map((content): Case => ({
      name: `${name}, ${content.length} octets`,
      options: [...more, ...then.map((command, at) => `--then=D=$(dirname "$EMAIL")/..; : ${at}; ${command}`)],
      filter,
      play: async (talk) => {
        const client = await talk.open();
        assert.match((await deliver(client, content)).raw, reply);
        if (adds === undefined) talk.nothingPassed();
        else {
          const tag = more.includes("--action=command=tag") ? "X-Postprox: command; Content rejected\r\n" : "";
          talk.passed(`${tag}${content}${adds.replaceAll("\n", "\r\n")}`);
        }
        if (log) await talk.logged(log);
        assert.ok(!talk.hasFile("asked"));
        await client.expect(250, "NOOP");
      },
    }))
  ),
  {
    name: "EMAIL is the OUTFILE of the one before, and each has an OUTFILE of its own",
    filter: adding("a"),
    options: [adding("b"), adding("c")].map((command) => `--then=D=$(dirname "$EMAIL")/..; ${command}`),
    play: async (talk) => {
      assert.match((await deliver(await talk.open())).raw, OK);
      const [a, b, c] = await Promise.all(
        ["a", "b", "c"].map(async (name) => (await talk.file(`files-${name}`)).trim().split(" ")),
      );
      assert.deepEqual([b![0], c![0]], [a![1], b![1]]);
      assert.equal(new Set([...a!, ...b!, ...c!]).size, 4);
    },
  },
]);

table("--then without -c", { options: () => ["-v", "--then=exit 1"] }, [
  {
    name: "is a filter, too",
    play: async (talk) => {
      assert.match((await deliver(await talk.open())).raw, /^554 5\.7\.1 /);
      await talk.logged(/verdict=reject .* check=command/);
    },
  },
]);
