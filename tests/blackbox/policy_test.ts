// --action, --on-error, --dry-run and --bypass from outside: what the client hears, what arrives, what the log says.

import assert from "node:assert/strict";
import { type Case, CONTENT, deliver, expectUsable, startMessage, table, type Talk } from "./rig.ts";

/** The filter says what the sender's name is. */
const FILTER = `cat "$EMAIL" >"$D/seen"; case $SENDER in
  bad*) echo "550 5.7.1 virus found: X" >&2; exit 1;;
  later*) echo "450 4.7.0 later" >&2; exit 1;;
  fails*) exit 2;;
  changes*) (echo "Added: 1"; cat "$EMAIL") >"$OUTFILE";;
  spoils*) echo more >>"$EMAIL"; echo "550 5.7.1 no" >&2; exit 1;;
esac`;

const LARGE = `Subject: large\r\n\r\n${"some text of a line\r\n".repeat(20_000)}`;

async function deliverAs(talk: Talk, from: string, content = CONTENT) {
  return await deliver(await talk.open(), content, { from });
}

/** A message of `from`: the reply that its client hears, and what arrives of it. */
interface Row {
  readonly options: readonly string[];
  readonly from: string;
  readonly content?: string;
  readonly reply: RegExp;
  /** Absent: nothing arrives. */
  readonly arrives?: string;
  readonly log: RegExp;
}

const OK = /^250 (?!.*discarded)/;

const ROWS: readonly Row[] = [
  {
    options: [],
    from: "bad",
    reply: /^550 5\.7\.1 virus found: X\r\n$/,
    log: /message verdict=reject reason="[^"]*".* check=command /,
  },
  {
    options: ["--action=command=tempfail"],
    from: "bad",
    reply: /^451 4\.7\.1 virus found: X\r\n$/,
    log: /message verdict=defer .* check=command /,
  },
  {
    options: ["--action=command=discard"],
    from: "bad",
    reply: /^250 2\.0\.0 Ok: discarded\r\n$/,
    log:
      /warning: \w+: message discarded reason="[^"]*virus.* check=command[^]*message verdict=discard .* check=command /,
  },
  {
    options: ["--action=command=tag"],
    from: "bad",
    reply: OK,
    arrives: `X-Postprox: command; virus found: X\r\n${CONTENT}`,
    log: /message verdict=tag .* check=command /,
  },
  {
    options: ["--action=command=log"],
    from: "bad",
    reply: OK,
    arrives: CONTENT,
    log: /message verdict=pass .* check=command would=reject /,
  },
  // A temporary refusal stays temporary.
  ...["tempfail", "discard", "tag"].map((action) => ({
    options: [`--action=command=${action}`],
    from: "later",
    reply: /^450 4\.7\.0 later\r\n$/,
    log: /message verdict=defer .* check=command /,
  })),
  {
    options: ["--action=command=log"],
    from: "later",
    reply: OK,
    arrives: CONTENT,
    log: /message verdict=pass .* check=command would=reject /,
  },
  // Nobody can write the field but postprox: from every message it is removed.
  ...["good", "bad"].map((from) => ({
    options: ["--action=command=tag"],
    from,
    content: `X-Postprox: command; clean\r\nSubject: x\r\nx-postprox:\r\n\tfolded\r\n\r\nX-Postprox: text\r\n`,
    reply: OK,
    arrives: `${from === "bad" ? "X-Postprox: command; virus found: X\r\n" : ""}Subject: x\r\n\r\nX-Postprox: text\r\n`,
    log: from === "bad" ? /message verdict=tag / : /message verdict=pass /,
  })),
  {
    options: ["--action=command=log"],
    from: "good",
    content: `X-Postprox: other\r\n\r\n`,
    reply: OK,
    arrives: `X-Postprox: other\r\n\r\n`,
    log: /message verdict=pass /,
  },
  {
    options: ["--action=command=tag"],
    from: "bad",
    content: LARGE,
    reply: OK,
    arrives: `X-Postprox: command; virus found: X\r\n${LARGE}`,
    log: /message verdict=tag /,
  },
  // A body that nothing parts from the header stays a body.
  {
    options: ["--action=command=tag"],
    from: "bad",
    content: "text\r\nand more\r\n",
    reply: OK,
    arrives: "X-Postprox: command; virus found: X\r\n\r\ntext\r\nand more\r\n",
    log: /message verdict=tag /,
  },
  // There is nothing left that could be passed.
  ...[CONTENT, LARGE].flatMap((content) =>
    ["tag", "log"].map((action) => ({
      options: [`--action=command=${action}`],
      from: "spoils",
      content,
      reply: /^451 4\.3\.0 /,
      log: /message not delivered: .* check=command/,
    }))
  ),
  {
    options: [],
    from: "fails",
    reply: OK,
    arrives: CONTENT,
    log: /error: \w+: message not checked reason="[^"]*" message=passed .* check=command/,
  },
  {
    options: ["--on-error=command=tempfail"],
    from: "fails",
    reply: /^451 4\.3\.0 /,
    log: /message not checked .* check=command[^]*message verdict=defer .* check=command /,
  },
  { options: ["-r"], from: "fails", reply: /^451 4\.3\.0 /, log: /message verdict=defer .* check=command / },
  {
    options: ["-r", "--on-error=command=pass"],
    from: "fails",
    reply: OK,
    arrives: CONTENT,
    log: /message not checked .* message=passed/,
  },
  // A dry run.
  ...[CONTENT, LARGE].flatMap((content) =>
    ["bad", "later", "spoils"].map((from) => ({
      options: ["--dry-run"],
      from,
      content,
      reply: OK,
      arrives: content,
      log: /message verdict=pass .* check=command would=reject /,
    }))
  ),
  {
    options: ["--dry-run", "-r"],
    from: "fails",
    reply: OK,
    arrives: CONTENT,
    log: /message not checked .* message=passed/,
  },
  ...[[], ["--edit-in-place"]].flatMap((more) =>
    ["changes", "spoils"].map((from) => ({
      options: ["--dry-run", ...more],
      from,
      reply: OK,
      arrives: CONTENT,
      log: /message verdict=pass /,
    }))
  ),
];

