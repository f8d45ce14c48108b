// Plays the whole hostile corpus, every row in every way, and writes down the results.
//
//     deno task hostile            all of it; writes tests/hostile/results.json and the tables of docs/proofs/hostile.md
//     deno task hostile --check    all of it; writes nothing
//
// It first plays through postprox to a fake server that checks every octet, in both modes. Then it plays to real
// servers. Without postprox it shows which rows fool them. Through postprox no row may. It needs root, Postfix,
// aiosmtpd, and apt-get for the servers that cannot be installed beside Postfix. Progress goes to standard error. The
// exit status is 1 if anything is wrong.

import { CORPUS, rowsByGroup } from "../tests/hostile/corpus.ts";
import { type Finding, playDirectly, playThrough, rowsForServers } from "../tests/hostile/books.ts";
import { caseOf, isContent, type Splits } from "../tests/hostile/play.ts";
import { BEGIN, END, fingerprint, formatTables, keyOf, type Results, waysOf } from "../tests/hostile/results.ts";
import type { Row } from "../tests/hostile/row.ts";
import { type ServerName, SERVERS, versionOf } from "../tests/hostile/servers.ts";
import { within } from "../tests/rig/wait.ts";
import { type Mode, Rig } from "../tests/blackbox/rig.ts";

const LETTERS: Record<ServerName, string> = {
  "Postfix": "P",
  "aiosmtpd": "a",
  "aiosmtpd before CVE-2024-27305": "A",
  "Exim": "E",
  "OpenSMTPD": "O",
};

/**
 * In spawn mode each conversation is a process, so only a sample is split in every way. Packets have the same effect in
 * both modes.
 */
const SPLITS: Record<Mode, Splits> = { listen: "every", spawn: "sample" };

/** Programs at a time. A conversation mostly waits. */
const SIDE_BY_SIDE = 4;

const write = Deno.args[0] !== "--check";
const start = performance.now();
const failures: string[] = [];
let shown = 0;
// A missing server shows now, and not after all the others have been played.
for (const start of Object.values(SERVERS)) await (await start()).stop();
const fake = await playFake();
const servers: Record<string, Results["servers"][string]> = {};
for (const name of Object.keys(SERVERS) as ServerName[]) servers[name] = await playServer(name);

const results: Results = { fingerprint: fingerprint(), fake, servers };
const tables = formatTables(results);
console.log(tables.slice(0, tables.indexOf("### A line start")).replace(BEGIN, "").trim());
console.log(`\n${CORPUS.length} rows in ${seconds()} s, ${failures.length} wrong`);
if (write && failures.length === 0) writeDown();
Deno.exit(failures.length === 0 ? 0 : 1);

async function playFake(): Promise<Results["fake"]> {
  const found: Record<string, { ways: number; wrong: number }> = {};
  for (const [group, rows] of rowsByGroup()) {
    const counts = found[group] = { ways: 0, wrong: 0 };
    for (const mode of ["listen", "spawn"] as const) {
      for (const shared of [true, false]) {
        const mine = rows.filter((row) => isContent(row) === shared);
        if (mine.length > 0) await playRows(mine, { mode, shared, counts });
      }
    }
  }
  return found;
}

async function playRows(
  rows: readonly Row[],
  { mode, shared, counts }: { mode: Mode; shared: boolean; counts: { ways: number; wrong: number } },
): Promise<void> {
  const left = [...rows];
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, async () => {
    const rig = await Rig.start(mode, shared ? { shared } : {});
    try {
      for (let row = left.shift(); row; row = left.shift()) {
        await playRow(row, { mode, rig, counts });
        progress(`${mode}, ${row.group}`, rows.length - left.length, rows.length);
      }
    } finally {
      await within(rig.stop(), () => `the end of ${mode}, ${rows[0]!.group}`);
    }
  }));
}

async function playRow(
  row: Row,
  { mode, rig, counts }: { mode: Mode; rig: Rig; counts: { ways: number; wrong: number } },
): Promise<void> {
  // In spawn mode, a row that is sent in one packet is also played as a whole.
  for (const splits of mode === "spawn" ? ["whole", SPLITS[mode]] as const : [SPLITS[mode]]) {
    counts.ways += waysOf(row, splits);
    try {
      await rig.play(caseOf(row, splits));
    } catch (error) {
      counts.wrong++;
      fail(`${mode}, ${keyOf(row)}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

async function playServer(name: ServerName): Promise<Results["servers"][string]> {
  const rows = rowsForServers(CORPUS);
  const server = await SERVERS[name]();
  try {
    const direct = await playDirectly(server, rows, (done, all) => progress(`${name}, without postprox`, done, all));
    const through: Finding[] = [];
    for (const [mode, splits] of [["listen", "single"], ["spawn", "whole"]] as const) {
      // Spawn mode plays with one real server only. The other servers would get the same octets.
      if (mode === "spawn" && name !== "Postfix") continue;
      const shown = (done: number, all: number) => progress(`${name}, ${mode}`, done, all);
      through.push(...await playThrough(server, rows, { mode, splits, progress: shown }));
    }
    const wrong = through.filter((finding) => finding.wrong !== undefined);
    for (const { row, cuts, wrong: what } of wrong) fail(`${name}, ${keyOf(row)}, cut at ${cuts}: ${what}`);
    return {
      version: await versionOf(name),
      letter: LETTERS[name],
      direct: direct.length,
      fooled: direct.filter((finding) => finding.wrong !== undefined).map(({ row }) => keyOf(row)),
      through: through.length,
      wrong: wrong.length,
    };
  } finally {
    await server.stop();
  }
}

function writeDown(): void {
  const root = new URL("../", import.meta.url);
  Deno.writeTextFileSync(new URL("tests/hostile/results.json", root), `${JSON.stringify(results, null, 2)}\n`);
  const document = new URL("docs/proofs/hostile.md", root);
  const text = Deno.readTextFileSync(document);
  const after = text.slice(text.indexOf(END) + END.length);
  Deno.writeTextFileSync(document, text.slice(0, text.indexOf(BEGIN)) + tables + after);
}

function fail(how: string): void {
  failures.push(how);
  console.error(`\nWRONG: ${how}\n`);
}

function progress(what: string, done: number, all: number): void {
  if (done < all && performance.now() - shown < 1000) return;
  shown = performance.now();
  console.error(`${String(seconds()).padStart(5)} s  ${what}: ${done} of ${all}, ${failures.length} wrong so far`);
}

function seconds(): number {
  return Math.round((performance.now() - start) / 1000);
}
