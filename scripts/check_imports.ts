// Fails if a file under lib/ breaks one of the rules by which data goes one way. Types count like values. `deno task
// ok` runs it.
//
// 1. A folder imports from its own level or from a lower one.
// 2. Inside checks/ and restrictions/ no subfolder imports a sibling.
// 3. No two folders import each other, directly or through others. The same holds for files.
//
// Also, the program imports nothing from outside, and only the adapters know a runtime.

const LEVELS: Readonly<Record<string, number>> = {
  "lib/text": 0,
  "lib/ports": 0,
  "lib/smtp": 0,
  "lib/pattern": 0,
  "lib/mail": 0,
  "lib/mime": 0,
  "lib/wire": 1,
  "lib/spool": 1,
  "lib/dns": 1,
  "lib/options": 1,
  "lib/log": 1,
  "lib/metrics": 1,
  "lib/runtime": 1,
  "lib/checks": 2,
  "lib/restrictions": 2,
  "lib/quarantine": 2,
  "lib/session": 3,
  "lib/modes": 4,
  "lib/settings": 5,
  "lib/commands": 6,
  // Single files.
  "lib": 7,
  "": 8,
};

/** Names that only some folders may use. */
const ADAPTERS = [
  {
    folder: "lib/runtime/deno",
    entry: "main.ts",
    modules: ["node:dns/promises", "node:net", "node:util"],
    says: "Deno",
  },
  { folder: "lib/runtime/bun", entry: "main_bun.ts", modules: ["node:", "bun:"], says: "Bun" },
] as const;

const WITHOUT_SIBLINGS = ["lib/checks", "lib/restrictions"];

const root = new URL("../", import.meta.url);
const imports = new Map<string, string[]>();
const complaints = new Set<string>();

for (const file of [...sources("lib/"), ...ADAPTERS.map(({ entry }) => entry)]) {
  const text = Deno.readTextFileSync(new URL(file, root));
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1]!);
  imports.set(file, found.filter((name) => name.startsWith(".")).map((name) => resolve(file, name)));
  const adapter = ADAPTERS.find(({ folder }) => file.startsWith(`${folder}/`));
  for (const name of found.filter((name) => !name.startsWith("."))) {
    if (adapter?.modules.some((prefix) => name.startsWith(prefix))) continue;
    complaints.add(`${file} imports ${name}: the program imports nothing from outside`);
  }
  const code = text.replace(/\/\/.*|`(Deno|Bun)\.[^`]*`/g, "");
  for (const { says, entry } of ADAPTERS) {
    if (new RegExp(`\\b${says}\\.`).test(code) && adapter?.says !== says && file !== entry) {
      complaints.add(`${file} says "${says}.": only its adapter may`);
    }
  }
}

const folders = new Map<string, Set<string>>();
for (const [file, targets] of imports) {
  const from = folderOf(file);
  for (const target of targets) {
    const to = folderOf(target);
    if (levelOf(to) > levelOf(from)) complaints.add(`${file} imports ${target}, which is above it`);
    const adapter = ADAPTERS.find(({ folder }) => to === folder);
    if (adapter && from !== to && file !== adapter.entry) complaints.add(`${file} imports the adapter ${target}`);
    const parent = WITHOUT_SIBLINGS.find((parent) => from.startsWith(`${parent}/`) && to.startsWith(`${parent}/`));
    if (parent && from !== to) {
      complaints.add(`${file} imports ${target}: folders in ${parent}/ do not know each other`);
    }
    if (from !== to) folders.set(from, (folders.get(from) ?? new Set()).add(to));
  }
}
for (const graph of [imports, folders]) {
  for (const place of graph.keys()) {
    const circle = findCircle(graph, place, []);
    if (circle && circle[0] === circle.toSorted()[0]) complaints.add(`circle: ${circle.join(" -> ")}`);
  }
}

for (const complaint of complaints) console.error(complaint);
if (complaints.size > 0) Deno.exit(1);
console.log(`imports: ${imports.size} files, each from its own level or below, no circle`);

/** The folder of a file. For checks, restrictions and adapters it is the subfolder. */
function folderOf(file: string): string {
  return file.slice(0, Math.max(0, file.lastIndexOf("/")));
}

function levelOf(folder: string): number {
  const level = LEVELS[folder.split("/").slice(0, 2).join("/")];
  if (level === undefined) throw new Error(`${folder} stands in no level: add it to scripts/check_imports.ts`);
  return level;
}

function findCircle(
  graph: ReadonlyMap<string, Iterable<string>>,
  place: string,
  path: readonly string[],
): readonly string[] | undefined {
  if (place === path[0]) return path;
  if (path.includes(place)) return undefined;
  for (const target of graph.get(place) ?? []) {
    const circle = findCircle(graph, target, [...path, place]);
    if (circle) return circle;
  }
  return undefined;
}

function* sources(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(new URL(folder, root))) {
    if (entry.isDirectory) yield* sources(`${folder}${entry.name}/`);
    else if (entry.name.endsWith(".ts")) yield `${folder}${entry.name}`;
  }
}

function resolve(file: string, name: string): string {
  return new URL(name, new URL(file, root)).href.slice(root.href.length);
}