const withRules = (dir: string): readonly string[] => {
  Deno.mkdirSync(`${dir}/rules`, { recursive: true });
  Deno.writeTextFileSync(`${dir}/rules/filter`, "needle\n");
  return ["-v", `--filter-rules=${dir}/rules/filter`];
};

table("--action, --on-error and --dry-run", { options: withRules, filter: true, together: true }, [
  ...ROWS.map(({ options, from, content = CONTENT, reply, arrives, log }): Case => ({
    name: `${options.join(" ") || "neither"}: ${from}, ${content.length} octets`,
    options,
    filter: FILTER,
    play: async (talk) => {
      const client = await talk.open();
      assert.match((await deliver(client, content, { from })).raw, reply);
      if (arrives === undefined) talk.nothingPassed();
      else talk.passed(arrives);
      await talk.logged(log);
      await expectUsable(client);
    },
  })),
  {
    name: "the filter never sees a field that only postprox may write, and sees the tag of a check before it",
    options: ["--action=command=tag", "--action=filter-rules=tag"],
    filter: FILTER,
    play: async (talk) => {
      const content = `X-Postprox: old\r\nSubject: needle\r\n\r\n`;
      assert.equal((await deliverAs(talk, "bad", content)).code, 250);
      const seen = "X-Postprox: filter-rules; Content rejected\nSubject: needle\n\n";
      assert.equal(await talk.file("seen"), seen);
      talk.passed(`X-Postprox: command; virus found: X\r\n${seen.replaceAll("\n", "\r\n")}`);
      await talk.logged(/verdict=tag .* check=filter-rules .* filter_rules_ms=\d+ command_ms=\d+ /);
    },
  },
]);

const BYPASS = ["-v", "--bypass=192.0.2.0/24,2001:db8::/32", "--bypass=198.51.100.7"];

