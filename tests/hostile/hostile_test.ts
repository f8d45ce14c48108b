// The short form of the hostile corpus: every row whole, and each in one other way, through postprox to a server that
// checks every octet. Then real servers, which count. `deno task hostile` is the long form.
//
// A control goes first: the same octets, sent without postprox, do fool a real server. A test that cannot fail proves
// nothing.

import assert from "node:assert/strict";
import { type Case, table } from "../blackbox/rig.ts";
import { isLeftOut } from "../needs.ts";
import { CORPUS } from "./corpus.ts";
import { type Finding, playDirectly, playThrough, rowsForServers } from "./books.ts";
import { caseOf, HEARD, isContent } from "./play.ts";
import { BEGIN, END, fingerprint, formatTables, keyOf, type Results } from "./results.ts";
import { type ServerName, SERVERS } from "./servers.ts";
import results from "./results.json" with { type: "json" };

const CONTENT = CORPUS.filter(isContent);
const OTHERS = CORPUS.filter((row) => !isContent(row));
const ONE_MESSAGE = CONTENT.filter(({ messages }) => messages.length === 1);

table("Hostile content", { shared: true }, CONTENT.map((row) => caseOf(row, "whole")));

table("Hostile content in other packets", { shared: true, modes: ["listen"] }, [
  ...CONTENT.map((row) => caseOf(row, "sample")),
]);

// In spawn mode each of these is a process.
table("Hostile commands and replies", {}, [
  ...OTHERS.map((row, at): Case => ({ ...caseOf(row, "whole"), ...at % 3 === 0 ? {} : { modes: ["listen"] } })),
]);

table("Hostile commands in other packets", { modes: ["listen"] }, [
  ...OTHERS.filter(({ group }) => group !== "replies").map((row) => caseOf(row, "sample")),
]);

table("Hostile content, --bare-newline=reject", {
  shared: true,
  modes: ["listen"],
  options: () => ["--bare-newline=reject"],
}, ONE_MESSAGE.map((row) => caseOf(row, "whole", { reject: true })));

// The way back in: what a filter has written is hostile too, when it has copied it from the message.
table("Hostile content, handed on by a filter", { shared: true, modes: ["listen"], filter: true }, [
  ...ONE_MESSAGE.filter((_, at) => at % 3 === 0).map((row) =>
    caseOf(row, "whole", { filter: 'cp "$EMAIL" "$OUTFILE"' })
  ),
]);

Deno.test("No reply that the corpus has provoked reveals anything of the inside", () => {
  assert.ok(HEARD.size > 20, `${HEARD.size} replies`);
  for (const reply of HEARD) {
    assert.doesNotMatch(
      reply,
      /postprox|deno|typescript|\.ts\b|\/(?:tmp|work|usr|home|var|proc)\b|spool|stack|exception/i,
    );
    assert.doesNotMatch(reply, /\b(?:127\.0\.0\.1|E[A-Z]{4,}\b|at \S+:\d+:\d+|Error:)/);
  }
});

/** Rows that have fooled servers which many people ran, under the names by which they became known. */
const FAMOUS = [
  "LF . LF",
  "LF . CRLF", // CVE-2023-51764, -51765, -51766
  "CRLF . LF",
  "CRLF . CR CR LF", // Postfix before August 2026
  "LF . CR CR LF",
  "LF . LF, all lines before it with a bare LF",
].map((name) => CONTENT.find((row) => row.name === name)!);

/** The rows that must fool a server when postprox is not there. */
const CONTROL: readonly (readonly [ServerName, fools: readonly string[], part: string])[] = [
  [
    "Postfix",
    ["LF . LF", "LF . CRLF", "CRLF . LF", "CRLF . CR CR LF", "LF . CR CR LF"],
    "hostile octets to a real Postfix",
  ],
  ["aiosmtpd", [], "hostile octets to aiosmtpd"],
  ["aiosmtpd before CVE-2024-27305", ["LF . CRLF"], "hostile octets to aiosmtpd"],
];

for (const [name, fools, part] of CONTROL) {
  Deno.test(`Hostile corpus, ${name} behind postprox`, { ignore: isLeftOut(part) }, async (test) => {
    const server = await SERVERS[name]();
    try {
      await test.step(`without postprox it is fooled by ${fools.length} of ${FAMOUS.length} rows`, async () => {
        const fooled = wrongOf(await playDirectly(server, FAMOUS)).map(({ row }) => row.name);
        for (const row of fools) assert.ok(fooled.includes(row), `${row} is not among ${fooled.join("; ")}`);
        if (fools.length === 0) assert.deepEqual(fooled, []);
      });
      const rows = rowsForServers(CORPUS);
      await test.step("behind it, it takes exactly what was sent", async () => {
        assertRight(await playThrough(server, rows, { mode: "listen", splits: "whole" }));
      });
      await test.step("in other packets", async () => {
        const some = rows.filter((_, at) => at % 4 === 0);
        assertRight(await playThrough(server, some, { mode: "listen", splits: "sample" }));
      });
      if (name !== "Postfix") return;
      await test.step("in spawn mode", async () => {
        const some = rows.filter((_, at) => at % 16 === 0);
        assertRight(await playThrough(server, some, { mode: "spawn", splits: "whole" }));
      });
    } finally {
      await server.stop();
    }
  });
}

function wrongOf(findings: readonly Finding[]): Finding[] {
  return findings.filter(({ wrong }) => wrong !== undefined);
}

function assertRight(findings: readonly Finding[]): void {
  assert.ok(findings.length > 0);
  const wrong = wrongOf(findings).map(({ row, cuts, wrong }) => `${keyOf(row)}, cut at ${cuts}: ${wrong}`);
  assert.deepEqual(wrong.slice(0, 10), [], `${wrong.length} of ${findings.length}`);
}

Deno.test("docs/proofs/hostile.md has the present corpus, and no row went wrong", () => {
  const found: Results = results;
  assert.equal(found.fingerprint, fingerprint(), "the corpus has changed: deno task hostile");
  const text = Deno.readTextFileSync(new URL("../../docs/proofs/hostile.md", import.meta.url));
  const tables = text.slice(text.indexOf(BEGIN), text.indexOf(END) + END.length);
  assert.ok(tables === formatTables(found), "the tables are not those of the results: deno task hostile");
  for (const [group, { ways, wrong }] of Object.entries(found.fake)) {
    assert.ok(ways > 0 && wrong === 0, group);
  }
  for (const [name, { through, wrong }] of Object.entries(found.servers)) assert.ok(through > 0 && wrong === 0, name);
});

Deno.test("Every row of the hostile corpus has a name of its own", () => {
  const names = CORPUS.map(keyOf);
  assert.deepEqual(names.filter((name, at) => names.indexOf(name) !== at), []);
});