const denying = (dir: string): readonly string[] => {
  Deno.mkdirSync(`${dir}/rules`, { recursive: true });
  Deno.writeTextFileSync(`${dir}/rules/rules`, "noto:ALL:ALL:noto@*:550 5.7.1 not you\nallow:ALL:ALL:ALL\n");
  return [...BYPASS, `--check-rules=${dir}/rules/rules`];
};

table("--bypass", { options: denying, filter: true }, [
  ...["192.0.2.9", "IPV6:2001:db8::9", "198.51.100.7"].map((address): Case => ({
    name: `${address} is not checked`,
    filter: FILTER,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, `XFORWARD ADDR=${address}`);
      assert.match((await deliver(client, CONTENT, { from: "bad", to: ["noto@b"] })).raw, OK);
      talk.passed(CONTENT);
      await talk.logged(/message verdict=bypass /);
      assert.ok(!talk.hasFile("seen"));
    },
  })),
  ...["198.51.100.8", "IPV6:2001:db9::9", "[UNAVAILABLE]"].map((address): Case => ({
    name: `${address} is checked`,
    filter: FILTER,
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, `XFORWARD ADDR=${address}`);
      await client.expect(250, "MAIL FROM:<bad@b>");
      await client.expect(550, "RCPT TO:<noto@b>");
      await client.expect(250, "RCPT TO:<c@b>");
      await client.expect(354, "DATA");
      await client.say(`${CONTENT}.\r\n`);
      assert.match((await client.hear()).raw, /^550 5\.7\.1 virus/);
      talk.nothingPassed();
    },
  })),
]);

const PIT = ["--tarpit-after=1", "--tarpit-delay=30"];

table("--bypass and the tar pit", { options: () => [...BYPASS, ...PIT] }, [
  {
    name: "a client that is not checked does not wait",
    play: async (talk) => {
      const client = await talk.open();
      await client.expect(250, "XFORWARD ADDR=192.0.2.9");
      assert.match((await deliver(client, CONTENT, { from: "a@b", to: ["c@d", "e@d", "f@d"] })).raw, OK);
      talk.passed(CONTENT);
    },
  },
]);

// Postfix connects to postprox, so its address says nothing of the client.
table("--bypass without XFORWARD", { options: () => ["-v", "--bypass=127.0.0.0/8"], filter: true }, [
  {
    name: "the peer's address is not looked at",
    filter: FILTER,
    play: async (talk) => {
      assert.match((await deliverAs(talk, "bad")).raw, /^550 5\.7\.1 virus/);
      talk.nothingPassed();
    },
  },
]);

const dry = (dir: string) => [...denying(dir), "--dry-run"];

table("--dry-run and restrictions", { options: dry, filter: true }, [
  {
    name: "a client that the rules refuse is accepted, and the log says so",
    filter: FILTER,
    play: async (talk) => {
      const client = await talk.open();
      await startMessage(client, { from: "good", to: ["noto@b"] });
      await client.say(`${CONTENT}.\r\n`);
      await client.expect(250);
      talk.passed(CONTENT);
      await talk.logged(
        /recipient would be refused reason="[^"]*" would=reject .*to=<noto@b> .*reply="550 5\.7\.1 not you"/,
      );
    },
  },
]);

const quietlyDry = (dir: string) => dry(dir).filter((option) => option !== "-v");

table("--dry-run without -v", { options: quietlyDry, filter: true }, [
  {
    name: "the log has a line for what would be refused, and for nothing else",
    filter: FILTER,
    play: async (talk) => {
      const client = await talk.open();
      assert.match((await deliver(client, CONTENT, { from: "good@b", to: ["c@b"] })).raw, OK);
      assert.match((await deliver(client, CONTENT, { from: "bad@b", to: ["noto@b"] })).raw, OK);
      await talk.logged(/notice: \S+ recipient would be refused .* would=reject /);
      await talk.logged(/notice: \S+ message verdict=pass .* check=command would=reject /);
      assert.doesNotMatch(talk.log, /from=<good@b>/);
    },
  },
]);
